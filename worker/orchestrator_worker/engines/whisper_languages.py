"""From what a user calls a language to the code Whisper knows it by.

Codes pass as they are, less their region (``zh-TW`` is ``zh``); whether a model speaks one is for the library
to say. Names are those of the languages people use most; others have to be given as codes.
"""

from __future__ import annotations

_CODES = {
    "arabic": "ar",
    "cantonese": "yue",
    "chinese": "zh",
    "czech": "cs",
    "danish": "da",
    "dutch": "nl",
    "english": "en",
    "filipino": "tl",
    "finnish": "fi",
    "french": "fr",
    "german": "de",
    "greek": "el",
    "hebrew": "he",
    "hindi": "hi",
    "hungarian": "hu",
    "indonesian": "id",
    "italian": "it",
    "japanese": "ja",
    "korean": "ko",
    "malay": "ms",
    "mandarin": "zh",
    "norwegian": "no",
    "persian": "fa",
    "polish": "pl",
    "portuguese": "pt",
    "romanian": "ro",
    "russian": "ru",
    "spanish": "es",
    "swedish": "sv",
    "thai": "th",
    "turkish": "tr",
    "ukrainian": "uk",
    "vietnamese": "vi",
}


def whisper_code(language: str | None) -> str | None:
    """Return the code for a name or a code, in any case of letters; None (detect it) for none and ``auto``."""
    name = (language or "").strip().lower().replace("_", "-")
    if name in {"", "auto"}:
        return None
    return _CODES.get(name) or name.partition("-")[0]
