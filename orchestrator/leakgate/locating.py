"""The call stacks that leak, as lines of a failed check's message."""

from __future__ import annotations

from orchestrator.errors import EngineUnavailableError
from orchestrator.leakgate.call_session import Target

_FOUND = "  where it leaks (traced: not judged):"


def located_lines(target: Target) -> list[str]:
    """Run the function under a tracer and return what it found; without a tracer, how to get one."""
    from orchestrator.analysis.locating.words import top_sites  # noqa: PLC0415 - only those who ask for it pay for it
    from orchestrator.locating.locate import locate  # noqa: PLC0415
    from orchestrator.locating.schedule import Schedule  # noqa: PLC0415
    from orchestrator.locating.tracers import choose_tracer  # noqa: PLC0415
    from orchestrator.locating.work import call_work  # noqa: PLC0415

    try:
        tracer = choose_tracer()
    except EngineUnavailableError as error:
        return [f"  not located: {error.what}; to get it: {error.how_to_get_it}"]
    work = call_work(
        target.name,
        args=target.args,
        kwargs=target.kwargs,
        file=target.file,
        env=target.env,
        search=target.search,
    )
    return [_FOUND, *(f"    {line}" for line in top_sites(locate(work, Schedule(), tracer)))]
