"""Functions that the pool's tests call in workers, and models they use."""

import os
import time
from typing import Any

from orchestrator.pool.models import Model


def add(left: int, right: int) -> int:
    return left + right


def pid() -> int:
    return os.getpid()


def nap(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def append(path: str, text: str, seconds: float = 0.0) -> str:
    time.sleep(seconds)
    with open(path, "a") as file:
        file.write(f"{text}\n")
    return text


def wait_for(path: str) -> str:
    """Return once the file is there: lets a test decide when a job ends."""
    while not os.path.exists(path):
        time.sleep(0.002)
    return path


def wait_and_repeat(path: str, size: int) -> bytes:
    """Say that it has begun, wait for the file, and return so many bytes."""
    with open(f"{path}.begun", "x"):
        pass
    wait_for(path)
    return b"x" * size


def die(code: int = 3) -> None:
    print("about to leave")
    os._exit(code)


def die_until(path: str, times: int) -> int:
    """Kill the worker the first ``times`` times; return how often it was called."""
    with open(path, "a") as file:
        file.write("x")
    count = os.path.getsize(path)
    if count <= times:
        os.kill(os.getpid(), 9)
    return count


def spell(text: str, pause_s: float = 0.0):
    for letter in text:
        yield letter
        time.sleep(pause_s)
    return text


def spell_behind(path: str, text: str):
    """Yield the first letter, and the others once the file is there."""
    yield text[0]
    wait_for(path)
    yield from text[1:]
    return text


def count_up(number: int, steps: int = 3):
    """Emit a few numbers, and return ``number``."""
    for step in range(steps):
        yield str(step)
    return number


def generate_until(path: str):
    """Emit nothing again and again until the file is there: a job that looks all the time whether it is cancelled."""
    while not os.path.exists(path):
        yield ""
    return path


def note(path: str, number: int) -> int:
    """Leave a line in the file for having been called; several processes may write to it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, b"%d\n" % number)
    os.close(descriptor)
    return number


def begin_on_ray(path: str, gate: str | None) -> str:
    """Leave a line in the file that says on which of Ray's nodes this began; work a little, or wait for the gate."""
    with open(path, "a") as file:
        file.write(f"{os.environ['RAY_RAYLET_PID']}\n")
    if gate is None:
        time.sleep(0.02)
    else:
        wait_for(gate)
    return path


def note_and_wait_for(path: str, number: int, gate: str) -> int:
    note(path, number)
    wait_for(gate)
    return number


def note_and_abort(path: str, number: int) -> None:
    note(path, number)
    os.abort()


def note_and_spell(path: str, number: int, text: str):
    note(path, number)
    yield from text
    return number


def hold(mib: int, until: str | None = None) -> int:
    """Touch so much memory; hold it until the file is there."""
    block = bytearray(mib * 1024 * 1024)
    block[::4096] = b"x" * len(block[::4096])
    if until is not None:
        wait_for(until)
    return len(block)


kept: list[bytearray] = []


def keep(mib: int) -> int:
    """Leak, and return the pid."""
    kept.append(bytearray(b"x") * (mib * 1024 * 1024))
    return os.getpid()


def read_all(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def own_environment(names: list[str]) -> dict[str, str]:
    """Return those variables that this process has."""
    return {name: os.environ[name] for name in names if name in os.environ}


def needed_variable(name: str) -> str:
    return os.environ[name]


def synthetic(name: str = "model", **options: Any) -> Model:
    return Model(name=name, engine="synthetic", options=options)


def take(mib: int, path: str) -> int:
    """Touch so much memory, say so in ``path``, and keep it until ``path``.go is there."""
    block = bytearray(mib << 20)
    block[::4096] = b"x" * len(range(0, len(block), 4096))
    with open(path, "x"):
        pass
    wait_for(f"{path}.go")
    return len(block)


def flash(mib: int, seconds: float, path: str) -> int:
    """Hold so much memory for a moment in the middle of a job; write into ``path`` when that is over."""
    time.sleep(seconds)
    block = bytearray(mib << 20)
    block[::4096] = b"x" * len(range(0, len(block), 4096))
    time.sleep(seconds)
    del block
    time.sleep(seconds)
    with open(path, "r+b") as file:
        file.write(b"x")
    return mib
