from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.batch import BatchSettings, Counts, Input, Journal, open_journal, recover
from orchestrator.batch.changes import changed_inputs, look_at, lost_outputs
from orchestrator.batch.outputs import put_in_place, stage
from orchestrator.errors import ConfigError, OrchestratorError, ResultsError, ResultsLockedError


def settings_of(folder: Path) -> BatchSettings:
    return BatchSettings(folder=folder / "out", formats=("txt",))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(tmp_path / "out") as opened:
        yield opened


def three(journal: Journal, folder: Path) -> list[Path]:
    paths = [folder / f"{name}.wav" for name in "abc"]
    for path in paths:
        path.write_bytes(path.name.encode())
    journal.register([Input(path, path.stem) for path in paths])
    return paths


def test_recordings_are_claimed_in_order_and_those_tried_least_first(
    journal: Journal, tmp_path: Path
) -> None:
    three(journal, tmp_path)
    first = journal.claim()
    assert first is not None
    assert (first.name, first.state, first.attempts) == ("a", "running", 1)
    journal.wait_again(first, "worker lost", "died of SIGSEGV")
    claimed = [journal.claim() for _ in range(4)]
    assert [entry and (entry.name, entry.attempts) for entry in claimed] == [
        ("b", 1),
        ("c", 1),
        ("a", 2),
        None,
    ]


def test_registering_again_adds_only_what_is_new(journal: Journal, tmp_path: Path) -> None:
    paths = three(journal, tmp_path)
    assert journal.register([Input(paths[0], "a"), Input(tmp_path / "d.wav", "d")]) == 1


def test_a_name_that_is_taken_gets_a_number(journal: Journal, tmp_path: Path) -> None:
    three(journal, tmp_path)
    journal.register([Input(tmp_path / "x" / "a.wav", "a")])
    assert [entry.name for entry in journal.entries()] == ["a", "b", "c", "a-2"]


def test_an_interrupted_attempt_does_not_count(journal: Journal, tmp_path: Path) -> None:
    three(journal, tmp_path)
    entry = journal.claim()
    assert entry is not None
    recover(journal, settings_of(tmp_path))
    again = journal.claim()
    assert again is not None
    assert (again.name, again.attempts) == ("a", 1)
    assert [outcome for _, _, outcome, _ in journal.attempts()] == ["interrupted", None]


def staged(journal: Journal, folder: Path) -> dict[str, str]:
    entry = journal.claim()
    assert entry is not None
    hashes = stage({folder / "out" / "x" / "a.txt": b"text"})
    journal.writing(entry, hashes)
    return hashes


def test_killed_before_the_rename_only_the_rename_is_done(journal: Journal, tmp_path: Path) -> None:
    three(journal, tmp_path)
    staged(journal, tmp_path)
    assert not (tmp_path / "out/x/a.txt").exists()
    assert recover(journal, settings_of(tmp_path)) == 1
    assert (tmp_path / "out/x/a.txt").read_bytes() == b"text"
    assert journal.counts() == Counts(waiting=2, done=1)


def test_killed_after_the_rename_nothing_is_done_twice(journal: Journal, tmp_path: Path) -> None:
    three(journal, tmp_path)
    assert put_in_place(staged(journal, tmp_path))
    written = (tmp_path / "out/x/a.txt").stat().st_mtime_ns
    assert recover(journal, settings_of(tmp_path)) == 1
    assert (tmp_path / "out/x/a.txt").stat().st_mtime_ns == written


def test_a_staged_file_that_was_cut_off_is_done_again(journal: Journal, tmp_path: Path) -> None:
    three(journal, tmp_path)
    staged(journal, tmp_path)
    (left,) = (tmp_path / "out/x").glob(".a.txt.*.tmp")
    left.write_bytes(b"te")
    assert recover(journal, settings_of(tmp_path)) == 0
    assert journal.counts().waiting == 3
    assert list((tmp_path / "out/x").iterdir()) == []


def test_an_output_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OrchestratorError, match="cannot write"):
        stage({tmp_path / "file" / "a.txt": b""})


def test_a_changed_input_is_noticed_by_its_bytes_not_by_its_time(journal: Journal, tmp_path: Path) -> None:
    paths = three(journal, tmp_path)
    for _ in paths:
        entry = journal.claim()
        assert entry is not None
        import hashlib

        digest = hashlib.sha256(Path(entry.path).read_bytes()).hexdigest()
        journal.began(entry, look_at(entry.path), digest)
        journal.done(entry)
    paths[0].write_bytes(b"other")
    paths[1].write_bytes(paths[1].read_bytes())
    paths[2].unlink()
    assert [entry.name for entry in changed_inputs(journal)] == ["a"]


def test_a_missing_input_that_came_back_counts_as_changed(journal: Journal, tmp_path: Path) -> None:
    paths = three(journal, tmp_path)
    paths[0].unlink()
    entry = journal.claim()
    assert entry is not None
    journal.began(entry, look_at(entry.path), None)
    journal.failed(entry, "there is no such file", poisoned=False)
    assert changed_inputs(journal) == []
    paths[0].write_bytes(b"a.wav")
    assert [each.name for each in changed_inputs(journal)] == ["a"]


def test_an_output_that_is_gone_is_noticed(journal: Journal, tmp_path: Path) -> None:
    three(journal, tmp_path)
    put_in_place(staged(journal, tmp_path))
    recover(journal, settings_of(tmp_path))
    assert lost_outputs(journal) == []
    (tmp_path / "out/x/a.txt").unlink()
    assert [entry.name for entry in lost_outputs(journal)] == ["a"]


