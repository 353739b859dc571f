"""What docs/text.md shows is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from orchestrator.text import ZhTwStream, inverse_normalize, to_zh_tw

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/text.md").read_text("utf-8")
ROWS = re.findall(r"^\| [^|]+ \| ([^|]*[一-龥][^|]*) \| ([^|]*[0-9][^|]*) \|$", PAGE, re.MULTILINE)
PAIRS = [
    pair for spoken, written in ROWS for pair in zip(spoken.split(", "), written.split(", "), strict=True)
]
STAYS = PAGE.partition("What stays in words:")[2].partition("Date and time keep")[0]


@pytest.mark.parametrize(("spoken", "written"), PAIRS)
def test_the_table_of_forms(spoken: str, written: str) -> None:
    assert inverse_normalize(spoken) == written


def test_the_table_was_found() -> None:
    assert len(PAIRS) >= 20


def test_what_stays_in_words() -> None:
    examples = re.findall(r"[一-龥]{2,}", STAYS)
    assert len(examples) >= 15
    for example in examples:
        assert inverse_normalize(example) == example


def test_the_example() -> None:
    assert to_zh_tw("鼠标和软件") == "滑鼠和軟體"
    assert inverse_normalize("下午三點十五分漲了百分之二") == "下午3點15分漲了2%"
    stream = ZhTwStream()
    shown = [stream.feed(piece) for piece in ("软", "件很好，", "真的")]
    assert [*shown, stream.flush()] == ["", "軟體很好，", "真", "的"]
    assert '["", "軟體很好，", "真"]' in PAGE


def test_the_rates_are_the_recorded_ones() -> None:
    recorded = json.loads((ROOT / "benchmarks/results/itn.json").read_text("utf-8"))
    rates = recorded["pass_percent"]
    assert f"| **all** | {rates['ours']:.1f} % | {rates['wetext']:.1f} % | {rates['cn2an']:.1f} % |" in PAGE
    assert f"{recorded['cases']} in all" in PAGE
    assert rates["ours"] == 100
