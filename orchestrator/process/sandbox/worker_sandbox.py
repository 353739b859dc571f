"""What the parent keeps for one confined worker: its folder for temporary files.

The folder is gone when the worker is, or soon after; what a killed parent left is removed by the next that makes one.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.config.model import Model
from orchestrator.process.sandbox.modes import require_sandbox
from orchestrator.process.sandbox.own_folder import OwnFolder
from orchestrator.process.sandbox.rules import sandbox_for
from orchestrator_worker.protocol import Sandbox


class WorkerSandbox:
    """For one worker. ``sandbox`` is for its Configure, ``environ`` is set there too."""

    def __init__(self, models: Sequence[Model]) -> None:
        """Make the folder.

        Raises:
            OSError: The system refused.
            SandboxUnavailableError: It cannot confine a worker as one of the models asks.
        """
        require_sandbox(models)
        self._folder = OwnFolder()
        sandbox = sandbox_for(models, self._folder.path)
        assert sandbox is not None
        self.sandbox: Sandbox = sandbox
        self.environ = dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(self._folder.path))

    def close(self) -> None:
        """Remove the folder with all that is in it. Safe to call again."""
        self._folder.close()
