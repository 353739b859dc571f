"""When a template is started, replaced and given up.

A model that may be warm has one template: a process that has loaded it and runs no job. It is started when a worker is
first wanted, and its workers wait for it, which takes as long as a load. Nothing depends on it: where it cannot be had,
or its first worker fails, workers are started cold, and the reason is said once.

::

    none ── a worker is wanted ──▶ loading ── report ──▶ ready ── old, grown, file changed, idle ──▶ retired
                                      │                    │                                           │
                                      ▼ refused, ended     ▼ died: again, a few times                  ▼ no worker left
                                     cold                 none, then cold                            closed
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from orchestrator.errors import HostShortageError, SpawnError
from orchestrator.pool.core.entities import ModelQueue, Pulse, Template, Worker
from orchestrator.pool.core.memory_budget import GROWTH, MIB
from orchestrator.pool.core.registry import Registry
from orchestrator.pool.core.states import ExitReason, WorkerState

GROWN = 1.25
GROWN_BYTES = 16 * MIB
"""A template that has so many times its first RSS and so many bytes more is replaced: it runs nothing."""
STUCK_S = 10.0
"""So long a forked worker may wait for nothing but a lock, in the first job after its template has loaded."""
LOOKS_AT_A_LOCK = 4
"""How often it is looked at in that time."""
_OF_THE_FORK = {
    ExitReason.CRASH,
    ExitReason.TIMEOUT,
    ExitReason.FROZEN,
    ExitReason.PROTOCOL,
    ExitReason.START_FAILED,
}
"""Ends of a first worker that may be the fork's doing."""


