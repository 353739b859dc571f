"""How an English word that no dictionary has is probably said: letters to ARPAbet phones, by rule. Pure.

An aligner needs a pronunciation that is about as long as the real one and has most of its consonants, no more: the
times of a word come from where its neighbours end and where its loudest sounds are. So a page of rules will do, tried
from the longest spelling to the shortest; ``docs/pipelines.md`` has what it was measured against.

A rule is ``before|letters|after = phones``: regular expressions for what stands around the letters (``^`` and ``$``
are the ends of the word), and phones with blanks between, none for a silent letter.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_RULES = """
|tion|$ = SH AH N
|tions|$ = SH AH N Z
[sn]|sion|s?$ = SH AH N
|sion|s?$ = ZH AH N
|cious|$ = SH AH S
|tious|$ = SH AH S
|ture|s?$ = CH ER
|sure|s?$ = ZH ER
|cial|$ = SH AH L
|tial|$ = SH AH L
|ough|t = AO
|ough|$ = OW
|augh|t = AO
|igh| = AY
|eigh| = EY
|tch| = CH
|sch|[aeiou] = S K
|sch| = SH
|sh| = SH
^|ch|[lr] = K
|ch|[lr] = K
|ch| = CH
|ck| = K
|ph| = F
^|wh|o = HH
^|wh| = W
|gh|$ =
^|gh| = G
|gh| =
[aeiou]|th|e = DH
|th| = TH
^|kn| = N
^|gn| = N
^|wr| = R
^|ps|[aeiouy] = S
^|mc| = M AH K
^|x| = Z
|x| = K S
|qu|e$ = K
|qu| = K W
|q| = K
|ng|$ = NG
|ng|s$ = NG
|ng|[aeiou] = NG G
|nk| = NG K
|nc|[^eiy] = NG K
|mb|s?$ = M
|sc|[eiy] = S
|cc|[eiy] = K S
|cc| = K
|c|[eiy] = S
|c| = K
|dge| = JH
|dg|[ei] = JH
|gg| = G
|gu|[ei] = G
|ge|$ = JH
|g|[ey] = JH
^|g|i = G
|g|i[ao] = JH
|g| = G
|j| = JH
[aeiouy]|s|ia = ZH
[aeiouy]|s|[aeiouy] = Z
[bdglmnrvwaeiouy]|s|$ = Z
|ss| = S
|s| = S
|zz| = Z
|tz| = T S
|z| = Z
|tt| = T
|t| = T
|bb| = B
|b| = B
|dd| = D
|d| = D
|ff| = F
|f| = F
|h|[aeiouy] = HH
|h| =
|kk| = K
|k| = K
|ll| = L
|l| = L
|mm| = M
|m| = M
|nn| = N
|n| = N
|pp| = P
|p| = P
|rr| = R
|v| = V
|w|[aeiouy] = W
|w| =
|eau| = OW
|air| = EH R
|are|$ = EH R
|ear| = IH R
|eer| = IH R
|oar| = AO R
|oor| = UH R
|our|$ = ER
|ier|$ = IY ER
|ar|[aeiou] = EH R
|or|[aeiou] = AO R
|er|[aeiou] = EH R
|ir|[aeiou] = IH R
|ur|[aeiou] = UH R
w|ar| = AO R
w|or| = ER
..|ar|[ds]?$ = ER
..|or|s?$ = ER
|ar| = AA R
|or| = AO R
|er| = ER
|ir| = ER
|ur| = ER
|yr| = ER
|r| = R
|able|$ = AH B AH L
[bcdfgkptz]|le|s?$ = AH L
|less|$ = L AH S
|ness|$ = N AH S
|age|s?$ = IH JH
..|ous|$ = AH S
..|ey|s?$ = IY
..|ie|s?$ = IY
|aigh| = EY
|ai| = EY
|ay| = EY
|au| = AO
|aw| = AO
|ee| = IY
|ea|d$ = EH
|ea| = IY
|ei| = AY
|ey| = EY
|eu| = UW
|ew| = UW
|ie|[dsr]?$ = IY
|ie| = IY
|oa| = OW
|oe|s?$ = OW
|oi| = OY
|oy| = OY
|oo|[kd] = UH
|oo| = UW
|ou| = AW
|ow|[nld] = AW
..|ow|$ = OW
|ow| = AW
|ue|s?$ = UW
|ui| = UW
|ia|$ = IY AH
|io|$ = IY OW
|a|[^aeiouywxr]e$ = EY
|a|[^aeiouywxr]es$ = EY
|e|[^aeiouywxr]e$ = IY
|i|[^aeiouywxr]es?$ = AY
|o|[^aeiouywxr]es?$ = OW
|u|[^aeiouywxr]es?$ = UW
[td]|ed|$ = AH D
[cfkpsx]|ed|$ = T
.|ed|$ = D
[cgsxz]|es|$ = AH Z
.|e|$ =
.|es|$ = Z
|a|$ = AH
|a|ll = AO
^|a|[^aeiou][aeiou] = AH
[^aeiou]|al|$ = AH L
[^aeiou]|an|s?$ = AH N
[^aeiou]|en|s?$ = AH N
[^aeiou]|on|s?$ = AH N
[^aeiou]|el|s?$ = AH L
|aa| = AA
|a| = AE
^|e|[^aeiou][aeiou] = IH
|e|$ = IY
|e| = EH
|i|$ = IY
|i|nd = AY
|i|[aou] = IY
|i| = IH
|o|$ = OW
|o|ld = OW
|o|ll = OW
|o|[^aeiouy][aeiouy] = OW
|o| = AA
|u|$ = UW
^|u|n = AH
|u|[^aeiouy][aeiouy] = UW
|u| = AH
^|y|[aeiou] = Y
^.|y|$ = AY
^..|y|$ = AY
|y|[^aeiou]e$ = AY
|y|$ = IY
|y| = IH
"""

LETTERS = {
    "a": "EY", "b": "B IY", "c": "S IY", "d": "D IY", "e": "IY", "f": "EH F", "g": "JH IY", "h": "EY CH", "i": "AY",
    "j": "JH EY", "k": "K EY", "l": "EH L", "m": "EH M", "n": "EH N", "o": "OW", "p": "P IY", "q": "K Y UW",
    "r": "AA R", "s": "EH S", "t": "T IY", "u": "Y UW", "v": "V IY", "w": "D AH B AH L Y UW", "x": "EH K S",
    "y": "W AY", "z": "Z IY",
}  # fmt: skip
"""The names of the letters."""


def pronounce(word: str) -> tuple[str, ...]:
    """Return the phones of a word in Latin letters; nothing for what has none.

    A word without a vowel is spelt out, as ``bbc`` is.
    """
    plain = _plain(word)
    if not re.search("[aeiouy]", plain):
        return tuple(phone for letter in plain for phone in LETTERS[letter].split())
    phones: list[str] = []
    at = 0
    while at < len(plain):
        length, found = _sound(plain, at)
        phones += found
        at += length
    return tuple(phones)


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.lower()).translate(_SPELT)
    return "".join(letter for letter in decomposed if letter in LETTERS)


_SPELT = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)


def _sound(word: str, at: int) -> tuple[int, tuple[str, ...]]:
    for letters, before, after, phones in _rules():
        end = at + len(letters)
        if word.startswith(letters, at) and after.match(word, end) and before.search(word[:at]):
            return len(letters), phones
    return 1, ()


@lru_cache(maxsize=1)
def _rules() -> list[tuple[str, re.Pattern[str], re.Pattern[str], tuple[str, ...]]]:
    """Return the rules with the longest spellings first; of equal ones the order of the table holds."""
    rules: list[tuple[str, re.Pattern[str], re.Pattern[str], tuple[str, ...]]] = []
    for line in _RULES.strip().splitlines():
        pattern, phones = line.split("=")
        before, letters, after = (part.strip() for part in pattern.split("|", 2))
        rules.append((letters, re.compile(f"(?:{before})$"), re.compile(after), tuple(phones.split())))
    return sorted(rules, key=lambda rule: -len(rule[0]))
