"""Prepared links, journals from elsewhere, and shortages: nothing leaves the output folder, nobody else pays."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile

from orchestrator.audio.decoder import client
from orchestrator.batch import Batch, BatchSettings, Entry, Input, Journal, batch, find_inputs, open_journal
from orchestrator.batch.outputs import put_in_place, stage
from orchestrator.errors import NotDecodedError, OrchestratorError, ResultsError
from orchestrator.files.folder_lock import locked
from orchestrator.files.writing import write_atomically
from orchestrator.pipeline import Document, Pipeline, Segment, Work


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "victim"
    path.write_bytes(b"precious")
    yield path
    assert path.read_bytes() == b"precious"


# ---------------------------------------------------------------------- prepared links


@pytest.mark.parametrize("name", [".lock", "batch.sqlite"])
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_what_a_batch_opens_again_is_no_link(
    tmp_path: Path, victim: Path, name: str, link: Callable[..., None]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    link(victim, out / name)
    with pytest.raises(ResultsError, match=name) as caught, open_journal(out):
        pass
    assert "\n" not in str(caught.value)


def test_a_lock_that_is_a_pipe_holds_up_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".lock")
    with pytest.raises(ResultsError), locked(tmp_path):
        pass


def test_a_link_in_the_place_of_a_whole_file_is_replaced_not_followed(tmp_path: Path, victim: Path) -> None:
    for name in (".a.txt.tmp", "a.txt"):
        (tmp_path / name).symlink_to(victim)
    write_atomically(tmp_path / "a.txt", b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"new"
    assert not (tmp_path / "a.txt").is_symlink()


def test_outputs_replace_links_and_do_not_follow_them(tmp_path: Path, victim: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in (".a.txt.tmp", "a.txt"):
        (out / name).symlink_to(victim)
    first = stage({out / "a.txt": b"text"}, out)
    (left,) = [path for path in out.glob(".a.txt.*.tmp") if not path.is_symlink()]
    left.unlink()
    left.symlink_to(victim)  # the same bytes once more: the name can be known now
    hashes = stage({out / "a.txt": b"text"}, out)
    assert hashes == first
    assert put_in_place(hashes, out)
    assert (out / "a.txt").read_bytes() == b"text"
    assert not (out / "a.txt").is_symlink()


def test_a_folder_that_is_a_link_is_not_entered(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "talks").symlink_to(elsewhere)
    with pytest.raises(OrchestratorError, match="a link stands where a folder is needed") as caught:
        stage({out / "talks" / "a.txt": b"text"}, out)
    assert not isinstance(caught.value, ResultsError)  # the others can be written
    assert list(elsewhere.iterdir()) == []


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    out = tmp_path / "out"
    assert put_in_place(stage({out / "x" / "a.txt": b"text"}, out), out)
    assert (tmp_path / "real/x/a.txt").read_bytes() == b"text"


def test_same_names_in_a_folder_stay_in_their_folder(tmp_path: Path) -> None:
    deep = tmp_path / "in" / "deep"
    deep.mkdir(parents=True)
    for name in ("same.wav", "same.mp3", "same.flac", "other.wav"):
        (deep / name).write_bytes(b"x")
    names = [each.name for each in find_inputs([str(tmp_path / "in")])]
    assert names == ["deep/other", "deep/same", "deep/same.mp3", "deep/same.wav"]


# ---------------------------------------------------------------------- a journal from elsewhere


def prepared(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    with open_journal(out) as journal:
        journal.adopt({"profile": "lab"})
        journal.register([Input(tmp_path / f"{name}.wav", name) for name in "abc"])
        journal.claim()
    return out / "batch.sqlite"


SHA = "0" * 64
CHANGES = {
    "name above": "update files set name = '../victim/pwned' where id = 1",
    "name absolute": "update files set name = '/tmp/pwned' where id = 1",
    "name dots inside": "update files set name = 'a/../../b' where id = 1",
    "name no text": "update files set name = x'ff00' where id = 1",
    "name nul": "update files set name = 'a' || char(0) where id = 1",
    "path empty": "update files set path = '' where id = 1",
    "state": "update files set state = 'pwned' where id = 1",
    "state blob": "update files set state = x'00' where id = 1",
    "attempts": "update files set attempts = 'many' where id = 1",
    "size": "update files set size = 1.5 where id = 1",
    "sha": "update files set sha256 = x'07' where id = 1",
    "language": "update files set language = x'00ff' where id = 1",
    "outputs elsewhere": f"update files set state = 'writing', outputs = '{json.dumps({'/etc/passwd': SHA})}'",
    "outputs above": f"update files set state = 'writing', outputs = '{json.dumps({'../x': SHA})}'",
    "outputs list": "update files set outputs = '[1]' where id = 1",
    "outputs no json": "update files set outputs = '{' where id = 1",
    "outputs hash": "update files set outputs = '{\"a.txt\": 5}' where id = 1",
    "outputs deep": f"update files set outputs = '{'[' * 100_000}' where id = 1",
    "warnings": "update files set warnings = '{}' where id = 1",
    "attempt number": "update attempts set number = 'x'",
    "endless view": "drop table attempts; create view attempts as with recursive n(x) as "
    "(select 1 union all select x + 1 from n) select x as id, x as file, x as number, '' as started, '' as ended, "
    "'' as outcome, '' as reason from n",
    "trigger": "create trigger t after update on files begin delete from files; end",
    "another table": "create table extra (x)",
    "generated": "alter table files add column y as (abs(id))",
    "index": "create index i on files (length(name))",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_hostile_journal_is_refused_with_one_sentence(tmp_path: Path, change: str) -> None:
    path = prepared(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(CHANGES[change])
    with pytest.raises(ResultsError) as caught, open_journal(path.parent):
        pass
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out"]


def test_a_journal_that_is_ours_is_read_again_also_when_its_folder_was_moved(tmp_path: Path) -> None:
    path = prepared(tmp_path)
    with open_journal(path.parent) as journal:
        (entry,) = journal.in_state("running")
        journal.writing(entry, stage({path.parent / "a.txt": b"x"}, path.parent))
    path.parent.rename(tmp_path / "moved")
    with open_journal(tmp_path / "moved") as journal:
        (entry,) = journal.in_state("writing")
        assert list(entry.outputs) == [str(tmp_path / "moved" / "a.txt")]


@pytest.mark.parametrize("seed", range(20))
def test_damaged_journals_are_errors_of_ours_or_none(tmp_path: Path, seed: int) -> None:
    path = prepared(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    chance = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    for at in chance.integers(20, len(content), 40):
        content[at] = chance.integers(0, 256)
    path.write_bytes(content)
    said = ""
    try:
        with open_journal(path.parent) as journal:
            journal.counts()
            journal.attempts()
    except ResultsError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 800


# ---------------------------------------------------------------------- shortages


class Watcher:
    def __init__(self) -> None:
        self.done: list[str] = []
        self.failed: dict[str, str] = {}
        self.later: list[str] = []

    def ended(self, entry: Entry, document: Document | None, reason: str) -> None:
        if document is None:
            self.failed[entry.name] = reason
        else:
            self.done.append(entry.name)

    def tried(self, entry: Entry, reason: str) -> None:
        assert reason
        self.later.append(entry.name)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", np.full((100, 2), 0.1), 16_000)
    with open_journal(tmp_path / "out") as opened:
        opened.register([Input(tmp_path / f"{name}.wav", name) for name in "abc"])
        yield opened


def working(tmp_path: Path, journal: Journal, step: Callable[[str], Any]) -> tuple[Batch, Watcher]:
    watcher = Watcher()

    def heard(document: Document, work: Work) -> Document:
        step(Path(work.recording.source).stem)
        return msgspec.structs.replace(document, segments=[Segment(0, 5, "text", "text")])

    pipeline = Pipeline([heard], pool=None)  # type: ignore[arg-type]
    settings = BatchSettings(folder=tmp_path / "out", ahead=1)
    return Batch(journal, lambda _: pipeline, settings, watcher), watcher


@pytest.mark.parametrize(
    "error", [KeyError("x"), ValueError("two\nlines"), RecursionError(), MemoryError(), OSError(5, "I/O")]
)
def test_an_unforeseen_error_costs_its_own_recording_alone(
    tmp_path: Path, journal: Journal, error: Exception
) -> None:
    def step(name: str) -> None:
        if name == "b":
            raise error

    worked, watcher = working(tmp_path, journal, step)
    worked.run()
    assert sorted(watcher.done) == ["a", "c"]
    assert type(error).__name__ in watcher.failed["b"]
    assert "\n" not in watcher.failed["b"]
    assert journal.counts().failed == 1


def short(shortage: str, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the opening of ``b`` fail so many times for want of something."""
    left = iter(range(times))
    real = Pipeline.open

    def opened(self: Pipeline, path: Any, **named: Any) -> Work:
        if Path(path).stem == "b" and next(left, None) is not None:
            raise NotDecodedError(str(path), "there is none", "get it", shortage=shortage)  # type: ignore[arg-type]
        return real(self, path, **named)

    monkeypatch.setattr(Pipeline, "open", opened)


