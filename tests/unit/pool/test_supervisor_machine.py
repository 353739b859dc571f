"""Random submit, cancel, death, timeout and recycle against the supervisor; what must always hold
(``pool_invariants``), holds.

A worker does its work when it likes, and what it says is heard later, or never.
"""

import hypothesis.strategies as st
from fake_pool import MIB, FakePool
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import initialize, precondition, rule
from pool_invariants import ACTIVE, IN_NO_TIME_S, HeldPool

from orchestrator.errors import ProtocolError
from orchestrator.pool.core.states import JobState, WorkerState
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry

MODELS = ("a", "b")
ALIVE = set(WorkerState) - {WorkerState.GONE}
numbers = st.integers(0, 1 << 16)


class Pools(HeldPool):
    """Every rule is something the world may do to a pool at that moment."""

    @initialize(
        names=st.sampled_from([("a",), MODELS]),
        workers=st.integers(1, 3),
        budget_mib=st.sampled_from([80, 150, 300, 10_000]),
        exclusive=st.booleans(),
        recycle=st.sampled_from(
            [
                *[None] * 5,
                Recycle(max_jobs=1),
                Recycle(max_jobs=3, jitter=0),
                Recycle(max_rss=70 * MIB, hard_rss=120 * MIB, jitter=0),
                Recycle(max_age_s=5, max_idle_s=3, jitter=0),
                Recycle(max_jobs=2, max_rss=70 * MIB, max_age_s=4, trim_every=2, jitter=0),
            ]
        ),
        attempts=st.integers(1, 3),
        prestart=st.sampled_from([None, "a"]),
    )
    def begin(self, names, workers, budget_mib, exclusive, recycle, attempts, prestart) -> None:
        self.pool = FakePool(
            *names,
            workers=workers,
            budget_bytes=budget_mib * MIB,
            exclusive=exclusive,
            recycle=recycle,
            retry=Retry.up_to(attempts),
            prestart=prestart,
        )
        self.mute = set()

    def known(self, model: str) -> str:
        return model if model in self.pool.registry.model_queues else "a"

    def one(self, number: int, *states: WorkerState):
        """One of the workers in these states, or None."""
        found = [worker for worker in self.workers() if worker.state in states]
        return found[number % len(found)] if found else None

    def heard(self, number: int, *states: WorkerState):
        """The same, when all that it said is heard; None when it is in none of these states any more."""
        worker = self.one(number, *states)
        if worker is not None:
            self.pool.hear(worker)
        return worker if worker is not None and worker.state in states else None

    # ------------------------------------------------------------------ callers

    @rule(
        model=st.sampled_from(MODELS),
        priority=st.integers(-1, 1),
        timeout_s=st.sampled_from([None, 0.005, 0.5, 3.0]),
        queue_timeout_s=st.sampled_from([None, None, 0.5, 3.0]),
        size=st.sampled_from([60, 60, 2049]),
    )
    def submit(self, model, priority, timeout_s, queue_timeout_s, size) -> None:
        if not self.pool.registry.closing:
            self.pool.submit(
                self.known(model),
                priority=priority,
                timeout_s=timeout_s,
                queue_timeout_s=queue_timeout_s,
                size=size,
            )

    @rule(number=numbers)
    def cancel(self, number) -> None:
        if self.pool.jobs:
            self.pool.cancel(self.pool.jobs[-1 - number % len(self.pool.jobs)])

    @rule(number=numbers)
    def cancel_what_was_sent(self, number) -> None:
        if sent := [job for job in self.pool.jobs if job.state in {JobState.SENT, JobState.RUNNING}]:
            self.pool.cancel(sent[number % len(sent)])

    @rule(number=numbers)
    def cancel_and_be_heard_later(self, number) -> None:
        """The caller's future is cancelled; the supervisor is told only by and by."""
        if alive := [job for job in self.pool.jobs if job.state is not JobState.ENDED]:
            alive[number % len(alive)].promise.cancelled = True

    @precondition(lambda self: len(self.pool.jobs) > 4)
    @rule()
    def cancel_all_that_waits(self) -> None:
        self.pool.supervisor.cancel_waiting(self.pool.now)
        self.pool.settle()
        assert not any(job.state in {JobState.WAITING, JobState.DELAYED} for job in self.pool.jobs)

    # ------------------------------------------------------------------ workers

    @rule(number=numbers)
    def finish_start(self, number) -> None:
        if worker := self.one(number, WorkerState.STARTING, WorkerState.LOADING):
            self.pool.ready(worker)

    @rule(number=numbers, kind=st.sampled_from(["error", "unavailable"]))
    def fail_start(self, number, kind) -> None:
        if worker := self.one(number, WorkerState.LOADING):
            self.pool.failed(worker, kind)

    @rule(number=numbers, rss_mib=st.sampled_from([20, 50, 75, 130]), seconds=st.sampled_from([0.0, 0.01]))
    def finish_job(self, number, rss_mib, seconds) -> None:
        if worker := self.heard(number, *ACTIVE):
            worker.link.rss = rss_mib * MIB
            self.pool.done(worker, seconds=seconds)

    @rule(
        number=numbers, count=st.integers(1, 20), next_one=st.sampled_from(["begun", "its header", "unread"])
    )
    def work_unheard(self, number, count, next_one) -> None:
        """A worker does some jobs of those it has, which takes it no time, and may be at the next."""
        worker = self.one(number, *ACTIVE, WorkerState.LEAVING)
        if worker is None or worker in self.mute:
            return
        for _ in range(min(count, len(worker.link.jobs))):
            self.pool.end_job(worker, seconds=IN_NO_TIME_S, then_begin=False)
        if next_one != "unread":
            worker.link.begin(partly=next_one == "its header")

    @rule(number=numbers)
    def look(self, number) -> None:
        """An engine asks whether its job was cancelled: the worker reads all there is, and gives jobs back."""
        worker = self.one(number, *ACTIVE, WorkerState.LEAVING)
        if worker is not None and worker not in self.mute:
            worker.link.look()

    @rule(number=numbers, replies=st.integers(1, 20))
    def hear(self, number, replies) -> None:
        if worker := self.one(number, *ALIVE):
            self.pool.hear(worker, replies)

    @rule(model=st.sampled_from(MODELS), count=st.integers(1, 40))
    def submit_some(self, model, count) -> None:
        for _ in range(count):
            self.submit(model, 0, None, None, 60)

    @rule(model=st.sampled_from(MODELS), count=st.integers(5, 40))
    def submit_to_a_pool_at_work(self, model, count) -> None:
        """So that jobs are prefetched, and often: whatever its jobs took before, they are short now."""
        self.pool.registry.model_queues[self.known(model)].engine_s = IN_NO_TIME_S
        self.submit_some(model, count)
        self.work(2)

    @rule(number=numbers, count=st.integers(0, 20), again=numbers)
    def cancel_behind_its_back(self, number, count, again) -> None:
        """A worker is further than we know, its job is cancelled, and then another prefetched one."""
        self.work_unheard(number, count, "its header")
        if worker := self.one(number, *ACTIVE):
            self.pool.cancel(worker.job)
        self.cancel_what_was_sent(again)

    @rule(count=st.integers(1, 4))
    def work(self, count) -> None:
        """All goes well for a while."""
        for _ in range(count):
            if worker := self.one(0, WorkerState.STARTING, WorkerState.LOADING):
                self.pool.ready(worker)
            if worker := self.heard(0, *ACTIVE):
                self.pool.done(worker, seconds=IN_NO_TIME_S)

    @rule(number=numbers)
    def raise_in_job(self, number) -> None:
        if worker := self.heard(number, *ACTIVE):
            self.pool.failed(worker, "cancelled" if worker.state is WorkerState.CANCELLING else "error")

    @rule(number=numbers)
    def trim(self, number) -> None:
        if worker := self.one(number, WorkerState.TRIMMING):
            self.pool.trimmed(worker)

    @rule(number=numbers, status=st.sampled_from([0, 1, -9, -11]))
    def die(self, number, status) -> None:
        if worker := self.one(number, *ALIVE):
            self.pool.die(worker, status)

    @rule(number=numbers)
    def go(self, number) -> None:
        if worker := self.one(number, WorkerState.LEAVING):
            self.pool.die(worker, 0)

    @rule(number=numbers)
    def talk_nonsense(self, number) -> None:
        if worker := self.one(number, *ALIVE):
            self.pool.hear(worker)
            self.mute.add(worker)
            self.pool.supervisor.broke_protocol(worker, ProtocolError("garbage"), self.pool.now)
            self.pool.settle()

    # ------------------------------------------------------------------ time and ends

    @rule(seconds=st.sampled_from([0.004, 0.01, 0.03, 0.4, 2.0, 10.0]))
    def wait(self, seconds) -> None:
        self.pool.wait(seconds)

    @precondition(lambda self: len(self.pool.jobs) > 8)
    @rule(drop=st.booleans())
    def end(self, drop) -> None:
        call = self.pool.supervisor.stop if drop else self.pool.supervisor.close
        call(self.pool.now)
        self.pool.settle()


Pools.TestCase.settings = settings(
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
)
TestPools = Pools.TestCase
