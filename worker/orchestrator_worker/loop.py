"""Receive a command, carry it out, reply: the whole life of a worker.

One command at a time, on the main thread. What an engine raises becomes a ``Failed`` reply; what kills the
process is seen by the parent. The loop holds the engine object and nothing else of a job after its reply.
"""

from __future__ import annotations

import gc
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Literal, NoReturn, TypeVar, cast

import msgspec

from orchestrator_worker import __version__, lifeline
from orchestrator_worker.emitter import Emitter
from orchestrator_worker.engines.base import Engine, EngineUnavailableError, JobCancelledError, restarts
from orchestrator_worker.exception_text import missing_variable, module_of, name_of, text_of, traceback_of
from orchestrator_worker.framing import LARGEST_INLINE, FramingError
from orchestrator_worker.pipe import Pipe, leave
from orchestrator_worker.protocol import (
    PROTOCOL_EXIT_CODE,
    PROTOCOL_VERSION,
    SANDBOX_EXIT_CODE,
    Cancel,
    Check,
    Checked,
    Command,
    Configure,
    Done,
    Engines,
    Failed,
    Heap,
    Hello,
    ListEngines,
    Load,
    Loaded,
    Message,
    Ready,
    Restart,
    Restarted,
    Run,
    Sandbox,
    Shutdown,
    Trace,
    Traced,
    Trim,
    Trimmed,
    Unload,
    Unloaded,
)
from orchestrator_worker.results import Alignment, Plain, Transcript, pack_result
from orchestrator_worker.values import plain_arguments

if TYPE_CHECKING:
    from orchestrator_worker.sandbox.confinement import Confinement
    from orchestrator_worker.template import Held
    from orchestrator_worker.tracing.marks import Tracing

AnyCommand = TypeVar("AnyCommand", Run, Load | Restart | Unload | Trim | Trace | Check | ListEngines)
CAPABILITIES = [
    "load",
    "run",
    "stream",
    "cancel",
    "restart",
    "heap",
    "trim",
    "trace",
    "check",
    "list-engines",
]
EXIT_CODE_DONE = 0
FORK_FAILED_EXIT_CODE = 1
"""Of a process that a job has forked and that came back with an exception; 0 when it came back without."""
SHORT_RUN_S = 0.002
"""After a job that took less, the next is worth waiting for awake."""
_current: Pipe | None = None


class Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """The command makes no sense in the worker's present state."""


def protocol_out_fd() -> int:
    """Return the descriptor replies are written on. For fault injection only."""
    assert _current is not None
    return _current.replies_fd


def serve(
    commands_fd: int,
    replies_fd: int,
    lifeline_fd: int,
    passing_fd: int = -1,
    *,
    held: Held | None = None,
) -> NoReturn:
    """Shake hands, then answer commands until ``Shutdown``. Does not return.

    ``held`` is the model with which this process was forked. Until the handshake is over there is one thread: it may
    have to be confined.
    """
    global _current  # noqa: PLW0603 - one worker a process, by definition
    _reset_signals()
    pipe = _current = Pipe(commands_fd, replies_fd, passing_fd=passing_fd)
    os.register_at_fork(after_in_child=pipe.close_in_a_fork)
    pipe.send(Hello(PROTOCOL_VERSION, __version__, os.getpid(), sys.version.split()[0], CAPABILITIES))
    configure = pipe.receive()
    if not isinstance(configure, Configure) or configure.protocol != PROTOCOL_VERSION:
        print(
            f"worker: expected Configure with protocol {PROTOCOL_VERSION}, got {configure!r}", file=sys.stderr
        )
        leave(PROTOCOL_EXIT_CODE)
    sys.path.extend(entry for entry in configure.sys_path if entry not in sys.path)
    os.environ.update(configure.environ)
    confinement = _confine(configure.sandbox, forked=held is not None)
    lifeline.watch(lifeline_fd)
    if configure.beat_s is not None:
        threading.Thread(target=_beat, args=(configure.beat_s,), name="beat", daemon=True).start()
    worker = Worker(pipe, heap=configure.heap, linger=configure.linger, held=held)
    worker.most_shared = configure.most_shared
    if confinement is not None:
        worker.confinement = confinement
        pipe.passing()  # loaded now, because a job's memory is measured
    pipe.send(Ready(worker.read_heap()))
    while True:
        worker.answer(pipe.receive())


