r"""A document as text, JSON, SRT, WebVTT or TSV. Same document, same bytes.

======  ==============================================================================================
txt     the text, one line for each segment of speech
json    everything: text, language, segments and words with times in milliseconds
srt     SubRip: numbered cues, ``00:00:01,500``
vtt     WebVTT: ``00:00:01.500``, with ``&``, ``<`` and ``>`` escaped; if wanted, with the time of each word
tsv     a header, then start and end in milliseconds and the text of each cue
======  ==============================================================================================

Written by hand, because the libraries for subtitles take text as markup: pysubs2 drops ``{…}`` as an override of SSA,
turns ``\N`` into a line and leaves ``<`` and ``&`` in WebVTT as they are; webvtt-py refuses ``-->`` and leaves the
escaping to the caller, and that is most of the work. The tests read what is written here with webvtt-py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from orchestrator.files.writing import to_readable_json
from orchestrator.pipeline.document import AlignmentSummary, Document, Segment
from orchestrator.pipeline.piece_warnings import PieceWarning
from orchestrator.pipeline.subtitles.cues import Cue, ReadingSpeed, cues
from orchestrator_worker.results import Word

LATEST_MS = 1_000_000_000
"""11 days: no document is longer."""
_CONTROLS = {
    code: " " if chr(code).isspace() else "\ufffd"
    for code in (*range(32), *range(127, 160))
    if chr(code) not in "\t\n\r"
}
"""What stands for them in subtitles: a player takes NUL for the end of the file."""
_STYLE = "STYLE\n::cue(:future) {\n  color: grey;\n}\n"
"""What has not been said yet is grey."""


class DocumentFile(msgspec.Struct, frozen=True):
    """What the JSON form holds: the document with its text and language at hand."""

    source: str
    duration_ms: int
    language: str | None
    text: str
    segments: list[Segment]
    words: list[Word]
    notes: list[str] = []
    warnings: list[PieceWarning] = []
    alignment: AlignmentSummary | None = None


def read_json(content: bytes) -> Document:
    """Return the document of its JSON form.

    Raises:
        msgspec.DecodeError: It is none.
        ValueError: It has a time that cannot be.
    """
    read = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=DocumentFile)
    times = [(part.start_ms, part.end_ms) for segment in read.segments for part in segment.words]
    times += [(segment.start_ms, segment.end_ms) for segment in read.segments]
    for start_ms, end_ms in times:
        if not 0 <= start_ms <= end_ms <= LATEST_MS:
            raise ValueError(f"it has a time from {start_ms} to {end_ms} ms")
    return Document(
        source=read.source,
        duration_ms=read.duration_ms,
        segments=read.segments,
        notes=read.notes,
        warnings=read.warnings,
        alignment=read.alignment,
    )


def render(document: Document, format_name: str, speed: ReadingSpeed | None = None) -> str:
    """Return a document in a format; ends with a newline.

    Text and JSON have an engine's control characters as they are. In subtitles each is written as U+FFFD, which
    WebVTT's readers make of NUL, or as a blank where it is white space.

    Raises:
        ValueError: No such format; names those there are.
    """
    try:
        write = FORMATS[format_name]
    except KeyError:
        raise ValueError(f"format {format_name!r}: one of {', '.join(FORMATS)}") from None
    written = write(document, speed or ReadingSpeed())
    return written if write in (_txt, _json) else written.translate(_CONTROLS)


def _txt(document: Document, _: ReadingSpeed) -> str:
    return "".join(f"{segment.text.strip()}\n" for segment in document.segments if segment.text.strip())


def _json(document: Document, _: ReadingSpeed) -> str:
    whole = DocumentFile(
        document.source,
        document.duration_ms,
        document.language,
        document.text,
        document.segments,
        document.words,
        document.notes,
        document.warnings,
        document.alignment,
    )
    return to_readable_json(whole).decode()


def _srt(document: Document, speed: ReadingSpeed) -> str:
    return "\n".join(
        f"{number}\n{_span(cue, ',')}\n{_body(cue)}\n" for number, cue in enumerate(cues(document, speed), 1)
    )


def _vtt(document: Document, speed: ReadingSpeed) -> str:
    body = _highlighted if speed.highlight_words else _plain
    blocks = (f"{_span(cue, '.')}\n{body(cue)}\n" for cue in cues(document, speed))
    return "\n".join(["WEBVTT\n", *([_STYLE] if speed.highlight_words else []), *blocks])


def _tsv(document: Document, speed: ReadingSpeed) -> str:
    rows = (f"{cue.start_ms}\t{cue.end_ms}\t{_one_line(cue.text)}\n" for cue in cues(document, speed))
    return "".join(["start\tend\ttext\n", *rows])


def _span(cue: Cue, mark: str) -> str:
    return f"{_clock(cue.start_ms, mark)} --> {_clock(cue.end_ms, mark)}"


def _clock(time_ms: int, mark: str) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{milliseconds:03}"


def _body(cue: Cue) -> str:
    """Return the lines; ``-->`` would end a cue early in both formats."""
    return "\n".join(line.replace("-->", "→") for line in cue.lines)


def _plain(cue: Cue) -> str:
    return _escaped(_body(cue))


def _highlighted(cue: Cue) -> str:
    """Return the lines with a time before each word that begins after the cue does, as WebVTT has it for karaoke."""
    begins = iter(_beginnings(cue))
    at, time_ms = next(begins, (-1, 0))
    written: list[str] = []
    seen = 0
    for character in "\n".join(cue.lines):
        if not character.isspace():
            if seen == at:
                written.append(f"<{_clock(time_ms, '.')}>")
                at, time_ms = next(begins, (-1, 0))
            seen += 1
        written.append(_escaped(character))
    return "".join(written).replace("--&gt;", "→")


def _beginnings(cue: Cue) -> Iterator[tuple[int, int]]:
    """Yield how many visible characters come before each word, and when it begins: after the one before it."""
    seen, before_ms = 0, cue.start_ms
    for word in cue.words:
        if before_ms < word.start_ms < cue.end_ms:
            before_ms = word.start_ms
            yield seen, before_ms
        seen += sum(not character.isspace() for character in word.text)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _one_line(text: str) -> str:
    return " ".join(text.split())


FORMATS: dict[str, Callable[[Document, ReadingSpeed], str]] = {
    "txt": _txt,
    "json": _json,
    "srt": _srt,
    "vtt": _vtt,
    "tsv": _tsv,
}
"""Every format by its name, which is also the ending of its files."""
