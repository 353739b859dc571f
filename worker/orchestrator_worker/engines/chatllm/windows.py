"""How much the aligner's context holds, and how longer recordings are cut for it. Pure: knows no library.

The aligner aborts the process when audio and text together are more than its context. Its audio is exactly 13 tokens a
second; how many tokens a word is depends on a vocabulary that only the library knows, so that each byte is counted as
one, which it never exceeds, and two more for the times of a word.

A longer recording is cut into windows, one after the other::

    audio  |--------- window 1 ---------|
    text   | words that are spoken in three quarters of it |
                        kept |<-- aligned again -->
                             |--------- window 2 ---------| …

Words are given to a window by the speaking rate of what is left. It gets fewer than it can hold, because an aligner
that has audio to spare places words where they are, and one that has words to spare crowds them at the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from orchestrator_worker.engines.base import EngineError
from orchestrator_worker.language_names import WITHOUT_BLANKS, is_unspaced
from orchestrator_worker.results import Word

TOKENS_PER_SECOND = 13
TOKENS_OF_TIMES = 2
"""Each word has a token for its begin and one for its end."""
RESERVED_TOKENS = 64
"""For what the model's own template puts around an input."""
LONGEST_WINDOW_S = 500.0
SHORTEST_WINDOW_S = 4.0
_SHARE_OF_WORDS = 0.75
_SHARE_KEPT = 0.9


@dataclass(frozen=True)
class Window:
    """A part of the audio, in seconds, and which words of the text are looked for in it."""

    start_s: float
    end_s: float
    first: int
    stop: int


def units_of(text: str, language: str | None, delimiter: str | None) -> list[str]:
    """Return the words as the aligner splits them, each with what joins it to the one before: joined, the text."""
    if delimiter:
        parts = text.split(delimiter)
        return [parts[0], *(delimiter + part for part in parts[1:])]
    units: list[str] = []
    for index, word in enumerate(text.split(" ")):
        joint = " " if index else ""
        pieces = _characters(word) if language in WITHOUT_BLANKS else [word]
        units += [(joint if not number else "") + piece for number, piece in enumerate(pieces)]
    return units


def _characters(word: str) -> list[str]:
    """Split off each character of an unspaced script; other letters and marks stay with the one before."""
    pieces: list[str] = []
    for character in word:
        if not pieces or is_unspaced(character) or (is_unspaced(pieces[-1][-1]) and character.isalnum()):
            pieces.append(character)
        else:
            pieces[-1] += character
    return pieces or [word]


def tokens_of(unit: str) -> int:
    """Return the most tokens that a word can be, with what joins it and its times."""
    return len(unit.encode("utf-8", "surrogatepass")) + TOKENS_OF_TIMES


def tokens_of_audio(seconds: float) -> int:
    """Return the tokens of so much audio."""
    return math.ceil(TOKENS_PER_SECOND * seconds)


