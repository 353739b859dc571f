"""Judging says today what it said when it was recorded: each verdict, rate, interval, probability and sentence."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from kinds_of_series import KINDS
from recorded_judgements import RECORD, kind_of, names, series_of, told
from scripted import TWINS

from orchestrator.analysis import judge

RECORDED: dict[str, dict[str, Any]] = json.loads(RECORD.read_text())


def test_each_series_has_its_record() -> None:
    assert list(RECORDED) == names()


@pytest.mark.parametrize("kind", [*TWINS, *KINDS])
def test_judgements_are_those_recorded(kind: str) -> None:
    mine = [name for name in RECORDED if kind_of(name) == kind]
    assert mine
    for name in mine:
        assert different(told(judge(series_of(name))), RECORDED[name], name) == []


def different(now: Any, then: Any, where: str) -> list[str]:
    """Return the places where two records differ by more than rounding: 1 %, or 0.0001."""
    if isinstance(then, dict) and isinstance(now, dict) and now.keys() == then.keys():
        return [found for key in then for found in different(now[key], then[key], f"{where}: {key}")]
    if isinstance(then, list) and isinstance(now, list) and len(now) == len(then):
        return [found for at, one in enumerate(then) for found in different(now[at], one, f"{where} {at}")]
    if isinstance(then, float) and isinstance(now, float):
        near = math.isclose(now, then, rel_tol=0.01, abs_tol=1e-4)
    else:
        near = now == then
    return [] if near else [f"{where}: now {now!r}, recorded {then!r}"]


def test_a_difference_is_found() -> None:
    one = RECORDED["steady leaks"]
    assert different(one, {**one, "rate": [0.58564, 0.6, 0.60872]}, "x") == []
    assert different(one, {**one, "rate": [0.58564, 0.7, 0.60872]}, "x") == [
        "x: rate 1: now 0.59795, recorded 0.7"
    ]
    assert different(one, {**one, "verdict": "flat"}, "x") == ["x: verdict: now 'leak', recorded 'flat'"]
    assert different(one, {**one, "words": []}, "x") != []
