"""The text under work: its runs of numerals, what they can mean, and what the rules want to rewrite."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from orchestrator.text.itn.cardinals import Cardinal, read_cardinal
from orchestrator.text.itn.characters import DIGIT_VALUES, DIGITS, RUN, fold
from orchestrator.text.itn.kept_words import mask_kept_words
from orchestrator.text.itn.word_borders import mask_words


@dataclass(frozen=True)
class Run:
    """Numerals without a gap: ``text[start:end]``; ``spoken`` is folded, ``source`` as it stands."""

    start: int
    end: int
    spoken: str
    source: str

    @cached_property
    def digits(self) -> str | None:
        """The digits, when it is nothing else: 二零二六 is ``2026``."""
        values = [DIGIT_VALUES.get(each) for each in self.spoken]
        return None if None in values else "".join(map(str, values))

    @cached_property
    def cardinal(self) -> Cardinal | None:
        """The number that it is as a whole."""
        return read_cardinal(self.spoken)

    @property
    def single(self) -> bool:
        """One digit (or 两): by itself a word rather than a number."""
        return len(self.spoken) == 1 and self.spoken in f"{DIGITS}两"

    def number(self, *, digits_first: bool = False) -> str | None:
        """Return it in digits, read as a number or digit by digit; None when it is neither."""
        if digits_first and self.digits is not None:
            return self.digits
        if self.spoken == "两":
            return "2"
        return self.cardinal.written(self.source) if self.cardinal else self.digits


@dataclass(frozen=True)
class Rewrite:
    """Replace ``text[start:end]`` by ``written``."""

    start: int
    end: int
    written: str


@dataclass(frozen=True)
class Interpretation:
    """What a rule makes of the next ``runs`` runs. No rewrites: they stay in words."""

    runs: int
    rewrites: tuple[Rewrite, ...] = ()


class Scene:
    """A text with its runs. Kept words have no runs; the context still shows them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = fold(text)
        masked = mask_words(self.folded, mask_kept_words(self.folded))
        self.runs = [
            Run(match.start(), match.end(), match[0], text[match.start() : match.end()])
            for match in RUN.finditer(masked)
        ]
        self._by_start = {run.start: run for run in self.runs}

    def run(self, index: int) -> Run | None:
        """Return a run, None past the last."""
        return self.runs[index] if index < len(self.runs) else None

    def run_at(self, index: int, position: int) -> Run | None:
        """Return run ``index`` if it begins exactly at ``position``."""
        run = self.run(index)
        return run if run is not None and run.start == position else None

    def run_starting(self, position: int) -> Run | None:
        """Return the run that begins at ``position``."""
        return self._by_start.get(position)

    def before(self, position: int, length: int = 1) -> str:
        """Return up to ``length`` folded characters before ``position``."""
        return self.folded[max(0, position - length) : position]

    def after(self, position: int, length: int = 1) -> str:
        """Return up to ``length`` folded characters from ``position`` on."""
        return self.folded[position : position + length]


def is_word(character: str) -> bool:
    """Say whether a word goes on there: a Chinese character, a letter or a digit. Not at an edge of the text."""
    return character.isalnum()


def is_letter(character: str) -> bool:
    """Say whether it is a Latin letter, such as stands before the number of a gate or a model."""
    return character.isascii() and character.isalpha()
