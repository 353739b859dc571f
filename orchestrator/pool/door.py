"""What ``Pool`` and ``AsyncPool`` have in common: the keywords they are made with."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal

from orchestrator.pool.events import Hook
from orchestrator.pool.models import Model
from orchestrator.pool.options import START_TIMEOUT_S, PoolOptions
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry
from orchestrator.pool.submission.controller import Controller
from orchestrator_worker.sharing.shared_memory import DEFAULT_BOUND


class PoolDoor:
    """A pool to be made. The keywords are spelt out, so that editors and ``help()`` show them."""

    def __init__(
        self,
        config: str | os.PathLike[str] | None = None,
        *,
        profile: str = "auto",
        models: Iterable[Model] | None = None,
        workers: int = 1,
        memory_budget: int | str | None = None,
        hard_budget: bool = False,
        heartbeat_s: float | None = None,
        standby: int = 0,
        exclusive: bool = False,
        keep_warm: Iterable[str] = (),
        recycle: Recycle | Literal["auto"] | None = None,
        max_queue: int = 1000,
        max_attempts: int | Retry = 1,
        max_value: int | str = DEFAULT_BOUND,
        start_timeout_s: float = START_TIMEOUT_S,
        cache_dir: str | os.PathLike[str] | None = None,
        on_event: Hook | None = None,
        inspect: bool = False,
        python: str | os.PathLike[str] | None = None,
        pass_env: Iterable[str] = (),
    ) -> None:
        self._check_caller()
        self._controller = Controller(
            PoolOptions(
                config=config,
                profile=profile,
                models=models,
                workers=workers,
                memory_budget=memory_budget,
                hard_budget=hard_budget,
                heartbeat_s=heartbeat_s,
                standby=standby,
                exclusive=exclusive,
                keep_warm=keep_warm,
                recycle=recycle,
                max_queue=max_queue,
                max_attempts=max_attempts,
                max_value=max_value,
                start_timeout_s=start_timeout_s,
                cache_dir=cache_dir,
                on_event=on_event,
                inspect=inspect,
                python=python,
                pass_env=pass_env,
            )
        )

    def _check_caller(self) -> None:
        """Refuse a caller that cannot use this kind of pool, before anything is started."""

    @property
    def models(self) -> tuple[Model, ...]:
        """The models this pool knows, the one of ``Call`` jobs first."""
        return tuple(self._controller.models.values())
