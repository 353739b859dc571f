"""What is in shared memory is decoded without trust: cut, mutated and lying values are errors, and allocate nothing."""

import os
import random
import resource
from typing import Any

import msgspec
import numpy as np
import pytest

from orchestrator.errors import JobError
from orchestrator.process.result_values import result_of
from orchestrator.process.sharing.pieces import UnfitError
from orchestrator.process.sharing.shared_result import SharedResult
from orchestrator.process.sharing.shared_value import PIECE_BYTES, decode_shared
from orchestrator.process.uninterrupted import OwnDescriptor
from orchestrator_worker.extension_codes import Code
from orchestrator_worker.protocol import ChunkTimes, Done
from orchestrator_worker.sharing.shared_memory import AVAILABLE, sealed_memory, sealed_size
from orchestrator_worker.values import packed, packed_pieces

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="this system has no sealed memory")
encode = msgspec.msgpack.encode
LARGE = PIECE_BYTES + 1


def shared(*pieces: bytes | memoryview) -> SharedResult:
    descriptor = sealed_memory("test", pieces)
    size = sealed_size(descriptor)
    assert size is not None
    own = OwnDescriptor()
    own.adopt([descriptor])
    return SharedResult(own, size)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        "text",
        b"x" * LARGE,
        "é" * LARGE,
        [b"x" * LARGE, "y" * LARGE, 7, [b"z" * LARGE]],
        {"a": b"x" * LARGE, "b": {"c": ["y" * LARGE]}, "d": 1.5},
        [b"x" * (PIECE_BYTES // 4)] * 9,
        [1.5] * 2_000_000,
        {str(number): [number, b"x" * 100] for number in range(100_000)},
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_come_back_as_they_were(value: Any) -> None:
    assert decode_shared(shared(packed(value))) == value
    assert decode_shared(shared(*packed_pieces(value))) == value


@pytest.mark.parametrize("kind", ["<f4", ">i8", "<c16", "<U2", "<M8[s]", "|b1", "|u1"])
def test_arrays_come_back_as_they_were(kind: str) -> None:
    array = np.zeros((3, LARGE // np.dtype(kind).itemsize), kind)
    array[1, 8] = 1
    for found in (
        decode_shared(shared(packed(array))),
        decode_shared(shared(*packed_pieces(array))),
        decode_shared(shared(packed([1, {"a": array}])))[1]["a"],
        decode_shared(shared(packed(array[:, ::2][:, :LARGE]))),
    ):
        assert found.dtype == array.dtype
        assert found[1].any()
        assert found.flags.writeable
        assert found.shape[0] == 3


def array_of(name: Any, shape: Any, content: bytes, *more: Any) -> bytes:
    inner = encode([name, shape, content, *more])
    return b"\xc9" + len(inner).to_bytes(4, "big") + bytes([Code.ARRAY]) + inner


CONTENT = b"x" * LARGE
LIES: dict[str, bytes] = {
    "more than there is": b"\xc6" + (1 << 31).to_bytes(4, "big") + CONTENT,
    "bytes behind it": b"\xc6" + len(CONTENT).to_bytes(4, "big") + CONTENT + b"x",
    "a list of four thousand million": b"\xdd\xff\xff\xff\xff" + CONTENT,
    "nothing but lists": b"\x91" * LARGE,
    "no text": b"\xdb" + LARGE.to_bytes(4, "big") + b"\xff" * LARGE,
    "a large number as an extension": b"\xc9" + LARGE.to_bytes(4, "big") + bytes([Code.INT]) + b"f" * LARGE,
    "a set": b"\xc9" + LARGE.to_bytes(4, "big") + bytes([Code.SET]) + b"\x01" * LARGE,
    "an array of objects": array_of("|O", [LARGE // 8], CONTENT),
    "an array of records": array_of("i4,O", [LARGE // 8], CONTENT),
    "an array without shape": array_of("|u1", [], CONTENT),
    "an array of another size": array_of("|u1", [LARGE - 1], CONTENT),
    "an array of negative sizes": array_of("|u1", [-LARGE, -1], CONTENT),
    "an array of an unbelievable size": array_of("|u1", [1 << 62, 1 << 62], CONTENT),
    "an array with text for a shape": array_of("|u1", "shape", CONTENT),
    "an array with a number for a type": array_of(7, [LARGE], CONTENT),
    "an array of four parts": array_of("|u1", [LARGE], CONTENT, 1),
    "an array with text for bytes": array_of("|u1", [LARGE], "x" * LARGE),  # type: ignore[arg-type]
    "an array that is a number": b"\xc9" + LARGE.to_bytes(4, "big") + bytes([Code.ARRAY]) + b"\x01" * LARGE,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_lies_are_the_error_of_the_one_result(lie: bytes) -> None:
    result: Any = shared(lie)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(JobError, match="cannot be decoded"):
        result_of(Done(1, "plain", result, 0.0, ChunkTimes(), None, len(lie)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 1 << 20, "KiB: a gibibyte"


def test_mutated_values_are_values_or_errors() -> None:
    chance = random.Random(5)
    honest = packed({"a": [np.arange(40_000), "text" * 9], "b": b"x" * 1000, "c": list(range(200))})
    for _ in range(300):
        mutated = bytearray(honest)
        for _ in range(chance.randint(1, 4)):
            mutated[chance.choice([*range(60), *range(len(honest) - 1300, len(honest))])] = chance.randrange(
                256
            )
        result: Any = shared(bytes(mutated))
        try:
            result_of(Done(1, "plain", result, 0.0, ChunkTimes(), None, len(honest)))
        except JobError as error:
            assert "cannot be decoded" in str(error)  # noqa: PT017 - it may be a value too


def test_millions_of_objects_are_refused() -> None:
    with pytest.raises(UnfitError, match="objects"):
        decode_shared(shared(b"\xdd" + (9_000_000).to_bytes(4, "big") + b"\x80" * 9_000_000))


def test_the_memory_is_given_back_with_the_last_reference() -> None:
    result = shared(b"\x01")
    number = result._descriptor
    assert "memfd" in os.readlink(f"/proc/self/fd/{number}")
    del result
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
