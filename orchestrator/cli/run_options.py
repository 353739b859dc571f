"""The flags of ``orchestrator run``: what each takes, and what ``--help`` says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

File = Annotated[Path, typer.Argument(help="The experiments file.")]
Profile = Annotated[str, typer.Option(help="auto, qwen3, embedded, or another profile of the file.")]
Only = Annotated[str | None, typer.Option(help="Only these experiments: exp2,exp4.")]
Methods = Annotated[str | None, typer.Option(help="Only these methods: recreate,restart,reuse,recycle,warm.")]
Iterations = Annotated[int | None, typer.Option(min=1, help="Iterations of every method.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of every model (INFERENCE_THREADS).")]
ContextLength = Annotated[int | None, typer.Option(min=1, help="Context of every model (CONTEXT_LENGTH).")]
Language = Annotated[str | None, typer.Option(help="Language of speech recognition (ASR_LANGUAGE).")]
Stop = Annotated[
    Literal["settled", "never"] | None,
    typer.Option(help="settled: a method ends when three judgements in a row agree; never: all iterations."),
]
JobsPerLoad = Annotated[
    str | None,
    typer.Option(
        metavar="1-3",
        help="recreate: fewest and most jobs of a load, drawn for each iteration; tells growth per load from per job.",
    ),
]
Results = Annotated[Path | None, typer.Option(help="Results folder; default: results beside the file.")]
Resume = Annotated[bool, typer.Option("--resume", help="Resume the last run if it was interrupted.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per experiment on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Tables only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print every iteration with its text.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done and how long it would take; run nothing.")
]
Report = Annotated[bool, typer.Option("--report/--no-report", help="Write the run's page, report.html.")]
Gate = Annotated[
    Literal["leak", "off"] | None,
    typer.Option(
        help="leak: exit 1 on a leak, 4 if undecided; off: no gate, even if the file has a gate table."
    ),
]
Annotations = Annotated[
    Literal["github"] | None,
    typer.Option(
        "--annotations", help="github: print ::error and ::warning for each method that is not clean."
    ),
]
Locate = Annotated[
    bool,
    typer.Option(
        "--locate", help="Then find the call stacks of what leaks (orchestrator locate; extra locate)."
    ),
]
Junit = Annotated[Path | None, typer.Option(help="Write the verdicts as JUnit XML to this file.")]
