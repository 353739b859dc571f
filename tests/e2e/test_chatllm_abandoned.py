"""Models whose library does not live through a destroy: abandoned, measured, and told apart from destroyed ones."""

import re

import pytest
from chatllm_workspace import Workspace
from lab import Lab

from doubles import Doubles

pytestmark = pytest.mark.timeout(300)
SLOW_DESTROY_S = 3


@pytest.fixture
def workspace(lab: Lab, doubles: Doubles) -> Workspace:
    return Workspace(lab, doubles.checkout(lab.folder))


@pytest.mark.parametrize(
    ("destroy", "why"),
    [
        ("segv", "destroy crashes (SIGSEGV)"),
        ("exit", "destroy ends the process (exit code 7)"),
        ("error", "destroy fails (chatllm_destroy returned -3: the object is still at work)"),
        ("hang", f"destroy hangs (no answer within {SLOW_DESTROY_S} s)"),
        (
            "corrupt",
            "destroy leaves a process that dies in the next load (SIGABRT: malloc(): corrupted top size)",
        ),
    ],
)
def test_each_way_in_which_a_destroy_fails_is_found_out_by_a_try(
    workspace: Workspace, destroy: str, why: str
) -> None:
    if destroy == "hang":
        text = workspace.lab.file.read_text()
        assert "timeout_s = 600 " in text
        workspace.lab.file.write_text(text.replace("timeout_s = 600 ", f"timeout_s = {SLOW_DESTROY_S} "))
    arguments = ("--iterations", "2", "--only", "exp2", "--methods", "recreate,recycle")
    done = workspace.run(*arguments, double=f"destroy={destroy}")
    assert done.code == 0, done.err
    for method in ("recreate", "recycle"):
        summary = workspace.result("exp2")["summary"][method]
        assert (summary["outcome"], summary["iterations"]) == ("completed", 2)
        assert summary["abandoned"] == {"asr-small": why}
    assert workspace.destroys == 1
    assert f"{why}; each model is abandoned" in done.err  # as the series begins
    assert f"Destroy+Recreate (abandoned): {why}" in done.out


def test_a_destroy_that_works_is_called(workspace: Workspace) -> None:
    done = workspace.run("--iterations", "2", "--only", "exp2", "--methods", "recreate", double="destroy=ok")
    assert done.code == 0, done.err
    assert workspace.result("exp2")["summary"]["recreate"]["abandoned"] == {}
    assert workspace.destroys == 2 + 1  # the try
    assert "abandoned" not in done.out + done.err


def test_who_asks_for_it_has_models_abandoned_without_a_try(workspace: Workspace) -> None:
    workspace.set_destroy("abandon")
    done = workspace.run("--iterations", "2", "--only", "exp4", "--methods", "recreate", double="destroy=ok")
    assert done.code == 0, done.err
    summary = workspace.result("exp4")["summary"]["recreate"]
    assert summary["abandoned"] == {"aligner": 'options.destroy = "abandon"'}
    assert workspace.destroys == 0


def test_a_model_that_does_not_start_is_not_taken_for_one_that_cannot_be_destroyed(
    workspace: Workspace,
) -> None:
    (workspace.lab.folder / "models/qwen3-asr-0.6b-q4_0.bin").write_bytes(b"something else altogether")
    done = workspace.run("--iterations", "2", "--only", "exp2", "--methods", "recreate,restart")
    assert done.code == 0, done.err
    for summary in workspace.result("exp2")["summary"].values():
        assert summary["abandoned"] == {}
        assert "bad magic" in summary["sentence"]


def test_what_is_left_behind_is_measured_and_told_of_everywhere(workspace: Workspace) -> None:
    """2 MB and a descriptor per object: verdict, gate and plan say what they are about."""
    arguments = ("--iterations", "12", "--only", "exp2", "--methods", "recreate")
    done = workspace.run(*arguments, "--gate", "leak", double="base_kb=2048")
    assert done.code == 1, done.err
    summary = workspace.result("exp2")["summary"]["recreate"]
    assert summary["judgement"]["verdict"] == "leak"
    assert summary["leak_rate"]["rate_mb_per_iteration"] == pytest.approx(2.0, abs=0.3)
    assert summary["last_descriptors"] - summary["first_descriptors"] == 11
    assert "Destroy+Recreate (abandoned)" in done.out
    assert re.search(r"recreate.*broken.*leak.*destroy aborts \(SIGABRT", done.out + done.err, re.DOTALL)
    planned = workspace.lab.run("plan", str(workspace.lab.results), env=workspace.env)
    assert planned.code != 0
    assert "each model was left behind, which no pool does" in planned.err
    report = workspace.lab.run("report", str(workspace.lab.run_folder), env=workspace.env)
    assert report.code == 0, report.err
    pages = list(workspace.lab.folder.rglob("report.html"))
    assert pages
    assert all("Destroy+Recreate (abandoned)" in page.read_text() for page in pages)


def test_destroyed_and_abandoned_models_are_not_compared(workspace: Workspace) -> None:
    arguments = ("--iterations", "2", "--only", "exp2", "--methods", "recreate,restart")
    assert workspace.run(*arguments).code == 0
    assert workspace.run(*arguments, double="destroy=ok").code == 0
    first, second = (str(path) for path in workspace.lab.run_folders())
    compared = workspace.lab.run("compare", first, second, env=workspace.env)
    assert "method recreate: models are abandoned in the first and destroyed in the second, not compared" in (
        compared.out + compared.err
    )
    rows = [line for line in compared.out.splitlines() if "recreate" in line and "method" not in line]
    assert not rows, rows


def test_the_rows_and_lines_of_switching_models_are_there(workspace: Workspace) -> None:
    done = workspace.run("--iterations", "2", "--only", "exp3,exp5", "-v", double="base_kb=1024")
    assert done.code == 0, done.err
    number = r"-?\d+\.\d+"
    for row in ("Avg Load Overhead", "Avg Unload Release", "Avg Net Leak per Switch"):
        assert re.search(rf"{row} \(MB\) +{number}( +{number}){{3}}", done.out), (row, done.out)
    for row in ("ASR", "Aligner"):
        assert re.search(rf"^{row} +{number}( +{number})+$", done.out, re.MULTILINE), (row, done.out)
    line = rf"\[0\.6B\] Memory: {number} → {number} \(load\) → {number} \(infer\) → {number} \(unload\)"
    assert re.search(line, done.err)
    for name, roles in {"exp3": ("asr-small", "asr-large"), "exp5": ("asr-small", "aligner")}.items():
        models = workspace.result(name)["summary"]["recreate"]["models"]
        for role in roles:
            assert models[role]["avg_net_leak_per_switch_mb"] > 0.9
            assert abs(models[role]["avg_unload_release_mb"]) < 0.5
