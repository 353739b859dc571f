"""Where an output may be written that a user names: it takes the place of nothing but an earlier one of its form.

An output replaces what is there in one stroke. That would turn a device or a pipe into a plain file, when we are root,
and would throw away whatever a wrong name points to: the result of a run, a recording, somebody's notes.
"""

from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import NamedTuple

from orchestrator.errors import ResultsError
from orchestrator.files.reading import read_regular

_NOT_REGULAR = "it is no regular file (a pipe, a socket or a device)"
_LOOKED_AT_BYTES = 512
_BEFORE_THE_FIRST_WORD = b"\xef\xbb\xbf \t\r\n"
_DEVICES = Path("/dev")


class Form(NamedTuple):
    """What kind of file an output is: its name in words, its usual endings, how one begins, a name to propose."""

    name: str
    endings: tuple[str, ...]
    begins: tuple[bytes, ...]
    example: str


PAGE = Form("a page", (".html", ".htm"), (b"<!doctype html", b"<html", b"<!--"), "page.html")
JUNIT = Form("a JUnit file", (".xml",), (b"<?xml", b"<testsuite"), "junit.xml")
MARKDOWN = Form("a text in Markdown", (".md", ".markdown"), (b"#",), "issue.md")
SVG = Form("an SVG picture", (".svg",), (b"<svg", b"<?xml"), "figure.svg")
PNG = Form("a PNG picture", (".png",), (b"\x89png",), "figure.png")


def refuse_special(path: Path) -> None:
    """Refuse a place where something stands that is neither a file nor a folder: a pipe, a socket, a device.

    A link counts as what it leads to; one that leads nowhere is nothing. Those in ``/dev``, such as ``/dev/stdout``,
    belong to the system wherever they lead.

    Raises:
        OSError: EINVAL, with why; or the place cannot be looked at.
    """
    if path.is_symlink() and path.parent.resolve() == _DEVICES:
        raise OSError(errno.EINVAL, _NOT_REGULAR, str(path))
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        raise OSError(errno.EINVAL, _NOT_REGULAR, str(path))


def check_place(path: Path, form: Form, *, make: bool = False) -> None:
    """Refuse a place for an output before any work goes into it. What is of its form there may be replaced.

    Args:
        path: The file as the user named it.
        form: What will be written.
        make: Whether its folder is made.

    Raises:
        ResultsError: There is no folder, or a folder, a pipe, a device or a file of another form stands there.
    """
    if not make and not path.absolute().parent.is_dir():
        raise ResultsError(f"there is no folder {path.absolute().parent}")
    if path.is_dir():
        raise ResultsError(f"{path} is a folder; name a file, such as {path / form.example}")
    try:
        refuse_special(path)
        begins = read_regular(path, follow=True, most_bytes=_LOOKED_AT_BYTES) if path.exists() else b""
    except OSError as error:
        raise ResultsError(
            f"{path} cannot be replaced: {error.strerror or error}; name another file"
        ) from error
    first = begins.lstrip(_BEFORE_THE_FIRST_WORD).lower()
    if begins and not first.startswith(form.begins):
        raise ResultsError(
            f"{path} is there already and is not {form.name}; name another file, or move it away"
        )
