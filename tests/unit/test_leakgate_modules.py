"""Which modules of a worker count as others than those of the test run."""

import sys
import types

import pytest

from orchestrator.leakgate.modules import differences


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A package ``shelf_of_tests`` on the path, loaded, and a folder with another release of it."""
    for release in ("here", "there"):
        folder = tmp_path / release / "shelf_of_tests"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "part.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "here"))
    __import__("shelf_of_tests.part")
    yield tmp_path / "there" / "shelf_of_tests"
    for name in ("shelf_of_tests", "shelf_of_tests.part"):
        del sys.modules[name]


def test_another_release_is_named_once_with_both_files(shelf):
    theirs = {"shelf_of_tests": str(shelf / "__init__.py"), "shelf_of_tests.part": str(shelf / "part.py")}
    ours = sys.modules["shelf_of_tests"].__file__
    assert differences(theirs) == [
        f"shelf_of_tests is {shelf / '__init__.py'} in the worker and {ours} in this test run"
    ]


def test_the_same_file_by_another_path_is_no_difference(shelf, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "here")
    assert differences({"shelf_of_tests": str(tmp_path / "link" / "shelf_of_tests" / "__init__.py")}) == []


@pytest.mark.parametrize(
    "name", ["__main__", "__mp_main__", "orchestrator_worker.loop", "_helper_nobody_imports"]
)
def test_what_is_another_module_on_each_side_by_nature_is_not_compared(monkeypatch, name):
    """Such as the helper that the extension modules of scipy and pandas each enter under one name."""
    module = types.ModuleType(name)
    module.__file__ = "/one/file.so"
    monkeypatch.setitem(sys.modules, name, module)
    assert differences({name: "/another/file.so"}) == []


def test_modules_that_one_side_alone_has_loaded_are_not_compared():
    assert differences({"a_module_that_is_loaded_nowhere_here": "/some/file.py"}) == []
