"""Which models are started warm without being asked, and what is said of engines."""

import subprocess
import sys

import pytest

from orchestrator.pool.models import Model
from orchestrator.process.warm import engines
from orchestrator.process.warm.engines import why_cold, why_engine_cold
from orchestrator_worker.engines import registry
from orchestrator_worker.engines.base import EngineUnavailableError
from orchestrator_worker.sandbox.kernel import why_no_filter_that_asks


@pytest.fixture(autouse=True)
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system that has all that a warm start needs."""
    monkeypatch.setattr(engines, "landlock_abi", lambda: 6)
    monkeypatch.setattr(engines, "_lacks", lambda: "")
    monkeypatch.setattr(engines, "why_no_filter_that_asks", lambda: "")


KNOWN = engines.FORKABLE | engines.COLD_BY_DEFAULT


def test_of_every_built_in_engine_it_is_known() -> None:
    assert KNOWN | {"synthetic", "synthetic-restart"} == registry.BUILT_IN.keys()


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_what_is_known_of_an_engine_is_what_it_says(name: str) -> None:
    try:
        engine = registry.find(name)
    except EngineUnavailableError as error:
        pytest.skip(f"its package is not installed: {error}")
    assert engine.may_fork(Model(name="m", engine=name).spec()) == (name in engines.FORKABLE)


@pytest.mark.parametrize(
    ("engine", "start", "tried"),
    [
        ("chatllm", "auto", True),
        ("pocketsphinx", "auto", True),
        ("moonshine", "auto", False),
        ("moonshine", "warm", True),
        ("chatllm", "cold", False),
        ("of-somebody-else", "auto", True),
    ],
)
def test_a_template_is_tried(engine: str, start: str, tried: bool) -> None:
    why = why_cold(Model(name="m", engine=engine, start=start))  # type: ignore[arg-type]
    assert why == (None if tried else "")


def test_what_is_said_of_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_engine_cold("chatllm", forks=True) == ""
    assert "does not say that it may be forked" in why_engine_cold("moonshine", forks=False)
    monkeypatch.setattr(engines, "_lacks", lambda: "the system has no pidfds")
    assert why_engine_cold("chatllm", forks=True) == "the system has no pidfds"
    assert why_cold(Model(name="m", engine="chatllm")) == "the system has no pidfds"


def test_where_a_filter_of_ours_may_not_ask_only_strict_models_are_cold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "why_no_filter_that_asks", lambda: "somebody has it")
    why = why_cold(Model(name="m", engine="chatllm", sandbox="strict"))
    assert why is not None
    assert why.endswith("asks its host, and somebody has it")
    assert why_cold(Model(name="m", engine="chatllm", sandbox="files")) is None


BESIDE_ANOTHER = """
from orchestrator_worker.sandbox import kernel
kernel.give_up_new_privileges()
kernel.install_filter_that_asks(kernel.ALLOWS_ALL)
print(kernel.why_no_filter_that_asks())
"""


def test_who_has_a_filter_that_asks_already_is_told_so() -> None:
    if why := why_no_filter_that_asks():
        pytest.skip(f"here {why}")
    command = [sys.executable, "-c", BESIDE_ANOTHER]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "the only one that the kernel allows" in said


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_to_find_out_confines_nobody() -> None:
    def confined() -> list[str]:
        with open("/proc/thread-self/status") as file:
            return [line for line in file if line.startswith(("NoNewPrivs", "Seccomp"))]

    before = confined()
    why_no_filter_that_asks.cache_clear()
    why_no_filter_that_asks()
    assert confined() == before
