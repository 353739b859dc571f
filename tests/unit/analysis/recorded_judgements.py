"""What :func:`orchestrator.analysis.judge` says of series of every kind, as it was recorded.

``python tests/unit/analysis/recorded_judgements.py`` writes the record anew. Do that when judging changes on purpose,
and read the difference: it is what users will see.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from kinds_of_series import KINDS, made
from scripted import TWINS

from orchestrator.analysis import MemorySeries, Verdict, judge

RECORD = Path(__file__).parents[2] / "data" / "recorded_judgements.json"
SEEDS = range(3)
ON_AN_EDGE = {"with_a_spike_at_the_end fixed"}
"""Left out: a number in its words turns on the last bits of the readings, so another machine may say another."""


def kind_of(name: str) -> str:
    """Return the kind in the name of a series: ``steady leaks``, ``steady fixed``; ``square root 2 rss``, ``… all``."""
    return " ".join(word for word in name.split()[:-1] if not word.isdecimal())


def series_of(name: str) -> MemorySeries:
    """Return the series of a name."""
    kind, which = kind_of(name), name.rsplit(maxsplit=1)[-1]
    if kind in TWINS:
        return MemorySeries.of(TWINS[kind](which == "leaks"))
    return made(kind, int(name.split()[-2]))[which == "all"]


def names() -> list[str]:
    """Return the names of all series."""
    twins = [f"{kind} {which}" for kind in TWINS for which in ("leaks", "fixed")]
    drawn = [f"{kind} {seed} {which}" for kind in KINDS for seed in SEEDS for which in ("rss", "all")]
    return [name for name in (*twins, *drawn) if name not in ON_AN_EDGE]


def told(found: Verdict) -> dict[str, Any]:
    """Return what a user sees of it: words with a # for each number, and the numbers."""
    sentences = [*found.reasons, *found.settle]
    channels = {
        name: [channel.slope.low, channel.slope.rate, channel.slope.high, channel.growing, channel.future]
        for name, channel in found.channels
    }
    return {
        "verdict": found.verdict,
        "channel": found.rate_channel,
        "warm_up": found.warm_up,
        "shapes": {name: f"{channel.verdict}, {channel.shape}" for name, channel in found.channels},
        "rate": [_short(number) for number in (found.ci_low, found.rate_mb_per_iteration, found.ci_high)],
        "channels": {name: [_short(number) for number in numbers] for name, numbers in channels.items()},
        "words": [re.sub(r"\d[\d.,]*", "#", sentence) for sentence in sentences],
        "numbers": [
            float(one.replace(",", "")) for one in re.findall(r"\d+(?:[.,]\d+)*", " ".join(sentences))
        ],
    }


def _short(number: float) -> float | None:
    return float(f"{number:.5g}") if np.isfinite(number) else None


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(told(judge(series_of(name))))}" for name in names()]
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")
