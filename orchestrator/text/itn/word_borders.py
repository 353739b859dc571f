"""Numerals that belong to a word are no numbers: 统一零售价 has no 一零, 第一百货 no 一百, 十月革命 no tenth month.

Which word a numeral belongs to is the segmenter's business (:mod:`orchestrator.text.segmentation`). A word keeps its
numerals when the dictionary has it as a name, a noun, a verb, an idiom …, but not as a number, an amount or a time
(三百五十, 一个, 十一月): those are for the rules.
"""

from __future__ import annotations

from orchestrator.text.itn.characters import NUMERALS, UNITS
from orchestrator.text.segmentation import tagged_words

_MASK = "\0"
_NUMERALS = set(NUMERALS)
_COUNTED = ("m", "q", "t")
"""How jieba's signs for numbers, measures and times begin."""
_NAMED = ("n", "i", "l")
"""How its signs for nouns and names, idioms and sayings begin."""
_BEFORE_A_NUMBER = set(
    "第这那每哪某各几数上下前后本该另头首整半有共约近达超满初老小阿到至从由是为和与或加减乘除等比负零点"
)
"""What stands before a number and makes no other word of it, although the dictionary has some: 这一, 每一."""
_MEASURES = set(
    "个位名人年天日号岁次分秒块元毛角米公层楼页条只张本斤吨克升台辆间家种项门句首篇集章节课届期批组队场份件盒瓶杯颗支"
    "把双对套部座所户口头匹根片点度时月周里丈尺寸亩步遍趟回声顿番代笔股束串排票环折成倍多余来级等路线巷弄段"
)
_UNITS = {
    "公里",
    "公斤",
    "公尺",
    "公分",
    "分钟",
    "小时",
    "月份",
    "年代",
    "周年",
    "世纪",
    "年级",
    "块钱",
    "平方",
    "美元",
}
_OPERATORS = set("加减乘除比到至点分之又负")


def mask_words(folded: str, masked: str) -> str:
    """Return ``masked`` with the numerals blanked out that belong to words of ``folded``; the lengths stay."""
    if _NUMERALS.isdisjoint(masked):
        return masked
    result = list(masked)
    start = 0
    for word, tag in tagged_words(folded):
        end = start + len(word)
        if _keeps(word, tag, _is_numeral(masked, start - 1), _is_numeral(masked, end)):
            result[start:end] = [_MASK if each in _NUMERALS else each for each in masked[start:end]]
        start = end
    return "".join(result)


def _keeps(word: str, tag: str, after_numeral: bool, before_numeral: bool) -> bool:
    """Say whether a word's numerals are part of it. Where none stands beside it, the rules know one digit."""
    numerals = sum(each in _NUMERALS for each in word)
    if numerals in {0, len(word)} or tag.startswith(_COUNTED):
        return False
    if word[0] not in _NUMERALS:
        joined = after_numeral or before_numeral
        return joined and (word == "之一" or word[0] not in _BEFORE_A_NUMBER | {"之"})
    rest = word.lstrip(NUMERALS)
    if rest[0] in _OPERATORS:
        return False
    if after_numeral:
        return rest[0] not in _MEASURES
    many = numerals > 1 or word[0] in UNITS
    amount = rest in _MEASURES or rest in _UNITS
    return (many or before_numeral) and tag.startswith(_NAMED) and not amount


def _is_numeral(text: str, place: int) -> bool:
    return 0 <= place < len(text) and text[place] in _NUMERALS
