"""Runs of one experiment and the page of two sides of them, for tests of comparisons."""

from __future__ import annotations

import copy
import re
from typing import Any

import msgspec
from record_builders import experiment, growing, plan

from orchestrator.experiments.comparing.comparison import compare_runs
from orchestrator.experiments.judging.judgement import Judgements
from orchestrator.experiments.reporting.comparison_content import comparison_content
from orchestrator.experiments.results.results_file import Results, make_results
from orchestrator.experiments.storage.manifest import make_manifest
from orchestrator.experiments.storage.records import SeriesRecords
from orchestrator.report.html.comparison.content import ComparisonContent
from orchestrator.report.html.comparison.page import make_comparison_page

Run = dict[str, Results]


def run(*series: SeriesRecords, **config: Any) -> Run:
    about = experiment(*(each.series for each in series))
    manifest = make_manifest(plan(about), run_id="20260101T000000.000000Z-0000", files=[], samples=[])
    made = make_results(Judgements(about, series), manifest)
    return {"exp2": msgspec.structs.replace(made, config={**copy.deepcopy(made.config), **config})}


def leaking(rate_mb: float = 2.0, **facts: Any) -> Run:
    return run(growing("reuse", 30, rate_mb=rate_mb, **facts), growing("recycle", 30))


def compared(first: list[Run], second: list[Run]) -> ComparisonContent:
    sides = [("before", each) for each in first], [("after", each) for each in second]
    return comparison_content(*sides, compare_runs(first, second))


def page(first: list[Run], second: list[Run]) -> str:
    return make_comparison_page(compared(first, second))


def banner(made: str) -> str:
    (said,) = re.findall(r'<p class="result">(.*?)</p>', made)
    return str(said)


def part(made: str, name: str) -> str:
    (found,) = re.findall(rf'<section id="{name}">.*?</section>', made, re.DOTALL)
    return str(found)
