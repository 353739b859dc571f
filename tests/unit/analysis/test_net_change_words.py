"""Which model grows, and by what: the sentences, word for word."""

from __future__ import annotations

import pytest

from orchestrator.analysis.planning.net_change import Interval, LoadAndJob
from orchestrator.analysis.planning.net_change_words import decimals, jobs_sentence, models_sentence


def about(rate: float, half_width: float) -> Interval:
    return Interval(low=rate - half_width, rate=rate, high=rate + half_width)


@pytest.mark.parametrize(
    ("models", "total", "said"),
    [
        (1.9, 2.0, "together 1.9000 of the 2.0000 MB that the process grows by"),
        (1.81, 2.0, "together 1.8100 of the 2.0000 MB that the process grows by"),
        (1.7, 2.0, "together 1.7000 MB, the process grows by 2.0000: the rest came between the steps"),
        (2.3, 2.0, "together 2.3000 MB, the process grows by 2.0000: the rest came between the steps"),
        (0.004, 0.0, "together 0.0040 of the 0.0000 MB that the process grows by"),
        (0.006, 0.0, "together 0.0060 MB, the process grows by 0.0000: the rest came between the steps"),
        (-1.9, -2.0, "together -1.9000 of the -2.0000 MB that the process grows by"),
    ],
)
def test_whether_the_models_are_all_of_it(models: float, total: float, said: str) -> None:
    sentence = models_sentence("RSS", {"asr": about(0.1203, 0.0007)}, ["asr"], models, total)
    assert sentence == (
        f"RSS, left behind after unload per iteration: asr 0.1203 ± 0.0007 MB; {said}; every model grows"
    )


@pytest.mark.parametrize(
    ("grows", "said"),
    [
        ([], "; no model is shown to grow"),
        (["asr"], "; the growth is that of asr"),
        (["asr", "aligner"], "; the growth is that of asr and aligner"),
        (["asr", "aligner", "vad"], "; every model grows"),
    ],
)
def test_whose_the_growth_is(grows: list[str], said: str) -> None:
    means = {name: about(1.0, 0.5) for name in ("asr", "aligner", "vad")}
    sentence = models_sentence("the live heap", means, grows, 3.0, 3.0)
    assert "asr 1.0000 ± 0.5000, aligner 1.0000 ± 0.5000, vad 1.0000 ± 0.5000 MB" in sentence
    assert sentence.endswith(said)


@pytest.mark.parametrize(
    ("load", "job", "said"),
    [
        (2.0, 3.0, "both grow"),
        (0.5, 3.0, "it comes with the jobs, and loading anew adds nothing that is shown"),
        (2.0, 0.5, "it comes with loading, and keeping the model avoids it"),
        (0.5, 0.5, "neither is shown to grow"),
    ],
)
def test_whether_loads_or_jobs_grow(load: float, job: float, said: str) -> None:
    split = LoadAndJob(about(load, 1.0), about(job, 1.0))
    assert jobs_sentence("RSS", "asr", split) == (
        f"asr: RSS grows by {load:.4f} ± 1.0000 MB per load and {job:.4f} ± 1.0000 MB per job: {said}"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [(9.9999, "9.9999"), (10.0, "10.00"), (-10.0, "-10.00"), (-0.00001, "0.0000"), (-0.0001, "-0.0001")],
)
def test_decimals(value: float, said: str) -> None:
    assert decimals(value) == said
