"""Which display a run gets: by the streams, and by what the user asked for."""

from __future__ import annotations

import sys
from typing import TextIO

from orchestrator.cli.terminal.display import Display, Wanted
from orchestrator.cli.terminal.plain_display import PlainDisplay
from orchestrator.cli.terminal.screen import Screen


def make_display(wanted: Wanted, out: TextIO | None = None, log: TextIO | None = None) -> Display:
    """Return the display that fits the streams (default: stdout and stderr) and what the user asked for."""
    data, progress = out or sys.stdout, log or sys.stderr
    if wanted.quiet:
        return Display(data, progress, wanted)
    if progress.isatty() and not Screen(progress).console.is_dumb_terminal:
        from orchestrator.cli.terminal.rich_display import RichDisplay

        return RichDisplay(data, progress, wanted)
    return PlainDisplay(data, progress, wanted)
