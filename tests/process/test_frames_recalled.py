"""Commands taken out of a worker's pipe again: whole ones that it has not begun to read, and never half of one."""

import os
import random
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from orchestrator.process import worker_process
from orchestrator.process.dialogue import Dialogue
from orchestrator.process.result_values import result_of
from orchestrator.process.worker_process import WorkerProcess
from orchestrator_worker.framing import frame
from orchestrator_worker.protocol import (
    Cancel,
    Done,
    Failed,
    Job,
    Load,
    Loaded,
    ModelSpec,
    Plain,
    Reply,
    Returned,
    Run,
)

pytestmark = pytest.mark.usefixtures("nothing_left")
DEADLINE_S = 60.0
MORE_THAN_A_PIPE_HOLDS = 1 << 20
_encoder = msgspec.msgpack.Encoder()


@pytest.fixture
def process() -> Iterator[WorkerProcess]:
    """A worker that runs functions."""
    with Dialogue(heap=False) as dialogue:
        model = ModelSpec(engine="function", name="function")
        dialogue.ask(Load(1, model), Loaded, timeout_s=DEADLINE_S, phase="load")
        yield dialogue.worker


def job(number: int, target: str = "operator:index", *arguments: object, pad: int = 0) -> bytes:
    """Return the frame of a job that gives its own number back; ``pad`` makes it longer."""
    options = {"target": target, "args": list(arguments) or [number]}
    return bytes(frame(Run(number, Job("call", text="x" * pad, options=options)), _encoder))


def sizes(frames: list[bytes]) -> list[int]:
    return [len(one) for one in frames]


def hear(process: WorkerProcess, count: int) -> list[Reply]:
    """Return so many replies."""
    found: list[Reply] = []
    while len(found) < count:
        writable = [fd for fd in [process.writable_fd] if fd is not None]
        ready = select.select(process.readable_fds, writable, [], DEADLINE_S)
        assert any(ready), f"no more than {found} was said"
        found += process.pump()
        assert process.returncode is None, process.stderr_tail
    return found


def numbers(replies: list[Reply]) -> list[int]:
    assert all(isinstance(reply, Done) and result_of(reply) == Plain(reply.id) for reply in replies)
    return [reply.id for reply in replies]  # type: ignore[union-attr]


def stop(process: WorkerProcess) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        pass


def go_on(process: WorkerProcess) -> None:
    os.kill(process.pid, signal.SIGCONT)


