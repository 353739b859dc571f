"""Judge memory series: arrays in, frozen results out; no file, clock or process is touched here.

Read in this order: ``series``, ``slope``, ``channel``, ``shapes``, ``verdict``.
"""

from orchestrator.analysis.baseline import (
    SlopeDifference,
    compare_with_baseline,
    settled_slope,
    slope_difference,
)
from orchestrator.analysis.channel import FEWEST_ITERATIONS, judge_channel
from orchestrator.analysis.composition import Composition
from orchestrator.analysis.counts import COUNT_TOLERANCE, judge_count
from orchestrator.analysis.decision import CLEAN, ChannelVerdict, VerdictName
from orchestrator.analysis.memory_series import MemorySeries
from orchestrator.analysis.recycling import (
    RecyclePlan,
    WorkerFigures,
    jobs_for_cost,
    jobs_within,
    plan_recycling,
    throughput_cost,
    workers_within,
)
from orchestrator.analysis.settled import LOOKS, Settlement, is_look, settled
from orchestrator.analysis.slope import SlopeEstimate, robust_slope
from orchestrator.analysis.tolerance import live_tolerance_mb, tolerance_mb
from orchestrator.analysis.verdict import Verdict, judge

__all__ = [
    "CLEAN",
    "COUNT_TOLERANCE",
    "FEWEST_ITERATIONS",
    "LOOKS",
    "ChannelVerdict",
    "Composition",
    "MemorySeries",
    "RecyclePlan",
    "Settlement",
    "SlopeDifference",
    "SlopeEstimate",
    "Verdict",
    "VerdictName",
    "WorkerFigures",
    "compare_with_baseline",
    "is_look",
    "jobs_for_cost",
    "jobs_within",
    "judge",
    "judge_channel",
    "judge_count",
    "live_tolerance_mb",
    "plan_recycling",
    "robust_slope",
    "settled",
    "settled_slope",
    "slope_difference",
    "throughput_cost",
    "tolerance_mb",
    "workers_within",
]
