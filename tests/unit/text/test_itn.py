"""Inverse text normalisation: our table, its traditional twins, and what must hold for any text."""

from __future__ import annotations

import functools
import threading
import unicodedata
from pathlib import Path

import opencc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.text import inverse_normalize
from orchestrator.text.itn.cardinals import read_cardinal
from orchestrator.text.itn.characters import NUMERALS, fold
from orchestrator.text.itn.kept_words import kept_words

TABLE = Path(__file__).parents[2] / "data/itn_cases.tsv"
CASES = [
    tuple(line.split("\t"))
    for line in TABLE.read_text("utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]
SPOKEN = st.text(
    "零〇一二两三四五六七八九幺么十百千万亿点分之半年月日号块钱米个比负几多第兩萬億點負 ，,3.5又折到%级毛度刻秒周的人",
    max_size=24,
)

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault


@functools.cache
def traditional() -> opencc.OpenCC:
    return opencc.OpenCC("s2t")


def test_the_table_is_large_and_has_each_case_once() -> None:
    assert len(CASES) >= 300
    assert len({spoken for _, spoken, _ in CASES}) == len(CASES)
    assert {len(case) for case in CASES} == {3}


@pytest.mark.parametrize(("kind", "spoken", "written"), CASES, ids=[case[1] for case in CASES])
def test_the_table_holds_in_both_scripts(kind: str, spoken: str, written: str) -> None:
    twin = traditional().convert
    assert inverse_normalize(spoken) == written
    assert inverse_normalize(twin(spoken)) == twin(written)
    assert inverse_normalize(written) == written


@patient
@given(SPOKEN)
def test_doing_it_twice_is_doing_it_once(text: str) -> None:
    once = inverse_normalize(text)
    assert inverse_normalize(once) == once


@patient
@given(st.text(max_size=60))
def test_a_text_without_numerals_stays(text: str) -> None:
    plain = "".join(
        each for each in text if fold(each) not in NUMERALS and unicodedata.category(each) != "Lo"
    )
    assert inverse_normalize(plain) == plain


@patient
@given(st.lists(st.sampled_from(list("零〇一二三四五六七八九幺")), min_size=3, max_size=60))
def test_digits_read_one_by_one_come_out_one_by_one(spoken: list[str]) -> None:
    values = dict(zip("零〇一二三四五六七八九幺", "001234567891", strict=True))
    assert inverse_normalize("".join(spoken)) in {
        "".join(values[each] for each in spoken),
        "".join(spoken) if "".join(spoken) in kept_words() else "",
    }


@pytest.mark.parametrize("length", [10_000, 9_999])
def test_a_very_long_digit_string(length: int) -> None:
    assert inverse_normalize("零九" * length) == "09" * length


@pytest.mark.parametrize(
    "piece", ["零九", "一百", "三点", "百分之", "三比", "一，", "壹", "农历", "负", "么", "一千万", "三分之"]
)
def test_work_grows_with_the_length_and_not_with_its_square(piece: str) -> None:
    """Counts calls, not time: ten times the text may cost about ten times the steps."""
    assert steps_for(piece * 2000) < 14 * steps_for(piece * 200)


def steps_for(text: str) -> int:
    import sys

    count = 0

    def step(*_: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(step)
    try:
        inverse_normalize(text)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "\ud800三十\udfff", "𠀀𠮷三十五個人", "\0三十\0", "Seven 7 七上八下"]
)
def test_odd_text_passes(text: str) -> None:
    assert inverse_normalize(text) == text.replace("三十五個", "35個").replace("三十", "30")


def test_every_kept_word_is_kept_in_both_scripts_and_in_a_sentence() -> None:
    for config in ("s2t", "s2tw"):
        twin = opencc.OpenCC(config).convert
        for word in (each.partition("!")[0] for each in kept_words()):
            assert fold(twin(word)) == fold(word)
            for text in (f"我们说{word}的", twin(f"我们说{word}的")):
                assert inverse_normalize(text) == text


def test_every_number_is_read_as_it_is_spoken() -> None:
    large = [9999, 10_001, 10_010, 20_500, 99_999, 100_001, 305_020, 10_203_045, 100_000_001]
    for value in [*range(1, 2100), *large]:
        found = read_cardinal(spoken_number(value))
        assert found is not None, value
        assert (found.value, found.short) == (value, False)


def spoken_number(value: int) -> str:
    """Say a number below 10 ** 12, the textbook way."""
    for unit, sign in ((10**8, "亿"), (10**4, "万")):
        if value >= unit:
            head, tail = divmod(value, unit)
            gap = "零" if 0 < tail < unit // 10 else ""
            return spoken_number(head) + sign + gap + (spoken_tail(tail) if tail else "")
    said, rest = "", value
    for unit, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, rest = divmod(rest, unit)
        if digit:
            said += ("" if unit == 10 and digit == 1 and not said else "零一二三四五六七八九"[digit]) + sign
        elif said and rest and not said.endswith("零"):
            said += "零"
    return said


def spoken_tail(value: int) -> str:
    return "一" + spoken_number(value) if 10 <= value < 20 else spoken_number(value)


@pytest.mark.parametrize(
    "run", ["三五百", "十七八", "一两百", "百", "千万", "两十", "一百零", "一万万一", "零五", "一千千", ""]
)
def test_what_is_no_one_number_is_none(run: str) -> None:
    assert read_cardinal(run) is None


def test_threads_do_not_disturb_each_other() -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(inverse_normalize("百分之二十五"))) for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == ["25%"] * 8
