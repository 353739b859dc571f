"""The fixture's value: from a callable to a passed, failed or skipped test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.config.types import GateConfig
from orchestrator.experiments.judging.leak_gate import check_gate
from orchestrator.leakgate.measuring import Target, measure
from orchestrator.leakgate.settings import OPTIONS, check_setting
from orchestrator.leakgate.words import message
from orchestrator.pool.executor import importable_name

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
        max_rate: float | None = _UNSET,
        inconclusive: str = _UNSET,
        timeout: float = _UNSET,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Judgement:
        """Call ``job(*args, **kwargs)`` again and again in a worker; return the judgement if it passes.

        Args:
            job: A function that can be imported in another process; its result is not looked at.
            iterations: How many calls; a warm-up among them is found by itself.
            max_rate: Growth in MB per iteration that is let through; None lets through what is no leak.
            inconclusive: What a check that decides nothing does: ``fail``, ``pass`` or ``skip``.
            timeout: Seconds one call may take.
            args: Positional arguments, of values that msgpack has a form for.
            kwargs: The same by keyword.
            env: Environment variables of the worker, such as ``MALLOC_ARENA_MAX``.

        Fails the test on a leak, on an exception, a crash or a hang of ``job``, and when ``job`` cannot be imported.
        """
        __tracebackhide__ = True
        said = {
            "iterations": iterations,
            "max_rate": max_rate,
            "inconclusive": inconclusive,
            "timeout": timeout,
        }
        settings = self._with(said)
        target = self._target(job, args, kwargs or {}, env or {})
        measured = measure(target, iterations=settings["iterations"], timeout_s=settings["timeout"])
        judged = measured.judgement
        self._item.user_properties.append(("leakgate", f"{target.name}: {judged.verdict}"))
        gated = check_gate(GateConfig(max_rate_mb_per_iteration=settings["max_rate"]), [judged]).series[0]
        text = message(target.name, judged, measured.end, settings["max_rate"])
        if gated.result == "broken" or judged.verdict == "unavailable":
            pytest.fail(text, pytrace=False)
        if gated.result == "inconclusive":
            _undecided(settings["inconclusive"], text)
        return judged

    def _with(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings, those of the call last; a wrong one fails the test."""
        __tracebackhide__ = True
        own = {name: value for name, value in said.items() if value is not _UNSET}
        for name in OPTIONS:
            if name in own and (problem := check_setting(name, own[name])):
                pytest.fail(f"leak_check: {name} is {own[name]!r}, must be {problem}", pytrace=False)
        return {**self._settings, **own}

    def _target(
        self,
        job: Callable[..., object],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        env: Mapping[str, str],
    ) -> Target:
        __tracebackhide__ = True
        found = _importable(job)
        if isinstance(found, str):
            pytest.fail(f"leak_check: {found}", pytrace=False)
        name, first, named = found
        file = getattr(sys.modules[name.partition(":")[0]], "__file__", None)
        return Target(name, (*first, *args), {**named, **kwargs}, file, env, self._search())

    def _search(self) -> list[str]:
        """Return where the worker finds test modules: on ``sys.path`` already, but for ``--import-mode=importlib``."""
        config = self._item.config
        return [str(config.rootpath)] if config.getoption("importmode", "") == "importlib" else []


def _importable(job: object) -> tuple[str, tuple[Any, ...], dict[str, Any]] | str:
    """Return ``package.module:name`` and the arguments bound to it, or the sentence why it cannot be."""
    if not callable(job):
        return f"{job!r} cannot be called; give a function"
    try:
        return importable_name(job)
    except ValueError as error:
        return str(error)


def _undecided(what: str, text: str) -> None:
    __tracebackhide__ = True
    if what == "fail":
        pytest.fail(text, pytrace=False)
    if what == "skip":
        pytest.skip(text)
