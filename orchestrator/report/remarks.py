"""The lines below a table: what a dash means, and how series ended that did not complete. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.config.types import Experiment, Series
from orchestrator.report.cells import Numbers, rate_with_interval
from orchestrator.report.layout import Line
from orchestrator.report.names import method_name
from orchestrator.report.shape import columns_of
from orchestrator.report.summaries import NOT_RUN, SeriesSummary
from orchestrator.stderr_lines import telling_lines

_LAST_LINES = 3

Summaries = Mapping[str, SeriesSummary]


def text_at_once(groups: Iterable[tuple[str, Numbers]]) -> list[Line]:
    """Return the footnote about engines that hand over all their text at once.

    ``groups`` are the columns of a table: name and numbers. Where it holds for some only, they are named.
    """
    known = [(name, bool(numbers.text_at_once)) for name, numbers in groups if numbers.avg_ttft_ms]
    names = list(dict.fromkeys(name for name, at_once in known if at_once))
    if not names:
        return []
    whom = "" if all(at_once for _, at_once in known) else f"{', '.join(names)}: "
    return [Line(f"¹ {whom}all text came at once, so there is no speed and TTFT is the total time.", "note")]


def sampled_peak(summaries: Iterable[SeriesSummary]) -> list[Line]:
    """Return the footnote about peaks that the kernel did not keep for us."""
    if not any(numbers.peak_source == "sampled" for numbers in summaries):
        return []
    return [Line("Peak: the highest sample; the kernel's own mark could not be reset.", "note")]


def missing_rates(experiment: Experiment, summaries: Summaries) -> list[Line]:
    """Return why series have no leak rate, each reason once, and of which where others have one.

    One that could not run has a line of its own about that.
    """
    ran = [
        (series, summary)
        for series in columns_of(experiment)
        if (summary := summaries.get(series.key)) and summary.outcome != "unavailable"
    ]
    reasons: dict[str, list[str]] = {}
    for series, summary in ran:
        if summary.leak_rate and summary.leak_rate.reason:
            reasons.setdefault(summary.leak_rate.reason, []).append(method_name(series, summary))
    lines: list[Line] = []
    for reason, names in reasons.items():
        whose = "" if len(names) == len(ran) else f" of {', '.join(names)}"
        lines.append(Line(f"Leak rate{whose}: {reason}.", "note"))
    return lines


def baseline_boundary(experiment: Experiment, summaries: Summaries) -> list[Line]:
    """Return the baseline's leak rate after infer, where a column beside it is read there."""
    kept = [series for series in experiment.series if series.method in {"restart", "reuse", "warm"}]
    lines: list[Line] = []
    for series in columns_of(experiment):
        rate = summaries.get(series.key, NOT_RUN).leak_rate_after_infer
        if series.method != "recycle" or not kept or not rate or rate.rate_mb_per_iteration is None:
            continue
        whom = " and ".join(
            dict.fromkeys(method_name(each) for each in kept if each.variant == series.variant)
        )
        if whom:
            text = f"{method_name(series)} read after infer, as {whom}: {rate_with_interval(rate)} MB/iter."
            lines.append(Line(text, "note"))
    return lines


def baseline_growth(experiment: Experiment) -> list[Line]:
    """Return where a baseline of several models begins: every iteration is back before the first load."""
    if all(series.method != "recycle" for series in experiment.series):
        return []
    text = "Recycle (baseline): fresh processes, so Initial is read after unload, as Final is."
    return [Line(text, "note")]


def endings(columns: Sequence[Series], summaries: Summaries) -> list[Line]:
    """Return what happened to series that did not complete, with their last output and what to do about it.

    Of those that did, how their processes ended where that was not as it should be.
    """
    lines: list[Line] = []
    for series in columns:
        summary = summaries.get(series.key)
        if summary is None:
            lines.append(Line(f"{method_name(series)}: did not run", "bad"))
        elif summary.outcome != "completed":
            lines += _ending(method_name(series, summary), summary)
        else:
            lines += _abandoned(method_name(series, summary), summary)
            exits = Counter(summary.unclean_exits)
            for words, count in exits.items():
                times = f" ({count} times)" if count > 1 else ""
                lines.append(Line(f"{method_name(series, summary)}: {words}{times}", "note"))
    return lines


def _abandoned(name: str, summary: SeriesSummary) -> list[Line]:
    judged = summary.judgement
    return [Line(f"{name}: {judged.abandoned}", "note")] if judged is not None and judged.abandoned else []


def _ending(name: str, summary: SeriesSummary) -> list[Line]:
    lines = [Line(f"{name}: {summary.sentence}", "bad")]
    lines += [Line(f"    {line}") for line in telling_lines(summary.stderr_tail or "", _LAST_LINES)]
    if how_to_get_it := summary.how_to_get_it:
        lines.append(Line(f"    {how_to_get_it}", "note"))
    return lines + _abandoned(name, summary)
