"""A snapshot as rich draws it: a line on the whole, a row for each slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.cli.terminal.progress import duration
from orchestrator.inspection import FileView, SlotView, Snapshot, WorkView

MB = 1024 * 1024
LEVELS = "▁▂▃▄▅▆▇█"
OTHER_COLUMNS = 75
"""Columns that everything but the sparkline takes, as a rule."""
PLAIN_WIDTH = 160
"""Where the view goes into a file or a pipe."""


def drawn(snapshot: Snapshot, width: int) -> RenderableType:
    """Return the whole view for so many columns."""
    lines = (Text(line, overflow="fold") for line in head(snapshot))
    return Group(*lines, _table(snapshot, max(6, min(40, width - OTHER_COLUMNS))))


def head(snapshot: Snapshot) -> list[str]:
    """Return the lines about the whole."""
    lines = [
        f"{snapshot.title} · process {snapshot.pid} · up {duration(snapshot.uptime_s)}",
        f"memory budget {snapshot.budget_bytes / MB:,.0f} MB: workers have {snapshot.rss_bytes / MB:,.0f}, "
        f"reserved {snapshot.reserved_bytes / MB:,.0f}",
        f"queue {snapshot.queue_length} · running {snapshot.running} · spawned {snapshot.spawns} · "
        f"evicted {snapshot.evictions}",
    ]
    if snapshot.work is not None:
        lines += _work_lines(snapshot.work)
    if snapshot.batch is not None:
        batch = snapshot.batch
        lines.append(
            f"batch {batch.folder}: {batch.done} done, {batch.running} running, {batch.waiting} waiting, "
            f"{batch.failed} failed, {batch.poisoned} poisoned"
        )
    jobs = [f"{task} {counted(outcomes)}" for task, outcomes in sorted(snapshot.outcomes.items())]
    if jobs:
        lines.append(f"jobs: {'; '.join(jobs)}")
    if any(snapshot.exits.values()):
        lines.append(f"workers left: {counted(snapshot.exits)}")
    return lines


def _work_lines(work: WorkView) -> list[str]:
    """Return the recordings as a whole, then each that is worked on."""
    whole = [f"recordings {work.done}" + ("" if work.total is None else f" of {work.total}") + " done"]
    whole += [] if work.rate is None else [f"{work.rate:.3g} × real time"]
    whole += [] if work.left_s is None else [f"{duration(work.left_s)} left"]
    return [" · ".join(whole), *(f"  {_file_line(file)}" for file in work.files)]


def _file_line(file: FileView) -> str:
    parts = [f"{file.share:.0%} of {duration(file.audio_s)}"]
    if file.left_s is not None:
        rate = file.share * file.audio_s / max(1e-9, file.elapsed_s)
        parts += [f"{rate:.3g} × real time", f"{duration(file.left_s)} left"]
    return f"{one_line(file.path)}: {' · '.join(parts)}"


def one_line(text: str) -> str:
    """Return a file's name without the line breaks it may have."""
    return text.replace("\n", "\\n")


def counted(counts: Mapping[str, int]) -> str:
    """Return ``rss 3, jobs 1``: what is not zero, in the order of the alphabet."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count) or "none"


def sparkline(readings: Sequence[int], limit: int, width: int) -> str:
    """Return memory over time; the full height is ``limit`` (or the highest reading, if that is more)."""
    if not readings:
        return ""
    shown = readings[-width:] if len(readings) <= width else _thin(readings, width)
    full = max(limit, *shown, 1)
    return "".join(LEVELS[min(len(LEVELS) - 1, value * len(LEVELS) // full)] for value in shown)


def _thin(readings: Sequence[int], width: int) -> list[int]:
    from orchestrator.inspection.snapshot import thinned

    return thinned(list(readings), width)


def _table(snapshot: Snapshot, spark_width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (
        ("slot", "right"),
        ("model", "left"),
        ("state", "left"),
        ("gen", "right"),
        ("MB", "right"),
        ("peak", "right"),
        ("reserved", "right"),
        ("limit", "right"),
        ("memory", "left"),
        ("jobs", "right"),
        ("age", "right"),
        ("left by", "left"),
    ):
        table.add_column(name, justify=justify, no_wrap=name != "left by", overflow="fold")  # type: ignore[arg-type]
    for slot in snapshot.slots:
        table.add_row(*_row(slot, spark_width))
    return table


def _row(slot: SlotView, spark_width: int) -> list[str]:
    worker = slot.worker
    if worker is None:
        return [
            str(slot.slot),
            "–",
            slot.state,
            str(slot.generation),
            "–",
            "–",
            "–",
            "–",
            "",
            str(slot.jobs),
            "–",
            counted(slot.exits),
        ]
    state = slot.state + (" → successor" if slot.successor else "")
    return [
        str(slot.slot),
        worker.model,
        state,
        str(worker.generation),
        f"{worker.rss_bytes / MB:,.0f}",
        f"{worker.peak_bytes / MB:,.0f}",
        f"{worker.reserved_bytes / MB:,.0f}",
        "–" if worker.limit_bytes is None else f"{worker.limit_bytes / MB:,.0f}",
        sparkline(slot.memory, worker.limit_bytes or worker.reserved_bytes, spark_width),
        str(slot.jobs),
        duration(worker.age_s),
        counted(slot.exits),
    ]
