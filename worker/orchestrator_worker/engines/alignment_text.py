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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from orchestrator_worker.engines.base import EngineError, EngineUnavailableError
from orchestrator_worker.engines.spoken_numbers import DIGIT_WORDS, spell_numbers
from orchestrator_worker.results import Word

_CHARACTERS = str.maketrans(
    {"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "‛": "'"}
    | dict.fromkeys("‐‑‒–—―−", "-")
    | {"\u00ad": None, "\u200b": None, "\ufeff": None}  # soft hyphen, zero-width space, byte-order mark
)
_PRONUNCIATION = re.compile(r"\(\d+\)$")
_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+|\(NULL\)")
_PIECES = re.compile(r"[^\W\d_]+(?:'+[^\W\d_]+)*'?|'[^\W\d_]+")

Known = Callable[[str], bool]
Unknown = Literal["pronounce", "skip", "error"]
UNKNOWN: tuple[Unknown, ...] = ("pronounce", "skip", "error")
MOST_LEFT_OUT = 3
"""Words in a row that an aligner may leave out between two it hears."""
WORD_PRICE, END_PRICE = 6, 8
"""What leaving out costs: each word between two that are heard; all before the first, and all after the last."""
MOST_LISTED = 20
MOST_SPOKEN = 60
"""Words that one token may be spoken as: hundreds of digits are not read out, and cost the other tokens nothing."""


class Token(NamedTuple):
    """One token of the caller's text, and the words it is spoken as; ``by_rule``: some are not the dictionary's."""

    text: str
    spoken: tuple[str, ...]
    by_rule: bool = False


class AlignmentText(NamedTuple):
    """What to align. ``skipped`` are tokens that cannot be placed: unknown, or no word at all (a dash)."""

    tokens: list[Token]
    skipped: list[str]

    @property
    def spoken(self) -> list[str]:
        """All words in the order they are spoken."""
        return [word for token in self.tokens for word in token.spoken]


class Timed(NamedTuple):
    """One entry of the aligner's answer, in its own spelling; the end is exclusive.

    ``probability`` is the acoustic one of all its frames, where the aligner gives it.
    """

    name: str
    start_ms: int
    end_ms: int
    probability: float = 1.0


def prepare(
    text: str, known: Known, learn: Known = lambda _: False, *, unknown: Unknown = "pronounce"
) -> AlignmentText:
    """Split ``text`` at blanks and find the words that each token is spoken as.

    Args:
        text: Any.
        known: Says whether the dictionary has a word.
        learn: Adds a word that the dictionary lacks as it is probably said; False when there is no saying it.
        unknown: What becomes of words the dictionary lacks: they are learnt, or else their tokens are skipped; skipped;
            or refused, all of them listed.

    Raises:
        EngineError: The text has no words, or none that can be said, or unknown ones that are to be refused.
    """
    tokens: list[Token] = []
    skipped: list[str] = []
    lacking: dict[str, None] = {}  # a set that keeps the order
    for token in text.split():
        spoken, missing = _speak(token, known)
        by_rule = bool(missing)
        if missing and unknown == "pronounce":
            spoken, missing = _speak(token, known, learn)
        lacking.update(dict.fromkeys(missing))
        if spoken and not missing and len(spoken) <= MOST_SPOKEN:
            tokens.append(Token(token, tuple(spoken), by_rule))
        else:
            skipped.append(token)
    if lacking and (unknown == "error" or not tokens):
        raise EngineError(_about_unknown(list(lacking), all_of_them=not tokens))
    if not tokens:
        raise EngineError("the text to align has no words: it is empty, or only punctuation")
    return AlignmentText(tokens, skipped)


def bare_word(name: str) -> str:
    """Return ``name`` without its pronunciation mark: ``can(2)`` is ``can``."""
    return _PRONUNCIATION.sub("", name)


def is_filler(name: str) -> bool:
    """Say whether the aligner put this in by itself: ``<sil>``, ``<s>``, ``[NOISE]`` and the like."""
    return _FILLER.fullmatch(name) is not None


def placed(prepared: AlignmentText, found: Iterable[Timed], length_ms: int) -> tuple[list[Word], list[int]]:
    """Give each token the time from its first spoken word that was found to its last.

    A token of which nothing was found shares the time between its neighbours, by its length, and says so.

    Args:
        prepared: What was asked for.
        found: What the aligner heard: these words in this order, some of them left out perhaps.
        length_ms: Of the audio.

    Returns:
        The words, and for each spoken word that was found the index of its word. Nothing at all when what was heard
        are other words than those asked for, or none.
    """
    heard = [entry for entry in found if not is_filler(entry.name)]
    places = which([bare_word(entry.name) for entry in heard], prepared.spoken)
    if not places:
        return [], []
    owner = [index for index, token in enumerate(prepared.tokens) for _ in token.spoken]
    owners = [owner[place] for place in places]
    mine: dict[int, list[Timed]] = {}
    for index, entry in zip(owners, heard, strict=True):
        mine.setdefault(index, []).append(entry)
    times = {index: (entries[0].start_ms, entries[-1].end_ms) for index, entries in mine.items()}
    return list(_all_timed([token.text for token in prepared.tokens], times, length_ms)), owners


def which(names: Sequence[str], spoken: Sequence[str]) -> list[int]:
    """Return which of the ``spoken`` words the heard ``names`` are, when some were left out; none when they are not.

    Of all ways the one that leaves out least between two heard words is taken; what is left out before the first and
    after the last counts once.
    """
    if list(names) == list(spoken):
        return list(range(len(names)))
    costs: dict[int, int] = {-1: 0}
    ways: list[dict[int, int]] = []
    for number, name in enumerate(names):
        now: dict[int, int] = {}
        way: dict[int, int] = {}
        for at, cost in costs.items():
            reach = len(spoken) if number == 0 else at + 2 + MOST_LEFT_OUT
            for place in range(at + 1, min(reach, len(spoken))):
                price = cost + (END_PRICE * (place > 0) if number == 0 else WORD_PRICE * (place - at - 1))
                if spoken[place] == name and price < now.get(place, price + 1):
                    now[place], way[place] = price, at
        costs = now
        ways.append(way)
    if not names or not costs:
        return []
    place = min(costs, key=lambda place: (costs[place] + END_PRICE * (place < len(spoken) - 1), place))
    places: list[int] = []
    for way in reversed(ways):
        places.append(place)
        place = way[place]
    return places[::-1]


def _all_timed(texts: list[str], times: Mapping[int, tuple[int, int]], length_ms: int) -> Iterator[Word]:
    at = 0
    while at < len(texts):
        if at in times:
            yield Word(texts[at], *times[at])
            at += 1
            continue
        after = next((index for index in range(at, len(texts)) if index in times), len(texts))
        start = times[at - 1][1] if at else 0
        end = times[after][0] if after in times else max(start, length_ms)
        yield from shared_out(texts[at:after], start, end)
        at = after


def shared_out(texts: Sequence[str], start_ms: int, end_ms: int) -> Iterator[Word]:
    """Yield words that share a time by their length."""
    total = sum(len(text) for text in texts) or 1
    before = 0
    for text in texts:
        first = start_ms + (end_ms - start_ms) * before // total
        before += len(text)
        yield Word(text, first, start_ms + (end_ms - start_ms) * before // total, "interpolated")


def _speak(token: str, known: Known, learn: Known = lambda _: False) -> tuple[list[str], list[str]]:
    """Return the dictionary's words for one token, and the words it lacks (as they are spelled, small)."""
    plain = unicodedata.normalize("NFKC", token.translate(_CHARACTERS)).translate(_CHARACTERS).lower()
    if whole := _first_known(_whole_forms(plain), known):
        return [whole], []
    spoken: list[str] = []
    missing: list[str] = []
    for piece in _spelt(plain).split():
        if whole := _first_known(_whole_forms(piece), known):
            spoken.append(whole)
            continue
        for part in _PIECES.findall(piece):
            if word := _first_known(_part_forms(part), known):
                spoken.append(word)
            elif learn(plain_part := _without_accents(part.strip("'"))):
                spoken.append(plain_part)
            else:
                missing.append(part)
    return spoken, missing


def _spelt(plain: str) -> str:
    """Spell out numbers; digit by digit where the package for that is not installed."""
    try:
        return spell_numbers(plain)
    except EngineUnavailableError:
        return "".join(f" {DIGIT_WORDS[int(each)]} " if each.isdecimal() else each for each in plain)


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
    listed = ", ".join(unknown[:MOST_LISTED]) + (" …" if len(unknown) > MOST_LISTED else "")
    what_to_do = (
        "the aligner reads English"
        if all_of_them
        else 'correct them, or leave out the option unknown = "error"'
    )
    return f"{count} of the text not in the pronunciation dictionary: {listed}; {what_to_do}"
