"""The engine ``function``: runs an importable callable of the user's in the worker.

A job's options say what to call, in values msgpack can carry::

    {"target": "package.module:name", "args": [...], "kwargs": {...}}

``name`` may be dotted (``Class.method``). The module is found on the worker's ``sys.path``, to which the
parent's was appended. ``"file"`` names the file the module must come from, for callers that mean one function
and no other of its name; with ``"discard_result": true`` the value is dropped in the worker, whatever it is. With
``"repeat"`` the function is called many times, and what comes back is a reading
(:mod:`orchestrator_worker.engines.repeated_calls`). What comes back else:

* a plain function's value is the result, encoded here once, so that a value msgpack has no form for is named
  as the function's mistake and not as a broken pipe;
* a coroutine is run to its end with ``asyncio.run``;
* a generator's ``str`` items are emitted as chunks of text while it runs, its return value is the result.
  Between two items the job can be cancelled.

A function that wants to emit text or to stop early without being a generator calls :func:`current_emit`.
"""

from __future__ import annotations

import importlib
import importlib.util
import mmap
import os
import re
import sys
from collections.abc import Callable, Mapping
from types import CoroutineType, GeneratorType, ModuleType
from typing import Any

import msgspec

from orchestrator_worker.engines import search_path
from orchestrator_worker.engines.base import Emit, Engine, EngineError, JobCancelledError
from orchestrator_worker.engines.nearest import known_words
from orchestrator_worker.engines.options import read_options
from orchestrator_worker.engines.repeated_calls import Repeat, call_repeatedly
from orchestrator_worker.protocol import Job, ModelSpec
from orchestrator_worker.results import Plain
from orchestrator_worker.values import UnsendableError, packed, reader

_unpack = msgspec.msgpack.Decoder(tuple[list[Any], dict[str, Any]], ext_hook=reader(imports=True))
_NAME = r"[^\W\d]\w*"
_TARGET = re.compile(rf"(?P<module>{_NAME}(\.{_NAME})*):(?P<name>{_NAME}(\.{_NAME})*)")
ALLOWED_RESULTS = (
    "None, bool, int, float, complex, str, bytes, list, tuple, dict, set, date, time, Decimal, UUID, Path, Enum, "
    "dataclass, NumPy's numbers and arrays of them"
)


class Initializer(msgspec.Struct, frozen=True):
    """What is called once in each worker, before its first job; with arguments as a job has them."""

    target: str
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    values: bytes = b""


class FunctionOptions(msgspec.Struct, frozen=True):
    """The model's options: modules to import while loading, so that no job pays for it.

    ``initializer`` is called after them. ``path`` is the whole ``sys.path`` that modules are looked for on, in its
    order; empty: the parent's after ours.
    """

    preload: list[str] = []
    path: list[str] = []
    initializer: Initializer | None = None


class CallOptions(msgspec.Struct, frozen=True):
    """A job's options: what to call with what.

    ``values`` has positional and named arguments packed (:mod:`orchestrator_worker.values`), in the place of ``args``
    and ``kwargs``, where one of them is a value that msgpack has no form for. Where they are too large for a frame they
    are in sealed memory, and ``shared`` is its descriptor.
    """

    target: str
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    values: bytes = b""
    shared: int | None = None
    file: str | None = None
    discard_result: bool = False
    repeat: Repeat | None = None


class _NoEmit:
    """Stands in outside of a job: text goes nowhere, nothing is ever cancelled."""

    cancelled = False

    def __call__(self, text: str, *, final: bool = False, replaces: int = 0) -> None:
        pass


_NO_EMIT: Emit = _NoEmit()
_current_emit = _NO_EMIT


def current_emit() -> Emit:
    """Return the running job's :class:`~orchestrator_worker.engines.base.Emit`, for use inside the called function.

    ``current_emit()("text")`` sends a chunk; ``current_emit().cancelled`` is true once the job should stop,
    and then the function raises :class:`~orchestrator_worker.engines.base.JobCancelledError`. Outside of a worker's job
    (in a test, say) the answer swallows text and is never cancelled, so the function runs unchanged.
    """
    return _current_emit


class FunctionEngine(Engine):
    """Calls what the job names. Its model is the worker's Python itself: no file, nothing to restart."""

    name = "function"
    tasks = ("call",)
    summary = "runs an importable callable: package.module:name with arguments"
    aborts = True  # a generator at its next item, another function when it looks at current_emit()

    def __init__(self) -> None:
        """Start with no callable known."""
        self._callables: dict[str, Callable[..., Any]] = {}

    @classmethod
    def check(cls, model: ModelSpec) -> None:
        """Read the options; imports nothing."""
        read_options(model.options, FunctionOptions, "engine function")

    def load(self, model: ModelSpec) -> Mapping[str, Any]:
        """Import the modules of ``preload``."""
        options = read_options(model.options, FunctionOptions, "engine function")
        if options.path:
            search_path.take_over(options.path)
        for module in options.preload:
            _import_module(module)
        if (first := options.initializer) is not None:
            args, kwargs = _arguments(first)
            resolve(first.target)(*args, **kwargs)
        return {"preloaded": options.preload}

    def run(self, job: Job, emit: Emit) -> Plain:
        """Call the target. What it raises goes up as it is, with its traceback.

        Raises:
            EngineError: The target cannot be found or called, or its result cannot be carried.
            JobCancelledError: A generator was stopped between two items, or the function stopped itself.
        """
        global _current_emit  # noqa: PLW0603 - one job at a time in a worker
        call = read_options(job.options, CallOptions, "engine function: job")
        function = self._resolve(call)
        args, kwargs = _arguments(call)
        _current_emit = emit
        try:
            if call.repeat is not None:
                reading = call_repeatedly(function, args, kwargs, call.repeat)
                return Plain(_encode(reading, call.target))
            value = _finish(function(*args, **kwargs), call.target, emit)
        finally:
            _current_emit = _NO_EMIT
        return Plain(_encode(None if call.discard_result else value, call.target))

    def _resolve(self, call: CallOptions) -> Callable[..., Any]:
        target = call.target
        if target not in self._callables:
            function = resolve(target, call.file)
            if call.file is not None:
                _check_origin(target, call.file)
            self._callables[target] = function
        return self._callables[target]

    def unload(self) -> None:
        """Forget the callables; imported modules stay, as in any Python."""
        self._callables.clear()


