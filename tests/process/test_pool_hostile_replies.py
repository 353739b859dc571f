"""What a worker sends reaches no further than its own job: forged, fuzzed, nested, huge and early replies."""

import random
import sys
import threading
import time
from concurrent.futures import Future
from typing import Any

import msgspec
import pytest

from orchestrator.errors import JobError, WorkerDiedError
from orchestrator.pool.jobs import Call
from orchestrator.pool.pool import Pool
from orchestrator_worker.protocol import ChunkTimes, Done, Failed, Hello, Loaded, Ready, Returned, Trimmed

pytestmark = pytest.mark.usefixtures("nothing_left")
DEADLINE_S = 60.0
HOSTILE = "hostile_functions:"
encode = msgspec.msgpack.encode


def string(text: bytes) -> bytes:
    return b"\xd9" + bytes([len(text)]) + text


UNDECODABLE = {
    "a name that is no UTF-8": b"\x81\xa4type\xa4\xff\xfe\xff\xfe",
    "a key that is no UTF-8": b"\x82\xa2\xc3\x28\xc0\xa4type\xa4Done",
    "text that is no UTF-8": b"\x84\xa4type\xa5Chunk\xa2id\x01\xa4text\xa2\xc3\x28\xa5final\xc2",
    "lists before the name": b"\x82\xa1x" + b"\x91" * 5000 + b"\xc0\xa4type\xa4Done",
    "maps before the name": b"\x82\xa1x" + b"\x81\xa1k" * 5000 + b"\xc0\xa4type\xa4Done",
    "facts within facts": b"\x83\xa4type\xa6Loaded\xa2id\x01\xa5facts\x81\xa1k" + b"\x91" * 3000 + b"\xc0",
    "a list of four thousand million": b"\x82\xa4type\xa6Loaded\xa5tasks\xdd\xff\xff\xff\xff",
    "an extension": b"\x82\xa4type\xd6\xff\x00\x00\x00\x01\xa2id\x01",
    "no map": b"\xc1",
    "a large message that is no result": b"\x82\xa4type\xa5Ready\xa1x\xdb\x00\x20\x00\x00" + bytes(2 << 20),
}


@pytest.mark.parametrize("payload", UNDECODABLE.values(), ids=UNDECODABLE)
def test_bytes_that_cannot_be_decoded_cost_one_job(payload: bytes) -> None:
    with Pool(workers=2) as pool:
        others = [pool.submit(Call("operator:add", number, 1)) for number in range(20)]
        with pytest.raises(WorkerDiedError, match="protocol"):
            pool.run(Call(HOSTILE + "send_raw", payload))
        assert [other.result(DEADLINE_S) for other in others] == list(range(1, 21))
        assert pool.run(Call("operator:add", 1, 1)) == 2
        assert pool.stats().exits == {"protocol": 1}


def test_mutated_messages_cost_their_own_jobs() -> None:
    chance = random.Random(16)
    honest = [
        encode(Done(5, "plain", encode([1, "two"]), 0.1, ChunkTimes())),
        encode(Failed(5, "error", "E", "message", "traceback")),
        encode(Loaded(5, 0.1, ["call"], {"a": [1]})),
        encode(Hello(4, "0", 1, "3", [])),
        encode(Returned(5)),
    ]
    mine = []
    for number in range(150):
        payload = bytearray(chance.choice(honest))
        for _ in range(chance.randint(1, 4)):
            payload[chance.randrange(len(payload))] = chance.randrange(256)
        mine.append(Call(HOSTILE + "send_raw", bytes(payload), 1 + number % 3))
    with Pool(workers=2) as pool:
        theirs = [pool.submit(job) for job in mine]
        ours = [pool.submit(Call("operator:mul", number, 3)) for number in range(300)]
        assert [one.result(DEADLINE_S) for one in ours] == [number * 3 for number in range(300)]
        for one in theirs:  # a worker that must go may still have the answer to its own job
            assert isinstance(one.exception(DEADLINE_S), WorkerDiedError | None)
        assert pool.stats().exits == {"protocol": 150}


FORGED: dict[str, Any] = {
    "results": Done(0, "plain", encode("forged"), 0.0, ChunkTimes()),
    "errors": Failed(0, "error", "Forged", "forged"),
    "a second load": Loaded(0, 0.1, ["call"]),
    "a second greeting": Hello(4, "0", 1, "3", []),
    "readiness": Ready(),
    "a trim": Trimmed(0, trimmed=True),
    "jobs given back": Returned(0),
}


