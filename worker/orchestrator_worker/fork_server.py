"""A fork server: a process that has imported what every worker needs, and forks clean workers from that on demand.

A worker started this way is ready in a tenth of the time of a new interpreter, and shares its pages with the
others. It is as fresh as one: the fork server has one thread, has never run a job and never loads an engine's library.

::

    host ── "fork" + descriptors ────▶ fork server ──▶ the worker's number
    host ── "reap" + number ─────────▶ fork server ──▶ its wait status

A dead worker stays a zombie until the host asks for its status: so its number cannot have been given to another
process while the host still signals it. When the socket is closed the fork server ends; its workers have their
own lifelines.
"""

from __future__ import annotations

import _socket  # the bare one: ``socket`` would bring modules that no worker needs
import gc
import importlib
import os
import signal
import struct
from collections.abc import Callable
from typing import NoReturn

READY = b"ready"
FORK, REAP = b"f", b"r"
NUMBER = struct.Struct("<i")
"""Numbers of processes, wait statuses; minus an errno when the system refused."""
DESCRIPTOR = struct.Struct("i")
FEWEST_DESCRIPTORS, MOST_DESCRIPTORS = 4, 5
"""Commands, replies, noise, lifeline, and where the system has it the socket for descriptors: the worker's ends."""


def serve(channel_fd: int, *, wide: list[str] | None = None) -> tuple[int, ...]:
    """Answer requests. Returns in each worker that was forked, with its commands, replies, lifeline and passing.

    ``wide``: the workers will confine themselves, and are told this; so that is loaded and prepared too.
    """
    prepare()
    prepare_next = _nothing if wide is None else _prepared_for(wide)
    channel = _socket.socket(fileno=channel_fd)
    gc.collect()
    gc.freeze()  # a collection in a worker would write to every page it shares with the others
    channel.send(READY)
    return answer_requests(channel, prepare_next)


def _nothing() -> None:
    return


def fork() -> int:
    """Fork; the copy has a process group of its own. Returns its number, or minus an errno; 0 in the copy."""
    try:
        number = os.fork()
    except OSError as error:
        return -(error.errno or 1)
    # In both, so that it is so for whoever looks first: the worker may be signalled by its group at once.
    if number == 0:
        os.setpgid(0, 0)
    else:
        try:
            os.setpgid(number, number)
        except OSError:
            return number  # it was quicker, and may be gone
    return number


def answer_requests(
    channel: _socket.socket,
    prepare_next: Callable[[], None] = _nothing,
    new_process: Callable[[], int] = fork,
) -> tuple[int, ...]:
    """Fork and reap as the host asks. Returns in each worker that was forked, with its descriptors.

    ``prepare_next`` is called after each fork, when it has been answered. ``new_process`` does what :func:`fork` does.
    """
    while True:
        request, descriptors = _receive(channel)
        if request == FORK:
            enough = FEWEST_DESCRIPTORS <= len(descriptors) <= MOST_DESCRIPTORS
            answer = new_process() if enough else -1
            if answer == 0:
                channel.close()  # the copy would otherwise hear the host's further questions
                return _take_over(descriptors)
            # Closed before the answer: an end that is open here too would hide from the host that its worker is gone.
            for descriptor in descriptors:
                os.close(descriptor)
            channel.send(NUMBER.pack(answer))
            prepare_next()  # after the answer, so that the host does not wait for it
        else:
            channel.send(NUMBER.pack(_reap(request)))


def _prepared_for(wide: list[str]) -> Callable[[], None]:
    """Prepare for workers that confine themselves; return what is to be done after each fork."""
    from orchestrator_worker.sandbox import confinement

    confinement.prepare(wide)
    return confinement.renew


def prepare() -> None:
    """Import what a worker of the pool imports before it loads an engine, and the engine of plain Python.

    Reading options once keeps what msgspec finds out about their types. Ctrl-C is the host's business.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in (
        "orchestrator_worker.engines.registry",
        "orchestrator_worker.lifeline",
        "orchestrator_worker.loop",
    ):
        importlib.import_module(module)
    from orchestrator_worker.engines.function import CallOptions, FunctionOptions
    from orchestrator_worker.engines.options import read_options

    read_options({}, FunctionOptions, "fork_server")
    read_options({"target": "none:none"}, CallOptions, "fork_server")


def _receive(channel: _socket.socket) -> tuple[bytes, tuple[int, ...]]:
    try:
        request, ancillary, _, _ = channel.recvmsg(
            64, _socket.CMSG_SPACE(DESCRIPTOR.size * MOST_DESCRIPTORS), _socket.MSG_CMSG_CLOEXEC
        )
    except ConnectionError:  # the host was killed in the middle of a question
        leave()
    if not request:
        leave()
    sent = ancillary[0][2] if ancillary else b""
    return request, tuple(number for (number,) in DESCRIPTOR.iter_unpack(sent))


def leave() -> NoReturn:
    """End this process, without destructors: static ones of native libraries abort."""
    os._exit(0)


def _take_over(descriptors: tuple[int, ...]) -> tuple[int, ...]:
    commands_fd, replies_fd, noise_fd, lifeline_fd, *passing_fd = descriptors
    # Native code prints by these numbers, whatever sys.stdout is.
    os.dup2(noise_fd, 1)
    os.dup2(noise_fd, 2)
    os.close(noise_fd)
    return commands_fd, replies_fd, lifeline_fd, *passing_fd


def _reap(request: bytes) -> int:
    """Return the wait status of a worker that has ended. Blocks until it has."""
    (number,) = NUMBER.unpack(request[len(REAP) :])
    try:
        return os.waitpid(number, 0)[1]
    except OSError as error:
        return -(error.errno or 1)
