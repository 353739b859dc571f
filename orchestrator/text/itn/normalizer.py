"""Put the rules in order and their rewrites into the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from orchestrator.text.itn.amounts import is_negative, read_amount
from orchestrator.text.itn.characters import RUN, fold
from orchestrator.text.itn.clock import read_clock
from orchestrator.text.itn.dates import read_day, read_lunar_day, read_month, read_year
from orchestrator.text.itn.digit_strings import read_digits
from orchestrator.text.itn.ranges import is_lower_limit
from orchestrator.text.itn.ratios import read_decimal, read_score, read_share
from orchestrator.text.itn.scene import Interpretation, Rewrite, Scene

_Rule = Callable[[Scene, int], Interpretation | None]
_RULES: tuple[_Rule, ...] = (
    read_share,
    read_year,
    read_month,
    read_day,
    read_lunar_day,
    read_clock,
    read_score,
    read_decimal,
    read_digits,
    read_amount,
)


def inverse_normalize(text: str) -> str:
    """Write the spoken Chinese numbers in ``text`` in digits: 零九零零零七三三三一 → 0900073331.

    Simplified and traditional alike; everything else, idioms with numerals in them included, stays as it is, and
    so does text without Chinese numerals. The forms are those of ``docs/text.md``. Applying it again changes
    nothing. Takes time in proportion to the text's length. Never raises for a string.
    """
    while RUN.search(fold(text)):
        again = _once(text)
        if again == text:
            break
        text = again  # each time with fewer Chinese numerals; nearly always once is enough
    return text


def _once(text: str) -> str:
    scene = Scene(text)
    parts: list[str] = []
    position = 0
    for rewrite in _rewrites(scene):
        parts += [text[position : rewrite.start], rewrite.written]
        position = rewrite.end
    return "".join([*parts, text[position:]])


def _rewrites(scene: Scene) -> Iterator[Rewrite]:
    index = 0
    while index < len(scene.runs):
        reading = _read(scene, index)
        if not reading.rewrites and is_lower_limit(scene, index):
            reading = _as_its_upper_limit(scene, index)
        yield from _signed(scene, reading.rewrites)
        index += reading.runs


def _read(scene: Scene, index: int) -> Interpretation:
    return next(filter(None, (rule(scene, index) for rule in _RULES)), Interpretation(1))


def _as_its_upper_limit(scene: Scene, index: int) -> Interpretation:
    """Write a range in one way: 三到5分钟 would be half of each."""
    run, upper = scene.runs[index], _read(scene, index + 1).rewrites
    if not upper or upper[0].start != scene.runs[index + 1].start:
        return Interpretation(1)
    return Interpretation(1, (Rewrite(run.start, run.end, run.number() or run.source),))


def _signed(scene: Scene, rewrites: tuple[Rewrite, ...]) -> Iterator[Rewrite]:
    """Let a minus before the first number become its sign."""
    for position, rewrite in enumerate(rewrites):
        if position == 0 and is_negative(scene, rewrite.start) and not rewrite.written.startswith("-"):
            yield Rewrite(rewrite.start - 1, rewrite.end, "-" + rewrite.written)
        else:
            yield rewrite
