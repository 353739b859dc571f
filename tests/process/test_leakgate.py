"""The pytest plugin in pytest runs of its own: functions that leak, that do not, that die, that cannot be imported."""

import subprocess
import sys

import pytest

# Here, because a pytest run inside of this process forgets what it has imported, and numpy is imported once.
import orchestrator.leakgate.check  # noqa: F401

pytest_plugins = ["pytester"]

FUNCTIONS = """
import functools, os, sys

kept = []

def leaks(kib=512):
    kept.append(bytearray(kib * 1024))

def clean():
    return bytearray(512 * 1024)

def aborts():
    os.abort()

def raises():
    raise ValueError("boom")

def hangs():
    while True:
        pass

def returns_what_cannot_travel():
    return object()

class Thing:
    def method(self):
        pass

half = functools.partial(leaks, 256)
"""


@pytest.fixture(autouse=True)
def _no_other_plugin(monkeypatch):
    """Loading every plugin there is takes most of a small pytest run; one test below does without this."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "orchestrator.leakgate.plugin")


@pytest.fixture
def session(pytester):
    """Write ``lines`` as a test module beside the functions, run it, and return the result."""

    def run(lines, *flags, ini="", runner=pytester.runpytest_inprocess):
        pytester.makeini(f"[pytest]\naddopts = -p no:cacheprovider -W error --strict-markers\n{ini}")
        pytester.makepyfile(test_jobs=f"{FUNCTIONS}\n{lines}")
        return runner(*flags)

    return run


def check(job, **settings):
    said = "".join(f", {name}={value!r}" for name, value in settings.items())
    return f"def test_it(leak_check):\n    leak_check({job}{said})\n"


def test_a_leak_fails_with_verdict_rate_interval_reason_and_parts(session):
    result = session(check("leaks", iterations=20))
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines_random(
        [
            r"leak_check\(test_jobs:leaks\): leak$",
            r"  The live heap grows by 0\.50 ± 0\.\d+ MB per iteration, RSS by 0\.",
            r"  20 readings, \d+ calls before each; \d+ calls in all; the smallest leak it would have found: \d+ bytes",
            r"  because: the live heap grows and is not given back",
            r"  made of: .*live heap 0\.50",
        ]
    )


def test_its_fixed_twin_passes_and_gives_its_judgement(session):
    test = "def test_it(leak_check):\n    assert leak_check(clean, iterations=20).verdict in ('flat', 'plateau')\n"
    session(test).assert_outcomes(passed=1)


def test_an_abort_in_native_code_fails_that_test_alone_and_says_how_it_died(session):
    result = session(check("aborts") + "def test_other():\n    pass\n")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.re_match_lines_random(
        [r"leak_check\(test_jobs:aborts\): crashed at iteration 1 .*SIGABRT", r".*line \d+ in aborts"]
    )


def test_an_exception_fails_with_its_own_traceback(session):
    result = session(check("raises"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["leak_check(test_jobs:raises): failed*ValueError: boom", '*raise ValueError("boom")']
    )


def test_a_hang_ends_after_its_timeout(session):
    result = session(check("hangs", timeout=0.2))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["leak_check(test_jobs:hangs): timeout*no answer within 0.2 s"])


def test_a_result_that_cannot_be_sent_is_not_looked_at(session):
    session(check("returns_what_cannot_travel", iterations=10)).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("settings", "outcome"),
    [({"max_rate": 0.4}, "failed"), ({"max_rate": 0.7}, "passed")],
    ids=["above", "below"],
)
def test_growth_is_let_through_up_to_a_limit(session, settings, outcome):
    result = session(check("leaks", iterations=20, **settings))
    result.assert_outcomes(**{outcome: 1})
    if outcome == "failed":
        result.stdout.fnmatch_lines(["leak_check(test_jobs:leaks): leak; let through: 0.4 MB per iteration"])


def test_arguments_are_handed_on_and_a_partial_has_its_own(session):
    lines = [
        "def test_keyword(leak_check): leak_check(leaks, kwargs={'kib': 1024}, iterations=20)",
        "def test_partial(leak_check): leak_check(half, iterations=20)",
    ]
    result = session("\n".join(lines))
    result.assert_outcomes(failed=2)
    result.stdout.re_match_lines_random(
        [r"  The live heap grows by 1\.0\d* ", r"  The live heap grows by 0\.25\d* "]
    )


@pytest.mark.parametrize(
    ("job", "cure"),
    [
        ("lambda: None", "a lambda has no name in another process"),
        ("Thing().method", "importing that name does not give this object (a bound method?)"),
        ("42", "42 cannot be called; give a function"),
    ],
)
def test_what_cannot_be_imported_is_refused_with_the_cure(session, job, cure):
    result = session(check(job))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"leak_check: *{cure}*".replace("(", "[(]").replace("?", "[?]")])
    assert "Traceback" not in result.stdout.str()


def test_a_closure_is_refused(session):
    test = "def test_it(leak_check):\n    def inner(): pass\n    leak_check(inner)\n"
    result = session(test)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*a function inside a function cannot be imported; define a function at the top*"]
    )


# ------------------------------------------------------------------ where test modules lie


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
@pytest.mark.parametrize("package", [False, True], ids=["plain folder", "package"])
def test_functions_of_a_test_module_in_a_folder_are_found(pytester, mode, package):
    folder = pytester.mkdir("checks")
    if package:
        (folder / "__init__.py").write_text("")
    (folder / "test_jobs.py").write_text(f"{FUNCTIONS}\n{check('leaks', iterations=12)}")
    result = pytester.runpytest_inprocess(f"--import-mode={mode}", "-W", "error")
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines([r"leak_check\((checks\.)?test_jobs:leaks\): leak$"])


def test_two_modules_of_one_name_are_not_mixed_up(pytester):
    """With importlib both are called by their folder; a file on sys.path under that name is another one."""
    pytester.makepyfile(**{"checks/test_jobs": f"{FUNCTIONS}\n{check('clean', iterations=12)}"})
    elsewhere = pytester.mkdir("elsewhere")
    (elsewhere / "checks").mkdir()
    (elsewhere / "checks" / "__init__.py").write_text("")
    (elsewhere / "checks" / "test_jobs.py").write_text("def clean(): raise SystemExit('the wrong one')\n")
    pytester.makeconftest(f"import sys\nsys.path.insert(0, {str(elsewhere)!r})\n")
    result = pytester.runpytest_inprocess("--import-mode=importlib", "checks")
    assert "the wrong one" not in result.stdout.str()
    if result.parseoutcomes().get("failed"):
        result.stdout.fnmatch_lines(["*two modules have that name on sys.path*"])
    else:
        result.assert_outcomes(passed=1)


# ------------------------------------------------------------------ beside other plugins


def test_it_comes_with_the_package_and_works_under_xdist(session, pytester, monkeypatch):
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.delenv("PYTEST_PLUGINS")
    lines = "\n".join(
        f"def test_{number}(leak_check): leak_check({job}, iterations=12)"
        for number, job in enumerate(("leaks", "clean", "aborts"))
    )
    result = session(lines, "-n", "2", runner=pytester.runpytest_subprocess)
    result.assert_outcomes(failed=2, passed=1)


def test_a_pytest_run_that_does_not_use_it_imports_nothing_but_the_plugin():
    lines = [
        "import sys, pytest",
        "before = set(sys.modules)",
        "import orchestrator.leakgate.plugin",
        "print(*sorted(set(sys.modules) - before))",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == [
        "orchestrator",
        "orchestrator.leakgate",
        "orchestrator.leakgate.own_name",
        "orchestrator.leakgate.plugin",
        "orchestrator.leakgate.settings",
    ]
