"""An ffmpeg in Python: what it needs to be read, as the decoder confines it like the real one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from orchestrator.audio.decoder.client import READS_VARIABLE


def reads(*more: Path) -> dict[str, str]:
    """Return the variable with which this interpreter, and ``more``, may be read by an ffmpeg that it runs."""
    own = [sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))]
    return {READS_VARIABLE: ":".join([*own, *map(str, more)])}
