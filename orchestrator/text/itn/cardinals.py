"""Read a run of numerals as one number: 三百零五, 一百二 (120), 两万五 (25000), 一亿两千万.

Strict: what is not one well-formed number, such as 三五百, 十七八 or 两三, is None and stays in words, because it
says "about". How a number is written follows the national standard for numerals in Chinese text: in full, but from
a million on a round number keeps 万 and 亿 (300万, 14亿).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.text.itn.characters import DIGIT_VALUES

WAN = 10_000
YI = 100_000_000
_LARGEST_IN_FULL = 1_000_000
_SECTION = re.compile(
    "(?:(?P<thousands>[一二两三四五六七八九])千)?"
    "(?:(?P<gap_hundreds>零?)(?P<hundreds>[一二两三四五六七八九])百)?"
    "(?:(?P<gap_tens>零?)(?P<tens>[一二三四五六七八九]?)十)?"
    "(?:(?P<gap_ones>零?)(?P<ones>[一二三四五六七八九]))?"
)
_VALUES = {**DIGIT_VALUES, "两": 2}


@dataclass(frozen=True, slots=True)
class Cardinal:
    """A number and how it was said; ``short`` says that its last unit was left out (一百二)."""

    value: int
    short: bool = False

    def written(self, like: str) -> str:
        """Return it in digits; 万 and 亿 in the script in which ``like`` has them."""
        if self.value < _LARGEST_IN_FULL or self.value % WAN:
            return str(self.value)
        yi, wan = divmod(self.value // WAN, WAN)
        wan_sign, yi_sign = ("萬" if "萬" in like or "億" in like else "万"), ("億" if "億" in like else "亿")
        written = (
            f"{yi // WAN}{wan_sign}{yi_sign}" if yi and yi % WAN == 0 else f"{yi}{yi_sign}" if yi else ""
        )
        return written + (f"{wan}{wan_sign}" if wan else "")


def read_cardinal(run: str) -> Cardinal | None:
    """Read a whole run of folded numerals, or nothing."""
    if run in {"零", "〇"}:
        return Cardinal(0)
    return _read(run.replace("〇", "零"), YI, "亿") if run else None


def _read(run: str, unit: int, sign: str) -> Cardinal | None:
    """Read what may have 亿 in it, then 万, then neither."""
    if unit == 1:
        return _section(run)
    below = (WAN, "万") if unit == YI else (1, "")
    head, found, tail = run.partition(sign)
    if not found:
        return _read(run, *below)
    if sign in tail:
        return None
    many = Cardinal(2) if head == "两" else _read(head, *below)
    if many is None or many.short or many.value == 0:
        return None
    rest = _tail(tail, unit, below)
    return None if rest is None else Cardinal(many.value * unit + rest.value, rest.short)


def _tail(tail: str, unit: int, below: tuple[int, str]) -> Cardinal | None:
    """Read what follows 万 or 亿: nothing, one digit for the next lower unit, or a smaller number."""
    if not tail:
        return Cardinal(0)
    if len(tail) == 1 and tail in "一二三四五六七八九":
        return Cardinal(_VALUES[tail] * unit // 10, short=True)
    rest = tail.removeprefix("零")
    return None if not rest or rest.startswith("零") else _read(rest, *below)


def _section(run: str) -> Cardinal | None:
    """Read a number below 10,000."""
    match = _SECTION.fullmatch(run)
    if not run or match is None or run.startswith("零"):
        return None
    digits = {name: _VALUES.get(match[name] or "", 0) for name in ("thousands", "hundreds", "tens", "ones")}
    has_tens = match["tens"] is not None
    if has_tens and match["tens"] == "":
        digits["tens"] = 1
    if has_tens and match["gap_ones"]:
        return None
    value = digits["thousands"] * 1000 + digits["hundreds"] * 100 + digits["tens"] * 10
    unit = (
        1
        if has_tens or match["gap_ones"]
        else 100
        if match["hundreds"]
        else 1000
        if match["thousands"]
        else 1
    )
    return Cardinal(value + digits["ones"] * max(unit // 10, 1), short=unit > 1 and digits["ones"] > 0)
