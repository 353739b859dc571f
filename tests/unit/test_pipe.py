"""The worker's end of its pipes: it reads a command when its turn comes, and looks without waiting."""

import os
import threading
from collections.abc import Iterator

import msgspec
import pytest

from orchestrator_worker.emitter import Emitter
from orchestrator_worker.framing import HEADER_SIZE, FrameDecoder, frame
from orchestrator_worker.pipe import Pipe
from orchestrator_worker.protocol import Cancel, Command, Job, Reply, Returned, Run, Trim

DEADLINE_S = 60.0
_encoder = msgspec.msgpack.Encoder()


class Ends:
    """Both pipes of a worker, and the parent's side of them."""

    def __init__(self) -> None:
        self._commands, self._to_worker = os.pipe()
        self._from_worker, self._replies = os.pipe()
        os.set_blocking(self._from_worker, False)
        self.pipe = Pipe(self._commands, self._replies)

    def send(self, *commands: Command) -> None:
        os.write(self._to_worker, b"".join(frame(command, _encoder) for command in commands))

    def unread(self) -> bytes:
        """Take out of the pipe what the worker has not read."""
        os.set_blocking(self._commands, False)
        try:
            return os.read(self._commands, 1 << 16)
        except BlockingIOError:
            return b""
        finally:
            os.set_blocking(self._commands, True)

    def said(self) -> list[Reply]:
        try:
            payloads = FrameDecoder().feed(os.read(self._from_worker, 1 << 16))
        except BlockingIOError:
            return []
        return [msgspec.msgpack.decode(payload, type=Reply) for payload in payloads]

    def close(self) -> None:
        for descriptor in (self._commands, self._to_worker, self._from_worker, self._replies):
            os.close(descriptor)


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


def run(number: int) -> Run:
    return Run(number, Job("call", options={"target": "operator:add"}))


def test_a_command_is_read_and_no_byte_of_the_next(ends: Ends) -> None:
    ends.send(run(1), run(2))
    assert ends.pipe.receive() == run(1)
    assert ends.unread() == bytes(frame(run(2), _encoder))


def test_a_look_reads_all_there_is_and_keeps_the_order(ends: Ends) -> None:
    assert not ends.pipe.look()
    ends.send(run(1), Cancel(7), Trim(3))
    assert list(ends.pipe.look()) == [run(1), Cancel(7), Trim(3)]
    ends.send(run(4))
    assert [ends.pipe.receive() for _ in range(4)] == [run(1), Cancel(7), Trim(3), run(4)]


def test_a_look_does_not_wait_for_what_was_taken_back_meanwhile(ends: Ends) -> None:
    class Late:
        """Says that something is there; by then the parent has taken it."""

        def poll(self, _: int) -> list[tuple[int, int]]:
            return [(0, 0)]

    found: list[list[Command]] = []
    ends.pipe._poller = Late()  # type: ignore[assignment]
    looking = threading.Thread(target=lambda: found.append(list(ends.pipe.look())), daemon=True)
    looking.start()
    looking.join(DEADLINE_S)
    hung = looking.is_alive()
    if hung:
        ends.send(Trim(1))  # lets it end
        looking.join(DEADLINE_S)
    assert not hung
    assert found == [[]]
    ends.send(run(1))
    assert ends.pipe.receive() == run(1), "it waits for its next command as before"


@pytest.mark.parametrize("first", [1, HEADER_SIZE, HEADER_SIZE + 5])
def test_a_look_that_meets_a_part_of_a_command_gets_the_whole(ends: Ends, first: int) -> None:
    encoded = frame(run(1), _encoder)
    os.write(ends._to_worker, encoded[:first])
    rest = threading.Timer(0.01, os.write, (ends._to_worker, encoded[first:]))
    rest.start()
    assert list(ends.pipe.look()) == [run(1)]
    rest.join(DEADLINE_S)
    assert os.get_blocking(ends._commands)


def test_an_engine_that_asks_gives_back_what_was_sent_ahead_once(ends: Ends) -> None:
    emit = Emitter(ends.pipe, 1, stream=False)
    ends.send(run(2), run(3))
    assert not emit.cancelled
    assert not emit.cancelled
    assert ends.said() == [Returned(2), Returned(3)]
    ends.send(run(4))
    assert ends.pipe.receive() == run(4), "what was given back is forgotten"


def test_a_cancel_is_found_behind_jobs_and_a_stale_one_is_not_for_this(ends: Ends) -> None:
    emit = Emitter(ends.pipe, 5, stream=False)
    ends.send(Cancel(4), run(6), Trim(7))
    assert not emit.cancelled
    ends.send(Cancel(5))
    assert emit.cancelled
    assert ends.said() == [Returned(6)]
    assert ends.pipe.receive() == Trim(7)
