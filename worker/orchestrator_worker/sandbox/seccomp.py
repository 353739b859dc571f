"""Which system calls a ``strict`` worker is refused: a filter in the kernel's classic BPF.

A refused call fails with EPERM, so an engine that can do without goes on. Refused is

* every socket that reaches out of the process, and io_uring, which could open one past this filter;
* looking into or steering other processes, and leaving the worker's process group, by which it is killed;
* memory, semaphores and queues that processes share by a number or a name and no file: Landlock does not see them;
* modes, owners, times and attributes of files: Landlock does not see these either;
* whatever only administrators do: mounts, namespaces, modules, clocks, keys.

A process that forks workers, each into a process group of its own, may not make groups as it likes: its filter puts
``setpgid(0, PID)`` before the host, which says yes to the worker that it has asked for.

The numbers are those of the kernel's tables of 64-bit system calls.
"""

from __future__ import annotations

import errno
import functools
import struct

# name: number on x86_64, number on aarch64; None where there is no such call
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # connections
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    # shared by a number or a name
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    # what is written about files
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "file_setattr": (469, 469),
    # the system
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "iopl": (172, None),
    "ioperm": (173, None),
    "vhangup": (153, 58),
    "fanotify_init": (300, 262),
}
_SIGNALS = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_CLONE_THREAD = 0x10000
_PROCESSES = {"fork": (57, None), "vfork": (58, None), "memfd_create": (319, 279)}
_PROGRAMS = {"execve": (59, 221), "execveat": (322, 281)}
_PRCTL, _PR_SET_PDEATHSIG = (157, 167), 1
_SETRLIMIT = (160, 164)
_SOCKETPAIR, _PRLIMIT, _FCNTL, _IOCTL = (53, 199), (302, 261), (72, 25), (16, 29)
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Which column, and how the kernel calls it (AUDIT_ARCH)."""
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020000
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPES = 1, 1, 0xF
_SET_OWNER = (8, 15)
"""F_SETOWN, F_SETOWN_EX: by them the kernel sends signals for a process."""
_IOCTL_SET_OWNER = (0x8901, 0x8902)
"""FIOSETOWN, SIOCSPGRP."""
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_ASK = 0x7FC00000
"""SECCOMP_RET_USER_NOTIF: whoever holds the filter's listener decides."""
_NUMBER, _ARCHITECTURE = 0, 4
_FEW = 3
"""Numbers that are compared one after the other."""
_THE_PROCESS = 0x7FFFFFF1
"""Stands for the process's number, which is never as high, until it is known."""
_REFUSE = _ERRNO | errno.EPERM
_UNKNOWN = _ERRNO | errno.ENOSYS


def filter_program(machine: str, pid: int, *, signals: bool, asks: bool = False) -> bytes:
    """Return the filter for a ``machine`` and for the process ``pid``.

    ``signals``: also refuse those to any other process, where Landlock does not know who is outside. ``asks``: a group
    for a process of its own is not refused but asked for; the filter is then to be installed with a listener.
    """
    code, places = _template(machine, signals=signals, asks=asks)
    program = bytearray(code)
    for place in places:
        struct.pack_into("=I", program, place, pid)
    return bytes(program)


@functools.cache
def _template(machine: str, *, signals: bool, asks: bool = False) -> tuple[bytes, list[int]]:
    """Return the filter with a stand-in for the process, and where that stands; made once by whoever forks workers."""
    column, architecture = _ARCHITECTURES[machine]
    code = [_load(_ARCHITECTURE), _jump(_EQUAL, architecture, 1, 0), _give(_REFUSE), _load(_NUMBER)]
    if machine == "x86_64":
        code += [_jump(_AT_LEAST, _X32, 0, 1), _give(_REFUSE)]
    blocks = _blocks(column, signals=signals)
    if asks:
        number = _REFUSED["setpgid"][column]
        assert number is not None
        blocks[number] = _ask_for_an_own_group()
    code += _search(sorted(blocks.items()))
    places = [8 * at + 4 for at, each in enumerate(code) if each[4:] == struct.pack("=I", _THE_PROCESS)]
    return b"".join(code), places


def _blocks(column: int, *, signals: bool) -> dict[int, list[bytes]]:
    """Return what is done about a system call, by its number; a block ends in a verdict."""
    refuse = [_give(_REFUSE)]
    blocks: dict[int | None, list[bytes]] = {numbers[column]: refuse for numbers in _REFUSED.values()}
    blocks[_CLONE3[column]] = [_give(_UNKNOWN)]  # its flags are out of sight: the C library takes clone then
    blocks[_CLONE[column]] = [_load(_argument(0)), *_refuse_if(_ANY_BIT, _NEW_NAMESPACES), _give(_ALLOW)]
    blocks[_SOCKETPAIR[column]] = _stream_pairs_only()
    blocks[_PRLIMIT[column]] = [_load(_argument(0)), *_allow_if_equal(0, _THE_PROCESS), *refuse]
    if signals:
        blocks |= _signals_to_itself(column)
    return {number: block for number, block in blocks.items() if number is not None}


