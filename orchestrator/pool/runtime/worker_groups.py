"""A control group (version 2) of its own for each worker with ``hard_rss``, where the system delegates one to us.

::

    delegated group                     no processes of its own (the kernel's rule): +memory +pids for those below
    ├── orchestrator-host               this process and all that it has started
    ├── orchestrator-PID-1              a worker: memory.max = hard_rss, no swap, pids.max
    └── orchestrator-PID-2              another

In it the kernel holds the limit between two readings, too, for the worker with all its descendants; and all of them end
with it, also those that have left its process group.

A group counts as delegated when we may write to it and it is ours to arrange: it belongs to this user (not root),
systemd has marked it so, or it is the top of what this process sees (a container). Only groups in which there is nobody
but this process and its descendants are arranged. Everything else is left alone, and why is said.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.process.cgroup import delegated_group, read_lines
from orchestrator.process.sampling.descendants import descendants

HOST = "orchestrator-host"
MOST_PROCESSES = 4096
"""pids.max: threads count, and an engine has some for each core."""
CONTROLLERS = ("memory", "pids")
NOT_WANTED = "none: no worker has hard_rss"
OWN = "own"
LAST_WAIT_S, LOOK_S = 2.0, 0.01
"""How long the end of a pool waits for what its workers have left in their groups; how often it looks."""
_DELEGATION_MARKS = ("user.delegate", "trusted.delegate")
_numbers = itertools.count(1)


class WorkerGroup:
    """The control group of one worker."""

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        """Make it.

        Raises:
            OSError: The system refused.
        """
        folder.mkdir()
        self.folder = folder
        try:
            _write(folder / "memory.max", str(memory_bytes))
            _write(folder / "pids.max", str(MOST_PROCESSES))
            for name, value in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
                with contextlib.suppress(OSError):  # a kernel without swap accounting has no such file
                    _write(folder / name, value)
        except OSError:
            self.close()
            raise

    def take(self, pid: int) -> None:
        """Move a process, which has just been started, into the group."""
        with contextlib.suppress(OSError):  # it has ended
            _write(self.folder / "cgroup.procs", str(pid))

    @property
    def killed(self) -> bool:
        """Whether the kernel has killed in it for the limit."""
        return any(_count(line, "oom_kill") for line in read_lines(self.folder / "memory.events"))

    def close(self) -> None:
        """End whoever is still in it, and remove it. Again is harmless."""
        if self._is_removed():
            return
        with contextlib.suppress(OSError):
            _write(self.folder / "cgroup.kill", "1")
        self._is_removed()

    def _is_removed(self) -> bool:
        """Remove it, which the kernel refuses while somebody is in it."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()
        return not self.folder.exists()


class WorkerGroups:
    """Makes the groups of one pool's workers; arranges the delegated group when the first one is wanted."""

    def __init__(self, root: Path = Path("/"), family: Callable[[], set[int]] | None = None) -> None:
        """``root`` is where the system's files are looked for, ``family`` returns the processes that are ours."""
        self._root = root
        self._family = family or _family
        self._base: Path | None = None
        self._left: list[WorkerGroup] = []
        self.state = NOT_WANTED
        """``own``, or ``none:`` and why."""

    def new(self, memory_bytes: int | None) -> WorkerGroup | None:
        """Return a new group; None where no limit is wanted, or none can be had."""
        if memory_bytes is None:
            return None
        if self.state == NOT_WANTED:
            self._arrange()
        self._sweep()
        if self._base is None:
            return None
        try:
            return WorkerGroup(self._base / f"orchestrator-{os.getpid()}-{next(_numbers)}", memory_bytes)
        except OSError as error:
            self._base, self.state = None, f"none: no group can be made ({error.strerror})"
            return None

    def give_back(self, group: WorkerGroup) -> None:
        """Remove the group of a worker that is gone; what it left may need a moment to end."""
        group.close()
        if group.folder.exists():
            self._left.append(group)

    def close(self) -> None:
        """Remove what is left, once the killed in it are gone, which takes them a moment."""
        end = time.monotonic() + LAST_WAIT_S
        self._sweep()
        while self._left and time.monotonic() < end:
            time.sleep(LOOK_S)
            self._sweep()

    def _sweep(self) -> None:
        for group in self._left:
            group.close()
        self._left = [group for group in self._left if group.folder.exists()]

    def _arrange(self) -> None:
        found = delegated_group(self._root)
        if found is None:
            self.state = "none: this process is in no control group of version 2"
            return
        folder, mount = found
        if folder.name == HOST and folder != mount:
            folder = folder.parent  # another pool of this process, or its host, has arranged it
        try:
            self.state = _why_not(folder, mount) or self._arranged(folder)
        except OSError as error:
            self.state = f"none: the group cannot be arranged ({error.strerror})"
        if self.state == OWN:
            self._base = folder

    def _arranged(self, folder: Path) -> str:
        """Leave no process in the group itself, and let those below it have limits."""
        present = {int(line) for line in read_lines(folder / "cgroup.procs") if line.isdigit()}
        if strangers := present - self._family():
            return f"none: {len(strangers)} processes that are not ours are in the same control group"
        if present:
            (folder / HOST).mkdir(exist_ok=True)
        for pid in sorted(present):
            with contextlib.suppress(ProcessLookupError):
                _write(folder / HOST / "cgroup.procs", str(pid))
        _write(folder / "cgroup.subtree_control", " ".join(f"+{name}" for name in CONTROLLERS))
        return OWN


def _why_not(folder: Path, mount: Path) -> str:
    """Return why a group is not ours to arrange; nothing where it is."""
    offered = " ".join(read_lines(folder / "cgroup.controllers")).split()
    if missing := [name for name in CONTROLLERS if name not in offered]:
        return f"none: the control group has no controller for {' and '.join(missing)}"
    needed = (folder, folder / "cgroup.procs", folder / "cgroup.subtree_control")
    if not all(os.access(path, os.W_OK) for path in needed):
        return "none: the control group is not writable"
    mine = folder.stat().st_uid == os.getuid() != 0
    if not (mine or folder == mount or any(_marked(folder, name) for name in _DELEGATION_MARKS)):
        return "none: the control group is not delegated to us (systemd: Delegate=yes)"
    return ""


def _marked(folder: Path, name: str) -> bool:
    try:
        return os.getxattr(folder, name) == b"1"
    except (OSError, AttributeError):
        return False


def _family() -> set[int]:
    return {os.getpid(), *descendants(os.getpid())}


def _count(line: str, name: str) -> int:
    key, _, count = line.partition(" ")
    return int(count) if key == name and count.strip().isdigit() else 0


def _write(path: Path, text: str) -> None:
    """Write to a file of the kernel's in one system call; where there is none, it refuses to make one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
