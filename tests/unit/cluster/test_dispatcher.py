"""The dispatcher without Ray, threads or time: nodes that are told what to say, a clock that is set."""

import itertools
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from orchestrator.cluster.dispatcher import Dispatcher
from orchestrator.cluster.losses import LOSS_PERIOD_S, MOST_MOVES
from orchestrator.cluster.state import ClusterJob
from orchestrator.cluster.wire import Absent, Ended, Loaded, Opened, Started, TextCame, take_apart
from orchestrator.errors import (
    EngineUnavailableError,
    JobCancelledError,
    JobPoisonedError,
    JobTimeoutError,
    ModelOutOfUseError,
    NodeDiedError,
)
from orchestrator.pool.retries import Retry
from orchestrator.pool.submission.payload import Payload
from orchestrator_worker.protocol import Chunk


@dataclass(eq=False)
class FakeLink:
    name: str
    sent: list[int] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    finished: bool | None = None
    abandoned: bool = False

    def send(self, job: ClusterJob) -> None:
        self.sent.append(job.id)

    def cancel(self, number: int) -> None:
        self.cancelled.append(number)

    def finish(self, *, drop: bool) -> None:
        self.finished = drop

    def abandon(self) -> None:
        self.abandoned = True


@dataclass
class FakePromise:
    begun: int = 0
    value: Any = None
    error: BaseException | None = None
    ends: int = 0
    text: str = ""

    def begin(self) -> bool:
        self.begun += 1
        return True

    def resolve(self, value: Any) -> bool:
        self.value = value
        self.ends += 1
        return True

    def reject(self, error: BaseException) -> bool:
        self.error = error
        self.ends += 1
        return True

    def add_chunk(self, chunk: Chunk) -> None:
        self.text = self.text[: len(self.text) - chunk.replaces] + chunk.text


class Table:
    def __init__(self, attempts: int = 1) -> None:
        self.now = 0.0
        self.links: list[FakeLink] = []
        self.left: list[tuple[int, str]] = []
        self.dispatcher = Dispatcher(self.open, Retry.up_to(attempts), self.leave, lambda: self.now)
        self.numbers = iter(range(1, 10_000))

    def open(self, _: str, name: str) -> FakeLink:
        self.links.append(FakeLink(name))
        return self.links[-1]

    def leave(self, job: ClusterJob, what: str) -> None:
        self.left.append((job.id, what))

    def nodes(self, *names: str, models: tuple[str, ...] = ("m",), workers: int = 1) -> list[FakeLink]:
        """Let the cluster have these nodes, all ready."""
        before = len(self.links)
        self.dispatcher.saw({name: name for name in names})
        for link in self.links[before:]:
            self.dispatcher.heard(link, [Opened(frozenset(models), workers, 1)])
        self.dispatcher.settle()
        return self.links[before:]

    def submit(self, count: int = 1, model: str = "m", **options: Any) -> list[ClusterJob]:
        jobs = []
        for _ in range(count):
            job = ClusterJob(Payload(next(self.numbers), model, "call", b"", None), FakePromise(), **options)
            self.dispatcher.submit(job)
            jobs.append(job)
        self.dispatcher.settle()
        return jobs

    def say(self, link: FakeLink, *events: Any) -> None:
        self.dispatcher.heard(link, list(events))
        self.dispatcher.settle()

    def lose(self, link: FakeLink) -> None:
        self.dispatcher.lost(link, "it burnt")
        self.dispatcher.settle()


def promise(job: ClusterJob) -> FakePromise:
    assert isinstance(job.promise, FakePromise)
    return job.promise


def test_a_node_gets_little_ahead_and_more_when_jobs_are_quick() -> None:
    table = Table()
    (link,) = table.nodes("a")
    jobs = table.submit(100)
    assert len(link.sent) == 2
    table.say(link, Started(jobs[0].id, ()), Ended(jobs[0].id, "value"))
    assert promise(jobs[0]).value == "value"
    assert len(link.sent) > 40


def test_free_workers_first_then_what_is_loaded() -> None:
    table = Table()
    one, two = table.nodes("one", "two")
    table.say(two, Loaded(frozenset({"m"})))
    first, second = table.submit(2)
    assert (two.sent, one.sent) == ([first.id], [second.id])


def test_jobs_go_only_where_their_model_is() -> None:
    table = Table()
    (plain,) = table.nodes("plain", models=("other",))
    (able,) = table.nodes("plain", "able", models=("m", "other"))
    table.submit(5)
    assert (plain.sent, len(able.sent)) == ([], 2)


