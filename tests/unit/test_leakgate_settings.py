"""The settings of the pytest plugin and what they do, with a measurement that is only pretended."""

import pytest

from orchestrator.experiments.storage.records import SeriesEnd
from orchestrator.leakgate import check
from orchestrator.leakgate.measuring import Measured
from orchestrator.leakgate.result import LeakCheckResult

pytest_plugins = ["pytester"]

FUNCTIONS = "def clean(): pass\ndef leaks(): pass\ndef undecided(): pass\n"
VERDICTS = {"clean": "flat", "leaks": "leak", "undecided": "inconclusive"}


class Pretended:
    """Judges by the function's name, and remembers what it was asked for."""

    def __init__(self):
        self.asked = []
        self.others = []

    def __call__(self, target, *, iterations, timeout_s, **others):
        self.asked.append((iterations, timeout_s))
        self.others.append(others)
        module, name = target.name.split(":")
        judged = LeakCheckResult(
            experiment=module,
            series="reuse",
            method="reuse",
            verdict=VERDICTS[name],
            outcome="completed",
            sentence=f"completed {iterations} iterations",
            boundary="after_infer",
            iterations=iterations,
            tolerance=0.1,
            rate_mb_per_iteration=0.5 if name == "leaks" else 0.0,
            ci_low=0.49 if name == "leaks" else -0.01,
            ci_high={"leaks": 0.51, "undecided": 0.3, "clean": 0.01}[name],
            rate_channel="live",
            rss_rate_mb_per_iteration=0.5 if name == "leaks" else 0.0,
            rss_ci_low=0.49 if name == "leaks" else -0.01,
            rss_ci_high=0.51 if name == "leaks" else 0.01,
            smallest_leak_bytes=64.0,
            reasons=["so it was told"],
            settle=["ask somebody else"] if name == "undecided" else [],
        )
        return Measured(judged, SeriesEnd(module, "reuse", "completed", iterations))


@pytest.fixture
def pretended(monkeypatch):
    pretending = Pretended()
    monkeypatch.setattr(check, "measure", pretending)
    return pretending


@pytest.fixture(autouse=True)
def _no_other_plugin(monkeypatch):
    """Whether the installed package brings its plugin is another test's question; here loading them all takes most."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "orchestrator.leakgate.plugin")


@pytest.fixture
def session(pytester, pretended):
    """Write ``lines`` as a test module beside the functions, run it in this process, and return the result."""

    def run(lines, *flags, ini=""):
        pytester.makeini(f"[pytest]\naddopts = -p no:cacheprovider -W error --strict-markers\n{ini}")
        pytester.makepyfile(test_jobs=f"import pytest\n{FUNCTIONS}\n{lines}")
        return pytester.runpytest_inprocess(*flags)

    return run


@pytest.mark.parametrize(
    ("setting", "outcome"), [("fail", "failed"), ("pass", "passed"), ("skip", "skipped")]
)
def test_what_a_check_that_decides_nothing_does_is_said(session, setting, outcome):
    result = session(f"def test_it(leak_check): leak_check(undecided, inconclusive={setting!r})", "-rs")
    result.assert_outcomes(**{outcome: 1})
    if outcome == "failed":
        result.stdout.fnmatch_lines(
            [
                "leak_check(test_jobs:undecided): inconclusive",
                "  because: so it was told",
                "  to settle it: ask *",
            ]
        )


def test_by_default_it_fails(session):
    session("def test_it(leak_check): leak_check(undecided)").assert_outcomes(failed=1)


@pytest.mark.parametrize("setting", ["pass", "skip"])
def test_a_leak_fails_whatever_an_undecided_check_does(session, setting):
    result = session("def test_it(leak_check): leak_check(leaks)", f"--leakgate-inconclusive={setting}")
    result.assert_outcomes(failed=1)


CLOSEST = """
pytestmark = pytest.mark.leakgate(timeout=30)

def test_session(leak_check):
    leak_check(clean)

@pytest.mark.leakgate(iterations=13)
def test_marker(leak_check):
    leak_check(clean)

@pytest.mark.leakgate(iterations=13, timeout=31)
def test_argument(leak_check):
    leak_check(clean, iterations=14)
"""


@pytest.mark.parametrize(
    ("flags", "ini", "session_iterations"),
    [
        ([], "", 50),
        ([], "leakgate_iterations = 11", 11),
        (["--leakgate-iterations", "12"], "leakgate_iterations = 11", 12),
    ],
    ids=["default", "ini", "command line"],
)
def test_the_closest_word_holds(session, pretended, flags, ini, session_iterations):
    session(CLOSEST, *flags, ini=ini).assert_outcomes(passed=3)
    assert pretended.asked == [(session_iterations, 30), (13, 30), (14, 31)]


EVERYTHING = ["descriptors", "threads", "children", "zombies", "shared_memory"]
SWITCHES = """
@pytest.mark.leakgate(children=False, threads=True)
def test_marker(leak_check):
    leak_check(clean)

def test_argument(leak_check):
    leak_check(clean, memory=False, zombies=False)