def until_read(process: WorkerProcess) -> None:
    """Wait until the worker has read all that it was sent."""
    with open(f"/proc/self/fd/{process._ends.commands}", "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], 0)[0]:
            pass


def test_all_that_was_not_read_is_taken_back(process: WorkerProcess) -> None:
    stop(process)
    frames = [job(number) for number in range(1, 6)]
    process.send_frame(b"".join(frames))
    assert process.recall(sizes(frames)) == 5
    assert process.writable_fd is None
    process.send_frame(job(9))
    go_on(process)
    assert numbers(hear(process, 1)) == [9]


def test_the_latest_are_taken_and_what_was_sent_before_stays(process: WorkerProcess) -> None:
    stop(process)
    frames = [job(number) for number in range(1, 6)]
    for one in frames:
        process.send_frame(one)
    assert process.recall(sizes(frames[3:])) == 2
    go_on(process)
    assert numbers(hear(process, 3)) == [1, 2, 3]
    process.send_frame(job(4))
    assert numbers(hear(process, 1)) == [4]


def test_nothing_can_be_taken_from_an_empty_pipe(process: WorkerProcess) -> None:
    assert process.recall([]) == 0
    process.send_frame(job(1))
    assert numbers(hear(process, 1)) == [1]
    assert process.recall([len(job(1))]) == 0


@pytest.mark.parametrize("read", ["one byte of the header", "the header", "half of it"])
def test_a_frame_that_was_begun_is_not_taken_and_stays_whole(process: WorkerProcess, read: str) -> None:
    frames = [job(number) for number in (1, 2, 3)]
    begun = {"one byte of the header": 1, "the header": 4}.get(read, len(frames[0]) // 2)
    process.send_frame(frames[0][:begun])
    until_read(process)
    stop(process)
    process.send_frame(frames[0][begun:] + frames[1] + frames[2])
    assert process.recall(sizes(frames)) == 2
    go_on(process)
    assert numbers(hear(process, 1)) == [1]
    process.send_frame(frames[2])
    assert numbers(hear(process, 1)) == [3]


def test_frames_that_overfill_the_pipe_are_taken_from_where_they_wait(process: WorkerProcess) -> None:
    stop(process)
    frames = [job(number, pad=30_000) for number in range(1, 12)]
    for one in frames:
        process.send_frame(one)
    assert process.writable_fd is not None
    assert process.recall(sizes(frames[4:])) == 7
    go_on(process)
    assert numbers(hear(process, 4)) == [1, 2, 3, 4]
    assert process.writable_fd is None


def test_an_overfull_pipe_can_be_emptied_altogether(process: WorkerProcess) -> None:
    stop(process)
    frames = [job(number, pad=30_000) for number in range(1, 12)]
    process.send_frame(b"".join(frames))
    assert process.recall(sizes(frames)) == 11
    assert process.writable_fd is None
    process.send_frame(job(12))
    go_on(process)
    assert numbers(hear(process, 1)) == [12]


def test_a_job_larger_than_the_pipe_is_finished_although_those_behind_it_are_taken(
    process: WorkerProcess,
) -> None:
    frames = [job(1, pad=MORE_THAN_A_PIPE_HOLDS), job(2), job(3)]
    process.send_frame(b"".join(frames))
    assert process.recall(sizes(frames[1:])) == 2
    assert numbers(hear(process, 1)) == [1]
    process.send_frame(job(4))
    assert numbers(hear(process, 1)) == [4]


def test_what_a_dead_worker_has_not_read_is_taken_back(process: WorkerProcess) -> None:
    stop(process)
    frames = [job(number) for number in (1, 2, 3)]
    process.send_frame(b"".join(frames))
    process.signal_group(signal.SIGKILL)
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert process.recall(sizes(frames[1:])) == 2


def test_without_proc_what_is_in_the_pipe_stays(
    process: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_proc(path: str, *_: object) -> int:
        raise FileNotFoundError(path)

    stop(process)
    frames = [job(number, pad=30_000) for number in range(1, 6)]
    for one in frames:
        process.send_frame(one)
    with monkeypatch.context() as patch:
        patch.setattr(worker_process.os, "open", no_proc)
        taken = process.recall(sizes(frames))
    assert 0 < taken < 5
    go_on(process)
    assert numbers(hear(process, 5 - taken)) == list(range(1, 6 - taken))


@pytest.mark.parametrize("target", ["operator:index", "pool_functions:count_up"])
def test_while_the_worker_reads_on_none_is_lost_and_none_is_done_twice(
    process: WorkerProcess, target: str
) -> None:
    """Sent, recalled and sent again at random. A generator also reads on, and gives jobs back itself."""
    chance = random.Random(7)
    todo = list(range(1, 1501))
    sent: list[int] = []
    answered: list[int] = []
    while len(answered) < 1500:
        while todo and len(sent) < 20 and chance.random() < 0.9:
            sent.append(todo.pop(0))
            process.send_frame(job(sent[-1], target))
        if len(sent) > 1 and chance.random() < 0.4:
            line = sent[chance.randrange(1, len(sent)) :]
            for _ in range(process.recall([len(job(number, target)) for number in line])):
                todo.insert(0, sent.pop())
        for reply in hear(process, 1) if sent else []:
            assert isinstance(reply, Done | Returned)
            sent.remove(reply.id)
            if isinstance(reply, Returned):
                todo.append(reply.id)
            else:
                answered.append(reply.id)
                assert result_of(reply) == Plain(reply.id)
    assert sorted(answered) == list(range(1, 1501))


def test_a_look_into_a_pipe_that_is_emptied_meanwhile_does_not_hang(
    process: WorkerProcess, tmp_path: Path
) -> None:
    """A generator looks all the time whether it is cancelled, while jobs behind it come and are recalled."""
    gate = tmp_path / "gate"
    process.send_frame(job(1, "pool_functions:generate_until", str(gate)))
    one = job(2)
    for _ in range(3000):
        process.send_frame(one)
        if process.recall([len(one)]) == 0:
            assert hear(process, 1) == [Returned(2)]
    gate.touch()
    (done,) = hear(process, 1)
    assert isinstance(done, Done)
    assert done.id == 1


def test_a_cancel_in_front_of_jobs_still_finds_its_own(process: WorkerProcess, tmp_path: Path) -> None:
    process.send_frame(job(1, "pool_functions:generate_until", str(tmp_path / "never")))
    until_read(process)
    stop(process)
    process.send(Cancel(1))
    process.send_frame(job(2) + job(3))
    go_on(process)
    replies = hear(process, 3)
    assert replies[:2] == [Returned(2), Returned(3)]
    assert isinstance(replies[2], Failed)
    assert (replies[2].id, replies[2].kind) == (1, "cancelled")
