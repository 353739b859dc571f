"""The supervisor's link to the process of a template."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from orchestrator.config.model import Model
from orchestrator.pool.core.entities import Template
from orchestrator.process.engine_environment import engine_defaults
from orchestrator.process.fork_server import ForkServerLostError
from orchestrator.process.loaded_template import order_template
from orchestrator.process.memory import ProcessGoneError
from orchestrator.process.sampling.resident import ResidentReader
from orchestrator.process.spawn import child_environment

_MOST_FILES = 256
"""Of a model that is a folder, so many of its files are looked at."""


class ProcessTemplateLink:
    """One template's process. Implements :class:`~orchestrator.pool.core.interfaces.TemplateLink`."""

    def __init__(self, template: Template, python: str | None) -> None:
        """Start the process and limit it as a worker.

        Raises:
            HostShortageError, SpawnError: The system refused.
        """
        self.template = template
        model = template.model_queue.model
        self._model = model
        # Before the start: what changes while it is read must not be taken for what was read.
        self._files = _state_of_files(model)
        own = engine_defaults(model.engine, model.env) | dict(model.env)
        self.process = order_template(model, template.model_queue.spec, own, python)
        self.pid = self.process.pid
        self.descriptor = self.process.descriptor
        self._reader: ResidentReader | None = None
        with suppress(ProcessGoneError, OSError):
            self._reader = ResidentReader(self.pid)
        for number, value in model.limit_numbers().items():
            with suppress(ProcessLookupError):
                resource.prlimit(self.pid, number, (value, value))

    def hear(self) -> tuple[str | None, str | None]:
        """Return why it cannot be forked, empty when it can, once it has said that; and how it ended, if it has."""
        try:
            report = self.process.hear()
        except ForkServerLostError as error:
            return None, str(error)
        return (None if report is None else report.why_not), None

    def read_rss(self) -> int:
        """Return the resident bytes now, 0 when the process is gone."""
        try:
            return 0 if self._reader is None else self._reader.read()[0]
        except ProcessGoneError:
            return 0

    def outdated(self) -> bool:
        """Whether the model's files have changed since it was started, or what a worker would get from us."""
        return _state_of_files(self._model) != self._files or not self.process.suits(
            _environment(self._model)
        )

    def close(self) -> None:
        """Kill it."""
        if self._reader is not None:
            self._reader.close()
        self.process.close()


def _environment(model: Model) -> dict[str, str]:
    own = engine_defaults(model.engine, model.env) | dict(model.env)
    return child_environment(own, model.pass_env)


def _state_of_files(model: Model) -> list[tuple[str, int, int, int] | None]:
    return [_state(path) for path in _files(model)]


def _files(model: Model) -> Iterator[Path]:
    for named in (model.file, model.library):
        if named is None:
            continue
        path = Path(named)
        yield path
        if path.is_dir():
            with suppress(OSError):
                yield from sorted(path.iterdir())[:_MOST_FILES]


def _state(path: Path) -> tuple[str, int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - as quick as can be
    except OSError:
        return None
    return str(path), found.st_mtime_ns, found.st_size, found.st_ino
