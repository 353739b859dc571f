"""Place a given text on the times of words that a recogniser heard in the same audio.

A recogniser with word times is no forced aligner: it times what it *heard*. Where that is what the text says,
the text's word takes the time of the heard one; where the two differ between words that agree, the time of
the heard words in between is shared out over the text's words by their length; what the text has and nobody
was heard to say is left out, and said to be::

    text    And so, my fellow Americans, ask 10 times
    heard   And so  my fellow American   ask ten times
            ═══ ══  ══ ══════ ─────────  ═══ ─── ═════     ═ same word, its time    ─ time shared out

Languages written without blanks are placed character by character. Pure: texts and times in, words out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from orchestrator_worker.engines.alignment_text import Timed
from orchestrator_worker.engines.base import EngineError
from orchestrator_worker.results import Word

_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_PIECES = re.compile(rf"[{_IDEOGRAPHS}]|[^\s{_IDEOGRAPHS}]+")


class _Piece(NamedTuple):
    """A word (or a character of a language without blanks) as written, and what is compared of it."""

    text: str
    key: str


class Placed(NamedTuple):
    """``words`` are the text's own, in its order; ``skipped`` those of them that nobody was heard to say."""

    words: list[Word]
    skipped: list[str]


def place(text: str, heard: Iterable[Timed]) -> Placed:
    """Give each word of ``text`` a time out of what was ``heard``, which comes in the order of time.

    A word keeps its spelling and punctuation.

    Raises:
        EngineError: The text has no words, nothing was heard, or no word of the text was among it.
    """
    wanted = _pieces(text)
    if not wanted:
        raise EngineError("the text to align has no words: it is empty, or only punctuation")
    found = [piece for word in heard for piece in _timed_pieces(word)]
    if not found:
        raise EngineError("nothing was heard in this audio, so there is nothing to place the text on")
    words: list[Word] = []
    skipped: list[str] = []
    matched = False
    for same, theirs, ours in _runs(wanted, found):
        matched = matched or same
        if same:
            words += [Word(w.text, f.start_ms, f.end_ms) for w, f in zip(theirs, ours, strict=True)]
        elif ours:
            words += _shared_out([piece.text for piece in theirs], ours[0].start_ms, ours[-1].end_ms)
        else:
            skipped += [piece.text for piece in theirs]
    if not matched:
        said = " ".join(entry.name for entry in found)
        raise EngineError(f"none of the text's words was heard in this audio; what was heard: {said[:200]}")
    return Placed(words, skipped)


def _runs(
    wanted: Sequence[_Piece], found: Sequence[Timed]
) -> list[tuple[bool, Sequence[_Piece], Sequence[Timed]]]:
    """Cut both into runs that are the same, and runs of the text beside whatever was heard there instead."""
    from difflib import SequenceMatcher  # an idle worker does without

    matcher = SequenceMatcher(
        None, [piece.key for piece in wanted], [_key(entry.name) for entry in found], autojunk=False
    )
    return [
        (tag == "equal", wanted[i1:i2], found[j1:j2])
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if i2 > i1
    ]


def _pieces(text: str) -> list[_Piece]:
    """Split a text into pieces; punctuation that stands alone belongs to the piece before, or else after it."""
    pieces: list[_Piece] = []
    loose = ""
    for written in _PIECES.findall(text):
        key = _key(written)
        if key:
            pieces.append(_Piece(loose + written, key))
            loose = ""
        elif pieces and not loose:
            last = pieces[-1]
            pieces[-1] = _Piece(last.text + written, last.key)
        else:
            loose += written
    return pieces


def _timed_pieces(word: Timed) -> list[Timed]:
    """Split one heard word as the text is split."""
    texts = [piece.text for piece in _pieces(word.name)]
    return [
        Timed(part.text, part.start_ms, part.end_ms)
        for part in _shared_out(texts, word.start_ms, word.end_ms)
    ]


def _shared_out(texts: Sequence[str], start_ms: int, end_ms: int) -> list[Word]:
    """Divide a stretch of time among texts by how many letters each has."""
    lengths = [len(_key(text)) for text in texts]
    total = sum(lengths)
    words: list[Word] = []
    done = 0
    for text, length in zip(texts, lengths, strict=True):
        first = start_ms + (end_ms - start_ms) * done // total
        done += length
        words.append(Word(text, first, start_ms + (end_ms - start_ms) * done // total))
    return words


def _key(text: str) -> str:
    """Return letters and digits alone, in one form and one case."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in plain if unicodedata.category(character)[0] in "LNM")
