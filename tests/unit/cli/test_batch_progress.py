"""What ``batch`` says of how far it is: audio, not only files."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.batch import Counts, Entry
from orchestrator.cli.terminal import batch_display
from orchestrator.cli.terminal.batch_display import BatchDisplay
from orchestrator.pipeline import Document
from orchestrator.pipeline.progress import AudioDone, RecordingProgress


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(batch_display, "time", made)
    return made


def entry(path: Path) -> Entry:
    return Entry(1, str(path), path.stem, None, None, "running", 1, None, None, None, {}, "")


def test_audio_counts_while_the_first_recording_is_still_worked_on(
    tmp_path: Path, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / f"{name}.wav" for name in "ab"]
    for path in paths:
        path.write_bytes(bytes(1000))
    audio = AudioDone(clock)
    counts = [Counts(waiting=1, running=1)]
    display = BatchDisplay(lambda: counts[0], lambda: None, quiet=False, bytes_left=2000, audio=audio)
    clock.now_s += 10
    assert display.lines() == ["0/2 done; 0 s of audio, 0 × real time"]
    hour = RecordingProgress(str(paths[0]), 3_600_000, clock)
    with audio.working_on(hour, 2):
        hour.reached(1_800_000)
        clock.now_s += 20
        assert display.lines() == ["0/2 done; 15 min 00 s of audio, 30 × real time, 3 min 30 s left"]
        hour.end_of_pass()
        hour.reached(3_600_000)
        clock.now_s += 30
    counts[0] = Counts(waiting=1, done=1)
    display.ended(entry(paths[0]), Document("a.wav", 3_600_000), "")
    assert display.lines() == ["1/2 done; 1 h 00 min of audio, 60 × real time, 1 min 00 s left"]
    counts[0] = Counts(done=2)
    assert "left" not in display.lines()[0]
    assert capsys.readouterr().err == ""


def test_what_was_done_before_a_restart_does_not_make_the_rest_look_quick(clock: Clock) -> None:
    progress = RecordingProgress("a", 1_000_000, clock)
    progress.begin(1)
    progress.reached(500_000)
    progress.restart()
    clock.now_s += 10
    assert progress.left_s is None
    progress.reached(600_000)
    assert progress.left_s == pytest.approx(40.0)
