"""A watch whose readings are handed to it: each counts once, and labels do not pile up."""

import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from orchestrator.process.sampling.watch import RssReading, Sink, Watch


class Clock:
    now = 0

    def __call__(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture
def watch() -> Iterator[Watch]:
    with closing(Watch(os.getpid(), 0, Clock())) as made:
        yield made


def reading(at: int) -> RssReading:
    return RssReading(at, 5, 5, 5)


def kept(watch: Watch) -> int:
    return len(watch._labels)


@pytest.mark.parametrize("sink", [None, lambda *_: None])
def test_labels_before_the_last_reading_are_forgotten(watch: Watch, sink: Sink | None) -> None:
    for iteration in range(50):
        watch.label(iteration=iteration)
        watch.receive(reading(iteration + 10), 0, sink)
    assert kept(watch) < 15


def test_a_watch_that_gets_no_more_readings_keeps_one_label(watch: Watch) -> None:
    watch.found_gone()
    for iteration in range(50):
        watch.label(iteration=iteration)
    assert kept(watch) == 1


def test_a_reading_that_comes_twice_counts_once(watch: Watch) -> None:
    came: list[int] = []
    for at in (10, 10, 11, 10, 11):
        watch.receive(reading(at), 0, lambda _, one: came.append(one.time_ns))
    assert came == [10, 11]
    assert watch.take_peak().readings == 2
