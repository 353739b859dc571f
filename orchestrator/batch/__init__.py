"""Thousands of recordings without a babysitter: a journal on disk, and work that any ``kill -9`` only interrupts.

In reading order:

- ``outputs``: outputs that are written once and whole, whenever the process is killed
- ``names``: what outputs are called
- ``manifest``: the file that lists recordings with their options
- ``inputs``: which recordings a batch works on
- ``journal``: the state of every recording of a batch, in SQLite
- ``journal_tables``: the database under it
- ``journal_checks``: whether a journal is one of ours, before anything is done by it
- ``changes``: what has changed since a recording was finished
- ``batch``: the work of a batch
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
