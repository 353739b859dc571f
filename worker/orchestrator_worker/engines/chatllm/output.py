"""What libchatllm says, made into text, words and times. Pure: knows no library.

A transcript comes in chunks with markers around the text, which may be cut anywhere::

    "language" " English" "<asr_text>" "And" " so" … "</asr_text>"      with language auto
    "<asr_text>" "And" " so" …                                          with a language set

The aligner's answer is one JSON document with times in milliseconds. Its own SRT output prints memory that was
never written, so SRT is made here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from orchestrator_worker.engines.base import EngineError
from orchestrator_worker.results import Word

CHAT, META, ERROR, MODEL_INFO = 0, 1, 2, 13
"""The print types that matter here; all others, known or not, are ignored."""
OUT_OF_CONTEXT = "RUN OUT OF CONTEXT"
OPENING, CLOSING = "<asr_text>", "</asr_text>"
_MARKER = re.compile(f"{OPENING}|{CLOSING}")
_HEAD = re.compile(r"\s*language\s+(\S.*?)\s*", re.IGNORECASE)
_HEAD_WORD = "language"
_LONGEST_HEAD = 64
"""Characters a head may have; text that only begins like one is let go after so many."""
_NO_LANGUAGE = frozenset({"none", "unknown", "auto"})
_EXCERPT = 80


class Heard:
    """What one call of the library said besides its text. Kinds it does not know are let pass."""

    def __init__(self) -> None:
        self._lines: dict[int, list[str]] = {META: [], ERROR: [], MODEL_INFO: []}

    def listen(self, kind: int, said: str) -> None:
        """Take a line of one of the kinds."""
        if kind in self._lines:
            self._lines[kind].append(said)

    def of(self, kind: int) -> str:
        """Return all lines of one kind."""
        return "\n".join(self._lines[kind])

    @property
    def complaint(self) -> str:
        """The error lines, on one line."""
        return " ".join(self.of(ERROR).split())

    @property
    def out_of_context(self) -> bool:
        """Whether the context was full."""
        return OUT_OF_CONTEXT in self.of(META).upper()

    @property
    def warnings(self) -> list[str]:
        """What speaks against a result that came all the same."""
        found: list[str] = []
        if self.out_of_context:
            found.append(
                "the context was full and the text is cut off (RUN OUT OF CONTEXT): raise context_length"
            )
        if self.complaint:
            found.append(f"the library said: {self.complaint}")
        return found

    @property
    def model_info(self) -> dict[str, Any]:
        """What the library says of its model; empty when it is no JSON object."""
        try:
            return msgspec.json.decode(self.of(MODEL_INFO).encode(), type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeEncodeError):
            return {}


class TranscriptText:
    """Takes the markers out of a transcript as it comes.

    What :meth:`add` and :meth:`finish` return adds up to the text: nothing is withdrawn, and there is no blank
    at either end. ``language`` is what the model says it heard, once it has said so.
    """

    def __init__(self) -> None:
        self.language: str | None = None
        self._waiting = ""
        self._in_head = True
        self._begun = False
        self._blanks = ""

    def add(self, chunk: str) -> str:
        """Take a chunk; return the text that is certain now, often empty."""
        self._waiting += chunk
        certain = ""
        while True:
            if self._in_head and not self._leave_head():
                return self._shown(certain)
            marker = _MARKER.search(self._waiting)
            if marker is None:
                break
            certain += self._waiting[: marker.start()]
            self._waiting = self._waiting[marker.end() :]
            self._in_head = marker[0] == CLOSING  # another part may follow, with a head of its own
        kept = _uncertain(self._waiting)
        certain += self._waiting[: len(self._waiting) - kept]
        self._waiting = self._waiting[len(self._waiting) - kept :]
        return self._shown(certain)

    def finish(self) -> str:
        """Return what was still held back, now that nothing follows."""
        rest, self._waiting = self._waiting, ""
        if self._in_head and (head := _HEAD.fullmatch(rest)):
            self._hear(head[1])  # cut off by the token limit before there was any text
            rest = ""
        return self._shown(rest)

    def _leave_head(self) -> bool:
        """Look whether the head is over, or is none; True when what waits is text."""
        before, opening, after = self._waiting.partition(OPENING)
        if opening:
            head = _HEAD.fullmatch(before)
            if head:
                self._hear(head[1])
            self._waiting = after if head or not before.strip() else before + after
            self._in_head = False
        elif not _may_become_head(self._waiting):
            self._in_head = False
        return not self._in_head

    def _hear(self, name: str) -> None:
        if name.lower() not in _NO_LANGUAGE:
            self.language = self.language or name

    def _shown(self, text: str) -> str:
        """Hold blanks at the end back until something follows them; drop those at the beginning."""
        text = self._blanks + text
        if not self._begun:
            text = text.lstrip()
        shown = text.rstrip()
        self._begun = self._begun or bool(shown)
        self._blanks = text[len(shown) :]
        return shown


def _may_become_head(text: str) -> bool:
    start = text.lstrip()
    if OPENING.startswith(start) or _HEAD_WORD.startswith(start.lower()):
        return True
    return start.lower().startswith(_HEAD_WORD) and len(start) <= _LONGEST_HEAD


def _uncertain(text: str) -> int:
    """Return how many characters at the end may still turn out to be a marker."""
    sizes = range(min(len(text), len(CLOSING) - 1), 0, -1)
    return next(
        (size for size in sizes if any(marker.startswith(text[-size:]) for marker in (OPENING, CLOSING))), 0
    )


# --------------------------------------------------------------------------- alignments


_BETWEEN = re.compile(r'(?<=\})\s*,\s*(?=\{\s*"start")')
_ENTRY = re.compile(
    r'\{\s*"start"\s*:\s*(-?\d[\d.]*)\s*,\s*"end"\s*:\s*(-?\d[\d.]*)\s*,\s*"text"\s*:\s*"(.*)"\s*\}',
    re.DOTALL,
)
"""One word as the aligner writes it, whatever its text is."""


class _Entry(msgspec.Struct, frozen=True):
    start: int | float
    end: int | float
    text: str


def read_alignment(document: str) -> list[Word]:
    """Return the words of the aligner's JSON document.

    Raises:
        EngineError: It is no such document; has an excerpt of it.
    """
    try:
        entries = _entries(document)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        shown = document if len(document) <= _EXCERPT else document[:_EXCERPT] + "…"
        raise EngineError(
            f"the aligner's answer is no list of words with times ({error}): {shown!r}; is this model an aligner?"
        ) from error
    return [Word(entry.text, round(entry.start), round(entry.end)) for entry in entries]


def is_alignment(document: str) -> bool:
    """Say whether this is such a document, to its end."""
    if not (document.lstrip().startswith("[") and document.rstrip().endswith("]")):
        return False
    try:
        _entries(document)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return False
    return True


def _entries(document: str) -> list[_Entry]:
    """Decode it. Where a text has a quote or a control character unescaped, read it word by word."""
    try:
        return msgspec.json.decode(document.encode(), type=list[_Entry])
    except msgspec.MsgspecError:
        inner = document.strip()
        found = [_ENTRY.fullmatch(part.strip()) for part in _BETWEEN.split(inner[1:-1])]
        if inner[:1] + inner[-1:] != "[]" or None in found:
            raise
        return [_Entry(float(one[1]), float(one[2]), one[3]) for one in found if one]


def as_json(words: Sequence[Word]) -> str:
    """Return the words as a JSON list, as the aligner writes it: ``start`` and ``end`` in milliseconds, ``text``."""
    return msgspec.json.encode([_Entry(word.start_ms, word.end_ms, word.text) for word in words]).decode()


def as_srt(words: Sequence[Word]) -> str:
    """Return the words as SubRip text, a cue a word."""
    cues = (
        f"{number}\n{_clock(word.start_ms)} --> {_clock(word.end_ms)}\n{word.text}\n"
        for number, word in enumerate(words, 1)
    )
    return "\n".join(cues)


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(max(0, milliseconds), 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{rest:03}"


def doubts_about(words: Sequence[Word], audio_ms: int) -> list[str]:
    """Return what speaks against the times: words outside the audio, backwards, or all in one place."""
    doubts: list[str] = []
    outside = sum(word.start_ms < 0 or word.end_ms > audio_ms for word in words)
    backwards = sum(word.end_ms < word.start_ms for word in words)
    if outside:
        doubts.append(f"{outside} of {len(words)} words are placed outside the audio ({audio_ms / 1000:g} s)")
    if backwards:
        doubts.append(f"{backwards} of {len(words)} words end before they begin")
    if len(words) > 1 and len({(word.start_ms, word.end_ms) for word in words}) == 1:
        doubts.append(f"all {len(words)} words have the same time: none was really placed")
    return doubts
