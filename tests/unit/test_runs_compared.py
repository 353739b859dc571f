"""The page of a comparison: what it says first, its numbers, both sides' curves, what differs, and nobody's markup."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from compared_runs import Run, banner, compared, leaking, page, part, run
from record_builders import ended, growing

from orchestrator.experiments.comparing.comparison import compare_runs
from orchestrator.experiments.reporting.comparison_content import comparison_content, level_mb
from orchestrator.report.html.comparison.content import MetricRow
from orchestrator.report.html.comparison.page import make_comparison_page
from orchestrator.report.html.comparison.pair_chart import interval_picture, pair_chart, side_of
from orchestrator.report.html.comparison.words import amount, result_words

HOSTILE = "<script>alert(1)</script><img src=x onerror=\"alert('x')\">"


def test_the_order_is_sentence_numbers_curves_set_up_verdicts_and_what_is_folded() -> None:
    made = page([leaking()], [leaking(0.0)])
    places = [made.index(f'id="{name}"') for name in ("differences", "growth", "set-up", "verdicts", "runs")]
    places += [made.index(f'id="{name}"') for name in ("provenance", "words")]
    assert places == sorted(places)
    assert made.index('class="headline"') < places[0]
    for name in ("runs", "provenance"):
        assert "<table" not in re.sub(r"<details>.*</details>", "", part(made, name), flags=re.DOTALL)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (leaking(), leaking(0.0), "B no longer leaks in exp2 Reuse."),
        (leaking(0.0), leaking(), "B leaks anew in exp2 Reuse."),
        (leaking(), leaking(4.0), "B grows faster in exp2 Reuse."),
        (leaking(4.0), leaking(), "B grows more slowly in exp2 Reuse."),
        (
            leaking(),
            leaking(0.0, wer_percent=9.0),
            "B no longer leaks in exp2 Reuse and makes more errors in exp2 Reuse.",
        ),
        (
            leaking(),
            leaking(),
            "Nothing told apart: growth and errors show no difference; one run a side says nothing of speed.",
        ),
    ],
)
def test_the_first_sentence_says_what_has_changed(first: Run, second: Run, said: str) -> None:
    assert banner(page([first], [second])) == said


def test_one_run_against_several_tells_of_no_difference() -> None:
    made = page([leaking(0.0)], [leaking(0.0), leaking(2.0), leaking(2.0)])
    growth = re.findall(r"<tr><th scope=\"row\">Growth.*?</tr>", part(made, "differences"), re.DOTALL)[0]
    assert re.findall(r"<td>([−+\d.]+)</td>", growth) == ["0.000", "1.333", "+1.333"]
    assert "? not known" in growth
    assert "no difference has an interval" in part(made, "differences")
    assert "come from within the two runs" not in made
    assert banner(made) == "B leaks anew in exp2 Reuse."
    alike = banner(page([leaking(0.0)], [leaking(0.0), leaking(0.0)]))
    assert alike == "Nothing can be told apart: a side of one run against several tells of no difference."


def judged(verdict: str, run_: Run) -> Run:
    """The run with another verdict on the method reuse."""
    summary = run_["exp2"].summary["reuse"]
    assert summary.judgement is not None
    other = msgspec.structs.replace(summary.judgement, verdict=verdict)
    changed = {**run_["exp2"].summary, "reuse": msgspec.structs.replace(summary, judgement=other)}
    return {"exp2": msgspec.structs.replace(run_["exp2"], summary=changed)}


@pytest.mark.parametrize(
    ("first", "more"),
    [
        ([judged("inconclusive", leaking(0.0))], "and grows faster in exp2 Reuse"),
        ([judged("crashed", leaking(0.0))], "comes to its end again in exp2 Reuse"),
        ([leaking(0.0), judged("inconclusive", leaking(0.0))], ""),
    ],
)
def test_a_leak_is_new_only_where_the_first_side_was_found_clean(first: list[Run], more: str) -> None:
    made = page(first, [leaking()])
    assert "anew" not in made
    assert "A new leak" not in made
    assert banner(made).startswith("B leaks (A is not known to be clean) in exp2 Reuse")
    assert more in banner(made)
    assert "is judged otherwise" not in banner(made), "it is told once"
    assert "B leaks; A is not known to be clean" in part(made, "differences")


def test_several_runs_a_side_tell_of_speed() -> None:
    def timed(*times: float) -> list[Run]:
        return [leaking(0.0, ttft_ms=ms) for ms in times]

    slower = page(timed(400.0, 402.0, 401.0), timed(500.0, 503.0, 501.0))
    assert banner(slower) == "B is slower in exp2 Reuse."
    assert "Comparison of 3 with 3 runs" in slower
    row = re.findall(r"<tr><th scope=\"row\">TTFT.*?</tr>", part(slower, "differences"), re.DOTALL)[0]
    assert "401.00" in row
    assert "501.33" in row
    assert "+100.33" in row
    assert "! worse" in row
    assert "400.00, 402.00, 401.00" in part(slower, "runs")
    curves = re.findall(r"<svg[^>]*role=.img.*?</svg>", part(slower, "growth"), re.DOTALL)
    assert [curve.count("stroke-dasharray") for curve in curves] == [3, 3]
    equal = page(timed(400.0, 402.0, 401.0), timed(401.0, 400.0, 402.0))
    assert banner(equal) == "Nothing told apart: no difference between A and B is shown."


def test_runs_of_one_side_that_disagree_are_counted() -> None:
    made = page([leaking(), leaking(0.0)], [leaking(0.0), leaking(0.0)])
    differences = part(made, "differences")
    assert "▲ LEAK 1 of 2" in differences
    assert "▬ no leak 1 of 2" in differences
    assert banner(made).startswith("B no longer leaks in exp2 Reuse")


def test_each_number_stands_with_its_difference_and_its_interval() -> None:
    rows = part(page([leaking()], [leaking(0.0)]), "differences")
    growth = re.findall(r"<tr><th scope=\"row\">Growth.*?</tr>", rows, re.DOTALL)[0]
    assert re.findall(r"<td>([\d.]+)</td>", growth) == ["2.000", "0.000"]
    assert "−2.000" in growth
    assert "✓ better" in growth
    assert growth.count("<svg") == 1
    ttft = re.findall(r"<tr><th scope=\"row\">TTFT.*?</tr>", rows, re.DOTALL)[0]
    assert "= equal" in ttft
    assert 'class="interval"' not in ttft, "a number that does not vary has none"


def test_both_sides_are_drawn_on_one_axis_and_the_legend_says_which() -> None:
    growth = part(page([leaking()], [leaking(0.0)]), "growth")
    assert re.findall(r"</svg>(\w+)</li>", growth) == ["A", "B"]
    pictures = re.findall(r"<svg[^>]*role=.img.*?</svg>", growth, re.DOTALL)
    assert len(pictures) == 2
    tops = {re.findall(r">(\d+)</text>", picture)[-1] for picture in pictures}
    assert tops == {"30"}, "the last iteration is the same everywhere"
    assert "A +58<" in pictures[0]
    assert "B 0<" in pictures[0]


def test_words_at_the_ends_of_two_lines_never_cover_each_other() -> None:
    run_ = compared([leaking(0.0)], [leaking(0.0)]).methods[0]
    drawn = pair_chart(side_of("A", run_.first), side_of("B", run_.second), (0.0, 10.0), 30, "words")
    heights = [float(y) for y in re.findall(r'y="([\d.]+)"[^>]*font-weight="600"', drawn)]
    assert len(heights) == 2
    assert abs(heights[0] - heights[1]) >= 12


def test_a_method_or_a_metric_that_one_side_lacks_is_named() -> None:
    one = run(growing("reuse", 30), growing("restart", 30))
    made = page([one], [leaking(0.0, speed_chars_per_s=None)])
    differences = part(made, "differences")
    assert "exp2 Restart() (side A only)" in differences
    assert "exp2 Recycle (baseline) (side B only)" in differences
    speed = re.findall(r"<tr><th scope=\"row\">Speed.*?</tr>", differences, re.DOTALL)[0]
    assert "<td>50.00</td><td>–</td><td>–</td>" in speed.replace("\n", "")
    assert "? not known" in speed


def lines_of(picture: str) -> list[str]:
    """Return the curves, B's first, since A's is drawn above it."""
    return re.findall(r'<path d="(M[^"]*)" stroke="var\(--(?:blue|baseline)\)"', picture)


def test_a_run_that_was_cut_short_is_drawn_as_far_as_it_came() -> None:
    crashed = growing("reuse", 12)
    end = ended(12, "reuse", outcome="crashed", cause="SIGABRT")
    made = page([leaking(0.0)], [run(msgspec.structs.replace(crashed, end=end), growing("recycle", 30))])
    assert banner(made).startswith("B does not come to its end in exp2 Reuse")
    assert "✕ broke off" in part(made, "differences")
    assert "broke off</li>" in part(made, "growth")
    (picture, *_) = re.findall(r"<svg[^>]*role=.img.*?</svg>", part(made, "growth"), re.DOTALL)
    longest = [max(float(x) for x in re.findall(r"[ML]([\d.]+),", line)) for line in lines_of(picture)]
    assert longest[0] < longest[1] == 262.0, "B ends before A, which goes to the end of the axis"


def test_a_comparison_without_readings_has_no_curves_and_says_so() -> None:
    none = leaking()
    none["exp2"] = msgspec.structs.replace(none["exp2"], iterations=[])
    made = page([none], [none])
    assert "No side has readings that could be drawn." in part(made, "growth")
    assert "▲ LEAK" in part(made, "differences")
    one_sided = page([none], [leaking()])
    assert "A has no readings, B begins at 100 MB" in part(one_sided, "growth")


def test_names_that_want_to_be_markup_are_text() -> None:
    def hostile(rate_mb: float) -> Run:
        made = leaking(rate_mb)["exp2"]
        config = msgspec.convert(
            msgspec.json.decode(msgspec.json.encode(made.config).replace(b"0.6B", b"MARK")), dict[str, Any]
        )
        config["host"] = {"cpu_model": f"{HOSTILE}{rate_mb}", HOSTILE: HOSTILE}
        config["packages"] = {HOSTILE: HOSTILE}
        config["run_id"] = config["created_at"] = config["tool_version"] = HOSTILE
        config["steps"][0]["model"]["options"] = {HOSTILE: rate_mb}
        config["steps"][0]["model"]["file_sha256"] = HOSTILE
        changed = msgspec.structs.replace(made.summary["reuse"], stderr_tail=HOSTILE, how_to_get_it=HOSTILE)
        summary = {"reuse": changed, f"reuse@{HOSTILE}": changed, f"{HOSTILE}": changed}
        return {HOSTILE: msgspec.structs.replace(made, config=config, summary=summary)}

    first, second = hostile(2.0), hostile(0.0)
    content = comparison_content([(HOSTILE, first)], [(HOSTILE, second)], compare_runs(first, second))
    made = make_comparison_page(content)
    assert len(content.methods) == 3
    assert made.count("<script") == 1, "the page's own"
    assert "<img" not in made
    assert "&lt;script&gt;" in made
    assert not re.search(r'\son\w+="', made)


@pytest.mark.parametrize(
    ("entry", "mb"),
    [
        ({"steps": [{"rss_mb": {"after_infer": 9.0}}], "memory_mb": 1.0}, 9.0),
        ({"steps": [{"rss_mb": {"after_load": 9.0}}], "memory_mb": 1.0}, 1.0),
        ({"steps": [], "memory_mb": 1.0}, 1.0),
        (
            {
                "steps": [
                    {
                        "rss_anon_mb": {"after_infer": 4.0},
                        "rss_shmem_mb": {"after_infer": 2.0},
                        "swap_mb": {"after_infer": 1.0},
                    }
                ]
            },
            7.0,
        ),
        (
            {
                "steps": [
                    {"start": "warm", "uss_mb": {"after_infer": 3.0}, "rss_anon_mb": {"after_infer": 40.0}}
                ]
            },
            3.0,
        ),
        (
            {
                "steps": [
                    {"start": "fork", "uss_mb": {"after_infer": 3.0}, "rss_anon_mb": {"after_infer": 40.0}}
                ]
            },
            40.0,
        ),
    ],
)
def test_memory_is_what_a_leak_is_judged_by(entry: dict[str, Any], mb: float) -> None:
    assert level_mb(entry, "after_infer") == mb


def row(**facts: Any) -> MetricRow:
    return MetricRow(**({"metric": "ttft", "unit": "ms", "first": 1.0, "second": 2.0} | facts))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"change": "same", "low": -1.0, "high": 1.0}, "= not told apart"),
        ({"change": "same", "low": 0.1, "high": 0.2}, "= too small to count"),
        ({"change": "same", "low": 0.0, "high": 0.0}, "= equal"),
        ({"change": "unknown"}, "? not known"),
        ({"change": "worse", "low": 1.0, "high": 2.0}, "! worse"),
        ({"change": "better", "low": 1.0, "high": 2.0}, "✓ better"),
    ],
)
def test_results_in_words(facts: dict[str, Any], said: str) -> None:
    assert result_words(row(**facts)) == said


def test_numbers_have_a_sign_only_where_there_is_something() -> None:
    shown = row()
    assert [
        amount(shown, value, signed=True) for value in (1.5, -1.5, 0.0, 0.001, -0.001, 123456.7, None)
    ] == [
        "+1.50",
        "−1.50",
        "0.00",
        "0.00",
        "0.00",
        "+123,457",
        "–",
    ]


def test_an_interval_is_drawn_about_zero() -> None:
    drawn = interval_picture(row(difference=5.0, low=4.0, high=6.0, smallest=1.0, change="worse"))
    zero = float(re.findall(r'<path d="M([\d.]+),0V', drawn)[0])
    dot = float(re.findall(r'<circle cx="([\d.]+)"', drawn)[0])
    assert zero == pytest.approx(48.0)
    assert dot > zero
    assert "var(--red)" in drawn
    assert interval_picture(row(difference=5.0)) == ""
