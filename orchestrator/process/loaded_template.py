"""How a template of a model is ordered; and one that somebody waits for, the blocking way to have one.

A pool goes on with other work while a template loads (:mod:`orchestrator.pool.runtime.template_link`); whoever measures
waits, and takes a death for a result.
"""

from __future__ import annotations

import select
import time
from collections.abc import Mapping

from orchestrator.config.model import Model
from orchestrator.errors import JobError, JobTimeoutError, WorkerDiedError
from orchestrator.process.fork_server import ForkServerLostError
from orchestrator.process.memory import Memory, ProcessGoneError, read_boundary
from orchestrator.process.sandbox.modes import mode_of
from orchestrator.process.spawn import (
    child_environment,
    host_sys_path,
    late_environment,
    refusal,
    start_template,
)
from orchestrator.process.warm.template import TemplateProcess
from orchestrator_worker.protocol import ModelSpec
from orchestrator_worker.template import SHORTEST_MOVE_S, Order

_MOST_POLL_S = 1.0
"""A signal may be taken by another thread: this one wakes now and then, so that Ctrl-C need not wait for the load."""


class NotForkableError(Exception):
    """The model is loaded well, and its process must not be forked; the text is the reason."""


def order_template(
    model: Model, spec: ModelSpec, own: Mapping[str, str], python: str | None = None, *, slot: int = -1
) -> TemplateProcess:
    """Start the template of a model with ``own`` beside what a worker gets of our variables, confined as those are.

    Returns before it has loaded anything. ``python`` is as for :func:`~orchestrator.process.spawn.spawn`, ``slot`` for
    the words of an error.

    Raises:
        HostShortageError, SpawnError: The system refused.
        SandboxUnavailableError: It cannot confine a process as the model asks.
        InterpreterError: There is no interpreter for workers.
    """
    late, sandbox = late_environment(own), None
    try:
        if mode_of(model) != "off":
            # only who confines pays for it: it brings the room of audio with it
            from orchestrator.process.sandbox.worker_sandbox import TemplateSandbox  # noqa: PLC0415

            sandbox = TemplateSandbox(model)
            late |= sandbox.environ
        order = Order(spec, host_sys_path(), late, None if sandbox is None else sandbox.sandbox)
        return start_template(child_environment(own, model.pass_env), order, python, sandbox)
    except BaseException as error:
        if sandbox is not None:
            sandbox.let_go()
        if isinstance(error, OSError):
            raise refusal(error, slot=slot, generation=0) from error
        raise


class LoadedTemplate:
    """One template with its model loaded, that workers are forked from.

    ``load_s`` is how long its engine loaded, ``start_s`` from its start until it could be forked, ``memory`` what it
    held then, before it was forked once.
    """

    def __init__(
        self, model: Model, spec: ModelSpec, env: Mapping[str, str], *, slot: int, timeout_s: float
    ) -> None:
        """Start it with ``env`` beside what a worker gets of ours, and wait until it can be forked.

        It may take ``timeout_s`` seconds for the load, and as long again for making its forks cheap.

        Raises:
            NotForkableError: The model cannot be forked; says why.
            JobError: The load failed.
            JobTimeoutError: It has not reported in time.
            WorkerDiedError: It ended while it loaded.
            SpawnError: The system refused to start it.
            SandboxUnavailableError: It cannot confine it as the model asks.
        """
        self.spec = spec
        self._slot = slot
        began = time.perf_counter()
        self.process = order_template(model, spec, env, slot=slot)
        try:
            # on a busy machine too: nobody starts its workers in another way
            self.process.answer_within(timeout_s)
            self.load_s = self._wait_until_ready(2 * timeout_s + SHORTEST_MOVE_S, timeout_s)
            self.start_s = time.perf_counter() - began
            self.memory = self._read()
        except BaseException:
            self.close()
            raise

    def _wait_until_ready(self, longest_s: float, limit_s: float) -> float:
        deadline = time.monotonic() + longest_s
        poller = select.poll()
        poller.register(self.process.descriptor, select.POLLIN)
        while True:
            try:
                report = self.process.hear()
            except ForkServerLostError as error:
                raise self._death(f"{error} while its template loaded") from error
            if report is None:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise JobTimeoutError(limit_s, "run", slot=self._slot, generation=0, pid=self.process.pid)
                poller.poll(max(1.0, min(left_s, _MOST_POLL_S) * 1000))
            elif report.failed:
                raise JobError("TemplateLoadError", report.why_not)
            elif report.why_not:
                raise NotForkableError(report.why_not)
            else:
                return report.seconds

    def _read(self) -> Memory:
        try:
            return read_boundary(self.process.pid)
        except ProcessGoneError as error:
            raise self._death("it is gone, just after its model was loaded") from error

    def check(self) -> None:
        """See to it that it lives.

        Raises:
            WorkerDiedError: It has ended; its workers may live on.
        """
        try:
            self.process.hear()
        except ForkServerLostError as error:
            raise self._death(f"its template ended: {error}") from error
        if self.process.lost:
            raise self._death("its template was lost: it refused a fork, or did not answer")

    def _death(self, cause: str) -> WorkerDiedError:
        return WorkerDiedError(
            cause,
            phase="template",
            slot=self._slot,
            generation=0,
            pid=self.process.pid,
        )

    def close(self) -> None:
        """End it; the workers that were forked from it must be gone, for it alone can say how they ended."""
        self.process.close()
        self.process.wait()  # what is measured next is to have the machine for itself
