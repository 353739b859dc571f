"""A multipart body, taken as it comes: the recording goes to a private file, fields stay in memory, bounds hold.

Nothing is written of a body whose ``Content-Length`` is beyond the bound, and no byte beyond it of any other. The file
has a name of ours: what the client calls it is looked at by nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from io import RawIOBase
from pathlib import Path

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers

from orchestrator.serving.api_errors import ApiError, no_room_of, too_large
from orchestrator.serving.settings import FIELD_BYTES

FILE_FIELD = "file"
MOST_PARTS = 64
MOST_HEADER_BYTES = 8192
WRITTEN_AT_ONCE = 1 << 18
"""Bytes of a recording that wait in memory, at most, before they are written."""
_AROUND_BYTES = 1 << 16
"""Boundaries and headers of parts."""


@dataclass
class Form:
    """What a request has sent. ``path`` None: no recording."""

    fields: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    path: Path | None = None
    size_bytes: int = 0

    def recording(self) -> Path:
        """Return the recording.

        Raises:
            ApiError: 400; there is none, or it is empty.
        """
        if self.path is None:
            message = "there is no recording: send it as the form's field 'file'"
            raise ApiError(400, message, code="missing_file", param=FILE_FIELD)
        if not self.size_bytes:
            raise ApiError(400, "the recording is empty (0 bytes)", code="invalid_audio", param=FILE_FIELD)
        return self.path

    def one(self, name: str) -> str | None:
        """Return a field's value; of several the last, None without one or when it is empty."""
        values = self.fields.get(name)
        return values[-1] if values and values[-1] else None

    def many(self, name: str) -> list[str]:
        """Return all values of a field, under its name with ``[]`` too."""
        return [value for each in (name, f"{name}[]") for value in self.fields.get(each, [])]


def check_announced(headers: Headers, most_bytes: int) -> None:
    """Refuse a body by what its headers say, before any of it is read.

    Raises:
        ApiError: 413, or 400 for a length that is none.
    """
    announced = headers.get("content-length")
    if announced is None:
        return
    if not (announced.isascii() and announced.isdigit()):
        raise ApiError(400, "Content-Length is no number", code="invalid_request")
    if int(announced) > most_bytes + FIELD_BYTES + _AROUND_BYTES:
        raise _too_many(most_bytes)


async def receive_form(
    headers: Headers, stream: AsyncIterator[bytes], folder: Path, *, most_bytes: int, timeout_s: float
) -> Form:
    """Take a whole body; its recording is written to ``folder``.

    Raises:
        ApiError: 400 or 415, it is no such form; 413, it is too large; 408, it took too long; 503, the disk is full.
    """
    check_announced(headers, most_bytes)
    parts = _Parts(_boundary(headers), folder, most_bytes)
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in stream:
                parts.take(chunk)
                if parts.waiting >= WRITTEN_AT_ONCE:
                    await parts.write()
            await parts.write()
    except TimeoutError:
        message = f"the upload was not complete within {timeout_s:g} s"
        raise ApiError(408, message, code="upload_timeout", headers={"Connection": "close"}) from None
    except OSError as error:
        if (known := no_room_of(error)) is None:
            raise
        raise known from error
    finally:
        parts.close()
    return parts.form()


