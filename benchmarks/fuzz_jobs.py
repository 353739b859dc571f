"""The jobs of fuzz_frames.py. Apart, because each of its workers does one and imports all that is here."""

from __future__ import annotations

import os

from orchestrator_worker.loop import protocol_out_fd


def send(payload: bytes, header: bytes) -> str:
    """Write one frame to the wire. With a header of its own the worker ends: more might be waited for."""
    rest = memoryview((header or len(payload).to_bytes(4, "little")) + payload)
    while rest:
        rest = rest[os.write(protocol_out_fd(), rest) :]
    if header:
        os._exit(3)
    return "mine"
