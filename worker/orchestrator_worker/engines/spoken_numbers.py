"""Spell digits and a few signs as English words, the way an American would read them aloud.

Pure text in, text out. Decides how a number is *read*, which writing does not always tell:

- ``2026`` alone is a year; with a comma (``2,026``) it is an amount.
- Seven digits or more without a comma, digit groups that make seven or more together, and a number that
  begins with 0 are read digit by digit: ``0900073331`` and ``0900-073-331`` alike.
- "and" inside numbers is left out (one hundred five).

Whether the words are in a dictionary is the caller's business, and so is everything that is no number.
"""

from __future__ import annotations

import re

from orchestrator_worker.engines.base import EngineUnavailableError

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SIGNS = {"%": "percent", "&": "and", "+": "plus", "@": "at", "=": "equals"}
_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
}
_AMOUNT = r"\d{1,3}(?:,\d{3})+|\d+"
_MONEY = re.compile(rf"([$€£¥])({_AMOUNT})(?:\.(\d\d)(?!\d))?")
_GROUPS = re.compile(r"\d+(?:[-./()]+\d+)+")
_TIME = re.compile(r"(?<!\d)(\d{1,2}):(\d\d)(?!\d)")
_ORDINAL = re.compile(rf"({_AMOUNT})(?:st|nd|rd|th)\b")
_DECADE = re.compile(r"(?<!\d)(\d{2}|\d{4})'?s\b")
_NUMBER = re.compile(rf"({_AMOUNT})(?:\.(\d+))?")
_LONG = 7
_MOST_DIGITS = 15
"""An amount of more is read digit by digit: nobody says quadrillions, and num2words ends somewhere."""
_YEARS = range(1100, 2100)


def spell_numbers(token: str) -> str:
    """Return ``token`` (lower case) with each number and sign replaced by words with spaces around them.

    Raises:
        EngineUnavailableError: There are digits and the package num2words is not installed.
    """
    if any(character.isdigit() for character in token):
        token = re.sub(r"^[-\u2212](?=\d)", "minus ", token)
        token = _MONEY.sub(_money, token)
        token = _GROUPS.sub(_groups, token)
        token = _TIME.sub(_time, token)
        token = _ORDINAL.sub(lambda found: _padded(_words(found[1], "ordinal")), token)
        token = _DECADE.sub(_decade, token)
        token = _NUMBER.sub(_number, token)
    return "".join(_padded(_SIGNS[character]) if character in _SIGNS else character for character in token)


def _padded(words: str) -> str:
    return f" {words} "


def _digits(digits: str) -> str:
    return " ".join(DIGIT_WORDS[int(digit)] for digit in digits if digit.isdigit())


def _words(amount: str, form: str = "cardinal") -> str:
    """Ask num2words, and keep only the words: no hyphens, no commas, no "and"."""
    if len(amount.replace(",", "")) > _MOST_DIGITS:
        return _digits(amount)
    number = int(amount.replace(",", ""))
    try:
        from num2words import num2words  # pyright: ignore[reportUnknownVariableType]
    except ImportError as error:
        raise EngineUnavailableError(
            f"the text has digits ({amount}), and the package num2words, which spells them, is not installed",
            "pip install num2words, or write the numbers as words",
        ) from error
    spelled = re.sub(r"[^a-z]+", " ", str(num2words(number, lang="en", to=form)))
    return " ".join(word for word in spelled.split() if word != "and")


def _number(found: re.Match[str]) -> str:
    whole, fraction = found[1], found[2]
    if fraction is not None:
        return _padded(f"{_words(whole)} point {_digits(fraction)}")
    if "," not in whole and (len(whole) >= _LONG or (whole[0] == "0" and len(whole) > 1)):
        return _padded(_digits(whole))
    if len(whole) == 4 and int(whole) in _YEARS:
        return _padded(_words(whole, "year"))
    return _padded(_words(whole))


def _groups(found: re.Match[str]) -> str:
    """Read a telephone number digit by digit; leave decimals, versions and ranges to the others."""
    groups = re.findall(r"\d+", found[0])
    decimal = len(groups) == 2 and re.fullmatch(r"\d+\.\d+", found[0]) is not None
    if decimal or (sum(map(len, groups)) < _LONG and groups[0][0] != "0"):
        return found[0] if decimal else _padded(" ".join(groups))
    return _padded(_digits(found[0]))


def _money(found: re.Match[str]) -> str:
    one, many, one_part, many_parts = _CURRENCIES[found[1]]
    words = f"{_words(found[2])} {one if found[2] == '1' else many}"
    if found[3] is not None and int(found[3]):
        words += f" {_words(found[3])} {one_part if int(found[3]) == 1 else many_parts}"
    return _padded(words)


def _time(found: re.Match[str]) -> str:
    hour, minute = _words(found[1]), int(found[2])
    if minute == 0:
        return _padded(f"{hour} o'clock")
    return _padded(f"{hour} {'oh ' if minute < 10 else ''}{_words(found[2])}")


def _decade(found: re.Match[str]) -> str:
    words = _words(found[1], "year" if len(found[1]) == 4 else "cardinal")
    return _padded(words[:-1] + "ies" if words.endswith("y") else words + "s")
