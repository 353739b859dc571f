"""Ids of commands that nobody can guess.

A worker learns the id of a job when it reads the job. So it cannot answer one that it has not been given: a reply with
another id than the one that is awaited is not taken for an answer, whenever it was sent.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

from orchestrator_worker.framing import HEADER_SIZE
from orchestrator_worker.protocol import Job, Run

UNASSIGNED: Final = 1 << 62
"""The id in the frame of a job that no worker has yet: as many bytes as any ticket."""
_TICKET_SIZE = 8
_DRAWN_AT_A_TIME = 512
_START = HEADER_SIZE + msgspec.msgpack.encode(Run(UNASSIGNED, Job(""))).index(
    UNASSIGNED.to_bytes(_TICKET_SIZE, "big")
)
"""Where the id stands in the frame of a Run: it is the first field, behind the name of the message."""
_END = _START + _TICKET_SIZE


class Tickets:
    """Draws random numbers of 62 bits, in the form that msgpack has nine bytes for.

    Not a generator: Ctrl-C within one would end it, and the pool with it. Here it costs a few numbers at most.
    """

    def __init__(self) -> None:
        self._drawn: list[int] = []

    def draw(self) -> int:
        """Return the next one."""
        while not self._drawn:
            drawn = os.urandom(_DRAWN_AT_A_TIME * _TICKET_SIZE)
            self._drawn = [
                int.from_bytes(drawn[start : start + _TICKET_SIZE], "big") >> 2 | UNASSIGNED
                for start in range(0, len(drawn), _TICKET_SIZE)
            ]
        return self._drawn.pop()


def with_ticket(frame: bytes, ticket: int) -> bytes:
    """Return the frame of a Run with its id replaced."""
    return frame[:_START] + ticket.to_bytes(_TICKET_SIZE, "big") + frame[_END:]
