"""零九零零零七三三三一 → 0900073331: digits read one by one, of any length, with or without pauses.

Two digits in a row mean "about" far more often (三四个人), so they need a reason: a zero or 幺 among them, a word
such as 密码 before them, or nothing else in the text. One digit needs the last.
"""

from __future__ import annotations

import itertools
import re

from orchestrator.text.itn.scene import Interpretation, Rewrite, Run, Scene, is_letter, is_word

_PAUSE = re.compile(r"[ \t\u3000,，\-－–—]{1,2}")
_SPOKEN_SINGLY = set("零〇幺")
_CALLED = re.compile(
    "(号码|编号|密码|尾号|房间|房号|电话|手机|代码|代号|学号|工号|分机|验证码|拨打|拨|转)"
    "(?:号|码)?(?:就?是|为)?[ ：:，,]?$"
)
_COUNTED = set("月个天岁线等楼年期层级班部季集")  # 四五六月, 二三四线城市
_NAMES = {
    "五一",
    "五四",
    "六一",
    "七一",
    "七七",
    "八一",
    "三八",
    "一二",
    "二三",
    "三四",
    "四五",
    "五六",
    "六七",
    "七八",
    "八九",
}
_BORN = {"六五", "七五", "八五", "九五"}  # 九五后: who was born from 1995 on
_LARGER_UNITS = set("块元年岁时天月里斤米")  # 二十块零五毛
_PHONE_DIGITS = 7
_GROUPED_DIGITS = 5
_LONG = 3


def read_digits(scene: Scene, index: int) -> Interpretation | None:
    """Read a digit string, its groups together."""
    group = _group(scene, index)
    if _is_dictated(scene, group):
        return Interpretation(len(group), tuple(_rewrite(run) for run in group))
    run = scene.runs[index]
    if run.digits is not None and _is_string(scene, run):
        return Interpretation(1, (_rewrite(run),))
    return None


def _is_string(scene: Scene, run: Run) -> bool:
    before, after = scene.before(run.start), scene.after(run.end)
    if after == "几" or (run.spoken in "一二三四五六七八九" and after in _COUNTED):
        return False
    if len(run.spoken) >= _LONG or (run.spoken not in _NAMES and is_whole_text(scene, run)):
        return True
    if len(run.spoken) < 2:
        return False
    if run.spoken[0] in "零〇" and before in _LARGER_UNITS:
        return False
    if not _SPOKEN_SINGLY.isdisjoint(run.spoken) or after in {"折", "室"} or is_letter(before):
        return True
    if run.spoken in _BORN and after == "后":
        return True
    return bool(_CALLED.search(scene.before(run.start, 8))) and not is_word(scene.after(run.end))


def is_whole_text(scene: Scene, run: Run) -> bool:
    """Say whether there is nothing else to read in the text."""
    rest = (
        scene.folded[: run.start] + scene.folded[run.end :]
        if len(scene.folded) < len(run.spoken) + 16
        else "…x"
    )
    return not any(each.isalnum() for each in rest)


def _group(scene: Scene, index: int) -> list[Run]:
    """Return the digit runs that follow one another with nothing but a pause between them."""
    group: list[Run] = []
    while (run := scene.run(index)) is not None and run.digits is not None:
        if group and not _PAUSE.fullmatch(scene.folded, group[-1].end, run.start):
            break
        if group and len(run.spoken) == 1 and is_word(scene.after(run.end)):
            break
        group.append(run)
        index += 1
    return group


def _is_dictated(scene: Scene, group: list[Run]) -> bool:
    """Say whether groups of digits are one number, read with pauses, and not a list."""
    total = sum(len(run.spoken) for run in group)
    if len(group) < 2 or total < _GROUPED_DIGITS:
        return False
    if total >= _PHONE_DIGITS or max(len(run.spoken) for run in group) >= _LONG:
        return True
    return all(scene.folded[one.end : two.start].isspace() for one, two in itertools.pairwise(group))


def _rewrite(run: Run) -> Rewrite:
    return Rewrite(run.start, run.end, run.digits or run.source)
