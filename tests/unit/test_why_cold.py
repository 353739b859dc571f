"""Which models are started warm without being asked, and what is said of engines."""

import pytest

from orchestrator.pool.models import Model
from orchestrator.process.warm import engines
from orchestrator.process.warm.engines import why_cold, why_engine_cold
from orchestrator_worker.engines import registry
from orchestrator_worker.engines.base import EngineUnavailableError


@pytest.fixture(autouse=True)
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system that has all that a warm start needs."""
    monkeypatch.setattr(engines, "landlock_abi", lambda: 6)
    monkeypatch.setattr(engines, "_lacks", lambda: "")


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
