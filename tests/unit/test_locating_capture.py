"""What a trace says, record by record: fakes in the place of memray's, and the files of real modules."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.analysis.locating.frames import Frame
from orchestrator.locating.elf_file import demangled, open_elf
from orchestrator.locating.modules import NativeFrames, _collect
from orchestrator.locating.schema import located_schema_text

pytest.importorskip(
    "memray", reason="the extra 'locate' is not installed: pip install 'orchestrator[locate]'"
)
from orchestrator.locating.capture import _FREE, _MMAP, _MUNMAP, _stack, go_through
from orchestrator.locating.replay import Levels, Replay, chunk_bytes
from orchestrator_worker.tracing.marks import MARK_BYTES, MARK_STEP, MARKED

MALLOC = 6
MARKER = [("mark", "/x/orchestrator_worker/tracing/marks.py", 60)]


@dataclass
class Record:
    allocator: int
    address: int
    size: int
    native_stack_id: int = 1
    stack_id: int = 0
    native_segment_generation: int = 0
    thread_name: str = ""
    python: list[tuple[str, str, int]] = field(default_factory=list)

    def stack_trace(self, max_stacks: int | None = None) -> list[tuple[str, str, int]]:
        return self.python[:max_stacks]

    def hybrid_stack_trace(self) -> list[tuple[str, str, int]]:
        return [("grow", "<unknown>", 0), *self.python]


def mark(command: str, python: list[tuple[str, str, int]] = MARKER) -> Record:
    return Record(MALLOC, 9, MARK_BYTES + MARK_STEP * MARKED.index(command) + 1, python=python)


def block(address: int, size: int = 100, stack: int = 1) -> Record:
    return Record(MALLOC, address, size, stack)


def free(address: int) -> Record:
    return Record(_FREE, address, 0)


def replayed(records: list[Record], boundaries: list[int], *, chunks: bool = False) -> Replay:
    replay = Replay(boundaries, chunks)
    go_through(replay, records)
    return replay


def only(replay: Replay) -> Levels:
    (found,) = replay.grown()
    return found


def test_what_is_alive_at_each_mark_is_counted() -> None:
    first = block(1)
    records = [mark("Run"), first, block(2), free(2), mark("Run"), block(3), mark("Run"), free(1), free(3)]
    replay = Replay([0, 1, 2, 3])
    many, samples = go_through(replay, [*records, mark("Trace")])
    found = only(replay)
    assert many == len(records) + 1
    assert (found.blocks, found.sizes) == ([0, 1, 2, 0], [0, 100, 200, 0])
    assert found.phase == "infer"
    assert samples == {found.stack: first}
    assert _stack(found, first, NativeFrames()).frames == [Frame("grow")]


def test_a_phase_is_that_of_the_allocation() -> None:
    records = [mark("Load"), block(1), mark("Run"), block(2), mark("Unload"), block(3), mark("Trace")]
    found = replayed(records, [0, 3]).grown()
    assert [each.phase for each in found] == ["load", "infer", "unload"]


def test_a_block_of_a_marks_size_is_no_mark() -> None:
    other = mark("Run", [("buffer", "/user/code.py", 1)])
    assert only(replayed([mark("Run"), other, mark("Trace")], [0, 1])).blocks == [0, 1]


def test_a_trace_that_ends_early_has_fewer_boundaries() -> None:
    replay = replayed([mark("Run"), block(1), mark("Run"), block(2)], [0, 1, 2])
    assert len(replay.snapshots) == 2


def test_a_block_that_moves_is_one_block() -> None:
    """Memray writes realloc as a free and an allocation; a free that was not seen is made up for by the next block."""
    found = only(replayed([mark("Run"), block(1, 100), block(1, 300), mark("Trace")], [0, 1]))
    assert (found.blocks, found.sizes) == ([0, 1], [0, 300])


def test_sizes_of_one_stack_are_added_up_and_what_was_there_at_first_is_no_growth() -> None:
    records = [
        mark("Run"),
        block(1, 100),
        block(2, 40),
        mark("Run"),
        block(3, 30),
        block(4, 7, 2),
        mark("Run"),
    ]
    replay = replayed([*records, free(4), block(5, 7, 2), mark("Trace")], [1, 2, 3], chunks=True)
    (found,) = [each for each in replay.grown() if 1 in each.stack]
    assert (found.blocks, found.sizes) == ([2, 3, 3], [140, 170, 170])
    assert found.held == [112 + 48, 112 + 48 + 48, 112 + 48 + 48]


def test_a_mapping_may_be_given_back_in_parts() -> None:
    mapped = Record(_MMAP, 4096, 12_288)
    first, middle = Record(_MUNMAP, 4096, 4096), Record(_MUNMAP, 8192, 4096)
    rest = Record(_MUNMAP, 4096, 12_288)
    records = [mark("Run"), mapped, first, mark("Run"), middle, mark("Run"), rest, mark("Trace")]
    found = only(replayed(records, [0, 1, 2, 3], chunks=True))
    assert (found.sizes, found.held) == ([0, 8192, 4096, 0], [0, 8192, 4096, 0])
    assert found.blocks == [0, 1, 1, 0]


PAGE = 4096


def test_one_munmap_may_take_several_mappings() -> None:
    small, large = Record(_MMAP, 16 * PAGE, PAGE), Record(_MMAP, 17 * PAGE, 4 * PAGE)
    records = [mark("Run"), small, large, mark("Run"), Record(_MUNMAP, 16 * PAGE, 3 * PAGE), mark("Run")]
    found = only(replayed([*records, Record(_MUNMAP, 0, 64 * PAGE), mark("Trace")], [0, 1, 2, 3]))
    assert (found.sizes, found.blocks) == ([0, 5 * PAGE, 2 * PAGE, 0], [0, 2, 1, 0])


def test_what_is_left_on_both_sides_of_a_hole_is_given_back_where_it_lies() -> None:
    whole, hole = Record(_MMAP, 16 * PAGE, 8 * PAGE), Record(_MUNMAP, 18 * PAGE, 2 * PAGE)
    again, right = Record(_MUNMAP, 18 * PAGE, 2 * PAGE), Record(_MUNMAP, 20 * PAGE, 4 * PAGE)
    records = [mark("Run"), whole, mark("Run"), hole, again, mark("Run"), right, mark("Run")]
    found = only(replayed([*records, Record(_MUNMAP, 16 * PAGE, 2 * PAGE), mark("Trace")], [0, 1, 2, 3, 4]))
    assert found.sizes == [0, 8 * PAGE, 6 * PAGE, 2 * PAGE, 0]
    assert found.blocks == [0, 1, 2, 1, 0]


@pytest.mark.parametrize(("size", "chunk"), [(1, 32), (24, 32), (25, 48), (40, 48), (41, 64), (100, 112)])
def test_glibc_takes_whole_sixteen_bytes_and_a_header(size: int, chunk: int) -> None:
    assert chunk_bytes(size) == chunk
    replay = replayed([mark("Run"), block(1, size), mark("Trace")], [0, 1], chunks=True)
    assert only(replay).held == [0, chunk]


DUMP = b"""HEADER magic=memray
SEGMENT_HEADER filename=/lib/libengine.so num_segments=2 addr=0x1000
SEGMENT (nil) 100
SEGMENT 0x400 200
NATIVE_FRAME_ID ip=0x1410 index=0
NATIVE_FRAME_ID ip=0x9999 index=1
NATIVE_FRAME_ID ip=0x1020 index=2
ALLOCATION address=0x1 size=3 allocator=malloc native_frame_id=3
"""


def test_addresses_and_modules_are_read_from_what_memray_prints() -> None:
    found = _collect([DUMP])
    assert found.addresses(3) == [0x1020, 0x9999, 0x1410]
    assert found.module_at(0x1410) == ("/lib/libengine.so", 0x410)
    assert found.module_at(0x1300) is None
    frames = [Frame("a"), Frame("b"), Frame("c"), Frame("line", "/user/code.py", 3, python=True)]
    modules = [frame.module for frame in found.with_modules(frames, 3)]
    assert modules == ["libengine.so", "", "libengine.so", ""]


def test_a_dump_in_another_form_gives_no_modules() -> None:
    found = _collect([b"FRAME 17\n", b"SEGMENT\n", b"NATIVE_FRAME_ID\n"])
    frames = [Frame("a")]
    assert found.with_modules(frames, 1) == frames


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="modules are ELF files on Linux only")
def test_a_real_module_says_its_build_id_and_functions() -> None:
    import _ctypes

    elf = open_elf(Path(_ctypes.__file__))
    assert elf.starts == sorted(elf.starts)
    assert "PyInit__ctypes" in {elf.function_at(start) for start in elf.starts}


def test_what_is_no_module_says_nothing(tmp_path: Path) -> None:
    for content in (b"", b"no ELF file", b"\x7fELF\x02\x01" + bytes(40), b"\x7fELF\x02\x01" + b"\xff" * 90):
        (tmp_path / "file").write_bytes(content)
        elf = open_elf(tmp_path / "file")
        assert (elf.build_id, elf.function_at(5)) == ("", "")
    assert open_elf(tmp_path / "none").build_id == ""


@pytest.mark.parametrize("name", ["malloc", "_Z", "_Znothing", ""])
def test_what_is_no_name_of_cxx_stays_as_it_is(name: str) -> None:
    assert demangled(name) == name


def test_the_committed_schema_is_the_one_made() -> None:
    committed = (Path(__file__).parents[2] / "docs/located.schema.json").read_text("utf-8")
    assert committed == located_schema_text(), (
        "run: orchestrator schema --of located > docs/located.schema.json"
    )
