"""A supervisor with fake effects: workers are records, the clock is a number, deaths are calls."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import Any

from fake_link import MIB, SMALLEST_JOB, FakeLink, job_frame

from orchestrator.config.model import StartMode
from orchestrator.errors import HostShortageError, JobCancelledError, SpawnError
from orchestrator.pool.core.entities import JobRecord, Template, Worker
from orchestrator.pool.core.states import ExitReason, JobState, WorkerState
from orchestrator.pool.core.supervisor import Supervisor
from orchestrator.pool.events import PoolEvent
from orchestrator.pool.models import FUNCTION_MODEL, Model
from orchestrator.pool.options import Settings
from orchestrator.pool.results import Answer, as_result
from orchestrator.pool.submission.payload import Payload, job_record
from orchestrator.process.exit_status import describe_exit
from orchestrator.process.result_values import result_of
from orchestrator_worker.protocol import Chunk, ChunkTimes, Done, Failed, Loaded, Ready, Trimmed
from orchestrator_worker.results import Plain, pack_result

__all__ = ["MIB", "FakeLink", "FakePool", "FakePromise"]


@dataclass(eq=False)
class FakePromise:
    """The caller's side: records each ending, so that a second one shows."""

    cancelled: bool = False
    outcomes: list[Any] = field(default_factory=list)
    chunks: list[str] = field(default_factory=list)
    begun: int = 0

    def begin(self) -> bool:
        self.begun += 1
        return not self.cancelled

    def resolve(self, value: Any) -> bool:
        if isinstance(value, Answer):
            value = as_result(value, result_of(value.done))
        self.outcomes.append(value)
        return not self.cancelled

    def reject(self, error: BaseException) -> bool:
        self.outcomes.append(error)
        return not self.cancelled or isinstance(error, JobCancelledError)

    def done(self) -> bool:
        return bool(self.outcomes) or self.cancelled

    def add_chunk(self, chunk: Chunk) -> int:
        self.chunks.append(chunk.text)
        return sum(map(len, self.chunks))

    reads_later = False


@dataclass(eq=False)
class FakeTemplateLink:
    """A template's process: what it has, and whether it was closed."""

    template: Template
    rss: int
    pid: int = 77
    files_changed: bool = False
    closed: int = 0

    def read_rss(self) -> int:
        return self.rss

    def outdated(self) -> bool:
        return self.files_changed

    def close(self) -> None:
        self.closed += 1


