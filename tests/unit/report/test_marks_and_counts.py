"""A verdict has one word, sign and colour everywhere; descriptors and threads that leak stand beside it, in red."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest
from written_runs import Written, experiment, iterations

from orchestrator import Results
from orchestrator.analysis import MemorySeries, judge
from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.analysis.judging.judged import ChannelJudgement, CountJudgement, JudgedAs
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.notebook.marks import MARKS, mark_of
from orchestrator.report.closing.rows import ClosingRow, kind_of
from orchestrator.report.html.summary_part import methods_table

COUNT = 40
LOST = CountJudgement(
    verdict="leak",
    first=12,
    last=51,
    rate_per_iteration=1.0,
    ci_low=0.9,
    ci_high=1.1,
    reasons=["<b>it grows"],
)


def judgement(verdict: str, **changes: object) -> Judgement:
    plain = Judgement(
        verdict=verdict,  # type: ignore[arg-type]
        experiment="exp2",
        series="reuse",
        method="reuse",
        outcome="completed",
        sentence="",
        boundary="after_infer",
    )
    return msgspec.structs.replace(plain, **changes)


@pytest.fixture
def losing(tmp_path: Path) -> Results:
    """Memory stands still, one descriptor is lost an iteration."""
    run = Written(tmp_path / "results", experiment("reuse", "recycle"))
    made = [
        msgspec.structs.replace(
            record,
            steps=[
                msgspec.structs.replace(
                    record.steps[0],
                    readings={
                        where: msgspec.structs.replace(at, descriptors=11 + record.iteration, threads=4)
                        for where, at in record.steps[0].readings.items()
                    },
                )
            ],
        )
        for record in iterations("reuse", COUNT, 0.0)
    ]
    run.add("reuse", made)
    run.add("recycle", iterations("recycle", COUNT, 0.0))
    return Results(run.path)


def badges(page: str) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'class="badge (\w+ ?[^<]*)</span>', page)]


def test_a_lost_descriptor_an_iteration_is_red_in_list_card_and_repr(losing: Results) -> None:
    listed, card = losing.verdicts._repr_html_(), losing.verdicts[0]._repr_html_()
    assert badges(card) == ['green">▬ no leak (flat)', 'red">▲ descriptors']
    assert badges(listed) == ['green">▬ no leak (flat)', 'red">▲ descriptors', 'green">▬ no leak (flat)']
    (reason, *_) = losing.verdicts[0].descriptors.reasons  # type: ignore[union-attr]
    for page in (listed, card):
        assert "1.00 (1.00 to 1.00) per iteration, 12 at first and 51 at last" in page
        assert reason in html.unescape(page)
        assert "threads" not in page
    said = "exp2 reuse: no leak (flat), leaks descriptors (1.00 per iteration), exp2 recycle: no leak (flat)"
    assert said in repr(losing.verdicts)


def test_frames_have_rate_interval_and_reasons_of_counts(losing: Results) -> None:
    row = losing.verdicts.table[0]
    assert (row["descriptors_verdict"], row["descriptors_first"], row["descriptors_last"]) == ("leak", 12, 51)
    assert row["descriptors_ci_low_per_iteration"] <= 1.0 <= row["descriptors_ci_high_per_iteration"]
    assert row["descriptors_reasons"]
    assert row["threads_verdict"] in CLEAN


def test_both_counts_have_a_badge_and_their_reasons_are_text() -> None:
    page = judgement("leak", descriptors=LOST, threads=LOST)._repr_html_()
    assert badges(page) == ['red">▲ leak', 'red">▲ descriptors', 'red">▲ threads']
    assert page.count("1.00 (0.90 to 1.10) per iteration") == 2
    assert page.count("&lt;b&gt;it grows") == 2
    settled = msgspec.structs.replace(LOST, verdict="plateau")
    assert badges(judgement("flat", descriptors=settled)._repr_html_()) == ['green">▬ no leak (flat)']


def test_a_verdict_on_arrays_has_no_counts() -> None:
    assert badges(judge(MemorySeries.of(np.full(COUNT, 100.0)))._repr_html_()) == ['green">▬ no leak (flat)']


def test_every_verdict_has_a_mark_and_says_of_a_leak_first() -> None:
    assert set(MARKS) == set(get_args(JudgedAs))
    assert {verdict for verdict, mark in MARKS.items() if mark.word.startswith("no leak (")} == CLEAN
    assert len({(mark.sign, mark.color, mark.word.split(" (")[0]) for mark in MARKS.values()}) == 7
    assert mark_of("what is this").word == "what is this"


@pytest.mark.parametrize("verdict", MARKS)
def test_a_verdict_has_one_sign_and_colour_in_card_channel_and_table(verdict: str) -> None:
    mark = mark_of(verdict)
    judged = judgement(verdict, channels={"rss": ChannelJudgement(verdict=verdict)})
    page = judged._repr_html_()
    assert badges(page) == [f'{mark.color}">{mark.sign} {mark.word}']
    assert f"<td>{mark.word}</td>" in page
    kind, word = kind_of(judged)
    row = ClosingRow("exp2", "transcribe", "Reuse()", kind, word, judgement=judged)
    assert badges(methods_table([row], links=False)) == [f'{mark.color}">{mark.sign} {word}']