def _search(blocks: list[tuple[int, list[bytes]]]) -> list[bytes]:
    """Return code that finds the block of a number by halves: the kernel runs it for every call there is at the start.

    It does so to know which calls need no look at their arguments; one after the other that took most of its time.
    """
    if len(blocks) <= _FEW:
        return [each for number, block in blocks for each in _when(number, block)] + [_give(_ALLOW)]
    half = len(blocks) // 2
    low, high = _search(blocks[:half]), _search(blocks[half:])
    return [_jump(_AT_LEAST, blocks[half][0], len(low), 0), *low, *high]


@functools.cache
def no_processes(machine: str, *, programs: bool) -> bytes:
    """Return a second filter, on top of :func:`filter_program`: threads may be started, and no process.

    It also refuses memory files, which no limit counts, to outlive the parent, and to set limits, which an
    administrator could raise. Without ``programs`` the process cannot become another program either.
    """
    column, _ = _ARCHITECTURES[machine]
    code = [_load(_NUMBER)]
    for numbers in (_PROCESSES if programs else {**_PROCESSES, **_PROGRAMS}).values():
        number = numbers[column]
        if number is not None:
            code += _when(number, [_give(_REFUSE)])
    thread = [_jump(_ANY_BIT, _CLONE_THREAD, 0, 1), _give(_ALLOW), _give(_REFUSE)]
    code += _when(_CLONE[column], [_load(_argument(0)), *thread])
    code += _when(
        _PRCTL[column], [_load(_argument(0)), *_refuse_if(_EQUAL, _PR_SET_PDEATHSIG), _give(_ALLOW)]
    )
    code += _when(_SETRLIMIT[column], [_give(_REFUSE)])
    halves = [
        part
        for half in (0, 4)
        for part in (_load(_argument(2) + half), _jump(_EQUAL, 0, 1, 0), _give(_REFUSE))
    ]
    code += _when(_PRLIMIT[column], [*halves, _give(_ALLOW)])
    return b"".join(code) + _give(_ALLOW)


def _ask_for_an_own_group() -> list[bytes]:
    """``setpgid(0, 0)`` means the same and is refused: so no library that is loaded waits for an answer."""
    return [
        _load(_argument(0)),
        _jump(_EQUAL, 0, 1, 0),
        _give(_REFUSE),
        _load(_argument(1)),
        _jump(_EQUAL, 0, 0, 1),
        _give(_REFUSE),
        _give(_ASK),
    ]


def _stream_pairs_only() -> list[bytes]:
    """Both ends of such a pair are in this process; one for datagrams could be sent from to any address."""
    return [
        _load(_argument(0)),
        _jump(_EQUAL, _AF_UNIX, 1, 0),
        _give(_REFUSE),
        _load(_argument(1)),
        struct.pack("=HBBI", _AND, 0, 0, _SOCK_TYPES),
        *_allow_if_equal(_SOCK_STREAM),
        _give(_REFUSE),
    ]


def _signals_to_itself(column: int) -> dict[int | None, list[bytes]]:
    blocks: dict[int | None, list[bytes]] = {}
    for name, numbers in _SIGNALS.items():
        own = (
            []
            if name in {"tkill", "pidfd_send_signal"}
            else [_load(_argument(0)), *_allow_if_equal(_THE_PROCESS)]
        )
        blocks[numbers[column]] = [*own, _give(_REFUSE)]
    for call, requests in ((_FCNTL, _SET_OWNER), (_IOCTL, _IOCTL_SET_OWNER)):
        refused = [each for request in requests for each in _refuse_if(_EQUAL, request)]
        blocks[call[column]] = [_load(_argument(1)), *refused, _give(_ALLOW)]
    return blocks


def _when(number: int | None, block: list[bytes]) -> list[bytes]:
    """Go into ``block``, which must end in a verdict, for one system call; else past it."""
    return [] if number is None else [_jump(_EQUAL, number, 0, len(block)), *block]


def _refuse_if(test: int, value: int) -> list[bytes]:
    return [_jump(test, value, 0, 1), _give(_REFUSE)]


def _allow_if_equal(*values: int) -> list[bytes]:
    return [each for value in values for each in (_jump(_EQUAL, value, 0, 1), _give(_ALLOW))]


def _argument(position: int) -> int:
    """Return where the lower half of an argument lies; both machines are little-endian."""
    return 16 + 8 * position


def _load(offset: int) -> bytes:
    return struct.pack("=HBBI", _LOAD, 0, 0, offset)


def _jump(test: int, value: int, if_so: int, if_not: int) -> bytes:
    return struct.pack("=HBBI", test, if_so, if_not, value)


def _give(verdict: int) -> bytes:
    return struct.pack("=HBBI", _RETURN, 0, 0, verdict)
