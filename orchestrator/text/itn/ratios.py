"""百分之二十五 → 25%, 三分之一 → 1/3, 三点一四 → 3.14, 三比二 → 3:2."""

from __future__ import annotations

from orchestrator.text.itn.scene import Interpretation, Rewrite, Run, Scene, is_word

_PER = {"百": "%", "千": "‰"}
_PARTS = {"万": 10_000, "百万": 1_000_000, "两": 2}
_LARGE = {"万", "亿", "千万", "百万", "万亿", "百亿", "千亿", "十亿"}
_COMPARED = "多大小少高低长短好差强快慢贵便"
_ENDED = "胜败负赢输捷"
"""After 大 or 小 these end a match and compare nothing: 五比零大胜."""


def decimal(scene: Scene, index: int) -> tuple[int, str, int] | None:
    """Read a number at run ``index``: whole, decimal or dotted; runs used, the number, where it ends.

    三点一四, 一点二亿 and 一二七点零点零点一 are one number each. A number without a point is one as well; digits
    that are no number (零九) are read one by one.
    """
    whole = scene.run(index)
    if whole is None:
        return None
    written = whole.number()
    if written is None:
        return None
    parts, used, end = [written], 1, whole.end
    while scene.after(end) == "点":
        run = scene.run_at(index + used, end + 1)
        fraction = _fraction(run, last=scene.after(run.end) != "点") if run else None
        if run is None or fraction is None:
            break
        parts.append(fraction)
        used, end = used + 1, run.end
    return used, ".".join(parts), end


def read_decimal(scene: Scene, index: int) -> Interpretation | None:
    """Rewrite a number with a point in it."""
    found = decimal(scene, index)
    if found is None or "." not in found[1]:
        after = scene.runs[index].end
        unclear = scene.after(after) == "点" and scene.run_starting(after + 1) is not None
        return Interpretation(2) if unclear else None  # 一点五千
    used, written, end = found
    return Interpretation(used, (Rewrite(scene.runs[index].start, end, written),))


def _fraction(run: Run, *, last: bool) -> str | None:
    """Read what follows a point: digits, and at the number's end perhaps 万 or 亿."""
    if run.digits is not None:
        return run.digits
    spoken = run.spoken.rstrip("十百千万亿")
    suffix = run.spoken[len(spoken) :]
    digits = Run(run.start, run.start + len(spoken), spoken, run.source[: len(spoken)]).digits
    if not last or suffix not in _LARGE or not digits:
        return None
    return digits + run.source[len(spoken) :]


def read_share(scene: Scene, index: int) -> Interpretation | None:
    """Read 百分之…, 千分之… and A分之B. 几 in either place leaves it in words."""
    below = scene.runs[index]
    if scene.after(below.end, 2) != "分之":
        return None
    falls = below.spoken in _PER and scene.after(below.end + 2) == "负"
    above = _above(scene, index + 1, below.end + 2 + falls)
    if above is None:
        return Interpretation(1)
    used, number, end = above
    number = f"-{number}" if falls else number
    if below.spoken in _PER:
        written = number + _PER[below.spoken]
    elif (parts := _PARTS.get(below.spoken) or (below.cardinal and below.cardinal.value)) is not None:
        written = f"{number}/{parts}"
    else:
        return Interpretation(1 + used)
    start = below.start - 2 if scene.before(below.start, 2) == "负的" else below.start
    share = Rewrite(start, end, f"-{written}" if start < below.start else written)
    limit = _upper_limit(scene, index + 1 + used, end, below)
    return Interpretation(1 + used, (share,)) if limit is None else Interpretation(2 + used, (share, limit))


def _above(scene: Scene, index: int, position: int) -> tuple[int, str, int] | None:
    run = scene.run_at(index, position)
    if run is None or scene.after(run.end) == "几":
        return None
    if run.spoken == "百":
        return 1, "100", run.end
    found = decimal(scene, index)
    return None if found is None else (found[0], found[1], found[2])


def _upper_limit(scene: Scene, index: int, end: int, below: Run) -> Rewrite | None:
    """百分之五到十: the second number is a percentage too. It is left to its own reading when a unit follows."""
    run = scene.run_at(index, end + 1)
    if (
        below.spoken not in _PER
        or scene.after(end) not in {"到", "至"}
        or run is None
        or run.cardinal is None
    ):
        return None
    if is_word(scene.after(run.end)) and scene.after(run.end) not in "的之左以":
        return None
    return Rewrite(run.start, run.end, f"{run.number()}{_PER[below.spoken]}")


def read_score(scene: Scene, index: int) -> Interpretation | None:
    """Read A比B, both numbers: a ratio or a score. Not a comparison (十比九多)."""
    left = decimal(scene, index)
    if left is None or scene.after(left[2]) != "比":
        return None
    right = decimal(scene, index + left[0]) if scene.run_at(index + left[0], left[2] + 1) else None
    if right is None or scene.after(right[2]) in {"点", "分"} or _is_compared(scene.after(right[2], 2)):
        return None
    ratio = Rewrite(scene.runs[index].start, right[2], f"{left[1]}:{right[1]}")
    return Interpretation(left[0] + right[0], (ratio,))


def _is_compared(after: str) -> bool:
    return after[:1] != "" and after[:1] in _COMPARED and (after[1:] == "" or after[1:] not in _ENDED)
