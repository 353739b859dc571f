"""Any text becomes dictionary words, and times come back to the text's own words. No aligner is run."""

import importlib.util
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_worker.engines.alignment_text import (
    Timed,
    Token,
    bare_word,
    is_filler,
    placed,
    prepare,
    which,
)
from orchestrator_worker.engines.base import EngineError, EngineUnavailableError
from orchestrator_worker.engines.letter_sounds import pronounce
from orchestrator_worker.engines.partial_text import PartialText
from orchestrator_worker.engines.spoken_numbers import spell_numbers
from orchestrator_worker.protocol import Word

WORDS = """
    and so my fellow americans ask not what it's 'twas 'bout mr. u.s. a.m. cafe ad-hoc hoc at t. t b two
    rock'n'roll dogs five hello
"""
CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH"
PHONES = frozenset(f"AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW {CONSONANTS}".split())
DICTIONARY = frozenset(WORDS.split())


needs_num2words = pytest.mark.skipif(
    importlib.util.find_spec("num2words") is None, reason="num2words comes with the extra 'embedded'"
)


def known(word: str) -> bool:
    return word in DICTIONARY


def spoken(text: str) -> list[str]:
    return prepare(text, known).spoken


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("And so, MY", ["and", "so", "my"]),
        ("fellow-Americans:", ["fellow", "americans"]),
        ("fellow\u2014Americans", ["fellow", "americans"]),
        ("ad-hoc", ["ad-hoc"]),
        ("it’s ‘twas 'bout", ["it's", "'twas", "'bout"]),
        ("'hello' “hello”… (hello)", ["hello", "hello", "hello"]),
        ("Mr. U.S. a.m.", ["mr.", "u.s.", "a.m."]),
        ("café rock'n'roll dogs'", ["cafe", "rock'n'roll", "dogs"]),
        ("AT&T", ["at", "and", "t"]),
        ("and/or".replace("or", "so"), ["and", "so"]),
        ("hel\u00adlo", ["hello"]),
        ("ｈｅｌｌｏ", ["hello"]),
        pytest.param("b2b", ["b", "two", "b"], marks=needs_num2words),
        pytest.param("hello(2)", ["hello", "two"], marks=needs_num2words),
    ],
)
def test_words_of_the_dictionary_are_found(text: str, words: list[str]) -> None:
    assert spoken(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026", "twenty twenty six"),
        ("2,026", "two thousand twenty six"),
        ("1905", "nineteen oh five"),
        ("105", "one hundred five"),
        ("3.5", "three point five"),
        ("1.10", "one point one zero"),
        ("$5", "five dollars"),
        ("$1.01", "one dollar one cent"),
        ("€2,000.50", "two thousand euros fifty cents"),
        ("50%", "fifty percent"),
        ("10th", "tenth"),
        ("21st,", "twenty first ,"),
        ("1990s", "nineteen nineties"),
        ("0900073331", "zero nine zero zero zero seven three three three one"),
        ("0900-073-331.", "zero nine zero zero zero seven three three three one ."),
        ("1234567", "one two three four five six seven"),
        ("007", "zero zero seven"),
        ("10-20", "ten twenty"),
        ("3:05", "three oh five"),
        ("3:00", "three o'clock"),
        ("-5", "minus five"),
        ("9,999,999,999,999,999", "nine " * 15 + "nine"),
        ("no digits", "no digits"),
    ],
)
@needs_num2words
def test_numbers_are_spelt_out(text: str, words: str) -> None:
    assert spell_numbers(text).split() == words.split()


def test_digits_without_num2words_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "num2words", None)
    assert spell_numbers("0900073331").split()[:2] == ["zero", "nine"]
    with pytest.raises(EngineUnavailableError, match="num2words") as raised:
        spell_numbers("in 2026")
    assert "pip install" in raised.value.how_to_get_it


@pytest.mark.parametrize("text", ["", "  \n", " … — !", "\ufeff"])
def test_a_text_without_words_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match="has no words"):
        prepare(text, known)


def test_all_unknown_words_are_listed_once() -> None:
    with pytest.raises(EngineError, match=r"2 words .*: zzyx, qwrt; .*error"):
        prepare("Zzyx hello qwrt-hello ZZYX", known, unknown="error")


def test_unknown_words_can_be_skipped() -> None:
    prepared = prepare("Zzyx, hello \u2014 so!", known, unknown="skip")
    assert [token.text for token in prepared.tokens] == ["hello", "so!"]
    assert prepared.skipped == ["Zzyx,", "\u2014"]


def test_unknown_words_are_learnt_part_by_part_and_marked() -> None:
    learnt: list[str] = []

    def learn(word: str) -> bool:
        learnt.append(word)
        return word.isascii()

    prepared = prepare("Hello Zzyx-americans, 你好 Zürcher so", known, learn)
    assert [token for token in prepared.tokens if token.by_rule] == [
        Token("Zzyx-americans,", ("zzyx", "americans"), by_rule=True),
        Token("Zürcher", ("zurcher",), by_rule=True),
    ]
    assert prepared.skipped == ["你好"]
    assert not {"hello", "so", "americans"} & set(learnt)


