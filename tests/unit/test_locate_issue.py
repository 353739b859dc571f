"""A bug report tells the maintainers all they need, and nothing about the machine of whoever sends it."""

import platform
from typing import Any

import pytest

from orchestrator.analysis.locating.frames import Frame
from orchestrator.analysis.locating.located import Located, Measured, StackLive
from orchestrator.analysis.locating.site_growth import Rate
from orchestrator.analysis.locating.sites import find_sites
from orchestrator.locating.issue import issue_report, public_path

HOME = "/home/somebody/secret-project"
STACK = [
    Frame("malloc", module="libc.so.6", offset=1),
    Frame("keep", f"{HOME}/src/engine.c", 12, module="libengine.so", offset=0x40, build_id="abcdef"),
    Frame("dump", f"{HOME}/venv/lib/python3.11/site-packages/msgspec/json.py", 7, python=True),
    Frame("job", f"{HOME}/jobs.py", 3, python=True),
    Frame("_run", f"{HOME}/orchestrator_worker/loop.py", 9, python=True),
]


def report(name: str) -> str:
    stack = StackLive(STACK, "infer", [0, 1, 2, 3, 4, 5], [0, 9, 18, 27, 36, 45], [0, 32, 64, 96, 128, 160])
    leaks, _ = find_sites([stack], [1] * 4)
    measured = Measured(Rate(0.5, 0.4, 0.6), "the same untraced")
    found = Located(
        name=name,
        method="reuse",
        outcome="located",
        tracer="memray 1",
        iterations=[1] * 4,
        sites=leaks,
        measured=measured,
        explained_percent=90.0,
        stderr_tail=f"{HOME}: noise",
    )
    return issue_report([found])


def test_it_has_rate_stack_versions_and_a_script() -> None:
    text = report("jobs:job")
    assert text.startswith("# Memory leak: keep\n")
    assert "grows by 0.5 MB per call (95 % interval 0.4 to 0.6)" in text
    assert "keep  engine.c:12  libengine.so+0x40 build id abcdef" in text
    assert "dump  msgspec/json.py:7" in text
    assert "orchestrator locate --call jobs:job" in text
    assert "from jobs import job" in text
    assert f"- {platform.python_implementation()} {platform.python_version()}" in text
    assert "- msgspec " in text
    assert "- memray 1" in text


def test_an_experiments_command_is_the_one_that_shows_it() -> None:
    text = report("exp2")
    assert "orchestrator locate experiments.toml --only exp2 --method reuse" in text
    assert "import gc" not in text


def test_nothing_tells_whose_machine_it_was() -> None:
    text = report("jobs:job")
    assert HOME not in text
    assert "secret-project" not in text
    assert "_run" not in text


@pytest.mark.parametrize(
    ("outcome", "cause", "said"),
    [
        ("unavailable", f"model small: {HOME}/models/small.bin is not there", "not located: unavailable."),
        ("crashed", f"SIGSEGV: {HOME}/my files/x.c:3: assert (traced)", "not located: crashed by SIGSEGV."),
        ("failed", f"FileNotFoundError: '{HOME}/a.wav' (untraced, in phase infer)", "not located: failed."),
    ],
)
def test_nor_does_a_worker_that_has_ended(outcome: Any, cause: str, said: str) -> None:
    found = Located(
        name="exp2", method="reuse", outcome=outcome, cause=cause, how_to_get_it=f"cd {HOME} && make"
    )
    text = issue_report([found])
    assert said in text
    assert "secret-project" not in text
    assert "my files" not in text


def test_a_path_is_that_inside_its_package() -> None:
    assert public_path("/x/site-packages/engine/core.py") == "engine/core.py"
    assert public_path("/usr/lib/python3/dist-packages/engine.py") == "engine.py"
    assert public_path("/home/me/thing.py") == "thing.py"
    assert public_path("") == ""
