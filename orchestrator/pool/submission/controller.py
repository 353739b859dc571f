"""What ``Pool``, ``AsyncPool`` and ``PoolExecutor`` share: jobs go in, statistics come out, the pool ends.

The three differ in how their callers wait.
"""

from __future__ import annotations

import atexit
import os
import time
import warnings
import weakref
from concurrent.futures import Future
from typing import Any

from orchestrator.errors import ForkedPoolError
from orchestrator.inspection import Inspection
from orchestrator.pool.core.entities import JobRecord
from orchestrator.pool.core.prefetch import SHORT_JOB_S
from orchestrator.pool.futures import PoolFuture
from orchestrator.pool.jobs import Call, Job
from orchestrator.pool.models import FUNCTION_MODEL
from orchestrator.pool.options import PoolOptions
from orchestrator.pool.runtime.admission import Admission
from orchestrator.pool.runtime.event_loop import EventLoop
from orchestrator.pool.stats import PoolStats, take_stats
from orchestrator.pool.submission.checked_options import check_options
from orchestrator.pool.submission.inspection_view import inspection_of
from orchestrator.pool.submission.language_models import LanguageModels
from orchestrator.pool.submission.payload import Payload, close_audio, job_record, make_payload

EXIT_TIMEOUT_S = 5.0
MOST_OPEN_ARRAYS = 256
"""Jobs with audio or large arguments in memory that one pool holds at a time: each has a descriptor until it ends."""
_open_controllers: weakref.WeakSet[Controller] = weakref.WeakSet()