def test_without_ffmpeg_a_recording_waits_for_the_next_command_uncounted(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    short("ffmpeg", 1, monkeypatch)
    worked, watcher = working(tmp_path, journal, lambda _: None)
    worked.run()
    assert sorted(watcher.done) == ["a", "c"]
    (entry,) = journal.in_state("waiting")
    assert (entry.name, entry.attempts) == ("b", 0)
    assert "there is none" in entry.reason
    again, watcher = working(tmp_path, journal, lambda _: None)
    again.run()
    assert watcher.done == ["b"]


def test_a_passing_shortage_is_tried_again_in_the_same_run(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "PAUSES_S", (0.0, 0.0, 0.0))
    short("system", 3, monkeypatch)
    worked, watcher = working(tmp_path, journal, lambda _: None)
    worked.run()
    assert sorted(watcher.done) == ["a", "b", "c"]
    assert {entry.attempts for entry in journal.entries()} == {1}
    assert watcher.later == ["b"] * 3


def test_a_shortage_that_stays_is_left_for_the_next_command(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "PAUSES_S", (0.0, 0.0))
    short("system", 1000, monkeypatch)
    worked, watcher = working(tmp_path, journal, lambda _: None)
    worked.run()
    assert sorted(watcher.done) == ["a", "c"]
    assert journal.counts().waiting == 1


def test_a_full_disk_ends_the_batch_and_nothing_is_counted(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    short("disk", 1, monkeypatch)
    worked, _ = working(tmp_path, journal, lambda _: None)
    with pytest.raises(ResultsError, match="the same command goes on"):
        worked.run()
    assert journal.counts().failed == 0
    assert {entry.attempts for entry in journal.in_state("waiting")} == {0}
    again, _ = working(tmp_path, journal, lambda _: None)
    again.run()
    assert journal.counts().done == 3


def test_a_disk_that_fills_while_a_copy_is_written(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "room_in", lambda _: 150)  # less than a copy has
    worked, _ = working(tmp_path, journal, lambda _: None)
    with pytest.raises(ResultsError, match="disk is full"):
        worked.run()
    assert journal.counts().waiting == 3
    assert not list((tmp_path / "out").glob(".conv*"))
