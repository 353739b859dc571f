"""Ctrl-C at any moment, in the middle of a decision too: the caller hears of it, and the pool goes on."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from pool_contract import until_running

from orchestrator.pool.jobs import Call
from orchestrator.pool.pool import Pool

pytestmark = pytest.mark.usefixtures("nothing_left", "the_usual_handler")
DEADLINE_S = 60.0


@pytest.fixture
def the_usual_handler() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, before and after each test."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "no pool has touched it"
    finally:
        signal.signal(signal.SIGINT, before)


def strike_in(owner: object, name: str, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> list[bool]:
    """Have Ctrl-C come inside a decision, before or after its step ``name``; once, and in the main thread."""
    struck: list[bool] = []
    call = getattr(owner, name)

    def strike(*arguments: Any, **named: Any) -> Any:
        if struck or threading.current_thread() is not threading.main_thread():
            return call(*arguments, **named)
        struck.append(True)
        answer = call(*arguments, **named) if after else None
        signal.raise_signal(signal.SIGINT)
        return answer

    monkeypatch.setattr(owner, name, strike)
    return struck


def goes_on(pool: Pool) -> None:
    assert list(pool.map(Call("operator:add", number, 1) for number in range(200))) == [*range(1, 201)]


def swallowed(frame: FrameType | None) -> bool:
    """Whether Python drops, with a warning, what is raised here: in a finalizer or the callback of a weak reference."""
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or Path(code.co_filename).name in ("weakref.py", "_weakrefset.py"):
            return True
        frame = frame.f_back
    return False


STEPS = [
    "submit",
    "received",
    "_dispatch.give",
    "_prefetch.begin",
    "_outcomes.succeed",
    "_after_job.stands_idle",
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_ctrl_c_inside_a_decision_is_heard_and_the_pool_goes_on(
    step: str, after: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with Pool(workers=3) as pool:
        pool.run(Call("operator:add", 0, 0))
        others = [pool.submit(Call("pool_functions:wait_for", str(gate))) for _ in range(2)]
        until_running(*others)
        owner: Any = pool._controller._supervisor
        *path, name = step.split(".")
        for part in path:
            owner = getattr(owner, part)
        struck = strike_in(owner, name, monkeypatch, after=after)
        with pytest.raises(KeyboardInterrupt):
            [pool.submit(Call("operator:add", 1, 1)).result() for _ in range(1000)]
        assert struck
        gate.touch()
        assert [future.result(DEADLINE_S) for future in others] == [str(gate)] * 2, "others do not notice"
        goes_on(pool)
        assert pool.stats().exits.keys() <= {"cancel"}
        assert sum(pool.stats().exits.values()) <= 1


def test_a_ctrl_c_while_a_caller_waits_is_heard_at_once(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with Pool() as pool:
        pool.run(Call("operator:add", 0, 0))
        slow = pool.submit(Call("pool_functions:wait_for", str(gate)))
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))

        def press_and_wait() -> None:
            timer.start()
            slow.result()

        with pytest.raises(KeyboardInterrupt):
            press_and_wait()
        assert not slow.done()
        timer.join()
        gate.touch()
        assert slow.result(DEADLINE_S) == str(gate)
        goes_on(pool)


def test_what_a_callback_raises_is_heard_and_the_pool_goes_on() -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with Pool() as pool:
        pool.run(Call("operator:add", 0, 0))
        future = pool.submit(Call("time:sleep", 0.05))
        future.add_done_callback(interrupt)
        with pytest.raises(KeyboardInterrupt):
            future.result(DEADLINE_S)
        assert future.result(0) is None
        goes_on(pool)


def test_what_a_hook_raises_is_heard_and_the_pool_goes_on() -> None:
    told: list[object] = []

    def interrupt(event: object) -> None:
        told.append(event)
        if len(told) == 3:
            raise KeyboardInterrupt

    with Pool(on_event=interrupt) as pool:
        try:
            for _ in range(20):
                pool.run(Call("operator:add", 0, 0))
        except KeyboardInterrupt:
            pass
        goes_on(pool)
    assert len(told) > 200


def test_many_at_any_moment_and_the_pool_goes_on() -> None:  # noqa: C901 - its parts share what they wait for
    over = threading.Event()
    listening = False
    heard = answered = 0

    def hear(number: int, frame: FrameType | None) -> None:
        """Raise while the test uses the pool, and not in its own few lines between."""
        nonlocal listening, answered
        strikes = listening and not swallowed(frame)
        if strikes:
            listening = False
        answered += 1
        if strikes:
            raise KeyboardInterrupt

    def press() -> None:
        for number in range(40):
            time.sleep(0.003 + 0.0003 * (number % 7))
            while not listening:
                time.sleep(0.0001)
            os.kill(os.getpid(), signal.SIGINT)
            while answered <= number:  # one after the other, none within another's handler
                time.sleep(0.0001)
        over.set()

    with Pool(workers=2) as pool:
        pool.run(Call("operator:add", 0, 0))
        signal.signal(signal.SIGINT, hear)
        thread = threading.Thread(target=press)
        thread.start()
        while not over.is_set():
            try:
                listening = True
                for _ in pool.map(Call("operator:add", number, 1) for number in range(50)):
                    pass
                while not over.is_set():
                    pool.submit(Call("operator:add", 1, 1)).result()
                listening = False
            except KeyboardInterrupt:
                heard += 1
        thread.join()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        goes_on(pool)
        assert pool.stats().exits.keys() <= {"cancel"}
    assert heard >= 1