def test_a_folder_named_by_way_of_its_parent_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    folder = tmp_path / "in" / ".." / "out"
    with open_journal(folder) as journal:
        three(journal, tmp_path)
        put_in_place(staged(journal, tmp_path))
    with open_journal(folder) as again:
        assert list(again.entries()[0].outputs) == [str(folder / "x/a.txt")]
        assert lost_outputs(again) == []


def test_other_settings_are_refused_and_redo_takes_them(journal: Journal, tmp_path: Path) -> None:
    three(journal, tmp_path)
    journal.adopt({"model": "small"})
    entry = journal.claim()
    assert entry is not None
    journal.done(entry)
    journal.adopt({"model": "small"})
    with pytest.raises(ConfigError, match="model: was 'small', is 'large'"):
        journal.adopt({"model": "large"})
    journal.adopt({"model": "large"}, redo=True)
    assert journal.counts() == Counts(waiting=3)


def test_two_batches_on_one_journal_are_refused(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(ResultsLockedError, match="choose --out DIR"), open_journal(tmp_path / "out"):
        pass


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "batch.sqlite") as connection:
        connection.execute("pragma user_version = 99")
    connection.close()
    with pytest.raises(ResultsError, match="version 99"), open_journal(tmp_path):
        pass


@pytest.mark.parametrize("content", [b"this is no database, and long enough to be looked at" * 10, None])
def test_a_journal_that_cannot_be_opened_is_closed_again(
    tmp_path: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "batch.sqlite"
    if content is None:
        other = sqlite3.connect(path)
        other.execute("create table meta (something_else)")
        other.close()
    else:
        path.write_bytes(content)
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *given, **named: opened.append(connect(*given, **named)) or opened[-1]
    )
    with pytest.raises(ResultsError, match="cannot use"), open_journal(tmp_path):
        pass
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("select 1")


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "batch.sqlite").write_bytes(b"this is no database, and long enough to be looked at" * 10)
    with pytest.raises(ResultsError, match="move it away"), open_journal(tmp_path):
        pass


def test_killed_before_the_journal_knew_what_was_staged_nothing_of_it_is_left(
    journal: Journal, tmp_path: Path
) -> None:
    three(journal, tmp_path)
    assert journal.claim() is not None
    stage({tmp_path / "out" / "a.txt": b"text"})
    assert recover(journal, settings_of(tmp_path)) == 0
    assert not list((tmp_path / "out").glob(".*.tmp"))


def test_names_of_any_bytes_come_back_as_they_were(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"bad\xff.wav")
    path.write_bytes(b"x")
    journal.adopt({"config": os.fsdecode(b"/etc/\xfe.toml")})
    journal.adopt({"config": os.fsdecode(b"/etc/\xfe.toml")})
    assert journal.register([Input(path, "bad")]) == 1
    assert journal.register([Input(path, "bad")]) == 0
    entry = journal.claim()
    assert entry is not None
    assert Path(entry.path) == path
    outputs = {str(tmp_path / "out" / f"{path.name}.txt"): "0" * 64}
    journal.writing(entry, outputs)
    assert journal.entry(entry.id).outputs == outputs
    journal.failed(entry, f"{path}: is text", poisoned=False)
    assert journal.attempts()[0][0] == str(path)
    assert journal.entry(entry.id).reason == f"{path}: is text"


def test_other_words_in_the_manifest_are_a_change(journal: Journal, tmp_path: Path) -> None:
    (path, *_) = three(journal, tmp_path)
    entry = journal.claim()
    assert entry is not None
    journal.done(entry)
    assert journal.register([Input(path, "a")]) == 0
    assert journal.entry(entry.id).state == "done"
    journal.register([Input(path, "a", text="other words")])
    assert (journal.entry(entry.id).state, journal.entry(entry.id).text) == ("waiting", "other words")


def test_an_input_that_was_only_touched_is_read_once(journal: Journal, tmp_path: Path) -> None:
    (path, *_) = three(journal, tmp_path)
    entry = journal.claim()
    assert entry is not None
    journal.began(entry, look_at(str(path)), hashlib.sha256(path.read_bytes()).hexdigest())
    journal.done(entry)
    os.utime(path, ns=(1, 1))
    assert changed_inputs(journal) == []
    assert journal.entry(entry.id).mtime_ns == 1


def test_a_name_that_differs_by_case_alone_gets_a_number(journal: Journal, tmp_path: Path) -> None:
    three(journal, tmp_path)
    journal.register([Input(tmp_path / "x" / "A.wav", "A")])
    assert journal.entries()[-1].name == "A-2"


def test_a_journal_that_breaks_while_it_is_used_is_an_error_of_ours(journal: Journal, tmp_path: Path) -> None:
    three(journal, tmp_path)
    with sqlite3.connect(tmp_path / "out" / "batch.sqlite") as other:
        other.execute("drop table attempts")
    other.close()
    with pytest.raises(ResultsError, match=r"cannot use .*batch\.sqlite: no such table"):
        journal.claim()
    assert journal.entries()[0].state == "waiting"


def test_a_folder_in_an_outputs_place_is_this_recordings_fault_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OrchestratorError, match="Is a directory; give this recording another name") as caught:
        stage({tmp_path / "a.txt": b"text"})
    assert not isinstance(caught.value, ResultsError)
