"""Which of Taiwan's own words stands for a word here: 支援 for 支持 in "支持蓝牙", and 支持 among people.

Most have one sense and are always written so (软件 is 軟體). For the others ``taiwan_words.txt`` says what the
sentence must give: points of evidence for computing, and what may or may not stand right before and behind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.text.opencc_dictionaries import dictionaries, once
from orchestrator.text.segmentation import parts

_AFFIXES = set(
    "者率性化器机包库线卡版型式员们度法页区点名值表集组类块体流段码图主子多单双大小新副总超可被该本此各死"
)
_LIST = Path(__file__).with_name("taiwan_words.txt")


@dataclass(frozen=True, slots=True)
class Evidence:
    """How far a text speaks of computing: the points of the words in it."""

    points: dict[str, int]
    pattern: re.Pattern[str]

    def of(self, text: str) -> int:
        """Return the sum over the different words in ``text``."""
        found = {match[0].lower() for match in self.pattern.finditer(text)}
        return sum(self.points.get(word, 2) for word in found)


@dataclass(frozen=True, slots=True)
class Sense:
    """Taiwan's word for a word, and when it stands for it. Conditions see the text of the same sentence."""

    written: str | None
    needs: int = 0
    keep_after: list[re.Pattern[str]] = field(default_factory=list[re.Pattern[str]])
    keep_before: list[re.Pattern[str]] = field(default_factory=list[re.Pattern[str]])
    write_after: list[re.Pattern[str]] = field(default_factory=list[re.Pattern[str]])
    write_before: list[re.Pattern[str]] = field(default_factory=list[re.Pattern[str]])

    @property
    def always(self) -> bool:
        """Whether nothing around the word matters."""
        lists = (self.keep_after, self.keep_before, self.write_after, self.write_before)
        return self.needs == 0 and not any(lists)

    def decide(self, before: str, after: str) -> str | None:
        """Return what to write between these two, in simplified characters; None: the word as it is."""
        if any(each.match(after) for each in self.keep_before):
            return None
        if any(each.match(after) for each in self.write_before):
            return self.written
        if any(each.search(before) for each in self.keep_after):
            return None
        if self.needs == 0 or any(each.search(before) for each in self.write_after):
            return self.written
        return self.written if evidence().of(f"{before}\0{after}") >= self.needs else None


@once
def senses() -> dict[str, Sense]:
    """Return every word for which Taiwan has another one, in simplified characters."""
    found = {word: Sense(written) for word, written in dictionaries().words.items()}
    for line in _lines():
        if line[0] not in "+-":
            word, written, needs, *conditions = line.split()
            found[word] = _sense(word, written, int(needs), conditions)
    return found


@once
def evidence() -> Evidence:
    """Return the words that say what a sentence speaks of."""
    points: dict[str, int] = {}
    patterns: list[str] = []
    for line in _lines():
        if line[0] in "+-":
            score, *words = line.split()
            points |= {word: int(score) for word in words}
            patterns += words
    plain = sorted((each for each in patterns if each[0] != "("), key=len, reverse=True)
    return Evidence(points, re.compile("|".join([*plain, *(each for each in patterns if each[0] == "(")])))


def compound(word: str) -> list[str]:
    """Cut a word of the dictionary that is made of others, so that each can have its sense: 文件格式 is 文件 and 格式.

    Only where single characters that are left are such as words begin or end with: 喀布尔 (Kabul) is one word.
    """
    found = [word] if word in senses() else list(parts(word))
    return found if all(len(each) > 1 or each in _AFFIXES for each in found) else [word]


def _sense(word: str, written: str, needs: int, conditions: list[str]) -> Sense:
    if written in {"=", "."}:
        written = dictionaries().words.get(word, "") if written == "=" else ""
    kinds: dict[str, list[re.Pattern[str]]] = {"<": [], ">": [], "+<": [], "+>": []}
    for each in conditions:
        sign = each[:2] if each[0] == "+" else each[0]
        ends = "" if sign in {">", "+>"} or each.endswith("$") else "$"
        kinds[sign].append(re.compile(f"(?:{each[len(sign) :]}){ends}"))
    return Sense(written or None, needs, kinds["<"], kinds[">"], kinds["+<"], kinds["+>"])


def _lines() -> list[str]:
    lines = (line.strip() for line in _LIST.read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


__all__ = ["Evidence", "Sense", "compound", "evidence", "senses"]
