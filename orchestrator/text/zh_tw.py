"""Chinese as it is written in Taiwan, from simplified Chinese: at once, or while the text still comes.

::

    text ── words ──┬─ phrases of OpenCC, from one border of words to another   干净 → 乾淨, not 了如 in 展示|了|如何
                    ├─ Taiwan's own words, where their sense is meant           软件 → 軟體, 支持 → 支援 or 支持
                    └─ characters                                                们 → 們

Where words begin and end decides :mod:`.segmentation`, which sense is meant :mod:`.word_senses`. One word is taken
after the other, from its beginning: each sees a fixed number of characters behind it and the sentence before it, so
that a text in pieces is cut as the whole is.
"""

from __future__ import annotations

import re
from itertools import accumulate

from orchestrator.text.opencc_dictionaries import dictionaries, fold_all, once
from orchestrator.text.segmentation import is_name, parts, words
from orchestrator.text.word_senses import compound, senses

AHEAD = 16
"""Characters behind the beginning of a word that are looked at: no phrase or word is longer."""
_BEFORE = 40
_MARK = re.compile(r"[\W_]")
_SENTENCE_END = re.compile(r"[。！？!?；;\n]")
_IN_NAMES = frozenset("里托克范余岳游升布占征朴")
"""Characters that are themselves in the names of people and places (托雷斯, 范仲淹), where no phrase says otherwise."""


def to_zh_tw(text: str) -> str:
    """Return ``text`` in the characters and words of Taiwan; what is not Chinese stays as it is.

    Safe from any thread. Text that already is traditional passes, apart from Taiwan's own words and variants.
    """
    if not text:
        return ""
    stream = ZhTwStream()
    stream.feed(text)
    stream.flush()
    return stream.text


