"""Real children: after each test none is left, nor a descriptor or a thread of ours."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from chatllm_bench import Bench

from doubles import Doubles


def _descriptors() -> set[str]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} -> {os.readlink(f'/proc/self/fd/{name}')}")
        except FileNotFoundError:
            continue
    return found


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails when the test leaves a child, a descriptor or a thread behind."""
    threads_before = set(threading.enumerate())
    descriptors_before = _descriptors()
    yield
    children = [
        child for child in psutil.Process().children(recursive=True) if "worker" in " ".join(child.cmdline())
    ]
    assert children == []
    assert _descriptors() - descriptors_before == set()
    assert set(threading.enumerate()) - threads_before == set()


@pytest.fixture
def bench(doubles: Doubles, tmp_path: Path) -> Bench:
    """A user's folder with the double of libchatllm in it."""
    return Bench(doubles.checkout(tmp_path / "user"), tmp_path)
