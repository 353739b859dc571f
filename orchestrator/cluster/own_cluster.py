"""The Ray cluster that a ``RayPool`` has to start itself: in a folder of its own, and nothing of it stays.

Ray's own place, ``/tmp/ray``, is shared by all users of a machine: it may be missing, belong to somebody else who lets
nobody write there, or name a cluster that is long gone. So a cluster that we start gets a new folder that only this
user can enter, and its processes and the folder are gone when it ends or when its start fails half-way.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from orchestrator.errors import EngineUnavailableError

LONGEST_PARENT = 27
"""Characters. Ray's sockets are at most ``/ray-XXXXXXXX/r/session_<date>_<time>_<pid>/sockets/plasma_store`` below, 78
characters, and the kernel takes 107 with a little for names that Ray numbers."""
END_S = 10.0
"""How long Ray's processes get to end by themselves."""
ANSWER_S = 2.0
PAUSE_S = 0.1
LONGEST_ADDRESS = 256
SECRET_BYTES = 32


def rays_folder(env: Mapping[str, str] = os.environ) -> Path:
    """Return where Ray keeps what it shares between the processes of a machine."""
    return Path(env.get("RAY_TMPDIR") or env.get("TMPDIR") or "/tmp") / "ray"  # noqa: S108 - Ray's own default


def cluster_to_join(env: Mapping[str, str] = os.environ) -> bool:
    """Whether a cluster of this machine is there to be joined: written down by this user or root, and answering.

    One that another user started would run our code in that user's name, and read our audio.
    """
    try:
        descriptor = os.open(
            rays_folder(env) / "ray_current_cluster", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except OSError:
        return False
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid not in {0, os.geteuid()}:
            return False
        return answers(os.read(descriptor, LONGEST_ADDRESS).decode().strip(), 0)
    except (OSError, ValueError):
        return False
    finally:
        os.close(descriptor)


def answers(address: str, patience_s: float) -> bool:
    """Whether something listens at ``HOST:PORT`` or ``ray://HOST:PORT``; a cluster may be about to start.

    Args:
        address: Where; what is none of these two forms is for Ray to judge, and True.
        patience_s: Seconds until it must listen.
    """
    host, colon, port = address.removeprefix("ray://").partition("/")[0].rpartition(":")
    if not colon or not port.isdecimal():
        return "://" in address
    until = time.monotonic() + patience_s
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
        except (OSError, ValueError, OverflowError):
            if time.monotonic() >= until:
                return False
            time.sleep(PAUSE_S)
        else:
            return True


def places(env: Mapping[str, str] = os.environ) -> list[str]:
    """Return the folders in which a cluster's own may be made, the best first."""
    wanted = [
        env.get("RAY_TMPDIR"),
        env.get("TMPDIR"),
        "/tmp",  # noqa: S108 - a new folder of ours is made in it
        "/var/tmp",  # noqa: S108
        env.get("XDG_RUNTIME_DIR"),
        env.get("HOME"),
    ]
    return list(dict.fromkeys(str(Path(place).absolute()) for place in wanted if place))


def make_folder(candidates: Iterable[str]) -> Path:
    """Make a folder that only this user can enter, where the path is short enough for Ray's sockets.

    Raises:
        EngineUnavailableError: No place will do; names them all.
    """
    refused: list[str] = []
    for place in candidates:
        if len(os.fsencode(place)) > LONGEST_PARENT:
            refused.append(f"{place} (longer than {LONGEST_PARENT} characters)")
            continue
        try:
            return Path(tempfile.mkdtemp(prefix="ray-", dir=place))
        except OSError as error:
            refused.append(f"{place} ({error.strerror})")
    raise EngineUnavailableError(
        f"a new Ray cluster finds no folder for its sockets and logs; tried {', '.join(refused)}",
        "set RAY_TMPDIR to a folder with a short path that can be written, as /tmp usually is",
    )


class OwnCluster:
    """A cluster of this machine alone, connected to.

    Args:
        ray: The module.

    Raises:
        EngineUnavailableError: It could not be started; nothing of it is left.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._before = {child.pid for child in psutil.Process().children()}
        self._folder = make_folder(places())
        lend_token()
        try:
            ray.init(
                address="local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level="WARNING",
                _temp_dir=str(self._folder / "r"),
            )
        except BaseException as error:
            self.end(wait_s=0)
            if not isinstance(error, Exception):
                raise
            raise EngineUnavailableError(
                f"a Ray cluster could not be started on this machine: {type(error).__name__}: {error}",
                "start one with 'ray start --head', which says more, or give the address of one that runs",
            ) from error

    def end(self, wait_s: float = END_S) -> None:
        """Disconnect, let the processes end or kill them, and remove the folder."""
        started = processes_of_ray(self._ray, self._before)
        with suppress(Exception):  # half started, it cannot always be shut down by its own means
            self._ray.shutdown()
        end_processes(started, wait_s)
        shutil.rmtree(self._folder, ignore_errors=True)


def processes_of_ray(ray: Any, before: Iterable[int]) -> list[psutil.Process]:
    """Return the processes of Ray that this process has started since, with all that they started.

    Args:
        ray: The module; its folder is where its programs are, and some are started as ``python -m ray…``.
        before: Process ids of the children there were.
    """
    programs = str(Path(ray.__file__).parent)
    known = frozenset(before)
    found: list[psutil.Process] = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            words = child.cmdline()
            if child.pid not in known and any(programs in word or word.startswith("ray.") for word in words):
                found += [child, *child.children(recursive=True)]
    return found


def end_processes(processes: list[psutil.Process], wait_s: float) -> None:
    """Kill what has not ended by itself in time."""
    _, left = psutil.wait_procs(processes, timeout=wait_s) if wait_s else ((), processes)
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=END_S)


def lend_token(env: Any = os.environ) -> None:
    """Give a new cluster its token by the environment where there is no home folder for it to be written to.

    Newer releases of Ray write it to ``~/.ray/auth_token``, and start no cluster where they cannot.
    """
    if env.get("RAY_AUTH_TOKEN") or env.get("RAY_AUTH_TOKEN_PATH"):
        return
    try:
        folder = Path.home() / ".ray"
        if (folder / "auth_token").exists() or os.access(
            folder if folder.exists() else folder.parent, os.W_OK
        ):
            return
    except (OSError, RuntimeError):  # RuntimeError: this user has no home folder
        pass
    env["RAY_AUTH_TOKEN"] = secrets.token_hex(SECRET_BYTES)