class FakePool:
    """Drives a supervisor the way the loop does. Also its effects."""

    def __init__(
        self,
        *names: str,
        need_mib: int = 50,
        start: StartMode = "cold",
        max_age_s: float | None = None,
        **settings: Any,
    ) -> None:
        models = [
            Model(name=name, engine="fake", start=start, template_max_age_s=max_age_s)
            for name in (names or (FUNCTION_MODEL,))
        ]
        self.templates: list[FakeTemplateLink] = []
        self.template_fails: list[Exception] = []
        self.forks = True
        self.now = 1000.0
        self.listening = True
        self.events: list[PoolEvent] = []
        self.links: list[FakeLink] = []
        self.places = 0
        self.spawn_fails = 0
        self.host_is_short = 0
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.oom = False
        self.gathered = 0.0
        self.resting = True
        self.collected = 0
        self.need_mib = need_mib
        self.jobs: list[JobRecord] = []
        self.given: list[int] = []
        self.supervisor = Supervisor(models, Settings(**settings), self)
        self.settle()

    # ------------------------------------------------------------------ effects

    def spawn(self, worker: Worker) -> FakeLink:
        if self.host_is_short:
            self.host_is_short -= 1
            raise HostShortageError("no descriptors left")
        if self.spawn_fails:
            self.spawn_fails -= 1
            raise SpawnError("no processes left")
        link = FakeLink(worker, pid=100 + len(self.links), rss=self.need_mib * MIB)
        if worker.template is not None and self.forks:
            link.start, link.rss = "warm", 5 * MIB
        self.links.append(link)
        return link

    def why_cold(self, model: Model) -> str | None:
        return None if model.start == "warm" else ""

    def start_template(self, template: Template) -> FakeTemplateLink:
        if self.template_fails:
            raise self.template_fails.pop(0)
        link = FakeTemplateLink(template, self.need_mib * MIB)
        self.templates.append(link)
        return link

    def reap(self, worker: Worker) -> None:
        self.links.remove(worker.link)  # type: ignore[arg-type]

    def kernel_killed(self) -> bool:
        return self.oom

    def gather_readings(self, now: float) -> None:
        self.gathered = now

    def collect_readings(self) -> None:
        self.collected += 1

    def rest_readings(self) -> None:
        self.gathered = 0.0
        self.resting = True

    def resume_readings(self) -> None:
        self.resting = False

    sampled_by = "loop"
    missed_readings = 0

    @property
    def groups(self) -> str:
        return "none: a fake"

    def draw(self) -> float:
        return 0.0

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def draw_ticket(self) -> int:
        return 0

    def assign(self, job: JobRecord) -> None:
        job.ticket = job.id

    def job_left_queue(self, _: JobRecord) -> None:
        self.places -= 1

    def close_audio(self, job: JobRecord) -> None:
        assert job.descriptor is not None
        job.descriptor = None

    def tell(self, event: PoolEvent) -> None:
        self.events.append(event)

    # ------------------------------------------------------------------ what happens

    @property
    def registry(self):
        return self.supervisor.registry

    def settle(self) -> None:
        self.supervisor.settle(self.now)

    def submit(self, model: str = FUNCTION_MODEL, *, size: int = SMALLEST_JOB, **options: Any) -> JobRecord:
        """Submit a job whose frame has ``size`` bytes."""
        number = len(self.jobs) + 1
        payload = Payload(number, model, "call", job_frame(number, size), None)
        job = job_record(payload, self.registry.model_queues[model], FakePromise(), **options)
        self.jobs.append(job)
        self.places += 1
        self.supervisor.submit(job, self.now)
        self.settle()
        return job

    def cancel(self, job: JobRecord) -> None:
        if job.state is not JobState.ENDED:
            job.promise.cancelled = True  # type: ignore[attr-defined]
        self.supervisor.cancel(job, self.now)
        self.settle()

    def receive(self, worker: Worker, reply: Any) -> None:
        self.supervisor.received(worker, reply, self.now)
        self.settle()

    def ready(self, worker: Worker) -> None:
        """Complete the start."""
        if worker.state is WorkerState.STARTING:
            self.receive(worker, Ready())
        self.receive(worker, Loaded(0, 0.1, ["call"]))

    def ready_all(self) -> None:
        """Complete every start, those that follow from it too."""
        while starting := [
            worker
            for worker in self.registry.workers()
            if worker.state in {WorkerState.STARTING, WorkerState.LOADING}
        ]:
            self.ready(starting[0])

    def done(self, worker: Worker, value: Any = "value", seconds: float = 0.01) -> None:
        """The worker's job ends well, and we hear of it."""
        self.end_job(worker, value, seconds)
        self.hear(worker)

    def end_job(
        self, worker: Worker, value: Any = "value", seconds: float = 0.01, *, then_begin: bool = True
    ) -> None:
        """The worker's job ends well, and it begins the next one that it has; nobody has heard of it yet."""
        link = self._link(worker)
        link.answer(Done(link.jobs[0], *pack_result(Plain(value)), seconds, ChunkTimes()))
        if then_begin:
            link.begin()

    def hear(self, worker: Worker, replies: int | None = None) -> None:
        """Take what the worker said, or so many of its replies, in one turn."""
        said = self._link(worker).replies
        for _ in range(len(said) if replies is None else min(replies, len(said))):
            self.supervisor.received(worker, said.popleft(), self.now)
        self.settle()

    def failed(self, worker: Worker, kind: Any = "error", message: str = "message") -> None:
        if worker.state is WorkerState.STARTING:
            self.receive(worker, Ready())
        failed = Failed(worker.job.id if worker.job else 0, kind, "Error", message, how_to_get_it="cure")
        if worker.job is None:
            self.receive(worker, failed)
        else:
            self._link(worker).answer(failed)
            self.hear(worker)

    def _link(self, worker: Worker) -> FakeLink:
        assert isinstance(worker.link, FakeLink)
        return worker.link

    def trimmed(self, worker: Worker) -> None:
        self.receive(worker, Trimmed(0, trimmed=True))

    def die(self, worker: Worker, status: int = -signal.SIGSEGV, *, begun: bool = True) -> None:
        """Its process is gone, which had ``begun`` its job; all that it said is heard first."""
        if begun:
            self._link(worker).begin()
        self.hear(worker)
        self.supervisor.exited(worker, status, describe_exit(status), self.now)
        self.settle()

    def reap_leaving(self) -> None:
        """Everybody told to go goes."""
        while self.registry.leaving:
            self.die(next(iter(self.registry.leaving)), 0)

    def wait(self, seconds: float) -> None:
        """Let time pass, doing what is due at its own moment."""
        end = self.now + seconds
        while (due := self.supervisor.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            self.supervisor.tick(self.now)
            self.settle()
        self.now = end

    # ------------------------------------------------------------------ what can be seen

    def worker(self, slot: int = 0) -> Worker:
        worker = self.registry.slots[slot].worker
        assert worker is not None
        return worker

    def exits(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for slot in self.registry.slots:
            for reason, count in slot.exits.items():
                total[ExitReason(reason).value] = total.get(reason, 0) + count
        return total

    def ending(self, job: JobRecord) -> Any:
        outcomes = job.promise.outcomes  # type: ignore[attr-defined]
        assert len(outcomes) == 1
        return outcomes[0]
