"""Turn any text into words a dictionary has, and the aligner's times back into the text's own words.

    "On 10th St.," ──prepare──> On: (on)  10th: (tenth)  St.,: (st.) ──aligner──> on 0–120, tenth(2) …
                                                                                       │
    Word("On") Word("10th") Word("St.,")  <──────────────placed────────────────────────┘

Pure: the dictionary is a callable, the aligner's answer a list. A token is what stands between blanks; it
keeps its spelling and punctuation, however many words it is spoken as. What the aligner does with the words
is its engine's business.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from orchestrator_worker.engines.base import EngineError
from orchestrator_worker.engines.spoken_numbers import spell_numbers
from orchestrator_worker.protocol import Word

_CHARACTERS = str.maketrans(
    {"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "‛": "'"}
    | dict.fromkeys("‐‑‒–—―−", "-")
    | {"\u00ad": None, "\u200b": None, "\ufeff": None}  # soft hyphen, zero-width space, byte-order mark
)
_PRONUNCIATION = re.compile(r"\(\d+\)$")
_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+|\(NULL\)")
_PIECES = re.compile(r"[^\W\d_]+(?:'+[^\W\d_]+)*'?|'[^\W\d_]+")

Known = Callable[[str], bool]


class Token(NamedTuple):
    """One token of the caller's text, and the dictionary's words it is spoken as."""

    text: str
    spoken: tuple[str, ...]


class AlignmentText(NamedTuple):
    """What to align. ``skipped`` are tokens that cannot be placed: unknown, or no word at all (a dash)."""

    tokens: list[Token]
    skipped: list[str]

    @property
    def spoken(self) -> list[str]:
        """All words in the order they are spoken."""
        return [word for token in self.tokens for word in token.spoken]


class Timed(NamedTuple):
    """One entry of the aligner's answer, in its own spelling; the end is exclusive."""

    name: str
    start_ms: int
    end_ms: int


def prepare(text: str, known: Known, *, skip_unknown: bool = False) -> AlignmentText:
    """Split ``text`` at blanks and find the dictionary's words for each token.

    Raises:
        EngineError: The text has no words; or words the dictionary lacks (all of them are listed), unless
            ``skip_unknown``; or nothing is left after skipping.
        EngineUnavailableError: There are digits and nothing to spell them with.
    """
    tokens: list[Token] = []
    skipped: list[str] = []
    unknown: dict[str, None] = {}  # a set that keeps the order
    for token in text.split():
        spoken, missing = _speak(token, known)
        unknown.update(dict.fromkeys(missing))
        if spoken and not missing:
            tokens.append(Token(token, tuple(spoken)))
        else:
            skipped.append(token)
    if not tokens and not unknown:
        raise EngineError("the text to align has no words: it is empty, or only punctuation")
    if unknown and not (skip_unknown and tokens):
        raise EngineError(_about_unknown(list(unknown), all_of_them=not tokens))
    return AlignmentText(tokens, skipped)


def bare_word(name: str) -> str:
    """Return ``name`` without its pronunciation mark: ``can(2)`` is ``can``."""
    return _PRONUNCIATION.sub("", name)


def is_filler(name: str) -> bool:
    """Say whether the aligner put this in by itself: ``<sil>``, ``<s>``, ``[NOISE]`` and the like."""
    return _FILLER.fullmatch(name) is not None


def placed(prepared: AlignmentText, found: Iterable[Timed]) -> tuple[list[Word], list[int]]:
    """Give each token the time from its first spoken word to its last.

    Returns the words, and for each spoken word the index of the word it belongs to.

    Raises:
        EngineError: The aligner's words are not the ones that were asked for.
    """
    heard = [entry for entry in found if not is_filler(entry.name)]
    names = [bare_word(entry.name) for entry in heard]
    if names != prepared.spoken:
        raise EngineError(
            f"the aligner placed {len(names)} of {len(prepared.spoken)} words; "
            "is this the text of this audio, and all of it?"
        )
    words: list[Word] = []
    owners: list[int] = []
    following = iter(heard)
    for index, token in enumerate(prepared.tokens):
        mine = [next(following) for _ in token.spoken]
        words.append(Word(token.text, mine[0].start_ms, mine[-1].end_ms))
        owners += [index] * len(mine)
    return words, owners


def _speak(token: str, known: Known) -> tuple[list[str], list[str]]:
    """Return the dictionary's words for one token, and the words it lacks (as they are spelled, small)."""
    plain = unicodedata.normalize("NFKC", token.translate(_CHARACTERS)).translate(_CHARACTERS).lower()
    if whole := _first_known(_whole_forms(plain), known):
        return [whole], []
    spoken: list[str] = []
    missing: list[str] = []
    for piece in spell_numbers(plain).split():
        if whole := _first_known(_whole_forms(piece), known):
            spoken.append(whole)
            continue
        for part in _PIECES.findall(piece):
            if word := _first_known(_part_forms(part), known):
                spoken.append(word)
            else:
                missing.append(part)
    return spoken, missing


def _first_known(forms: Iterator[str], known: Known) -> str | None:
    return next((form for form in forms if form and known(form)), None)


def _whole_forms(token: str) -> Iterator[str]:
    """Yield the token's own spelling, most likely first: ``'twas``, ``fellow``, ``mr.``, ``u.s.``, ``dogs'``.

    Only what is letters, inner hyphens, dots and apostrophes: ``hello(2)`` is a mark of the dictionary and
    never a word of a text.
    """
    core = re.sub(r"^[\W_]+|[\W_]+$", "", token)
    if not re.fullmatch(r"[^\W\d_]+(?:['.-]+[^\W\d_]+)*", core):
        return
    start = token.index(core)
    before, after = token[:start], token[start + len(core) :]
    if before.endswith("'") and not after.startswith("'"):
        yield f"'{core}"
    yield core
    for mark in (".", "'"):
        if after.startswith(mark):
            yield core + mark
    yield _without_accents(core)


def _part_forms(part: str) -> Iterator[str]:
    """Yield spellings of one part of a token that was not known whole."""
    yield part
    yield part.strip("'")
    yield _without_accents(part.strip("'"))
    if len(part) == 1:
        yield f"{part}."  # the dictionary's letters: "b."


def _without_accents(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _about_unknown(unknown: list[str], *, all_of_them: bool) -> str:
    count = "1 word" if len(unknown) == 1 else f"{len(unknown)} words"
    what_to_do = (
        "the aligner reads English"
        if all_of_them
        else 'correct them, or leave them out with the option unknown = "skip"'
    )
    return f"{count} of the text not in the pronunciation dictionary: {', '.join(unknown)}; {what_to_do}"
