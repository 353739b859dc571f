"""What other series and the series' own loads show about a series, as its summary holds it.

The numbers are made in :mod:`orchestrator.experiments.judging.levers` and
:mod:`orchestrator.experiments.judging.net_changes`. Each part has its sentence with it, because only there is known
what tables call the series and the models. Megabytes are 1024² bytes; intervals are 95 %.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from orchestrator.analysis.planning.levers import LoadSplit, VariantEffect
from orchestrator.analysis.planning.net_change import Interval, LoadAndJob

Channel = Literal["live", "rss"]
"""``live``: live bytes of the C heap; ``rss``: the leak series of the process."""


class VariantSummary(VariantEffect, frozen=True, kw_only=True):
    """A series in another environment, held against the same method without it.

    Attributes:
        against: Key of the series without it.
        setting: What the variant sets.
        sentence: What that does to the growth.
        cost: What it costs in time and memory, in words.
    """

    against: str
    setting: str
    sentence: str
    cost: str = ""


class LoadSplitSummary(LoadSplit, frozen=True, kw_only=True):
    """The growth of ``recreate``, held against a series that keeps its model.

    Attributes:
        against: Key of that series.
        sentence: What comes with a load, and what with a job; empty where nothing grows.
    """

    against: str
    sentence: str = ""


class TrimSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What the one heap trim after the last reading gave back, see :class:`.levers.TrimEffect`.

    ``share`` is the part of the growth that came back, None where nothing had grown.
    """

    released_mb: float
    growth_mb: float
    leak_mb: float | None = None
    share: float | None = None
    sentence: str = ""


class LeverSummary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the levers show about one series; a lever that was not pulled is not written to the result file.

    Attributes:
        variant: A series in another environment.
        load_split: ``recreate`` against a kept model, by channel, the live heap first.
        trim: The heap trim at the end.
    """

    variant: VariantSummary | None = None
    load_split: list[LoadSplitSummary] = []
    trim: TrimSummary | None = None


NO_LEVERS = LeverSummary()
"""Of a series about which nothing else says anything."""


class ModelChange(msgspec.Struct, frozen=True, kw_only=True):
    """What one model leaves behind per iteration, MB.

    Attributes:
        per_iteration: Mean with its 95 % interval.
        finding: ``grows``, ``nothing`` (the interval ends below the tolerance), or ``open``.
        jobs: Jobs per iteration, on average.
        split: What a load and what a job leave, where the number of jobs per load varied.
    """

    per_iteration: Interval
    finding: Literal["grows", "nothing", "open"]
    jobs: float
    split: LoadAndJob | None = None


class NetChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What the models of a series leave behind, as one channel shows it. MB per iteration.

    Attributes:
        channel: ``live`` or ``rss``.
        models: By role.
        sum: Of the models' means.
        total: Growth of the whole process over the same iterations, per iteration.
        between: The total less the sum: what changed between the steps.
        iterations: How many were used.
        sentence: The same in words, with the models' labels.
    """

    channel: Channel
    models: dict[str, ModelChange]
    sum: float
    total: float
    between: float
    iterations: int
    sentence: str = ""
