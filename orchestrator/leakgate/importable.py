"""From a callable to the name by which another process finds it, or the sentence that says why not, and the cure."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from orchestrator.leakgate.call_session import Target
from orchestrator.pool.importable import importable_name

_ELSEWHERE = (
    "leak_check calls it in a process of its own, which has no fixture, local variable or object of this test"
)
_CURE = "write a function at the top level of a module that makes what it needs, and check that"


def target_of(
    job: Callable[..., object],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    env: Mapping[str, str],
    search: Sequence[str],
) -> Target:
    """Return what the worker is told to call.

    Raises:
        ValueError: The callable cannot be imported, or an argument cannot be sent; says why, and the cure.
    """
    name, first, named = _name_of(job)
    positional, keywords = (*first, *args), {**named, **kwargs}
    for label, value in [(f"args[{i}]", each) for i, each in enumerate(positional)] + [
        (f"kwargs[{key!r}]", each) for key, each in keywords.items()
    ]:
        _check_value(label, value)
    file = getattr(sys.modules[name.partition(":")[0]], "__file__", None)
    return Target(name, positional, keywords, file, env, search)


def _name_of(job: Callable[..., object]) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    if _is_fixture(job):
        said = getattr(job, "__name__", None) or getattr(job, "name", None) or "this"
        raise ValueError(f"{said} is a fixture, which pytest alone may call; {_ELSEWHERE}; {_CURE}")
    if not callable(job):
        raise ValueError(  # noqa: TRY004 - every refusal is told alike
            f"{job!r} cannot be called; give a function, not what it returns: leak_check(job), args=[…]"
        )
    owner = getattr(job, "__self__", None)
    if owner is not None and not isinstance(owner, type) and type(owner).__name__ != "module":
        whom = f"{type(owner).__name__}.{getattr(job, '__name__', '?')}"
        raise ValueError(
            f"{whom} is a bound method: importing that name does not give this object (a bound method?); "
            f"{_ELSEWHERE}; {_CURE}"
        )
    try:
        return importable_name(job)
    except ValueError as error:
        if isinstance(job, functools.partial):
            raise ValueError(f"functools.partial of {error}; {_ELSEWHERE}") from error  # noqa: TRY004 - as above
        raise ValueError(f"{error}; {_ELSEWHERE}") from error


def _is_fixture(job: object) -> bool:
    """Whether this is what ``@pytest.fixture`` makes: an object of its own, in older releases a marked function."""
    kind = type(job)
    return (kind.__module__.startswith("_pytest") and "Fixture" in kind.__name__) or hasattr(
        job, "_pytestfixturefunction"
    )


def _check_value(label: str, value: Any) -> None:
    """Raise ValueError for an argument that has no form on the wire, or another one there."""
    try:
        msgspec.msgpack.encode(value)
    except (TypeError, OverflowError, RecursionError, ValueError) as error:
        raise ValueError(
            f"{label} is of type {type(value).__name__}, which cannot be sent to the process that calls the function "
            f"({error}); give plain values (text, numbers, bytes, lists, dicts), or {_CURE}"
        ) from error
