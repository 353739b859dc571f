"""Both sides of a comparison are normalised alike, and the rates are those of hand-counted cases."""

import pytest

from orchestrator.text.metrics import is_digit_string, normalize_transcript, score

PHONE = "0900073331"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("And so, my fellow-Americans: ask!", "and so my fellow americans ask"),
        ("It’s ‘quoted’ — don't.", "it's quoted don't"),
        ("  tabs\tand\nlines ", "tabs and lines"),
        ("ＦＵＬＬ width", "full width"),
        ("Café ﬁne", "café fine"),
        ("5 % of $3.50", "5 of 3 50"),
        ("…—!?", ""),
        ("zero nine", "zero nine"),
    ],
)
def test_normalised_without_digits(text: str, plain: str) -> None:
    assert normalize_transcript(text, digits=False) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("0900-073-331.", PHONE),
        ("zero nine zero zero zero seven three three three one", PHONE),
        ("Oh nine, double-oh oh seven triple three one.", PHONE),
        ("o nine double zero 0 seven triple 3 one", PHONE),
        ("零九零〇零七三三三一", PHONE),
        ("(09) 00 / 07 3331", PHONE),
        ("call 09 00 now 5", "call 0900 now 5"),
        ("a double room", "a double room"),
        ("double", "double"),
        ("double double five", "double 55"),
    ],
)
def test_normalised_with_digits(text: str, plain: str) -> None:
    assert normalize_transcript(text, digits=True) == plain


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("0900-073-331.", True),
        ("(02) 2345 678", True),
        ("zero", False),
        ("5 dollars", False),
        ("--", False),
        ("", False),
    ],
)
def test_digit_strings_are_known(text: str, answer: bool) -> None:
    assert is_digit_string(text) is answer


@pytest.mark.parametrize(
    "hypothesis", ["0900-073-331.", "zero nine zero zero zero seven three three three one"]
)
def test_spoken_and_written_digits_are_no_error(hypothesis: str) -> None:
    found = score(PHONE, hypothesis)
    assert (found.wer_percent, found.cer_percent) == (0.0, 0.0)
    assert "digits" in found.normalization


def test_a_wrong_digit_is_one_wrong_word_and_one_wrong_character_in_ten() -> None:
    found = score(PHONE, "0900-073-332")
    assert (found.wer_percent, found.cer_percent) == (100.0, pytest.approx(10.0))


def test_spoken_digits_stay_words_when_the_reference_is_no_digit_string() -> None:
    assert score("zero nine", "09").wer_percent == 100.0


def test_rates_are_in_per_cent_of_the_reference() -> None:
    found = score("one two three four", "one two four")
    assert found.wer_percent == pytest.approx(25.0)
    assert found.cer_percent == pytest.approx(100 * 6 / 18)


def test_insertions_bring_it_above_a_hundred() -> None:
    assert score("a b", "a b c d e").wer_percent == pytest.approx(150.0)


def test_chinese_counts_characters_as_words_and_blanks_as_nothing() -> None:
    found = score("今天天氣好", "今天 天汽，好。")
    assert found.wer_percent == found.cer_percent == pytest.approx(20.0)
    assert "CJK" in found.normalization


def test_latin_words_in_chinese_stay_words() -> None:
    assert score("我用 Python 寫", "我用python寫").wer_percent == 0.0
    assert score("我用 Python 寫", "我用java寫").wer_percent == pytest.approx(25.0)


@pytest.mark.parametrize("hypothesis", ["", "  ", "…"])
def test_an_empty_hypothesis_is_all_wrong(hypothesis: str) -> None:
    found = score("some words", hypothesis)
    assert (found.wer_percent, found.cer_percent) == (100.0, 100.0)


@pytest.mark.parametrize("reference", ["", " \n", "?!"])
def test_an_empty_reference_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match="no words"):
        score(reference, "anything")
