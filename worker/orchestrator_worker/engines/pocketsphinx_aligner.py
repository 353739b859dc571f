"""Forced alignment with PocketSphinx: when each word of a text is said, and what is done when that is not found.

::

    text ──prepare──> words of the dictionary, and words pronounced by rule (added to the decoder's dictionary)
                │
         narrow beams ──found, and it fits──> words
                │ no
         wide beams, mean over the whole ──found, and it fits──> words marked "widened"
                │ no
         the same, and words may be left out ──some found, and they fit──> "widened", the rest "interpolated"
                │ no
         EngineError: says which

What the decoder calls found may be anything: with wide beams it lays every text over every audio. How well words
and sound fit is the decoder's own acoustic probability of the spoken frames, which it gives relative to the best
state of each frame.

``Decoder.current_search()`` is never called: on a decoder without a language model it ends the process.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from orchestrator_worker.engines.alignment_text import (
    END_PRICE,
    MOST_LEFT_OUT,
    UNKNOWN,
    WORD_PRICE,
    AlignmentText,
    Timed,
    Unknown,
    is_filler,
    placed,
    prepare,
)
from orchestrator_worker.engines.base import Emit, EngineError, JobCancelledError
from orchestrator_worker.engines.letter_sounds import pronounce
from orchestrator_worker.engines.pocketsphinx_dictionary import phones_in
from orchestrator_worker.protocol import Job
from orchestrator_worker.results import Alignment, Phone, Word

BLOCK_BYTES = 8_000
"""A quarter of a second of 16 kHz 16-bit audio."""
FRAME_MS = 10
WIDE = {"beam": 1e-80, "pbeam": 1e-80, "wbeam": 1e-60}
"""Found by trying: 364 s with 890 words, lost before, are found with these, at 1.6 to 3 times the time."""
WORST_FIT = -1.2
"""Mean log10 of the acoustic probability of a spoken frame, from which on a text is not the one that is said.

Texts laid over their own audio reach -0.4 to -0.9, at other speeds and with noise, too; over other audio, or
backwards, -1.4 to -2.2.
"""
WORST_LOOSE_FIT = -1.45
"""The same where words may be left out: what is heard in part only fits less, and other texts reach -1.65 to -2.5."""
LEFT_OUT = 10.0**-WORD_PRICE
"""The probability of a word that is written and not said: it takes about so much of misfit to leave one out."""
ENDS_LEFT_OUT = 10.0**-END_PRICE
"""The same, of everything before the first word that is said, and of everything after the last."""
FEWEST_FRAMES = 3
"""A phone has three states, and each takes a frame at least."""
MOST_ADDED = 5_000
"""Words by rule in a decoder's dictionary: then it is made anew, so that it does not grow for ever."""
LONGEST_WORD = 40
"""Letters. What is longer is no word but an address or a mistake, and seconds of audio in the search."""


_LOOSE = "_loose"


class Attempt(NamedTuple):
    """What one search found; ``fit`` is the mean log10 of the probability of a spoken frame."""

    words: list[Word]
    fit: float


