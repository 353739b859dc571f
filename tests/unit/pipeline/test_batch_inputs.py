from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from orchestrator.batch import find_inputs
from orchestrator.errors import ConfigError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def names(*arguments: str, **more: Path) -> list[str]:
    return [each.name for each in find_inputs(arguments, **more)]


def test_a_folder_gives_its_recordings_with_their_place_in_it(tmp_path: Path) -> None:
    touch(tmp_path, "b.MP3", "a.wav", "deep/er/c.mkv", "notes.txt", ".hidden/d.wav")
    assert names(str(tmp_path)) == ["a", "b", "deep/er/c"]


def test_a_named_file_is_taken_whatever_its_ending(tmp_path: Path) -> None:
    touch(tmp_path, "speech.bin")
    assert names(str(tmp_path / "speech.bin")) == ["speech"]


def test_a_glob_reaches_any_depth(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "x/b.wav", "x/y/c.wav")
    assert names(f"{tmp_path}/**/*.wav") == ["a", "b", "c"]


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path: Path) -> None:
    touch(tmp_path, "take[1].wav")
    assert names(str(tmp_path / "take[1].wav")) == ["take[1]"]


def test_a_recording_named_twice_is_done_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    assert len(find_inputs([str(tmp_path), str(tmp_path / "a.wav")])) == 1


def test_outputs_of_recordings_with_one_name_do_not_meet(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.wav", "y/a.wav", "y/A.flac")
    found = names(*(str(tmp_path / name) for name in ("x/a.wav", "y/a.wav", "y/A.flac")))
    assert len({name.casefold() for name in found}) == 3
    assert found[0] == "a"


def test_a_list_has_one_path_a_line(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("# these\n/data/a.wav\n\n  /data/b.wav  \n")
    assert names(list_file=listed) == ["a", "b"]


def test_a_list_comes_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"/data/a.wav\n/data/b\xff.wav\n")))
    found = find_inputs([], list_file=Path("-"))
    assert [os.fsencode(each.path) for each in found] == [b"/data/a.wav", b"/data/b\xff.wav"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (
            "m.jsonl",
            '{"audio": "a.wav", "output": "x/one", "language": "zh", "text": "hi"}\n\n{"audio": "b.wav"}\n',
        ),
        ("m.csv", "audio,output,language,text\na.wav,x/one,zh,hi\nb.wav,,,\n"),
        ("m.tsv", "audio\toutput\tlanguage\ttext\na.wav\tx/one\tzh\thi\nb.wav\t\t\t\n"),
    ],
)
def test_a_manifest_says_more_than_paths(tmp_path: Path, file: str, content: str) -> None:
    (tmp_path / file).write_text(content)
    first, second = find_inputs([], manifest=tmp_path / file)
    assert (first.path, first.name, first.language, first.text) == (tmp_path / "a.wav", "x/one", "zh", "hi")
    assert (second.name, second.language, second.text) == ("b", None, None)


def test_an_output_cannot_leave_its_folder(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"audio": "a.wav", "output": "../../etc/passwd"}')
    assert find_inputs([], manifest=tmp_path / "m.jsonl")[0].name == "etc/passwd"


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "m.jsonl").write_text('{"audoi": "a.wav"}\n[1]\n{"output": "x"}\n')
    with pytest.raises(ConfigError) as caught:
        find_inputs([str(tmp_path / "empty"), f"{tmp_path}/*.flac"], manifest=tmp_path / "m.jsonl")
    assert [problem.key_path for problem in caught.value.problems] == [
        str(tmp_path / "empty"),
        f"{tmp_path}/*.flac",
        *(f"{tmp_path / 'm.jsonl'} line {number}" for number in (1, 2, 3)),
    ]


def test_a_list_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        find_inputs([], list_file=tmp_path / "none.txt")


def test_ways_through_links_to_folders_lead_to_one_recording(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.wav")
    (tmp_path / "x/loop").symlink_to(tmp_path / "x")
    (tmp_path / "x/other.wav").symlink_to(tmp_path / "x/a.wav")
    (tmp_path / "x/dangling.wav").symlink_to(tmp_path / "nowhere.wav")
    assert names(f"{tmp_path}/**/*.wav") == ["a", "other"]
    assert names(str(tmp_path)) == ["x/a", "x/other"]
    assert names(str(tmp_path / "x/a.wav"), str(tmp_path / "x/../x/loop/a.wav")) == ["a"]


def test_names_that_no_file_system_takes_are_made_writable(tmp_path: Path) -> None:
    touch(tmp_path, "x" * 250 + ".wav", "x" * 249 + "y.wav")
    (tmp_path / os.fsdecode(b"bad\xff.wav")).write_bytes(b"x")
    found = names(str(tmp_path))
    assert found[0] == "bad\ufffd"
    assert len(set(found)) == 3
    assert all(
        len(f".{part}.json.{'0' * 16}.tmp".encode()) <= 255 for name in found for part in name.split("/")
    )


def test_names_that_differ_by_case_alone_are_told_apart(tmp_path: Path) -> None:
    touch(tmp_path, "Talk.wav", "talk.wav")
    assert len({name.casefold() for name in names(str(tmp_path))}) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"audio": 5}', "'audio' is 5, not text"),
        ('{"audio": "a.wav", "language": ["zh"]}', "'language' is"),
        ('{"audio": "a\\u0000.wav"}', "zero byte"),
        ('{"output": "x"}', "has no 'audio'"),
    ],
)
def test_a_manifests_values_are_text(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "m.jsonl").write_text(content)
    with pytest.raises(ConfigError, match=words):
        find_inputs([], manifest=tmp_path / "m.jsonl")


def test_csv_as_spreadsheets_write_it(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(
        b'\xef\xbb\xbfaudio,text\r\n"a, b.wav","he said ""yes"",\nand went"\r\nc.wav,\r\n'
    )
    first, second = find_inputs([], manifest=tmp_path / "m.csv")
    assert (first.path.name, first.text) == ("a, b.wav", 'he said "yes",\nand went')
    assert (second.path.name, second.text) == ("c.wav", None)
    (tmp_path / "m.csv").write_text("audio,text\na.wav,b,c\n")
    with pytest.raises(ConfigError, match="line 2: has more columns"):
        find_inputs([], manifest=tmp_path / "m.csv")
