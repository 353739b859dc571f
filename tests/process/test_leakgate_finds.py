"""What a leak check finds in a real worker, what it leaves alone, and how small a leak it sees."""

import os
from pathlib import Path

import leak_functions
import pytest

from orchestrator.analysis.judging.decision import CLEAN
from orchestrator.leakgate.measuring import Target, measure
from orchestrator.leakgate.result import RESOURCES

pytestmark = pytest.mark.usefixtures("nothing_left")
FILE = leak_functions.__file__


def check(name, *, args=(), env=None, readings=20, max_time_s=5.0, **more):
    target = Target(f"leak_functions:{name}", args, {}, FILE, env or {})
    measured = measure(target, iterations=readings, timeout_s=60, max_time_s=max_time_s, **more)
    return measured.judgement


@pytest.mark.parametrize(
    "name",
    ["native_block", "reference", "small_object", "one_call_in_ten", "coroutine", "generator", "slow_call"],
)
def test_memory_that_is_kept_is_a_leak(name):
    judged = check(name)
    assert judged.verdict == "leak", judged.reasons
    assert judged.rate_channel == "live"
    assert judged.rate_mb_per_iteration * 2**20 >= 16


@pytest.mark.parametrize("size", [88, 1000])
def test_the_size_of_a_leak_is_told_per_call(size):
    judged = check("native_block", args=[size])
    assert judged.rate_mb_per_iteration * 2**20 == pytest.approx(size + 8, abs=1)


def test_a_hundred_bytes_a_call_of_a_cheap_function_would_have_been_found_within_ten_seconds():
    judged = check("cycle", readings=50, max_time_s=10.0)
    assert judged.verdict in CLEAN
    assert judged.smallest_leak_bytes <= 100


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("descriptor", "descriptors"),
        ("thread", "threads"),
        ("child", "children"),
        ("zombie", "zombies"),
        ("segment", "shared_memory"),
        ("memory_file", "shared_memory"),
        ("system_v", "shared_memory"),
    ],
)
def test_each_kind_of_resource_is_counted_and_has_its_switch(name, resource):
    judged = check(name)
    assert judged.leaking_resources == [resource]
    assert judged.resources[resource].rate_per_iteration == pytest.approx(1, rel=0.05)
    others = [each for each in RESOURCES if each != resource]
    assert not check(name, readings=10, max_time_s=0.1, counted=others).leaking_resources


def test_shared_memory_that_a_function_left_is_removed_after_the_check():
    mine = f"leak{os.getpid()}_"
    assert check("segment", args=[mine], readings=10, max_time_s=0.1).calls >= 12
    assert not [name for name in os.listdir("/dev/shm") if name.startswith(mine)]
    size = 4096 + os.getpid()
    check("system_v", args=[size], readings=10, max_time_s=0.1)
    rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    assert not [row for row in rows if row[3] == str(size)]


@pytest.mark.parametrize(
    "name",
    [
        "bounded_cache",
        "patterns",
        "last_of_any_size",
        "cycle",
        "thread_that_ends",
        "pool_of_files",
        "program",
        "removed_segment",
    ],
)
def test_what_is_bounded_or_given_back_is_no_leak(name):
    judged = check(name, max_time_s=8.0)
    assert judged.verdict in CLEAN, judged.reasons
    assert not judged.leaking_resources


def test_an_argument_that_a_call_changes_is_new_for_each_call():
    assert check("grows_its_argument", args=[["first"]]).verdict in CLEAN


def test_without_a_heap_to_read_python_s_own_blocks_are_counted():
    """With Python's own allocator its small objects lie where no allocator of C sees them."""
    judged = check("small_object", env={"PYTHONMALLOC": "pymalloc"})
    assert judged.python_blocks.verdict == "leak"
    assert judged.python_blocks.rate_per_iteration == pytest.approx(1, rel=0.1)
