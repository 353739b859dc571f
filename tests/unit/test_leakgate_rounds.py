"""How many calls a leak check makes, and when it has seen enough, with a worker that is only pretended."""

import pytest

from orchestrator.leakgate.call_session import BlockReading
from orchestrator.leakgate.judging import judge_round
from orchestrator.leakgate.measuring import _Judge
from orchestrator.leakgate.result import RESOURCES
from orchestrator.leakgate.rounds import MOST_CALLS, MOST_COUNT, MOST_GROWTH, Round, Rounds
from orchestrator.process.memory import Memory
from orchestrator.process.resources import Resources
from orchestrator_worker.protocol import Heap

BASE = 50 << 20


class Pretended:
    """A session whose function takes ``cost_s`` a call and has kept ``kept(calls)`` bytes after so many."""

    def __init__(self, kept=lambda calls: 0, *, cost_s=1e-5, files=lambda calls: 5):
        self.kept, self.cost_s, self.files = kept, cost_s, files
        self.calls = 0
        self.blocks = []

    def run(self, calls, _expected_s=0.0):
        self.calls += calls
        self.blocks.append(calls)
        live = int(self.kept(self.calls))
        memory = Memory(rss=BASE + live, rss_anon=BASE + live, rss_shmem=0, swap=0)
        counts = Resources(int(self.files(self.calls)), 1, 0, 0, 0)
        seconds = calls * self.cost_s
        heap = Heap(live=live, held=0, source="mallinfo2")
        return BlockReading(calls, seconds, seconds, memory, heap, 0, counts)


def found(session, *, readings=20, max_time_s=10.0):
    """Run rounds as ``measure`` does; return the last judgement."""
    judged = []

    def judge(round_):
        judged.append(judge_round("job", round_, RESOURCES))
        grows = judged[-1].verdict == "leak" or judged[-1].leaking_resources
        return (
            "growing"
            if grows
            else "clean"
            if judged[-1].verdict in ("flat", "plateau", "bounded")
            else "open"
        )

    Rounds(session, readings=readings, max_time_s=max_time_s, judge=judge).run(session.run(1))
    return judged[-1]


@pytest.mark.parametrize(("cost_s", "leak"), [(1e-6, 32), (1e-4, 32), (1e-3, 100)])
def test_a_cheap_function_is_called_until_a_hundred_bytes_a_call_show(cost_s, leak):
    judged = found(Pretended(lambda calls: leak * calls, cost_s=cost_s))
    assert judged.verdict == "leak"
    assert judged.rate_mb_per_iteration * 2**20 == pytest.approx(leak, rel=0.01)
    clean = found(Pretended(cost_s=cost_s))
    assert clean.verdict == "flat"
    assert clean.smallest_leak_bytes <= 100


@pytest.mark.parametrize("cost_s", [1e-6, 1e-3, 0.05, 1.0])
def test_the_smallest_leak_that_is_stated_is_found_and_a_tenth_of_it_is_not_a_leak(cost_s):
    stated = found(Pretended(cost_s=cost_s)).smallest_leak_bytes
    assert found(Pretended(lambda calls: stated * calls, cost_s=cost_s)).verdict == "leak"
    assert found(Pretended(lambda calls: stated / 10 * calls, cost_s=cost_s)).verdict != "leak"


def test_a_slow_function_is_called_once_a_reading():
    session = Pretended(cost_s=1.0)
    judged = found(session)
    assert judged.calls_per_reading == 1
    assert session.calls == 22
    assert judged.smallest_leak_bytes > 1000


def test_a_block_never_has_more_calls_than_the_most():
    session = Pretended(cost_s=1e-9)
    found(session)
    assert max(session.blocks) == MOST_CALLS


@pytest.mark.parametrize(("entries", "size"), [(100, 10_000), (1000, 100_000), (3000, 2000), (50_000, 200)])
def test_a_cache_that_fills_is_no_leak(entries, size):
    judged = found(Pretended(lambda calls: min(calls, entries) * size))
    assert judged.verdict in ("flat", "plateau", "bounded")


@pytest.mark.parametrize("leak", [1 << 18, 1 << 20, 20 << 20])
def test_a_large_leak_stops_before_memory_is_full(leak):
    session = Pretended(lambda calls: leak * calls)
    assert found(session).verdict == "leak"
    assert session.kept(session.calls) < 3 * MOST_GROWTH + 60 * leak


def test_a_leak_of_files_stops_long_before_the_usual_limit():
    session = Pretended(files=lambda calls: 5 + calls)
    judged = found(session)
    assert judged.leaking_resources == ["descriptors"]
    assert judged.descriptors.rate_per_iteration == pytest.approx(1)
    assert session.calls <= 2 * MOST_COUNT


def test_a_file_every_thirty_calls_is_told_per_call():
    judged = found(Pretended(files=lambda calls: 5 + calls // 30))
    assert judged.leaking_resources == ["descriptors"]
    assert judged.descriptors.rate_per_iteration == pytest.approx(1 / 30, rel=0.2)


def test_a_round_that_was_cut_short_does_not_overrule_a_whole_one():
    session = Pretended()
    judge_of_measure = _Judge("job", RESOURCES, memory=True)
    readings = [session.run(10) for _ in range(20)]
    assert judge_of_measure(Round(10, 0, readings)) == "clean"
    kept = judge_of_measure.last
    for kept_bytes in (lambda calls: calls // 10 % 2 * 5_000_000, lambda calls: 100_000 * calls):
        other = Pretended(kept_bytes)
        judge_of_measure(Round(10, 200, [other.run(10) for _ in range(10)], whole=False))
        assert judge_of_measure.last is kept
    leaking = Pretended(lambda calls: 4_000_000 * calls)
    judge_of_measure(Round(10, 200, [leaking.run(10) for _ in range(10)], whole=False))
    assert judge_of_measure.last.verdict == "leak"


def test_a_pool_of_files_that_fills_is_no_leak():
    assert not found(Pretended(files=lambda calls: 5 + min(calls, 40))).leaking_resources
