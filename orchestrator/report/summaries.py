"""The numbers of one series and of its models, as tables, pages and result files show them.

They are made in :mod:`orchestrator.experiments.judging.summary` and written as JSON under ``summary.<series>``.
Megabytes are 1024² bytes, names carry their units, and what is not known is None: never 0, never huge.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.report.lever_summaries import NO_LEVERS, Channel, LeverSummary, ModelChange, NetChanges


class LeakRate(msgspec.Struct, frozen=True, kw_only=True):
    """The slope of the leak series at one boundary, with its 95 % interval.

    Attributes:
        boundary: Where the series was read.
        rate_mb_per_iteration: The slope after the warm-up.
        ci_low: Lower end of its interval.
        ci_high: Its upper end.
        iterations: How many iterations the slope was computed from.
        warm_up_iterations: How many before them were left out.
        reason: Why there is no rate; None if there is one.
    """

    boundary: str
    rate_mb_per_iteration: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    iterations: int = 0
    warm_up_iterations: int = 0
    reason: str | None = None


class SpeechNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """How fast and how well speech was transcribed, and how long each phase took: means over the steps.

    ``text_at_once`` is True if the engine handed over all its text in one piece, every time: then there is no speed,
    and TTFT is the whole time.
    """

    avg_ttft_ms: float | None = None
    avg_speed_chars_per_s: float | None = None
    text_at_once: bool | None = None
    avg_rtf: float | None = None
    final_wer_percent: float | None = None
    avg_wer_percent: float | None = None
    final_cer_percent: float | None = None
    avg_cer_percent: float | None = None
    avg_spawn_s: float | None = None
    avg_load_s: float | None = None
    avg_infer_s: float | None = None
    avg_unload_s: float | None = None
    avg_exit_s: float | None = None


class TemplateSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The templates of one model in a warm series: means, where there was more than one.

    Attributes:
        started: How many there were.
        memory_mb: What one holds with its model loaded, before it is forked: there once for all workers.
        load_s: How long the engine loaded.
        start_s: From its start until it could be forked.
    """

    started: int
    memory_mb: float
    load_s: float
    start_s: float


class ModelSummary(SpeechNumbers, frozen=True, kw_only=True):
    """The numbers of one model of a series, over all its steps.

    *Net leak per switch* (exp3) and *net overhead* (exp5) are two names, both of the original study, for what is still
    there after unload and was not there before load. ``net_change`` is that with its interval, by channel (``live``,
    ``rss``), see ``orchestrator.experiments.judging.net_changes``.
    """

    label: str = ""
    engine: str = ""
    tasks: list[str] = []
    avg_load_overhead_mb: float | None = None
    avg_unload_release_mb: float | None = None
    avg_net_leak_per_switch_mb: float | None = None
    avg_net_overhead_mb: float | None = None
    net_change: dict[Channel, ModelChange] = {}


class SeriesSummary(SpeechNumbers, frozen=True, kw_only=True):
    """The numbers of one series. Without a value, the series did not run.

    Attributes:
        method, variant: What the series' key consists of.
        outcome: How it ended: ``completed``, ``crashed`` …; ``sentence`` says the same with its place and cause.
        not_possible: Whether it is unavailable because its models cannot be treated so, whatever is installed.
        how_to_get_it: How to get what was missing, for a series that could not run.
        stderr_tail: The last output of a worker that did not come to its end.
        unclean_exits, restarts: What was wrong with the ends of its processes; why the series was begun again.
        abandoned: By role why models were abandoned and not destroyed; empty where all were destroyed.
        iterations, iterations_planned, iterations_saved: How many were run, planned, and saved by an early end.
        stopped, settled_as: ``settled`` and the answer, if the series ended early.
        reset: ``none`` if the engine has no restart, ``restart`` if it has, None if it was not asked to.
        initial_memory_mb: Iteration 1, or what was there before the first load for an in-process method with several
            models.
        final_memory_mb: The last iteration.
        growth_rate_mb_per_iteration: Final minus initial over the number of iterations, as in the original study.
        judgement: What the series' growth means; every report shows this one.
        leak_rate: Of the leak series at the series' own boundary; ``leak_rate_after_…`` at each of the others.
        trim_released_mb: By how much RssAnon fell in the one heap trim after the last reading.
        models: The numbers by model; those of speech stand only there if there are several.
        net_changes: How the models' net changes add up to the growth of the process, by channel.
        templates: By model, what a warm series' workers were forked from; memory and peaks beside it count what is
            private to a worker.
        levers: What other series show about this one, see ``orchestrator.experiments.judging.levers``.
    """

    method: str = ""
    variant: str | None = None
    outcome: str | None = None
    sentence: str = ""
    how_to_get_it: str | None = None
    stderr_tail: str | None = None
    unclean_exits: list[str] = []
    restarts: list[str] = []
    abandoned: dict[str, str] = {}
    iterations: int | None = None
    iterations_planned: int | None = None
    iterations_saved: int | None = None
    stopped: Literal["settled"] | None = None
    settled_as: Literal["leak", "clean"] | None = None
    elapsed_s: float | None = None
    missed_samples: int | None = None
    reset: Literal["restart", "none"] | None = None
    initial_memory_mb: float | None = None
    final_memory_mb: float | None = None
    memory_growth_mb: float | None = None
    growth_rate_mb_per_iteration: float | None = None
    judgement: Judgement | None = None
    leak_rate: LeakRate | None = None
    leak_rate_after_infer: LeakRate | None = None
    leak_rate_after_unload: LeakRate | None = None
    avg_peak_mb: float | None = None
    max_peak_mb: float | None = None
    avg_tree_peak_mb: float | None = None
    max_tree_peak_mb: float | None = None
    peak_source: Literal["VmHWM", "sampled"] | None = None
    first_threads: int | None = None
    last_threads: int | None = None
    first_descriptors: int | None = None
    last_descriptors: int | None = None
    first_heap_live_mb: float | None = None
    last_heap_live_mb: float | None = None
    first_heap_held_mb: float | None = None
    last_heap_held_mb: float | None = None
    heap_off: str | None = None
    trimmed: bool | None = None
    trim_released_mb: float | None = None
    models: dict[str, ModelSummary] = {}
    net_changes: list[NetChanges] | None = None
    templates: dict[str, TemplateSummary] = {}
    not_possible: bool = False
    levers: LeverSummary = NO_LEVERS

    @property
    def ready_ms(self) -> float | None:
        """Milliseconds from the order of a process until its model can be used, on average; None if not measured."""
        if self.avg_load_s is None:
            return None
        return ((self.avg_spawn_s or 0.0) + self.avg_load_s) * 1000

    @property
    def template_mb(self) -> float | None:
        """MB of all templates together; None without one."""
        return sum(each.memory_mb for each in self.templates.values()) if self.templates else None


NOT_RUN = SeriesSummary()
"""Stands for a series that has no summary."""
