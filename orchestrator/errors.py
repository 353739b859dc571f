"""Every exception of the package.

Facts are attributes, the text is made from them: what happened, to whom, the decoded cause, what to do next.
A leak is a verdict, not an exception. Errors whose facts are only known further up (slot, generation) carry
them as keyword arguments with defaults.
"""

from __future__ import annotations

import concurrent.futures
import errno
from collections.abc import Callable, Sequence
from typing import Literal

from orchestrator.stderr_lines import telling_lines

SHORTAGES = frozenset(
    (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.ENOBUFS)
)
"""What the system says when it has no more of something for now: descriptors, processes, memory, disk."""


def reason_of(error: OSError | ValueError) -> str:
    """Return why a file cannot be opened, in the same words in every Python; a ValueError comes of its name."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "its name has a NUL character" if "embedded null" in str(error) else str(error)


class OrchestratorError(Exception):
    """Base of all errors this package raises on purpose. They can be pickled and copied, with all their facts."""

    def __reduce__(self) -> tuple[Callable[..., OrchestratorError], tuple[object, ...]]:
        # The default would call the class with the finished text alone, and most take the facts instead.
        return _made_again, (type(self), self.args, dict(vars(self)))


def _made_again(
    kind: type[OrchestratorError], args: tuple[object, ...], facts: dict[str, object]
) -> OrchestratorError:
    error = kind.__new__(kind)
    error.args = args
    vars(error).update(facts)
    if isinstance(error, JobError) and error.remote_traceback:
        error.__cause__ = RemoteTraceback(error.remote_traceback)  # neither pickle nor copy keeps a cause
    return error


class ConfigProblem:
    """One thing wrong in a configuration file: where, what was found, and in ``hint`` what may stand there."""

    def __init__(self, key_path: str, problem: str, hint: str = "") -> None:
        self.key_path = key_path
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        where = "" if self.of_the_file else f"{self.key_path}: "
        return f"{where}{self.problem}" + (f" ({self.hint})" if self.hint else "")

    @property
    def of_the_file(self) -> bool:
        """Whether it is about the file as a whole, so that no key of it is to blame."""
        return self.key_path == "$"

    def __repr__(self) -> str:
        return f"ConfigProblem({self!s})"


class ConfigError(OrchestratorError):
    """A configuration cannot be used. ``problems`` has all that is wrong with it, not only the first."""

    def __init__(self, file: str, problems: Sequence[ConfigProblem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        super().__init__(self._words())

    def _words(self) -> str:
        if len(self.problems) == 1 and self.problems[0].of_the_file:
            return f"{self.file}: {self.problems[0]}"
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return "\n".join([f"{self.file}: {count}", *(f"  {problem}" for problem in self.problems)])

    @property
    def key_path(self) -> str:
        """Where the first problem is, as ``$.experiment[1].steps[0].model``."""
        return self.problems[0].key_path


class EngineUnavailableError(OrchestratorError):
    """A library, its weights, a model file or a tool is missing."""

    def __init__(self, what: str, how_to_get_it: str) -> None:
        self.what = what
        self.how_to_get_it = how_to_get_it
        super().__init__(f"{what}\n  to get it: {how_to_get_it}" if how_to_get_it else what)


class InterpreterError(EngineUnavailableError):
    """No Python interpreter can run the workers. ``what`` says which one was tried and why it cannot."""

    def __init__(self, what: str, how_to_get_it: str) -> None:
        super().__init__(what, how_to_get_it)
        self.args = (f"{what}; {how_to_get_it}",)


class SandboxUnavailableError(EngineUnavailableError):
    """This system cannot confine a worker as its model asks. ``what`` says why."""

    def __init__(self, what: str, how_to_get_it: str) -> None:
        super().__init__(what, how_to_get_it)
        self.args = (f"{what}; {how_to_get_it}",)


class UnsupportedHostError(OrchestratorError, RuntimeError):
    """This process or task is run in a way that pools do not support; says what is supported instead."""


class AudioError(OrchestratorError):
    """An audio file cannot be used. ``path`` is as the caller gave it, ``hint`` what makes it usable."""

    def __init__(self, path: str, problem: str, hint: str = "") -> None:
        self.path = path
        self.problem = problem
        self.hint = hint
        super().__init__(f"{path}: {problem}" + (f"; {hint}" if hint else ""))


class AudioTooLongError(AudioError):
    """A recording is longer than whoever decodes it allows: ``longest_s`` seconds."""

    def __init__(self, path: str, longest_s: float) -> None:
        self.longest_s = longest_s
        longest = f"{longest_s / 3600:g} hours" if longest_s >= 7200 else f"{longest_s:g} s"
        super().__init__(
            path,
            f"holds, or claims to hold, more than {longest}",
            "cut it into pieces (ffmpeg -i FILE -f segment …)",
        )


class NotDecodedError(AudioError):
    """A recording could not be decoded here and now, and is not at fault: it can be tried again as it is.

    ``shortage`` is what was missing: ``ffmpeg``, room on the ``disk``, or something else of the ``system``
    (descriptors, memory, processes).
    """

    def __init__(
        self, path: str, problem: str, hint: str = "", *, shortage: Literal["ffmpeg", "disk", "system"]
    ) -> None:
        self.shortage: Literal["ffmpeg", "disk", "system"] = shortage
        super().__init__(path, problem, hint)


class ResultsError(OrchestratorError):
    """Results cannot be written or read; names the file and what to do."""


class ResultsLockedError(ResultsError):
    """Another run writes to the same results folder."""

    def __init__(self, folder: str, owner: str, elsewhere: str = "--results DIR") -> None:
        self.folder = folder
        self.owner = owner
        super().__init__(f"{folder} is in use by another run ({owner}); wait for it or choose {elsewhere}")


class WorkerError(OrchestratorError):
    """Something about one worker process."""

    def __init__(self, message: str, *, slot: int = 0, generation: int = 1, pid: int | None = None) -> None:
        self.slot = slot
        self.generation = generation
        self.pid = pid
        whom = f"worker {slot} generation {generation}" + (f" (pid {pid})" if pid else "")
        super().__init__(f"{whom}: {message}")


class SpawnError(WorkerError):
    """A worker process could not be started or did not complete its handshake."""


class HostShortageError(SpawnError):
    """The system has no descriptors, processes, memory or disk left for one more worker. No model is to blame."""


class WorkerDiedError(WorkerError, concurrent.futures.BrokenExecutor):
    """A worker process ended while something was expected of it.

    It is a ``BrokenExecutor``, which is what code written for the standard executors catches; a pool goes on, though.

    ``cause`` is the decoded exit status (``SIGABRT``, ``exit code 3`` …), ``phase`` what it was doing and
    ``stderr_tail`` the end of what it printed, at most 64 KiB.
    """

    def __init__(
        self,
        cause: str,
        *,
        exit_status: int | None = None,
        phase: str = "",
        stderr_tail: str = "",
        slot: int = 0,
        generation: int = 1,
        pid: int | None = None,
    ) -> None:
        self.cause = cause
        self.exit_status = exit_status
        self.phase = phase
        self.stderr_tail = stderr_tail
        text = f"died of {cause}" + (f" during {phase}" if phase else "")
        if last := telling_lines(stderr_tail, 5):
            text += "; its last output:\n" + "\n".join(f"    {line}" for line in last)
        super().__init__(text, slot=slot, generation=generation, pid=pid)


class NodeDiedError(WorkerDiedError):
    """A node of a cluster was lost with a job on it. ``node`` is its name, ``cause`` what is known of the loss."""

    def __init__(self, node: str, cause: str, *, phase: str = "run") -> None:
        self.node = node
        super().__init__(cause, phase=phase, slot=-1, generation=0)
        self.args = (f"node {node} was lost during {phase}: {cause}",)


class ProtocolError(WorkerError):
    """A worker sent bytes that are no message, or a message out of turn. ``raw_excerpt`` has the first bytes."""

    def __init__(
        self,
        problem: str,
        raw_excerpt: bytes = b"",
        *,
        slot: int = 0,
        generation: int = 1,
        pid: int | None = None,
    ) -> None:
        self.problem = problem
        self.raw_excerpt = raw_excerpt
        super().__init__(f"protocol broken: {problem}", slot=slot, generation=generation, pid=pid)


class JobTimeoutError(WorkerError, TimeoutError):
    """A job was not done in its time. ``where`` is ``run`` or ``queue``."""

    def __init__(
        self,
        limit_s: float,
        where: Literal["queue", "run"] = "run",
        *,
        slot: int = 0,
        generation: int = 1,
        pid: int | None = None,
    ) -> None:
        self.limit_s = limit_s
        self.where = where
        text = f"no result within {limit_s:g} s" if where == "run" else f"not started within {limit_s:g} s"
        super().__init__(text, slot=slot, generation=generation, pid=pid)


class JobCancelledError(WorkerError, concurrent.futures.CancelledError):
    """A job was cancelled."""


class RemoteTraceback(Exception):  # noqa: N818 - printed tracebacks show the name
    """The cause of a :class:`JobError`: its text is the traceback in the worker, so that a printed error shows both."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f'\n"""\n{text.rstrip()}\n"""')


class JobError(OrchestratorError):
    """The engine raised. The remote exception is described, never unpickled; its traceback is ``__cause__``.

    ``type_name`` is the name of its type, ``message`` its text, and ``arguments`` what it was made with, where that is
    plain: text, numbers, bytes and None. ``module`` is where its type is from.
    """

    module: str = ""
    arguments: tuple[object, ...] | None = None

    def __init__(self, type_name: str, message: str, remote_traceback: str = "") -> None:
        self.type_name = type_name
        self.message = message
        self.remote_traceback = remote_traceback
        super().__init__(f"{type_name}: {message}")
        if remote_traceback:
            self.__cause__ = RemoteTraceback(remote_traceback)


class Attempt:
    """One attempt of a job that ended with its worker's death: evidence in a :class:`JobPoisonedError`.

    ``cause`` is the decoded death (``SIGSEGV``, ``exit code 3`` …), ``reason`` the exit reason it was counted
    under, ``run_s`` the seconds from the job's start to the death, ``stderr_tail`` what the worker printed last.
    """

    def __init__(
        self,
        number: int,
        *,
        cause: str,
        reason: str,
        run_s: float,
        stderr_tail: str,
        slot: int,
        generation: int,
        pid: int | None,
    ) -> None:
        self.number = number
        self.cause = cause
        self.reason = reason
        self.run_s = run_s
        self.stderr_tail = stderr_tail
        self.slot = slot
        self.generation = generation
        self.pid = pid

    def __str__(self) -> str:
        whom = f"worker {self.slot} generation {self.generation} (pid {self.pid})"
        return f"attempt {self.number}: {whom} died of {self.cause} after {self.run_s:.3g} s"

    def __repr__(self) -> str:
        return f"Attempt({self!s})"


class JobPoisonedError(WorkerError, concurrent.futures.BrokenExecutor):
    """Every attempt of a job ended with its worker's death. ``attempts`` has the evidence, oldest first."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        self.attempts = tuple(attempts)
        last = self.attempts[-1]
        text = "\n".join(
            [f"the job killed {len(self.attempts)} workers", *(f"  {one}" for one in self.attempts)]
        )
        super().__init__(text, slot=last.slot, generation=last.generation, pid=last.pid)


