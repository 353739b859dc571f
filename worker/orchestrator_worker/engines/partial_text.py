"""Turn a recogniser's changing guesses into chunks that are mostly right the first time.

A streaming recogniser's newest words are guesses that the next block of audio often overturns. A word is
handed over once it stands in two guesses in a row; when it is overturned all the same, or by the final text,
the chunk says how many characters it ``replaces``. So the time of the first chunk is that of text meant to
stay, and the chunks always add up to the text they end with.
"""

from __future__ import annotations

from orchestrator_worker.engines.base import Emit


class PartialText:
    """What of one utterance has been handed to ``emit``."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._last: list[str] = []
        self._sent = ""

    def heard(self, guess: str) -> None:
        """Take the text so far; emits what two guesses agree on and has not been said."""
        words = guess.split()
        agreed: list[str] = []
        for before, now in zip(self._last, words, strict=False):
            if before != now:
                break
            agreed.append(now)
        self._last = words
        text = " ".join(agreed)
        if not self._sent.startswith(text):  # a shorter agreement withdraws nothing: the rest may come back
            self._send(text, final=False)

    def finish(self, text: str) -> None:
        """Take the final text; emits the last chunk, without text when nothing is new."""
        self._send(text, final=True)

    def _send(self, text: str, *, final: bool) -> None:
        kept = _shared(self._sent, text)
        self._emit(text[kept:], final=final, replaces=len(self._sent) - kept)
        self._sent = text


def _shared(left: str, right: str) -> int:
    """Return how many characters both begin with."""
    shared = 0
    for mine, theirs in zip(left, right, strict=False):
        if mine != theirs:
            break
        shared += 1
    return shared
