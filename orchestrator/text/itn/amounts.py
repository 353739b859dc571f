"""Numbers before anything else: 三十五个人 → 35个人, 十二块五 → 12块5, 五公里 → 5公里.

A single digit before a common measure word is a word and stays (一个人, 三个苹果); before a unit of measurement or
of money it is a number.
"""

from __future__ import annotations

import re

from orchestrator.text.itn.characters import NUMERALS
from orchestrator.text.itn.scene import Interpretation, Rewrite, Run, Scene, is_letter, is_word

_UNIT = re.compile(
    "公里|公斤|公克|公分|公尺|公升|公顷|公亩|公吨|英里|英尺|英寸|英镑|海里|千米|千克|千瓦|千赫|兆|"
    "毫米|毫克|毫升|毫秒|厘米|分米|微米|纳米|平方|立方|摄氏|华氏|"
    "米(?!饭|粒|粉|线|面|酒|其林|老鼠)|克(?!服|隆|扣)|升(?!职|级|迁|旗|学|值|起|高|温)|吨|斤|坪(?!林)|"
    "分钟|秒|小时|岁|元(?!旦|宝|首|凶|素|月|帅|老)|美元|美金|欧元|日元|日圆|韩元|港币|港元|台币|人民币|块钱|分钱|毛(?!病|孩|巾|衣|线|驴|豆|笔)|"
    "瓦(?!解|片)|伏(?!特加)|安培|赫兹|像素|字节|比特|百分点|个百分点|[A-Za-z%℃°]"
)
_BY_ONE = set("每这那同另上下前后整某")
_DEGREES = re.compile(
    "(零下|零上|气温|温度|体温|低温|高温|摄氏|华氏|东经|西经|北纬|南纬|发烧|烧到)[^，。,]{0,4}$"
)
_TEN_OF = set(
    "个位名人年天日号岁次分秒块元毛角米公层楼页条只张本斤吨克升台辆间家种项门句首篇集章节课届期批组队场倍多余来件份万亿千点度时小盒瓶杯颗支把双对套部座所户口头匹根片"
)
_MEASURES = set("个次天晚月年人平斤张位件家间套本台只条块分")
_MONEY_ENDS = set("毛钱的了吧呢吗就卖买左以")
_REACHED = set("是为于共有得乘加减除满")
_OPERATOR = re.compile("加上?|减去?|乘以?|除以|等于")
_OPERATOR_BEFORE = re.compile(f"[{NUMERALS}](加上?|减去?|乘以?|除以|等于)$")
_SHORT_OF_HOUR = re.compile(f"分[{NUMERALS}]+点")
_ALL_UNITS = re.compile("[十百千万亿]+")
_NOT_MINUS = set("胜担欺背自抱肩辜正减")


def read_amount(scene: Scene, index: int) -> Interpretation | None:
    """Read one number, or keep it in words. None: it is no number."""
    run = scene.runs[index]
    if run.cardinal is None and run.spoken != "两":
        return None
    if _stays(scene, run):
        return Interpretation(1)
    head = _whole_or_without_one(scene, run)
    fraction = _half_a_unit(scene, index + 1, run)
    return Interpretation(1 if fraction is None else 2, (head,) if fraction is None else (head, fraction))


def is_negative(scene: Scene, position: int) -> bool:
    """Say whether a minus, 负, stands before ``position``: not the end of 胜负 or 担负."""
    return scene.before(position) == "负" and (scene.before(position - 1) or " ") not in _NOT_MINUS


def _stays(scene: Scene, run: Run) -> bool:
    before, after = scene.before(run.start), scene.after(run.end)
    if "廿" in {before, after} or "卅" in {before, after}:
        return True
    if before.isascii() and (before.isdigit() or before == "."):
        return True
    if after == "几" or (before in {"几", "数"} and _ALL_UNITS.fullmatch(run.spoken)):
        return True
    if is_negative(scene, run.start):
        return False
    if run.spoken == "十":
        return not _is_ten(scene, run)
    return (run.single or run.spoken in "零〇") and not _measures(scene, run)


