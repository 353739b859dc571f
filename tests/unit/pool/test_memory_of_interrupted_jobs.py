"""A caller that is interrupted between any two steps of making a job leaves no memory, and so no descriptor, open."""

from __future__ import annotations

import dis
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import orchestrator
import orchestrator_worker
from orchestrator.pool.jobs import EngineJob
from orchestrator.pool.submission.arguments import share_arguments
from orchestrator.pool.submission.payload import close_audio, make_payload
from orchestrator.process.sampling.resident import ResidentReader
from orchestrator.process.sharing.channel import pass_descriptor
from orchestrator.process.sharing.shared_result import take_result
from orchestrator_worker.sharing.shared_memory import AVAILABLE, sealed_memory

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs Linux's sealed memory")
OURS = (str(Path(orchestrator.__file__).parent), str(Path(orchestrator_worker.__file__).parent))
MOST_STEPS = 5000
HANDLER_BEGINS = dis.opmap["PUSH_EXC_INFO"]


def interrupted_at(step: int, call: Callable[[], object]) -> bool:
    """Make the call, with a KeyboardInterrupt before the given step of our code; False when it has fewer.

    A step is an instruction of the interpreter: a signal handler can run between two of them, and nowhere else.
    """
    seen = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal seen
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        frame.f_trace_opcodes = True
        # Before a handler begins the interpreter looks for no signal, and loses the exception if it is made to.
        if event == "opcode" and frame.f_code.co_code[frame.f_lasti] != HANDLER_BEGINS:
            seen += 1
            if seen == step:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def leaves_nothing(call: Callable[[], object]) -> int:
    """Interrupt the call before each of its steps; return how many it has."""
    call()  # what is loaded or cached once is there now
    interrupted_at(-1, call)  # CPython 3.12 tells of a frame's instructions only from the second trace on
    before = len(descriptors())
    for step in range(1, MOST_STEPS):
        if not interrupted_at(step, call):
            return step
        assert len(descriptors()) == before, f"interrupted at step {step}"
    raise AssertionError("a call without end")


def test_audio_in_memory(tmp_path: Path) -> None:
    samples = np.zeros(160, dtype=np.float32)
    job = EngineJob("m", "asr", audio=(samples, 16_000))

    def make() -> None:
        make_payload(job, stream=False, cache_dir=tmp_path)

    assert leaves_nothing(make) > 200


def test_audio_in_memory_that_is_given_back(tmp_path: Path) -> None:
    job = EngineJob("m", "asr", audio=(np.zeros(160, dtype=np.int16), 16_000))
    assert leaves_nothing(lambda: close_audio(make_payload(job, stream=False, cache_dir=tmp_path))) > 200


def test_audio_that_cannot_be_encoded_with_its_job(tmp_path: Path) -> None:
    job = EngineJob("m", "asr", audio=(np.zeros(160, dtype=np.int16), 16_000), options={"no": object()})

    def make() -> None:
        try:
            make_payload(job, stream=False, cache_dir=tmp_path)
        except TypeError:
            return
        raise AssertionError("it can be encoded")

    assert leaves_nothing(make) > 200


def test_arguments_in_memory() -> None:
    assert leaves_nothing(lambda: share_arguments([b"x" * 100], {}, 1 << 20)) > 100


def test_a_result_in_memory() -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    content = sealed_memory("test", [b"x" * 100])

    def take() -> None:
        here.setblocking(False)
        while True:  # what an interrupted call has not received
            try:
                here.recv(100)
            except BlockingIOError:
                break
        pass_descriptor(there, 7, content)
        assert len(take_result(here, 7, 100, 1000)) == 100

    try:
        assert leaves_nothing(take) > 100
    finally:
        here.close()
        there.close()
        os.close(content)


def test_a_reader_of_memory() -> None:
    assert leaves_nothing(lambda: ResidentReader(os.getpid()).close()) > 20
