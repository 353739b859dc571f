"""The supervisor's link to a real process: handshake, bytes, memory."""

from __future__ import annotations

import contextlib
import logging
import resource
import weakref
from collections.abc import Callable, Sequence

import msgspec

from orchestrator.config.model import SandboxMode
from orchestrator.errors import ProtocolError
from orchestrator.pool.core.entities import Worker
from orchestrator.pool.runtime.output_log import OutputLog
from orchestrator.pool.runtime.output_log import log as noise_log
from orchestrator.pool.runtime.pool_sampling import PoolSampling, Sampled
from orchestrator.pool.runtime.start_method import StartMethod
from orchestrator.pool.runtime.template_link import ProcessTemplateLink
from orchestrator.pool.runtime.worker_groups import WorkerGroups
from orchestrator.process.engine_environment import engine_defaults
from orchestrator.process.memory import ProcessGoneError
from orchestrator.process.pulse import read_pulse
from orchestrator.process.sampling.descendants import FamilyMemory
from orchestrator.process.sandbox.modes import mode_of
from orchestrator.process.spawn import host_sys_path, refusal
from orchestrator.process.warm.private_memory import PrivateMemory
from orchestrator.process.warm.stuck import read_standstill
from orchestrator.process.worker_process import WorkerProcess
from orchestrator_worker.framing import HEADER_SIZE
from orchestrator_worker.protocol import PROTOCOL_VERSION, Command, Configure, Hello, Reply, Run

_runs = msgspec.msgpack.Decoder(Run)