@pytest.mark.parametrize("message", FORGED.values(), ids=FORGED)
def test_a_reply_that_nobody_asked_for_ends_the_worker(message: Any) -> None:
    with Pool() as pool:
        error = pool.submit(Call(HOSTILE + "send_raw", encode(message))).exception(DEADLINE_S)
        assert error is None or "protocol" in str(error)  # the answer to its own job may have come with it
        assert pool.run(Call("operator:add", 1, 1)) == 2
    assert pool.stats().exits == {"protocol": 1, "shutdown": 1}


def test_results_sent_early_are_nobodys() -> None:
    """The worker answers the jobs that come next, by every number it may hope for, before its own job ends."""
    with Pool() as pool:
        for first in (0, 1, 2, 3, 1 << 62):
            attack = pool.submit(Call(HOSTILE + "answer_others", first, 20))
            innocent = [pool.submit(Call("operator:add", number, 1)) for number in range(5)]
            assert [one.result(DEADLINE_S) for one in innocent] == [1, 2, 3, 4, 5]
            assert attack.exception(DEADLINE_S) is not None or attack.result() == "mine"
        assert pool.stats().exits == {"protocol": 5}


def test_results_sent_behind_an_answer_are_nobodys() -> None:
    with Pool() as pool:
        for number in range(10):
            pool.submit(Call(HOSTILE + "answer_others_later", number, 3, 0.001))
            struck = pool.submit(
                Call("time:sleep", 0.02)
            )  # it may die with its worker; a forged value it never has
            assert struck.exception(DEADLINE_S) is not None or struck.result() is None
            assert pool.run(Call("operator:add", number, 1)) == number + 1


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize(("how", "reason"), [("crash", "crash"), ("exit", "crash"), ("kill", "killed")])
def test_a_worker_that_dies_behind_its_answer_takes_no_unread_job_along(
    how: str, reason: str, waits: bool
) -> None:
    """Another worker gets what lies in its pipe, and nothing is counted: a few jobs, and such as fill the pipe."""
    with Pool(max_attempts=1) as pool:
        for size in (1, 10, 300_000):
            last = pool.submit(Call(HOSTILE + "die_without_reading_on", how, waits=waits))
            innocent = [pool.submit(Call("builtins:len", bytes(size + number))) for number in range(4)]
            assert last.result(DEADLINE_S) == "answered"
            assert [one.result(DEADLINE_S) for one in innocent] == [size + number for number in range(4)]
        assert pool.stats().exits == {reason: 3}
        assert pool.stats().retries == 0


# ------------------------------------------------------------------ values


@pytest.mark.parametrize("depth", [100, 985, 3000])
def test_deep_values_are_the_error_of_their_caller_alone(depth: int) -> None:
    with Pool() as pool:
        future = pool.submit(Call(HOSTILE + "nest", depth))
        error = future.exception(DEADLINE_S)
        assert error is None or isinstance(error, JobError)
        assert pool.run(Call("operator:add", 1, 1)) == 2
        assert pool.stats().spawns == 1


def test_a_caller_with_a_deep_stack_gets_an_error_and_a_shallow_one_the_value() -> None:
    def from_deep_down(levels: int, future: Future[Any]) -> Any:
        return from_deep_down(levels - 1, future) if levels else future.exception(DEADLINE_S)

    with Pool() as pool:
        others = [pool.submit(Call("operator:add", number, 1)) for number in range(50)]
        future = pool.submit(Call(HOSTILE + "nest", 400))
        room = sys.getrecursionlimit() - len(list(_frames()))
        error = from_deep_down(room - 150, future)
        assert isinstance(error, JobError)
        assert "nested" in str(error)
        depth, value = 0, future.result(DEADLINE_S)
        while value:
            depth, value = depth + 1, value[0]
        assert depth == 400
        assert future.result() is future.result()
        assert [other.result(DEADLINE_S) for other in others] == list(range(1, 51))


def _frames() -> Any:
    frame = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back


def test_millions_of_objects_are_refused_and_hold_up_nobody() -> None:
    with Pool(workers=2) as pool:
        future = pool.submit(Call("operator:mul", [{}], 9_000_000))
        gone = threading.Event()
        longest = [0.0]

        def others() -> None:
            while not gone.is_set():
                began = time.monotonic()
                assert pool.run(Call("operator:add", 1, 1)) == 2
                longest[0] = max(longest[0], time.monotonic() - began)

        thread = threading.Thread(target=others)
        thread.start()
        try:
            error = future.exception(DEADLINE_S)
        finally:
            gone.set()
            thread.join()
        assert isinstance(error, JobError)
        assert "objects" in str(error)
        assert longest[0] < DEADLINE_S / 2


def test_large_values_come_back_as_they_were() -> None:
    with Pool() as pool:
        for value in (
            [1.5] * 300_000,
            [{"a": number, "b": ["x"]} for number in range(60_000)],
            b"x" * 5_000_000,
        ):
            assert pool.run(Call("copy:copy", value)) == value
