"""Our exceptions survive the way between machines: same class, same text, same facts."""

import concurrent.futures
import copy
import pickle
from collections.abc import Callable

import pytest

from orchestrator import errors
from orchestrator.cluster.node_link import _cause
from orchestrator.cluster.routing import LEAST_AHEAD, MOST_AHEAD, limit, smoothed
from orchestrator.cluster.wire import put_together, take_apart

ATTEMPT = errors.Attempt(
    1, cause="SIGSEGV", reason="crash", run_s=0.5, stderr_tail="ouch", slot=1, generation=2, pid=3
)
SAMPLES: list[errors.OrchestratorError] = [
    errors.JobError("ValueError", "no", "Traceback …"),
    errors.JobTimeoutError(1.5, "queue"),
    errors.JobTimeoutError(2.0, slot=1, generation=2, pid=3),
    errors.JobCancelledError("gone", slot=4),
    errors.WorkerDiedError("SIGKILL", exit_status=-9, phase="run", stderr_tail="last", slot=1, pid=7),
    errors.NodeDiedError("10.0.0.1/abc", "it left"),
    errors.JobPoisonedError([ATTEMPT, ATTEMPT]),
    errors.EngineUnavailableError("no library", "get it"),
    errors.ModelOutOfUseError("m", "why", ["seen"]),
    errors.SpawnError("no", slot=2),
    errors.ProtocolError("noise", b"\x00"),
    errors.AudioError("a.wav", "is empty"),
    errors.AudioTooLongError("a.wav", 7200),
    errors.NotDecodedError("a.wav", "ffmpeg is missing", "install it", shortage="ffmpeg"),
    errors.HostShortageError("no descriptors", slot=1),
    errors.QueueFullError(7),
    errors.QueueFullError(7, "hold audio", waited_s=0.5, hint="send paths"),
    errors.InterpreterError("python=3 is none", "name one"),
    errors.SandboxUnavailableError('sandbox = "strict" needs Landlock', "a newer kernel"),
    errors.PoolClosedError("closed"),
    errors.UnsupportedHostError("gevent has replaced select"),
    errors.ForkedPoolError(1),
    errors.ConfigError("f.toml", [errors.ConfigProblem("$.x", "unknown")]),
    errors.ResultsLockedError("out", "pid 1"),
]


def _shown(error: BaseException) -> dict[str, str]:
    return {name: str(value) for name, value in vars(error).items()}


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_as_it_was(error: errors.OrchestratorError) -> None:
    back = put_together(pickle.loads(pickle.dumps(take_apart(error))))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert _shown(back) == _shown(error)


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy], ids=["pickle", "copy"]
)
def test_an_error_can_be_pickled_and_copied(
    error: errors.OrchestratorError, again: Callable[[errors.OrchestratorError], errors.OrchestratorError]
) -> None:
    """multiprocessing, Ray and joblib pickle exceptions; one that cannot be read hides what happened."""
    back = again(error)
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert _shown(back) == _shown(error)


def test_every_error_has_its_sample() -> None:
    bases = {"OrchestratorError", "WorkerError", "ResultsError"}
    known = {
        name
        for name, found in vars(errors).items()
        if isinstance(found, type) and issubclass(found, errors.OrchestratorError)
    }
    assert known - bases == {type(error).__name__ for error in SAMPLES}


def test_a_node_that_could_not_be_made_says_why() -> None:
    told = "The actor died of an error raised in its creation task, ray::NodeActor\n  File …\nours: no python\n\n"
    assert _cause(RuntimeError(told)) == "ours: no python"
    assert _cause(RuntimeError("it died\n  of something")) == "RuntimeError: it died"
    assert _cause(RuntimeError("")) == "RuntimeError: no more is known"


def test_what_is_not_ours_is_told_by_a_job_error() -> None:
    back = put_together(take_apart(KeyError("x")))
    assert isinstance(back, errors.JobError)
    assert back.type_name == "KeyError"
    assert isinstance(put_together(take_apart(SAMPLES[1])), TimeoutError)
    assert isinstance(put_together(take_apart(SAMPLES[3])), concurrent.futures.CancelledError)


def test_a_node_has_a_quarter_of_a_second_of_work_ahead() -> None:
    assert limit(2, None) == 2 * LEAST_AHEAD
    assert limit(1, 0.0) == MOST_AHEAD
    assert limit(1, 60.0) == LEAST_AHEAD
    assert limit(1, 0.05) == 6
    assert smoothed(None, 3.0) == 3.0
    assert 1.0 < smoothed(1.0, 2.0) < 2.0
