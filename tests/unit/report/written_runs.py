"""Runs on disk with known records, for tests of reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Experiment, Plan, Sample, Series, Step
from orchestrator.experiments.storage.manifest import make_manifest
from orchestrator.experiments.storage.records import (
    IterationRecord,
    Phases,
    Reading,
    SeriesEnd,
    SeriesStart,
    StepRecord,
)
from orchestrator.experiments.storage.run_folder import ResultsFolder, RunFolder
from orchestrator.process.sampling.sample_record import Label, phase_code
from orchestrator.process.sampling.samples import SampleWriter

MB = 1024**2
MODEL = BoundModel(name="asr-small", engine="synthetic", label="0.6B", threads=2)
SAMPLE = Sample(name="phone", audio="/samples/phone.wav", reference_file=None, reference="零九零零")


def experiment(*methods: str, name: str = "exp2", model: BoundModel = MODEL, **changes: Any) -> Experiment:
    facts: dict[str, Any] = {
        "title": "Memory Leak Comparison",
        "iterations": 40,
        "recycle_after": 1,
        "sample_interval_ms": 20,
        "heap": True,
        "timeout_s": 600.0,
        "output": f"{name}_results.json",
        "series": [Series(method=method) for method in methods],  # type: ignore[arg-type]
        "steps": [Step(task="asr", model=model, sample=SAMPLE, text=None)],
    }
    return Experiment(name=name, **(facts | changes))


def reading(rss_mb: float, *, heap: bool = True, **changes: Any) -> Reading:
    facts: dict[str, Any] = {"rss_anon": int((rss_mb - 10) * MB), "swap": 0}
    if heap:
        facts |= {"heap_live": int((rss_mb - 40) * MB), "heap_held": 20 * MB}
    return Reading(rss=int(rss_mb * MB), **(facts | changes))


def iterations(
    series: str, count: int, rate_mb: float, *, name: str = "exp2", heap: bool = True, **step: Any
) -> list[IterationRecord]:
    made: list[IterationRecord] = []
    for number in range(1, count + 1):
        now = reading(100 + rate_mb * number, heap=heap)
        about: dict[str, Any] = {
            "model": "asr-small",
            "label": "0.6B",
            "engine": "synthetic",
            "task": "asr",
            "generation": number if series == "recycle" else 1,
            "readings": {"before_load": now, "after_load": now, "after_infer": now, "after_unload": now},
            "phases": Phases(spawn_s=0.05, load_s=0.2 + number / 1000, infer_s=0.3, unload_s=0.01),
        }
        made.append(
            IterationRecord(
                experiment=name,
                series=series,
                iteration=number,
                life=number,
                memory=now.rss,
                peak=now.rss,
                peak_source="VmHWM",
                tree_peak=now.rss,
                steps=[StepRecord(**(about | step))],
                started_at="2026-01-01T00:00:00+00:00",
            )
        )
    return made


class Written:
    """A results folder with one run that tests add series to."""

    def __init__(self, folder: Path, *experiments: Experiment, samples: bool = True) -> None:
        self.results = ResultsFolder(folder)
        self.run: RunFolder = self.results.new_run()
        self.path = self.run.path
        plan = Plan(
            file="/study/experiments.toml",
            profile="embedded",
            profile_reason="embedded: chosen by --profile",
            experiments=list(experiments),
            keep_runs=20,
        )
        self.run.save(make_manifest(plan, run_id=self.run.run_id, files=[], samples=[]))
        self._samples = samples

    def add(
        self,
        series: str,
        made: Sequence[IterationRecord] = (),
        *,
        name: str = "exp2",
        outcome: str = "completed",
        **end: Any,
    ) -> None:
        self.run.append(SeriesStart(name, series))
        for record in made:
            self.run.append(record)
        self.run.append(SeriesEnd(name, series, outcome, len(made), **end))  # type: ignore[arg-type]
        if self._samples:
            self._write_samples(name, series, made)

    def _write_samples(self, name: str, series: str, made: Sequence[IterationRecord]) -> None:
        writer = SampleWriter(self.path)
        codes = writer.experiment_code(name), writer.series_code(series)
        for record in made:
            for step, phase in enumerate(("load", "load", "infer", "infer", "unload")):
                label = Label(*codes, record.iteration, 0, record.steps[0].generation, phase_code(phase))
                at_ns = (record.iteration * 5 + step) * 20_000_000
                writer.write(label, (at_ns, record.memory, record.memory, record.memory, 0))
        writer.close()