def _is_ten(scene: Scene, run: Run) -> bool:
    """Say whether 十 is a number and not part of a word such as 十足."""
    before, after = scene.before(run.start), scene.after(run.end)
    if after in _TEN_OF or before == "第" or _is_operand(scene, run):
        return True
    if after in {"到", "至"} and scene.run_starting(run.end + 1) is not None:
        return scene.after(run.end + 1, 2)[1:] in NUMERALS
    return not is_word(after) and (not is_word(before) or before in _REACHED)


def _measures(scene: Scene, run: Run) -> bool:
    """Say whether a single digit is an amount: a unit follows, or it is a price, a temperature, a discount."""
    after = scene.after(run.end, 4)
    if after[:1] == "又" and "分之" in scene.after(run.end + 1, 6):
        return True
    if (
        _is_operand(scene, run)
        or _is_code(scene, run)
        or _is_in_place(scene, run)
        or (scene.before(run.start) == "毛" and not is_word(after[:1]))
    ):
        return True
    if run.spoken == "一" and scene.before(run.start) in _BY_ONE:
        return False
    if after[:1] == "度":
        return bool(_DEGREES.search(scene.before(run.start, 8)))
    if after[:1] == "折":
        before = scene.before(run.start, 2)
        return before[-1:] == "打" or before in {"打了", "打个", "打到"} or not is_word(before[-1:])
    if after[:1] == "角":
        return scene.before(run.start) in {"元", "块"}
    if after[:1] == "块":
        return after[1:2] == "钱" or _price_tail(scene, run) is not None
    return bool(_UNIT.match(after))


def _whole_or_without_one(scene: Scene, run: Run) -> Rewrite:
    """Return the number. In 两千一个月 the 一 counts months: 2000一个月."""
    shortened = Run(run.start, run.end - 1, run.spoken[:-1], run.source[:-1])
    if run.cardinal and run.cardinal.short and run.spoken[-1] == "一" and scene.after(run.end) in _MEASURES:
        return Rewrite(run.start, run.end - 1, shortened.number() or shortened.source)
    return Rewrite(run.start, run.end, run.number() or run.source)


def _half_a_unit(scene: Scene, index: int, run: Run) -> Rewrite | None:
    """Return the second number of 十二块五 and 一米七五."""
    unit = scene.after(run.end)
    second = scene.run_at(index, run.end + 1)
    if second is None or second.digits is None:
        return None
    if unit in {"块", "毛", "度"} and _price_tail(scene, run) == second:
        return Rewrite(second.start, second.end, second.digits)
    if unit == "米" and len(second.digits) <= 2 and scene.after(second.end) not in _MEASURES:
        return Rewrite(second.start, second.end, second.digits)
    return None


def _is_code(scene: Scene, run: Run) -> bool:
    """Say whether the digit belongs to the letter before it: T三航站楼, MP三. Not PPT三页, nor 用API一次."""
    after, before = scene.after(run.end), scene.before(run.start, 2)
    if not is_letter(before[-1:]) or after in _MEASURES or after in _TEN_OF or run.spoken == "两":
        return False
    return run.spoken != "一" or (before[-1].isupper() and not is_letter(before[:-1]))


def _is_in_place(scene: Scene, run: Run) -> bool:
    """Say whether what stands around makes it a number: 差五分九点, and the address 十二楼之三."""
    before = scene.before(run.start, 2)
    if before[-1:] == "差":
        return _SHORT_OF_HOUR.match(scene.after(run.end, 6)) is not None
    return before in {"楼之", "号之"} and not is_word(scene.after(run.end))


def _is_operand(scene: Scene, run: Run) -> bool:
    """Say whether the digit stands in a sum: 五加三等于八, each beside an operator with a number behind it."""
    following = _OPERATOR.match(scene.folded, run.end)
    if following is not None and scene.run_starting(following.end()) is not None:
        return True
    preceding = _OPERATOR_BEFORE.search(scene.before(run.start, 3))
    return preceding is not None


def _price_tail(scene: Scene, run: Run) -> Run | None:
    """Return the digit after 块 when it is a tenth of it: 三块五, not 三块五花肉."""
    second = scene.run_starting(run.end + 1)
    if second is None or not second.single or second.digits is None:
        return None
    after = scene.after(second.end)
    return second if not is_word(after) or after in _MONEY_ENDS else None
