"""The example of a third party's engine, found by its entry point and run in a worker."""

import array
import math
import re
import tomllib
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

import orchestrator_worker
from orchestrator.errors import JobError
from orchestrator.process.dialogue import Dialogue
from orchestrator.process.result_values import result_of
from orchestrator_worker.protocol import (
    Audio,
    Done,
    EngineInfo,
    Engines,
    Job,
    ListEngines,
    Load,
    Loaded,
    ModelSpec,
    Plain,
    Run,
)

EXAMPLE = Path(orchestrator_worker.__file__).parents[2] / "examples" / "third_party_engine"
PROJECT = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
TIMEOUT_S = 60.0
RATE = 16_000


@pytest.fixture
def dialogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dialogue]:
    """A worker of a host on whose path the example lies as if pip had put it there."""
    metadata = tmp_path / f"{PROJECT['name'].replace('-', '_')}-{PROJECT['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {PROJECT['name']}\nVersion: {PROJECT['version']}\n"
    )
    (group, points), *_ = PROJECT["entry-points"].items()
    lines = [f"{name} = {target}" for name, target in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]))
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.syspath_prepend(tmp_path)
    with Dialogue() as started:
        yield started


def beep(path: Path) -> Audio:
    """Write 300 ms of silence, 600 ms of a tone and 300 ms of silence."""
    tone = [round(8000 * math.sin(index * 0.2)) for index in range(RATE * 600 // 1000)]
    silence = [0] * (RATE * 300 // 1000)
    samples = array.array("h", [*silence, *tone, *silence])
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return Audio(str(path), len(samples))


def load(dialogue: Dialogue, **options: object) -> Loaded:
    spec = ModelSpec("energy", "listener", options=options)
    return dialogue.ask(Load(1, spec), Loaded, timeout_s=TIMEOUT_S, phase="load")


def test_it_is_listed(dialogue: Dialogue) -> None:
    engines = dialogue.ask(ListEngines(1), Engines, timeout_s=TIMEOUT_S, phase="list").engines
    assert [info for info in engines if info.name == "energy"] == [
        EngineInfo(
            "energy",
            "orchestrator-energy-engine 1.0.0 (energy_engine:EnergyEngine)",
            ["speech"],
            aborts=True,
            summary="tells speech from silence by energy",
        )
    ]


def test_it_finds_the_tone(dialogue: Dialogue, tmp_path: Path) -> None:
    assert load(dialogue).tasks == ["speech"]
    job = Job("speech", beep(tmp_path / "beep.wav"))
    done = dialogue.ask(Run(2, job), Done, timeout_s=TIMEOUT_S, phase="infer")
    assert result_of(done) == Plain([[300, 900]])


def test_its_errors_arrive_as_sentences(dialogue: Dialogue) -> None:
    with pytest.raises(JobError, match="no option 'treshold'"):
        load(dialogue, treshold=1)
    load(dialogue)
    with pytest.raises(JobError, match="needs audio"):
        dialogue.ask(Run(2, Job("speech")), Done, timeout_s=TIMEOUT_S, phase="infer")


def test_it_is_as_short_as_promised() -> None:
    assert len((EXAMPLE / "energy_engine.py").read_text().splitlines()) < 60


def test_its_readme_says_what_its_project_says() -> None:
    fragments = re.findall(r"```toml\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL)
    first, second = (tomllib.loads(fragment) for fragment in fragments)
    assert first["project"]["entry-points"] == PROJECT["entry-points"]
    assert second["profiles"]["embedded"]["models"]["listener"]["engine"] == "energy"
