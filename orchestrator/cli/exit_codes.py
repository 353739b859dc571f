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
    """Wrong usage, a wrong configuration, or a place or an output that cannot be written."""
    NOTHING_RAN = 3
    """Nothing could run: everything it takes is missing."""
    INCONCLUSIVE = 4
    """A gate could not be decided."""
    LOCKED = 5
    """Another run holds the results folder."""
    INTERRUPTED = 130
    """Interrupted; resumable."""
    NOBODY_READS = 141
    """The reader of the output left before its end (``| head -1``): the code that shells show for SIGPIPE."""


def exit_code_for(error: OrchestratorError) -> ExitCode:
    """Return the exit code of an error that ends a command."""
    if isinstance(error, ResultsLockedError):
        return ExitCode.LOCKED
    if isinstance(error, EngineUnavailableError | WorkerError):
        return ExitCode.NOTHING_RAN
    return ExitCode.USAGE
