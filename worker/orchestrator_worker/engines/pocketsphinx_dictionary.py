"""How many phones the words of PocketSphinx's dictionary have, each word asked for once in the life of a process.

``Decoder.lookup_word`` leaks: the C library hands out a string that the caller must free, and the Python binding copies
it and does not (PocketSphinx 5). No other call says what a word's phones are, so the answers are kept, by the file of
the dictionary: a decoder that is made anew from the same file is not asked again.
"""

from __future__ import annotations

from typing import Any

MOST_KEPT = 200_000
"""Words of one dictionary, those that it lacks too; the package's own has 134,000. Then all is forgotten."""

_phones: dict[str, dict[str, int]] = {}


def phones_in(decoder: Any, word: str) -> int:
    """Return how many phones the decoder's dictionary has for a word; 0 where it lacks it.

    Words that were added to a decoder after it was made are not for this: other decoders lack them.
    """
    known = _phones.setdefault(str(decoder.config["dict"]), {})
    count = known.get(word)
    if count is None:
        if len(known) >= MOST_KEPT:
            known.clear()
        said = decoder.lookup_word(word)
        count = known[word] = len(said.split()) if said is not None else 0
    return count
