"""The commands by name: one line about each, and its module, which is imported when the command is asked for.

``orchestrator --help`` imports none of them and any other call only its own: all of them together cost more
than the library that reads their flags (``benchmarks/results/cli.json``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from orchestrator.cli.examples import epilog

SUMMARIES = {
    "run": "Run the experiments of FILE and print their tables.",
    "analyze": "Judge memory series: leak, plateau, flat, bounded, slow-growth or inconclusive, with rate and "
    "interval.",
    "watch": "Record the memory of process PID until Ctrl-C or its end, then print the verdict and MB per hour.",
    "compare": "Compare runs: growth, TTFT, speed, WER and load of each method, differences with 95 % intervals.",
    "calibrate": "Measure known leaks, pools and caches on this machine and compare the verdicts with the truth.",
    "report": "Write a page about RUN that works offline: verdicts, charts, tables, provenance.",
    "export": "Write what a run has recorded as Parquet, CSV or JSON lines: samples, iterations, readings or verdicts.",
    "plan": "Compute from RUN when a pool should recycle its workers; print a [recycle] table to paste.",
    "locate": "Find the call stacks that leak: run under a tracer and see which grow with every block of iterations.",
    "doctor": "Show what is there and what is missing for each profile; exit 1 if the one asked for is not ready.",
    "engines": "List the engines: their tasks, where they come from, and the error of those that do not import.",
    "schema": "Print the JSON Schema of experiments.toml.",
    "version": "Print the version; with --json also those of Python, system, file schemas and packages.",
    "init": "Write experiments.toml and samples into an empty folder.",
    "transcribe": "Transcribe recordings: text, JSON or subtitles.",
    "align": "Find when each word of a text is spoken in a recording.",
    "batch": "Transcribe many recordings. Safe to interrupt; run the same command again to resume.",
    "subtitles": "Render JSON documents again as subtitles or text, without another run.",
    "serve": "Serve speech recognition over HTTP, as OpenAI's clients ask for it.",
    "top": "Show a running pool: slots, models, memory, jobs, exits by reason, the queue.",
}
"""In the order of ``--help``: each line is the first paragraph of its command's docstring, word for word."""


class _Loaded(Mapping[str, Any]):
    """The commands' objects by name, each made when it is first taken; the names are known without."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _load(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(SUMMARIES)

    def __len__(self) -> int:
        return len(SUMMARIES)


def _load(name: str) -> Any:
    if name not in SUMMARIES:
        raise KeyError(name)
    module = import_module(f"orchestrator.cli.commands.{name}_command")
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name, cls=getattr(module, "COMMAND", None), epilog=epilog(name))(getattr(module, name))
    return get_command(alone)


class CommandsOnDemand(TyperGroup):
    """The group of all commands, which loads the one that is called."""

    def __init__(self, **said: Any) -> None:
        super().__init__(**said)
        self.commands: Any = _Loaded()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in their order."""
        return list(SUMMARIES)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - click's signature
        """Write the lines as they are: click would import every command, and cut each line off at 45 letters."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))