class Templates:
    """Decides about the templates of one pool."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._first_jobs: WeakKeyDictionary[Worker, Pulse] = WeakKeyDictionary()

    # ------------------------------------------------------------------ a worker is wanted

    def start(self, model_queue: ModelQueue, now: float) -> None:
        """Start the template of a model that wants one. What does not succeed makes the model cold.

        Raises:
            HostShortageError: The system has nothing left for one more process.
        """
        registry = self._registry
        template = Template(model_queue, now)
        if not registry.budget.reserve(template, model_queue.cold_need_bytes(registry.budget.limit_bytes)):
            return
        try:
            template.link = registry.effects.start_template(template)
        except HostShortageError:
            registry.budget.release(template)
            raise
        except SpawnError as error:
            registry.budget.release(template)
            self._go_cold(model_queue, f"its template cannot be started: {error}")
            return
        model_queue.template = template
        registry.templates[template] = None
        registry.timers.set(template, now + registry.settings.start_timeout_s)
        if registry.settings.hard_budget:
            registry.sample_soon(now)  # it loads, and may take more than the budget has

    def look_after(self, now: float) -> None:
        """Retire templates that are not to be forked from any more. Called before starts are planned."""
        for model_queue in self._registry.queues_with_jobs:
            template = model_queue.template
            if template is not None and template.ready_at is not None and self._is_due(template, now):
                self.retire(template)

    def _is_due(self, template: Template, now: float) -> bool:
        most_s = template.model_queue.model.template_max_age_s
        assert template.ready_at is not None
        if most_s is not None and now - template.ready_at > most_s:
            return True
        rss = template.rss_bytes = template.link.read_rss()
        if rss > GROWN * template.loaded_bytes and rss > template.loaded_bytes + GROWN_BYTES:
            return True
        return template.link.outdated()

    def make_room(self, need_bytes: int) -> None:
        """Give up templates that nobody works from, as far as a start lacks room."""
        for template in self._unused():
            if need_bytes <= self._registry.budget.room_bytes:
                return
            self.retire(template)

    def make_way(self) -> bool:
        """Give up every template that nobody works from, where the host is short of something; say whether one was."""
        unused = self._unused()
        for template in unused:
            self.retire(template)
        return bool(unused)

    def _unused(self) -> list[Template]:
        registry = self._registry
        return [
            template
            for template in registry.templates
            if not template.workers and template.model_queue not in registry.queues_with_jobs
        ]

    def is_in_the_way(self, model_queue: ModelQueue, need_bytes: int) -> bool:
        """Give up a model's own template where there is no room beside it for a single worker; say whether it was."""
        registry, template = self._registry, model_queue.template
        alone = not registry.leaving and not any(registry.workers())
        if (
            template is None
            or template.ready_at is None
            or not alone
            or need_bytes <= registry.budget.room_bytes
        ):
            return False
        self._go_cold(model_queue, "the memory budget has no room for its template and a worker beside that")
        self.retire(template)
        return True

    def read(self) -> int:
        """Return the bytes that all templates hold now."""
        for template in self._registry.templates:
            template.rss_bytes = template.link.read_rss()
        return sum(template.rss_bytes for template in self._registry.templates)

    def any_loads(self) -> bool:
        """Whether a template is loading."""
        return any(template.ready_at is None for template in self._registry.templates)

    def give_way(self, worker: Worker | None, budget: str) -> bool:
        """All together are above the hard ``budget``: let one template go, where no worker would be better; say so.

        First one that nobody works from and no job waits for, then one that loads, then that of the only ``worker``:
        their models are cold then, and their workers have the whole budget for themselves.
        """
        for template in list(self._registry.templates):
            if not template.workers and template.model_queue not in self._registry.queues_with_jobs:
                self.retire(template)
                return True
        for template in list(self._registry.templates):
            if template.ready_at is None:
                self._go_cold(
                    template.model_queue, f"its template does not fit into the hard memory budget of {budget}"
                )
                self._close(template)
                self._registry.replan = True
                return True
        if worker is not None and worker.template is not None:
            why = f"the hard memory budget of {budget} has no room for its template and a worker beside that"
            self._go_cold(worker.template.model_queue, why)
            self.retire(worker.template)
        return False

    # ------------------------------------------------------------------ what a template says

    def loaded(self, template: Template, why_not: str, now: float) -> None:
        """It has reported: it can be forked, or ``why_not``."""
        registry, model_queue = self._registry, template.model_queue
        registry.timers.clear(template)
        registry.replan = True
        if why_not:
            self._close(template)
            self._go_cold(model_queue, why_not)
            return
        if not model_queue.said_warm:
            model_queue.said_warm = True
            registry.effects.note(
                f"model {model_queue.name}: its workers are started warm, from process {template.link.pid}"
            )
        template.ready_at = now
        template.rss_bytes = template.loaded_bytes = template.link.read_rss()
        registry.budget.adjust(template, int(template.loaded_bytes * GROWTH))

    def ended(self, template: Template, words: str, now: float) -> None:
        """Its process is gone. Workers that it has go on; another template takes its place, a few times."""
        model_queue, was_ready = template.model_queue, template.ready_at is not None
        self._close(template)
        self._registry.replan = True
        if not was_ready:
            self._go_cold(model_queue, f"its template ended while it loaded: {words}")
        elif model_queue.template_limit.start_failed(now, words):
            self._go_cold(model_queue, f"its templates died again and again: {words}", broke=True)

    def timed_out(self, template: Template) -> None:
        """It has not reported in the time that a start may take."""
        self._close(template)
        self._registry.replan = True
        limit_s = self._registry.settings.start_timeout_s
        self._go_cold(template.model_queue, f"its template has not loaded within {limit_s:g} s")

    # ------------------------------------------------------------------ its workers

    def stuck_for_s(self, worker: Worker, now: float) -> float:
        """Return for how long a worker in its first job has waited for a lock alone; 0: not too long."""
        pulse = self._first_jobs.get(worker)
        if worker.state is not WorkerState.BUSY or (pulse is not None and now < pulse.look_at):
            return 0.0
        count = worker.link.read_standstill()
        if pulse is None or count is None or count != pulse.count:
            pulse = self._first_jobs[worker] = Pulse(-1 if count is None else count, now)
        pulse.look_at = now + STUCK_S / LOOKS_AT_A_LOCK
        pulse.looks += 1
        # Several looks, because this process may have been stopped together with the worker.
        stood_s = now - pulse.since
        return stood_s if count is not None and pulse.looks > LOOKS_AT_A_LOCK and stood_s >= STUCK_S else 0.0

    def doubt(self, worker: Worker, reason: ExitReason, cause: str) -> None:
        """A worker is told to go, or gone: the first that was forked from a template may have failed for that."""
        template = worker.template
        if template is None or template.proven or worker.jobs > 1 or reason not in _OF_THE_FORK:
            return
        # The job may have done that itself. To be forked is still the one thing that is new: it gets the benefit.
        worker.spares_job = True
        said = f"{reason}: {cause}" if cause else reason
        self._go_cold(template.model_queue, f"the first worker of its template failed ({said})", broke=True)
        self.retire(template)

    def worker_left(self, worker: Worker, reason: ExitReason, cause: str) -> None:
        """A worker is confirmed gone: what it was forked from may have to go too."""
        template = worker.template
        if template is None:
            return
        template.workers -= 1
        self.doubt(worker, reason, cause)
        if not template.workers and (template.retired or reason is ExitReason.IDLE):
            self._close(template)

    def retire(self, template: Template) -> None:
        """Fork from it no more. It stays while it has workers: it alone can say how they end."""
        template.retired = True
        if template.model_queue.template is template:
            template.model_queue.template = None
        if not template.workers:
            self._close(template)

    def _close(self, template: Template) -> None:
        registry = self._registry
        template.retired = True
        if template.model_queue.template is template:
            template.model_queue.template = None
        if registry.templates.pop(template, template) is None:
            registry.timers.clear(template)
            template.link.close()
            registry.budget.release(template)

    def _go_cold(self, model_queue: ModelQueue, why: str, *, broke: bool = False) -> None:
        """Start cold from now on, and say it once: aloud where it was asked for, or where something ``broke``."""
        if model_queue.cold_because is None:
            model_queue.cold_because = why
            self._registry.say_cold(model_queue, aloud=broke)