class PocketsphinxAligner:
    """Aligns on a decoder, and teaches it the words it lacks.

    Args:
        make: Makes a decoder without a language model.
        decoder: The one to begin with.
        borrowed: It has a language model and transcribes, too. Words by rule would become words of that model, and
            what is heard would depend on what was aligned before: the first of them has a decoder made.
    """

    def __init__(self, make: Callable[[], Any], decoder: Any, *, borrowed: bool) -> None:
        self._make = make
        self._decoder = decoder
        self._borrowed = borrowed
        self._by_rule: dict[str, int] = {}

    def align(self, job: Job, pcm: bytes, emit: Emit) -> Alignment:
        """Return the words of the job's text with their times; ``skipped`` are those without.

        Raises:
            EngineError: Nothing of the text can be said, or none of it was found in the audio.
        """
        if len(self._by_rule) > MOST_ADDED:
            self._decoder, self._by_rule = self._make(), {}
        prepared = prepare(job.text or "", self._known, self._learn, unknown=_unknown(job))
        self._refuse_crammed(prepared, pcm)
        words, widened = self._words(prepared, pcm, emit)
        if widened or not job.options.get("phones", False):
            return Alignment(words=words, skipped=prepared.skipped)
        words, phones = self._phones(prepared, pcm, emit)
        return Alignment(words=words, phones=phones, skipped=prepared.skipped)

    def _words(self, prepared: AlignmentText, pcm: bytes, emit: Emit) -> tuple[list[Word], bool]:
        """Return the words, and whether more than the usual search was needed."""
        best = Attempt([], -math.inf)
        for beams, leaving_out in ((None, False), (WIDE, False), (WIDE, True)):
            attempt = self._attempt(prepared, pcm, emit, beams=beams, leaving_out=leaving_out)
            if attempt.words and attempt.fit > (WORST_LOOSE_FIT if leaving_out else WORST_FIT):
                return _marked(attempt.words, prepared, "widened" if beams else None), beams is not None
            best = max(best, attempt, key=lambda one: one.fit)
        if not best.words:
            raise EngineError(
                f"the aligner placed 0 of {len(prepared.tokens)} words; "
                "is this the text of this audio, and all of it?"
            )
        raise EngineError(
            "the text does not fit the audio: its sounds are not these words "
            f"(10^{best.fit:.2f} a frame, at least 10^{WORST_FIT:.2f} is asked for)"
        )

    def _attempt(
        self,
        prepared: AlignmentText,
        pcm: bytes,
        emit: Emit,
        *,
        beams: Mapping[str, float] | None,
        leaving_out: bool,
    ) -> Attempt:
        """Listen once. An end that the search did not reach counts as not found, unless words may be left out."""
        config = self._decoder.config
        usual = {name: config[name] for name in beams or ()}
        try:
            for name, beam in (beams or {}).items():
                config[name] = beam
            self._search_for(prepared.spoken, leaving_out=leaving_out)  # it reads its beams when it is made
        finally:
            for name, beam in usual.items():
                config[name] = beam
        listen(self._decoder, pcm, emit, at_once=beams is not None)
        heard = segments(self._decoder, milliseconds(pcm))
        words, owners = placed(prepared, heard, milliseconds(pcm))
        if not leaving_out and len(owners) < len(prepared.spoken):
            return Attempt([], -math.inf)
        return Attempt(words, _fit(heard))

    def _search_for(self, spoken: Sequence[str], *, leaving_out: bool) -> None:
        """Set up the search: these words one after the other, silence between them, and some left out perhaps."""
        if not leaving_out:
            self._decoder.set_align_text(" ".join(spoken))
            return
        last = len(spoken)
        arcs: list[tuple[Any, ...]] = [
            (at, at + left_out + 1, LEFT_OUT**left_out, spoken[at + left_out])
            for at in range(last)
            for left_out in range(min(MOST_LEFT_OUT + 1, last - at))
        ]
        for at in range(1, last):
            arcs += [(0, at, ENDS_LEFT_OUT), (at, last, ENDS_LEFT_OUT)]
        self._decoder.add_fsg(_LOOSE, self._decoder.create_fsg(_LOOSE, 0, last, arcs))
        self._decoder.activate_search(_LOOSE)

    def _phones(self, prepared: AlignmentText, pcm: bytes, emit: Emit) -> tuple[list[Word], list[Phone]]:
        """Listen again, for the phones inside the words that the pass before has found."""
        self._decoder.set_alignment()
        listen(self._decoder, pcm, emit)
        entries, children = sub_words(self._decoder, milliseconds(pcm))
        words, owners = placed(prepared, entries, milliseconds(pcm))
        phones = [
            Phone(phone.name, phone.start_ms, phone.end_ms, owner)
            for owner, inner in zip(owners, children, strict=True)
            for phone in inner
        ]
        return _marked(words, prepared, None), phones

    def _known(self, word: str) -> bool:
        return word not in self._by_rule and phones_in(self._decoder, word) > 0

    def _learn(self, word: str) -> bool:
        """Add a word to the dictionary as it is probably said; False when there is no saying it."""
        if word in self._by_rule:
            return True
        phones = pronounce(word)
        if not phones or len(word) > LONGEST_WORD:  # the library dies of a word without phones
            return False
        if self._borrowed:
            self._decoder, self._borrowed = self._make(), False
        try:
            self._decoder.add_word(word, " ".join(phones), False)
        except RuntimeError:  # a model of the user's whose phones are others
            return False
        self._by_rule[word] = len(phones)
        return True

    def _refuse_crammed(self, prepared: AlignmentText, pcm: bytes) -> None:
        """Refuse a text that nobody can say in this time, before all of it is searched for."""
        phones = sum(self._by_rule.get(word) or phones_in(self._decoder, word) for word in prepared.spoken)
        if phones * FEWEST_FRAMES * FRAME_MS > milliseconds(pcm):
            raise EngineError(
                f"the aligner placed 0 of {len(prepared.tokens)} words: "
                f"nobody says so many in {milliseconds(pcm) / 1000:.1f} s"
            )


