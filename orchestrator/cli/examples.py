"""Example lines at the end of each command's ``--help``: what a first-time user types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

EXAMPLES: Mapping[str, Sequence[str]] = {
    "run": (
        "orchestrator run experiments.toml --dry-run",
        "orchestrator run experiments.toml --only exp2 --iterations 30 -v",
        "orchestrator run --gate leak --junit leaks.xml --annotations github",
    ),
    "analyze": (
        "orchestrator analyze series.csv",
        "orchestrator analyze results/comparison_results.json --json",
    ),
    "watch": ("orchestrator watch 4711 --every 10 --for 3600",),
    "compare": (
        "orchestrator compare before after --report comparison.html",
        "orchestrator compare a1 a2 a3 --against b1 b2 b3",
    ),
    "calibrate": ("orchestrator calibrate",),
    "report": ("orchestrator report", "orchestrator report results --png --markdown"),
    "export": (
        "orchestrator export --to samples.parquet",
        "orchestrator export results --what verdicts --to verdicts.csv",
    ),
    "plan": ("orchestrator plan --budget 4GiB --workers 2 >> experiments.toml",),
    "locate": (
        "orchestrator locate experiments.toml --only exp2 --method recreate",
        "orchestrator locate --call mylibrary:transcribe --issue bug.md",
    ),
    "doctor": ("orchestrator doctor", "orchestrator doctor --profile qwen3"),
    "engines": ("orchestrator engines",),
    "schema": ("orchestrator schema > experiments.schema.json",),
    "version": ("orchestrator version --json",),
    "init": ("orchestrator init my-study",),
    "transcribe": ("orchestrator transcribe talk.mp4 --out talk.srt",),
    "align": ("orchestrator align talk.wav --text-file talk.txt",),
    "batch": ("orchestrator batch recordings --out texts --format srt,json",),
    "subtitles": ("orchestrator subtitles talk.json --format vtt",),
    "serve": ("orchestrator serve --profile embedded --port 8000",),
    "top": ("orchestrator top",),
}


def epilog(name: str) -> str | None:
    """Return the end of a command's help: its examples, a line each, which click must not wrap."""
    lines = EXAMPLES.get(name)
    return None if lines is None else "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
