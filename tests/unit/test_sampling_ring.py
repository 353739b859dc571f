"""The ring between a sampling process and its host: nothing is torn, nothing is lost without being counted."""

import contextlib
import mmap
import os
import random
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import orchestrator
from orchestrator.process.sampling import layout
from orchestrator.process.sampling.program import RingWriter
from orchestrator.process.sampling.ring import Ring, RingReading

BIG = (1 << 64) - 1


@contextlib.contextmanager
def ring_of(capacity: int) -> Iterator[tuple[Ring, RingWriter]]:
    ring = Ring(capacity)
    try:
        yield ring, RingWriter(ring.descriptor, capacity)
    finally:
        ring.close()


def body(number: int) -> tuple[int, ...]:
    """Return a record's fields, each of which tells its number."""
    return tuple(number * 10 + field for field in range(8))


def test_what_is_written_is_taken_once_in_its_order() -> None:
    with ring_of(8) as (ring, writer):
        assert ring.take() == []
        for number in range(5):
            writer.add(*body(number))
        assert ring.take() == [RingReading(*body(number)) for number in range(5)]
        assert ring.take() == []
        writer.add(*([BIG] * 8))
        assert ring.take() == [RingReading(*([BIG] * 8))]
        assert (ring.overwritten, ring.taken) == (0, 6)


@given(capacity=st.integers(2, 9), bursts=st.lists(st.integers(0, 30), max_size=12))
def test_taken_and_overwritten_are_all_that_was_written(capacity: int, bursts: list[int]) -> None:
    with ring_of(capacity) as (ring, writer):
        written = taken = 0
        for burst in bursts:
            for _ in range(burst):
                writer.add(*body(written))
                written += 1
            found = ring.take()
            taken += len(found)
            assert taken + ring.overwritten == written
            assert len(found) == min(burst, capacity)
            assert found == [RingReading(*body(number)) for number in range(written - len(found), written)]


def test_the_place_that_is_being_written_is_not_taken() -> None:
    """A writer in the middle of a record: its front is new, the rest of the old record may be half gone."""
    with ring_of(4) as (ring, writer):
        for number in range(4):
            writer.add(*body(number))
        writer[layout.HEADER_WORDS] = 5  # the fifth begins in the first one's place
        assert ring.take() == [RingReading(*body(number)) for number in (1, 2, 3)]
        assert ring.overwritten == 1


@pytest.mark.parametrize("field", [0, layout.RECORD_WORDS - 1], ids=["front", "end"])
def test_a_record_of_which_not_all_has_come_to_be_seen_is_taken_later(field: int) -> None:
    """What a weak memory order may show: the head is there before the record is."""
    with ring_of(8) as (ring, writer):
        writer.add(*body(0))
        writer.add(*body(1))
        word = layout.HEADER_WORDS + layout.RECORD_WORDS + field
        writer[word] = 0
        assert ring.take() == [RingReading(*body(0))]
        writer[word] = 2
        assert ring.take() == [RingReading(*body(1))]
        assert ring.overwritten == 0


WRITER = """
import sys
from orchestrator.process.sampling.program import RingWriter
writer = RingWriter(int(sys.argv[1]), int(sys.argv[2]))
for number in range(int(sys.argv[3])):
    writer.add(*([number] * 8))
"""


def test_beside_a_writer_that_never_waits_every_record_is_whole() -> None:
    capacity, count = 16, 60_000
    top = str(Path(orchestrator.__file__).parents[1])
    ring = Ring(capacity)
    passed = str(ring.descriptor), str(capacity), str(count)
    with (
        contextlib.closing(ring),
        subprocess.Popen(
            [sys.executable, "-c", WRITER, *passed],
            pass_fds=[ring.descriptor],
            env={**os.environ, "PYTHONPATH": top},
        ) as process,
    ):
        taken, last = 0, -1
        while ring.taken < count:
            assert process.poll() in {None, 0}
            for reading in ring.take():
                assert len(set(reading)) == 1, "a record of two halves"
                assert reading.time_ns > last
                last = reading.time_ns
                taken += 1
        assert taken + ring.overwritten == count
        assert last == count - 1


def test_another_writer_goes_on_where_the_first_one_ended() -> None:
    with ring_of(8) as (ring, writer):
        writer.add(*body(0))
        RingWriter(ring.descriptor, 8).add(*body(1))
        assert ring.take() == [RingReading(*body(0)), RingReading(*body(1))]


def test_the_view_shares_the_memory_and_cannot_be_written() -> None:
    with ring_of(4) as (ring, writer):
        seen = ring.view()
        assert seen.dtype.names == layout.FIELDS
        assert seen["front"].tolist() == [0, 0, 0, 0]
        writer.add(*body(7))
        assert seen[0].tolist() == (1, *body(7), 1)
        with pytest.raises(ValueError, match="read-only"):
            seen["rss"][0] = 1
        ring.close()
        assert seen["rss"][0] == body(7)[2], "who still looks keeps the memory"


def test_the_memory_can_be_neither_cut_nor_written_by_the_reader() -> None:
    with ring_of(4) as (ring, _):
        with pytest.raises(OSError, match="not permitted"):
            os.ftruncate(ring.descriptor, 0)
        read_only = mmap.mmap(ring.descriptor, 0, access=mmap.ACCESS_READ)
        with contextlib.closing(read_only), pytest.raises(TypeError):
            read_only[0] = 1


def test_a_ring_of_one_record_is_none() -> None:
    with pytest.raises(ValueError, match="two records"):
        Ring(1)


def test_a_ring_leaves_no_descriptor() -> None:
    before = os.listdir("/proc/self/fd")
    ring = Ring(random.randrange(2, 100))
    ring.close()
    ring.close()
    assert os.listdir("/proc/self/fd") == before


def test_what_the_program_imports_is_next_to_nothing() -> None:
    """Its memory is part of what a pool costs; numpy alone would be five times as much."""
    main = Path(orchestrator.__file__).with_name("process") / "sampling" / "__main__.py"
    source = (
        "import sys; sys.argv = ['']; path = sys.argv[0]\n"
        f"code = compile(open({str(main)!r}).read().replace('main(sys.argv[1:])', ''), {str(main)!r}, 'exec')\n"
        f"exec(code, {{'__name__': '__main__', '__file__': {str(main)!r}}})\n"
        "print(*sys.modules)"
    )
    flags = ("-P", "-S", "-s", "-B")
    found = subprocess.run([sys.executable, *flags, "-c", source], capture_output=True, text=True, check=True)
    loaded = found.stdout.split()
    assert "orchestrator.process.sampling.program" in loaded
    assert not {
        "typing",
        "socket",
        "signal",
        "subprocess",
        "threading",
        "logging",
        "msgspec",
        "numpy",
    }.intersection(loaded)
    assert len(loaded) < 80


class _Struck(deque[RingReading]):
    def extend(self, readings: Iterable[RingReading]) -> None:
        super().extend(readings)
        raise KeyboardInterrupt


def test_an_interrupt_before_records_count_as_taken_loses_none() -> None:
    with ring_of(8) as (ring, writer):
        for number in range(5):
            writer.add(*body(number))
        with pytest.raises(KeyboardInterrupt):
            ring.take(_Struck())
        kept: deque[RingReading] = deque()
        ring.take(kept)
        assert list(kept) == [RingReading(*body(number)) for number in range(5)]
