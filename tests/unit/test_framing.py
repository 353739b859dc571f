"""The bytes of the wire: any cut, any truncation, any stray header."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_worker.framing import HEADER_SIZE, FrameDecoder, FramingError, frame
from orchestrator_worker.protocol import Unload

ENCODER = msgspec.msgpack.Encoder()


def frames_of(payloads: list[bytes]) -> bytes:
    return b"".join(bytes(frame(msgspec.Raw(payload), ENCODER)) for payload in payloads)


PAYLOADS = st.lists(st.binary(min_size=1, max_size=40).map(msgspec.msgpack.encode), max_size=6)


@given(payloads=PAYLOADS, cuts=st.lists(st.integers(1, 30), min_size=1))
def test_payloads_come_back_whole_however_the_bytes_are_cut(payloads: list[bytes], cuts: list[int]) -> None:
    stream = frames_of(payloads)
    decoder = FrameDecoder()
    found: list[bytes] = []
    position = turn = 0
    while position < len(stream):
        step = cuts[turn % len(cuts)]
        found += decoder.feed(stream[position : position + step])
        position, turn = position + step, turn + 1
    assert found == payloads
    assert decoder.pending == 0


def test_one_byte_at_a_time() -> None:
    payloads = [msgspec.msgpack.encode({"n": n}) for n in range(3)]
    decoder = FrameDecoder()
    found = [payload for byte in frames_of(payloads) for payload in decoder.feed(bytes([byte]))]
    assert found == payloads


def test_truncation_at_every_offset_yields_nothing_and_waits() -> None:
    stream = bytes(frame(Unload(7), ENCODER))
    for length in range(len(stream)):
        decoder = FrameDecoder()
        assert list(decoder.feed(stream[:length])) == []
        assert decoder.pending == length
        assert list(decoder.feed(stream[length:])) == [ENCODER.encode(Unload(7))]


@pytest.mark.parametrize("length", [0, 101, 2**32 - 1])
def test_a_header_outside_the_bounds_is_refused_before_anything_is_read_for_it(length: int) -> None:
    decoder = FrameDecoder(cap=100)
    with pytest.raises(FramingError, match=f"announces {length} bytes, expected 1 to 100") as caught:
        list(decoder.feed(length.to_bytes(HEADER_SIZE, "little") + b"garbage"))
    assert b"garbage" in caught.value.excerpt


def test_good_frames_before_a_bad_header_are_still_delivered() -> None:
    decoder = FrameDecoder(cap=100)
    received: list[bytes] = []
    with pytest.raises(FramingError):
        received.extend(decoder.feed(bytes(frame(Unload(1), ENCODER)) + b"\xff\xff\xff\xff"))
    assert received == [ENCODER.encode(Unload(1))]


def test_a_message_over_the_cap_is_not_written() -> None:
    with pytest.raises(FramingError, match="over the cap of 10"):
        frame("x" * 50, ENCODER, cap=10)


def test_a_message_exactly_at_the_cap_passes() -> None:
    payload = msgspec.msgpack.encode("x" * 20)
    assert len(frame("x" * 20, ENCODER, cap=len(payload))) == HEADER_SIZE + len(payload)
