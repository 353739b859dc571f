"""Which worker gets which job: the rules of scheduling, one by one."""

import pytest

from orchestrator.pool.core.scheduling import (
    KEEP_WARM_PRIORITY,
    MOST_OVERTAKEN,
    Demand,
    Evict,
    Give,
    Memory,
    SlotView,
    Start,
    _Place,
    next_step,
)

PLENTY = Memory(10_000)


def demand(model: str, sequence: int = 1, priority: int = 0, waiting: int = 1, need: int = 100) -> Demand:
    return Demand(model, priority, sequence, waiting, need)


def slot(index: int, model: str | None, state: str = "idle", **more) -> SlotView:
    return SlotView(index, model, state, **more)  # type: ignore[arg-type]


FREE = SlotView(9)


def test_nothing_wanted_nothing_done() -> None:
    assert next_step([], [slot(0, "a"), FREE], PLENTY) is None


def test_affinity_before_a_start() -> None:
    assert next_step([demand("a")], [FREE, slot(1, "a")], PLENTY) == Give(1)


def test_the_most_recently_used_of_several() -> None:
    slots = [slot(0, "a", last_used=5.0), slot(1, "a", last_used=7.0)]
    assert next_step([demand("a")], slots, PLENTY) == Give(1)


def test_a_free_slot_starts_what_waits_longest() -> None:
    assert next_step([demand("a", 2), demand("b", 1)], [FREE], PLENTY) == Start(9, "b")


def test_no_more_starts_than_jobs_wait() -> None:
    slots = [slot(0, "a", "arriving"), FREE]
    assert next_step([demand("a", waiting=1)], slots, PLENTY) is None
    assert next_step([demand("a", waiting=2)], slots, PLENTY) == Start(9, "a")


def test_the_least_recently_used_is_evicted_never_one_at_work() -> None:
    slots = [slot(0, "a", "working"), slot(1, "b", last_used=3.0), slot(2, "c", last_used=2.0)]
    assert next_step([demand("x")], slots, PLENTY) == Evict(2)
    assert next_step([demand("x")], [slot(0, "a", "working")], PLENTY) is None
    assert next_step([demand("x")], [slot(0, "a", "arriving")], PLENTY) is None


@pytest.mark.parametrize("priority", [1, 5])
def test_a_higher_priority_takes_the_slot_from_an_affine_job(priority: int) -> None:
    demands = [demand("a", 1), demand("x", 2, priority)]
    assert next_step(demands, [slot(0, "a")], PLENTY) == Evict(0)


def test_a_worker_that_has_not_earned_its_start_does_its_own_jobs_first() -> None:
    """A higher priority waits for it, but not for ever; and not where it has nothing to do."""
    demands = [demand("a", 1), demand("x", 2, 5)]
    fresh = slot(0, "a", earned=False)
    assert next_step(demands, [fresh], PLENTY) == Give(0, overtakes=True)
    overdue = slot(0, "a", earned=False, overtaken=MOST_OVERTAKEN)
    assert next_step(demands, [overdue], PLENTY) == Evict(0)
    assert next_step([demand("x", 2, 5)], [fresh], PLENTY) == Evict(0)
    assert next_step(demands, [fresh, FREE], PLENTY) == Give(0), "nobody is kept waiting"


def test_a_lower_priority_waits() -> None:
    assert next_step([demand("a", 2), demand("x", 1, -1)], [slot(0, "a")], PLENTY) == Give(0)


def test_an_older_job_of_another_model_is_overtaken_only_so_often() -> None:
    demands = [demand("a", 2), demand("x", 1)]
    assert next_step(demands, [slot(0, "a")], PLENTY) == Give(0, overtakes=True)
    assert next_step(demands, [slot(0, "a", overtaken=MOST_OVERTAKEN)], PLENTY) == Evict(0)


def test_nobody_is_overtaken_who_can_start() -> None:
    demands = [demand("a", 2), demand("x", 1)]
    assert next_step(demands, [slot(0, "a"), FREE], PLENTY) == Give(0)
    assert next_step(demands[1:], [slot(0, "a", "working"), FREE], PLENTY) == Start(9, "x")


def test_above_the_budget_nothing_starts() -> None:
    slots = [slot(0, "a"), FREE]
    assert next_step([demand("x", need=100)], slots, Memory(99)) == Evict(0)
    assert next_step([demand("x", need=100)], [slot(0, "a", "working"), FREE], Memory(99)) is None


def test_memory_on_its_way_back_is_waited_for() -> None:
    assert next_step([demand("x", need=100)], [slot(0, "a"), FREE], Memory(50, 50)) is None
    assert next_step([demand("x", need=100)], [slot(0, "a"), FREE], Memory(50, 49)) == Evict(0)


def test_who_waits_for_room_keeps_it_from_those_behind() -> None:
    demands = [demand("x", 1, need=100), demand("y", 2, need=10)]
    assert next_step(demands, [slot(0, "a", "working"), FREE], Memory(50)) is None