def _confine(sandbox: Sandbox | None, *, forked: bool = False) -> Confinement | None:
    """Confine this process, if it is to be; one that cannot be goes no further.

    ``forked``: from a template, which is confined too.
    """
    if sandbox is None:
        prepared = sys.modules.get("orchestrator_worker.sandbox.confinement")
        if prepared is not None:
            prepared.let_go()  # of what a fork server has made for those that confine themselves
        return None
    from orchestrator_worker.sandbox.confinement import Confinement
    from orchestrator_worker.sandbox.kernel import SandboxError

    try:
        return Confinement(sandbox, forked=forked)
    except SandboxError as error:
        print(f"worker: {error}", file=sys.stderr)
        leave(SANDBOX_EXIT_CODE)


def _with_passed(command: Run, descriptor: int) -> Run:
    """Return the Run with a descriptor of this process in the place of what was passed by it."""
    job = command.job
    if job.audio is None:
        job = msgspec.structs.replace(job, options={**job.options, "shared": descriptor})
    else:
        from orchestrator_worker.audio import passed_path

        job = msgspec.structs.replace(
            job, audio=msgspec.structs.replace(job.audio, path=passed_path(descriptor))
        )
    return msgspec.structs.replace(command, job=job)


def _beat(pause_s: float) -> None:
    """Wake up now and then: the kernel counts it, and the parent reads that count (``orchestrator.process.pulse``)."""
    while True:
        time.sleep(pause_s)


