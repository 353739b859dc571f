"""The host's end of the decoder process: one for this process, started when it is first needed, ended with it.

It leads a process group of its own, so that a terminal's Ctrl-C does not reach it; its lifeline's write end is here
alone, so that the kernel kills it when this process is gone, and it takes its children along. A fork of this process
forgets it and starts its own.
"""

from __future__ import annotations

import atexit
import importlib.util
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from orchestrator.audio.decoder.messages import DESCRIPTOR, Mode, pair
from orchestrator.process.host.interpreter import worker_python
from orchestrator_worker.sandbox.kernel import why_not

log = logging.getLogger("orchestrator.audio")
_MAIN = Path(__file__).with_name("__main__.py")
_PACKAGES = ("orchestrator", "orchestrator_worker", "msgspec", "numpy", "soundfile", "soxr")
_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONHOME")
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""The process forks, and its children confine the one thread they have."""
_END_S = 10.0


class HelperLostError(Exception):
    """The decoder process is gone; says its last words."""


class Helper:
    """One decoder process."""

    def __init__(self) -> None:
        """Start it; requests may be sent at once.

        Raises:
            OSError: The system refused.
            InterpreterError: There is no interpreter for it.
        """
        self.mode = _mode()
        program = worker_python()
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        ours, theirs = pair()
        lifeline, self._lifeline = os.pipe()
        self._channel = ours
        self._lock = threading.Lock()
        own = [str(theirs.fileno()), str(lifeline), self.mode]
        flags = ["-P", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
        try:
            self._process = subprocess.Popen(
                [program, *flags, str(_MAIN), *own, *_path()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                pass_fds=(theirs.fileno(), lifeline),
                env={**kept_environment(), **_ONE_THREAD},
                process_group=0,
            )
        except BaseException:
            self._release()
            raise
        finally:
            theirs.close()
            os.close(lifeline)
        self.pid = self._process.pid
        keep_from_forks(self)

    def send(self, request: bytes, descriptors: Sequence[int]) -> None:
        """Hand over a request; the descriptors stay open here.

        Raises:
            HelperLostError: It is gone.
            OSError: The system refused.
        """
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, b"".join(map(DESCRIPTOR.pack, descriptors)))
        try:
            self._channel.sendmsg([request], [rights])
        except (ConnectionError, BrokenPipeError) as error:
            raise HelperLostError(self.last_words()) from error

    def last_words(self) -> str:
        """Return the last line of what it printed."""
        try:
            lines = os.pread(self._said.fileno(), 1 << 16, 0).decode(errors="replace").split("\n")
        except (OSError, ValueError):
            return ""
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")

    def descriptors(self) -> tuple[int, ...]:
        """Return what is open here for it."""
        return self._channel.fileno(), self._lifeline, self._said.fileno()

    def close(self) -> None:
        """End it, with all children. Safe to call again."""
        with self._lock:
            self._release()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _release(self) -> None:
        self._channel.close()
        self._said.close()
        descriptor, self._lifeline = self._lifeline, -1
        if descriptor >= 0:
            os.close(descriptor)

    def forget(self) -> None:
        """Close our ends in a forked copy of the host, which must not keep it alive, and is not its parent."""
        self._release()
        self._process.returncode = 0


_helper: Helper | None = None
_starting = threading.Lock()
_kept: weakref.WeakSet[Helper] = weakref.WeakSet()
_said_once = threading.Event()


def helper() -> Helper:
    """Return this process's decoder process, started if there is none.

    Raises:
        OSError: The system refused.
        InterpreterError: There is no interpreter for it.
    """
    global _helper  # noqa: PLW0603 - one for the process
    with _starting:
        if _helper is None:
            _helper = Helper()
        return _helper


def current() -> Helper | None:
    """Return this process's decoder process if it has been started."""
    return _helper


def drop(lost: Helper | None = None) -> None:
    """End the decoder process; the next recording starts another one. ``lost``: only if it is this one."""
    global _helper  # noqa: PLW0603
    with _starting:
        found = _helper
        if found is None or lost not in {None, found}:
            return
        _helper = None
    found.close()


def start_early() -> None:
    """Start the decoder process now, while other things are being loaded; whoever needs it says what is wrong."""
    with suppress(Exception):
        helper()


def keep_from_forks(one: Helper) -> None:
    """See that a fork of this process closes what it must not hold."""
    _kept.add(one)


def kept_environment() -> dict[str, str]:
    """Return the few variables that decoders are told."""
    return {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}


def confinement() -> tuple[Mode, str]:
    """Return what decoding is confined to here, and why not to more."""
    if not (reason := why_not("strict")):
        return "strict", ""
    return ("off" if why_not("files") else "files"), reason


def _mode() -> Mode:
    mode, reason = confinement()
    if reason and not _said_once.is_set():
        _said_once.set()
        log.warning(
            "recordings are decoded in a process of their own that is %s: a sandbox %s",
            "confined to its files" if mode == "files" else "not confined",
            reason,
        )
    return mode


def _path() -> list[str]:
    """Return our ``sys.path``, and where the packages lie that only an import hook of ours may find."""
    path = [str(Path(entry).absolute()) for entry in sys.path]
    for name in _PACKAGES:
        with suppress(ImportError, ValueError):
            found = importlib.util.find_spec(name)
            if found is not None and found.origin is not None:
                origin = Path(found.origin)
                path.append(str(origin.parents[1] if origin.name == "__init__.py" else origin.parent))
    return list(dict.fromkeys(path))


def _forget_in_forked_copy() -> None:
    global _helper, _starting  # noqa: PLW0603
    _starting = threading.Lock()
    _helper = None
    for each in list(_kept):
        each.forget()


os.register_at_fork(after_in_child=_forget_in_forked_copy)
atexit.register(drop)
