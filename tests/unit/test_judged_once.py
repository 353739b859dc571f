"""A judgement is made once: nothing that shows a run fits a channel of a series a second time."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from record_builders import experiment, iteration, plan, reading, records, step_record

from orchestrator.analysis.judging import counts, verdict
from orchestrator.cli.terminal.display import Display, Wanted
from orchestrator.experiments.judging.judgement import Judgements, judge_series
from orchestrator.experiments.judging.summary import summarize_all
from orchestrator.experiments.reporting.report_content import collect_report
from orchestrator.experiments.results.results_file import make_results
from orchestrator.experiments.storage.manifest import make_manifest
from orchestrator.experiments.storage.records import SeriesRecords
from orchestrator.experiments.storage.run_folder import ResultsFolder
from orchestrator.report.html.markdown import markdown_summary
from orchestrator.report.html.page import make_page
from orchestrator.series_files.finding import judge_measured
from orchestrator.series_files.result_series import result_series

Fits = Counter[tuple[str, bytes]]
ABOUT = experiment("recreate", "restart", "recycle", iterations=30)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Fits:
    """Every fit of a channel, by the channel's name and its readings."""
    found: Fits = Counter()

    def counting(fit: Callable[..., Any]) -> Callable[..., Any]:
        def counted(values: Any, *args: Any, **facts: Any) -> Any:
            found[str(facts.get("name")), np.asarray(values, dtype=np.float64).tobytes()] += 1
            return fit(values, *args, **facts)

        return counted

    for module in (verdict, counts):
        monkeypatch.setattr(module, "judge_channel", counting(module.judge_channel))
    return found


def made(key: str, start_mb: float) -> SeriesRecords:
    """A series whose every channel differs from that of every other, and from boundary to boundary."""
    noise = np.random.default_rng(int(start_mb)).normal(0, 0.3, (30, 4))
    done = []
    for n in range(1, 31):
        read = {}
        for at, boundary in enumerate(("after_infer", "after_unload")):
            rss = start_mb + 10 * at + n + noise[n - 1, at]
            live = start_mb / 2 + n / 4 + noise[n - 1, 2 + at]
            facts = {"heap_live": int(live * 2**20), "heap_held": 2**20 * int(start_mb / 8), "swap": 0}
            counted = {"threads": int(start_mb) + 2 * at, "descriptors": int(start_mb) + 50 + at + n % 3}
            read[boundary] = reading(rss, rss - 5 - noise[n - 1, at], **facts, **counted)
        life = 1 if key == "recycle" else n
        done.append(iteration(n, step_record(None, readings=read), memory_mb=start_mb, series=key, life=life))
    return records(key, done)


SERIES = [made("recreate", 100), made("restart", 200), made("recycle", 300)]


def test_a_page_of_three_series_fits_each_channel_once(fits: Fits, tmp_path: Path) -> None:
    run = ResultsFolder(tmp_path).new_run()
    run.save(make_manifest(plan(ABOUT), run_id=run.run_id, files=[], samples=[]))
    for each in SERIES:
        for record in each.iterations:
            run.append(record)
        assert each.end is not None
        run.append(each.end)
    content = collect_report(run)
    make_page(content, "")
    markdown_summary(content)
    assert len(content.experiments[0].series) == 3
    assert fits
    assert max(fits.values()) == 1
    # Three series and the baseline once more, each of four memory channels and two counts.
    assert sum(fits.values()) <= 4 * 6


def test_results_tables_and_plan_are_made_from_the_same_judgements(fits: Fits) -> None:
    judgements = Judgements(ABOUT, SERIES)
    summaries = summarize_all(judgements)
    manifest = make_manifest(plan(ABOUT), run_id="20260101T000000.000000Z-0000", files=[], samples=[])
    results = make_results(judgements, manifest)
    display = Display(io.StringIO(), io.StringIO(), Wanted())
    display.experiment_ended(ABOUT, judgements.records, summaries, "comparison_results.json")
    assert display.judgements == [judgements.of(key) for key in ("recreate", "restart", "recycle")]
    assert results.summary["restart"].judgement is judgements.of("restart")
    assert max(fits.values()) == 1


def test_only_a_series_with_new_records_is_judged_again(fits: Fits) -> None:
    judgements = Judgements(ABOUT, SERIES[:2])
    summarize_all(judgements)
    before = fits.copy()
    judgements.update(SERIES)
    with_baseline = summarize_all(judgements)
    assert max(fits.values()) == 1
    assert sum(fits.values()) > sum(before.values())
    held = with_baseline["restart"].judgement.against_baseline
    assert held is not None
    assert held.series == "recycle"


def test_the_leak_rate_is_that_of_the_judgement() -> None:
    """One rule says what the leak series is, and one fit what it does."""
    summary = summarize_all(Judgements(ABOUT, SERIES))["restart"]
    found = summary.judgement.channels["rss_anon"]
    said = summary.leak_rate
    assert (said.ci_low, said.rate_mb_per_iteration, said.ci_high) == (
        found.ci_low,
        found.rate_mb_per_iteration,
        found.ci_high,
    )


def test_a_run_and_its_file_are_judged_alike() -> None:
    manifest = make_manifest(plan(ABOUT), run_id="20260101T000000.000000Z-0000", files=[], samples=[])
    results = make_results(Judgements(ABOUT, SERIES), manifest)
    of_file = {each.series: judge_measured(each) for each in result_series(results, "a.json")}
    for key, summary in results.summary.items():
        run, file = summary.judgement, of_file[key]
        assert (file.verdict, file.rate_channel, file.warm_up) == (run.verdict, run.rate_channel, run.warm_up)
        assert file.rate_mb_per_iteration == pytest.approx(run.rate_mb_per_iteration, abs=1e-4)
        assert (file.descriptors.verdict, file.threads.verdict) == (
            run.descriptors.verdict,
            run.threads.verdict,
        )


def test_a_series_by_itself_has_no_baseline() -> None:
    assert judge_series(ABOUT, SERIES[1]).against_baseline is None
