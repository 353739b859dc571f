"""三到五分钟: is a single digit the lower limit of a range? What is made of it then, the upper limit decides."""

from __future__ import annotations

from orchestrator.text.itn.scene import Scene, is_word

_TO = {"到", "至"}
_NAMED = set("张李王赵陈刘老小阿初高大再接第")
"""Before a digit that is a name or an order and no amount: 张三到十二楼来."""
_FROM = set("从由")


def is_lower_limit(scene: Scene, index: int) -> bool:
    """Say whether 到 or 至 and another number follow the digit at run ``index``.

    一到十二点 may also be "as soon as it is twelve", and in 统一到 there is a word: 一 needs 从, or nothing before it.
    """
    run = scene.runs[index]
    if not run.single or run.spoken in "零〇幺" or scene.after(run.end) not in _TO:
        return False
    if scene.run_at(index + 1, run.end + 1) is None:
        return False
    before = scene.before(run.start)
    if run.spoken == "一":
        return before in _FROM or (not is_word(before) and scene.after(scene.runs[index + 1].end) != "点")
    return before not in _NAMED
