"""When a series ends early: what is looked at, what it is held to, what a break leaves of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from record_builders import MB, ended, experiment, growing, iteration, step_record, summarized

from orchestrator.config.types import Experiment, Series
from orchestrator.experiments.running.runner import continue_series
from orchestrator.experiments.running.stopping import EarlyStop, earliest_end, may_end_early, saving_words
from orchestrator.experiments.storage.records import Boundary, IterationRecord, Reading, SeriesRecords

NOISE_MB = 0.01 * np.random.default_rng(3).standard_normal(400)
Level = Callable[[int], float]


def reading(live_mb: float, number: int, *, heap: bool = True, off: str | None = None) -> Reading:
    anon = live_mb + 60 + NOISE_MB[number]
    channels = {"heap_live": int(live_mb * MB), "heap_held": 30 * MB} if heap else {}
    return Reading(rss=int((anon + 20) * MB), rss_anon=int(anon * MB), swap=0, heap_off=off, **channels)


def record(
    number: int, live: Level, series: str = "recreate", after_infer: Level | None = None, **facts: object
) -> IterationRecord:
    there: dict[Boundary, Reading] = {
        "after_infer": reading((after_infer or live)(number), number, **facts),  # type: ignore[arg-type]
        "after_unload": reading(live(number), number, **facts),  # type: ignore[arg-type]
    }
    return iteration(number, step_record(readings=there), memory_mb=200.0, series=series)


def ends_at(about: Experiment, live: Level, series: str = "recreate", **facts: object) -> tuple[int, str]:
    """Return after how many iterations a series ends, and as what."""
    stop = EarlyStop(about, Series(series))  # type: ignore[arg-type]
    for number in range(1, about.iterations + 1):
        found = stop.add(record(number, live, series, **facts))  # type: ignore[arg-type]
        if found is not None:
            return number, found.answer
    return about.iterations, "ran to its end"


def planned(iterations: int = 50, *methods: str, **changes: object) -> Experiment:
    return experiment(*(methods or ("recreate",)), iterations=iterations, stop="settled", **changes)  # type: ignore[arg-type]


def at_rest(_number: int) -> float:
    return 80.0


def leaking(number: int) -> float:
    return 80.0 + 0.5 * number


@pytest.mark.parametrize(
    ("iterations", "live", "end"),
    [
        (50, at_rest, (24, "clean")),
        (50, leaking, (30, "leak")),
        (100, at_rest, (30, "clean")),
        (100, leaking, (59, "leak")),
        (20, at_rest, (20, "ran to its end")),
    ],
)
def test_a_settled_series_ends(iterations: int, live: Level, end: tuple[int, str]) -> None:
    assert ends_at(planned(iterations), live) == end


def test_never_where_nobody_asked_for_it() -> None:
    assert ends_at(experiment("recreate", iterations=50), at_rest)[0] == 50
    assert not EarlyStop(experiment("recreate", iterations=50), Series("recreate")).looks_after(24)


@pytest.mark.parametrize(
    "facts",
    [
        {"heap": False, "off": "switched off"},
        {"heap": False},
        {"off": "allocator replaced"},
    ],
)
@pytest.mark.parametrize("live", [at_rest, leaking])
def test_never_on_rss_alone(live: Level, facts: dict[str, object]) -> None:
    assert ends_at(planned(100), live, **facts) == (100, "ran to its end")


def test_a_pool_that_still_grows_is_not_settled() -> None:
    assert ends_at(planned(50), lambda number: 80.0 + 20.0 * np.log(number))[0] == 50


def test_the_baseline_is_settled_at_every_boundary_it_is_held_against_at() -> None:
    """After unload it is at rest; after infer, where restart() is read, it is not."""
    wandering = [80.0 + 8.0 * np.sqrt(number) for number in range(51)]
    alone, with_restart = planned(50, "recreate", "recycle"), planned(50, "restart", "recycle")
    facts = {"after_infer": wandering.__getitem__}
    assert ends_at(alone, at_rest, "recycle", **facts)[0] == 24
    assert ends_at(with_restart, at_rest, "recycle", **facts)[0] > 24


def test_the_baseline_comes_through_three_processes() -> None:
    about = planned(100, "recreate", "recycle", recycle_after=20)
    assert ends_at(about, at_rest, "recreate")[0] == 30
    assert ends_at(about, at_rest, "recycle")[0] == 74


def test_a_resumed_baseline_counts_what_was_before_the_break() -> None:
    before = [record(number, at_rest, "recycle") for number in range(1, 21)]
    stop = EarlyStop(planned(50, "recycle"), Series("recycle"), before)
    ends = [number for number in range(21, 51) if stop.add(record(number, at_rest, "recycle"))]
    assert ends[0] == 24


def test_a_series_with_a_gap_is_not_judged() -> None:
    stop = EarlyStop(planned(50, "recycle"), Series("recycle"))
    assert not any(stop.add(record(number, at_rest, "recycle")) for number in range(10, 51))


def test_the_earliest_end_is_known_before() -> None:
    assert earliest_end(planned(50), Series("recreate")) == 24
    assert earliest_end(planned(50, heap=False), Series("recreate")) is None
    assert earliest_end(planned(50), Series("recreate", allocator="jemalloc")) is None
    assert earliest_end(planned(20), Series("recreate")) is None
    assert earliest_end(experiment("recreate", iterations=50), Series("recreate")) is None
    assert earliest_end(planned(100, recycle_after=20), Series("recycle")) == 74


def test_a_plan_tells_whether_it_may_end_early() -> None:
    from record_builders import plan

    assert may_end_early(plan(planned(50)))
    assert not may_end_early(plan(experiment("recreate", iterations=50)))


# ------------------------------------------------------------------ what is kept of it


def settled(series: str = "recreate", count: int = 38, planned_iterations: int = 50) -> SeriesRecords:
    made = growing(series, count)
    end = ended(count, series, settled="leak", saved=planned_iterations - count, elapsed_s=3.8)
    return SeriesRecords(experiment="exp2", series=series, iterations=made.iterations, end=end)


def test_the_end_says_what_was_saved() -> None:
    end = settled().end
    assert end is not None
    assert end.sentence == "settled as leak after 38 of 50 iterations: 12 iterations saved"
    one = ended(49, settled="clean", saved=1)
    assert one.sentence == "settled as clean after 49 of 50 iterations: 1 iteration saved"


def test_the_summary_tells_planned_run_saved_and_why() -> None:
    summary = summarized(planned(50), settled())
    keys = ("iterations", "iterations_planned", "iterations_saved", "stopped", "settled_as", "outcome")
    assert [getattr(summary, key) for key in keys] == [38, 50, 12, "settled", "leak", "completed"]
    whole = summarized(planned(38), growing("recreate", 38))
    assert [getattr(whole, key) for key in keys] == [38, 38, None, None, None, "completed"]


def test_a_settled_series_is_complete_for_resume() -> None:
    for method in ("recreate", "recycle"):
        assert continue_series(planned(50, method), Series(method), settled(method)) is None  # type: ignore[arg-type]


def test_the_saving_of_a_run() -> None:
    series = [settled(), settled("restart"), growing("recycle", 50)]
    words = saving_words(series)
    assert words == "early stopping saved 24 of 150 iterations (about 2 s)"
    assert saving_words([growing("recycle", 50)]) == ""
