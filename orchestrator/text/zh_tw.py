"""Chinese as it is written in Taiwan, from simplified Chinese: at once, or while the text still comes.

The dictionaries and the conversion are OpenCC's (``s2twp``: characters, phrases and Taiwan's own words). What
is decided here is how much of a text that is not complete may be shown (:class:`ZhTwStream`); which characters a
later one can still change is :mod:`.phrase_matching`'s business. Nothing is imported or read before the first use:
the dictionaries take about 0.1 s and are shared by all threads.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Protocol, cast

from orchestrator.text.phrase_matching import Phrases, PhraseStage

CONFIG = "s2twp"
_STAGES = (("STCharacters.txt", "STPhrases.txt"), ("TWPhrases.txt",), ("TWVariants.txt",))


class _OpenCC(Protocol):
    """The part of ``opencc.OpenCC`` that we use."""

    dict_cache: dict[str, tuple[int, int, dict[str, str]]]
    split_chars_re: re.Pattern[str]

    def convert(self, string: str) -> str: ...


_lock = threading.Lock()
_loaded: tuple[_OpenCC, tuple[Phrases, ...]] | None = None


def to_zh_tw(text: str) -> str:
    """Return ``text`` in the characters and words of Taiwan; what is not Chinese stays as it is.

    Safe from any thread. Text that already is traditional passes, apart from Taiwan's own words and variants.
    """
    return _load()[0].convert(text) if text else ""


class ZhTwStream:
    """Converts text that comes in pieces. Joined, what it gives is ``to_zh_tw`` of the pieces joined.

    A piece of the text is given as soon as nothing that may follow can change it: at once at a blank or a
    punctuation mark, else a few characters late, because 乾 or 幹 for 干 is decided by what comes next.
    For one thread at a time.
    """

    def __init__(self) -> None:
        self._opencc, phrases = _load()
        self._stages = [PhraseStage(each) for each in phrases]
        self._text = ""

    def feed(self, piece: str) -> str:
        """Take the next piece of the source; return what is now certain and was not given before."""
        given = self._run(piece)
        self._text += given
        return given

    def flush(self) -> str:
        """Say that the text ends here; return the rest of it. A new text may follow."""
        given = self._finish()
        self._text += given
        return given

    @property
    def text(self) -> str:
        """All that was given so far."""
        return self._text

    def _run(self, piece: str) -> str:
        given: list[str] = []
        for index, part in enumerate(self._opencc.split_chars_re.split(piece)):
            if index % 2 == 0:
                given.append(self._through(part))
            else:  # a separator: no phrase goes across it
                given += [self._finish(), part]
        return "".join(given)

    def _through(self, part: str) -> str:
        for stage in self._stages:
            part = stage.feed(part)
        return part

    def _finish(self) -> str:
        part = ""
        for stage in self._stages:
            part = stage.feed(part) + stage.flush()
        return part


def _load() -> tuple[_OpenCC, tuple[Phrases, ...]]:
    global _loaded  # noqa: PLW0603 - one set of dictionaries for the process
    with _lock:
        if _loaded is None:
            import opencc  # noqa: PLC0415 - 50,000 phrases, only when there is Chinese

            converter = cast("_OpenCC", opencc.OpenCC(CONFIG))
            dictionaries = {Path(path).name: each[2] for path, each in converter.dict_cache.items()}
            _loaded = converter, tuple(_phrases(dictionaries, names) for names in _STAGES)
        return _loaded


def _phrases(dictionaries: dict[str, dict[str, str]], names: tuple[str, ...]) -> Phrases:
    """Join dictionaries; of an entry's several values, separated by blanks, the first one counts."""
    entries = {key: value for name in names for key, value in dictionaries[name].items()}
    return Phrases({key: value.split(" ")[0] for key, value in entries.items()})


__all__ = ["ZhTwStream", "to_zh_tw"]
