"""What ``top`` shows of a command, and how it waits for one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.commands.top_command import _wait_for_one
from orchestrator.cli.looked_into import FileCount, left_s, readable
from orchestrator.cli.terminal.top_view import head
from orchestrator.errors import OrchestratorError
from orchestrator.inspection import FileView, Inspection, Snapshot, WorkView
from short_paths import new_short_folder

MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with new_short_folder() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder


def snapshot(_: float = 0.0, work: WorkView | None = None) -> Snapshot:
    return Snapshot(
        pid=os.getpid(), title="orchestrator transcribe", uptime_s=1.0, budget_bytes=500 * MIB,
        reserved_bytes=320 * MIB, queue_length=0, running=1, outcomes={}, exits={}, spawns=1, evictions=0,
        slots=[], work=work, rss_bytes=290 * MIB,
    )  # fmt: skip


def test_budget_reservation_and_use_each_have_their_name() -> None:
    assert "memory budget 500 MB: workers have 290, reserved 320" in head(snapshot())


def test_file_rate_and_time_left_are_shown() -> None:
    file = FileView(path="a\nb.wav", audio_s=600, share=0.25, elapsed_s=30, left_s=90)
    lines = head(snapshot(work=WorkView(files=[file], done=2, total=5, rate=4.5, left_s=400)))
    assert "recordings 2 of 5 done · 4.5 × real time · 6 min 40 s left" in lines
    assert "  a\\nb.wav: 25% of 10 min 00 s · 5 × real time · 1 min 30 s left" in lines


def test_at_the_start_nothing_is_guessed() -> None:
    file = FileView(path="a.wav", audio_s=600, share=0, elapsed_s=1)
    lines = head(snapshot(work=WorkView(files=[file], total=1)))
    assert "recordings 0 of 1 done" in lines
    assert "  a.wav: 0% of 10 min 00 s" in lines


@pytest.mark.parametrize(
    ("count", "shares", "expected"),
    [
        (FileCount(10), [], None),
        (FileCount(10, done=5), [], 100.0),
        (FileCount(10, done=5, before=4), [0.5, 0.5], 200.0),
        (FileCount(2, done=2), [], 0.0),
    ],
)
def test_time_left_goes_by_recordings_and_their_shares(
    count: FileCount, shares: list[float], expected: float | None
) -> None:
    assert left_s(count, shares, 100.0) == expected


def test_names_of_any_bytes_can_be_shown() -> None:
    assert readable(os.fsdecode(b"a\xff.wav")) == "a\N{REPLACEMENT CHARACTER}.wav"


def test_top_waits_for_a_pool(capsys: pytest.CaptureFixture[str]) -> None:
    opened: list[Inspection] = []
    timer = threading.Timer(0.3, lambda: opened.append(Inspection(snapshot)))
    timer.start()
    try:
        assert _wait_for_one(None, 60.0).pid == os.getpid()
    finally:
        timer.join()
        opened[0].close()
    assert capsys.readouterr().err.count("waiting for a pool") == 1


def test_it_waits_no_longer_than_it_was_told() -> None:
    with pytest.raises(OrchestratorError, match="transcribe, align and batch always can"):
        _wait_for_one(None, 0.0)


def test_it_does_not_wait_for_a_process_that_has_ended() -> None:
    with pytest.raises(OrchestratorError, match="in process 2147483646"):
        _wait_for_one(2_147_483_646, 60.0)
