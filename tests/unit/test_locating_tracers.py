"""What heaptrack and jemalloc write, which tracer is chosen, and frames from the addresses of real modules."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.analysis.locating.frames import Frame
from orchestrator.errors import EngineUnavailableError
from orchestrator.locating import tracers
from orchestrator.locating.heaptrack_file import HeaptrackFile, read
from orchestrator.locating.jemalloc_profile import dumps_of, read_dump
from orchestrator.locating.jemalloc_profile import read as read_dumps
from orchestrator.locating.replay import Replay
from orchestrator.locating.symbols import Span, Symbols
from orchestrator.locating.tracers import Heaptrack, Jemalloc, Memray, choose_tracer
from orchestrator_worker.tracing.marks import MARK_BYTES, MARK_STEP, MARKED, SECOND_MARK_BYTES


def mark(command: str) -> list[str]:
    more = MARK_STEP * MARKED.index(command) + 1
    return [f"+ {MARK_BYTES + more:x} 1 f0", f"+ {SECOND_MARK_BYTES + more:x} 1 f1", "- f1", "- f0"]


HEAD = ["v 10400 3", "x 8 /bin/app", "X app", "I 1000 5e2921", "m 1 -", "m 1 x 400000 0 1000 2000 500"]
HEAD += [
    "m 10 /lib/libeng a.so 7f0000 0 800 1000 800",
    "t 7f0010 0",
    "t 401000 1",
    "t 7f1004 1",
    "c 5",
    "R 10",
]


def lines(*parts: list[str]) -> list[bytes]:
    return [f"{line}\n".encode() for part in parts for line in part]


def test_blocks_alive_at_each_mark_are_counted_with_their_stacks() -> None:
    replay = Replay([0, 1, 2], chunks=True)
    file = HeaptrackFile()
    many = file.go_through(
        replay,
        lines(
            HEAD,
            ["+ 40 3 aa", "- aa", "+ 10 3 ab"],  # before the first mark: nobody's
            mark("Run"),
            ["+ 64 3 a0", "+ 64 3 a1", "- a1", "- ab", "+ 28 2 b0"],
            mark("Unload"),
            ["- b0", "+ 64 3 a2"],
            mark("Trace"),
            ["+ 64 3 a3"],
        ),
    )
    found = {(each.stack, each.phase): each for each in replay.grown()}
    kept = found[3, "infer"]
    assert (kept.blocks, kept.sizes, kept.held) == ([0, 1, 1], [0, 100, 100], [0, 112, 112])
    assert found[3, "unload"].blocks == [0, 0, 1]
    assert found[2, "infer"].blocks == [0, 1, 0]
    assert many == 3 + 4 + 5 + 4 + 2 + 2  # up to the last mark
    (stack,) = file.stacks([found[2, "infer"]])
    assert [frame.place for frame in stack.frames] == ["app+0xfff", "libeng a.so+0xf"]
    assert file.program == "/bin/app"


def test_a_block_of_a_marks_size_alone_is_no_mark() -> None:
    replay = Replay([0, 1])
    alone = [f"+ {MARK_BYTES + 1:x} 1 c0", "- c0", f"+ {SECOND_MARK_BYTES + 1:x} 1 c1", "- c1"]
    HeaptrackFile().go_through(replay, lines(HEAD, mark("Run"), alone))
    assert len(replay.snapshots) == 1


def test_a_file_that_was_cut_has_fewer_boundaries(tmp_path: Path) -> None:
    whole = b"".join(lines(HEAD, mark("Run"), ["+ 64 3 a0"], mark("Trace")))
    for end in range(whole.index(b"+ 64 3 a0"), len(whole), 7):
        (tmp_path / "trace").write_bytes(whole[:end])
        assert read(str(tmp_path / "trace"), [0, 1, 2], 0, True)["boundaries"] in (1, 2)


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trace").write_bytes(b"v 20000 9\n")
    with pytest.raises(ValueError, match="heaptrack's format 9 is not known here"):
        read(str(tmp_path / "trace"), [0], 0, True)


DUMP = """heap_v2/1
  t*: 3: 3000 [0: 0]
  t0: 3: 3000 [0: 0]
@ 0x7f1011 0x401001
  t*: {blocks}: {size} [0: 0]
  t0: {blocks}: {size} [0: 0]
@ 0x7f1021 0x401001
  t*: 1: 64 [0: 0]
  t0: 1: 64 [0: 0]

