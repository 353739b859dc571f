"""Which series of an experiment is held against which, and what of it the summary keeps."""

from __future__ import annotations

import msgspec
import pytest
from record_builders import ended, experiment, growing, reading, summarized_all

from orchestrator.config.types import Series
from orchestrator.experiments.judging.levers import setting_of
from orchestrator.experiments.storage.records import Phases, SeriesRecords
from orchestrator.report.lever_lines import early_end, lever_sentences
from orchestrator.report.summaries import SeriesSummary
from orchestrator.report.tables import as_text, experiment_tables

TRIM = Series("restart", "trim", {"MALLOC_TRIM_THRESHOLD_": "131072"})


def timed(series: str, rate_mb: float, infer_s: float, **facts: object) -> SeriesRecords:
    return growing(series, 30, 100.0, rate_mb, phases=Phases(infer_s=infer_s, load_s=0.1), **facts)


def test_a_variant_is_held_against_its_own_method() -> None:
    about = experiment("recreate", "restart", series=[TRIM], iterations=30)
    made = [timed("recreate", 3.0, 0.3), timed("restart", 6.0, 0.3), timed("restart@trim", 0.0, 0.4)]
    found = summarized_all(about, made)["restart@trim"].levers["variant"]
    assert (found["against"], found["setting"]) == ("restart", "MALLOC_TRIM_THRESHOLD_=131072")
    assert (found["effect"], found["retention"]) == ("all", pytest.approx(6.0, abs=0.01))
    assert found["time"]["ratio"] == pytest.approx(1.25)
    assert "all of the growth was retention" in found["sentence"]
    assert found["cost"].startswith("it costs 25 % more time per iteration")
    msgspec.json.encode(summarized_all(about, made))


def test_without_its_method_a_variant_proves_nothing() -> None:
    about = experiment("recreate", series=[TRIM], iterations=30)
    made = [timed("recreate", 3.0, 0.3), timed("restart@trim", 0.0, 0.4)]
    assert "variant" not in summarized_all(about, made)["restart@trim"].levers
    assert "variant" not in summarized_all(about, made)["recreate"].levers


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        (Series("reuse", "v", {"A": "1", "B": "2"}), "B=2"),
        (Series("reuse", "v", {"A": "1"}, "jemalloc"), "jemalloc"),
        (Series("reuse", "v", {"A": "2"}, "/opt/lib/libx.so"), "A=2 and libx.so"),
        (Series("reuse", "v", {"A": "1"}), "v"),
    ],
)
def test_what_a_variant_sets_is_what_differs(variant: Series, said: str) -> None:
    assert setting_of(variant, Series("reuse", env={"A": "1"})) == said


def test_a_kept_model_splits_the_growth_of_recreate() -> None:
    about = experiment("recreate", "reuse", "recycle", iterations=30)
    made = [timed("recreate", 2.0, 0.3), timed("reuse", 0.5, 0.3), timed("recycle", 0.0, 0.3)]
    summaries = summarized_all(about, made)
    (rss,) = summaries["recreate"].levers["load_split"]
    assert (rss["against"], rss["channel"]) == ("reuse", "rss")
    assert rss["per_job"]["rate"] == pytest.approx(0.5)
    assert rss["per_load"]["rate"] == pytest.approx(1.5)
    assert "load_split" not in summaries["reuse"].levers
    assert summaries["recycle"].levers == {}


def test_the_trim_is_held_against_what_memory_had_grown_by() -> None:
    about = experiment("reuse", "recycle", iterations=30)
    facts = {"before_trim": reading(160), "after_trim": reading(110), "trimmed": True}
    made = [
        SeriesRecords("exp2", key, growing(key, 30, 100, 2).iterations, ended(30, key, **facts))
        for key in ("reuse", "recycle")
    ]
    summaries = summarized_all(about, made)
    trim = summaries["reuse"].levers["trim"]
    assert (trim["released_mb"], trim["growth_mb"]) == (pytest.approx(50), pytest.approx(60))
    assert trim["share"] == pytest.approx(5 / 6)
    assert "trim" not in summaries["recycle"].levers
    text = as_text(experiment_tables(about, summaries))
    assert "Reuse: a heap trim after the last iteration gave back 50.0 MB" in text


def test_of_a_variant_only_what_it_changes_is_told() -> None:
    levers = {
        "variant": {"sentence": "it helps", "cost": "it costs"},
        "load_split": [{"sentence": "split"}],
        "trim": {"sentence": "trimmed"},
    }
    assert lever_sentences(SeriesSummary(levers=levers)) == ["it helps; it costs"]
    del levers["variant"]
    assert lever_sentences(SeriesSummary(levers=levers)) == ["split", "trimmed"]
    assert lever_sentences(SeriesSummary()) == []


def test_tables_say_how_many_iterations_each_method_ran() -> None:
    about = experiment("recreate", "recycle", iterations=50, stop="settled")
    short = growing("recreate", 38, 100.0, 1.0)
    end = ended(38, settled="leak", saved=12)
    made = [SeriesRecords("exp2", "recreate", short.iterations, end), growing("recycle", 50)]
    summaries = summarized_all(about, made)
    lines = as_text(experiment_tables(about, summaries)).splitlines()
    assert "Summary (up to 50 iterations)" in lines
    assert next(line.split() for line in lines if line.startswith("Iterations")) == ["Iterations", "38", "50"]
    said = "settled as leak after 38 of 50 iterations: 12 iterations saved"
    assert f"Destroy+Recreate: {said}" in lines
    assert (early_end(summaries["recreate"]), early_end(summaries["recycle"])) == (said, "")
    rate = summaries["recreate"].growth_rate_mb_per_iteration
    assert rate == pytest.approx(37 / 38)  # by the iterations that were run
