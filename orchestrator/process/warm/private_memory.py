"""What a warm worker holds besides the pages that it shares with its template.

Its RSS counts every page of the model, which is there once for all. The kernel tells the private pages in
``smaps_rollup``, at a cost that grows with the memory that is mapped; its ``statm`` costs microseconds and does not
tell them. So they are read at a slow pace, and in between what RSS has grown by is taken for private: memory that is
new is seen at once, a shared page that is written to (which leaves RSS as it is) at the next look. Workers of one
template begin alike, so what a sibling was found to share after its load holds for the next until its own first look:
where each does one job the looks would cost more than the forks.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestrator.process.memory import read_private
from orchestrator.process.sampling.descendants import SHARE_OF_TIME, Descendants
from orchestrator.process.sampling.resident import ResidentReader

if TYPE_CHECKING:
    from orchestrator.process.warm.template import TemplateProcess

LOOK_S = 0.2
"""How often private pages are asked for, or more seldom where that takes long: every tenth reading of a pool."""


class PrivateMemory:
    """Reads one forked process, and with it its descendants. Not thread-safe."""

    def __init__(self, pid: int, template: TemplateProcess | None = None) -> None:
        """Begin to read. ``template`` is what the process was forked from, which keeps what was found of a sibling.

        Raises:
            ProcessGoneError: There is no such process.
            OSError: There is no descriptor left.
        """
        self._pid = pid
        self._own = ResidentReader(pid)
        self._others = Descendants(pid)
        self._template = template
        self._shared_bytes = 0 if template is None else template.shared_bytes
        self._look_at = time.monotonic() + LOOK_S if self._shared_bytes else 0.0

    def read(self, *, anew: bool = False) -> int:
        """Return the bytes now; ``anew``: ask for private pages although it is not yet time.

        Raises:
            ProcessGoneError: The process is gone.
        """
        own, now = self._own.read()[0], time.monotonic()
        if anew or now >= self._look_at:
            private = read_private(self._pid)
            self._others.look()
            self._look_at = now + max(LOOK_S, SHARE_OF_TIME * (time.monotonic() - now))
            if private is not None:
                self._shared_bytes = max(0, own - private)
                if self._template is not None and not self._template.shared_bytes:
                    self._template.shared_bytes = self._shared_bytes
        return max(0, own - self._shared_bytes) + self._others.read_rss()

    def close(self) -> None:
        """Close every reader; again is harmless."""
        self._own.close()
        self._others.close()
