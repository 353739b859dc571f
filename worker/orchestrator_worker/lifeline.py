"""Die with the parent, even while native code holds the GIL.

The lifeline is the read end of a pipe on which nothing is ever written; the parent holds the only write end.
When the parent ends, however it ends, the kernel closes that end, and the kernel itself then signals the owner
of the read end: no Python code has to run for it.

* ``F_SETOWN`` names minus our process group, so children of the engine go too.
* ``F_SETSIG`` makes the signal SIGKILL. The default, SIGIO, can be ignored or blocked by inheritance or by all
  threads of a native library; SIGKILL cannot.
* One poll afterwards: the parent may have died before the owner was set.
* Beside it, once the worker is configured, a thread waits for end of file and leaves by ``os._exit``. It is all there
  is where the kernel has
  no ``F_SETSIG``.

PR_SET_PDEATHSIG is not used: it is tied to the parent's *thread* that spawned us, not to the parent.
What this cannot see is a forked copy of the parent that keeps the write end open; the parent closes it there
(``orchestrator.process.spawn``).
"""

import fcntl
import os
import select
import signal
import threading

PARENT_GONE_EXIT_CODE = 113
"""Exit code of a worker that found its parent gone by itself (where the kernel did not kill it first)."""


_KERNEL_HELPS = hasattr(fcntl, "F_SETSIG")


def hold(descriptor: int) -> None:
    """Tie this process and its group to the write end of ``descriptor``. Returns at once.

    Where the kernel helps, no thread is started yet: :func:`watch` does that.
    """
    _ask_the_kernel(descriptor)
    if _hung_up(descriptor):
        os._exit(PARENT_GONE_EXIT_CODE)
    if not _KERNEL_HELPS:
        _start_waiting(descriptor)


def watch(descriptor: int) -> None:
    """Start the thread beside the kernel's help. A worker that confines itself has done so before it has threads."""
    if _KERNEL_HELPS:
        _start_waiting(descriptor)


def _start_waiting(descriptor: int) -> None:
    threading.Thread(target=_wait_for_the_end, args=(descriptor,), name="lifeline", daemon=True).start()


def _ask_the_kernel(descriptor: int) -> None:
    if not _KERNEL_HELPS:
        return
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, -os.getpgrp())
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)


def _hung_up(descriptor: int) -> bool:
    poller = select.poll()
    poller.register(descriptor, 0)
    return bool(poller.poll(0))


def _wait_for_the_end(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os._exit(PARENT_GONE_EXIT_CODE)
