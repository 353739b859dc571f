"""What languages are called by models that know them by their English names, and which are written without blanks.

Both sides need it: an engine, to start its library for a language; the pool, to choose the worker that was.
"""

from __future__ import annotations

AUTO = "auto"
_LANGUAGES = {
    "ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "fa": "Persian", "fi": "Finnish", "fr": "French", "hi": "Hindi", "hu": "Hungarian",
    "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "mk": "Macedonian", "ms": "Malay",
    "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish",
    "th": "Thai", "tr": "Turkish", "vi": "Vietnamese", "yue": "Cantonese", "zh": "Chinese",
    "cmn": "Chinese", "mandarin": "Chinese", "fil": "Filipino", "tl": "Filipino",
}  # fmt: skip
"""Names by codes."""
KNOWN = frozenset(_LANGUAGES.values())
WITHOUT_BLANKS = frozenset({"Chinese", "Cantonese", "Japanese"})
"""Whose words have no blanks between them: each character is one."""
_KANA = (0x3040, 0x30FF)
_SCRIPTS = (_KANA, (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
_KANA_SHARE = 0.1
"""Japanese has kana; a Chinese text may quote a few."""


def language_name(language: str | None) -> str | None:
    """Return the name the models know: ``zh-TW`` is ``Chinese``, ``english`` is ``English``."""
    if language is None or not language.strip():
        return None
    said = language.strip()
    code = said.lower().replace("_", "-").partition("-")[0]
    if code in _LANGUAGES:
        return _LANGUAGES[code]
    known = {name.lower(): name for name in (*_LANGUAGES.values(), AUTO)}
    return known.get(said.lower(), said)


def is_unspaced(character: str) -> bool:
    """Whether a character belongs to a script that is written without blanks: kana, Chinese characters."""
    return any(low <= ord(character) <= high for low, high in _SCRIPTS)


def without_blanks(text: str) -> bool:
    """Whether ``text`` has more characters of such a script than words of others."""
    unspaced = words = 0
    inside = False
    for character in text:
        here = is_unspaced(character)
        unspaced += here
        words += character.isalnum() and not here and not inside
        inside = character.isalnum() and not here
    return unspaced > words


def language_of_script(text: str) -> str | None:
    """Return ``Japanese`` or ``Chinese`` for a text written without blanks, as its characters tell; else None."""
    if not without_blanks(text):
        return None
    kana = sum(_KANA[0] <= ord(character) <= _KANA[1] for character in text)
    return "Japanese" if kana > _KANA_SHARE * len(text) else "Chinese"
