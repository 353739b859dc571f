"""二零二六年十一月二十一日 → 2026年11月21日: each part of a date by itself, its sign stays.

A lunar date stays in words, as the standard wants it: 农历八月十五, 正月初三.
"""

from __future__ import annotations

import re

from orchestrator.text.itn.scene import Interpretation, Rewrite, Run, Scene

_LUNAR = re.compile("(农历|阴历|旧历|闰)[^，。；,;]{0,8}$")
_LUNAR_MONTH = ("正月", "腊月")
_ABOUT = {"一二", "二三", "三四", "四五", "五六", "六七", "七八", "八九", "三五"}


def read_year(scene: Scene, index: int) -> Interpretation | None:
    """Read 二零二六年 and 九八年, two digits only when they cannot mean "eight or nine years"."""
    run = scene.runs[index]
    if scene.after(run.end) != "年" or run.digits is None or len(run.digits) not in {2, 3, 4}:
        return None
    if scene.after(run.end, 2) == "年级":
        return None
    if run.spoken in _ABOUT:
        month = scene.run_at(index + 1, run.end + 1)
        if month is None or scene.after(month.end) != "月":
            return Interpretation(1)
    return Interpretation(1, (_rewrite(run, run.digits),))


def read_month(scene: Scene, index: int) -> Interpretation | None:
    """Read 十一月, with the day after it."""
    month = scene.runs[index]
    if scene.after(month.end) != "月" or not _in(month, 12) or scene.before(month.start) in {"几", "数"}:
        return None
    day = scene.run_at(index + 1, month.end + 1)
    named = day is not None and scene.after(day.end) in {"日", "号"}
    if _is_lunar(scene, month.start) or scene.after(month.end + 1) == "初":
        return Interpretation(1 if day is None else 2)
    if day is None or not _in(day, 31) or (not named and day.single):
        return Interpretation(1, (_rewrite(month, _number(month)),))
    return Interpretation(2, (_rewrite(month, _number(month)), _rewrite(day, _number(day))))


def read_day(scene: Scene, index: int) -> Interpretation | None:
    """Read 五号 without a month; 三日 alone may be three days, and stays."""
    run = scene.runs[index]
    if scene.after(run.end) != "号" or run.cardinal is None or not run.single or run.spoken == "零":
        return None
    if scene.after(run.end, 3) == "号人物" or scene.before(run.start) == "头":
        return Interpretation(1)
    return Interpretation(1, (_rewrite(run, _number(run)),))


def read_lunar_day(scene: Scene, index: int) -> Interpretation | None:
    """Keep the day of a month that has a name of its own: 正月十五."""
    return Interpretation(1) if scene.before(scene.runs[index].start, 2) in _LUNAR_MONTH else None


def _is_lunar(scene: Scene, position: int) -> bool:
    return bool(_LUNAR.search(scene.before(position, 12)))


def _in(run: Run, highest: int) -> bool:
    if run.cardinal is None or run.cardinal.short or run.spoken == "两":
        return (
            bool(run.digits)
            and len(run.spoken) == 2
            and run.spoken[0] in "零〇"
            and 0 < int(run.digits or 0) < 10
        )
    return 1 <= run.cardinal.value <= highest


def _number(run: Run) -> str:
    return run.number(digits_first=len(run.spoken) == 2 and run.spoken[0] in "零〇") or run.source


def _rewrite(run: Run, written: str) -> Rewrite:
    return Rewrite(run.start, run.end, written)
