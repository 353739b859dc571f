"""How ``top`` sees a command that works on recordings: its pool, its files, its rate and the time left."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.cli.pipeline_setup import say
from orchestrator.errors import ResultsError

if TYPE_CHECKING:
    from orchestrator.inspection import BatchView, FileView, Snapshot, WorkView
    from orchestrator.pipeline.progress import RecordingProgress
    from orchestrator.pool.pool import Pool


@dataclass(slots=True)
class FileCount:
    """How many recordings a command has ended, of how many; ``before`` of them ended before its start."""

    total: int
    done: int = 0
    before: int = 0


def looked_into(
    command: str,
    pool: Pool,
    count: Callable[[], FileCount],
    batch: Callable[[], BatchView] | None = None,
) -> AbstractContextManager[object]:
    """Let ``top`` look in; a machine without a safe place for that loses no work over it.

    Args:
        command: Its title, such as ``orchestrator transcribe``.
        pool: Where its jobs run.
        count: Its recordings now.
        batch: Its recordings by state, for a batch.
    """
    from orchestrator.inspection import Inspection, view_of

    def take(uptime_s: float) -> Snapshot:
        return view_of(
            pool.stats(),
            pid=os.getpid(),
            title=command,
            uptime_s=uptime_s,
            batch=None if batch is None else batch(),
            work=work_view(count(), uptime_s),
        )

    try:
        return Inspection(take)
    except ResultsError as error:
        say(f"top cannot look into this command: {error}")
        return nullcontext()


def work_view(count: FileCount, elapsed_s: float) -> WorkView:
    """Return the recordings of this process as they are now."""
    from orchestrator.inspection import WorkView
    from orchestrator.pipeline.progress import AUDIO_DONE

    under_way = AUDIO_DONE.under_way()
    return WorkView(
        files=[_file(progress) for progress in under_way],
        done=count.done,
        total=count.total,
        rate=AUDIO_DONE.rate,
        left_s=left_s(count, [progress.share for progress in under_way], elapsed_s),
    )


def left_s(count: FileCount, shares: list[float], elapsed_s: float) -> float | None:
    """Return the seconds for all recordings, by their number and the shares of those under way; None at the start."""
    made = count.done - count.before + sum(shares)
    left = count.total - count.done - sum(shares)
    return max(0.0, elapsed_s / made * left) if made > 0 else None


def readable(path: str) -> str:
    """Return a path that any encoding takes: bytes that are no text become ``�``."""
    return path.encode(errors="surrogateescape").decode(errors="replace")


def _file(progress: RecordingProgress) -> FileView:
    from orchestrator.inspection import FileView

    left = progress.left_s
    return FileView(
        path=readable(progress.source),
        audio_s=progress.duration_ms / 1000,
        share=round(progress.share, 4),
        elapsed_s=round(progress.elapsed_s, 3),
        left_s=None if left is None else round(left, 1),
    )
