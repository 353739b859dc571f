"""Thousands of recordings without a babysitter: a journal on disk, and work that any ``kill -9`` only interrupts.

Reading order: :mod:`.inputs` (which recordings), :mod:`.journal` (what has become of each), :mod:`.outputs`
(files written once and whole), :mod:`.changes` (inputs that are others now), :mod:`.batch` (the work itself).
"""

from orchestrator.batch.batch import Batch, BatchSettings, recover
from orchestrator.batch.inputs import find_inputs
from orchestrator.batch.journal import Counts, Entry, Journal, open_journal
from orchestrator.batch.manifest import Input

__all__ = [
    "Batch",
    "BatchSettings",
    "Counts",
    "Entry",
    "Input",
    "Journal",
    "find_inputs",
    "open_journal",
    "recover",
]
