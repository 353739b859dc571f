"""What the parent keeps for one confined worker: its folder for temporary files.

The folder is gone when the worker is, or soon after; what a killed parent left is removed by the next that makes one.

A template's workers have theirs within its own, because nobody who is confined can be allowed more later::

    orchestrator-worker-…/            the template may write here
        load/                         its TMPDIR; its workers may read it
        orchestrator-worker-…/        one worker may write here, and no other
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from orchestrator.config.model import Model
from orchestrator.process.sandbox.modes import require_sandbox
from orchestrator.process.sandbox.own_folder import OwnFolder
from orchestrator.process.sandbox.rules import sandbox_for
from orchestrator_worker.protocol import Sandbox

_VARIABLES = ("TMPDIR", "TMP", "TEMP")


class TemplateSandbox:
    """For one template. ``sandbox`` and ``environ`` are for its order. Its folder stays until its workers' are gone."""

    def __init__(self, model: Model) -> None:
        """Make the folder.

        Raises:
            OSError: The system refused.
            SandboxUnavailableError: It cannot confine a process as the model asks.
        """
        require_sandbox([model])
        self._folder = OwnFolder()
        self.path = self._folder.path
        self.load_folder = self.path / "load"
        self._held = 1
        try:
            os.mkdir(self.load_folder, 0o700)  # noqa: PTH102 - as the others
            sandbox = sandbox_for([model], self.path)
            assert sandbox is not None
        except BaseException:
            self._folder.close()
            raise
        self.sandbox: Sandbox = sandbox
        self.environ = dict.fromkeys(_VARIABLES, str(self.load_folder))

    def hold(self) -> None:
        """Keep the folder for one more, until that lets go."""
        self._held += 1

    def let_go(self) -> None:
        """Remove the folder if nobody holds it any more. Once for each who holds it, the maker included."""
        self._held -= 1
        if not self._held:
            self._folder.close()


class WorkerSandbox:
    """For one worker. ``sandbox`` is for its Configure, ``environ`` is set there too."""

    def __init__(self, models: Sequence[Model], template: TemplateSandbox | None = None) -> None:
        """Make the folder; within that of the ``template`` that the worker is forked from.

        Raises:
            OSError: The system refused.
            SandboxUnavailableError: It cannot confine a worker as one of the models asks.
        """
        require_sandbox(models)
        self._folder = OwnFolder(None if template is None else template.path)
        self._template: TemplateSandbox | None = None
        try:
            sandbox = sandbox_for(models, self._folder.path)
            assert sandbox is not None
            if template is not None:
                reads = [*sandbox.reads, str(template.load_folder)]
                sandbox = msgspec.structs.replace(sandbox, reads=reads)
                # Held last: what fails before has nothing to let go but its own folder.
                template.hold()
                self._template = template
        except BaseException:
            self.close()
            raise
        self.sandbox: Sandbox = sandbox
        self.environ = dict.fromkeys(_VARIABLES, str(self._folder.path))

    def close(self) -> None:
        """Remove the folder with all that is in it. Safe to call again."""
        self._folder.close()
        template, self._template = self._template, None
        if template is not None:
            template.let_go()
