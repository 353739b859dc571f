"""Find engines by name: the built-in table first, then third parties' entry points.

An engine's module is imported only when the engine is asked for, or when all are listed. Looking at entry
points means reading the metadata of every installed package, so ``importlib.metadata`` is imported only for
a name that is not built in: a worker that runs a built-in engine never pays for it.

Whatever an engine does while it is imported (raise, ``sys.exit``, a syntax error) becomes a sentence about
that engine and leaves the others alone. What ends the process cannot be caught here; the parent sees that.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator_worker.engines.base import (
    ENTRY_POINT_GROUP,
    Engine,
    EngineUnavailableError,
    forks,
    restarts,
)
from orchestrator_worker.engines.nearest import known_words
from orchestrator_worker.protocol import EngineInfo

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

BUILT_IN = {
    "chatllm": "orchestrator_worker.engines.chatllm.engine:ChatllmEngine",
    "moonshine": "orchestrator_worker.engines.moonshine:MoonshineEngine",
    "pocketsphinx": "orchestrator_worker.engines.pocketsphinx:PocketsphinxEngine",
    "faster-whisper": "orchestrator_worker.engines.faster_whisper:FasterWhisperEngine",
    "synthetic": "orchestrator_worker.engines.synthetic.engine:SyntheticEngine",
    "synthetic-restart": "orchestrator_worker.engines.synthetic.engine:SyntheticRestartEngine",
    "function": "orchestrator_worker.engines.function:FunctionEngine",
}
"""Name as in experiments.toml to ``module:Class``."""


def find(name: str) -> type[Engine]:
    """Import the engine called ``name`` and return its class. A built-in wins over an entry point.

    Raises:
        EngineUnavailableError: The name is unknown (the message has the nearest), its module cannot be
            imported (the message has the original error), or what it names is no usable engine.
    """
    if name in BUILT_IN:
        return _import_engine(name, BUILT_IN[name])
    points, unreadable = _entry_points()
    for point in points:
        if point.name == name:
            return _import_engine(name, point.value)
    what = f"unknown engine {name!r} ({known_words(name, {*BUILT_IN, *(point.name for point in points)})})"
    for package, problem in unreadable.items():
        what += f"; package {package} might offer it, but {problem}"
    raise EngineUnavailableError(
        what,
        f"correct the name, or install the package that offers it (entry-point group {ENTRY_POINT_GROUP!r})",
    )


def list_all() -> list[EngineInfo]:
    """Import every known engine and describe it; one that cannot be used is listed with its error.

    Built-in engines come first, in the table's order, then third parties' by name. An entry point whose name
    is already taken is listed with a note in ``error`` and is not imported.
    """
    built_in = [_describe(name, target, "built-in") for name, target in BUILT_IN.items()]
    return [*built_in, *_list_third_party()]


def _list_third_party() -> Iterator[EngineInfo]:
    points, unreadable = _entry_points()
    owners = dict.fromkeys(BUILT_IN, "the built-in engine")
    for point in points:
        source = _source(point)
        if point.name in owners:
            note = f"not used: the name {point.name!r} belongs to {owners[point.name]}"
            yield EngineInfo(name=point.name, source=source, error=note)
        else:
            owners[point.name] = source
            yield _describe(point.name, point.value, source)
    for package, problem in unreadable.items():
        yield EngineInfo(name=f"({package})", source=package, error=problem)


def _entry_points() -> tuple[list[EntryPoint], dict[str, str]]:
    """Return the group's entry points by name, and what is wrong with packages that cannot be read.

    Package by package, because ``importlib.metadata.entry_points`` fails as a whole for one that is broken.
    Of two versions of a package, and of two points with one name, the first on ``sys.path`` comes first.
    """
    from importlib.metadata import distributions

    points: dict[str, list[EntryPoint]] = {}
    unreadable: dict[str, str] = {}
    for number, package in enumerate(distributions(), 1):
        label = f"(nameless {number})"
        try:
            label = package.name or label
            if label not in points:
                points[label] = list(package.entry_points.select(group=ENTRY_POINT_GROUP))
        except Exception as error:
            unreadable[label] = f"its metadata cannot be read: {_words(error)}"
    return sorted(itertools.chain(*points.values()), key=lambda point: point.name), unreadable


def _source(point: EntryPoint) -> str:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown package"
    return f"{package} ({point.value})"


def _describe(name: str, target: str, source: str) -> EngineInfo:
    try:
        engine = _import_engine(name, target)
    except EngineUnavailableError as error:
        return EngineInfo(name=name, source=source, error=error.what)
    return EngineInfo(
        name=name,
        source=source,
        tasks=list(engine.tasks),
        restarts=restarts(engine),
        forks=forks(engine),
        aborts=bool(engine.aborts),
        summary=str(engine.summary),
    )


def _import_engine(name: str, target: str) -> type[Engine]:
    """Import ``module:Class`` and make sure that it is an engine of that name."""
    module_name, _, class_name = target.partition(":")
    try:
        found: object = importlib.import_module(module_name)
        for part in class_name.split("."):
            found = getattr(found, part)
    except BaseException as error:  # SystemExit too: an import must not end the worker
        raise EngineUnavailableError(
            f"engine {name!r}: importing {target} failed: {_words(error)}",
            f"install or repair the package that offers {module_name}",
        ) from error
    if problem := _problem(name, found):
        raise EngineUnavailableError(
            f"engine {name!r}: {target} {problem}",
            "see orchestrator_worker/engines/base.py for what an engine must have",
        )
    assert isinstance(found, type)
    assert issubclass(found, Engine)
    return found


def _problem(name: str, found: object) -> str | None:
    """Say what keeps ``found`` from being the engine ``name``; None when nothing does."""
    if not isinstance(found, type) or not issubclass(found, Engine):
        return "is no subclass of orchestrator_worker.engines.base.Engine"
    own_name: object = getattr(found, "name", None)
    if own_name != name:
        return f"must have name = {name!r}, as its entry point; it has {own_name!r}"
    tasks: object = getattr(found, "tasks", None)
    if not isinstance(tasks, tuple) or not tasks or not all(isinstance(task, str) for task in tasks):  # pyright: ignore[reportUnknownVariableType]
        return f"must have tasks = ('asr', …), a tuple of one or more names; it has {tasks!r}"
    if missing := sorted(getattr(found, "__abstractmethods__", ())):
        return f"lacks {', '.join(missing)}"
    return None


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