def _reset_signals() -> None:
    """Undo what was inherited: a terminal's Ctrl-C is the parent's business, SIGTERM must end us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


class Worker:
    """The state of one worker: at most one engine with its model."""

    def __init__(self, pipe: Pipe, *, heap: bool, linger: bool, held: Held | None = None) -> None:
        self._pipe = pipe
        self._held = held
        self._heap = heap
        # Where the heap is asked for, memory is read between two jobs: nothing must stir.
        self._lingers = linger and not heap
        self._engine: Engine | None = None
        self._context_used = False
        self._last_run_s = math.inf
        self.confinement: Confinement | None = None
        self.most_shared = 0
        """Bytes that a result may have in shared memory."""
        self._tracing: Tracing | None = None

    def read_heap(self) -> Heap | None:
        """Return the allocator's own view, or None when that is switched off."""
        if not self._heap:
            return None
        from orchestrator_worker import allocator

        return allocator.read_heap()

    def answer(self, command: Command) -> None:
        """Carry out one command and send its reply."""
        if self._tracing is not None:
            self._tracing.mark(type(command).__name__)
        if isinstance(command, Run):
            self._reply(self._run, command)
            if self._lingers and self._last_run_s < SHORT_RUN_S:
                self._pipe.linger()
        elif isinstance(command, Shutdown):
            leave(EXIT_CODE_DONE)
        elif isinstance(command, Configure):
            print("worker: a second Configure", file=sys.stderr)
            leave(PROTOCOL_EXIT_CODE)
        elif not isinstance(command, Cancel):  # of one the job was already done
            self._reply(self._carry_out, command)

    def _reply(self, carry_out: Callable[[AnyCommand], Message], command: AnyCommand) -> None:
        try:
            reply = carry_out(command)
            self._pipe.end_a_fork()
            self._pipe.send(reply)
        except BaseException as error:
            self._pipe.end_a_fork(FORK_FAILED_EXIT_CODE)
            self._pipe.send(self._failed(command.id, error))

    def _carry_out(self, command: Load | Restart | Unload | Trim | Trace | Check | ListEngines) -> Message:
        match command:
            case Load():
                return self._load(command)
            case Restart():
                return self._restart(command)
            case Unload():
                return self._unload(command)
            case Trim():
                return self._trim(command)
            case Trace():
                return self._trace(command)
            case Check():
                return self._check(command)
            case ListEngines():
                from orchestrator_worker.engines import registry

                return Engines(command.id, registry.list_all())

    def _load(self, command: Load) -> Loaded:
        if self._engine is not None:
            raise Refused("a model is already loaded; one at a time")
        from orchestrator_worker.engines import registry

        started = perf_counter()
        held, self._held = self._held, None
        if held is not None and held.spec == command.model:
            engine, facts = held.engine, dict(held.facts)
        else:
            held = None  # of another model: its memory is free before this one's is taken
            engine = registry.find(command.model.engine)()
            facts = dict(engine.load(command.model))
        seconds = perf_counter() - started
        self._engine = engine
        self._context_used = False
        return Loaded(command.id, seconds, list(engine.tasks), facts, self.read_heap())

    def _run(self, command: Run) -> Done:
        brings_audio = self.confinement is not None and command.job.audio is not None
        if not (brings_audio or command.job.shared):
            return self._run_job(command)
        descriptor = self._pipe.passing().take(command.id)
        try:
            return self._run_job(_with_passed(command, descriptor))
        finally:
            os.close(descriptor)

    def _run_job(self, command: Run) -> Done:
        self._last_run_s = math.inf
        engine = self._loaded()
        if command.job.task not in engine.tasks:
            offered = ", ".join(engine.tasks)
            raise Refused(f"engine {engine.name} has no task {command.job.task!r}; it offers {offered}")
        if command.job.fresh and self._context_used and restarts(type(engine)):
            engine.restart()
        self._context_used = True
        emit = Emitter(self._pipe, command.id, stream=command.stream)
        try:
            result = cast("object", engine.run(command.job, emit))  # a third party's may be anything
        finally:
            emit.close()
        if not isinstance(result, Transcript | Alignment | Plain):
            raise TypeError(f"engine {engine.name} returned {type(result).__name__}, not a Result")
        if not isinstance(result, Plain) and (result.words or isinstance(result, Alignment)):
            from orchestrator_worker.whole_times import has_whole_times, with_whole_times

            result = result if has_whole_times(result) else with_whole_times(result)
        seconds, times = emit.finish(answered=not isinstance(result, Transcript) or bool(result.text))
        self._last_run_s = seconds
        if self.most_shared and isinstance(result, Plain) and type(result.value) is msgspec.Raw:
            packed = memoryview(result.value)  # a function's value, which its engine has packed already
            if packed.nbytes > LARGEST_INLINE:
                from orchestrator_worker.sharing.large_result import pass_result

                shared = pass_result(self._pipe, command.id, packed, self.most_shared)
                return Done(command.id, "plain", b"", seconds, times, self.read_heap(), shared)
        return Done(command.id, *pack_result(result), seconds, times, self.read_heap())

    def _restart(self, command: Restart) -> Restarted:
        engine = self._loaded()
        reset: Literal["restart", "none"] = "restart" if restarts(type(engine)) else "none"
        started = perf_counter()
        if reset == "restart":
            engine.restart()
            self._context_used = False
        return Restarted(command.id, reset, perf_counter() - started, self.read_heap())

    def _unload(self, command: Unload) -> Unloaded:
        engine = self._loaded()
        started = perf_counter()
        if command.abandon:
            engine.abandon()
        else:
            engine.unload()
        self._engine = None
        del engine
        gc.collect()  # what our own side leaves in cycles must not look like the library's
        return Unloaded(command.id, perf_counter() - started, self.read_heap())

    def _trim(self, command: Trim) -> Trimmed:
        from orchestrator_worker import allocator

        gc.collect()
        return Trimmed(command.id, allocator.trim(), self.read_heap())

    def _trace(self, command: Trace) -> Traced:
        if (command.file is None) != (self._tracing is not None):
            raise Refused("a trace is already running" if self._tracing else "no trace is running")
        from orchestrator_worker.tracing.begin import begin

        if command.file is not None:
            self._tracing = begin(command.tracer, command.file, command.most_bytes)
            return Traced(command.id, self._tracing.name)
        assert self._tracing is not None
        ended, self._tracing = self._tracing, None
        ended.stop()
        return Traced(command.id, ended.name)

    def _check(self, command: Check) -> Checked:
        from orchestrator_worker.engines import registry

        engine = registry.find(command.model.engine)
        engine.check(command.model)
        tasks, estimate = list(engine.tasks), engine.memory_estimate(command.model)
        unloading, forks = engine.unloading(command.model), engine.may_fork(command.model)
        return Checked(command.id, tasks, estimate, unloading, forks)

    def _loaded(self) -> Engine:
        if self._engine is None:
            raise Refused("no model is loaded")
        return self._engine

    def _failed(self, command_id: int, error: BaseException) -> Failed:
        kind: Literal["error", "unavailable", "cancelled", "refused"] = "error"
        how_to_get_it = ""
        if isinstance(error, EngineUnavailableError):
            kind, how_to_get_it = "unavailable", text_of(error.how_to_get_it)
        elif isinstance(error, JobCancelledError):
            kind = "cancelled"
        elif isinstance(error, Refused):
            kind = "refused"
        elif isinstance(error, FramingError):
            return Failed(command_id, "error", "ResultTooLarge", error.problem)
        text = text_of(error)
        if self.confinement is not None and (denied := self.confinement.explain(error)):
            text = f"{text} ({denied})"
        elif hint := missing_variable(error):
            text = f"{text} ({hint})"
        trace = traceback_of(error) if kind in ("error", "unavailable") else ""
        return Failed(
            command_id,
            kind,
            name_of(error),
            text,
            trace,
            how_to_get_it,
            self.read_heap(),
            module_of(error),
            plain_arguments(error),
        )
