"""The worker of a leak check imports what the test imports, where two releases of one package lie about."""

import os
import sys

import pytest

pytest_plugins = ["pytester"]

OLD = "VERSION = 'old'\ndef job():\n    pass\n"
NEW = "VERSION = 'new'\nkept = []\ndef job():\n    kept.append(bytearray(1000))\n"
TEST = """
import shelf

def test_it(leak_check):
    assert shelf.VERSION == "new"
    leak_check(shelf.job, iterations=10, max_time=1)
"""


@pytest.fixture(autouse=True)
def _no_other_plugin(monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "orchestrator.leakgate.plugin")


@pytest.fixture
def releases(pytester, monkeypatch):
    """An older release that is installed, as far as ``sys.path`` tells, and the one under ``src`` that is tested."""
    installed, source = pytester.mkdir("installed"), pytester.mkdir("src")
    for folder, text in ((installed, OLD), (source, NEW)):
        (folder / "shelf").mkdir()
        (folder / "shelf" / "__init__.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(installed))
    return installed, source


@pytest.mark.parametrize("way", ["ini", "PYTHONPATH", "conftest", "src conftest, importlib"])
def test_the_release_that_the_test_has_is_the_one_that_is_checked(pytester, releases, monkeypatch, way):
    """The new release leaks, so that a check of the old one would pass."""
    installed, source = releases
    flags = []
    if way == "ini":
        pytester.makeini("[pytest]\npythonpath = src")
    elif way == "PYTHONPATH":
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(source), str(installed)]))
    else:
        pytester.makeconftest(f"import sys\nsys.path.insert(0, {str(source)!r})")
        flags = ["--import-mode=importlib"] if "importlib" in way else []
    pytester.makepyfile(test_shelf=TEST)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *flags)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["leak_check(shelf:job): leak"])


def test_other_files_than_those_of_the_test_are_an_error_that_names_both(pytester, releases):
    """The test loaded the new release and put the path back: another process would find the old one."""
    installed, source = releases
    lines = ["import sys", f"sys.path.insert(0, {str(source)!r})", "import shelf", "sys.path.pop(0)"]
    pytester.makepyfile(helper="import shelf\ndef job():\n    pass\n")
    pytester.makeconftest("\n".join(lines))
    pytester.makepyfile(test_shelf="import helper\ndef test_it(leak_check):\n    leak_check(helper.job)\n")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    old, new = installed / "shelf" / "__init__.py", source / "shelf" / "__init__.py"
    result.stdout.fnmatch_lines([f"*helper:job*shelf is {old} in the worker and {new} in this test run*"])


def test_a_package_that_our_worker_uses_itself_is_the_test_s_own_release(pytester, monkeypatch):
    """msgspec, and what it imports, is loaded in a worker before anybody has said where to look."""
    folder = pytester.mkdir("vendored")
    (folder / "typing_extensions.py").write_text("import typing\nfrom typing import *\nMINE = True\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    test = (
        "import typing_extensions\n"
        "def job():\n    import typing_extensions\n    assert typing_extensions.MINE\n"
        "def test_it(leak_check):\n    leak_check(job, iterations=10, max_time=1)\n"
    )
    pytester.makepyfile(test_it=test)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_multiprocessing_in_the_test_is_no_difference(pytester):
    test = (
        "import concurrent.futures.process, multiprocessing.util\n"
        "def job():\n    pass\n"
        "def test_it(leak_check):\n    leak_check(job, iterations=10, max_time=1)\n"
    )
    pytester.makepyfile(test_it=test)
    done = pytester.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=1)


REFUSED = """
import functools, pytest

class Machine:
    def turn(self): pass
    def __call__(self): pass

@pytest.fixture
def prepared():
    return lambda: None

def plain(where=None): pass

def test_closure(leak_check):
    word = "x"
    def job(): return word
    leak_check(job)

def test_lambda(leak_check): leak_check(lambda: None)
def test_partial(leak_check): leak_check(functools.partial(lambda size: None, 3))
def test_fixture_itself(leak_check): leak_check(prepared)
def test_what_a_fixture_gives(leak_check, prepared): leak_check(prepared)
def test_method(leak_check): leak_check(Machine().turn)
def test_object(leak_check): leak_check(Machine())
def test_called_already(leak_check): leak_check(plain())
def test_argument(leak_check, tmp_path): leak_check(plain, args=[tmp_path])
def test_keyword(leak_check): leak_check(plain, kwargs={"where": object()})
"""


def test_what_another_process_cannot_have_is_refused_with_the_cure(pytester):
    pytester.makepyfile(test_it=REFUSED)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-rf")
    result.assert_outcomes(failed=10)
    said = [line for line in result.outlines if line.startswith("leak_check: ")]
    words = [
        "a function inside a function cannot be imported",
        "a lambda has no name in another process",
        "functools.partial of ",
        "prepared is a fixture, which pytest alone may call",
        "a lambda has no name in another process",
        "Machine.turn is a bound method",
        "Machine object at",
        "None cannot be called; give a function, not what it returns",
        "args[0] is of type PosixPath, which cannot be sent",
        "kwargs['where'] is of type object, which cannot be sent",
    ]
    assert len(said) == len(words)
    for line, word in zip(said, words, strict=True):
        assert word in line
        assert "top level of a module" in line or "give a function" in line
    assert "Traceback" not in result.stdout.str()
    assert "During handling" not in result.stdout.str()