def _arguments(call: CallOptions | Initializer) -> tuple[list[Any], dict[str, Any]]:
    shared = getattr(call, "shared", None)
    if not call.values and shared is None:
        return call.args, call.kwargs
    try:
        if shared is None:
            return _unpack.decode(call.values)
        return _unpack.decode(mmap.mmap(shared, 0, prot=mmap.PROT_READ))
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise EngineError(f"the arguments of {call.target} cannot be made here: {error}") from error


def resolve(target: str, file: str | None = None) -> Callable[..., Any]:
    """Import the callable that ``package.module:name`` names; from ``file`` where no module of that name is found.

    Raises:
        EngineError: Bad syntax, module or attribute missing (with the nearest), or not callable.
    """
    match = _TARGET.fullmatch(target)
    if match is None:
        raise EngineError(f"target {target!r} is not of the form 'package.module:name'")
    if match["module"] == "__main__":
        raise EngineError(f"target {target!r}: __main__ is the worker here; put the function into a module")
    found: Any = _import_module(match["module"], file)
    reached = match["module"]
    for part in match["name"].split("."):
        if not hasattr(found, part) and not _is_submodule(found, part):
            public = [name for name in dir(found) if not name.startswith("_")]
            raise EngineError(f"target {target!r}: {reached} has no {part!r} ({known_words(part, public)})")
        found = getattr(found, part)
        reached = f"{reached}.{part}"
    if not callable(found):
        raise EngineError(f"target {target!r} is {type(found).__name__}, which cannot be called")
    return found  # type: ignore[no-any-return]


def _is_submodule(package: Any, name: str) -> bool:
    """Import ``name`` of a package, which nobody may have done yet; False where it has none."""
    if not isinstance(package, ModuleType) or not hasattr(package, "__path__"):
        return False
    module = f"{package.__name__}.{name}"
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module:
            return False
        raise
    return hasattr(package, name)


def _import_module(module: str, file: str | None = None) -> Any:
    """Import ``module``; an exception of the module's own code goes up as it is."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module == missing or module.startswith(f"{missing}."):
            if file is not None and (spec := importlib.util.spec_from_file_location(module, file)):
                loaded = sys.modules[module] = importlib.util.module_from_spec(spec)
                assert spec.loader is not None
                spec.loader.exec_module(loaded)
                return loaded
            raise EngineError(
                f"module {module!r} was not found: no {missing!r} on the worker's sys.path, "
                "which ends with the parent's; make it importable there (install it, or set PYTHONPATH)"
            ) from error
        raise EngineError(
            f"module {module!r} was found, but it imports {missing!r}, which is missing"
        ) from error


def _check_origin(target: str, file: str) -> None:
    """See that the imported module of ``target`` is the one in ``file``; modules of one name may lie in many places."""
    module = target.partition(":")[0]
    found = getattr(sys.modules[module], "__file__", None)
    if found is None or not os.path.exists(file) or not os.path.samefile(found, file):
        raise EngineError(
            f"module {module!r} is {found} in the worker, and not {file}: two modules have that name on sys.path; "
            "rename one, or make its folder a package"
        )


def _finish(value: Any, target: str, emit: Emit) -> Any:
    """Run a coroutine or a generator to its end; anything else is the value already."""
    if isinstance(value, CoroutineType):
        import asyncio

        return asyncio.run(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, GeneratorType):
        return _drain(value, target, emit)  # pyright: ignore[reportUnknownArgumentType]
    return value  # pyright: ignore[reportUnknownVariableType]


def _drain(generator: GeneratorType[Any, None, Any], target: str, emit: Emit) -> Any:
    """Emit every item; return the generator's own return value."""
    try:
        while True:
            if emit.cancelled:
                raise JobCancelledError(f"{target} was cancelled between two items")
            item = next(generator)
            if not isinstance(item, str):
                raise EngineError(
                    f"{target} yielded {type(item).__name__}; a generator yields str, piece by piece"
                )
            emit(item)
    except StopIteration as stop:
        return stop.value
    finally:
        generator.close()


def _encode(value: Any, target: str) -> msgspec.Raw:
    """Encode the result once; the reply carries these bytes as they are."""
    try:
        return msgspec.Raw(packed(value))
    except UnsendableError as error:
        raise EngineError(
            f"{target} returned {type(value).__name__}, which cannot be sent back: {error.place('the result')}; "
            f"allowed, also nested: {ALLOWED_RESULTS}"
        ) from error
    except (TypeError, OverflowError, RecursionError, ValueError) as error:
        raise EngineError(
            f"{target} returned {type(value).__name__}, which cannot be sent back: {error}; "
            f"allowed, also nested: {ALLOWED_RESULTS}"
        ) from error
