"""Inspect a running pool or batch from another process of the same user, over a Unix socket.

Reading order: :mod:`.snapshot` (what is seen), :mod:`.place` (where sockets lie, and that only their owner can open
them), :mod:`.server` (in the process that is looked at), :mod:`.client` (in the one that looks), :mod:`.over_http`
(the same of a server that answers HTTP).
"""

from orchestrator.inspection.client import Found, find_running, look
from orchestrator.inspection.server import Inspection
from orchestrator.inspection.snapshot import (
    BatchView,
    FileView,
    SlotView,
    Snapshot,
    WorkerView,
    WorkView,
    view_of,
)

__all__ = [
    "BatchView",
    "FileView",
    "Found",
    "Inspection",
    "SlotView",
    "Snapshot",
    "WorkView",
    "WorkerView",
    "find_running",
    "look",
    "view_of",
]
