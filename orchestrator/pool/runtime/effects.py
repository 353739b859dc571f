"""The side effects of a real pool: processes, descriptors, the kernel's counts, the event hook.

Called by the supervisor alone, on the event loop; decides nothing.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

from orchestrator.pool.core.entities import JobRecord, Template, Worker
from orchestrator.pool.events import Hook, PoolEvent
from orchestrator.pool.models import Model
from orchestrator.pool.runtime.admission import Admission
from orchestrator.pool.runtime.oom_kills import OomKills
from orchestrator.pool.runtime.pool_sampling import PoolSampling
from orchestrator.pool.runtime.process_link import ProcessLink
from orchestrator.pool.runtime.selector import Selector
from orchestrator.pool.runtime.start_method import StartMethod
from orchestrator.pool.runtime.template_link import ProcessTemplateLink
from orchestrator.pool.runtime.tickets import Tickets, with_ticket
from orchestrator.pool.runtime.worker_groups import WorkerGroups
from orchestrator.process.sandbox import removal
from orchestrator.process.spawn import refusal
from orchestrator.process.warm.engines import why_cold

log = logging.getLogger("orchestrator.pool")


class PoolEffects:
    """Implements :class:`~orchestrator.pool.core.registry.Effects`."""

    def __init__(
        self,
        admission: Admission,
        on_event: Hook | None,
        selector: Selector,
        python: str | None,
        *,
        linger: bool,
        beat_s: float | None,
        most_shared: int,
        sampling: PoolSampling,
    ) -> None:
        self._admission = admission
        self._leave_queue = admission.queue.leave
        self._on_event = on_event
        self._selector = selector
        self._linger, self._beat_s, self._most_shared = linger, beat_s, most_shared
        self.hold: Callable[[BaseException], None] = _raise
        """Given what the hook lets out besides an Exception, to raise it when the decision is complete."""
        self.hung_up: Callable[[Worker], None] = _nobody_listens
        """Told of a worker that was found to have closed its pipe when something was written to it."""
        self._kills = OomKills()
        self._groups = WorkerGroups()
        self._sampling = sampling
        self._start_method = StartMethod(python)
        self._python = python
        self._tickets = Tickets()
        self._random = random.Random()  # noqa: S311 - jitter, no secret
        self.blind = False
        """Whether deaths must be looked for, where the system has no pidfd."""

    def spawn(self, worker: Worker) -> ProcessLink:
        """Start a process and wait on it."""
        link = ProcessLink(
            worker,
            self._pipe_changed,
            self._start_method,
            linger=self._linger,
            beat_s=self._beat_s,
            most_shared=self._most_shared,
            groups=self._groups,
            sampling=self._sampling,
        )
        self.blind = self.blind or not link.process.notices_death
        try:
            self._selector.update(link)
        except OSError as error:
            self._selector.forget(link)
            link.close()
            slot, generation = worker.slot.index, worker.generation
            raise refusal(error, slot=slot, generation=generation, pid=link.pid) from error
        log.debug("slot %d generation %d: started pid %d", worker.slot.index, worker.generation, link.pid)
        return link

    def why_cold(self, model: Model) -> str | None:
        """Return why its workers are started cold without a try; None: a template is to be tried."""
        return why_cold(model)

    def start_template(self, template: Template) -> ProcessTemplateLink:
        """Start a template's process and wait on it."""
        link = ProcessTemplateLink(template, self._python)
        try:
            self._selector.watch_template(link)
        except OSError as error:
            link.close()
            raise refusal(error, slot=-1, generation=0, pid=link.pid) from error
        log.debug("model %s: started its template, pid %d", template.model_queue.name, link.pid)
        return link

    def _pipe_changed(self, link: ProcessLink) -> None:
        self._selector.update(link)
        if link.process.hung_up:
            self.hung_up(link.worker)

    def reap(self, worker: Worker) -> None:
        """Close what was kept of a process that is gone."""
        link = worker.link
        assert isinstance(link, ProcessLink)
        link.close()

    def close(self) -> None:
        """Let go what was kept for starting workers; wait until what confined ones left is removed."""
        self._start_method.close()
        self._sampling.close()
        self._groups.close()
        removal.drain()

    @property
    def groups(self) -> str:
        """Whether workers with ``hard_rss`` have control groups of their own, or why not."""
        return self._groups.state

    def gather_readings(self, now: float) -> None:
        """Have ready what was read of the workers meanwhile; wait for alarms from now on."""
        if self._sampling.gather(now):
            self._selector.watch_alarm(self._sampling.alarm)

    def collect_readings(self) -> None:
        """The same out of turn."""
        self._sampling.collect()

    def rest_readings(self) -> None:
        """Nothing is to be read for a while."""
        self._sampling.rest()

    def resume_readings(self) -> None:
        """Workers are to be read again."""
        self._sampling.resume()

    @property
    def alarm(self) -> int:
        """The descriptor by which passed limits are told; -1 where there is none."""
        return self._sampling.alarm

    @property
    def sampled_by(self) -> str:
        """Who reads: ``process`` or ``loop``."""
        process = self._sampling.process
        return "loop" if process is None or process.given_up is not None else "process"

    @property
    def missed_readings(self) -> int:
        """Deadlines at which nothing was read while the pool worked."""
        return self._sampling.missed

    def kernel_killed(self) -> bool:
        """Whether the kernel killed for memory since the last call."""
        return self._kills.rose()

    def draw(self) -> float:
        """Return a random number from 0 to 1."""
        return self._random.random()

    def warn(self, text: str) -> None:
        """Tell whoever reads the log."""
        log.warning("%s", text)

    def note(self, text: str) -> None:
        """Tell whoever looks into the log."""
        log.info("%s", text)

    def draw_ticket(self) -> int:
        """Return an id that nobody can guess."""
        return self._tickets.draw()

    def assign(self, job: JobRecord) -> None:
        """Give a job that is about to be sent an id that nobody can guess."""
        job.ticket = self._tickets.draw()
        job.frame = with_ticket(job.frame, job.ticket)

    def job_left_queue(self, job: JobRecord) -> None:  # noqa: ARG002 - places are only counted
        """Give the job's place to another."""
        self._leave_queue()

    def close_audio(self, job: JobRecord) -> None:
        """Close the memfd with a job's audio or arguments."""
        descriptor, job.descriptor = job.descriptor, None
        if descriptor is not None:
            descriptor.close()
            self._admission.arrays.leave()

    @property
    def listening(self) -> bool:
        """Whether there is a hook or a log that wants events."""
        return self._on_event is not None or log.isEnabledFor(logging.INFO)

    def tell(self, event: PoolEvent) -> None:
        """Log an event and hand it to the hook, whose exceptions hurt nobody."""
        log.log(logging.DEBUG if type(event).__name__ == "JobEnded" else logging.INFO, "%s", event)
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception:
            log.exception("on_event raised")
        except BaseException as error:  # noqa: BLE001 - Ctrl-C and exit too: not in the middle of a decision
            self.hold(error)


def _nobody_listens(worker: Worker) -> None:  # noqa: ARG001 - until the event loop is there
    return


def _raise(error: BaseException) -> None:
    raise error
