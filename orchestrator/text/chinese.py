"""What is done with a transcript in Chinese: shown as Taiwan writes it, then with its numbers in digits.

Decides which text is Chinese, and in which order it is worked on: first the script, while the text comes, then
the numbers, once it is complete. An engine's own text is never changed; what is made of it stands beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from orchestrator.text.itn import inverse_normalize
from orchestrator.text.zh_tw import ZhTwStream, to_zh_tw

ChineseText = Literal["zh-TW", "itn", "off"]
"""What becomes of Chinese: Taiwan's characters and words and then digits; digits only; nothing."""

_CHINESE = {
    "zh",
    "zho",
    "chi",
    "cmn",
    "chinese",
    "mandarin",
    "mandarin chinese",
    "中文",
    "汉语",
    "漢語",
    "國語",
    "普通话",
}
_UNNAMED = {"", "auto"}
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA_OR_HANGUL = re.compile("[\u3040-\u30ff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class WrittenChinese:
    """One transcript: ``zh_tw`` is what was shown while it came (None: not wanted), ``itn`` its final form."""

    zh_tw: str | None
    itn: str


def is_chinese(language: str | None, text: str) -> bool:
    """Say whether ``text`` is Chinese: by its language's name, or by its characters where nobody named one.

    zh, zh-TW, zh_CN, cmn, Chinese and Mandarin are; Cantonese (yue) is not, it has words of its own.
    """
    name = (language or "").strip().lower().replace("_", "-")
    if name in _UNNAMED:
        return bool(_HAN.search(text)) and not _KANA_OR_HANGUL.search(text)
    return name in _CHINESE or name.startswith("zh-")


def write_chinese(
    text: str, language: str | None, conversion: ChineseText = "zh-TW"
) -> WrittenChinese | None:
    """Return what is made of a complete transcript; None when it is not Chinese, or nothing is wanted."""
    if conversion == "off" or not is_chinese(language, text):
        return None
    zh_tw = to_zh_tw(text) if conversion == "zh-TW" else None
    return WrittenChinese(zh_tw, inverse_normalize(text if zh_tw is None else zh_tw))


class GrowingText:
    """The text of a running job as it is to be shown, piece by piece.

    Chinese is given in zh-TW as soon as it is certain (:class:`~.zh_tw.ZhTwStream`); everything else at once. An
    engine that takes text back makes it start anew with what it kept.
    """

    def __init__(self, language: str | None = None, conversion: ChineseText = "off") -> None:
        self._language = language
        self._conversion = conversion
        self._source = ""
        self._stream: ZhTwStream | None = None

    @property
    def source(self) -> str:
        """The text as the engine gave it."""
        return self._source

    def add(self, piece: str, replaces: int = 0) -> str:
        """Withdraw the last ``replaces`` characters of the source, add ``piece``; return all there is to show."""
        if replaces:
            self._source = self._source[: max(0, len(self._source) - replaces)]
            self._stream = None
        self._source += piece
        if self._conversion != "zh-TW" or not is_chinese(self._language, self._source):
            return self._source
        if self._stream is None:
            self._stream = ZhTwStream()
            piece = self._source
        self._stream.feed(piece)
        return self._stream.text


__all__ = ["ChineseText", "GrowingText", "WrittenChinese", "is_chinese", "write_chinese"]