MAPPED_LIBRARIES:
00400000-00402000 r-xp 00000000 fe:00 26723                      /bin/app
007f0000-007f2000 r-xp 00001000 fe:00 26724                      /lib/libengine.so
7ffd0000-7ffd1000 rw-p 00000000 00:00 0                          [stack]
"""


def dumped(folder: Path, *marks: tuple[int, str, int]) -> str:
    for number, command, blocks in marks:
        path = folder / f"trace.bin.{number:06}.{command}"
        path.write_text(DUMP.format(blocks=blocks, size=blocks * 112))
    return str(folder / "trace.bin")


def test_what_dumps_have_at_each_boundary(tmp_path: Path) -> None:
    file = dumped(tmp_path, (0, "Load", 1), (1, "Run", 1), (2, "Unload", 5), (3, "Trace", 5))
    found = read_dumps(file, [0, 1, 3], 0, False)
    (stack,) = found["stacks"]
    assert found["boundaries"] == 3
    assert (stack["blocks"], stack["sizes"], stack["held"]) == ([1, 1, 5], [112, 112, 560], [112, 112, 560])
    assert stack["phase"] == "infer"
    assert [msgspec.convert(frame, Frame).place for frame in stack["frames"]] == [
        "libengine.so+0x2010",
        "app+0x1000",
    ]


def test_dumps_that_are_missing_end_the_series(tmp_path: Path) -> None:
    file = dumped(tmp_path, (0, "Load", 1), (1, "Run", 4))
    assert read_dumps(file, [0, 1, 3], 0, False)["boundaries"] == 2


@pytest.mark.parametrize("content", [b"", b"heap_v2/524288\n", b"heap profile: 1: 2 [3: 4] @ heapprofile\n"])
def test_what_is_no_dump_of_every_block_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no dump"):
        read_dump(content)


def test_only_dumps_that_are_read_stay(tmp_path: Path) -> None:
    file = Path(dumped(tmp_path, *((number, "Run", 1) for number in range(9))))
    Jemalloc().tidy(file, [0, 3, 6])
    assert list(dumps_of(file)) == [0, 3, 6, 7, 8]


def chosen(monkeypatch: pytest.MonkeyPatch, **missing: str) -> Any:
    every = [Memray, Heaptrack, Jemalloc]
    for tracer in every:
        monkeypatch.setattr(tracer, "missing", missing.get(tracer.key, ""))
    return choose_tracer


def test_the_first_that_is_there_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch)().key == "memray"
    assert chosen(monkeypatch, memray="gone")().key == "heaptrack"
    assert chosen(monkeypatch, memray="gone", heaptrack="gone")().key == "jemalloc"
    assert chosen(monkeypatch)("jemalloc").key == "jemalloc"


def test_one_that_is_wanted_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineUnavailableError, match="there is no tracer heaptrack: gone") as error:
        chosen(monkeypatch, heaptrack="gone")("heaptrack")
    assert error.value.how_to_get_it == "apt-get install heaptrack"
    with pytest.raises(EngineUnavailableError, match="there is no tracer: a; b; c"):
        chosen(monkeypatch, memray="a", heaptrack="b", jemalloc="c")()


def test_a_library_without_the_profiler_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library = tmp_path / "libjemalloc.so.2"
    library.write_bytes(b"")
    monkeypatch.setenv("JEMALLOC_LIB", str(library))
    monkeypatch.setattr(tracers, "_printed", lambda *_: "0 False\n")
    assert Jemalloc().missing == "libjemalloc.so.2 is built without its profiler"


def test_what_a_variant_preloads_stays_behind_the_tracer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = tmp_path / "libjemalloc.so.2"
    library.write_bytes(b"")
    monkeypatch.setenv("JEMALLOC_LIB", str(library))
    env = Jemalloc().environment(
        tmp_path, {"LD_PRELOAD": "/x/y.so", "MALLOC_CONF": "narenas:1"}, confined=False
    )
    assert env["LD_PRELOAD"] == f"{library}:/x/y.so"
    assert env["MALLOC_CONF"].startswith("narenas:1,prof:true")


SOURCE = """
#include <stdlib.h>
static inline void *inner(void) { return malloc(10); }
void *outer(void) { return inner(); }
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler (apt-get install gcc)")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="modules are ELF files on Linux only")
def test_inlined_functions_and_lines_come_from_debug_information(tmp_path: Path) -> None:
    (tmp_path / "engine.c").write_text(SOURCE)
    library = tmp_path / "libengine.so"
    subprocess.run(
        ["cc", "-O2", "-g", "-shared", "-fPIC", str(tmp_path / "engine.c"), "-o", str(library)], check=True
    )
    plain = Symbols([Span(0x10000, 0x20000, 0, str(library))])
    elf = plain._file(str(library))
    start = next(at for at in elf.starts if elf.function_at(at) == "outer")
    address = 0x10000 + elf.ends[elf.starts.index(start)] - 1
    assert [frame.function for frame in plain.frames([address])] == ["outer"]
    assert elf.has_lines
    plain.look_up([address])
    if shutil.which("addr2line") is not None:
        known = plain.frames([address])
        assert known[-1].function == "outer"
        assert known[-1].file.endswith("engine.c")
        assert known[-1].line in (3, 4)
    assert plain.frames([5]) == [Frame("<unknown>")]


def test_a_place_in_the_file_is_another_than_the_address(tmp_path: Path) -> None:
    from orchestrator.locating.elf_file import ElfFile

    elf = ElfFile(loads=[(0, 0, 0x1000), (0x1000, 0x3000, 0x500)])
    assert [elf.address_of(place) for place in (0x10, 0x1010, 0x9000)] == [0x10, 0x3010, 0x9000]
    symbols = Symbols([Span(0x7000, 0x8000, 0x1000, "x", by_file=True)], {"x": elf})
    assert symbols.place(0x7010) == ("x", 0x3010)
    assert symbols.place(0x8000) is None
