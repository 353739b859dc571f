"""A column of recordings becomes a column of text: pandas, Polars, or any iterable of paths.

    frame["text"] = transcribe_column(frame["recording"], pool)                      # pandas
    frame = frame.with_columns(text=pl.Series(transcribe_column(frame["recording"], pool)))    # Polars

Rows keep their order; a recording that fails has None, and its reason in the log, so that one bad file costs one cell.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from orchestrator import Pool, Transcribe

log = logging.getLogger(__name__)


def transcribe_column(recordings: Iterable[str], pool: Pool, model: str = "asr-small") -> list[str | None]:
    """Return the text of each recording, in order; None where there is none."""
    names = list(recordings)
    texts: list[str | None] = []
    for name, result in zip(
        names, pool.map((Transcribe(model, each) for each in names), errors="return"), strict=True
    ):
        if isinstance(result, Exception):
            log.warning("%s: %s", name, result)
            texts.append(None)
        else:
            texts.append(result.text)
    return texts
