"""What a hostile engine would try, once each. ``attempt`` says ``done``, or by which error it was refused."""

import ctypes
import errno
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Victim = dict[str, Any]
_libc = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_DETACH = 16, 17


def confinement() -> tuple[int, bool]:
    """Return how many filters of system calls hold here, and whether the root folder may not be listed."""
    status = Path("/proc/self/status").read_text()
    filters = re.search(r"^Seccomp_filters:\s*(\d+)", status, re.MULTILINE)
    try:
        os.listdir("/")
    except PermissionError:
        refused = True
    else:
        refused = False
    return int(filters[1]) if filters else 0, refused


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _ptrace(victim: Victim) -> None:
    pid = victim["sibling"]
    _libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    _checked(_libc.ptrace(PTRACE_ATTACH, pid, None, None))
    os.waitpid(pid, 0x40000000)  # __WALL
    _libc.ptrace(PTRACE_DETACH, pid, None, None)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _read_memory(victim: Victim) -> None:
    there = ctypes.create_string_buffer(8)
    _libc.process_vm_readv.restype = ctypes.c_long
    local = _Vector(ctypes.addressof(there), 8)
    remote = _Vector(victim["maps"], 8)
    pid = ctypes.c_int(victim["sibling"])
    one, flags = ctypes.c_ulong(1), ctypes.c_ulong(0)
    _checked(_libc.process_vm_readv(pid, ctypes.byref(local), one, ctypes.byref(remote), one, flags))


def _connect(family: int, kind: int, address: Any) -> None:
    with socket.socket(family, kind) as end:
        end.connect(address)
        if kind == socket.SOCK_DGRAM:
            end.send(b"x")


def _bind() -> None:
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        end.listen()


def _datagram_by_a_pair(path: str) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        one.sendto(b"x", path)


def _share_by_number() -> None:
    number = _checked(_libc.shmget(0, ctypes.c_size_t(4096), 0o1600))
    _checked(_libc.shmctl(number, 0, None))  # IPC_RMID


def _pidfd(pid: int) -> None:
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGCONT)
    finally:
        os.close(descriptor)


def _child_reads(path: str) -> None:
    ended = subprocess.run(["/bin/cat", path], capture_output=True, check=False)
    if ended.returncode:
        raise PermissionError(errno.EACCES, ended.stderr.decode())


def _into_own_folder(path: str) -> None:
    """Have somebody's file appear where writing is allowed."""
    with tempfile.TemporaryDirectory() as folder:
        os.link(path, f"{folder}/link")
        Path(f"{folder}/link").write_text("overwritten")


def _by_a_link(path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(path, f"{folder}/link")
        Path(f"{folder}/link").read_text()


def _open_to_truncate(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY | os.O_TRUNC))


