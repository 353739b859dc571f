"""zh-TW: what comes in pieces is, joined, what OpenCC makes of the whole; and it comes early."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from itertools import pairwise

import opencc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.text import ZhTwStream, to_zh_tw
from orchestrator.text.chinese import GrowingText, is_chinese, write_chinese

WHOLE = opencc.OpenCC("s2twp")
ENTRIES = sorted({key for _, _, entries in WHOLE.dict_cache.values() for key in entries})
LONGEST = max(ENTRIES, key=len)
AMBIGUOUS = "干面里发后台内存软件鼠标硬盘乾隆头发出发点钟表演一只皇后面条件，。 a-b幺么𠮷"
PIECES = st.one_of(st.sampled_from(ENTRIES), st.text(AMBIGUOUS, max_size=4), st.text(max_size=3))


def streamed(text: str, cuts: list[int]) -> str:
    stream = ZhTwStream()
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    shown = [stream.feed(text[start:end]) for start, end in pairwise(edges)]
    shown.append(stream.flush())
    assert stream.text == "".join(shown)
    return stream.text


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PIECES, max_size=12).map("".join), st.lists(st.integers(0, 200), max_size=12))
def test_any_chunking_gives_what_the_whole_gives(text: str, cuts: list[int]) -> None:
    assert streamed(text, cuts) == WHOLE.convert(text)


def test_broken_off_phrases_in_any_chunking() -> None:
    """Beginnings of real entries, one after the other: as many false hopes as can be."""
    chance = random.Random(20261121)
    for _ in range(400):
        text = "".join(chance.choice(ENTRIES)[: chance.randint(1, 9)] for _ in range(chance.randint(1, 20)))
        assert streamed(text, [chance.randint(0, 99) for _ in range(chance.randint(0, 30))]) == WHOLE.convert(
            text
        )


@pytest.mark.parametrize("text", [LONGEST, LONGEST[:-1], "软件" * 200, "干干" * 200, "一" * 400, "x" * 2000])
def test_character_by_character(text: str) -> None:
    assert streamed(text, list(range(len(text)))) == WHOLE.convert(text)


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["零九零", "零零七"], ["零九零", "零零七"]),
        (["软", "件", "。"], ["", "軟", "體。"]),
        (["内", "存，不够"], ["", "記憶體，不夠"]),
        (["a", "b c"], ["a", "b c"]),
    ],
)
def test_what_is_certain_is_shown_at_once(pieces: list[str], shown: list[str]) -> None:
    stream = ZhTwStream()
    given_now = [stream.feed(piece) for piece in pieces]
    assert "".join(given_now) + stream.flush() == WHOLE.convert("".join(pieces))
    joined = "".join(given_now)
    assert joined.startswith("".join(shown)[: len(joined)])


def test_no_more_is_held_back_than_the_longest_entry() -> None:
    """Held back at any moment: a real bound, seen on the hardest text there is, the entries themselves."""
    for text in ENTRIES[::50]:
        stream = ZhTwStream()
        for end in range(1, len(text) + 1):
            stream.feed(text[end - 1])
            assert len(stream.text) + len(LONGEST) >= end


def test_digits_are_never_held_back() -> None:
    stream = ZhTwStream()
    assert [stream.feed(each) for each in "0900-073"] == list("0900-073")


def test_a_stream_can_be_used_again_after_its_end() -> None:
    stream = ZhTwStream()
    assert stream.feed("软") + stream.flush() == "軟"
    assert stream.feed("件") + stream.flush() == "件"


def test_threads_share_the_dictionaries() -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(to_zh_tw("内存里的软件"))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert set(found) == {WHOLE.convert("内存里的软件")}


def test_the_dictionaries_are_not_loaded_before_they_are_used() -> None:
    modules = "sys, orchestrator, orchestrator.text, orchestrator.cli.terminal.verbose_log"
    code = f"import {modules}; print('opencc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# ------------------------------------------------------------------ which text, and in which order


@pytest.mark.parametrize(
    ("language", "text", "chinese"),
    [
        ("Chinese", "0900", True),
        ("zh", "", True),
        ("zh_TW", "x", True),
        ("ZH-Hans", "x", True),
        ("Mandarin", "x", True),
        ("English", "三", False),
        ("Japanese", "三十", False),
        ("Cantonese", "三十", False),
        (None, "三十个", True),
        ("auto", "三十个", True),
        ("auto", "三十はい", False),
        (None, "hello 123", False),
        (None, "", False),
    ],
)
def test_which_text_is_chinese(language: str | None, text: str, chinese: bool) -> None:
    assert is_chinese(language, text) is chinese


def test_first_the_script_then_the_digits() -> None:
    found = write_chinese("软件在下午三点十五分", "Chinese")
    assert found is not None
    assert (found.zh_tw, found.itn) == ("軟體在下午三點十五分", "軟體在下午3點15分")
    plain = write_chinese("软件在三点十五分", "zh", "itn")
    assert plain is not None
    assert (plain.zh_tw, plain.itn) == (None, "软件在3点15分")
    assert write_chinese("三点十五分", "zh", "off") is None
    assert write_chinese("three", "en") is None


def test_the_spoken_one_survives_the_conversion() -> None:
    """OpenCC writes 幺 as 么 for Taiwan."""
    found = write_chinese("打幺幺零，幺三八零零一三八零零零", "zh")
    assert found is not None
    assert found.itn == "打110，13800138000"


def test_a_growing_text_starts_anew_when_something_is_taken_back() -> None:
    growing = GrowingText("zh", "zh-TW")
    assert growing.add("我的软件。") == "我的軟體。"
    assert growing.add("鼠标，", replaces=3) == "我的滑鼠，"
    assert growing.source == "我的鼠标，"


def test_another_language_grows_as_it_comes() -> None:
    growing = GrowingText(None, "zh-TW")
    assert growing.add("And so") == "And so"
    assert growing.add(" on", replaces=2) == "And  on"
    assert GrowingText("en", "zh-TW").add("软件。") == "软件。"
    assert GrowingText("zh", "itn").add("软件。") == "软件。"
