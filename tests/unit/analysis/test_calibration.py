"""A verdict held against the truth."""

import msgspec
import pytest

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.analysis.planning.calibration import Calibration, CaseResult, Found, call_of, hold_against


@pytest.mark.parametrize(
    ("truth", "channels", "verdict", "call"),
    [
        ("leak", "rss", "leak", "right"),
        ("leak", "rss,heap", "plateau", "missed"),
        ("leak", "rss,heap", "inconclusive", "undecided"),
        ("leak", "rss", "crashed", "undecided"),
        ("no leak", "rss", "leak", "false alarm"),
        ("no leak", "rss,heap", "bounded", "right"),
        ("no leak", "rss,heap", "slow-growth", "undecided"),
        ("held", "rss", "leak", "right"),  # it does grow, and RSS cannot see why
        ("held", "rss", "inconclusive", "undecided"),
        ("held", "rss,heap", "leak", "false alarm"),
        ("held", "rss,heap", "inconclusive", "right"),
        ("held", "rss,heap", "flat", "missed"),
    ],
)
def test_what_a_verdict_is_worth(truth, channels, verdict, call):
    assert call_of(truth, channels, verdict) == call


def judged(verdict, rate):
    return Judgement(
        experiment="case",
        series="reuse",
        method="reuse",
        verdict=verdict,
        outcome="completed",
        sentence="completed 50 iterations",
        boundary="after_infer",
        rate_mb_per_iteration=rate,
        ci_low=None if rate is None else rate - 0.1,
        ci_high=None if rate is None else rate + 0.1,
        rate_channel="live",
    )


def test_the_error_is_the_rate_found_less_the_true_one():
    found = hold_against("leak", 0.5, "rss,heap", judged("leak", 0.53))
    assert found.error_mb_per_iteration == pytest.approx(0.03)
    assert (found.ci_low, found.ci_high) == (pytest.approx(0.43), pytest.approx(0.63))


def test_without_a_rate_there_is_no_error():
    assert hold_against("leak", 0.5, "rss", judged("crashed", None)).error_mb_per_iteration is None


def calibration(*calls):
    found = [Found(channels=channels, verdict="flat", call=call) for channels, call in calls]
    case = CaseResult(
        name="nothing",
        what="nothing",
        method="reuse",
        truth="no leak",
        true_rate_mb_per_iteration=0.0,
        iterations=50,
        sentence="completed 50 iterations",
        found=found,
    )
    return Calibration(
        created_at="2026-11-21T00:00:00+00:00",
        seconds=1.0,
        quick=True,
        host={},
        packages={},
        tool_version="0.1.0",
        heap="mallinfo2",
        backgrounds={},
        cases=[case],
        smallest=[],
        false_alarms=[],
    )


@pytest.mark.parametrize(
    ("calls", "sound"),
    [
        ([("rss", "right"), ("rss,heap", "right")], True),
        ([("rss", "false alarm"), ("rss,heap", "right")], True),  # RSS alone is known to be limited
        ([("rss", "right"), ("rss,heap", "false alarm")], False),
        ([("rss", "right"), ("rss,heap", "missed")], False),
        ([("rss", "right"), ("rss,heap", "undecided")], True),
    ],
)
def test_a_calibration_is_sound_unless_the_heap_channel_errs(calls, sound):
    assert calibration(*calls).sound is sound


@pytest.mark.parametrize(
    ("calls", "beyond", "trust"),
    [
        ({"right": 3}, "", "trusted"),
        ({"right": 2, "undecided": 1}, "", "open"),
        ({"right": 2, "missed": 1}, "", "wrong"),
        ({"right": 2, "false alarm": 1}, "", "wrong"),
        ({"missed": 3}, "1 in 50 iterations", "beyond"),
        ({"right": 3}, "1 in 50 iterations", "trusted"),
        ({}, "", "trusted"),
    ],
)
def test_whether_a_verdict_on_such_a_process_can_be_trusted(calls, beyond, trust):
    found = msgspec.structs.replace(hold_against("leak", 0.5, "rss,heap", judged("leak", 0.5)), calls=calls)
    case = CaseResult(
        name="c", what="", method="reuse", truth="leak", true_rate_mb_per_iteration=0.5, iterations=50,
        sentence="", found=[found], beyond=beyond,
    )  # fmt: skip
    assert case.trust("rss,heap") == trust
