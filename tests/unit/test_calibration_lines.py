"""A calibration in words."""

from calibration_builders import make_calibration

from orchestrator.report.calibration_lines import calibration_lines, summary


def shown(calibration, width=None):
    return [line.text for line in calibration_lines(calibration, width)]


def test_each_case_is_shown_with_its_truth_verdict_rate_error_and_call():
    rows = [text.split() for text in shown(make_calibration()) if text.startswith("malloc leak")]
    by_rss, by_heap = rows
    assert by_rss == [
        "malloc",
        "leak",
        "leak",
        "0.500",
        "leak",
        "0.500",
        "(0.490",
        "to",
        "0.510)",
        "0.000",
        "right",
    ]
    assert by_heap == by_rss


def test_a_mistake_is_told_below_its_own_table_in_red():
    bad = [line.text for line in calibration_lines(make_calibration()) if line.role == "bad"]
    assert bad == ["false alarm: cache (cache in words) was called leak"]


def test_it_says_for_what_verdicts_can_be_trusted():
    said = [text for text in shown(make_calibration()) if "trust" in text]
    assert any(text.startswith("Verdicts made here can be trusted for: malloc leak") for text in said)
    assert "Do not trust a verdict made here for: cache." in said


def test_the_smallest_leaks_stand_by_length_and_one_never_found_as_above_the_largest():
    rows = [text.split() for text in shown(make_calibration()) if text.startswith("quiet, RSS")]
    assert rows == [
        ["quiet,", "RSS", "alone", "above", "2", "0.125"],
        ["quiet,", "RSS", "and", "heap", "0.025", "0.025"],
    ]


def test_false_alarms_are_counted_by_channels():
    lines = shown(make_calibration())
    assert "  RSS alone: 1 of 7 cases, 0 of 10 runs of a quiet process" in lines
    assert "  RSS and heap: 0 of 8 cases" in lines


def test_a_heap_that_could_not_be_seen_is_said():
    lines = shown(make_calibration(heap="off (allocator replaced)"))
    assert "By RSS and heap, which was off (allocator replaced), 50 iterations" in lines


def test_quick_is_said():
    assert "Calibration (quick): what is found against what is true, MB per iteration" in shown(
        make_calibration(quick=True)
    )


def test_no_table_is_wider_than_the_terminal():
    lines = calibration_lines(make_calibration(), width=80)
    assert max(len(line.text) for line in lines if line.role in ("row", "heading", "rule")) <= 80


def test_the_summary_is_one_sentence_of_the_longest_runs():
    assert summary(make_calibration()) == (
        "Calibration of 2026-11-21: the smallest leak that was found every time in 100 iterations of a quiet process: "
        "0.125 MB per iteration by RSS alone, 0.025 MB per iteration by RSS and heap; false alarms: 1 of 25"
    )
