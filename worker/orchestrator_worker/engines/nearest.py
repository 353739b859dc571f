"""Name the nearest known word to a mistyped one, for error messages.

Decides only the wording; who knows the words is the caller's business.
"""

from __future__ import annotations

from collections.abc import Iterable


def known_words(found: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'? known: x, y, z``, without the question when nothing is near."""
    from difflib import get_close_matches  # pulls in re and collections: only a mistake pays for it

    words = sorted(known)
    near = get_close_matches(found, words, n=1, cutoff=0.6)
    question = f"did you mean {near[0]!r}? " if near else ""
    return f"{question}known: {', '.join(words) or 'none'}"
