"""The numbers of system calls are the kernel's, and a filter's jumps end where they should."""

import re
import struct
from pathlib import Path

import pytest

from orchestrator_worker.sandbox import seccomp

HEADERS = {
    "x86_64": (0, Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")),
    "aarch64": (1, Path("/usr/include/asm-generic/unistd.h")),
}
ALL = {
    **seccomp._REFUSED,
    **seccomp._SIGNALS,
    "clone": seccomp._CLONE,
    "clone3": seccomp._CLONE3,
    "socketpair": seccomp._SOCKETPAIR,
    "prlimit64": seccomp._PRLIMIT,
    "fcntl": seccomp._FCNTL,
    "ioctl": seccomp._IOCTL,
}
RETURN, CLASS = 0x06, 0x07


@pytest.mark.parametrize("machine", HEADERS)
def test_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    column, header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"no {header}")
    lines = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    known = {name: int(number) for name, number in reversed(lines)}
    ours = {name: numbers[column] for name, numbers in ALL.items()}
    assert {name: number for name, number in ours.items() if name in known} == {
        name: number for name, number in known.items() if name in ours
    }
    assert [name for name, number in ours.items() if number is None and name in known] == []


@pytest.mark.parametrize(("signals", "asks"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("machine", HEADERS)
def test_every_path_through_a_filter_ends_in_a_verdict(machine: str, signals: bool, asks: bool) -> None:
    program = seccomp.filter_program(machine, 4711, signals=signals, asks=asks)
    code = list(struct.iter_unpack("=HBBI", program))
    assert len(program) % 8 == 0
    assert len(code) < 4096  # the kernel's bound
    for position, (instruction, if_so, if_not, _) in enumerate(code):
        if instruction & CLASS == 0x05:
            assert position + 1 + max(if_so, if_not) < len(code)
    assert code[-1] == (RETURN, 0, 0, seccomp._ALLOW)


@pytest.mark.parametrize("machine", HEADERS)
def test_what_a_filter_says(machine: str) -> None:
    column = HEADERS[machine][0]
    verdict = Simulated(machine, pid=4711, signals=True).verdict
    for name, numbers in seccomp._REFUSED.items():
        if numbers[column] is not None:
            assert verdict(numbers[column]) == "EPERM", name
    read = {"x86_64": 0, "aarch64": 63}[machine]
    assert verdict(read) == "allowed"
    assert verdict(seccomp._CLONE3[column]) == "ENOSYS"
    clone = seccomp._CLONE[column]
    assert [verdict(clone, flags) for flags in (17, 0x3D0F00, 0x10000011, 0x40000000)] == [
        "allowed",
        "allowed",
        "EPERM",
        "EPERM",
    ]
    pair = seccomp._SOCKETPAIR[column]
    kinds = [verdict(pair, 1, 1 | 0o2000000), verdict(pair, 1, 2), verdict(pair, 1, 5), verdict(pair, 2, 1)]
    assert kinds == ["allowed", "EPERM", "EPERM", "EPERM"]
    limit = seccomp._PRLIMIT[column]
    assert [verdict(limit, pid) for pid in (0, 4711, 1)] == ["allowed", "allowed", "EPERM"]
    kill = seccomp._SIGNALS["kill"][column]
    assert [verdict(kill, pid & 0xFFFFFFFF) for pid in (4711, 0, -1, 1)] == ["allowed"] + ["EPERM"] * 3
    assert verdict(seccomp._FCNTL[column], 3, 8) == "EPERM"
    assert verdict(seccomp._FCNTL[column], 3, 2) == "allowed"


@pytest.mark.parametrize("machine", HEADERS)
def test_a_template_is_refused_the_same_and_asks_for_a_group_of_a_workers_own(machine: str) -> None:
    column = HEADERS[machine][0]
    verdict = Simulated(machine, pid=4711, signals=False, asks=True).verdict
    plain = Simulated(machine, pid=4711, signals=False).verdict
    for name, numbers in seccomp._REFUSED.items():
        if numbers[column] is not None and name != "setpgid":
            assert verdict(numbers[column]) == plain(numbers[column]) == "EPERM", name
    group = seccomp._REFUSED["setpgid"][column]
    assert [verdict(group, *pair) for pair in ((0, 0), (4712, 4712), (4712, 0), (0, 4712))] == [
        "EPERM",
        "EPERM",
        "EPERM",
        "asked",
    ]
    assert plain(group, 0, 4712) == "EPERM"


def test_other_interfaces_of_the_same_machine_are_refused() -> None:
    verdict = Simulated("x86_64", pid=1, signals=False).verdict
    assert verdict(0x40000000) == "EPERM"  # x32
    assert verdict(0, architecture=0x40000003) == "EPERM"  # i386
    assert verdict(62, 1) == "allowed"  # signals are then Landlock's part


class Simulated:
    """The kernel's reading of a filter, as far as ours uses it."""

    def __init__(self, machine: str, *, pid: int, signals: bool, asks: bool = False) -> None:
        program = seccomp.filter_program(machine, pid, signals=signals, asks=asks)
        self.code = list(struct.iter_unpack("=HBBI", program))
        self.architecture = seccomp._ARCHITECTURES[machine][1]

    def verdict(self, number: int | None, *arguments: int, architecture: int | None = None) -> str:
        assert number is not None
        whole = [*arguments, 0, 0, 0, 0, 0, 0][:6]
        data = struct.pack("<IIQ6Q", number, architecture or self.architecture, 0, *whole)
        held = position = 0
        while True:
            instruction, if_so, if_not, value = self.code[position]
            position += 1
            match instruction:
                case 0x20:
                    (held,) = struct.unpack_from("<I", data, value)
                case 0x54:
                    held &= value
                case 0x15:
                    position += if_so if held == value else if_not
                case 0x35:
                    position += if_so if held >= value else if_not
                case 0x45:
                    position += if_so if held & value else if_not
                case _:
                    assert instruction == RETURN
                    names = {seccomp._ALLOW: "allowed", seccomp._REFUSE: "EPERM", seccomp._UNKNOWN: "ENOSYS"}
                    return {**names, seccomp._ASK: "asked"}[value]
