"""Words with numerals in them that are no numbers: they stay as they are.

The words are in ``kept_words.txt``; most idioms need no entry, because a single digit is never rewritten
without a reason. An entry that begins with a numeral does not match right after another one (五四运动 is not in
二五四运动), unless it is marked with ``+``.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from orchestrator.text.itn.characters import NUMERALS

_MASK = "\0"


def mask_kept_words(folded: str) -> str:
    """Return ``folded`` with every kept word blanked out; positions stay the same."""
    return _pattern().sub(lambda match: _MASK * len(match[0]), folded)


@cache
def kept_words() -> dict[str, str]:
    """Return the entries: the word, and its pattern."""
    lines = Path(__file__).with_name("kept_words.txt").read_text("utf-8").splitlines()
    words = [word for line in lines for word in line.partition("#")[0].split()]
    return {word.lstrip("+"): _as_pattern(word) for word in words}


@cache
def _pattern() -> re.Pattern[str]:
    longest_first = sorted(kept_words().items(), key=lambda item: -len(item[0]))
    return re.compile("|".join(pattern for _, pattern in longest_first))


def _as_pattern(word: str) -> str:
    """Turn an entry into a pattern: ``!钟半`` at its end means "not before 钟 or 半"; ``N`` there any numeral."""
    anywhere = word.startswith("+")
    word, _, not_before = word.lstrip("+").partition("!")
    pattern = re.escape(word)
    if word[0] in f"{NUMERALS}周" and not anywhere:  # 周 after a number is a length of time
        pattern = f"(?<![{NUMERALS}点])" + pattern
    return pattern + (f"(?![{not_before.replace('N', NUMERALS)}])" if not_before else "")
