"""Random submit, cancel, death, timeout and recycle against the supervisor; what must always hold, holds.

A worker does its work when it likes, and what it says is heard later, or never.
"""

from collections import Counter

import hypothesis.strategies as st
from fake_pool import MIB, FakePool
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator.errors import ProtocolError
from orchestrator.pool.core.prefetch import MOST_PREFETCHED
from orchestrator.pool.core.states import JobState, WorkerState
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry

MODELS = ("a", "b")
ACTIVE = {WorkerState.BUSY, WorkerState.CANCELLING}
ALIVE = set(WorkerState) - {WorkerState.GONE}
MANY_STEPS = 2000
IN_NO_TIME_S = 0.0
numbers = st.integers(0, 1 << 16)


class Pools(RuleBasedStateMachine):
    """Every rule is something the world may do to a pool at that moment."""

    pool: FakePool

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
        """Workers that nobody listens to any more."""

    def known(self, model: str) -> str:
        return model if model in self.pool.registry.model_queues else "a"

    def workers(self):
        return [*self.pool.registry.workers(), *self.pool.registry.leaving]

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

    # ------------------------------------------------------------------ what must hold

    @invariant()
    def no_job_ends_twice(self) -> None:
        for job in self.pool.jobs:
            assert len(job.promise.outcomes) == (job.state is JobState.ENDED)

    @invariant()
    def the_budget_holds(self) -> None:
        budget = self.pool.registry.budget
        living = [*self.pool.registry.workers(), *self.pool.registry.leaving]
        assert budget.reserved_bytes <= budget.limit_bytes
        assert budget.reserved_bytes == sum(budget.held_by(worker) for worker in living)
        assert all(budget.held_by(worker) > 0 for worker in living)

    @invariant()
    def no_worker_and_no_slot_is_lost(self) -> None:
        registry = self.pool.registry
        living = [*registry.workers(), *registry.leaving]
        assert {worker.link for worker in living} == set(self.pool.links)
        for slot in registry.slots:
            for worker in (slot.worker, slot.successor):
                assert worker is None or worker.state not in {WorkerState.LEAVING, WorkerState.GONE}
            assert slot.worker is not None or slot.successor is None
            assert slot.worker is None or slot.keep is None, "only an empty slot waits to be kept warm"
        for worker in registry.leaving:
            assert worker.state is WorkerState.LEAVING
            assert worker.link.told_to_go

    @invariant()
    def workers_and_lanes_agree(self) -> None:
        registry = self.pool.registry
        for model_queue in registry.model_queues.values():
            used = [
                slot.worker
                for slot in registry.slots
                if slot.worker and slot.worker.model_queue is model_queue
            ]
            assert set(model_queue.workers) == set(used)
            assert set(model_queue.idle) == {worker for worker in used if worker.state is WorkerState.IDLE}

    @invariant()
    def workers_and_jobs_agree(self) -> None:
        for worker in self.pool.registry.workers():
            if worker.state is WorkerState.BUSY:
                assert worker.job.state is JobState.RUNNING
                assert worker.job.worker is worker
            elif worker.state is WorkerState.CANCELLING:
                assert worker.job.state is JobState.ENDED
            else:
                assert worker.job is None
                assert not worker.prefetched
            limit = worker.limits.jobs
            assert limit is None or worker.jobs <= limit

    @invariant()
    def every_job_is_in_one_place(self) -> None:
        """The queues and the delayed are seen to elsewhere: with their states they are what they should be."""
        registry = self.pool.registry
        places = Counter(
            job for model_queue in registry.model_queues.values() for job in model_queue.waiting.members()
        )
        places.update(list(registry.delayed))
        places.update(job for worker in self.workers() for job in worker.prefetched)
        places.update(worker.job for worker in self.workers() if worker.job is not None)
        assert all(count == 1 for count in places.values())
        prefetched = {
            job for worker in self.workers() for job in worker.prefetched if job.state is not JobState.ENDED
        }
        at_front = {worker.job for worker in self.workers() if worker.job is not None}
        for job in self.pool.jobs:
            assert (job in places) or job.state is JobState.ENDED
            assert (job.state is JobState.SENT) == (job in prefetched)
            assert (job.state is not JobState.RUNNING) or job in at_front

    @invariant()
    def lines_are_in_the_books(self) -> None:
        registry = self.pool.registry
        assert set(registry.with_prefetched) == {worker for worker in self.workers() if worker.prefetched}
        for worker in self.workers():
            assert len(worker.prefetched) <= MOST_PREFETCHED
            assert not worker.prefetched or registry.settings.recycle is None
            for job in worker.prefetched:
                assert job.model_queue is worker.model_queue
                assert job.state in {JobState.SENT, JobState.ENDED}
                assert job.worker is worker
                assert job.queue_timeout_s is None
                assert job.priority >= 0
                assert job.state is JobState.ENDED or len(job.frame) <= 2048

    @invariant()
    def what_lies_in_a_pipe_is_what_its_worker_has_to_do(self) -> None:
        """So no job lies in two pipes, none that was begun is in a queue, and none is waited for that was not sent."""
        for worker in self.workers():
            if worker not in self.mute:
                expected = [
                    job.id for job in ([] if worker.job is None else [worker.job]) + list(worker.prefetched)
                ]
                assert sorted(expected) == worker.link.awaited

    @invariant()
    def the_queue_is_what_waits(self) -> None:
        registry = self.pool.registry
        for model_queue in registry.model_queues.values():
            waiting = [
                job
                for job in self.pool.jobs
                if job.model_queue is model_queue and job.state is JobState.WAITING
            ]
            assert len(model_queue.waiting) == len(waiting)
            assert set(model_queue.waiting.members()) == set(waiting)
            assert (model_queue in registry.queues_with_jobs) == bool(waiting)
        assert set(registry.delayed) == {job for job in self.pool.jobs if job.state is JobState.DELAYED}
        never_started = [
            job for job in self.pool.jobs if job.state is not JobState.ENDED and job.first_started_at is None
        ]
        assert self.pool.places == len(never_started)

    @invariant()
    def exclusive_means_one_model(self) -> None:
        registry = self.pool.registry
        if registry.settings.exclusive:
            assert len({worker.model_queue for worker in [*registry.workers(), *registry.leaving]}) <= 1

    @invariant()
    def nobody_waits_beside_a_worker_that_could(self) -> None:
        """Work is not left lying: an idle worker has no job of its own model waiting at the same rank."""
        registry = self.pool.registry
        if len(registry.queues_with_jobs) == 1:
            (model_queue,) = registry.queues_with_jobs
            assert not model_queue.idle

    @invariant()
    def priorities_are_kept(self) -> None:
        for model_queue in self.pool.registry.model_queues.values():
            members = model_queue.waiting.members()
            ranks = [-job.priority for job in members]
            assert ranks == sorted(ranks)
            fresh = [(-job.priority, job.id) for job in members if not job.attempts]
            assert fresh == sorted(fresh)
            if members:
                assert model_queue.waiting.head() is members[0]

    def teardown(self) -> None:
        """From wherever it stands the pool comes to an end when the world lets it."""
        if not hasattr(self, "pool"):
            return
        pool = self.pool
        pool.supervisor.close(pool.now)
        pool.settle()
        for _ in range(MANY_STEPS):
            if pool.supervisor.finished:
                break
            pool.ready_all()
            for worker in list(pool.registry.workers()):
                pool.hear(worker)
                if worker.state in ACTIVE:
                    pool.done(worker, seconds=IN_NO_TIME_S)
                elif worker.state is WorkerState.TRIMMING:
                    pool.trimmed(worker)
            pool.bury_leaving()
            pool.wait(0.01)
        assert pool.supervisor.finished
        assert pool.links == []
        assert pool.places == 0
        assert pool.registry.budget.reserved_bytes == 0
        for job in pool.jobs:
            assert job.state is JobState.ENDED
            assert len(job.promise.outcomes) == 1


Pools.TestCase.settings = settings(
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
)
TestPools = Pools.TestCase
