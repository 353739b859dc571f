"""A folder for a confined process whose rules cannot be had: nothing of it stays, and nobody keeps the template's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.config.model import Model
from orchestrator.process.sandbox import worker_sandbox
from orchestrator.process.sandbox.worker_sandbox import TemplateSandbox, WorkerSandbox

MODEL = Model(name="m", engine="chatllm", sandbox="files")


class NoRulesError(Exception):
    pass


def no_rules(*_: object) -> None:
    raise NoRulesError


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setattr(worker_sandbox, "require_sandbox", lambda _: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path
    assert not list(tmp_path.iterdir())


def test_a_worker_lets_its_own_folder_and_its_templates_go(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = TemplateSandbox(MODEL)
    assert template.path.parent == made
    with monkeypatch.context() as without:
        without.setattr(worker_sandbox, "sandbox_for", no_rules)
        with pytest.raises(NoRulesError):
            WorkerSandbox([MODEL], template)
    assert {path.name for path in template.path.iterdir()} == {"load"}
    template.let_go()
    assert not template.path.exists()


@pytest.mark.usefixtures("made")
def test_a_template_lets_its_folder_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_sandbox, "sandbox_for", no_rules)
    with pytest.raises(NoRulesError):
        TemplateSandbox(MODEL)