def listen(decoder: Any, pcm: bytes, emit: Emit, *, at_once: bool = False) -> None:
    """Feed one utterance. ``at_once``: the mean of all of it is known from its first frame on."""
    for _ in blocks(decoder, pcm, emit, len(pcm) if at_once else BLOCK_BYTES):
        pass


def blocks(decoder: Any, pcm: bytes, emit: Emit, size: int = BLOCK_BYTES) -> Iterator[None]:
    """Feed one utterance; yields after each block, and ends the utterance whatever happens."""
    decoder.reinit_feat()
    decoder.start_utt()
    try:
        for start in range(0, len(pcm), size):
            if emit.cancelled:
                raise JobCancelledError("pocketsphinx: the job was cancelled")
            decoder.process_raw(pcm[start : start + size], full_utt=size == len(pcm))
            yield
    finally:
        decoder.end_utt()


def segments(decoder: Any, length_ms: int) -> list[Timed]:
    """Return what the last utterance was found to be made of; nothing when it was not found at all."""
    if decoder.hyp() is None:  # the library's seg() is then no iterator but None inside
        return []
    return [
        Timed(
            str(entry.word),
            min(entry.start_frame * FRAME_MS, length_ms),
            min((entry.end_frame + 1) * FRAME_MS, length_ms),
            float(entry.ascore),
        )
        for entry in decoder.seg()
    ]


def sub_words(decoder: Any, length_ms: int) -> tuple[list[Timed], list[list[Timed]]]:
    """Return the spoken words of the last utterance and, beside each, its phones.

    All is read while the library's iterator stands on the entry: an entry kept for later points into
    memory that is gone by then, and looking inside it ends the process.
    """
    words: list[Timed] = []
    phones: list[list[Timed]] = []
    for entry in decoder.get_alignment() or ():
        if not is_filler(str(entry.name)):
            words.append(_timed(entry, length_ms))
            phones.append([_timed(child, length_ms) for child in entry])
    return words, phones


def milliseconds(pcm: bytes) -> int:
    """Return how long 16 kHz 16-bit audio lasts."""
    return len(pcm) // 2 * 1000 // 16_000


def _timed(entry: Any, length_ms: int) -> Timed:
    """Read a word or a phone of the library's sub-word alignment."""
    end = (entry.start + entry.duration) * FRAME_MS
    return Timed(str(entry.name), min(entry.start * FRAME_MS, length_ms), min(end, length_ms))


def _fit(heard: list[Timed]) -> float:
    """Return the mean log10 of the probability of a spoken frame; minus infinity when nothing is spoken."""
    spoken = [entry for entry in heard if not is_filler(entry.name)]
    frames = sum(entry.end_ms - entry.start_ms for entry in spoken) / FRAME_MS
    if not frames:
        return -math.inf
    # What is too small for a float came as 0.
    return sum(math.log10(max(entry.probability, sys.float_info.min)) for entry in spoken) / frames


def _marked(words: list[Word], prepared: AlignmentText, timing: Literal["widened"] | None) -> list[Word]:
    """Say of each word that was found how far to trust its times."""
    return [
        word
        if word.timing is not None
        else Word(word.text, word.start_ms, word.end_ms, timing or ("by-rule" if token.by_rule else None))
        for word, token in zip(words, prepared.tokens, strict=True)
    ]


def _unknown(job: Job) -> Unknown:
    """Return what the job says about words the dictionary lacks."""
    unknown = job.options.get("unknown", "pronounce")
    for allowed in UNKNOWN:
        if unknown == allowed:
            return allowed
    raise EngineError(f"align: option unknown is {unknown!r}; allowed: {', '.join(map(repr, UNKNOWN))}")
