"""Call a function again and again in a worker of its own, and judge the worker's memory.

It is a series of an experiment by the method ``reuse`` with the engine ``function``, without files: one process,
one call an iteration, read from outside after each.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.config.types import Experiment, Model, Series, Step
from orchestrator.experiments.judging.judgement import judge_series
from orchestrator.experiments.running.observer import SilentObserver
from orchestrator.experiments.running.series import SeriesContext, SeriesRun
from orchestrator.experiments.storage.records import Entry, IterationRecord, SeriesEnd, SeriesRecords
from orchestrator.process.sampler import Sampler

_SAMPLE_INTERVAL_MS = 20
_CODES = {"experiment": 0, "series": 0}


@dataclass(frozen=True)
class Target:
    """What is called: ``package.module:name`` with arguments, and the file that the module must come from.

    ``search`` are folders that the worker looks for modules in, after the ``sys.path`` of this process.
    """

    name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    file: str | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    search: Sequence[str] = ()


@dataclass(frozen=True)
class Measured:
    """The judgement, and how the series ended: with the words of a crash or of an exception."""

    judgement: Judgement
    end: SeriesEnd


def measure(target: Target, *, iterations: int, timeout_s: float) -> Measured:
    """Call the target ``iterations`` times, each within ``timeout_s`` seconds, and judge the memory.

    What the function does to its process (raise, hang, abort) is in the result, not raised.
    """
    experiment = _experiment(target, iterations, timeout_s)
    (series,) = experiment.series
    entries: list[Entry] = []
    with _search(target.search), Sampler(_SAMPLE_INTERVAL_MS / 1000) as sampler:
        context = SeriesContext(
            experiment=experiment,
            series=series,
            audio={},
            sampler=sampler,
            observer=SilentObserver(),
            append=entries.append,
            codes=_CODES,
            env=dict(target.env),
        )
        end = SeriesRun(context).run()
    records = [entry for entry in entries if isinstance(entry, IterationRecord)]
    judged = judge_series(experiment, SeriesRecords(experiment.name, series.key, records, end))
    return Measured(judged, end)


def _experiment(target: Target, iterations: int, timeout_s: float) -> Experiment:
    options: dict[str, Any] = {"target": target.name, "file": target.file, "discard_result": True}
    if target.args:
        options["args"] = list(target.args)
    if target.kwargs:
        options["kwargs"] = dict(target.kwargs)
    model = Model("leakgate", "function", target.name)
    return Experiment(
        name=target.name,
        title=target.name,
        series=[Series("reuse", env=dict(target.env))],
        iterations=iterations,
        recycle_after=1,
        sample_interval_ms=_SAMPLE_INTERVAL_MS,
        heap=True,
        timeout_s=timeout_s,
        output="leakgate.json",
        steps=[Step("call", model, None, None, options)],
    )


@contextlib.contextmanager
def _search(folders: Sequence[str]) -> Generator[None]:
    """Have ``folders`` on ``sys.path``, which a worker is told when it starts, for as long as the block."""
    added = [folder for folder in folders if folder not in sys.path]
    sys.path += added
    try:
        yield
    finally:
        for folder in added:
            with contextlib.suppress(ValueError):
                sys.path.remove(folder)
