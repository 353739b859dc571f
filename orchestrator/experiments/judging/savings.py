"""What early stopping saved, counted from the entries of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.experiments.storage.records import SeriesRecords


def saving_words(records: Iterable[SeriesRecords]) -> str:
    """Return ``early stopping saved 36 of 150 iterations (about 21 s)``; nothing where none was saved.

    The time is that of the iterations spared at the pace of those that ran.
    """
    ended = [each.end for each in records if each.end is not None and each.end.outcome == "completed"]
    saved = sum(end.saved for end in ended)
    if not saved:
        return ""
    planned = sum(end.iterations + end.saved for end in ended)
    seconds = sum(end.elapsed_s / end.iterations * end.saved for end in ended if end.iterations)
    return f"early stopping saved {saved} of {planned} iterations (about {seconds:.0f} s)"