def test_reserves_go_before_workers_in_use() -> None:
    slots = [slot(0, "a", last_used=1.0), slot(1, "b", "working", last_used=9.0, reserve="idle"), FREE]
    assert next_step([demand("x", need=100)], slots, Memory(0)) == Evict(1, reserve=True)


def test_a_model_that_just_fits_can_start_unless_it_is_barred() -> None:
    fits = _Place([FREE], Memory(100), frozenset(), exclusive=False)
    assert fits.can_start(demand("a", need=100))
    assert not fits.can_start(demand("a", need=101))
    alone = _Place([slot(0, "a"), FREE], Memory(100), frozenset(), exclusive=True)
    assert alone.can_start(demand("a"))
    assert not alone.can_start(demand("b"))


def test_a_model_whose_workers_are_on_their_way_keeps_no_other_from_its_place() -> None:
    slots = [slot(0, "a", "arriving"), FREE]
    assert next_step([demand("a", 1), demand("b", 2)], slots, PLENTY) == Start(9, "b")


def test_no_worker_is_evicted_for_its_own_model() -> None:
    wanted = demand("a", waiting=2)
    assert next_step([wanted], [slot(0, "a")], PLENTY, may_give=False) is None
    assert next_step([wanted], [slot(0, "a"), slot(1, "b")], PLENTY, may_give=False) == Evict(1)


def test_only_idle_workers_and_idle_reserves_of_other_models_can_go() -> None:
    slots = [
        slot(0, "a"), slot(1, "b", "working"), slot(2, "b", "arriving"), slot(3, "b"),
        slot(4, "b", "working", reserve="idle"), slot(5, "b", "working", reserve="arriving"), FREE,
    ]  # fmt: skip
    place = _Place(slots, PLENTY, frozenset(), exclusive=False)
    assert [one.index for one in place.strangers("a")] == [3, 4]


def test_of_several_reserves_the_one_behind_the_least_recently_used_worker_goes() -> None:
    slots = [
        slot(index, name, "working", last_used=used, reserve="idle")
        for index, (name, used) in enumerate([("a", 5.0), ("b", 2.0), ("c", 3.0)])
    ]
    assert next_step([demand("x", need=100)], [*slots, FREE], Memory(0)) == Evict(1, reserve=True)


def test_a_second_worker_is_worth_more_than_a_reserve_of_the_first() -> None:
    slots = [slot(0, "a", "working", reserve="idle"), FREE]
    assert next_step([demand("a", need=100)], slots, Memory(0)) == Evict(0, reserve=True)


def test_for_memory_a_model_gives_up_its_reserve_and_no_worker_of_its_own() -> None:
    own, other = slot(0, "a", "idle", reserve="idle"), slot(1, "a", "idle")
    assert next_step([demand("a", waiting=3, need=100)], [own, other, FREE], Memory(0)) == Give(0)
    busy = slot(1, "a", "working", last_used=1.0)
    place = _Place([slot(0, "a", "working", reserve="idle"), busy, FREE], Memory(0), frozenset(), False)
    assert [(one.index, one.state) for one in place.own_reserves("a")] == [(0, "working")]
    idle = _Place([own, other, slot(2, "b", reserve="idle")], Memory(0), frozenset(), False)
    assert [(one.index, one.state) for one in idle.own_reserves("a")] == [(0, "working")]


def test_for_a_slot_a_reserve_is_of_no_use() -> None:
    slots = [slot(0, "b", "working", reserve="idle")]
    assert next_step([demand("x")], slots, PLENTY) is None


def test_exclusive_waits_until_the_other_model_is_gone() -> None:
    want = [demand("x")]
    assert next_step(want, [slot(0, "a"), FREE], PLENTY, exclusive=True) == Evict(0)
    assert next_step(want, [slot(0, "a", "working"), FREE], PLENTY, exclusive=True) is None
    assert next_step(want, [FREE], PLENTY, exclusive=True, leaving_models=frozenset({"a"})) is None
    assert next_step(want, [FREE], PLENTY, exclusive=True, leaving_models=frozenset({"x"})) == Start(9, "x")
    assert next_step(want, [slot(0, "x", "working"), FREE], PLENTY, exclusive=True) == Start(9, "x")


def test_exclusive_models_take_turns() -> None:
    demands = [demand("a", 2), demand("x", 1)]
    slots = [slot(0, "a", overtaken=MOST_OVERTAKEN), FREE]
    assert next_step(demands, slots, PLENTY, exclusive=True) == Evict(0)


def test_what_is_only_kept_warm_takes_free_slots_and_nothing_else() -> None:
    warm = Demand("w", KEEP_WARM_PRIORITY, 1 << 62, 1 << 62, 100)
    assert next_step([warm], [slot(0, "a"), FREE], PLENTY) == Start(9, "w")
    assert next_step([warm], [slot(0, "a")], PLENTY) is None
    assert next_step([warm], [slot(0, "a"), FREE], Memory(99)) is None
    assert next_step([warm, demand("x")], [FREE], PLENTY) == Start(9, "x")
    assert next_step([warm], [slot(0, "a"), FREE], PLENTY, exclusive=True) is None
