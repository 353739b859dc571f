"""iterations.jsonl, whole, cut at any byte, damaged, or on a disk that is full."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import record_builders as build

from orchestrator.errors import ResultsError
from orchestrator.experiments.storage import entry_log
from orchestrator.experiments.storage.entry_log import EntryLog, read_entries, series_records
from orchestrator.experiments.storage.records import Entry, SeriesEnd, SeriesStart
from orchestrator.experiments.storage.upgrades import upgrade

ENTRIES: list[Entry] = [
    SeriesStart("exp2", "recreate"),
    build.iteration(1, build.step_record(None, (10, 20, 30, 15), text="好 one"), memory_mb=15),
    build.iteration(2, build.step_record(None, (15, 20, 30, 16)), memory_mb=16),
    SeriesEnd("exp2", "recreate", "completed", 2),
]


def written(path: Path, entries: list[Entry] = ENTRIES) -> bytes:
    with EntryLog(path) as log:
        for entry in entries:
            log.append(entry)
    return path.read_bytes()


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "iterations.jsonl"
    content = written(path)
    assert read_entries(path) == ENTRIES
    assert content.count(b"\n") == len(ENTRIES)


def test_no_log_yet_means_no_entries(tmp_path: Path) -> None:
    assert read_entries(tmp_path / "iterations.jsonl") == []


def test_cut_at_every_offset_only_the_cut_line_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "iterations.jsonl"
    content = written(path)
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        assert read_entries(path) == ENTRIES[: content[:size].count(b"\n")]


def test_appending_after_a_cut_at_every_offset(tmp_path: Path) -> None:
    path = tmp_path / "iterations.jsonl"
    content = written(path)
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        with EntryLog(path) as log:
            log.append(ENTRIES[-1])
        assert read_entries(path) == [*ENTRIES[: content[:size].count(b"\n")], ENTRIES[-1]]


def test_a_cut_line_longer_than_one_read_is_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "iterations.jsonl"
    content = written(path)
    path.write_bytes(content + b"x" * 200_000)
    written(path, [ENTRIES[0]])
    assert read_entries(path) == [*ENTRIES, ENTRIES[0]]


def test_an_entry_is_with_the_system_when_append_returns(tmp_path: Path) -> None:
    log = EntryLog(tmp_path / "iterations.jsonl")
    log.append(ENTRIES[0])
    assert read_entries(log.path) == ENTRIES[:1]
    log.close()
    log.close()


def test_one_write_call_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[bytes] = []
    write = os.write

    def seen(descriptor: int, content: bytes) -> int:
        pieces.append(content)
        return write(descriptor, content)

    monkeypatch.setattr(os, "write", seen)
    content = written(tmp_path / "iterations.jsonl")
    assert [piece.count(b"\n") for piece in pieces] == [1] * len(ENTRIES)
    assert b"".join(pieces) == content


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"type":"iteration"}', b"\0\0\0", b"\xff", b'{"type":"?"}']
)
def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "iterations.jsonl"
    lines = written(path).splitlines()
    path.write_bytes(b"\n".join([*lines[:2], damage, *lines[2:]]) + b"\n")
    with pytest.raises(ResultsError, match="line 3") as caught:
        read_entries(path)
    assert str(path) in str(caught.value)
    assert "--resume" in str(caught.value)


def test_bytes_that_are_no_text_do_not_lose_a_run(tmp_path: Path) -> None:
    path = tmp_path / "iterations.jsonl"
    words = os.fsdecode(b"died of \xff\xfe")
    written(path, [SeriesEnd("e", "recreate", "crashed", 0, stderr_tail=words, unclean_exits=[words])])
    (entry,) = read_entries(path)
    assert isinstance(entry, SeriesEnd)
    assert entry.stderr_tail == "died of ??"


def test_a_full_disk_says_what_is_safe() -> None:
    log = EntryLog(Path("/dev/full"))
    with pytest.raises(ResultsError, match=r"disk is full.*make room.*--resume"):
        log.append(ENTRIES[0])
    log.close()


def test_a_line_written_in_part_is_cut_off_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "iterations.jsonl"
    write, room = os.write, [400]

    def filling(descriptor: int, content: bytes) -> int:
        if room[0] == 0:
            raise OSError(28, "No space left on device")
        done = write(descriptor, content[: room[0]])
        room[0] -= done
        return done

    log = EntryLog(path)
    log.append(ENTRIES[0])
    whole = path.read_bytes()
    monkeypatch.setattr(os, "write", filling)
    with pytest.raises(ResultsError, match=r"everything up to the start of exp2/recreate is safe"):
        log.append(ENTRIES[1])
    assert path.read_bytes() == whole
    room[0] = 1 << 20  # somebody made room
    log.append(ENTRIES[1])
    log.close()
    assert read_entries(path) == ENTRIES[:2]


def test_a_log_in_a_vanished_folder(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="No such file"):
        EntryLog(tmp_path / "gone" / "iterations.jsonl").append(ENTRIES[0])


def numbers(entries: list[Entry], series: str = "recreate") -> list[int]:
    return [one.iteration for one in series_records(entries)["exp2", series].iterations]


def test_series_are_collected_apart() -> None:
    other = build.iteration(1, memory_mb=5, series="recycle")
    found = series_records([*ENTRIES[:2], SeriesStart("exp2", "recycle"), other, *ENTRIES[2:]])
    assert list(found) == [("exp2", "recreate"), ("exp2", "recycle")]
    assert found["exp2", "recreate"].iterations == ENTRIES[1:3]
    assert found["exp2", "recreate"].end == ENTRIES[3]
    assert found["exp2", "recycle"].end is None


def test_a_second_start_voids_all_before_it() -> None:
    again = SeriesStart("exp2", "recreate", reason="the process is gone")
    record = series_records([*ENTRIES, again, ENTRIES[1]])["exp2", "recreate"]
    assert record.iterations == [ENTRIES[1]]
    assert record.end is None
    assert record.restarts == ["the process is gone"]


def test_a_start_further_on_keeps_what_is_before_it() -> None:
    many = [build.iteration(number, memory_mb=5) for number in range(1, 6)]
    again = SeriesStart("exp2", "recreate", first_iteration=4, reason="resumed")
    assert numbers([ENTRIES[0], *many, again]) == [1, 2, 3]
    assert numbers([ENTRIES[0], *many, again, many[3], many[4]]) == [1, 2, 3, 4, 5]


def test_collecting_changes_nothing_given() -> None:
    entries = list(ENTRIES)
    assert series_records(entries) == series_records(entries)
    assert entries == ENTRIES


def test_upgrade_goes_through_every_version() -> None:
    chain = {1: lambda old: {**old, "b": old["a"] + 1}, 2: lambda old: {**old, "c": old["b"] + 1}}
    assert upgrade({"a": 1}, 1, current=3, chain=chain, where="f") == {"a": 1, "b": 2, "c": 3}
    assert upgrade({"b": 5}, 2, current=3, chain=chain, where="f") == {"b": 5, "c": 6}
    assert upgrade({"x": 0}, 3, current=3, chain=chain, where="f") == {"x": 0}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (4, "newer version.*schema 4.*upgrade orchestrator"),
        (1, "schema 1 is too old"),
        *((odd, repr(odd)) for odd in (None, "2", 0, True, -1)),
    ],
)
def test_upgrade_refuses_with_a_clear_word(schema: object, said: str) -> None:
    with pytest.raises(ResultsError, match=f"some.json.*{said}"):
        upgrade({}, schema, current=3, chain={2: dict}, where="some.json")


def test_entries_of_an_older_schema_are_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "iterations.jsonl"
    path.write_bytes(b'{"type":"series-start","experiment":"exp2","method":"recreate"}\n')
    monkeypatch.setattr(entry_log, "RECORDS_SCHEMA", 2)

    def renamed(old: dict[str, Any]) -> dict[str, Any]:
        return {**{key: value for key, value in old.items() if key != "method"}, "series": old["method"]}

    assert read_entries(path, 1, chain={1: renamed}) == [SeriesStart("exp2", "recreate")]
    with pytest.raises(ResultsError, match="newer version"):
        read_entries(path, 3, chain={1: renamed})
