"""Options, marker and fixture. Every pytest run of the environment imports this, so it imports pytest alone.

What holds for one check, the first that says it: the argument of ``leak_check``, the marker ``leakgate``, the
command line, the ini file, the default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from orchestrator.leakgate import own_name
from orchestrator.leakgate.settings import OPTIONS, Option, check_setting

if TYPE_CHECKING:
    from orchestrator.leakgate.check import LeakCheck

_MARKER = f"leakgate({', '.join(OPTIONS)}): settings of leak_check for this test, as its arguments have them"
_SETTINGS: pytest.StashKey[dict[str, Any]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--leakgate-…`` and the ini keys ``leakgate_…``."""
    group = parser.getgroup("leakgate", "memory leaks of functions")
    for name, option in OPTIONS.items():
        flag = f"--leakgate-{name.replace('_', '-')}"
        group.addoption(flag, dest=f"leakgate_{name}", metavar=name.upper(), help=option.help)
        _add_ini(parser, f"leakgate_{name}", f"leak_check: {option.help}")


def _add_ini(parser: pytest.Parser, name: str, text: str) -> None:
    """Add an ini key. A TOML table may have numbers and booleans there, where pytest knows more than one type a key."""
    try:
        parser.addini(name, text, type=cast("Any", str | int | float | bool), default=None)
    except (AssertionError, TypeError, ValueError):
        parser.addini(name, text)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Give way to a module ``orchestrator`` of the project, before anything of the project is imported."""
    folders = [early_config.rootpath, early_config.invocation_params.dir, early_config.rootpath / "src"]
    own_name.give_way([*early_config.getini("pythonpath"), *folders])


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and read the settings.

    Raises:
        pytest.UsageError: A setting cannot be read; says which and what it may be.
    """
    config.addinivalue_line("markers", _MARKER)
    settings: dict[str, Any] = {}
    for name, option in OPTIONS.items():
        flag, ini = config.getoption(f"leakgate_{name}"), config.getini(f"leakgate_{name}")
        where = (
            f"--leakgate-{name.replace('_', '-')}" if flag is not None else f"leakgate_{name} of the ini file"
        )
        said = flag if flag is not None else None if ini in (None, "") else str(ini)
        settings[name] = option.default if said is None else _read(option, said, where)
        _check(name, settings[name], where)
    config.stash[_SETTINGS] = settings


def settings_of(item: pytest.Item) -> dict[str, Any]:
    """Return the settings of a test: the session's, with those of its markers, the closest one's word last.

    Raises:
        pytest.UsageError: A marker says what there is not, or what cannot be.
    """
    settings = item.config.stash[_SETTINGS].copy()
    for marker in reversed(list(item.iter_markers("leakgate"))):
        where = f"{item.nodeid}: marker leakgate"
        unknown = [name for name in marker.kwargs if name not in OPTIONS]
        if marker.args or unknown:
            raise pytest.UsageError(
                f"{where}: takes {', '.join(OPTIONS)} as keywords, found {unknown or marker.args}"
            )
        settings |= marker.kwargs
        for name in marker.kwargs:
            _check(name, settings[name], where)
    return settings


@pytest.fixture
def leak_check(request: pytest.FixtureRequest) -> LeakCheck:
    """Return a function that fails the test when a callable leaks.

    ``leak_check(job, args=…, kwargs=…, env=…, …)`` calls the importable ``job`` in a process of its own and judges
    what that process keeps: memory, descriptors, threads, children, shared memory. It takes the settings of the
    marker ``leakgate`` as keywords and returns the judgement.
    """
    if hidden := own_name.hidden_by():
        pytest.fail(f"leak_check: {hidden}", pytrace=False)
    from orchestrator.leakgate.check import LeakCheck  # noqa: PLC0415 - only tests that use it pay for it

    item: pytest.Item = request.node
    return LeakCheck(settings_of(item), item)


def _read(option: Option, said: str, where: str) -> Any:
    try:
        return option.read(said)
    except ValueError:
        what = "neither yes nor no" if isinstance(option.default, bool) else "no number"
        raise pytest.UsageError(f"{where}: {said!r} is {what}; {option.help}") from None


def _check(name: str, value: Any, where: str) -> None:
    if problem := check_setting(name, value):
        raise pytest.UsageError(f"{where}: {name} is {value!r}, must be {problem}")