def test_a_model_that_no_node_has_is_refused_once_all_have_spoken() -> None:
    table = Table()
    table.dispatcher.saw({"a": "a", "b": "b"})
    (job,) = table.submit(model="rare")
    table.say(table.links[0], Opened(frozenset({"m"}), 1, 1))
    assert promise(job).ends == 0, "b may have it"
    table.say(table.links[1], Opened(frozenset({"m"}), 1, 1))
    assert isinstance(promise(job).error, EngineUnavailableError)


def test_higher_priority_passes_what_waits_on_a_node() -> None:
    table = Table()
    (link,) = table.nodes("a")
    table.submit(4)
    (urgent,) = table.submit(priority=5)
    assert urgent.id in link.sent


def test_lost_jobs_that_had_not_begun_move_at_their_old_place_and_uncounted() -> None:
    table = Table(attempts=1)
    (one,) = table.nodes("one")
    first, second, third = table.submit(3)
    (two,) = table.nodes("one", "two")
    table.say(two, Started(third.id, ()), Ended(third.id, 3))
    table.lose(one)
    assert two.sent == [third.id, first.id, second.id]
    assert not first.attempts


def test_a_job_whose_start_was_not_heard_begins_once_more_even_with_one_attempt() -> None:
    table = Table(attempts=1)
    one, two = table.nodes("one", "two")
    (job,) = table.submit()
    assert one.sent == [job.id], "and it begins there, which the driver does not hear"
    table.lose(one)
    assert two.sent == [job.id]
    table.say(two, Started(job.id, ()), Ended(job.id, "value"))
    assert (promise(job).ends, promise(job).value) == (1, "value")


def test_what_a_lost_node_still_says_is_not_heard() -> None:
    table = Table(attempts=2)
    one, two = table.nodes("one", "two")
    (job,) = table.submit()
    table.say(one, Started(job.id, ()), TextCame(job.id, Chunk(job.id, "half")))
    table.lose(one)
    assert two.sent == [job.id]
    table.say(one, Ended(job.id, "late"))
    assert promise(job).ends == 0
    table.say(
        two, Started(job.id, job.attempts), TextCame(job.id, Chunk(job.id, "whole")), Ended(job.id, "v")
    )
    table.say(two, Ended(job.id, "again"))
    assert (promise(job).ends, promise(job).value, promise(job).text) == (1, "v", "whole")


@pytest.mark.parametrize(("attempts", "error"), [(1, NodeDiedError), (2, JobPoisonedError)])
def test_a_running_job_is_tried_so_often_and_no_more(attempts: int, error: type[BaseException]) -> None:
    table = Table(attempts)
    links = table.nodes("one", "two", "three")
    (job,) = table.submit()
    for _ in range(attempts):
        link = next(link for link in links if job.id in link.sent and not link.abandoned)
        table.say(link, Started(job.id, job.attempts))
        table.lose(link)
    assert isinstance(promise(job).error, error)
    assert len(job.attempts) == attempts
    assert table.left.count((job.id, "queue")) == 1
    assert table.left.count((job.id, "audio")) == 1


@pytest.mark.parametrize("seed", range(40))
def test_every_job_ends_once_and_begins_again_only_when_its_node_was_lost_before_its_outcome_came(
    seed: int,
) -> None:
    """Nodes work, are heard late and are lost at random: what ``docs/scaling.md`` promises of jobs that begin twice."""
    chance = random.Random(seed)
    attempts = chance.choice([1, 2, 3])
    table = Table(attempts)
    jobs = {job.id: job for job in table.submit(60)}
    begun: Counter[int] = Counter()
    may_begin_again: Counter[int] = Counter()
    told_begun: Counter[int] = Counter()
    names = itertools.count()
    present: list[str] = []
    unheard: dict[str, list[Any]] = {}
    links: dict[str, FakeLink] = {}
    while any(promise(job).ends == 0 for job in jobs.values()):
        while len(present) < 3:
            present.append(f"node {next(names)}")
            (links[present[-1]],) = table.nodes(*present)
            unheard[present[-1]] = []
        name = chance.choice(present)
        link, news = links[name], unheard[name]
        if link.sent and chance.random() < 0.5:  # it does a job, from beginning to end
            number = link.sent.pop(0)
            assert promise(jobs[number]).ends == 0, "what has its outcome is never begun again"
            begun[number] += 1
            news += [Started(number, jobs[number].attempts), Ended(number, number)]
        elif news and chance.random() < 0.8:
            told_begun[news[0].id] += isinstance(news[0], Started)
            table.say(link, news.pop(0))
        elif chance.random() < 0.1:
            may_begin_again.update({event.id for event in news})
            present.remove(name)
            table.lose(link)
    for number, job in jobs.items():
        assert promise(job).ends == 1
        assert begun[number] <= 1 + may_begin_again[number]
        assert told_begun[number] <= attempts
        assert promise(job).value == number or isinstance(
            promise(job).error, NodeDiedError | JobPoisonedError
        )