class ZhTwStream:
    """Converts text that comes in pieces. Joined, what it gives is ``to_zh_tw`` of the pieces joined.

    A character that is in no phrase and no word of Taiwan's own is given at once; others when the word that they
    belong to is certain: at a mark, at the latest :data:`AHEAD` characters later. For one thread at a time.
    """

    def __init__(self) -> None:
        self._tables = _tables()
        self._given: list[str] = []
        self._start_anew()

    def feed(self, piece: str) -> str:
        """Take the next piece of the source; return what is now certain and was not given before."""
        self._source += piece
        return self._advance(ended=False)

    def flush(self) -> str:
        """Say that the text ends here; return the rest of it. A new text may follow."""
        rest = self._advance(ended=True)
        self._start_anew()
        return rest

    @property
    def text(self) -> str:
        """All that was given so far."""
        return "".join(self._given)

    def _start_anew(self) -> None:
        self._source = ""  # from a sentence's length before the next word on
        self._at = 0  # where the next word begins
        self._early = 0  # characters from there on that were given already
        self._phrase: dict[int, str] = {}  # what a phrase that began earlier makes of the next characters

    def _advance(self, *, ended: bool) -> str:
        new: list[str] = []
        while self._at < len(self._source) and (word := self._next(ended=ended)) is not None:
            written, length = word
            new.append(written[min(self._early, length) :])
            self._early = max(0, self._early - length)
            self._at += length
        new.append(self._certain_characters())
        self._forget()
        self._given.append("".join(new))
        return self._given[-1]

    def _next(self, *, ended: bool) -> tuple[str, int] | None:
        """Return what becomes of the next word and how long it is; None: that depends on what still comes."""
        if _MARK.match(self._source, self._at):
            return self._source[self._at].translate(self._tables.characters), 1
        mark = _MARK.search(self._source, self._at, self._at + AHEAD)
        end = mark.start() if mark else self._at + AHEAD
        if end > len(self._source) and not ended:
            return None
        stretch = self._source[self._at : end]
        folded = fold_all(stretch)
        found = [part for word in words(folded) for part in compound(word)]
        borders = list(accumulate(map(len, found)))
        for border in reversed(borders):
            if (sense := self._tables.senses.get(folded[:border])) is None:
                continue
            if not sense.always and not ended and not self._sentence_is_there():
                return None
            before, after = self._around(border)
            if (written := sense.decide(before, after)) is not None:
                return written, border
            break
        return self._written(stretch, found[0], borders), borders[0]

    def _written(self, stretch: str, first: str, borders: list[int]) -> str:
        """Write the first word of ``stretch`` by phrases, else by its characters."""
        length, place = len(first), 0
        while place < length:
            end = (
                None if self._at + place in self._phrase else self._phrase_end(stretch, place, first, borders)
            )
            if end is not None:
                self._phrase.update(enumerate(self._tables.phrases[stretch[place:end]], self._at + place))
            place = end or place + 1
        own = _IN_NAMES if not _IN_NAMES.isdisjoint(first) and is_name(first) else ""
        return "".join(
            self._phrase.get(self._at + place)
            or (each if each in own else each.translate(self._tables.characters))
            for place, each in enumerate(stretch[:length])
        )

    def _phrase_end(self, stretch: str, place: int, first: str, borders: list[int]) -> int | None:
        """Return where the longest phrase ends that begins at ``place`` in the first word, None without one.

        From the word's beginning it may go on to the end of a later word, in the word to where it cuts no part.
        """
        phrases = self._tables.phrases
        beyond = (end for end in reversed(borders) if place == 0 and end > len(first))
        within = (end for end in range(len(first), place + 1, -1) if self._is_whole(first, place, end))
        return next((end for end in (*beyond, *within) if stretch[place:end] in phrases), None)

    def _is_whole(self, word: str, start: int, end: int) -> bool:
        """Say whether ``word[start:end]`` cuts no part of the word that matters: 国历 cuts 历史 in 中国历史博物馆."""
        at = 0
        for part in parts(word):
            edges = at, at + len(part)
            at = edges[1]
            inside = start <= edges[0] and edges[1] <= end
            apart = end <= edges[0] or edges[1] <= start
            around = edges[0] <= start and end <= edges[1]
            if not (inside or apart or around) and (len(part) > 2 or part in self._tables.phrases):
                return False
        return True

    def _sentence_is_there(self) -> bool:
        """Say whether all that a sense may look at has come."""
        enough = len(self._source) - self._at >= 2 * AHEAD
        return enough or _SENTENCE_END.search(self._source, self._at) is not None

    def _around(self, length: int) -> tuple[str, str]:
        """Return the sentence before and behind the next ``length`` characters, in simplified characters."""
        before = self._source[max(0, self._at - _BEFORE) : self._at]
        after = self._source[self._at + length : self._at + 2 * AHEAD]
        return fold_all(_SENTENCE_END.split(before)[-1]), fold_all(_SENTENCE_END.split(after)[0])

    def _certain_characters(self) -> str:
        """Give the characters from the next word on that no phrase and no word can cover."""
        position = start = self._at + self._early
        limit = self._covered_from()
        while position < limit and position not in self._phrase:
            position += 1
        self._early = position - self._at
        return self._source[start:position].translate(self._tables.characters)

    def _covered_from(self) -> int:
        """Return the first character that is in an entry, or in the beginning of one at the text's end."""
        folded = fold_all(self._source[self._at :])
        for start in range(len(folded)):
            end = start + 1
            while folded[start:end] in self._tables.beginnings:
                if folded[start:end] in self._tables.entries or end == len(folded):
                    return self._at + start
                end += 1
        return len(self._source)

    def _forget(self) -> None:
        """Drop what is too far back to matter."""
        if (gone := self._at - _BEFORE) > 4 * AHEAD:
            self._source = self._source[gone:]
            self._at = _BEFORE
            self._phrase = {at - gone: char for at, char in self._phrase.items() if at >= self._at + gone}


class _Tables:
    """All that is looked up; made once for the process, at the first use."""

    def __init__(self) -> None:
        known = dictionaries()
        self.phrases, self.senses = known.phrases, senses()
        single = {
            ord(key): each.written for key, each in self.senses.items() if len(key) == 1 and each.always
        }
        self.characters = known.characters | {key: value for key, value in single.items() if value}
        telling = (key for key, value in self.phrases.items() if value != key.translate(self.characters))
        self.entries = {fold_all(key) for key in telling} | set(self.senses) | _IN_NAMES
        self.beginnings = {key[:end] for key in self.entries for end in range(1, len(key) + 1)}


_tables = once(_Tables)


__all__ = ["AHEAD", "ZhTwStream", "to_zh_tw"]
