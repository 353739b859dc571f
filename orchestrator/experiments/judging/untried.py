"""What would still settle a verdict, when the run has pulled levers that the series alone knows nothing of. Pure.

A series whose growth is memory held free asks for a heap trim, or for another setting of the allocator. An experiment
trims every series at its end, and may have variants: it should not be told to do what it has just done.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.analysis.judging.verdict import HELD_PROBE
from orchestrator.config.types import Experiment
from orchestrator.experiments.storage.records import SeriesRecords

_TRIM = "a heap trim at the end (malloc_trim)"
_THRESHOLD = "MALLOC_TRIM_THRESHOLD_"


def what_would_settle(experiment: Experiment, records: SeriesRecords, settle: Sequence[str]) -> list[str]:
    """Return ``settle`` with the probe for held memory replaced by the first lever that was not pulled yet.

    They are pulled in the order of their cost: the trim and the setting of the C library's allocator (which also
    changes where large blocks are placed, so it may help where a trim does not), another allocator, more
    iterations.
    """
    return [_next_lever(experiment, records) if what == HELD_PROBE else what for what in settle]


def _next_lever(experiment: Experiment, records: SeriesRecords) -> str:
    trimmed = records.end is not None and bool(records.end.trimmed)
    set_already = any(_THRESHOLD in series.env for series in experiment.series)
    left = [
        *([] if trimmed else [_TRIM]),
        *([] if set_already else [f"a run with {_THRESHOLD}=131072"]),
    ]
    if left:
        return ", or ".join(left)
    if not any(series.allocator for series in experiment.series):
        return 'a variant with another allocator (allocator = "jemalloc")'
    return f"{len(records.iterations)} more iterations, to see whether what is held comes to rest"
