"""Faults that the pool's crash table commits in workers: in a call, in the middle of a reply, while leaving."""

import os
import sys
from typing import Any

from orchestrator_worker.engines.synthetic.faults import KINDS, read_fault
from orchestrator_worker.loop import protocol_out_fd

HALF_A_FRAME = (40).to_bytes(4, "little") + bytes(10)


def commit(fault: dict[str, Any]) -> None:
    read = read_fault(fault, "test")
    KINDS[read.how](read)


def reply_by_half(fault: dict[str, Any]) -> None:
    """Begin a reply of 40 bytes, send ten of them, then commit the fault."""
    os.write(protocol_out_fd(), HALF_A_FRAME)
    commit(fault)


class _LastFlush:
    """A standard output whose last flush, when the worker leaves, is the fault."""

    def __init__(self, fault: dict[str, Any]) -> None:
        self._fault: dict[str, Any] | None = fault

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        fault, self._fault = self._fault, None
        if fault is not None:
            commit(fault)


def leave_badly(fault: dict[str, Any]) -> str:
    """Do the job well, and the fault when told to leave."""
    sys.stdout = _LastFlush(fault)  # type: ignore[assignment]
    return "done"
