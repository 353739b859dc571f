"""Which workers of a pool are forked from a starter, and which begin as a new interpreter.

Replacements are forked: a pool that replaces workers gains most of the time a start takes. The first worker of a
slot is executed, and so are all of a model with an environment of its own (allocators and thread pools read theirs at
the very start) and all on systems without pidfd. The starter is started when it is first wanted and nobody waits
for it: until it is ready workers are executed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from orchestrator.process.fork_server import Starter
from orchestrator.process.spawn import child_environment, start_starter

log = logging.getLogger("orchestrator.pool")
MOST_STARTERS = 3
"""Starters one pool tries: after that it does without. One is enough unless they die or the environment changes."""


class Starting:
    """The starter of one pool. Called in turns of the loop alone."""

    def __init__(self) -> None:
        self._starters: list[Starter] = []

    def starter_for(self, own_environment: Mapping[str, str], generation: int) -> Starter | None:
        """Return what to fork the worker from; None to execute it."""
        if own_environment or generation <= 1 or not hasattr(os, "pidfd_open"):
            return None
        whole = child_environment({})
        starter = self._starters[-1] if self._starters else None
        if starter is None or starter.lost or not starter.suits(whole):
            if len(self._starters) < MOST_STARTERS:
                self._start(whole)
            return None
        return starter if starter.ready else None

    def _start(self, environment: Mapping[str, str]) -> None:
        try:
            # The one before stays: it alone can say how its workers end.
            self._starters.append(start_starter(environment))
        except OSError as error:
            log.debug("no starter: %s", error)

    def close(self) -> None:
        """End it; every worker is gone."""
        for starter in self._starters:
            starter.close()
        self._starters.clear()
