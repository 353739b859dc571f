"""What must not be loaded by those who have no use for it: names of modules, as times depend on the machine."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = "from orchestrator.cli import main; main()"
WATCHED = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "


def loaded(program: str, *arguments: str) -> set[str]:
    """Return the names of all modules that a new interpreter has loaded at its end."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED + program, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


def heavy(modules: set[str], *names: str) -> set[str]:
    return {name for name in names if any(f"{each}.".startswith(f"{name}.") for each in modules)}


def test_the_package_alone_loads_nothing_of_its_halves() -> None:
    found = loaded("import orchestrator")
    assert "orchestrator" in found
    assert not heavy(found, "msgspec", "numpy", "scipy", "asyncio", "typer", "rich", "orchestrator.pool")


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_load_no_command(flag: str) -> None:
    found = loaded(SCRIPT, flag)
    assert "orchestrator.cli.command_table" in found
    assert not {name for name in found if name.startswith("orchestrator.cli.") and name.endswith("_command")}
    assert not heavy(found, "numpy", "scipy", "asyncio", "rich", "pydantic", "psutil", "msgspec")
    assert not heavy(found, "orchestrator.pool", "orchestrator.experiments", "orchestrator.analysis")


def test_a_command_loads_no_other(tmp_path: Path) -> None:
    found = loaded(SCRIPT, "init", str(tmp_path / "new"))
    commands = {name for name in found if name.startswith("orchestrator.cli.") and name.endswith("_command")}
    assert commands == {"orchestrator.cli.commands.init_command"}


def test_judging_a_csv_file_loads_what_judges_and_no_more(tmp_path: Path) -> None:
    rows = [f"{number},{100 + number % 3}" for number in range(40)]
    series = tmp_path / "series.csv"
    series.write_text("\n".join(["iteration,rss_mb", *rows]) + "\n")
    found = loaded(SCRIPT, "analyze", str(series))
    assert "orchestrator.analysis" in found
    assert not heavy(found, "scipy", "asyncio", "psutil", "rich.console")
    assert not heavy(found, "orchestrator.pool", "orchestrator.process", "orchestrator.config")
    assert not heavy(
        found, "orchestrator.experiments.storage.manifest", "orchestrator.experiments.judging.summary"
    )
