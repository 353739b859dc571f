"""Entry of the decoder process: ``python -P -S …/__main__.py CHANNEL_FD LIFELINE_FD MODE PATH…``.

PATHs are the host's ``sys.path``. No code of a user's start files runs (``-S``), and nothing of the host's environment
but what libraries are found by has come along.
"""

import os
import sys


def main(channel: int, lifeline_fd: int, mode: str, path: list[str]) -> None:
    """Hold the lifeline, then serve. Does not return."""
    sys.path[:] = path
    for descriptor in (channel, lifeline_fd):
        os.set_inheritable(descriptor, False)
    from orchestrator_worker import lifeline  # noqa: PLC0415 - found by the path above

    if sys.platform == "linux":  # elsewhere the server sees to its children first
        lifeline.hold(lifeline_fd)
    from orchestrator.audio.decoder import server  # noqa: PLC0415

    server.serve(channel, lifeline_fd, mode)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
