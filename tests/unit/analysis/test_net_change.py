"""Means of net changes: right on average, with intervals that hold for related neighbours; loads and jobs apart."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis.planning.net_change import Interval, LoadAndJob, load_and_job, mean_change
from orchestrator.analysis.planning.net_change_words import jobs_sentence, models_sentence

FLOOR = 0.001


@pytest.mark.parametrize("count", [16, 30, 100])
@pytest.mark.parametrize("related", [-0.3, 0.0, 0.5])
def test_the_interval_holds_the_truth_whatever_neighbours_are_to_each_other(
    related: float, count: int
) -> None:
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(400):
        noise = rng.normal(0, 1, count + 50)
        for at in range(1, noise.size):
            noise[at] += related * noise[at - 1]
        found = mean_change(0.3 + noise[50:], floor_mb=FLOOR)
        assert found is not None
        held += found.low <= 0.3 <= found.high
    least = 0.87 if related and count <= 30 else 0.925  # of 16 that are like their neighbours, few are news
    assert held / 400 >= least


def test_a_level_that_goes_up_and_down_does_not_grow() -> None:
    rng = np.random.default_rng(2)
    found = [mean_change(np.diff(rng.normal(0, 2, 31)), floor_mb=FLOOR) for _ in range(200)]
    assert np.mean([one is not None and one.low <= 0 <= one.high for one in found]) >= 0.93
    assert np.median([one.half_width for one in found if one is not None]) < 0.2, (
        "the line's, not that of two ends"
    )


def test_exact_changes_are_known_to_the_floor_of_the_two_ends() -> None:
    found = mean_change([0.25] * 20, floor_mb=FLOOR)
    assert found == Interval(
        pytest.approx(0.25 - FLOOR / 20), pytest.approx(0.25), pytest.approx(0.25 + FLOOR / 20)
    )
    assert mean_change([0.25] * 7, floor_mb=FLOOR) is None


@pytest.mark.parametrize(("load", "job"), [(0.4, 0.0), (0.0, 0.4), (0.2, 0.1), (-0.1, 0.3)])
def test_intercept_is_the_load_and_slope_the_job(load: float, job: float) -> None:
    rng = np.random.default_rng(5)
    held = np.zeros(2)
    for _ in range(200):
        jobs = rng.integers(1, 4, 30).tolist()
        found = load_and_job(load + job * np.asarray(jobs) + rng.normal(0, 0.05, 30), jobs, floor_mb=FLOOR)
        assert found is not None
        held += [
            found.per_load.low <= load <= found.per_load.high,
            found.per_job.low <= job <= found.per_job.high,
        ]
    assert (held / 200 >= 0.92).all()
    assert load_and_job([1.0] * 20, [2] * 20, floor_mb=FLOOR) is None, "as many jobs each time tell nothing"


def about(rate: float, half: float) -> Interval:
    return Interval(rate - half, rate, rate + half)


def test_the_sentence_names_the_model_and_checks_the_sum() -> None:
    means = {"Moonshine": about(0.1203, 0.0007), "PocketSphinx": about(0.0001, 0.0002)}
    said = models_sentence("the live heap", means, ["Moonshine"], 0.1204, 0.1205)
    assert "Moonshine 0.1203 ± 0.0007, PocketSphinx 0.0001 ± 0.0002 MB" in said
    assert said.endswith(
        "together 0.1204 of the 0.1205 MB that the process grows by; the growth is that of Moonshine"
    )
    other = models_sentence("RSS", means, [], 0.12, 0.5)
    assert "the process grows by 0.5000: the rest came between the steps; no model is shown to grow" in other


@pytest.mark.parametrize(
    ("load", "job", "conclusion"),
    [
        ((0.5, 0.1), (0.0, 0.1), "it comes with loading"),
        ((0.0, 0.1), (0.5, 0.1), "it comes with the jobs"),
        ((0.5, 0.1), (0.5, 0.1), "both grow"),
        ((0.05, 0.1), (0.02, 0.1), "neither is shown to grow"),
    ],
)
def test_by_load_or_by_job(load: tuple[float, float], job: tuple[float, float], conclusion: str) -> None:
    assert conclusion in jobs_sentence("RSS", "asr", LoadAndJob(about(*load), about(*job)))
