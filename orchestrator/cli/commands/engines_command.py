"""``orchestrator engines``: what engines there are, and what is wrong with those that cannot be used.

They are imported in a worker, one after the other, so that one that crashes the process hurts nobody else's run.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from orchestrator_worker.protocol import EngineInfo

LIST_TIMEOUT_S = 120.0


def engines(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False
) -> None:
    """List the engines: their tasks, where they come from, and the error of those that do not import."""
    infos = list_engines()
    if as_json:
        for info in infos:
            print(json.dumps(_as_dict(info)))
        return
    _print_table(infos)


def list_engines() -> list[EngineInfo]:
    """Ask a worker what engines it finds.

    Raises:
        WorkerError: The worker died while importing one; its last output says which.
    """
    from orchestrator.process.dialogue import Dialogue
    from orchestrator_worker.protocol import Engines, ListEngines

    with Dialogue(heap=False) as dialogue:
        return dialogue.ask(ListEngines(1), Engines, timeout_s=LIST_TIMEOUT_S, phase="list-engines").engines


def _as_dict(info: EngineInfo) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(info)
    return {**document, "cold_because": _why_cold(info)}


def _why_cold(info: EngineInfo) -> str:
    from orchestrator.process.warm.engines import why_engine_cold

    return "" if info.error else why_engine_cold(info.name, forks=info.forks)


def _print_table(infos: list[EngineInfo]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from orchestrator.cli.terminal.drawing import console_on

    console = console_on(sys.stdout)
    row = "{:<18} {:<22} {:<8} {:<6} {:<5} {}"
    console.print(Text(row.format("engine", "tasks", "restart", "abort", "warm", "from"), style="bold"))
    for info in infos:
        cold = _why_cold(info)
        told = (info.restarts, info.aborts, not cold)
        facts = ["–" if info.error else "yes" if each else "no" for each in told]
        console.print(Text(row.format(info.name, ", ".join(info.tasks) or "–", *facts, info.source)))
        words = (
            Text(f"cannot be used: {info.error}", style="red")
            if info.error
            else Text(info.summary, style="dim")
        )
        console.print(Padding(words, (0, 0, 0, 2)))
        if cold:
            console.print(Padding(Text(f"started cold: {cold}", style="dim"), (0, 0, 0, 2)))
