"""The contract between the worker and an engine.

An engine adapts one native library. It lives in a worker process, is created when its model is loaded and
thrown away when that is unloaded; one job runs at a time, on the main thread. It may print, leak and crash:
the process is there for that. It imports its library inside ``load`` (or in ``check``), never at module level,
so that listing engines costs nothing.

Third parties subclass :class:`Engine` and register the class under the entry-point group
``orchestrator.engines``; ``examples/`` has a complete one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from orchestrator_worker.protocol import Job, ModelSpec, Unloading
from orchestrator_worker.results import Result

ENTRY_POINT_GROUP = "orchestrator.engines"


class EngineError(Exception):
    """Something the engine refuses or cannot do, in plain words. Other exceptions are reported with a traceback."""


class EngineUnavailableError(EngineError):
    """The library, its weights or a file it needs are not there; ``how_to_get_it`` is a command or a sentence."""

    def __init__(self, what: str, how_to_get_it: str) -> None:
        """Keep both parts: the parent shows ``what`` and then ``how_to_get_it``."""
        super().__init__(what)
        self.what = what
        self.how_to_get_it = how_to_get_it


class JobCancelledError(EngineError):
    """Raised by an engine that gave up its job because ``emit.cancelled`` turned true."""


class Emit(Protocol):
    """What an engine calls while it runs: one call a piece of text, as the text comes.

    The times of the first and last call with text are stamped here, inside the call. Calling it from a
    native callback is safe: it never raises.
    """

    def __call__(self, text: str, *, final: bool = False, replaces: int = 0) -> None:
        """Hand over a chunk; ``replaces`` withdraws so many characters sent before."""

    @property
    def cancelled(self) -> bool:
        """True once the parent has asked this job to stop. Looking costs one ``poll``."""
        ...


class Engine(ABC):
    """One loaded model. Subclasses may also define ``restart`` and ``memory_estimate``."""

    name: ClassVar[str]
    """As written in experiments.toml."""
    tasks: ClassVar[tuple[str, ...]]
    """The tasks it offers, ``asr`` and ``align`` being the well-known ones."""
    summary: ClassVar[str] = ""
    """One line for ``orchestrator engines``."""
    aborts: ClassVar[bool] = False
    """True when a running job looks at ``emit.cancelled`` and stops early."""

    @abstractmethod
    def load(self, model: ModelSpec) -> Mapping[str, Any]:
        """Load the model; return facts worth recording (library version, threads really used …).

        Raises:
            EngineUnavailableError: Library or weights are missing.
            EngineError: The options make no sense; the message names the option and what is allowed.
        """

    @abstractmethod
    def run(self, job: Job, emit: Emit) -> Result:
        """Do one job, blocking. Text goes to ``emit`` as it comes, the whole is returned.

        Raises:
            EngineError: The input cannot be worked on.
            JobCancelledError: Given up on request.
        """

    @abstractmethod
    def unload(self) -> None:
        """Give everything back that the library lets one give back."""

    def restart(self) -> None:
        """Reset the context and keep the model. Overridden by engines that have such a call.

        An engine that does not override it runs the method ``restart`` as ``reuse``, and the results say so.
        """
        raise EngineError(f"engine {self.name} has no restart")

    def abandon(self) -> None:
        """Leave the model where it is, undestroyed, so that another can be loaded in this process.

        Overridden by engines whose library may not live through :meth:`unload`; what stays is a leak, and measured.
        """
        raise EngineError(f"engine {self.name} cannot leave a model undestroyed")

    @classmethod
    def unloading(cls, model: ModelSpec) -> Unloading:  # noqa: ARG003 - engines that have a choice use it
        """Return how the model is to be unloaded; ``abandon`` and ``try`` need an :meth:`abandon`."""
        return "destroy"

    @classmethod
    def check(cls, model: ModelSpec) -> None:
        """Look, without loading, whether ``load`` could work. Raises as ``load`` does."""
        del model  # an engine that needs nothing has nothing to look at

    @classmethod
    def may_fork(cls, model: ModelSpec) -> bool:  # noqa: ARG003 - engines that have a choice use it
        """Return whether a process that has loaded the model, and run nothing yet, may be forked.

        Overridden by engines whose library has no thread after :meth:`load` and is the same in a copy. Workers can
        then be started warm; a template looks for threads, connections and devices all the same.
        """
        return False

    @classmethod
    def memory_estimate(cls, model: ModelSpec) -> int | None:  # noqa: ARG003 - engines that know use it
        """Bytes the loaded model will need, a first guess; None when the engine cannot tell."""
        return None


def forks(engine: type[Engine]) -> bool:
    """Whether the engine says of any model that it may be forked."""
    return any("may_fork" in vars(each) for each in engine.__mro__ if each is not Engine)


def restarts(engine: type[Engine]) -> bool:
    """Whether the engine has a ``restart`` of its own."""
    return engine.restart is not Engine.restart
