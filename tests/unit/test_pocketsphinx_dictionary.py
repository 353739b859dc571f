"""Each word is asked for once: the library's binding leaks the answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator_worker.engines import pocketsphinx_dictionary
from orchestrator_worker.engines.pocketsphinx_dictionary import phones_in


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    pocketsphinx_dictionary._phones.clear()
    yield
    pocketsphinx_dictionary._phones.clear()


class Decoder:
    def __init__(self, words: dict[str, str], file: str = "/models/en.dict") -> None:
        self.config = {"dict": file}
        self._words = words
        self.asked: list[str] = []

    def lookup_word(self, word: str) -> str | None:
        self.asked.append(word)
        return self._words.get(word)


def test_a_word_is_asked_for_once_and_one_that_is_missing_too() -> None:
    decoder = Decoder({"seven": "S EH V AH N"})
    assert [phones_in(decoder, word) for word in ("seven", "xyzzy", "seven", "xyzzy")] == [5, 0, 5, 0]
    assert decoder.asked == ["seven", "xyzzy"]


def test_a_decoder_made_anew_from_the_same_file_is_not_asked_again() -> None:
    first, second = Decoder({"two": "T UW"}), Decoder({"two": "T UW"})
    assert (phones_in(first, "two"), phones_in(second, "two")) == (2, 2)
    assert second.asked == []


def test_another_dictionary_has_other_words() -> None:
    assert phones_in(Decoder({"two": "T UW"}), "two") == 2
    assert phones_in(Decoder({"two": "T O O"}, "/models/other.dict"), "two") == 3


def test_no_dictionary_grows_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pocketsphinx_dictionary, "MOST_KEPT", 3)
    decoder = Decoder({})
    for word in "abcdefgh":
        phones_in(decoder, word)
    assert sum(len(words) for words in pocketsphinx_dictionary._phones.values()) <= 3