class ProcessLink:
    """One worker process. Implements :class:`~orchestrator.pool.core.interfaces.Link`."""

    __slots__ = (
        "_greeted",
        "_group",
        "_groups",
        "_noise",
        "_on_change",
        "_reader",
        "_sampled",
        "_sampling",
        "_worker",
        "pid",
        "process",
        "watched",
    )

    def __init__(
        self,
        worker: Worker,
        on_change: Callable[[ProcessLink], None],
        start_method: StartMethod,
        *,
        linger: bool,
        beat_s: float | None,
        most_shared: int,
        groups: WorkerGroups,
        sampling: PoolSampling,
    ) -> None:
        """Start the process and limit it.

        ``on_change`` is called when a command did not fit into its pipe, or nobody can read it any more. ``linger``:
        the worker may stay awake for a moment after a short job. ``beat_s``: how often it shows that it can run.
        ``most_shared``: bytes that a result may have in shared memory. ``groups`` has a control group for it, or not.
        ``sampling`` has its memory read, or not.

        Raises:
            HostShortageError, SpawnError: The system refused.
        """
        # A circle would keep what is left of each ended worker until the collector comes: seldom, in a long life.
        self._worker = weakref.ref(worker)
        self._greeted = False
        self._on_change = on_change
        self.process = _start(worker, start_method)
        self.pid = self.process.pid
        self._groups = groups
        self._group = groups.new(worker.limits.hard_rss_bytes)
        if self._group is not None:
            self._group.take(self.pid)
        self.process.most_shared = most_shared
        self._noise = self._log_noise(worker) if noise_log.isEnabledFor(logging.DEBUG) else None
        self.watched: dict[int, int] = {}
        """Descriptors the loop waits on for this worker, with the events it waits for."""
        self._sampling = sampling
        self._sampled: Sampled | None = None
        self._reader = self._memory_reader()
        self._have_sampled(worker)
        for number, value in worker.model_queue.model.limit_numbers().items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(self.pid, number, (value, value))
        # Sent at once: it need not wait for our answer to its Hello. No heap readings: they cost a call into the
        # allocator for every job.
        self.process.send(
            Configure(
                PROTOCOL_VERSION,
                host_sys_path(),
                self.process.late_environment,
                heap=False,
                linger=linger,
                beat_s=beat_s,
                sandbox=self.process.sandbox,
                most_shared=most_shared,
            )
        )

    def _log_noise(self, worker: Worker) -> OutputLog:
        whom = f"slot {worker.slot.index} generation {worker.generation} pid {self.pid}"
        noise = OutputLog(whom)
        self.process.on_noise = noise.add
        return noise

    def _memory_reader(self) -> FamilyMemory | PrivateMemory | None:
        """Return what reads its memory; None: it is gone, and its death is heard of in a moment."""
        self._reader = None
        try:
            template = self.worker.template
            if self.start != "warm" or template is None:
                return FamilyMemory(self.pid)
            assert isinstance(template.link, ProcessTemplateLink)
            return PrivateMemory(self.pid, template.link.process)
        except ProcessGoneError:
            return None
        except OSError as error:
            self.close()
            slot, generation = self.worker.slot.index, self.worker.generation
            raise refusal(error, slot=slot, generation=generation, pid=self.pid) from error

    @property
    def worker(self) -> Worker:
        """Whose process it is. The pool holds the worker for as long as this link is waited on."""
        worker = self._worker()
        assert worker is not None
        return worker

    @property
    def start(self) -> str:
        """How the process began: ``exec``, ``fork`` or ``warm``."""
        return self.process.start

    @property
    def sandbox(self) -> SandboxMode:
        """What the process is confined to."""
        confined = self.process.sandbox
        return "off" if confined is None else confined.mode

    def pump(self) -> list[Reply]:
        """Read what came; look at the Hello here, hand on the rest.

        Raises:
            ProtocolError: What came is no message, or of another version.
        """
        return self._without_hello(self.process.pump())

    def read_replies(self) -> list[Reply]:
        """As :meth:`pump`, of replies alone.

        Raises:
            ProtocolError: As there.
        """
        return self._without_hello(self.process.read_replies())

    def _without_hello(self, replies: list[Reply]) -> list[Reply]:
        """Take the Hello, which is the first reply and comes once; any other is one that nobody has asked for."""
        if self._greeted or not replies:
            return replies
        self._check(replies[0])
        self._greeted = True
        return replies[1:]

    def _check(self, hello: Reply) -> None:
        if not isinstance(hello, Hello):
            raise ProtocolError(
                f"{type(hello).__name__} before Hello",
                slot=self.process.slot,
                generation=self.process.generation,
                pid=self.pid,
            )
        if hello.protocol != PROTOCOL_VERSION:
            raise ProtocolError(
                f"the worker speaks version {hello.protocol}, we speak {PROTOCOL_VERSION}",
                slot=self.process.slot,
                generation=self.process.generation,
                pid=self.pid,
            )

    def send(self, command: Command) -> None:
        """Send a command."""
        self.process.send(command)
        if self.full or self.process.hung_up:
            self._on_change(self)

    def send_frame(self, frame: bytes) -> None:
        """Send an encoded command, or several; those for a confined engine of speech come one by one."""
        if self.process.sandbox is not None and self.worker.model_queue.hears:
            self.process.pass_audio(_runs.decode(frame[HEADER_SIZE:]))
        self.process.send_frame(frame)
        if self.full or self.process.hung_up:
            self._on_change(self)

    def pass_descriptor(self, ticket: int, descriptor: int) -> None:
        """Pass a descriptor for a job that is sent next."""
        self.process.pass_descriptor(ticket, descriptor)

    def recall(self, sizes: Sequence[int]) -> int:
        """Take frames sent last out of the pipe again; return how many the worker had not begun to read."""
        taken = self.process.recall(sizes)
        if self.full or self.process.hung_up:
            self._on_change(self)
        return taken

    def has_read(self, frame: bytes) -> bool:
        """Whether the process, which is dead, had begun to read this frame."""
        return self.process.has_read(frame)

    @property
    def full(self) -> bool:
        """Whether a command waits for room in the pipe."""
        return self.process.writable_fd is not None

    def pause(self, paused: bool) -> None:
        """Read no further replies, or read them again."""
        self.process.paused = paused
        self._on_change(self)

    def signal(self, number: int) -> None:
        """Signal the process and its group."""
        self.process.signal_group(number)

    def read_rss(self, *, anew: bool = False) -> int:
        """Return the resident bytes now, its descendants' too, 0 when the process is gone; see the protocol."""
        if self._reader is None:
            return 0
        try:
            return self._reader.read(anew=anew)
        except ProcessGoneError:
            return 0

    def read_standstill(self) -> int | None:
        """Return how often its main thread has run, if it can only wait for a lock; None where that cannot be said."""
        return read_standstill(self.pid)

    def readings(self, now: float) -> list[tuple[float, int]]:
        """Return what was read since the last call, and read now where that is not of now; see the protocol."""
        worker = self._worker()
        if self._sampled is None and worker is not None:
            self._have_sampled(worker)  # the process was started after this one
        found = self.past_readings()
        return found if self._sampling.is_fresh(found) else [*found, (now, self.read_rss())]

    def _have_sampled(self, worker: Worker) -> None:
        warm, limit = self.start == "warm", worker.limits.hard_rss_bytes
        self._sampled = self._sampling.watch(self.pid, warm=warm, limit_bytes=limit)

    def past_readings(self) -> list[tuple[float, int]]:
        """The same, without one of now."""
        return [] if self._sampled is None else self._sampled.take()

    def read_pulse(self) -> tuple[int, str] | None:
        """Return how often its threads have run, and its state."""
        return read_pulse(self.pid)

    def group_killed(self) -> bool:
        """Whether the kernel has killed in its own control group, for its limit."""
        return self._group is not None and self._group.killed

    def stderr_tail(self) -> str:
        """Return what it printed last."""
        return self.process.stderr_tail

    def close(self) -> None:
        """Close everything; the process, if it lives, is killed."""
        if self._reader is not None:
            self._reader.close()
        if self._sampled is not None:
            self._sampling.unwatch(self._sampled)
        self.process.close()
        if self._group is not None:
            self._groups.give_back(self._group)
            self._group = None
        if self._noise is not None:
            self._noise.close()


def _start(worker: Worker, start_method: StartMethod) -> WorkerProcess:
    """Start a worker's process, in the way that is the quickest for it."""
    model = worker.model_queue.model
    environment = engine_defaults(model.engine, model.env) | dict(model.env)
    forks = start_method.fork_server_for(
        environment,
        worker.generation,
        worker.template,
        pass_env=model.pass_env,
        confined=mode_of(model) != "off",
    )
    return WorkerProcess(
        environment,
        slot=worker.slot.index,
        generation=worker.generation,
        fork_server=forks,
        python=start_method.python,
        models=(model,),
    )
