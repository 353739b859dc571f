"""The gate: verdicts and limits in, passed, broken or inconclusive out; and its JUnit file."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from orchestrator.analysis.judging.judged import AgainstBaseline, BeyondBaseline, CountJudgement, Growth
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.gated import Gated
from orchestrator.config.types import GateConfig
from orchestrator.experiments.judging.junit import junit_xml
from orchestrator.experiments.judging.leak_gate import check_gate


def judged(verdict, rate=(0.0, 0.0, 0.0), rss=None, method="restart", **facts):
    """A judgement with ``rate`` as (low, rate, high); that of RSS is the same unless said."""
    outside = rss or rate
    known = {
        "experiment": "exp2", "series": method, "method": method, "outcome": "completed", "sentence": "completed",
        "boundary": "after_infer", "iterations": 50, "tolerance": 0.1, "rate_channel": "rss_anon",
        "ci_low": rate[0], "rate_mb_per_iteration": rate[1], "ci_high": rate[2],
        "rss_ci_low": outside[0], "rss_rate_mb_per_iteration": outside[1], "rss_ci_high": outside[2],
        "reasons": ["because"],
    }  # fmt: skip
    return Judgement(verdict=verdict, **(known | facts))


LEAK = judged("leak", (0.9, 1.0, 1.1))


@pytest.mark.parametrize(
    ("verdict", "result"),
    [
        ("leak", "broken"),
        ("flat", "passed"),
        ("plateau", "passed"),
        ("bounded", "passed"),
        ("slow-growth", "inconclusive"),
        ("inconclusive", "inconclusive"),
        ("crashed", "broken"),
        ("unavailable", "inconclusive"),
    ],
)
def test_without_a_limit_the_verdict_decides(verdict, result):
    assert check_gate(GateConfig(), [judged(verdict)]).result == result


@pytest.mark.parametrize(
    ("verdict", "rate", "limit", "result"),
    [
        ("leak", (0.9, 1.0, 1.1), 2.0, "passed"),
        ("leak", (0.9, 1.0, 1.1), 0.5, "broken"),
        ("leak", (0.9, 1.0, 1.1), 1.0, "inconclusive"),
        ("leak", (0.9, 1.0, 1.1), 1.1, "passed"),
        ("inconclusive", (-0.3, 0.0, 0.3), 0.5, "passed"),
        ("inconclusive", (-0.3, 0.0, 0.3), 0.2, "inconclusive"),
        ("inconclusive", (None, 0.0, None), 0.2, "inconclusive"),
        ("slow-growth", (0.3, 0.4, 0.5), 0.2, "broken"),
        ("bounded", (-2.0, 0.0, 2.0), 0.1, "passed"),
        ("flat", (-0.01, 0.0, 0.01), 0.02, "passed"),
        ("flat", (0.03, 0.04, 0.05), 0.02, "inconclusive"),
    ],
)
def test_with_a_limit_the_interval_decides(verdict, rate, limit, result):
    gate = GateConfig(max_rate_mb_per_iteration=limit)
    assert check_gate(gate, [judged(verdict, rate)]).result == result


def test_a_heap_within_the_limit_does_not_excuse_an_rss_beyond_it():
    moonshine = judged("leak", (0.29, 0.3, 0.31), rss=(6.8, 6.9, 7.0), rate_channel="live")
    gate = GateConfig(max_rate_mb_per_iteration=1.0)
    result = check_gate(gate, [moonshine])
    assert result.result == "broken"
    assert "RSS by 6.90" in result.series[0].reason


@pytest.mark.parametrize(("meant", "result"), [("fail", "broken"), ("pass", "passed"), ("inconclusive",) * 2])
def test_what_inconclusive_means_is_the_users_to_say(meant, result):
    unclear = judged("inconclusive", (-1, 0, 1), settle=["more"])
    assert check_gate(GateConfig(inconclusive=meant), [unclear]).result == result
    assert check_gate(GateConfig(inconclusive=meant), []).result == result


def test_a_leak_outweighs_what_is_inconclusive():
    result = check_gate(GateConfig(), [judged("inconclusive"), LEAK, judged("flat")])
    assert (result.result, result.reason) == ("broken", "1 of 3 series broken")


def test_the_baseline_is_gated_only_when_named_or_alone():
    baseline = judged("leak", (0.9, 1.0, 1.1), method="recycle")
    assert check_gate(GateConfig(), [judged("flat"), baseline]).result == "passed"
    assert check_gate(GateConfig(methods=["recycle"]), [judged("flat"), baseline]).result == "broken"
    assert check_gate(GateConfig(), [baseline]).result == "broken"


def test_methods_that_did_not_run_leave_the_gate_open_to_doubt():
    result = check_gate(GateConfig(methods=["reuse"]), [LEAK])
    assert (result.result, result.reason) == ("inconclusive", "no series of reuse in this run")


OPEN = CountJudgement(verdict="leak", first=12, last=61, rate_per_iteration=1.0, ci_low=1.0, ci_high=1.0)
SAME = CountJudgement(verdict="flat", first=12, last=12, rate_per_iteration=0.0)
RISING = CountJudgement(verdict="inconclusive", first=12, last=14, rate_per_iteration=0.1)


@pytest.mark.parametrize("name", ["descriptors", "threads"])
@pytest.mark.parametrize(
    ("found", "result"),
    [(OPEN, "broken"), (SAME, "passed"), (RISING, "inconclusive"), (None, "inconclusive")],
)
def test_what_is_counted_is_gated_when_the_table_asks_for_it(name, found, result):
    series = [judged("flat", **{name: found})]
    assert check_gate(GateConfig(**{name: True}), series).result == result
    assert check_gate(GateConfig(), series).result == "passed"


def test_junit_tells_open_descriptors_from_a_leak_of_memory():
    kept = judged("flat", descriptors=OPEN)
    [case] = ET.fromstring(junit_xml(check_gate(GateConfig(descriptors=True), [kept])))[0]
    assert case.find("failure").get("type") == "descriptors"


def test_what_inconclusive_means_holds_for_counts_too():
    rising = judged("flat", descriptors=RISING)
    assert check_gate(GateConfig(descriptors=True, inconclusive="fail"), [rising]).result == "broken"


def test_open_descriptors_do_not_hide_a_leak_of_memory():
    leak = judged("leak", (0.9, 1.0, 1.1), descriptors=SAME)
    assert (
        check_gate(GateConfig(descriptors=True), [leak])
        .series[0]
        .reason.startswith("leak: anonymous and shared memory grows by 1.00")
    )


def test_junit_says_what_the_report_says():
    held = AgainstBaseline(
        series="recycle",
        boundary="after_infer",
        iterations=50,
        rate_channel="rss",
        channels={"rss": BeyondBaseline(beyond_mb_per_iteration=1.0, beyond_ci_low=0.9, beyond_ci_high=1.1)},
    )
    leak = judged(
        "leak", (0.9, 1.0, 1.1), descriptors=OPEN, against_baseline=held, composition=Growth(live_heap=1.0)
    )
    [case] = ET.fromstring(junit_xml(check_gate(GateConfig(), [leak])))[0]
    assert case.find("failure").text.splitlines() == [
        "beyond fresh processes: RSS 1.00 ± 0.10 MB per iteration",
        "made of: live heap 1.00 MB per iteration",
        "because: because",
        "50 iterations; accepted: 0.100 MB per iteration",
        "descriptors: leak, 1.00 ± 0.00 per iteration (12 at first, 61 at last)",
    ]


def test_junit_has_a_suite_per_experiment_and_survives_stderr_tail():
    died = judged("crashed", sentence="crashed: \x1b[31mSIGABRT\x00", experiment="exp4", reasons=["\x07bell"])
    unclear = judged("inconclusive", method="reuse", settle=["more"])
    root = ET.fromstring(junit_xml(check_gate(GateConfig(), [LEAK, unclear, judged("flat"), died])))
    assert root.attrib == {"name": "orchestrator gate", "tests": "4", "failures": "2", "errors": "1"}
    assert [suite.get("name") for suite in root] == ["exp2", "exp4"]
    leak, unsure, clean = root[0]
    assert (
        leak.find("failure")
        .get("message")
        .startswith("leak: anonymous and shared memory grows by 1.00 ± 0.10 MB per iteration")
    )
    assert unsure.find("error").text.splitlines()[-1] == "to settle it: more"
    assert (clean.get("name"), [part.tag for part in clean]) == ("restart", ["system-out"])
    assert root[1][0].find("failure").get("type") == "crashed"


@pytest.mark.parametrize(
    ("table", "flag", "code"),
    [
        (None, None, ExitCode.DONE),
        (None, "leak", ExitCode.BROKEN),
        (GateConfig(), None, ExitCode.BROKEN),
        (GateConfig(), "off", ExitCode.DONE),
        (GateConfig(max_rate_mb_per_iteration=5), "leak", ExitCode.DONE),
    ],
)
def test_the_table_or_the_flag_switches_it_on(table, flag, code, tmp_path, capsys):
    file = tmp_path / "gate.xml"
    assert Gated(table, flag, file).check([LEAK]) == code
    assert ET.parse(file).getroot().get("tests") == "1"
    said = capsys.readouterr()
    assert said.out == ""
    assert ("exp2/restart: broken: leak: anonymous" in said.err) == (code == ExitCode.BROKEN)


def test_an_inconclusive_gate_has_an_exit_code_of_its_own(capsys):
    assert Gated(GateConfig(), None, None).check([judged("inconclusive")]) == ExitCode.INCONCLUSIVE
    assert "gate: inconclusive: 1 of 1 series inconclusive" in capsys.readouterr().err


def test_a_result_is_not_said_twice(capsys):
    Gated(GateConfig(), None, None).check([judged("inconclusive", (1.9, 2.0, 2.1))])
    assert (
        "  exp2/restart: inconclusive: anonymous and shared memory grows by 2.00 ± 0.10 MB per iteration"
        in capsys.readouterr().err
    )
