"""Run native speech engines in worker processes, measure their memory from outside, tell a leak from a pool.

The names of the library half are looked up when they are first used: the command line does not pay for them, nor
does a pytest run that never uses ``leak_check``.

In reading order:

- ``__main__``: ``python -m orchestrator`` is the ``orchestrator`` script
- ``errors``: every exception of the package
- ``remote_errors``: from a worker's words about an exception to the error that a caller gets
- ``stderr_lines``: which lines of a dead worker's standard error tell why it died
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.cluster.ray_pool import RayPool
    from orchestrator.errors import (
        Attempt,
        EngineUnavailableError,
        ForkedPoolError,
        JobCancelledError,
        JobError,
        JobPoisonedError,
        JobTimeoutError,
        ModelOutOfUseError,
        NodeDiedError,
        OrchestratorError,
        PoolClosedError,
        QueueFullError,
        WorkerDiedError,
    )
    from orchestrator.experiments.exporting.recorded import Results
    from orchestrator.pipeline.alignment import AlignWords
    from orchestrator.pipeline.async_pipeline import AsyncPipeline
    from orchestrator.pipeline.document import Document
    from orchestrator.pipeline.pipeline import Pipeline
    from orchestrator.pipeline.steps import Recognize
    from orchestrator.pool.async_pool import AsyncPool
    from orchestrator.pool.executor import PoolExecutor
    from orchestrator.pool.futures import JobFuture
    from orchestrator.pool.jobs import Align, AudioArray, Call, EngineJob, Transcribe
    from orchestrator.pool.models import Model
    from orchestrator.pool.pool import Pool
    from orchestrator.pool.recycling import Recycle
    from orchestrator.pool.results import AlignmentResult, Transcription
    from orchestrator.pool.retries import Retry
    from orchestrator.pool.stats import PoolStats
    from orchestrator.pool.stream import Chunk, JobStream
    from orchestrator_worker import __version__

_HOMES = {
    "orchestrator.cluster.ray_pool": "RayPool",
    "orchestrator.errors": (
        "Attempt EngineUnavailableError ForkedPoolError JobCancelledError JobError JobPoisonedError "
        "JobTimeoutError ModelOutOfUseError NodeDiedError OrchestratorError PoolClosedError QueueFullError "
        "WorkerDiedError"
    ),
    "orchestrator.experiments.exporting.recorded": "Results",
    "orchestrator.pipeline.async_pipeline": "AsyncPipeline",
    "orchestrator.pipeline.document": "Document",
    "orchestrator.pipeline.pipeline": "Pipeline",
    "orchestrator.pipeline.alignment": "AlignWords",
    "orchestrator.pipeline.steps": "Recognize",
    "orchestrator.pool.async_pool": "AsyncPool",
    "orchestrator.pool.executor": "PoolExecutor",
    "orchestrator.pool.futures": "JobFuture",
    "orchestrator.pool.jobs": "Align AudioArray Call EngineJob Transcribe",
    "orchestrator.pool.models": "Model",
    "orchestrator.pool.pool": "Pool",
    "orchestrator.pool.recycling": "Recycle",
    "orchestrator.pool.results": "AlignmentResult Transcription",
    "orchestrator.pool.retries": "Retry",
    "orchestrator.pool.stats": "PoolStats",
    "orchestrator.pool.stream": "Chunk JobStream",
    "orchestrator_worker": "__version__",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Align",
    "AlignWords",
    "AlignmentResult",
    "AsyncPipeline",
    "AsyncPool",
    "Attempt",
    "AudioArray",
    "Call",
    "Chunk",
    "Document",
    "EngineJob",
    "EngineUnavailableError",
    "ForkedPoolError",
    "JobCancelledError",
    "JobError",
    "JobFuture",
    "JobPoisonedError",
    "JobStream",
    "JobTimeoutError",
    "Model",
    "ModelOutOfUseError",
    "NodeDiedError",
    "OrchestratorError",
    "Pipeline",
    "Pool",
    "PoolClosedError",
    "PoolExecutor",
    "PoolStats",
    "QueueFullError",
    "RayPool",
    "Recognize",
    "Recycle",
    "Results",
    "Retry",
    "Transcribe",
    "Transcription",
    "WorkerDiedError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(home), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
