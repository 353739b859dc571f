"""What a pool is told to be: the options as a caller gives them, and the settings that are made of them.

``Pool``, ``AsyncPool`` and ``PoolExecutor`` differ in how their callers wait; all three make one :class:`PoolOptions`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.pool.events import Hook
from orchestrator.pool.models import Model
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry
from orchestrator_worker.sharing.shared_memory import DEFAULT_BOUND

CANCEL_GRACE_S = 0.5
"""How long an engine that was asked to give up its job may take before it is made to leave."""
POLITE_GRACE_S = 2.0
TERM_GRACE_S = 1.0
TRIM_TIMEOUT_S = 10.0
START_TIMEOUT_S = 300.0
SAMPLE_INTERVAL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The supervisor's numbers. Seconds and bytes."""

    workers: int = 1
    budget_bytes: int = 1 << 40
    exclusive: bool = False
    recycle: Recycle | None = None
    retry: Retry = field(default_factory=Retry)
    start_timeout_s: float = START_TIMEOUT_S
    sample_interval_s: float = SAMPLE_INTERVAL_S
    cancel_grace_s: float = CANCEL_GRACE_S
    polite_grace_s: float = POLITE_GRACE_S
    term_grace_s: float = TERM_GRACE_S
    trim_timeout_s: float = TRIM_TIMEOUT_S
    fast_path: bool = True
    """Whether callers may run the event loop, short jobs are prefetched and workers linger. Results are the same."""
    standby: int = 0
    """Slots beyond ``workers``: of all loaded workers only so many as ``workers`` work at a time."""
    hard_budget: bool = False
    """Whether a worker is killed rather than that all of them together stay above the budget."""
    max_value_bytes: int = DEFAULT_BOUND
    """Bytes that a function's arguments or result may have in shared memory, where they are too large for a frame."""
    heartbeat_s: float | None = None
    """After so long without any of its threads having run a worker that works is frozen; None: not looked for."""
    prestart: str | None = None
    """The model to load into every slot at once, when there is only one it could be."""
    keep_warm: tuple[str, ...] = ()
    """Models of which a worker is loaded whenever there is room and a slot that nobody's job wants."""
    python: str | None = None
    """The interpreter of the workers; None: the one that this process would take."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoolOptions:
    """Options of a pool, as a caller gives them; :class:`~orchestrator.pool.pool.Pool` says what each means.

    Nothing is checked here: that is done where settings are made of them (``submission/checked_options``).
    """

    config: str | os.PathLike[str] | None = None
    profile: str = "auto"
    models: Iterable[Model] | None = None
    workers: int = 1
    memory_budget: int | str | None = None
    hard_budget: bool = False
    heartbeat_s: float | None = None
    standby: int = 0
    exclusive: bool = False
    keep_warm: Iterable[str] = ()
    recycle: Recycle | Literal["auto"] | None = None
    max_queue: int = 1000
    max_attempts: int | Retry = 1
    max_value: int | str = DEFAULT_BOUND
    start_timeout_s: float = START_TIMEOUT_S
    cache_dir: str | os.PathLike[str] | None = None
    on_event: Hook | None = None
    inspect: bool = False
    python: str | os.PathLike[str] | None = None
    pass_env: Iterable[str] = ()
