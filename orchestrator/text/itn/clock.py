"""下午三点十五分 → 下午3点15分, 三点半 → 3点半: times of day, their signs stay.

点 is also the decimal point (三点五), a point of a list (三点意见) and a little (一点). It is a time when minutes,
半, 钟, 整 or a quarter follow, when a word for a part of the day stands before it, or when the number is ten or more.
"""

from __future__ import annotations

import re

from orchestrator.text.itn.characters import NUMERALS
from orchestrator.text.itn.scene import Interpretation, Rewrite, Run, Scene, is_word

_PART_OF_DAY = re.compile(
    "(上午|中午|下午|早上|早晨|清晨|凌晨|晚上|晚间|夜里|夜间|半夜|深夜|午夜|傍晚|午后|午前|今早|明早|今晚|明晚|昨晚|当晚|每晚)"
    "的?(?:大约|大概|约|近)?$"
    f"|差(?:[{NUMERALS}]{{1,3}}分|一刻)$"
)
_DAY = re.compile(
    "(今天|明天|昨天|后天|前天|每天|当天|星期[一二三四五六日天]|礼拜[一二三四五六日天]|周[一二三四五六日]|[日号])$"
)
_FOLLOWS_HOUR = re.compile(
    f"[到至](?=[{NUMERALS}上下中晚早凌傍])|钟|整|半(?!个|数|分)|[之以]前|[之以]后|前(?!提|途|沿)|后(?!来)|的时候|过(?!后)|[一三]刻|左右|前后|多钟|多"
)
_HAPPENS = re.compile(
    "(?:就|才|要|再|准时|正式)?(?:开会|开始|出发|出门|动身|上车|下车|打烊|开店|有课|有会|来接|来电|过来|到站|到这|起床|起飞|见面|上班|下班|上课|下课|集合|睡觉|睡|回家|到达|到家|吃饭|结束|"
    "关门|开门|登机|开车|发车|开场|的(?:飞机|火车|车|高铁|班机|会议|会|课|航班|闹钟))"
)
_LEADS = set("到至在从是才都约于快")


def read_clock(scene: Scene, index: int) -> Interpretation | None:
    """Read a time that begins with its hour."""
    hour = scene.runs[index]
    sign = scene.after(hour.end)
    if sign not in {"点", "时"} or not _is_hour(hour):
        return None
    by_day = bool(_PART_OF_DAY.search(scene.before(hour.start, 6)))
    by_day = by_day or bool(_DAY.search(scene.before(hour.start, 3)))
    minutes = scene.run_at(index + 1, hour.end + 1)
    head = Rewrite(hour.start, hour.end, _written(hour))
    if minutes is not None and (tail := _minutes(scene, index + 1, minutes, by_day=by_day)) is not None:
        return Interpretation(1 + tail.runs, (head, *tail.rewrites))
    rest = scene.after(hour.end + 1, 8)
    if sign == "时":
        return Interpretation(1, (head,)) if by_day else None
    if minutes is None and (_stands_alone(scene, hour, by_day=by_day) or _FOLLOWS_HOUR.match(rest)):
        return Interpretation(1, (head,))
    if minutes is not None and _FOLLOWS_HOUR.match(rest):
        return Interpretation(1, (head,))
    return None


def _stands_alone(scene: Scene, hour: Run, *, by_day: bool) -> bool:
    """Say whether an hour without minutes is a time."""
    if by_day:
        return True
    if hour.spoken in {"一", "两", "零", "二"}:
        return bool(_HAPPENS.match(scene.after(hour.end + 1, 6)))
    if not hour.single:
        return True
    before, after = scene.before(hour.start), scene.after(hour.end + 1)
    if _HAPPENS.match(scene.after(hour.end + 1, 6)) or re.match("了(?!解)", scene.after(hour.end + 1, 2)):
        return True
    ends = not is_word(after)
    return (before in _LEADS and (ends or after in "到至之")) or (ends and not is_word(before))


def _minutes(scene: Scene, index: int, run: Run, *, by_day: bool) -> Interpretation | None:
    """Read 十五分三十秒, 四十, 零五分; without 分 only what a decimal cannot be."""
    if not _is_sixtieth(run):
        return None
    signed = scene.after(run.end) == "分" and scene.after(run.end, 2) != "分之"
    spoken_as_number = "十" in run.spoken and scene.before(run.start) == "点"
    likely = by_day or scene.before(run.start - 1) == "两" or _HAPPENS.match(scene.after(run.end, 6))
    spoken_with_gap = likely and run.spoken[0] in "零〇" and len(run.spoken) == 2
    if not (signed or spoken_as_number or spoken_with_gap):
        return None
    rewrites = [Rewrite(run.start, run.end, _written(run))]
    seconds = scene.run_at(index + 1, run.end + 1) if signed else None
    if seconds is not None and scene.after(seconds.end) == "秒" and _is_sixtieth(seconds):
        rewrites.append(Rewrite(seconds.start, seconds.end, _written(seconds)))
    return Interpretation(len(rewrites), tuple(rewrites))


def _is_hour(run: Run) -> bool:
    if run.spoken == "两":
        return True
    return run.cardinal is not None and not run.cardinal.short and run.cardinal.value <= 24


def _is_sixtieth(run: Run) -> bool:
    if run.spoken == "两":
        return True
    if run.digits is not None and len(run.digits) == 2:
        return int(run.digits) < 60
    return run.cardinal is not None and not run.cardinal.short and run.cardinal.value < 60


def _written(run: Run) -> str:
    return run.number(digits_first=len(run.spoken) == 2) or run.source