"""


@pytest.mark.parametrize(
    ("flags", "ini", "off"),
    [
        ([], "", set()),
        ([], "leakgate_descriptors = no", {"descriptors"}),
        (["--leakgate-shared-memory=off"], "leakgate_threads = false", {"shared_memory", "threads"}),
        (["--leakgate-threads=yes"], "leakgate_threads = false", set()),
    ],
    ids=["default", "ini", "command line and ini", "command line over ini"],
)
def test_each_resource_has_its_own_switch(session, pretended, flags, ini, off):
    session(SWITCHES, *flags, ini=ini).assert_outcomes(passed=2)
    by_marker, by_argument = pretended.others
    assert by_marker["counted"] == [
        each for each in EVERYTHING if each not in (off | {"children"}) - {"threads"}
    ]
    assert by_argument["counted"] == [each for each in EVERYTHING if each not in off | {"zombies"}]
    assert by_marker["memory"]
    assert not by_argument["memory"]


@pytest.mark.parametrize("table", ["tool.pytest.ini_options", "tool.pytest"])
def test_settings_may_stand_in_pyproject_as_numbers_and_booleans(pytester, pretended, table):
    if table == "tool.pytest" and pytest.version_tuple < (9, 2):
        pytest.skip("pytest reads values of more than one type in this table from release 9.2 on")
    lines = ["leakgate_iterations = 11", "leakgate_timeout = 2.5", "leakgate_zombies = false"]
    pytester.makepyprojecttoml("\n".join([f"[{table}]", *lines]))
    pytester.makepyfile(test_jobs=f"{FUNCTIONS}\ndef test_it(leak_check): leak_check(clean)")
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
    assert pretended.asked == [(11, 2.5)]
    assert "zombies" not in pretended.others[0]["counted"]


@pytest.mark.parametrize(
    ("line", "outcome"),
    [("leakgate_tolerance = 0.6", "passed"), ("leakgate_tolerance = 0.4", "failed"), ("", "failed")],
)
def test_growth_within_the_tolerance_is_accepted(session, line, outcome):
    session("def test_it(leak_check): leak_check(leaks)", ini=line).assert_outcomes(**{outcome: 1})


def test_growth_that_is_open_but_within_what_is_accepted_passes(session, monkeypatch):
    monkeypatch.setitem(VERDICTS, "clean", "slow-growth")
    session("def test_it(leak_check): leak_check(clean)").assert_outcomes(passed=1)


def test_what_a_passed_check_would_have_found_is_in_its_report(session):
    result = session("def test_it(leak_check): leak_check(clean)", "-rP")
    result.stdout.fnmatch_lines(
        [
            "leak_check(test_jobs:clean): no leak (flat); * the smallest leak it would have found: 64 bytes per call"
        ]
    )


def test_the_verdict_goes_into_the_junit_file(session, pytester):
    session("def test_it(leak_check): leak_check(clean)", "--junit-xml=out.xml").assert_outcomes(passed=1)
    assert (
        '<property name="leakgate" value="test_jobs:clean: flat"' in (pytester.path / "out.xml").read_text()
    )


def test_marker_and_options_are_in_the_help(pytester):
    pytester.runpytest_inprocess("--markers").stdout.fnmatch_lines(
        ["@pytest.mark.leakgate(iterations, max_rate*"]
    )
    pytester.runpytest_inprocess("--help").stdout.fnmatch_lines(["*--leakgate-max-rate=MAX_RATE*"])


@pytest.mark.parametrize(
    ("flags", "ini", "words"),
    [
        (
            ["--leakgate-iterations=9"],
            "",
            "--leakgate-iterations: iterations is 9, must be a whole number of at least 10",
        ),
        (["--leakgate-iterations=many"], "", "--leakgate-iterations: 'many' is no number"),
        (
            [],
            "leakgate_inconclusive = maybe",
            "leakgate_inconclusive of the ini file: * must be fail, pass or skip",
        ),
        (
            [],
            "leakgate_max_rate = -1",
            "leakgate_max_rate of the ini file: * must be MB per iteration, not below 0",
        ),
        (["--leakgate-threads=perhaps"], "", "--leakgate-threads: 'perhaps' is neither yes nor no"),
        (["--leakgate-timeout=0"], "", "--leakgate-timeout: timeout is 0.0, must be seconds above 0"),
    ],
)
def test_a_wrong_setting_is_a_usage_error(session, flags, ini, words):
    result = session("def test_it(): pass", *flags, ini=ini)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{words}*"])


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("@pytest.mark.leakgate(20)\ndef test_it(leak_check): pass", "as keywords, found (20,)"),
        ("@pytest.mark.leakgate(rate=1)\ndef test_it(leak_check): pass", "found ['rate']"),
        ("def test_it(leak_check): leak_check(clean, iterations=3)", "iterations is 3, must be a whole number"),
    ],
)  # fmt: skip
def test_a_wrong_word_in_a_test_fails_it(session, test, words):
    result = session(test)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert words in result.stdout.str()


@pytest.mark.parametrize(
    ("flag", "asked"), [("--leakgate-locate=yes", True), ("--leakgate-locate=no", False)]
)
def test_the_call_stacks_are_in_the_message_on_request(
    pretended: Pretended, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, flag: str, asked: bool
) -> None:
    monkeypatch.setattr(check, "located_lines", lambda target: [f"  where {target.name} leaks: here"])
    pytester.makepyfile(
        functions=FUNCTIONS,
        test_it="from functions import leaks\ndef test_it(leak_check): leak_check(leaks)\n",
    )
    result = pytester.runpytest_inprocess("-p", "orchestrator.leakgate.plugin", flag)
    result.assert_outcomes(failed=1)
    assert ("where functions:leaks leaks: here" in result.stdout.str()) is asked