class Controller:
    """Settings, admission and event loop of one pool."""

    def __init__(self, options: PoolOptions, *, finishes_at_exit: bool = False) -> None:
        """Check the options and start the pool.

        ``finishes_at_exit`` says whether the interpreter waits for its jobs when it is left, as it does for those of a
        standard executor; else they are dropped.

        Raises:
            ConfigError, ResultsError, ValueError, TypeError: As :class:`~orchestrator.pool.pool.Pool`.
        """
        checked = check_options(options)
        self.models = checked.models
        self.workers = checked.settings.workers
        self._cache_dir = checked.cache_dir
        self._max_value_bytes = checked.settings.max_value_bytes
        self._admission = Admission(options.max_queue, MOST_OPEN_ARRAYS)
        self._owner_pid = os.getpid()
        self._loop = EventLoop(self.models.values(), checked.settings, self._admission, options.on_event)
        self._supervisor = self._loop.supervisor
        self._model_queues = self._supervisor.registry.model_queues
        self._languages = LanguageModels()
        self._loop.start()
        self.finishes_at_exit = finishes_at_exit
        _open_controllers.add(self)
        self._inspection: Inspection | None = self._shown() if options.inspect else None

    # ------------------------------------------------------------------ jobs

    def prepare(self, job: Job, *, stream: bool = False) -> Payload:
        """Check and encode a job. Blocks while audio is decoded."""
        self.check_owner()
        payload = make_payload(
            job, stream=stream, cache_dir=self._cache_dir, most_bytes=self._max_value_bytes
        )
        if payload.model not in self.models:
            close_audio(payload)
            named = ", ".join(name for name in self.models if name != FUNCTION_MODEL) or "none"
            raise ValueError(f"model {payload.model!r} is none of this pool's: {named}")
        return self._languages.addressed(payload, job, self.models[payload.model])

    def enter(self, payload: Payload, *, block: bool, timeout_s: float | None) -> None:
        """Take a place in the queue for a prepared job, or close what it holds.

        A callback on the pool's own thread never blocks: nobody would make room.
        """
        if payload.descriptor is None and self._admission.queue.enter_now():
            return
        try:
            on_loop = self._loop.is_current()
            self._loop.not_returning()
            self._admission.enter(
                array=payload.descriptor is not None, block=block, timeout_s=timeout_s, on_loop=on_loop
            )
        except BaseException:
            close_audio(payload)
            raise

    async def enter_async(self, payload: Payload, *, timeout_s: float | None) -> None:
        """The same for a coroutine."""
        try:
            await self._admission.enter_async(array=payload.descriptor is not None, timeout_s=timeout_s)
        except BaseException:
            close_audio(payload)
            raise

    def submit(
        self,
        payload: Payload,
        future: PoolFuture[Any],
        *,
        timeout_s: float | None,
        queue_timeout_s: float | None,
        priority: int,
        returning: bool = False,
    ) -> None:
        """Hand a job that has its place to the supervisor."""
        model_queue = self._model_queues.get(payload.model) or self._languages.made[payload.model]
        record = job_record(payload, model_queue, future, timeout_s, queue_timeout_s, priority)
        future.bind(record, self)
        self._loop.submit(record, returning=returning)

    def at_most_queued(self, jobs: int) -> int:
        """Return ``jobs``, or fewer, so that whoever keeps so many under way seldom waits for a place in the queue."""
        return max(2, min(jobs, self._admission.queue.max_queue * 9 // 10))

    def is_short(self, job: Job) -> bool:
        """Whether jobs of its model have been so short that they are sent ahead."""
        model_queue = self._model_queues.get(
            FUNCTION_MODEL if isinstance(job, Call) else getattr(job, "model", "")
        )
        return model_queue is not None and model_queue.engine_s < SHORT_JOB_S

    def cancel(self, record: JobRecord) -> None:
        """Tell the supervisor that a caller gave its job up."""
        self._loop.post(self._supervisor.cancel, record)

    def text_was_read(self, record: JobRecord) -> None:
        """Tell the supervisor that there is room for more of a job's text."""
        self._loop.post(self._supervisor.text_was_read, record)

    def hold(self, error: BaseException) -> None:
        """Raise what a callback has let out when the decision under way is complete."""
        self._loop.hold(error)

    def drive(self, future: PoolFuture[Any], timeout_s: float | None) -> float | None:
        """Let a caller that waits run the pool meanwhile, if it may; return what is left of its time."""
        return self._loop.drive(future, timeout_s)

    def replies_descriptor(self) -> int | None:
        """Return what an event loop waits on to take replies itself, for it to close; None where it cannot."""
        return self._loop.replies_descriptor()

    def take_replies(self) -> None:
        """Take the replies there are."""
        self._loop.take_replies()

    def check_owner(self) -> None:
        """Refuse to work in a forked copy of the process.

        Raises:
            ForkedPoolError: This process did not make the pool.
        """
        if os.getpid() != self._owner_pid:
            raise ForkedPoolError(self._owner_pid)

    def cancel_waiting(self) -> None:
        """Cancel every job that has not started."""
        self._loop.post(self._supervisor.cancel_waiting)

    # ------------------------------------------------------------------ looking

    def stats(self) -> PoolStats:
        """Return what the supervisor knows now; of a closed pool, what it knew last."""
        self.check_owner()
        registry = self._supervisor.registry
        if self._loop.is_current() or self._loop.thread_ended:
            return take_stats(registry, time.monotonic())
        answer: Future[PoolStats] = Future()

        def look(now: float) -> None:
            try:
                self._supervisor.look_if_due(now)
                answer.set_result(take_stats(registry, now))
            except Exception as error:  # noqa: BLE001 - state that an interrupt left half written
                answer.set_exception(error)

        self._loop.post(look)
        return answer.result()

    def _shown(self) -> Inspection:
        """Let other processes of this user look in; a pool that cannot be looked into as asked is none."""
        try:
            return inspection_of(self)
        except BaseException:
            self.end(drop=True)
            self.join()
            raise

    def hide(self) -> None:
        """Let nobody look in any more."""
        inspection = getattr(self, "_inspection", None)
        if inspection is not None:
            inspection.close()

    # ------------------------------------------------------------------ ending

    @property
    def closed(self) -> bool:
        """Whether no job is taken any more."""
        return self._admission.closed

    def end(self, *, drop: bool) -> None:
        """Take no more jobs and finish those there are, or ``drop`` them. Does not wait."""
        if os.getpid() != self._owner_pid:
            return
        self._admission.close()
        self._loop.post(self._supervisor.stop if drop else self._supervisor.close)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until every worker is gone; False when that took longer than ``timeout_s``."""
        ended = self._loop.join(timeout_s)
        if ended:
            _open_controllers.discard(self)
            self.hide()
        return ended

    def __del__(self) -> None:
        if hasattr(self, "_loop") and not self._admission.closed and os.getpid() == self._owner_pid:
            self.end(drop=False)
            self.hide()
            warnings.warn(
                "a pool was never closed: use it in a with block, or call close() or shutdown()",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )


def _end_at_exit() -> None:
    """Finish what executors have been given, as the standard ones do, and end the other pools.

    Workers die with the process anyway; this spares them the lifeline and us a thread in mid-air.
    """
    controllers = list(_open_controllers)
    for controller in controllers:
        controller.end(drop=not controller.finishes_at_exit)
    for controller in controllers:
        controller.join(None if controller.finishes_at_exit else EXIT_TIMEOUT_S)


atexit.register(_end_at_exit)