def _boundary(headers: Headers) -> bytes:
    kind, options = parse_options_header(headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        raise ApiError(415, "send a form: Content-Type multipart/form-data", code="unsupported_media_type")
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise ApiError(400, "the form has no boundary in its Content-Type", code="invalid_form")
    return boundary


def _too_many(most_bytes: int) -> ApiError:
    return too_large(f"the recording has more than {most_bytes:,} bytes, and this server takes no more")


class _Parts:
    """The parser's other half: gets the pieces of parts as they are found, within one ``take``."""

    def __init__(self, boundary: bytes, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._form = Form()
        self._values: dict[str, list[bytearray]] = {}
        self._field_bytes = 0
        self._parts = 0
        self._ended = False
        self._name = ""
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = ""
        self._file: RawIOBase | None = None
        self._to_file = False
        self._pending: list[bytes] = []
        self.waiting = 0
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _bad_form() from error

    def take(self, chunk: bytes) -> None:
        """Parse a piece of the body."""
        if not chunk or self._ended:
            return  # what stands behind the last boundary says nothing
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _bad_form() from error

    async def write(self) -> None:
        """Write what waits, in a thread: a disk may be slow."""
        if self._file is not None and self._pending:
            data, self._pending, self.waiting = b"".join(self._pending), [], 0
            await asyncio.to_thread(write_all, self._file, data)

    def close(self) -> None:
        """Close the file; it goes with its folder."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def form(self) -> Form:
        """Return the whole."""
        if not self._ended:
            raise ApiError(400, "the form ends before its last boundary", code="invalid_form")
        for name, values in self._values.items():
            try:
                self._form.fields[name] = [bytes(value).decode() for value in values]
            except UnicodeDecodeError:
                raise ApiError(400, "a field of the form is not UTF-8", code="invalid_form") from None
        return self._form

    # ------------------------------------------------------------------ from the parser

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise ApiError(400, f"the form has more than {MOST_PARTS} parts", code="invalid_form")
        self._disposition = ""
        self._header.clear()
        self._value.clear()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._check_header()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        """Bound what is kept of a part's header: a body in chunks may go on for ever."""
        if len(self._header) + len(self._value) > MOST_HEADER_BYTES:
            raise ApiError(
                400, f"a part has a header of more than {MOST_HEADER_BYTES:,} bytes", code="invalid_form"
            )

    def _header_ends(self) -> None:
        if bytes(self._header).strip().lower() == b"content-disposition":
            self._disposition = bytes(self._value).decode("utf-8", "replace")
        self._header.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        name, is_file = _disposition(self._disposition)
        self._name = name
        self._to_file = name == FILE_FIELD
        if self._to_file:
            if self._file is not None:
                raise ApiError(
                    400, "the form has two recordings; send one", code="invalid_form", param=FILE_FIELD
                )
            path = self._folder / "recording"
            self._file = open(path, "xb", buffering=0)  # noqa: SIM115 - closed by close()
            self._form.path = path
        elif is_file:
            message = "the recording belongs into the field 'file'; there is another file in the form"
            raise ApiError(400, message, code="invalid_form")
        else:
            self._values.setdefault(name, []).append(bytearray())

    def _data(self, data: bytes, start: int, end: int) -> None:
        size = end - start
        if self._to_file:
            self._form.size_bytes += size
            if self._form.size_bytes > self._most_bytes:
                raise _too_many(self._most_bytes)
            self._pending.append(data[start:end])
            self.waiting += size
            return
        self._field_bytes += size
        if self._field_bytes > FIELD_BYTES:
            raise ApiError(
                413, f"the form's fields have more than {FIELD_BYTES:,} bytes", code="request_too_large"
            )
        self._values[self._name][-1] += data[start:end]

    def _end(self) -> None:
        self._ended = True


def write_all(file: RawIOBase, data: bytes) -> None:
    """Write all of ``data``: on a disk that is nearly full one call may take a part, without an error."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) or 0 :]


def _bad_form() -> ApiError:
    return ApiError(400, "the form cannot be read: it is no multipart/form-data", code="invalid_form")


def _disposition(header: str) -> tuple[str, bool]:
    """Return a part's name, and whether it is a file."""
    message = Message()
    message["content-disposition"] = header.replace("\r", " ").replace("\n", " ")
    name = message.get_param("name", header="content-disposition")
    if message.get_content_disposition() != "form-data" or not isinstance(name, str):
        raise ApiError(400, "a part of the form has no name", code="invalid_form")
    return name, message.get_filename() is not None
