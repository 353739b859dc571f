"""How far the recordings are that this process works on, for whoever wants to look: ``top``, a display.

A recording goes through the audio once for each step that works on audio: its share is that of the audio times the
steps. Every pipeline of the process notes its recordings here while it works on them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager


class RecordingProgress:
    """How far one recording is. Written by the thread that works on it, read by any.

    Args:
        source: Its name as given.
        duration_ms: Its length.
        clock: Seconds that only grow.
    """

    def __init__(self, source: str, duration_ms: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.source = source
        self.duration_ms = duration_ms
        self._clock = clock
        self._began_s = clock()
        self._began_share = 0.0
        self._passes = 1
        self._passes_done = 0
        self._reached_ms = 0

    def begin(self, passes: int) -> None:
        """The work begins; the audio is gone through so many times."""
        self._passes = max(1, passes)
        self._began_s = self._clock()

    def restart(self) -> None:
        """Reckon the time left from here on: what is done so far had been done before."""
        self._began_s, self._began_share = self._clock(), self.share

    def reached(self, end_ms: int) -> None:
        """The present step has done everything before this time."""
        self._reached_ms = max(self._reached_ms, end_ms)

    def end_of_pass(self) -> None:
        """A step that works on audio has done all of it."""
        self._passes_done += 1
        self._reached_ms = 0

    @property
    def share(self) -> float:
        """How much of the work is done, from 0 to 1."""
        of_pass = min(1.0, self._reached_ms / self.duration_ms) if self.duration_ms else 0.0
        return min(1.0, (self._passes_done + of_pass) / self._passes)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the work began."""
        return self._clock() - self._began_s

    @property
    def left_s(self) -> float | None:
        """Seconds the rest takes if it goes on as it went; None before anything is done."""
        share = self.share
        done = share - self._began_share
        return self.elapsed_s * (1 - share) / done if done > 0 else None


class AudioDone:
    """Everything this process works on and has worked on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: dict[int, RecordingProgress] = {}
        self._finished_ms = 0
        self._began_s: float | None = None

    @contextmanager
    def working_on(self, progress: RecordingProgress, passes: int) -> Generator[None]:
        """Note a recording while it is worked on; its audio counts as done when no error leaves the block."""
        with self._lock:
            self._began_s = self._clock() if self._began_s is None else self._began_s
            self._under_way[id(progress)] = progress
        progress.begin(passes)
        done = False
        try:
            yield
            done = True
        finally:
            with self._lock:
                del self._under_way[id(progress)]
                self._finished_ms += progress.duration_ms if done else 0

    def under_way(self) -> list[RecordingProgress]:
        """Return the recordings that are worked on, those begun first first."""
        with self._lock:
            return list(self._under_way.values())

    @property
    def done_s(self) -> float:
        """Seconds of audio that are done: finished recordings, and of those under way what is done of them."""
        with self._lock:
            under_way_ms = sum(each.share * each.duration_ms for each in self._under_way.values())
            return (self._finished_ms + under_way_ms) / 1000

    @property
    def rate(self) -> float | None:
        """Seconds of audio done in a second, since the first recording began; None before anything is done."""
        with self._lock:
            began_s, done_ms = self._began_s, float(self._finished_ms)
            done_ms += sum(each.share * each.duration_ms for each in self._under_way.values())
        if began_s is None or not done_ms:
            return None
        return done_ms / 1000 / max(1e-9, self._clock() - began_s)


AUDIO_DONE = AudioDone()
"""Of this process."""
