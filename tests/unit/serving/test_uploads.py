"""A form comes in pieces of any size, and is the same; what is no form, or too much, is refused."""

from __future__ import annotations

import asyncio
import errno
import io
import tempfile
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("starlette", reason="needs the extra 'serve'")

from starlette.datastructures import Headers

from orchestrator.serving.api_errors import ApiError
from orchestrator.serving.uploads import Form, check_announced, receive_form, write_all

TYPE = {"content-type": "multipart/form-data; boundary=b"}
RECORDING = bytes(range(256)) * 5 + b"\r\n--c is no boundary\r\n-" * 3
BODY = (
    b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nasr\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="../../x"\r\ncontent-type: audio/wav\r\n\r\n'
    + RECORDING
    + b'\r\n--b\r\ncontent-disposition: form-data; name="g[]"\r\n\r\nword\r\n'
    b'--b\r\ncontent-disposition: form-data; name="g[]"\r\n\r\nsegment\r\n--b--\r\nwhat follows'
)


def received(body: bytes, cuts: list[int], folder: Path, most_bytes: int = 1 << 20) -> tuple[Form, bytes]:
    """Return the form and its recording of a body that comes in pieces."""
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]

    async def stream() -> AsyncIterator[bytes]:
        for start, end in pairwise(edges):
            yield body[start:end]

    form = asyncio.run(receive_form(Headers(TYPE), stream(), folder, most_bytes=most_bytes, timeout_s=600))
    return form, form.path.read_bytes() if form.path else b""


@given(st.lists(st.integers(0, len(BODY)), max_size=12))
def test_a_form_is_the_same_in_whatever_pieces_it_comes(cuts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        form, recording = received(BODY, cuts, Path(folder))
        assert recording == RECORDING
        assert form.path == Path(folder) / "recording", "what the client calls it is looked at by nobody"
    assert form.size_bytes == len(RECORDING)
    assert form.one("model") == "asr"
    assert form.many("g") == ["word", "segment"]
    assert form.one("nothing") is None


@given(st.integers(0, len(BODY) - 20))
def test_a_form_that_ends_early_is_refused(end: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.raises(ApiError) as told:
        received(BODY[:end], [], Path(folder))
    assert told.value.status == 400


@given(st.binary(max_size=400))
def test_bytes_of_any_kind_are_a_form_or_refused(body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found: Form | ApiError
        try:
            found, _ = received(b"--b\r\n" + body, [], Path(folder))
        except ApiError as error:
            found = error
    assert isinstance(found, Form) or found.status in {400, 413}


@pytest.mark.parametrize("most", [0, 10, len(RECORDING) - 1])
def test_not_a_byte_beyond_the_bound_is_written(tmp_path: Path, most: int) -> None:
    with pytest.raises(ApiError) as told:
        received(BODY, list(range(0, len(BODY), 7)), tmp_path, most_bytes=most)
    assert told.value.status == 413
    assert (tmp_path / "recording").stat().st_size <= most


@pytest.mark.parametrize("kind", ["name", "value"])
def test_a_header_that_never_ends_is_refused(tmp_path: Path, kind: str) -> None:
    """In a body in chunks nothing else bounds it."""
    begun = b"--b\r\n" + (b"x-" if kind == "name" else b"x: ")
    seen = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal seen
        yield begun
        while True:
            seen += 1000
            yield b"a" * 1000

    with pytest.raises(ApiError) as told:
        asyncio.run(receive_form(Headers(TYPE), stream(), tmp_path, most_bytes=1000, timeout_s=600))
    assert told.value.status == 400
    assert seen < 20_000


def test_what_a_disk_takes_in_parts_is_written_whole() -> None:
    class Slow(io.RawIOBase):
        taken = b""

        def write(self, data: Any) -> int:
            self.taken += bytes(data[:7])
            return min(7, len(data))

    disk = Slow()
    write_all(disk, RECORDING)
    assert disk.taken == RECORDING


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EMFILE])
def test_without_room_it_is_503_and_may_be_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(reason, "none left")

    monkeypatch.setattr("orchestrator.serving.uploads.write_all", refuse)
    with pytest.raises(ApiError) as told:
        received(BODY, [], tmp_path)
    assert (told.value.status, told.value.code) == (503, "no_room")
    assert "retry-after" in {name.lower() for name in told.value.headers}


def test_a_recording_as_large_as_the_bound_is_taken(tmp_path: Path) -> None:
    assert received(BODY, [], tmp_path, most_bytes=len(RECORDING))[0].size_bytes == len(RECORDING)


@pytest.mark.parametrize(("length", "status"), [("1e9", 400), ("-1", 400), ("99999999999", 413), ("１", 400)])
def test_a_length_is_looked_at_before_anything_comes(length: str, status: int) -> None:
    with pytest.raises(ApiError) as told:
        check_announced(Headers(raw=[(b"content-length", length.encode())]), 1000)
    assert told.value.status == status


def test_an_upload_that_never_ends_is_given_up(tmp_path: Path) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield BODY[:200]
        await asyncio.Event().wait()

    with pytest.raises(ApiError) as told:
        asyncio.run(receive_form(Headers(TYPE), stream(), tmp_path, most_bytes=1000, timeout_s=0.01))
    assert told.value.status == 408
