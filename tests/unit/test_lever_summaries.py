"""Which series of an experiment is held against which, and what of it the summary keeps."""

from __future__ import annotations

import msgspec
import pytest
from record_builders import ended, experiment, growing, reading, summarized_all

from orchestrator.analysis.planning.levers import Change
from orchestrator.config.types import Series
from orchestrator.experiments.judging.levers import setting_of
from orchestrator.experiments.storage.records import Phases, SeriesRecords
from orchestrator.report.lever_lines import early_end, lever_sentences
from orchestrator.report.lever_summaries import NO_LEVERS, LeverSummary, TrimSummary, VariantSummary
from orchestrator.report.summaries import SeriesSummary
from orchestrator.report.tables import as_text, experiment_tables

TRIM = Series("restart", "trim", {"MALLOC_TRIM_THRESHOLD_": "131072"})


def timed(series: str, rate_mb: float, infer_s: float, **facts: object) -> SeriesRecords:
    return growing(series, 30, 100.0, rate_mb, phases=Phases(infer_s=infer_s, load_s=0.1), **facts)


def test_a_variant_is_held_against_its_own_method() -> None:
    about = experiment("recreate", "restart", series=[TRIM], iterations=30)
    made = [timed("recreate", 3.0, 0.3), timed("restart", 6.0, 0.3), timed("restart@trim", 0.0, 0.4)]
    found = summarized_all(about, made)["restart@trim"].levers.variant
    assert found is not None
    assert (found.against, found.setting) == ("restart", "MALLOC_TRIM_THRESHOLD_=131072")
    assert (found.effect, found.retention) == ("all", pytest.approx(6.0, abs=0.01))
    assert found.time is not None
    assert found.time.ratio == pytest.approx(1.25)
    assert "all of the growth was retention" in found.sentence
    assert found.cost.startswith("it costs 25 % more time per iteration")
    msgspec.json.encode(summarized_all(about, made))


def test_without_its_method_a_variant_proves_nothing() -> None:
    about = experiment("recreate", series=[TRIM], iterations=30)
    made = [timed("recreate", 3.0, 0.3), timed("restart@trim", 0.0, 0.4)]
    assert summarized_all(about, made)["restart@trim"].levers.variant is None
    assert summarized_all(about, made)["recreate"].levers.variant is None


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
    (rss,) = summaries["recreate"].levers.load_split
    assert (rss.against, rss.channel) == ("reuse", "rss")
    assert rss.per_job.rate == pytest.approx(0.5)
    assert rss.per_load.rate == pytest.approx(1.5)
    assert summaries["reuse"].levers.load_split == []
    assert summaries["recycle"].levers == NO_LEVERS


def test_the_trim_is_held_against_what_memory_had_grown_by() -> None:
    about = experiment("reuse", "recycle", iterations=30)
    facts = {"before_trim": reading(160), "after_trim": reading(110), "trimmed": True}
    made = [
        SeriesRecords("exp2", key, growing(key, 30, 100, 2).iterations, ended(30, key, **facts))
        for key in ("reuse", "recycle")
    ]
    summaries = summarized_all(about, made)
    trim = summaries["reuse"].levers.trim
    assert trim is not None
    assert (trim.released_mb, trim.growth_mb) == (pytest.approx(50), pytest.approx(60))
    assert trim.share == pytest.approx(5 / 6)
    assert summaries["recycle"].levers.trim is None
    text = as_text(experiment_tables(about, summaries))
    assert "Reuse: 50.0 MB was the allocator's cache and came back with a trim" in text


def test_of_a_variant_only_what_it_changes_is_told() -> None:
    about = experiment("recreate", "reuse", "recycle", series=[TRIM], iterations=30)
    made = [timed("recreate", 2.0, 0.3), timed("reuse", 0.5, 0.3), timed("recycle", 0.0, 0.3)]
    split = summarized_all(about, made)["recreate"].levers.load_split
    trim = TrimSummary(released_mb=1.0, growth_mb=2.0, sentence="trimmed")
    levers = LeverSummary(load_split=split, trim=trim)
    assert lever_sentences(SeriesSummary(levers=levers)) == [split[0].sentence, "trimmed"]
    change = Change(2.0, 1.0, -1.0)
    variant = VariantSummary(
        effect="part", rss=change, against="reuse", setting="A=1", sentence="it helps", cost="it costs"
    )
    levers = msgspec.structs.replace(levers, variant=variant)
    assert lever_sentences(SeriesSummary(levers=levers)) == ["it helps; it costs"]
    assert lever_sentences(SeriesSummary()) == []


def test_levers_are_written_as_they_are_read_and_those_not_pulled_are_left_out() -> None:
    about = experiment("recreate", "restart", "recycle", series=[TRIM], iterations=30)
    made = [
        timed("recreate", 2.0, 0.3),
        timed("restart", 6.0, 0.3),
        timed("restart@trim", 0.0, 0.4),
        timed("recycle", 0.0, 0.3),
    ]
    summaries = summarized_all(about, made)
    written = msgspec.json.decode(msgspec.json.encode(summaries))
    assert {key: list(each["levers"]) for key, each in written.items()} == {
        "recreate": ["load_split"],
        "restart": [],
        "recycle": [],
        "restart@trim": ["variant"],
    }
    (split,) = written["recreate"]["levers"]["load_split"]
    assert set(split["per_load"]) == {"low", "rate", "high"}
    assert msgspec.convert(written, dict[str, SeriesSummary]) == summaries


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
