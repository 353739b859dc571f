"""Each error of ours has its status, and tells nothing of the machine."""

from __future__ import annotations

import pytest

pytest.importorskip("starlette", reason="needs the extra 'serve'")

from orchestrator import errors
from orchestrator.serving.api_errors import api_error_of

PLACE = "/var/cache/orchestrator/serving/.serving-x/7/recording"
ATTEMPT = errors.Attempt(
    1, cause="SIGSEGV", reason="crash", run_s=1, stderr_tail=PLACE, slot=4711, generation=1, pid=4712
)
STATUSES: list[tuple[errors.OrchestratorError, int, bool]] = [
    (errors.AudioTooLongError(PLACE, 60), 413, False),
    (errors.NotDecodedError(PLACE, "no ffmpeg", "install it", shortage="ffmpeg"), 503, True),
    (errors.AudioError(PLACE, "is no audio"), 400, False),
    (errors.QueueFullError(4711), 429, True),
    (errors.PoolClosedError("closed"), 503, True),
    (errors.JobCancelledError("given up", slot=4711), 503, True),
    (errors.JobTimeoutError(3.0, slot=4711), 504, False),
    (errors.HostShortageError(PLACE, slot=4711), 503, True),
    (errors.EngineUnavailableError(PLACE, "get it"), 503, False),
    (errors.ModelOutOfUseError("m", PLACE, [PLACE]), 503, False),
    (errors.JobError("ValueError", PLACE, "Traceback"), 500, False),
    (errors.JobError("EngineError", "language 'xx': the weights are English only"), 400, False),
    (errors.JobError("EngineError", "moonshine has no task 'align'; it has: asr"), 400, False),
    (errors.WorkerDiedError("SIGKILL", stderr_tail=PLACE, slot=4711, pid=4712), 500, False),
    (errors.JobPoisonedError([ATTEMPT]), 500, False),
    (errors.ProtocolError("noise", slot=4711), 500, False),
]


@pytest.mark.parametrize(("error", "status", "later"), STATUSES, ids=lambda each: type(each).__name__)
def test_each_error_has_its_status(error: errors.OrchestratorError, status: int, later: bool) -> None:
    found = api_error_of(error)
    assert found is not None
    assert found.status == status
    assert ("Retry-After" in found.headers) is later
    body = found.body().decode()
    for hidden in ("/var", "4711", "4712", "SIGSEGV", "Traceback"):
        assert hidden not in body
    facts = found.facts()
    assert facts.keys() == {"message", "type", "param", "code"}
    assert facts["message"]


def test_what_nobody_foresaw_is_told_apart() -> None:
    assert api_error_of(RuntimeError("x")) is None
