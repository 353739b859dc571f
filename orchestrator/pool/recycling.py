"""When a pool replaces its workers, as a user says it. The rules made of that: ``core/recycling/rules``."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from orchestrator.config.sizes import parse_size

if TYPE_CHECKING:
    from orchestrator.config.recycle_table import RecycleLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Recycle:
    """When a pool replaces a worker; what is absent has no limit.

    Args:
        max_jobs: Jobs a worker does. Never one more.
        max_rss: Bytes or ``"1.5GiB"``, read from outside. Replaced after the job that went past it.
        hard_rss: Bytes or text. Killed as soon as it is seen above, in the middle of a job too.
        max_age_s: Seconds a worker lives; replaced between jobs.
        max_idle_s: Seconds without work, after which a worker gives its memory back and is not replaced.
        jitter: Share (0 … 1) by which jobs, age and max_rss are lowered at random, so that workers started
            together are not replaced together. Limits are never exceeded for it.
        trim_every: Jobs after which the allocator is asked to give free memory back.
        auto: Learn each model's growth from the pool's own workers, and replace one before the job that could
            break the memory budget, or when others wait for memory and the start is worth it. The limits above
            hold besides. ``Pool(recycle="auto")`` is short for ``Recycle(auto=True)``.
        models: Other limits for single models, by name. Such a model follows its own alone: what is absent there has no
            limit, so that one model can be left alone.

    Raises:
        ValueError, TypeError: A limit that makes no sense, named.
    """

    max_jobs: int | None = None
    max_rss: int | str | None = None
    hard_rss: int | str | None = None
    max_age_s: float | None = None
    max_idle_s: float | None = None
    jitter: float = 0.1
    trim_every: int | None = None
    auto: bool = False
    models: Mapping[str, Recycle] = field(default_factory=dict[str, "Recycle"], hash=False)

    def __post_init__(self) -> None:
        self._check_models()
        for name in ("max_jobs", "trim_every"):
            _check_count(name, getattr(self, name))
        for name in ("max_age_s", "max_idle_s"):
            _check_seconds(name, getattr(self, name))
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"Recycle(jitter={self.jitter!r}): a share from 0 to 1")
        soft, hard = self.max_rss_bytes, self.hard_rss_bytes
        if soft is not None and hard is not None and soft >= hard:
            raise ValueError(
                f"Recycle(max_rss={self.max_rss!r}, hard_rss={self.hard_rss!r}): max_rss, at which a worker is "
                "replaced between jobs, must be below hard_rss, at which it is killed"
            )

    def _check_models(self) -> None:
        for name, own in self.models.items():
            if not isinstance(own, Recycle):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
                raise TypeError(f"Recycle(models): {name!r} needs a Recycle(…), found {own!r}")
            if own.models:
                raise ValueError(f"Recycle(models): {name!r} has models of its own; one level is enough")

    @classmethod
    def from_config(cls, limits: RecycleLimits, models: Mapping[str, RecycleLimits] | None = None) -> Self:
        """Make one from a ``[recycle]`` table, and the ``[recycle.models.NAME]`` tables beside it."""
        said = {name: getattr(limits, name) for name in limits.__struct_fields__ if name != "models"}
        own = {name: cls.from_config(each) for name, each in (models or {}).items()}
        return cls(**{name: value for name, value in said.items() if value is not None}, models=own)

    @classmethod
    def from_results(
        cls,
        path: str | os.PathLike[str],
        *,
        model: str | None = None,
        memory_budget: int | str | None = None,
        workers: int | None = None,
    ) -> Self:
        """Return what ``orchestrator plan`` works out from measured results, for workers that load for themselves.

        A fork for every job, which the command may choose, is ``Model(start="warm")`` with ``Recycle(max_jobs=1)``.

        Args:
            path: A run's folder, a results folder (its newest run), or a result file.
            model: Only this model's; its limits then hold for every model of the pool. Without it results of
                one model give the same, those of several give each its own under ``models``.
            memory_budget: For all workers together, as for the pool; bytes or text. Default: the pool's default.
            workers: Of the pool; default what does most within the budget and the cores.

        Raises:
            ResultsError: There is nothing usable; says why for every model.
            ValueError: ``memory_budget`` or ``workers`` makes no sense.
        """
        from orchestrator.experiments.planning.recycle_plan import plan_run  # noqa: PLC0415 - brings numpy

        budget = None if memory_budget is None else _size("memory_budget", memory_budget)
        plan = plan_run(Path(path), budget_bytes=budget, workers=workers, model=model, warm=False)
        each = {one.model: cls(**one.recycle) for one in plan.models}  # type: ignore[arg-type]
        return next(iter(each.values())) if len(each) == 1 else cls(models=each)

    def of(self, model: str) -> Recycle:
        """Return the limits that hold for a model: its own, or these."""
        return self.models.get(model, self)

    @property
    def max_rss_bytes(self) -> int | None:
        """``max_rss`` as a number."""
        return _size("max_rss", self.max_rss)

    @property
    def hard_rss_bytes(self) -> int | None:
        """``hard_rss`` as a number."""
        return _size("hard_rss", self.hard_rss)


def _size(name: str, value: int | str | None) -> int | None:
    if value is None:
        return None
    try:
        return parse_size(value)
    except ValueError as error:
        raise ValueError(f"Recycle({name}={value!r}): {error}") from None


def _check_count(name: str, value: object) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError(f"Recycle({name}={value!r}): a whole number of jobs, at least 1")


def _check_seconds(name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ValueError(f"Recycle({name}={value!r}): a number of seconds above 0")