def test_a_number_that_nobody_reads_out_costs_its_token_alone() -> None:
    prepared = prepare(f"hello {'7' * 5000} so", known, lambda _: True)
    assert prepared.spoken == ["hello", "so"]
    assert len(prepared.skipped) == 1


def test_a_text_that_cannot_be_said_at_all_is_refused() -> None:
    with pytest.raises(EngineError, match="你好, 世界"):
        prepare("你好 世界", known)


def test_digits_are_read_singly_when_nothing_spells_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "num2words", None)
    (token,) = prepare("25", lambda word: word in {"two", "five"}).tokens
    assert token == Token("25", ("two", "five"))


@needs_num2words
def test_times_come_back_to_the_words_of_the_text() -> None:
    prepared = prepare("Hello, fellow-Americans: ask 5.", known)
    words, owners = placed(
        prepared,
        [
            Timed("<sil>", 0, 30),
            Timed("hello(2)", 30, 100),
            Timed("fellow", 100, 200),
            Timed("[NOISE]", 200, 220),
            Timed("americans(3)", 220, 400),
            Timed("ask", 400, 500),
            Timed("(NULL)", 500, 500),
            Timed("five", 510, 600),
            Timed("</s>", 600, 610),
        ],
        610,
    )
    assert [(word.text, word.start_ms, word.end_ms) for word in words] == [
        ("Hello,", 30, 100),
        ("fellow-Americans:", 100, 400),
        ("ask", 400, 500),
        ("5.", 510, 600),
    ]
    assert owners == [0, 1, 1, 2, 3]


@pytest.mark.parametrize("names", [[], ["hello", "so", "so"], ["not"], ["so", "hello"]])
def test_an_answer_with_other_words_places_nothing(names: list[str]) -> None:
    assert placed(prepare("hello so", known), [Timed(name, 0, 10) for name in names], 100) == ([], [])


def test_words_that_were_not_found_share_the_time_between_their_neighbours() -> None:
    prepared = prepare("so hello my fellow americans", known)
    words, owners = placed(prepared, [Timed("hello", 100, 200), Timed("americans", 400, 500)], 600)
    assert words == [
        Word("so", 0, 100, "interpolated"),
        Word("hello", 100, 200),
        Word("my", 200, 250, "interpolated"),
        Word("fellow", 250, 400, "interpolated"),
        Word("americans", 400, 500),
    ]
    assert owners == [1, 4]


@pytest.mark.parametrize(
    ("names", "spoken", "places"),
    [
        ("a b", "a b", [0, 1]),
        ("a b", "a x b", [0, 2]),
        ("b c", "a b c a b c", [4, 5]),
        ("a c", "a a c", [0, 2]),
        ("a b", "a x x x b", [0, 4]),
        ("a b", "a x x x x b", []),
        ("b", "x x x x x x b x x x x x", [6]),
        ("", "a", []),
    ],
)
def test_of_several_ways_the_one_that_leaves_out_least_is_taken(
    names: str, spoken: str, places: list[int]
) -> None:
    assert which(names.split(), spoken.split()) == places


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("dashwood", "D AE SH W UH D"),
        ("kitching", "K IH CH IH NG"),
        ("BBC", "B IY B IY S IY"),
        ("Zürich", "Z UH R IH CH"),
        ("knight", "N AY T"),
        ("你好", ""),
        ("---", ""),
    ],
)
def test_letters_become_sounds(word: str, phones: str) -> None:
    assert " ".join(pronounce(word)) == phones


@given(st.text(max_size=60))
def test_whatever_is_written_has_sounds_of_english_or_none(word: str) -> None:
    assert set(pronounce(word)) <= PHONES


def test_marks_of_the_aligner_are_told_from_words() -> None:
    assert [bare_word(name) for name in ("can(2)", "can", "u.s.(12)")] == ["can", "can", "u.s."]
    assert all(map(is_filler, ("<sil>", "<s>", "</s>", "[NOISE]", "[SPEECH]", "++UH++", "(NULL)")))
    assert not any(map(is_filler, ("can(2)", "'twas", "a.m.")))


class Heard:
    """Rebuilds the text from the chunks, as a reader of the stream must."""

    cancelled = False

    def __init__(self) -> None:
        self.text = ""
        self.finals: list[bool] = []

    def __call__(self, text: str, *, final: bool = False, replaces: int = 0) -> None:
        self.text = self.text[: len(self.text) - replaces] + text
        self.finals.append(final)


def test_partial_text_adds_up_to_the_final_text() -> None:
    heard = Heard()
    partial = PartialText(heard)
    seen: list[str] = []
    for guess in (
        "an",
        "and so",
        "and so might",
        "and so my phone",
        "and so my phone where",
        "and so my fellow",
        "and",
    ):
        partial.heard(guess)
        seen.append(heard.text)
    assert seen == ["", "", "and so", "and so", "and so my phone", "and so my phone", "and so my phone"]
    partial.finish("and so my fellow americans")
    assert heard.text == "and so my fellow americans"
    assert heard.finals == [False, False, True]


def test_partial_text_withdraws_what_was_wrong() -> None:
    heard = Heard()
    partial = PartialText(heard)
    for guess in ("one two", "one two", "one too many", "one too many"):
        partial.heard(guess)
    assert heard.text == "one too many"
    partial.finish("")
    assert heard.text == ""
