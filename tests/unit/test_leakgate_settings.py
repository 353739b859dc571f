"""The settings of the pytest plugin and what they do, with a measurement that is only pretended."""

import pytest

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.experiments.storage.records import SeriesEnd
from orchestrator.leakgate import check
from orchestrator.leakgate.measuring import Measured

pytest_plugins = ["pytester"]

FUNCTIONS = "def clean(): pass\ndef leaks(): pass\ndef undecided(): pass\n"
VERDICTS = {"clean": "flat", "leaks": "leak", "undecided": "inconclusive"}


class Pretended:
    """Judges by the function's name, and remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, target, *, iterations, timeout_s):
        self.asked.append((iterations, timeout_s))
        module, name = target.name.split(":")
        judged = Judgement(
            experiment=module,
            series="reuse",
            method="reuse",
            verdict=VERDICTS[name],
            outcome="completed",
            sentence=f"completed {iterations} iterations",
            boundary="after_infer",
            iterations=iterations,
            tolerance=0.1,
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
