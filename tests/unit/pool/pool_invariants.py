"""What must hold for a pool at every moment, whatever has happened to it; and that it can always come to its end."""

from collections import Counter

from fake_pool import FakePool
from hypothesis.stateful import RuleBasedStateMachine, invariant

from orchestrator.pool.core.prefetch import MOST_PREFETCHED
from orchestrator.pool.core.states import JobState, WorkerState

ACTIVE = {WorkerState.BUSY, WorkerState.CANCELLING}
IN_NO_TIME_S = 0.0
MANY_STEPS = 2000


class HeldPool(RuleBasedStateMachine):
    """A pool with what must hold for it; a machine with rules is made of it."""

    pool: FakePool
    mute: set
    """Workers that nobody listens to any more."""

    def workers(self):
        return [*self.pool.registry.workers(), *self.pool.registry.leaving]

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
    def workers_and_queues_agree(self) -> None:
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
    def prefetched_jobs_are_in_the_registry(self) -> None:
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
            pool.reap_leaving()
            pool.wait(0.01)
        assert pool.supervisor.finished
        assert pool.links == []
        assert pool.places == 0
        assert pool.registry.budget.reserved_bytes == 0
        for job in pool.jobs:
            assert job.state is JobState.ENDED
            assert len(job.promise.outcomes) == 1
