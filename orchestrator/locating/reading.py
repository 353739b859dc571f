"""Have a trace read in a worker of its own: what reads symbols out of foreign files may die of them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from orchestrator.errors import ProtocolError
from orchestrator.locating.flame_graph import NO_DEBUGINFOD
from orchestrator.locating.replay import Capture
from orchestrator.locating.rounds import Rounds
from orchestrator.process.dialogue import Dialogue
from orchestrator.process.result_values import result_of
from orchestrator.process.spawn import host_sys_path
from orchestrator_worker.protocol import Done, Job, Load, Loaded, ModelSpec, Run
from orchestrator_worker.results import Plain

LOAD_TIMEOUT_S = 60.0
READ_TIMEOUT_S = 1800.0
"""Of a trace at its bound, on a slow machine; usual ones take seconds."""


def read_in_a_worker(reader: str, trace: Path, rounds: Rounds, *, chunks: bool) -> Capture:
    """Return what was alive at the boundaries of the rounds, by stack; ``reader`` is the tracer's.

    Raises:
        WorkerError: The reading worker died or took too long.
        JobError: The file cannot be read.
    """
    with Dialogue(NO_DEBUGINFOD, heap=False) as dialogue:
        model = ModelSpec("function", "reader", options={"path": host_sys_path()})
        dialogue.ask(Load(1, model), Loaded, timeout_s=LOAD_TIMEOUT_S, phase="load")
        call = {"target": reader, "args": [str(trace), rounds.marks, rounds.first_bytes, chunks]}
        job = Job("call", options=call)
        done = dialogue.ask(Run(2, job), Done, timeout_s=READ_TIMEOUT_S, phase="read")
        found = result_of(done)
        assert isinstance(found, Plain)
        dialogue.stop()
    try:
        return msgspec.convert(found.value, Capture)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"the reader of the trace answered otherwise than agreed: {error}") from error
