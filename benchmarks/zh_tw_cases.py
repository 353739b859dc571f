"""The sentences of ``tests/data`` in simplified Chinese and as Taiwan writes them, and when one counts as right."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parents[1] / "tests/data"
TABLE, HELD_OUT = DATA / "zh_tw_cases.tsv", DATA / "zh_tw_held_out.tsv"
_ONE_SPELLING = str.maketrans("臺佈佔週祕姊溼麽", "台布占周秘姐濕麼")
_ONE_WORD = {"瞭解": "了解", "計畫": "計劃", "儘量": "盡量", "身分": "身份", "紀錄": "記錄", "藍芽": "藍牙"}


class Sentence(NamedTuple):
    """One line; ``taiwan`` may have several words in one place: ``{點選/點擊}``."""

    domain: str
    simplified: str
    taiwan: str


def sentences(table: Path) -> list[Sentence]:
    """Return the lines of a table."""
    lines = (line for line in table.read_text("utf-8").splitlines() if line and not line.startswith("#"))
    return [Sentence(*line.split("\t")) for line in lines]


def is_right(written: str, taiwan: str) -> bool:
    """Say whether ``written`` is one of the ways in which Taiwan writes it, whatever usual spelling it has."""
    pieces = re.split(r"\{(.*?)\}", taiwan)
    choices = [piece.split("/") if place % 2 else [piece] for place, piece in enumerate(pieces)]
    return _spelled(written) in {_spelled("".join(way)) for way in itertools.product(*choices)}


def _spelled(text: str) -> str:
    text = text.translate(_ONE_SPELLING)
    for one, other in _ONE_WORD.items():
        text = text.replace(one, other)
    return text
