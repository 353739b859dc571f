"""One audio or video file, ready for workers: decoded once, read piece by piece.

A short one goes to an engine whole. A long one is cut where nobody speaks, lazily, so that the first piece is
being worked on while the detector still reads the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.audio import prepare
from orchestrator.audio.cutting import pieces
from orchestrator.audio.speech_spans import SpeechSpan, speech_spans
from orchestrator.audio.voice_activity import FRAME_SAMPLES, RATE_HZ, speech_probabilities
from orchestrator.errors import EngineUnavailableError
from orchestrator.pool.jobs import AudioArray

if TYPE_CHECKING:
    from orchestrator.audio import PreparedAudio

LONGEST_PIECE_S = 30.0
"""Seconds of speech an engine gets at once: within what Moonshine, Whisper and Qwen3-ASR were trained on."""
SHORTEST_SILENCE_S = 0.3
SHORTEST_SPEECH_S = 0.1
MARGIN_S = 0.3
CHECK_FRAMES = 1024
"""Frames between two looks whether the work was cancelled: some tenths of a second of the detector's time."""


@dataclass(frozen=True, slots=True)
class AudioPiece:
    """A part of a recording. ``audio`` is what a job takes: the prepared file, or the samples of the part."""

    start_ms: int
    end_ms: int
    audio: str | AudioArray
    cut_in_speech: bool = False


class Recording:
    """A file that workers can read. Converts it (blocking) when it is not 16 kHz mono already.

    Args:
        path: Any audio or video that soundfile or ffmpeg reads.
        cache_dir: Where the converted copy is kept.
        check: Called now and then while it is converted; what it raises ends that.
        longest_s: Seconds that it may have.

    Raises:
        AudioTooLongError: It has more.
        AudioError: It cannot be used; says why.
    """

    def __init__(
        self,
        path: str | Path,
        cache_dir: Path,
        check: Callable[[], None] = lambda: None,
        longest_s: float | None = None,
    ) -> None:
        self.source = str(path)
        self._prepared: PreparedAudio = prepare(path, cache_dir, check=check, longest_s=longest_s)
        self.cut_so_far: list[tuple[int, int]] = []
        """Start and end in milliseconds of the pieces that the last :meth:`cut` has given so far."""
        self._speech: tuple[tuple[int, int], ...] | None = None

    @property
    def duration_ms(self) -> int:
        """Its length."""
        return round(self._prepared.seconds * 1000)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences for people: what is odd about the file, and what was done about it."""
        return self._prepared.remarks

    @property
    def sha256(self) -> str:
        """Of the file as it was given."""
        return self._prepared.sha256

    def whole(self) -> AudioPiece:
        """Return the recording as one piece."""
        return AudioPiece(0, self.duration_ms, self._prepared.audio.path)

    def cut(
        self, longest_s: float = LONGEST_PIECE_S, check: Callable[[], None] | None = None
    ) -> Iterator[AudioPiece]:
        """Yield pieces of about ``longest_s`` at most, cut where nobody speaks; one when it is short enough.

        Silence is left out, so a long recording in which nobody speaks has no pieces. ``check`` is called now and then
        while the detector reads; what it raises ends the cutting.

        Raises:
            EngineUnavailableError: The detector is not installed (for long recordings only).
        """
        self.cut_so_far = []
        if self._prepared.seconds <= longest_s:
            self.cut_so_far.append((0, self.duration_ms))
            yield self.whole()
            return
        samples = self._prepared.audio.samples
        spans = self._spans(check)
        total = -(-samples // FRAME_SAMPLES)
        for piece in pieces(spans, total, longest=_frames(longest_s), margin=_frames(MARGIN_S)):
            first, last = piece.start * FRAME_SAMPLES, min(piece.end * FRAME_SAMPLES, samples)
            self.cut_so_far.append((_ms(first), _ms(last)))
            yield AudioPiece(_ms(first), _ms(last), self._read(first, last), piece.cut_in_speech)

    def speech(self, check: Callable[[], None] | None = None) -> Sequence[tuple[int, int]]:
        """Return where somebody speaks, as pairs of start and end in milliseconds; nothing without the detector.

        Reads the recording once, unless :meth:`cut` has. ``check`` as there.
        """
        if self._speech is None:
            try:
                for _ in self._spans(check):
                    pass
            except EngineUnavailableError:
                return ()
        return self._speech or ()

    def _spans(self, check: Callable[[], None] | None) -> Iterator[SpeechSpan]:
        """Yield the spans of speech, and keep them once all are known."""
        spans = speech_spans(
            _checked(speech_probabilities(self._prepared.sound()), check),
            shortest_silence=_frames(SHORTEST_SILENCE_S),
            shortest_speech=_frames(SHORTEST_SPEECH_S),
        )
        found: list[tuple[int, int]] = []
        for span in spans:
            start, end = span.start * FRAME_SAMPLES, span.end * FRAME_SAMPLES
            found.append((_ms(start), min(_ms(end), self.duration_ms)))
            yield span
        self._speech = tuple(found)

    def part(self, start_ms: int, end_ms: int) -> AudioPiece:
        """Return the part between two times; the prepared file itself when that is all of it."""
        if start_ms <= 0 and end_ms >= self.duration_ms:
            return self.whole()
        per_ms = RATE_HZ // 1000
        return AudioPiece(start_ms, end_ms, self._read(max(0, start_ms) * per_ms, end_ms * per_ms))

    def _read(self, first: int, last: int) -> AudioArray:
        raw = self._prepared.sound().read(first, last)
        return AudioArray(np.frombuffer(raw, dtype="<i2").astype(np.int16, copy=False), RATE_HZ)


def _checked(probabilities: Iterator[float], check: Callable[[], None] | None) -> Iterator[float]:
    for frame, probability in enumerate(probabilities):
        if check is not None and frame % CHECK_FRAMES == 0:
            check()
        yield probability


def _frames(seconds: float) -> int:
    return max(1, round(seconds * RATE_HZ / FRAME_SAMPLES))


def _ms(samples: int) -> int:
    return round(samples * 1000 / RATE_HZ)
