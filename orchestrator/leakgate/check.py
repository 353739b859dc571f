"""The fixture's value: from a callable to a passed, failed or skipped test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from orchestrator.config.types import GateConfig
from orchestrator.experiments.judging.leak_gate import GateWord, check_gate
from orchestrator.experiments.storage.records import SeriesEnd
from orchestrator.leakgate.call_session import Target
from orchestrator.leakgate.importable import target_of
from orchestrator.leakgate.locating import located_lines
from orchestrator.leakgate.measuring import Measured, WrongModulesError, measure
from orchestrator.leakgate.result import RESOURCES, LeakCheckResult, within_accepted
from orchestrator.leakgate.settings import OPTIONS, check_setting
from orchestrator.leakgate.words import message, passed_words

_UNSET: Any = object()


class LeakCheck:
    """Call it with what is to be checked. Every call measures anew, in a fresh process."""

    def __init__(self, settings: Mapping[str, Any], item: pytest.Item) -> None:
        self._settings = settings
        self._item = item

    def __call__(
        self,
        job: Callable[..., object],
        *,
        iterations: int = _UNSET,
        tolerance: float | None = _UNSET,
        max_rate: float | None = _UNSET,
        inconclusive: str = _UNSET,
        timeout: float = _UNSET,
        max_time: float = _UNSET,
        memory: bool = _UNSET,
        descriptors: bool = _UNSET,
        threads: bool = _UNSET,
        children: bool = _UNSET,
        zombies: bool = _UNSET,
        shared_memory: bool = _UNSET,
        locate: bool = _UNSET,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> LeakCheckResult:
        """Call ``job(*args, **kwargs)`` until growth could be seen; return the judgement if it passes.

        Args:
            job: A function that can be imported in another process; its result is not looked at.
            iterations: How many readings, each after as many calls as it takes to see 100 bytes a call.
            tolerance: Growth in MB per call that is accepted; None accepts what is no leak.
            max_rate: The same, of RSS too.
            inconclusive: What a check that decides nothing does: ``fail``, ``pass`` or ``skip``.
            timeout: Seconds one call may take.
            max_time: Seconds after which no other round of calls begins.
            memory: Whether growth of memory fails.
            descriptors: Whether open files and sockets that become more fail.
            threads: The same for threads.
            children: The same for child processes that run on.
            zombies: The same for child processes that ended and were not waited for.
            shared_memory: The same for segments of shared memory.
            locate: Whether the message of a leak has the call stacks that leak, found under a tracer (extra
                ``locate``). It takes some seconds more, and only where memory leaks.
            args: Positional arguments, of values that msgpack has a form for.
            kwargs: The same by keyword.
            env: Environment variables of the worker, such as ``MALLOC_ARENA_MAX``.

        Fails the test on a leak, on an exception, a crash or a hang of ``job``, and when ``job`` cannot be imported.
        """
        __tracebackhide__ = True
        said = {name: value for name, value in locals().items() if name in OPTIONS and value is not _UNSET}
        settings = self._with(said)
        target = self._target(job, args, kwargs or {}, env or {})
        measured = self._measure(target, settings)
        judged = measured.judgement
        self._item.user_properties.append(("leakgate", f"{target.name}: {judged.verdict}"))
        self._conclude(target, judged, measured.end, settings)
        self._item.add_report_section("call", "leakgate", passed_words(target.name, judged))
        return judged

    @staticmethod
    def _measure(target: Target, settings: Mapping[str, Any]) -> Measured:
        __tracebackhide__ = True
        try:
            return measure(
                target,
                iterations=settings["iterations"],
                timeout_s=settings["timeout"],
                max_time_s=settings["max_time"],
                counted=[name for name in RESOURCES if settings[name]],
                memory=settings["memory"],
            )
        except WrongModulesError as error:
            text = _wrong_modules(target.name, error)
        pytest.fail(text, pytrace=False)

    def _conclude(
        self, target: Target, judged: LeakCheckResult, end: SeriesEnd, settings: Mapping[str, Any]
    ) -> None:
        """Fail or skip the test unless memory and all that is counted let it pass."""
        __tracebackhide__ = True
        name = target.name
        if judged.verdict in ("crashed", "unavailable"):
            pytest.fail(message(name, judged, end), pytrace=False)
        limit = _limit(settings)
        memory = _memory_word(judged, limit) if settings["memory"] else "passed"
        counts = judged.leaking_resources
        text = message(name, judged, end, limit, _failed(judged, memory, counts))
        if memory == "broken" and settings["locate"]:
            text = "\n".join([text, *located_lines(target)])
        if memory == "broken" or counts:
            pytest.fail(text, pytrace=False)
        if memory == "inconclusive":
            _undecided(settings["inconclusive"], text)

    def _with(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings, those of the call last; a wrong one fails the test."""
        __tracebackhide__ = True
        for name, value in said.items():
            if problem := check_setting(name, value):
                pytest.fail(f"leak_check: {name} is {value!r}, must be {problem}", pytrace=False)
        return {**self._settings, **said}

    def _target(
        self,
        job: Callable[..., object],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        env: Mapping[str, str],
    ) -> Target:
        __tracebackhide__ = True
        try:
            return target_of(job, args, kwargs, env, self._search())
        except ValueError as error:
            text = f"leak_check: {error}"
        pytest.fail(text, pytrace=False)

    def _search(self) -> list[str]:
        """Return where the worker finds test modules: on ``sys.path`` already, but for ``--import-mode=importlib``."""
        config = self._item.config
        return [str(config.rootpath)] if config.getoption("importmode", "") == "importlib" else []


def _limit(settings: Mapping[str, Any]) -> float | None:
    """Return the growth per call that is let through, None where none was said."""
    said = [settings[name] for name in ("tolerance", "max_rate") if settings[name] is not None]
    return max(said, default=None)


def _memory_word(judged: LeakCheckResult, limit: float | None) -> GateWord:
    word = check_gate(GateConfig(max_rate_mb_per_iteration=limit), [judged]).series[0].result
    blocks = judged.python_blocks
    if word == "inconclusive" and limit is None and within_accepted(judged):
        word = "passed"
    return "broken" if limit is None and blocks is not None and blocks.verdict == "leak" else word


def _failed(judged: LeakCheckResult, memory: GateWord, counts: Sequence[str]) -> str:
    """Return the words of the first line: what leaks, if it is not memory alone."""
    if not counts:
        return (
            "leak of Python objects" if memory == "broken" and judged.verdict in ("flat", "bounded") else ""
        )
    leaking = [*(["memory"] if memory == "broken" else []), *(name.replace("_", " ") for name in counts)]
    return f"leak of {', '.join(leaking)}"


def _wrong_modules(name: str, error: WrongModulesError) -> str:
    return (
        f"leak_check({name}): the worker would check other code than this test: {error}. The worker looks on the "
        "same sys.path, in its order, so something else loaded it here: put the folder that is meant first on the "
        "path for the whole run (pythonpath in the ini file, or PYTHONPATH), or uninstall the other release"
    )


def _undecided(what: str, text: str) -> None:
    __tracebackhide__ = True
    if what == "fail":
        pytest.fail(text, pytrace=False)
    if what == "skip":
        pytest.skip(text)
