"""What the exit codes mean, and which error leads to which."""

from __future__ import annotations

from enum import IntEnum

from orchestrator.errors import EngineUnavailableError, OrchestratorError, ResultsLockedError, WorkerError


class ExitCode(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    """Done; findings and crashes of methods included."""
    BROKEN = 1
    """A gate is broken, some files of a batch failed, or doctor says not ready."""
    USAGE = 2
    """Wrong usage, a wrong configuration, or a place that cannot be written."""
    NOTHING_RAN = 3
    """Nothing could run: everything it takes is missing."""
    INCONCLUSIVE = 4
    """A gate could not be decided."""
    LOCKED = 5
    """Another run holds the results folder."""
    INTERRUPTED = 130
    """Interrupted; resumable."""


def exit_code_for(error: OrchestratorError) -> ExitCode:
    """Return the exit code of an error that ends a command."""
    if isinstance(error, ResultsLockedError):
        return ExitCode.LOCKED
    if isinstance(error, EngineUnavailableError | WorkerError):
        return ExitCode.NOTHING_RAN
    return ExitCode.USAGE
