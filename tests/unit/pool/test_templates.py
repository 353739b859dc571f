"""When a template is started, replaced and given up: the decisions, with no process."""

import signal

import pytest
from fake_pool import MIB
from fake_templates import BUDGET, THREADS, cold_because, template_dies, template_loads, warm_pool, working

from orchestrator.errors import HostShortageError, SpawnError
from orchestrator.pool.core.states import JobState, WorkerState
from orchestrator.pool.models import Model
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.stats import take_stats


def test_the_first_worker_waits_for_a_template_and_is_forked_from_it() -> None:
    pool = warm_pool()
    job = pool.submit("m")
    assert (len(pool.templates), len(pool.links)) == (1, 0)
    template_loads(pool)
    assert pool.worker().link.start == "warm"
    pool.ready_all()
    pool.done(pool.worker())
    assert pool.ending(job) == "value"
    assert pool.templates[0].template.proven
    assert pool.templates[0].closed == 0


def test_nothing_is_started_while_nobody_wants_a_worker() -> None:
    assert warm_pool().templates == []


def test_a_model_that_is_to_be_kept_loaded_waits_for_its_template_too() -> None:
    pool = warm_pool(workers=2, prestart="m")
    assert (len(pool.templates), len(pool.links)) == (1, 0)
    template_loads(pool)
    assert [link.start for link in pool.links] == ["warm", "warm"]


def test_a_template_that_cannot_be_forked_makes_the_model_cold_and_says_so_once() -> None:
    pool = warm_pool(workers=2)
    pool.submit("m")
    pool.submit("m")
    link = template_loads(pool, THREADS)
    assert link.closed == 1
    assert [each.start for each in pool.links] == ["exec", "exec"]
    assert pool.warnings == [f"model m: its workers are started cold: {THREADS}"]
    assert len(pool.templates) == 1
    stats = take_stats(pool.registry, pool.now).models[-1]
    assert (stats.start, stats.cold_because, stats.template) == ("cold", THREADS, None)


def test_a_template_that_ends_while_it_loads_makes_the_model_cold() -> None:
    pool = warm_pool()
    pool.submit("m")
    template_dies(pool)
    assert pool.worker().link.start == "exec"
    assert cold_because(pool) == "its template ended while it loaded: SIGKILL"


def test_a_template_that_loads_without_end_makes_the_model_cold() -> None:
    pool = warm_pool(start_timeout_s=30.0)
    pool.submit("m")
    pool.wait(29.0)
    assert pool.links == []
    pool.wait(2.0)
    assert pool.templates[0].closed == 1
    assert pool.worker().link.start == "exec"
    assert cold_because(pool) == "its template has not loaded within 30 s"


def test_a_template_that_the_system_refuses_makes_the_model_cold() -> None:
    pool = warm_pool()
    pool.template_fails = [SpawnError("not permitted")]
    pool.submit("m")
    assert pool.worker().link.start == "exec"
    assert "not permitted" in (cold_because(pool) or "")


def test_a_shortage_of_the_host_puts_the_template_off() -> None:
    pool = warm_pool()
    pool.template_fails = [HostShortageError("no descriptors left")]
    pool.submit("m")
    assert (pool.templates, pool.links, cold_because(pool)) == ([], [], None)
    pool.wait(1.0)
    assert len(pool.templates) == 1


def test_when_a_template_dies_its_workers_go_on_and_another_takes_its_place() -> None:
    pool = working(warm_pool(workers=2))
    link = template_dies(pool)
    assert link.closed == 1
    assert pool.worker().state is WorkerState.BUSY
    job = pool.submit("m")
    assert len(pool.templates) == 2
    template_loads(pool)
    assert pool.worker(1).link.start == "warm"
    pool.done(pool.worker())
    assert job.state is JobState.RUNNING


def test_templates_that_die_again_and_again_are_given_up() -> None:
    pool = warm_pool()
    pool.submit("m")
    for _ in range(3):
        template_loads(pool)
        pool.die(pool.worker(), -signal.SIGTERM) if pool.registry.slots[0].worker else None
        template_dies(pool)
        if cold_because(pool):
            break
        pool.submit("m")
    assert cold_because(pool) is not None


def test_a_worker_that_could_not_be_forked_loads_by_itself_and_reserves_for_that() -> None:
    pool = warm_pool()
    pool.forks = False
    pool.submit("m")
    template_loads(pool)
    worker = pool.worker()
    assert worker.template is None
    assert pool.registry.budget.held_by(worker) == 64 * MIB
    assert pool.templates[0].template.workers == 0


# ---------------------------------------------------------------------- a first worker that fails


@pytest.mark.parametrize("status", [-signal.SIGSEGV, -signal.SIGABRT])
def test_when_the_first_worker_of_a_template_dies_in_its_first_job_that_is_done_cold(status: int) -> None:
    pool = warm_pool()
    job = pool.submit("m")
    link = template_loads(pool)
    pool.ready_all()
    pool.die(pool.worker(), status)
    pool.wait(0.1)
    assert link.closed == 1
    assert "the first worker of its template failed (crash: SIG" in (cold_because(pool) or "")
    assert pool.worker().link.start == "exec"
    pool.ready_all()
    pool.done(pool.worker())
    assert pool.ending(job) == "value"
    assert job.attempts == ()