ACTS: dict[str, Callable[[Victim], object]] = {
    "read the host's environment": lambda v: Path(f"/proc/{v['host']}/environ").read_bytes(),
    "read a sibling's environment": lambda v: Path(f"/proc/{v['sibling']}/environ").read_bytes(),
    "read a sibling's command line": lambda v: Path(f"/proc/{v['sibling']}/cmdline").read_bytes(),
    "read the host's audio": lambda v: Path(f"/proc/{v['host']}/fd/{v['memfd']}").read_bytes(),
    "write into the host's pipe": lambda v: Path(f"/proc/{v['host']}/fd/{v['pipe']}").write_bytes(b"x"),
    "list the host's descriptors": lambda v: os.listdir(f"/proc/{v['host']}/fd"),
    "read a private key": lambda v: Path(v["key"]).read_text(),
    "read it by a link": lambda v: _by_a_link(v["key"]),
    "read it in a child": lambda v: _child_reads(v["key"]),
    "list the home folder": lambda v: [*Path(v["home"]).iterdir()],
    "write a file": lambda v: Path(v["home"], "new").write_text("x"),
    "append to a file": lambda v: Path(v["key"]).open("a").close(),
    "truncate a file": lambda v: os.truncate(v["key"], 3),
    "open to truncate": lambda v: _open_to_truncate(v["key"]),
    "make a folder": lambda v: os.mkdir(Path(v["home"], "folder")),
    "rename a file": lambda v: os.rename(v["spare"], v["spare"] + ".renamed"),
    "remove a file": lambda v: os.unlink(v["doomed"]),
    "link into the own folder": lambda v: _into_own_folder(v["key"]),
    "change a mode": lambda v: os.chmod(v["key"], 0o666),
    "change times": lambda v: os.utime(v["key"], (1, 1)),
    "share memory by a name": lambda v: Path(f"/dev/shm/{v['name']}").write_text("x"),
    "share memory by a number": lambda _: _share_by_number(),
    "connect by TCP": lambda v: _connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", v["port"])),
    "listen by TCP": lambda _: _bind(),
    "send by UDP": lambda v: _connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", v["port"])),
    "connect to a socket file": lambda v: _connect(socket.AF_UNIX, socket.SOCK_STREAM, v["stream"]),
    "connect to an abstract socket": lambda v: _connect(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + v["name"]),
    "send to a socket file": lambda v: _datagram_by_a_pair(v["datagram"]),
    "signal the host": lambda v: os.kill(v["host"], signal.SIGCONT),
    "signal a sibling": lambda v: os.kill(v["sibling"], signal.SIGCONT),
    "signal a sibling by a descriptor": lambda v: _pidfd(v["sibling"]),
    "trace a sibling": _ptrace,
    "read a sibling's memory": _read_memory,
    "limit a sibling": lambda v: resource.prlimit(v["sibling"], resource.RLIMIT_CORE, (0, 0)),
    "leave the process group": lambda _: subprocess.run(["/bin/true"], start_new_session=True, check=True),
}
ASK_YAMA = {"trace a sibling", "read a sibling's memory"}
"""What a system may forbid on its own."""


def attempt_all(victim: Victim) -> dict[str, str]:
    """Try everything; return how each attempt ended."""
    return {name: attempt(act, victim) for name, act in ACTS.items()}


def attempt(act: Callable[[Victim], object], victim: Victim) -> str:
    try:
        act(victim)
    except OSError as error:
        return errno.errorcode[error.errno or errno.EIO]
    return "done"


def write_own_file() -> list[str]:
    """Do what is allowed; return the folder and what was read back."""
    with tempfile.NamedTemporaryFile("w+", delete=False) as file:
        file.write("mine")
    folder = os.path.dirname(file.name)
    os.mkdir(f"{folder}/inner")
    os.rename(file.name, f"{folder}/inner/moved")
    return [folder, Path(f"{folder}/inner/moved").read_text()]


def leave_files() -> str:
    folder = os.environ["TMPDIR"]
    for number in range(3):
        os.makedirs(f"{folder}/{number}/deep")
        Path(f"{folder}/{number}/deep/file").write_text("left")
    return folder


def meet_and_look(folder: str, name: str, other: str) -> tuple[int, str]:
    """Say where our own folder is, hear where the other's is, and try to look into that."""
    own = os.environ["TMPDIR"]
    Path(f"{own}/secret").write_text("mine")
    Path(f"{folder}/{name}.new").write_text(own)
    os.rename(f"{folder}/{name}.new", f"{folder}/{name}")
    while not os.path.exists(f"{folder}/{other}"):
        time.sleep(0.002)
    theirs = Path(f"{folder}/{other}").read_text()
    try:
        found = Path(f"{theirs}/secret").read_text()
    except OSError as error:
        found = errno.errorcode[error.errno or 0]
    Path(f"{folder}/{name}-done").touch()
    while not os.path.exists(f"{folder}/{other}-done"):
        time.sleep(0.002)
    return os.getppid(), found


def leave_many_files(number: int) -> str:
    folder = os.environ["TMPDIR"]
    for each in range(number):
        Path(f"{folder}/{each}").touch()
    return folder


def start_a_child_and_end_it() -> int:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as child:
        child.terminate()
        return child.wait()


async def _answer() -> str:
    import asyncio

    done = await asyncio.create_subprocess_exec("/bin/echo", "hello", stdout=asyncio.subprocess.PIPE)
    said, _ = await done.communicate()
    return said.decode()


def use_asyncio() -> str:
    import asyncio

    return asyncio.run(_answer())


def read_text(path: str) -> str:
    return Path(path).read_text()


def write_text(path: str, text: str) -> int:
    return Path(path).write_text(text)


def open_socket() -> None:
    socket.socket().close()


def own_start() -> int:
    return os.getppid()
