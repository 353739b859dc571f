from __future__ import annotations

import errno
import threading
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import FakePool, transcription

from orchestrator.batch import Batch, BatchSettings, Counts, Entry, Input, Journal, open_journal
from orchestrator.errors import (
    EngineUnavailableError,
    JobError,
    JobTimeoutError,
    ResultsError,
    WorkerDiedError,
)
from orchestrator.pipeline import Document, Pipeline, Recognize
from orchestrator.pool.jobs import EngineJob


@dataclass
class Told:
    """What the batch said of its recordings."""

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    tries: list[str] = field(default_factory=list)

    def ended(self, entry: Entry, document: Document | None, reason: str) -> None:
        if document is None:
            self.failed[entry.name] = reason
        else:
            self.done.append(entry.name)

    def tried(self, entry: Entry, reason: str) -> None:
        assert reason
        self.tries.append(entry.name)


def wav(path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(path.name.encode() * 200)
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(tmp_path / "out") as opened:
        opened.register([Input(wav(tmp_path / f"{name}.wav"), name) for name in "abcdef"])
        yield opened


def batch_of(
    journal: Journal, tmp_path: Path, pool: FakePool, *, ahead: int = 2, max_attempts: int = 3
) -> tuple[Batch, Told]:
    told = Told()
    pipeline = Pipeline([Recognize("small")], pool, cache_dir=tmp_path / "cache")
    settings = BatchSettings(
        folder=tmp_path / "out", formats=("txt", "json"), ahead=ahead, max_attempts=max_attempts
    )
    return Batch(journal, lambda entry: pipeline, settings, told), told


def failing(name: str, error: Callable[[], Exception]) -> Callable[[EngineJob], Any]:
    def answer(job: EngineJob) -> Any:
        if Path(str(job.audio)).stem == name:
            raise error()
        return transcription(f"heard {Path(str(job.audio)).stem}")

    return answer


def answer(job: EngineJob) -> Any:
    return transcription(f"heard {Path(str(job.audio)).stem}")


def test_every_recording_gets_its_outputs(journal: Journal, tmp_path: Path) -> None:
    batch, told = batch_of(journal, tmp_path, FakePool(answer))
    batch.run()
    assert sorted(told.done) == list("abcdef")
    assert journal.counts() == Counts(done=6)
    assert (tmp_path / "out/c.txt").read_text() == "heard c\n"
    assert str(tmp_path) not in (tmp_path / "out/c.json").read_text()
    assert sorted(path.suffix for path in (tmp_path / "out").glob("?.*")) == [".json"] * 6 + [".txt"] * 6


def test_an_input_at_fault_fails_at_once_and_the_others_go_on(journal: Journal, tmp_path: Path) -> None:
    pool = FakePool(failing("b", lambda: JobError("ValueError", "no speech model for this")))
    batch, told = batch_of(journal, tmp_path, pool)
    batch.run()
    assert told.failed == {"b": "ValueError: no speech model for this"}
    assert journal.counts() == Counts(done=5, failed=1)


@pytest.mark.parametrize("error", [lambda: WorkerDiedError("SIGSEGV"), lambda: JobTimeoutError(3.0)])
def test_a_recording_that_kills_its_worker_is_tried_again_and_then_set_aside(
    journal: Journal, tmp_path: Path, error: Callable[[], Exception]
) -> None:
    batch, told = batch_of(journal, tmp_path, FakePool(failing("b", error)))
    batch.run()
    assert told.tries == ["b", "b"]
    assert list(told.failed) == ["b"]
    assert journal.counts() == Counts(done=5, poisoned=1)
    assert sum(path.endswith("b.wav") for path, *_ in journal.attempts()) == 3


def test_a_worker_lost_once_costs_one_attempt(journal: Journal, tmp_path: Path) -> None:
    deaths = iter([WorkerDiedError("SIGKILL")])

    def answer_later(job: EngineJob) -> Any:
        if Path(str(job.audio)).stem == "b" and (error := next(deaths, None)):
            raise error
        return transcription("heard")

    batch, told = batch_of(journal, tmp_path, FakePool(answer_later))
    batch.run()
    assert told.tries == ["b"]
    assert journal.counts() == Counts(done=6)


def test_what_would_hit_every_recording_ends_the_batch_and_costs_no_attempt(
    journal: Journal, tmp_path: Path
) -> None:
    pool = FakePool(failing("b", lambda: EngineUnavailableError("no engine", "pip install it")))
    batch, told = batch_of(journal, tmp_path, pool, ahead=1)
    with pytest.raises(EngineUnavailableError):
        batch.run()
    assert told.done == ["a"]
    counts = journal.counts()
    assert (counts.done, counts.waiting) == (1, 5)
    assert all(entry.attempts == 0 for entry in journal.in_state("waiting"))


def test_outputs_that_cannot_be_written_end_the_batch(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("orchestrator.batch.outputs.os.fsync", full)
    batch, _ = batch_of(journal, tmp_path, FakePool(answer), ahead=1)
    with pytest.raises(ResultsError, match=r"cannot write .*a\.txt"):
        batch.run()
    assert journal.counts() == Counts(waiting=6)


def test_stopping_puts_what_is_under_way_back(journal: Journal, tmp_path: Path) -> None:
    pool = FakePool(answer, hold=True)
    batch, told = batch_of(journal, tmp_path, pool)
    thread = threading.Thread(target=batch.run)
    thread.start()
    assert pool.submitted.wait(60)
    while thread.is_alive():
        batch.stop()
        thread.join(0.01)
    assert told.done == []
    assert journal.counts() == Counts(waiting=6)


def test_an_interrupt_of_the_calling_thread_stops_the_batch(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.batch.batch.wait", interrupted)
    batch, _ = batch_of(journal, tmp_path, FakePool(answer, hold=True))
    with pytest.raises(KeyboardInterrupt):
        batch.run()
    assert journal.counts() == Counts(waiting=6)


def test_a_converted_copy_goes_with_its_recording(journal: Journal, tmp_path: Path) -> None:
    for name in "ab":
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as file:
            file.setparams((2, 2, 8_000, 0, "NONE", "not compressed"))
            file.writeframes(name.encode() * 4_000)
    copies: list[int] = []

    def answer(job: EngineJob) -> Any:
        copies.append(len(list((tmp_path / "out").glob(".converting-*/*/*.wav"))))
        return transcription("heard")

    batch, told = batch_of(journal, tmp_path, FakePool(answer), ahead=1)
    batch.run()
    assert len(told.done) == 6
    assert copies[:2] == [1, 1]
    assert not list((tmp_path / "out").glob(".conv*"))


def test_an_output_whose_name_a_folder_has_fails_alone(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "out/c.json").mkdir(parents=True)
    batch, told = batch_of(journal, tmp_path, FakePool(lambda job: transcription("heard")))
    batch.run()
    assert sorted(told.done) == ["a", "b", "d", "e", "f"]
    assert "another name" in told.failed["c"]
    assert not (tmp_path / "out/c.txt").exists()
