"""zh-TW: what comes in pieces is, joined, what OpenCC makes of the whole; and it comes early."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.text import ZhTwStream, to_zh_tw
from orchestrator.text.chinese import GrowingText, is_chinese, write_chinese
from orchestrator.text.opencc_dictionaries import dictionaries
from orchestrator.text.segmentation import parts, words
from orchestrator.text.word_senses import senses
from orchestrator.text.zh_tw import AHEAD

ENTRIES = sorted({*dictionaries().phrases, *senses()})
LONGEST = max(ENTRIES, key=len)
AMBIGUOUS = "干面里发后台内存软件鼠标硬盘乾隆头发出发点钟表演一只皇后面条支持文件通过程序循环，。？ a-b幺么𠮷"
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
    assert streamed(text, cuts) == to_zh_tw(text)


def test_broken_off_phrases_in_any_chunking() -> None:
    """Beginnings of real entries, one after the other: as many false hopes as can be."""
    chance = random.Random(20261121)
    for _ in range(400):
        text = "".join(chance.choice(ENTRIES)[: chance.randint(1, 9)] for _ in range(chance.randint(1, 20)))
        assert streamed(text, [chance.randint(0, 99) for _ in range(chance.randint(0, 30))]) == to_zh_tw(text)


@pytest.mark.parametrize("text", [LONGEST, LONGEST[:-1], "软件" * 200, "干干" * 200, "一" * 400, "x" * 2000])
def test_character_by_character(text: str) -> None:
    assert streamed(text, list(range(len(text)))) == to_zh_tw(text)


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["零九零", "零零七"], ["零九", "零零零"]),
        (["软", "件", "。"], ["", "", "軟體。"]),
        (["内", "存，不够，"], ["", "記憶體，不夠，"]),
        (["a", "b c"], ["a", "b c"]),
        (["我们", "很高", "兴，"], ["我們", "很", "高興，"]),
    ],
)
def test_what_is_certain_is_shown_at_once(pieces: list[str], shown: list[str]) -> None:
    stream = ZhTwStream()
    assert [stream.feed(piece) for piece in pieces] == shown


def test_no_more_is_held_back_than_two_windows() -> None:
    """Held back at any moment: a real bound, seen on the hardest text there is, the entries themselves."""
    for start in range(0, len(ENTRIES), 500):
        text = "".join(ENTRIES[start : start + 8])
        stream = ZhTwStream()
        for end in range(1, len(text) + 1):
            stream.feed(text[end - 1])
            source_given = (
                len(stream.text) + 3 * AHEAD
            )  # a word of Taiwan's own may be longer than its source
            assert source_given >= end


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
    assert set(found) == {"記憶體裡的軟體"}


def test_the_dictionaries_are_not_loaded_before_they_are_used() -> None:
    modules = "sys, orchestrator, orchestrator.text, orchestrator.cli.terminal.verbose_log"
    code = f"import {modules}; print({{'opencc', 'rjieba'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("simplified", "taiwan"),
    [
        ("他说明了如此做的理由", "他說明了如此做的理由"),  # 了如
        ("一个中学生和一个中国人", "一個中學生和一個中國人"),  # 个中
        ("限制造船的数量", "限制造船的數量"),  # 制造
        ("多数组员反对", "多數組員反對"),  # 数组
        ("二十年历程", "二十年歷程"),  # 年历
        ("市政府干部名单", "市政府幹部名單"),
        ("全日制学校和抑制剂的蒸发量", "全日制學校和抑制劑的蒸發量"),  # in one word of the dictionary
        ("范仲淹和托雷斯", "范仲淹和托雷斯"),
    ],
)
def test_no_phrase_goes_across_the_border_of_a_word(simplified: str, taiwan: str) -> None:
    assert to_zh_tw(simplified) == taiwan


@pytest.mark.parametrize(
    ("everyday", "computing"),
    [
        (("邻居们支持这个主意", "鄰居們支持這個主意"), ("新版浏览器支持深色模式", "新版瀏覽器支援深色模式")),
        (("妹妹还没有对象", "妹妹還沒有對象"), ("创建一个对象", "建立一個物件")),
        (("法庭的文件丢了", "法庭的文件丟了"), ("把文件上传到云端", "把檔案上傳到雲端")),
        (("空气的循环", "空氣的循環"), ("这段代码里有死循环", "這段程式碼裡有死迴圈")),
        (("议案终于通过", "議案終於通過"), ("通过朋友认识了她", "透過朋友認識了她")),
        (("按照法律程序处理", "按照法律程序處理"), ("安装程序出错", "安裝程式出錯")),
        (("饭店的菜单很旧", "飯店的菜單很舊"), ("点击菜单里的按钮", "選單裡的按鈕")),
        (("排成一条队列", "排成一條隊列"), ("消息队列", "訊息佇列")),
        (("机场的登机程序", "機場的登機程序"), ("主程序", "主程式")),
        (("他抛出一个问题", "他拋出一個問題"), ("抛出异常", "丟擲異常")),
        (("她打开窗户", "她打開窗戶"), ("打开浏览器的设置", "開啟瀏覽器的設定")),
    ],
)
def test_a_word_with_two_senses_is_written_as_the_sentence_means_it(
    everyday: tuple[str, str], computing: tuple[str, str]
) -> None:
    assert to_zh_tw(everyday[0]) == everyday[1]
    assert computing[1] in to_zh_tw(computing[0])


def test_what_follows_decides_in_pieces_too() -> None:
    stream = ZhTwStream()
    given_now = stream.feed("支持") + stream.feed("所有的") + stream.feed("操作系统。")
    assert given_now == "支援所有的作業系統。"


@given(st.text(AMBIGUOUS, max_size=40) | st.text(max_size=40))
def test_words_joined_are_the_text(text: str) -> None:
    assert "".join(words(text)) == text


def test_words_are_found_in_both_scripts() -> None:
    assert words("他展示了如何發明") == ["他", "展示", "了", "如何", "發明"]
    assert parts("抑制剂") == ("抑制", "剂")


@pytest.mark.parametrize("text", ["これは日本語です", "한국어 문장", "plain English, 3.5", "", "\n"])
def test_what_is_not_chinese_stays(text: str) -> None:
    assert to_zh_tw(text) == text


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
