"""Which workers of a pool are forked from a fork server, and which begin as a new interpreter.

Replacements are forked: a pool that replaces workers gains most of the time a start takes. The first worker of a
slot is executed, and so are all of a model with an environment of its own (allocators and thread pools read theirs at
the very start) and all on systems without pidfd. The fork server is started when it is first wanted and nobody waits
for it: until it is ready workers are executed. Models that are handed other variables have another fork server.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence

from orchestrator.pool.core.entities import Template
from orchestrator.pool.runtime.template_link import ProcessTemplateLink
from orchestrator.process.fork_server import ForkServer
from orchestrator.process.spawn import child_environment, start_fork_server

log = logging.getLogger("orchestrator.pool")
MOST_FORK_SERVERS = 3
"""Fork servers that one pool tries, then it does without. One is enough unless it dies or the environment changes."""


class StartMethod:
    """The fork server of one pool. Called on the event loop alone."""

    def __init__(self, python: str | None) -> None:
        """``python`` is the interpreter of all workers; None: that of this process."""
        self.python = python
        self._fork_servers: list[ForkServer] = []

    def fork_server_for(
        self,
        own_environment: Mapping[str, str],
        generation: int,
        template: Template | None = None,
        *,
        pass_env: Sequence[str] = (),
        confined: bool = False,
    ) -> ForkServer | None:
        """Return what to fork the worker from, which may have to be ``confined``; None to execute it.

        ``pass_env`` names what it gets of our environment besides the usual. Where there is a ``template``, which has
        its model loaded, it is that.
        """
        if template is not None:
            assert isinstance(template.link, ProcessTemplateLink)
            return template.link.process
        if own_environment or generation <= 1 or not hasattr(os, "pidfd_open"):
            return None
        whole = child_environment({}, pass_env)
        fit = (each for each in reversed(self._fork_servers) if not each.lost and each.suits(whole))
        fork_server = next(fit, None)
        if fork_server is None:
            if len(self._fork_servers) < MOST_FORK_SERVERS:
                self._start(whole, confined=confined)
            return None
        return fork_server if fork_server.ready else None

    def _start(self, environment: Mapping[str, str], *, confined: bool) -> None:
        try:
            # The one before stays: it alone can say how its workers end.
            self._fork_servers.append(start_fork_server(environment, self.python, confined=confined))
        except OSError as error:
            log.debug("no fork_server: %s", error)

    def close(self) -> None:
        """End it; every worker is gone."""
        for fork_server in self._fork_servers:
            fork_server.close()
        self._fork_servers.clear()
