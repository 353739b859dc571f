"""Small experiments and records with known numbers, for tests of summaries, tables, files and displays.

Memory is given in MB and becomes bytes here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, MethodName, Plan, Sample, Series, Step
from orchestrator.experiments.judging.judgement import Judgements
from orchestrator.experiments.judging.summary import summarize, summarize_all
from orchestrator.experiments.storage.records import (
    Boundary,
    IterationRecord,
    Phases,
    Reading,
    SeriesEnd,
    SeriesRecords,
    StepRecord,
)
from orchestrator.report.summaries import SeriesSummary

MB = 1024**2
JFK = (
    "And so, my fellow Americans, ask not what your country can do for you, "
    "ask what you can do for your country."
)


def model(role: str = "asr-small", label: str = "0.6B", **changes: Any) -> BoundModel:
    facts: dict[str, Any] = {"engine": "chatllm", "file": f"/models/{role}.bin", "threads": 6}
    return BoundModel(name=role, label=label, **(facts | changes))


def sample(name: str = "phone", reference: str | None = "0900073331") -> Sample:
    path = f"/samples/{name}"
    return Sample(name=name, audio=f"{path}.wav", reference_file=f"{path}.txt", reference=reference)


def step(
    task: str = "asr", of: BoundModel | None = None, on: Sample | None = None, text: str | None = None
) -> Step:
    return Step(task=task, model=of or model(), sample=on or sample(), text=text)


def experiment(
    *methods: MethodName, steps: Sequence[Step] | None = None, series: Sequence[Series] = (), **changes: Any
) -> Experiment:
    facts: dict[str, Any] = {
        "name": "exp2",
        "title": "Memory Leak Comparison",
        "iterations": 10,
        "recycle_after": 1,
        "sample_interval_ms": 20,
        "heap": True,
        "timeout_s": 600.0,
        "output": "comparison_results.json",
    }
    chosen = [*(Series(method=method) for method in methods), *series]
    return Experiment(series=chosen, steps=list(steps or [step()]), **(facts | changes))


def switching(*methods: MethodName, **changes: Any) -> Experiment:
    """exp3: two recognisers, one after the other."""
    steps = [step(), step(of=model("asr-large", "1.7B"))]
    facts = {"name": "exp3", "title": "Model Switching Memory Benchmark", "iterations": 1}
    return experiment(*methods, steps=steps, **(facts | changes))


def aligning(*methods: MethodName, **changes: Any) -> Experiment:
    """exp4: one aligner."""
    steps = [step("align", model("aligner", "Aligner"), sample("jfk", JFK), "reference")]
    facts = {"name": "exp4", "title": "Forced Aligner Memory Comparison", "iterations": 1}
    return experiment(*methods, steps=steps, **(facts | changes))


def chain(*methods: MethodName, **changes: Any) -> Experiment:
    """exp5: a recogniser, then an aligner of what it heard."""
    jfk = sample("jfk", JFK)
    steps = [step(on=jfk), step("align", model("aligner", "Aligner"), jfk, "previous")]
    facts = {"name": "exp5", "title": "ASR + Forced Aligner Memory Test", "iterations": 1}
    return experiment(*methods, steps=steps, **(facts | changes))


def plan(*experiments: Experiment) -> Plan:
    return Plan(
        file="/study/experiments.toml",
        profile="embedded",
        profile_reason="profile embedded: no chatllm.cpp library",
        experiments=list(experiments),
        keep_runs=20,
    )


def reading(rss_mb: float, anon_mb: float | None = None, **facts: Any) -> Reading:
    """A reading; anonymous memory is the same as RSS unless said."""
    anon = rss_mb if anon_mb is None else anon_mb
    return Reading(rss=int(rss_mb * MB), rss_anon=int(anon * MB), **facts)


def step_record(of: Step | None = None, memory_mb: Sequence[float | None] = (), **facts: Any) -> StepRecord:
    """A step's record; ``memory_mb`` stands for the four boundaries, None for one not read."""
    about = of or step()
    boundaries: tuple[Boundary, ...] = ("before_load", "after_load", "after_infer", "after_unload")
    readings = {name: reading(mb) for name, mb in zip(boundaries, memory_mb, strict=False) if mb is not None}
    known: dict[str, Any] = {"generation": 1, "readings": readings, "phases": Phases(), "chunks": 2}
    return StepRecord(
        model=about.model.name,
        label=about.model.label,
        engine=about.model.engine,
        task=about.task,
        **(known | facts),
    )


def iteration(
    number: int,
    *steps: StepRecord,
    memory_mb: float,
    series: str = "recreate",
    name: str = "exp2",
    **facts: Any,
) -> IterationRecord:
    peak = int(memory_mb * MB)
    known: dict[str, Any] = {"life": number, "peak": peak, "peak_source": "VmHWM", "tree_peak": peak}
    return IterationRecord(
        experiment=name,
        series=series,
        iteration=number,
        memory=int(memory_mb * MB),
        steps=list(steps),
        started_at="2026-01-01T00:00:00Z",
        **(known | facts),
    )


def ended(count: int, series: str = "recreate", **facts: Any) -> SeriesEnd:
    known: dict[str, Any] = {"experiment": "exp2", "outcome": "completed", "iterations": count}
    return SeriesEnd(series=series, **(known | facts))


def records(
    series: str, iterations: Sequence[IterationRecord], end: SeriesEnd | None = None
) -> SeriesRecords:
    return SeriesRecords(
        experiment="exp2",
        series=series,
        iterations=list(iterations),
        end=end or ended(len(iterations), series),
    )


def growing(
    series: str, count: int, start_mb: float = 100.0, rate_mb: float = 0.0, **facts: Any
) -> SeriesRecords:
    """A single-model series whose memory grows by ``rate_mb`` an iteration, read at every boundary."""
    known: dict[str, Any] = {
        "ttft_ms": 400.0,
        "speed_chars_per_s": 50.0,
        "wer_percent": 0.0,
        "cer_percent": 0.0,
    }
    made: list[IterationRecord] = []
    for number in range(1, count + 1):
        now = start_mb + rate_mb * (number - 1)
        done = step_record(None, (now, now, now, now), **(known | facts))
        made.append(iteration(number, done, memory_mb=now, series=series))
    return records(series, made)


def summarized(about: Experiment, of: SeriesRecords) -> SeriesSummary:
    """The summary of one series by itself."""
    return summarize(Judgements(about, [of]), of.series)


def summarized_all(about: Experiment, series: Iterable[SeriesRecords]) -> dict[str, SeriesSummary]:
    """The summaries of an experiment's series."""
    return summarize_all(Judgements(about, series))
