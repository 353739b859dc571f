"""Judge memory series: arrays in, frozen results out; no file, clock or process is touched here.

In reading order: ``series`` (readings, checked), ``fitting`` (slopes, shapes, warm-up of one channel), ``judging``
(from channels to a verdict), ``planning`` (from verdicts to what to do), ``locating`` (from live blocks by call stack
to leak sites).
"""

from orchestrator.analysis.fitting.slope import SlopeEstimate, robust_slope
from orchestrator.analysis.judging.baseline import (
    growth_beyond,
    hold_against,
    level_above_fresh,
    level_beyond,
)
from orchestrator.analysis.judging.channel import FEWEST_ITERATIONS, judge_channel
from orchestrator.analysis.judging.composition import Composition
from orchestrator.analysis.judging.counts import COUNT_TOLERANCE, judge_count
from orchestrator.analysis.judging.decision import CLEAN, ChannelVerdict, VerdictName
from orchestrator.analysis.judging.memory_series import MemorySeries
from orchestrator.analysis.judging.settled import LOOKS, Settlement, is_look, settled
from orchestrator.analysis.judging.tolerance import live_tolerance_mb, tolerance_mb
from orchestrator.analysis.judging.verdict import Verdict, judge
from orchestrator.analysis.planning.recycling import (
    RecyclePlan,
    WorkerFigures,
    jobs_for_cost,
    jobs_within,
    plan_recycling,
    throughput_cost,
    workers_within,
)

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
    "SlopeEstimate",
    "Verdict",
    "VerdictName",
    "WorkerFigures",
    "growth_beyond",
    "hold_against",
    "is_look",
    "jobs_for_cost",
    "jobs_within",
    "judge",
    "judge_channel",
    "judge_count",
    "level_above_fresh",
    "level_beyond",
    "live_tolerance_mb",
    "plan_recycling",
    "robust_slope",
    "settled",
    "throughput_cost",
    "tolerance_mb",
    "workers_within",
]