class PoolClosedError(OrchestratorError):
    """The pool takes no more jobs: it was closed or stopped, or it broke (then ``__cause__`` says of what)."""


class ForkedPoolError(PoolClosedError):
    """A pool was used in a forked copy of the process that made it. Its workers belong to the original."""

    def __init__(self, owner_pid: int) -> None:
        self.owner_pid = owner_pid
        super().__init__(
            f"this pool belongs to process {owner_pid}; a forked copy cannot use it: make a new Pool after the fork"
        )


class QueueFullError(OrchestratorError):
    """As many jobs wait as the pool takes, or as many hold audio in memory. ``max_queue`` is that number.

    ``waited_s`` is how long the caller waited for a place; None: it did not.
    """

    def __init__(
        self,
        max_queue: int,
        what: str = "jobs wait",
        *,
        waited_s: float | None = None,
        hint: str = "submit with block=True to wait for a place, or raise max_queue",
    ) -> None:
        self.max_queue = max_queue
        self.waited_s = waited_s
        waited = "" if waited_s is None else f", and none of them made room within {waited_s:g} s"
        super().__init__(f"{max_queue} {what}, and that is all this pool takes{waited}; {hint}")


class ModelOutOfUseError(OrchestratorError, concurrent.futures.BrokenExecutor):
    """A model was taken out of the pool's use. ``evidence`` has what was seen at each failed start."""

    def __init__(self, model: str, why: str, evidence: Sequence[str] = ()) -> None:
        self.model = model
        self.why = why
        self.evidence = tuple(evidence)
        seen = [f"  {line}" for text in self.evidence for line in text.splitlines()]
        super().__init__("\n".join([f"model {model!r} is out of use: {why}", *seen]))
