"""How a run ends: its last screen in a log, with and without anything to measure, and what CI gets of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lab import PATIENCE_S, Finished, Lab, align, asr, experiment, synthetic
from rich.cells import cell_len

LEAKY = {"small": synthetic(leak_kib_per_job=2048)}
GONE = {"small": synthetic(), "gone": {"engine": "chatllm", "file": "models/nowhere.bin"}}
MISSING = "model gone: "


def closing(done: Finished) -> list[str]:
    """The lines of the last screen."""
    lines = done.out.splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("RESULT"))
    return lines[at:]


@pytest.fixture(scope="module")
def leaked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, Finished, str]:
    """A run with a leak, its output, and the job's summary that it wrote."""
    lab = Lab(tmp_path_factory.mktemp("closing"))
    lab.write(experiment("leaky", "reuse", "recycle", iterations=20), models=LEAKY)
    summary = lab.folder / "summary.md"
    done = lab.run("run", "--report", "--annotations", "github", env={"GITHUB_STEP_SUMMARY": str(summary)})
    assert done.code == 0, done.err
    return lab, done, summary.read_text("utf-8")


def test_a_log_ends_with_the_result(leaked: tuple[Lab, Finished, str]) -> None:
    lines = closing(leaked[1])
    assert lines[0].startswith("RESULT  1 of 2 methods leaks · 1 does not · 0 undecided  ")
    assert lines[0].endswith(" s")
    assert lines[-1] == "Report: results/report.html"
    assert lines[-2] == "Engines: synthetic (profile lab; the only profile)"
    (row,) = (line for line in lines if " LEAK " in line)
    assert row.split()[:3] == ["leaky", "Reuse", "LEAK"]
    assert row.split()[3].startswith(("1.9", "2.0"))
    assert "WHAT TO DO" in lines
    assert any(line.startswith("  small: recycle after ") for line in lines)


def test_nothing_blinks_in_a_log_and_no_line_is_too_wide(leaked: tuple[Lab, Finished, str]) -> None:
    done = leaked[1]
    assert "\x1b" not in done.out + done.err
    assert "\r" not in done.out + done.err
    commands = "orchestrator "
    assert max(cell_len(line) for line in closing(done) if not line.strip().startswith(commands)) <= 80


def test_reasons_are_told_with_v_and_stand_in_the_report(leaked: tuple[Lab, Finished, str]) -> None:
    lab, done, _ = leaked
    words = ("because: ", "made of: ")
    assert not any(word in done.out + done.err for word in words)
    told = lab.run("run", "-v", "--results", "told")
    assert all(word in told.out for word in words)
    page = (lab.results / "report.html").read_text("utf-8")
    assert all(word in page for word in words)


def test_the_commands_it_names_can_be_typed(leaked: tuple[Lab, Finished, str]) -> None:
    lab, done, _ = leaked
    text = "\n".join(closing(done))
    command = text[text.index("orchestrator plan ") :].splitlines()[0].split()
    planned = lab.run(*command[1:])
    assert planned.code == 0, planned.err
    assert "[recycle]" in planned.out
    command = text[text.index("orchestrator locate ") :].splitlines()[0].split()
    assert command[2:] == ["experiments.toml", "--profile", "lab", "--only", "leaky", "--method", "reuse"]


def test_github_gets_a_table_and_annotations(leaked: tuple[Lab, Finished, str]) -> None:
    _, done, summary = leaked
    assert "| leaky transcribe | Reuse | 🔴 LEAK | " in summary
    assert "`results/report.html`" in summary
    (line,) = (line for line in done.out.splitlines() if line.startswith("::"))
    assert line.startswith("::error file=experiments.toml,title=leaky Reuse%3A LEAK::leak: ")


def test_json_is_alone_on_stdout_and_the_screen_on_stderr(lab: Lab) -> None:
    lab.write(experiment("leaky", "reuse", iterations=12), models=LEAKY)
    done = lab.run("run", "--json", "--annotations", "github")
    assert len(done.out.splitlines()) == 1
    assert "RESULT  " in done.err
    assert "\n::error " in done.err
    quiet = lab.run("run", "--json", "-q")
    assert (len(quiet.out.splitlines()), quiet.err) == (1, "")


def test_quiet_is_the_tables_and_what_came_out(lab: Lab) -> None:
    lab.write(experiment("leaky", "reuse", iterations=12), models=LEAKY)
    done = lab.run("run", "-q")
    assert done.err == ""
    lines = closing(done)
    assert "LEAK" in lines[-1]
    assert "WHAT TO DO" not in lines


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    folder = tmp_path / "lab"
    folder.mkdir()
    return Lab(folder)


def test_where_nothing_could_run_the_last_word_says_so(lab: Lab) -> None:
    lab.write(experiment("a", "reuse", "recycle", steps=[asr("gone")]), models=GONE)
    done = lab.run("run")
    assert done.code == 3
    lines = closing(done)
    assert lines[0].startswith("RESULT  none of 2 methods could run  ")
    assert lines[-1] == "nothing was measured"
    assert not any(line.startswith("Report: ") for line in lines)
    assert "done" not in done.err
    assert MISSING in done.err.split("a, Method")[0]


def test_what_is_missing_is_said_once_with_those_who_lack_it(lab: Lab) -> None:
    both = [asr("gone"), align("gone", text="previous")]
    lab.write(
        experiment("a", "recreate", steps=[asr("gone")], iterations=8),
        experiment("b", "recreate", steps=both, iterations=8),
        experiment("c", "recreate", iterations=8),
        models=GONE,
    )
    done = lab.run("run")
    assert done.code == 0, done.err
    text = " ".join("\n".join(closing(done)).split())
    assert text.count("models/nowhere.bin is not there") == 1
    assert f"a, b: {MISSING}" in text
    assert "2 did not run" in text


def test_a_dry_run_says_first_what_cannot_run_and_counts_only_the_rest(lab: Lab) -> None:
    lab.write(
        experiment("a", "recreate", steps=[asr("gone")], iterations=8),
        experiment("b", "recreate", iterations=8),
        models=GONE,
    )
    done = lab.run("run", "--dry-run")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    missing = next(at for at, line in enumerate(lines) if line.startswith(f"Cannot run: a: {MISSING}"))
    assert lines[missing + 1].startswith("  to get it: ")
    first = next(at for at, line in enumerate(lines) if "iterations, about" in line)
    assert missing < first
    assert "  recreate: cannot run" in lines
    alone = lab.run("run", "--dry-run", "--only", "a")
    assert alone.code == 3
    assert alone.out.splitlines()[-1] == "Nothing can run, and nothing was run."


# ------------------------------------------------------------------ completion


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("orchestrator ca", {"calibrate"}),
        ("orchestrator run --ann", {"--annotations"}),
        ("orchestrator run --gate ", {"leak", "off"}),
        ("orchestrator schema --of ", {"experiments", "located"}),
    ],
)
def test_a_shell_completes_commands_flags_and_values(lab: Lab, typed: str, offered: set[str]) -> None:
    words = typed.split(" ")
    environment = lab.environment(
        {"_ORCHESTRATOR_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    )
    command = [Path(lab.command("x")[0]).with_name("orchestrator")]
    done = subprocess.run(
        command,
        env=environment,
        cwd=lab.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert set(done.stdout.split()) == offered