def test_a_job_under_which_node_after_node_is_lost_does_not_move_for_ever() -> None:
    table = Table()
    (job,) = table.submit()
    for number in range(MOST_MOVES):
        (link,) = table.nodes(f"node {number}")
        table.lose(link)
    assert isinstance(promise(job).error, NodeDiedError)


def test_a_node_whose_actors_die_one_after_the_other_is_left_alone_for_a_while() -> None:
    table = Table()
    for _ in range(3):
        (link,) = table.nodes("bad")
        table.lose(link)
    assert table.nodes("bad") == []
    (job,) = table.submit()
    table.dispatcher.saw({"bad": "bad"})
    assert "it burnt" in str(promise(job).error)
    table.now = LOSS_PERIOD_S + 1
    assert len(table.nodes("bad")) == 1


def test_a_model_out_of_use_on_one_node_is_tried_on_another() -> None:
    table = Table()
    one, two = table.nodes("one", "two")
    (job,) = table.submit()
    bad = Ended(job.id, error=take_apart(ModelOutOfUseError("m", "no such instruction")))
    table.say(one, bad)
    assert two.sent == [job.id]
    table.say(two, bad)
    assert isinstance(promise(job).error, ModelOutOfUseError)


def test_audio_that_is_not_there_is_sent_along_from_then_on() -> None:
    table = Table()
    (link,) = table.nodes("a")
    first, second = table.submit(2, has_audio=True, carry=False)
    table.say(link, Absent(first.id))
    assert first.carry
    assert link.sent == [first.id, second.id, first.id]
    (third,) = table.submit(has_audio=True, carry=False, priority=1)
    assert third.carry


def test_cancel_of_a_waiting_job_and_of_one_on_a_node() -> None:
    table = Table()
    (link,) = table.nodes("a")
    jobs = table.submit(3)
    for job in jobs:
        table.dispatcher.cancel(job)
        assert isinstance(promise(job).error, JobCancelledError)
    assert link.cancelled == [jobs[0].id, jobs[1].id]
    table.say(link, Started(jobs[0].id, ()), Ended(jobs[0].id, "late"), Ended(jobs[1].id, "late"))
    assert [promise(job).ends for job in jobs] == [1, 1, 1]
    assert len(table.submit(2)) == 2
    assert len(link.sent) == 4


def test_waiting_too_long_counts_on_a_node_too_but_not_after_the_start() -> None:
    table = Table()
    (link,) = table.nodes("a")
    jobs = table.submit(3, queue_timeout_s=5.0)
    table.say(link, Started(jobs[0].id, ()))
    table.now = 6.0
    table.dispatcher.event_loop.run_due()
    assert promise(jobs[0]).error is None
    for job in jobs[1:]:
        assert isinstance(promise(job).error, JobTimeoutError)
        assert promise(job).error.where == "queue"  # type: ignore[union-attr]
    assert link.cancelled == [jobs[1].id]


def test_close_finishes_what_there_is_even_before_a_node_is_there() -> None:
    table = Table()
    (job,) = table.submit()
    table.dispatcher.close(drop=False)
    table.dispatcher.settle()
    (link,) = table.nodes("late")
    assert link.sent == [job.id]
    assert link.finished is None
    table.say(link, Ended(job.id, 1))
    assert link.finished is False
    assert not table.dispatcher.event_loop.ended.is_set()
    table.lose(link)
    assert table.dispatcher.event_loop.ended.is_set()


def test_stop_drops_everything_and_starting_nodes_are_abandoned() -> None:
    table = Table()
    table.dispatcher.saw({"a": "a"})
    (job,) = table.submit()
    table.dispatcher.close(drop=True)
    table.dispatcher.settle()
    assert isinstance(promise(job).error, JobCancelledError)
    assert table.links[0].abandoned


def test_a_node_that_leaves_the_cluster_is_lost() -> None:
    table = Table()
    (link,) = table.nodes("a")
    (job,) = table.submit()
    table.say(link, Started(job.id, ()))
    table.dispatcher.saw({})
    assert isinstance(promise(job).error, NodeDiedError)
    assert "left the cluster" in str(promise(job).error)
    assert link.abandoned
