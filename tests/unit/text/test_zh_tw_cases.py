"""zh-TW on our tables: at least 98 of 100 sentences right, and none wrong that OpenCC alone has right."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import opencc
import pytest

from orchestrator.text import to_zh_tw

PROGRAM = Path(__file__).parents[3] / "benchmarks/zh_tw_cases.py"


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("zh_tw_cases", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_large_and_have_each_sentence_once(tables: ModuleType) -> None:
    table, held_out = tables.sentences(tables.TABLE), tables.sentences(tables.HELD_OUT)
    assert len(table) >= 400
    assert len(held_out) >= 150
    simplified = Counter(each.simplified for each in (*table, *held_out))
    assert [text for text, count in simplified.items() if count > 1] == []


def test_nearly_every_sentence_is_right(tables: ModuleType) -> None:
    for table in (tables.TABLE, tables.HELD_OUT):
        found = tables.sentences(table)
        wrong = [each for each in found if not tables.is_right(to_zh_tw(each.simplified), each.taiwan)]
        assert len(wrong) <= 0.02 * len(found), wrong


def test_nothing_is_wrong_that_opencc_alone_has_right(tables: ModuleType) -> None:
    alone = opencc.OpenCC("s2twp").convert
    worse = [
        each.simplified
        for each in (*tables.sentences(tables.TABLE), *tables.sentences(tables.HELD_OUT))
        if tables.is_right(alone(each.simplified), each.taiwan)
        and not tables.is_right(to_zh_tw(each.simplified), each.taiwan)
    ]
    assert worse == []


def test_a_sentence_counts_as_right_by_word_and_spelling_and_not_otherwise(tables: ModuleType) -> None:
    assert tables.is_right("點擊臺灣", "{點選/點擊}台灣")
    assert not tables.is_right("點击台灣", "{點選/點擊}台灣")