def test_when_the_first_worker_of_a_template_hangs_the_next_is_cold() -> None:
    pool = warm_pool()
    pool.submit("m", timeout_s=5.0)
    template_loads(pool)
    pool.ready_all()
    pool.wait(7.0)
    pool.reap_leaving()
    assert "the first worker of its template failed (timeout" in (cold_because(pool) or "")
    pool.submit("m")
    assert pool.worker().link.start == "exec"


def test_once_a_worker_has_answered_a_death_is_its_jobs_own() -> None:
    pool = working(warm_pool())
    pool.done(pool.worker())
    job = pool.submit("m")
    pool.die(pool.worker())
    assert cold_because(pool) is None
    assert type(pool.ending(job)).__name__ == "WorkerDiedError"


# ---------------------------------------------------------------------- replaced


@pytest.mark.parametrize("why", ["age", "files", "growth"])
def test_a_template_is_replaced_and_stays_until_its_last_worker_is_gone(why: str) -> None:
    pool = working(warm_pool(workers=2, max_age_s=100.0))
    pool.done(pool.worker())
    pool.submit("m")
    old = pool.templates[0]
    if why == "age":
        pool.wait(101.0)
    elif why == "files":
        old.files_changed = True
    else:
        old.rss += 50 * MIB
    pool.submit("m")
    assert (len(pool.templates), old.closed) == (2, 0)
    template_loads(pool)
    pool.die(pool.worker(0), -signal.SIGTERM)
    assert old.closed == 1
    assert cold_because(pool) is None
    assert pool.worker(1).template is pool.templates[1].template


def test_a_template_in_order_is_kept() -> None:
    pool = working(warm_pool(workers=2, max_age_s=100.0))
    pool.templates[0].rss += 5 * MIB
    pool.wait(99.0)
    pool.submit("m")
    assert len(pool.templates) == 1


def test_a_template_goes_with_its_last_idle_worker() -> None:
    pool = working(warm_pool(recycle=Recycle(max_idle_s=10.0)))
    pool.done(pool.worker())
    pool.wait(11.0)
    assert pool.templates[0].closed == 0
    pool.reap_leaving()
    assert pool.templates[0].closed == 1
    assert pool.registry.budget.reserved_bytes == 0


# ---------------------------------------------------------------------- memory


def test_the_pages_of_a_model_are_reserved_once() -> None:
    pool = warm_pool(workers=4, budget_bytes=BUDGET, need_mib=80)
    for _ in range(4):
        pool.submit("m")
    template_loads(pool)
    assert pool.registry.budget.held_by(pool.templates[0].template) == 88 * MIB
    pool.ready_all()
    pool.done(pool.worker())
    assert [link.start for link in pool.links] == ["warm"] * 3
    assert take_stats(pool.registry, pool.now).models[-1].need_bytes == 32 * MIB


def test_where_there_is_no_room_beside_the_template_the_model_is_cold() -> None:
    pool = warm_pool(budget_bytes=100 * MIB, need_mib=80)
    pool.submit("m")
    link = template_loads(pool)
    assert link.closed == 1
    assert "no room for its template and a worker" in (cold_because(pool) or "")
    assert pool.worker().link.start == "exec"


def test_a_template_that_nobody_works_from_makes_room_for_another_model() -> None:
    pool = warm_pool("m", "other", budget_bytes=150 * MIB, need_mib=100)
    pool.submit("m")
    first = template_loads(pool)
    pool.ready_all()
    pool.done(pool.worker())
    pool.submit("other")
    pool.reap_leaving()
    assert first.closed == 1
    assert len(pool.templates) == 2
    template_loads(pool)
    assert pool.worker().model_queue.name == "other"


def test_a_pool_that_closes_leaves_a_loading_template_alone() -> None:
    pool = warm_pool()
    job = pool.submit("m")
    pool.supervisor.close(pool.now)
    pool.settle()
    assert not pool.supervisor.finished
    pool.cancel(job)
    assert pool.supervisor.finished


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="'hot' is none; there are warm, cold, auto"):
        Model(name="m", engine="e", start="hot")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="template_max_age_s"):
        Model(name="m", engine="e", template_max_age_s=0)


def test_a_template_that_nobody_works_from_makes_room_where_the_host_is_short() -> None:
    pool = warm_pool("m", "other", workers=1)
    working(pool)
    pool.done(pool.worker())
    pool.template_fails = [HostShortageError("no descriptors left")] * 2
    other = pool.submit("other")  # the idle worker goes for it first, and then what it was forked from
    assert [link.closed for link in pool.templates] == [0]
    pool.reap_leaving()
    assert [link.closed for link in pool.templates] == [1, 0], "the other's is started in its place, at once"
    template_loads(pool)
    pool.ready_all()
    pool.done(pool.worker())
    assert pool.ending(other) == "value"


def test_a_template_stays_where_the_host_is_short_and_its_jobs_wait_or_its_workers_live() -> None:
    pool = warm_pool("m", "other", workers=2)
    working(pool)
    pool.template_fails = [HostShortageError("no descriptors left")] * 3
    pool.submit("other")
    pool.wait(1.0)
    assert pool.templates[0].closed == 0
    assert take_stats(pool.registry, pool.now).shortage == "worker 0 generation 1: no descriptors left"
