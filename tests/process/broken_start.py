"""Stands in for the interpreter of a worker: commits the fault of $BROKEN_START, then is the worker, if it still can.

``broken_start.py [options of the interpreter] …/orchestrator_worker/__main__.py [PACKAGES] COMMANDS_FD REPLIES_FD
LIFELINE_FD [PASSING_FD]``
"""

import json
import os
import sys
from types import SimpleNamespace


def main() -> None:
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    import orchestrator_worker.loop
    from orchestrator_worker.engines.synthetic.faults import KINDS, read_fault

    _, replies_fd, *_ = (int(argument) for argument in sys.argv if argument.isdigit())
    orchestrator_worker.loop._current = SimpleNamespace(replies_fd=replies_fd)  # type: ignore[assignment]
    fault = read_fault(json.loads(os.environ["BROKEN_START"]), "test")
    KINDS[fault.how](fault)
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])


if __name__ == "__main__":
    main()
