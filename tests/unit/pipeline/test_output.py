from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import ResultsError
from orchestrator.pipeline.document import Document, Segment
from orchestrator.pipeline.output import make_writable, output_paths, write_document

PARTS = st.sampled_from(["a", "A", "b", "..", "x.wav", "X.wav", "x.mp3"])
SOURCES = st.lists(
    st.lists(PARTS, min_size=1, max_size=4).map(lambda parts: Path(*parts)), min_size=1, max_size=6
)


def test_a_recording_by_itself_gives_its_name() -> None:
    assert output_paths([Path("deep/talk.mp3")], Path("out"), "srt") == {
        Path("deep/talk.mp3"): Path("out/talk.srt")
    }


def test_same_names_keep_what_tells_them_apart() -> None:
    found = output_paths([Path("x/a.wav"), Path("y/a.wav")], Path("out"), "txt")
    assert sorted(map(str, found.values())) == ["out/x/a.wav.txt", "out/y/a.wav.txt"]


def test_recordings_that_differ_in_their_ending_stay_side_by_side() -> None:
    found = output_paths([Path("x/a.wav"), Path("x/a.mp3"), Path("y/b.wav")], Path("out"), "srt")
    assert [str(path) for path in found.values()] == ["out/a.wav.srt", "out/a.mp3.srt", "out/b.wav.srt"]


def test_one_recording_named_in_two_ways_has_one_output() -> None:
    assert len(set(output_paths([Path("a.wav"), Path("x/../a.wav")], Path("out"), "txt").values())) == 1


@settings(deadline=None)
@given(SOURCES)
def test_no_output_overwrites_another_and_none_leaves_the_folder(sources: list[Path]) -> None:
    found = output_paths(sources, Path("out"), "txt")
    recordings = {os.path.abspath(source) for source in sources}
    assert len({str(path).casefold() for path in found.values()}) == len(recordings)
    assert all(path.parts[0] == "out" and ".." not in path.parts for path in found.values())


def test_a_place_that_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "a.txt").mkdir()
    for path in (tmp_path / "file" / "a.txt", tmp_path / "a.txt"):
        with pytest.raises(ResultsError, match="cannot write") as caught:
            make_writable(path)
        assert "--results" not in str(caught.value)
    make_writable(tmp_path / "new" / "b.txt")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_source_of_any_bytes_can_be_written(tmp_path: Path) -> None:
    document = Document("bad\udcff.wav", 10, [Segment(0, 10, "hi", "hi")])
    for format_name in ("txt", "json", "srt", "vtt", "tsv"):
        write_document(document, tmp_path / f"a.{format_name}", format_name)
    assert "bad?.wav" in (tmp_path / "a.json").read_text()


def test_an_output_does_not_leave_its_folder_through_a_link(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "x").symlink_to(elsewhere)
    with pytest.raises(ResultsError, match="a link stands where a folder is needed"):
        make_writable(out / "x" / "a.wav.txt", out)
    (tmp_path / "named").symlink_to(out)
    make_writable(tmp_path / "named" / "a.txt", tmp_path / "named")  # the folder itself may be a link
    assert list(elsewhere.iterdir()) == []
