"""What workers print, line by line in the log ``orchestrator.worker`` at level DEBUG.

Native libraries print in pieces of any size. A line is logged when it is whole; one that never ends is cut.
"""

from __future__ import annotations

import logging

log = logging.getLogger("orchestrator.worker")
LONGEST_LINE = 4096


class OutputLog:
    """The log of one worker. ``whom`` opens each line."""

    __slots__ = ("_rest", "_whom")

    def __init__(self, whom: str) -> None:
        self._whom = whom
        self._rest = b""

    def add(self, piece: bytes) -> None:
        """Take what was printed next."""
        *lines, rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._log(line)
        if len(rest) > LONGEST_LINE:
            self._log(rest)
            rest = b""
        self._rest = rest

    def close(self) -> None:
        """Log what is left without an end of line."""
        if self._rest:
            self._log(self._rest)
            self._rest = b""

    def _log(self, line: bytes) -> None:
        log.debug("%s: %s", self._whom, line[:LONGEST_LINE].decode(errors="replace").rstrip("\r"))