class Cutting:
    """Cuts one recording into windows; each depends on where the words of the one before were found."""

    def __init__(self, units: Sequence[str], seconds: float, context: int | None) -> None:
        """``context`` is the model's, in tokens; None: not known, so that only the length of the audio counts.

        Raises:
            EngineError: Not even a short window holds; has the numbers.
        """
        self._units = list(units)
        self._costs = [tokens_of(unit) for unit in units]
        self._seconds = seconds
        self._room = math.inf if context is None else context - RESERVED_TOKENS
        self.needed = tokens_of_audio(seconds) + sum(self._costs) + RESERVED_TOKENS
        self.context = context
        self._start_s = 0.0
        self._first = 0
        self._refuse_what_never_fits(units)

    @property
    def why(self) -> str:
        """Why it is cut, with the numbers."""
        if self.context is None or self.needed <= self.context:
            return (
                f"the audio has {self._seconds:.1f} s, and the longest it can take has {LONGEST_WINDOW_S:g} s"
            )
        return (
            f"{self._seconds:.1f} s of audio and {len(self._units):,} words need up to {self.needed:,} tokens, and the "
            f"context has {self.context:,} (raise context_length to align them at once)"
        )

    def next(self) -> Window | None:
        """Return the next window; None when every word has been placed."""
        if self._first >= len(self._costs):
            return None
        left_s, costs = self._seconds - self._start_s, self._costs[self._first :]
        if tokens_of_audio(left_s) + sum(costs) <= self._room and left_s <= LONGEST_WINDOW_S:
            return Window(self._start_s, self._seconds, self._first, len(self._costs))
        length_s = self._length_s(left_s, sum(costs) / max(left_s, 1.0))
        end_s = min(self._seconds, self._start_s + length_s)
        most = min(
            self._room - tokens_of_audio(end_s - self._start_s),
            sum(costs) * (end_s - self._start_s) / max(left_s, 1.0) * _SHARE_OF_WORDS,
        )
        return Window(self._start_s, end_s, self._first, self._first + _how_many(costs, most))

    def placed(self, window: Window, words: Sequence[Word]) -> int:
        """Note where the window's words were found, counted from its begin; return how many of them are kept.

        The last ones are looked for again in the next window, which begins where the last one kept ends.
        """
        if window.stop >= len(self._units):
            self._first = window.stop
            return len(words)
        inside = self._units[window.first : window.stop]
        units, kept = _common_border(inside, words, max(1, math.floor(len(inside) * _SHARE_KEPT)))
        length_s = window.end_s - window.start_s
        found_s = words[kept - 1].end_ms / 1000 if 0 < kept <= len(words) else math.nan
        if not 0 < found_s <= length_s:
            found_s = length_s * _SHARE_OF_WORDS * _SHARE_KEPT  # placed nowhere: by the speaking rate
        self._first = window.first + units
        self._start_s = min(window.start_s + found_s, max(0.0, self._seconds - SHORTEST_WINDOW_S))
        return kept

    def _length_s(self, left_s: float, tokens_a_second: float) -> float:
        """Return the longest window whose audio and share of words the context holds."""
        rate = TOKENS_PER_SECOND + tokens_a_second * _SHARE_OF_WORDS
        for_one_word_s = (self._room - max(self._costs)) / TOKENS_PER_SECOND
        return max(SHORTEST_WINDOW_S, min(left_s, LONGEST_WINDOW_S, self._room / rate, for_one_word_s))

    def _refuse_what_never_fits(self, units: Sequence[str]) -> None:
        longest = max(self._costs, default=0)
        shortest_s = min(self._seconds, SHORTEST_WINDOW_S)
        least = tokens_of_audio(shortest_s) + longest
        if least <= self._room:
            return
        word = max(units, key=tokens_of).strip()
        shown = word if len(word) <= 40 else word[:39] + "…"
        raise EngineError(
            f"chatllm: {self._seconds:.1f} s of audio and {len(units):,} words need up to {self.needed:,} tokens, and "
            f"the context has {self.context:,}, too few for {shortest_s:.3g} s and the word {shown!r} "
            f"({least + RESERVED_TOKENS:,}): raise context_length"
        )


def _common_border(units: Sequence[str], words: Sequence[Word], most: int) -> tuple[int, int]:
    """Return how many units, at most ``most``, and how many words are the same text.

    The library may split otherwise than we think, and leave marks out: letters and digits are counted.
    """
    said = {
        letters: count for count, letters in enumerate(accumulate(_letters(word.text) for word in words), 1)
    }
    letters = list(accumulate(_letters(unit) for unit in units[:most]))
    for count in range(len(letters), 0, -1):
        if letters[count - 1] in said:
            return count, said[letters[count - 1]]
    return most, min(most, len(words))


def _letters(text: str) -> int:
    return sum(character.isalnum() for character in text)


def _how_many(costs: Sequence[int], most: float) -> int:
    """Return how many words from the first on have at most so many tokens; at least one."""
    used = 0
    for count, cost in enumerate(costs):
        used += cost
        if used > most:
            return max(1, count)
    return len(costs)
