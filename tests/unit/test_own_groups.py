"""Groups of a strict template's workers: beside a template that asks without end, and one that cannot ask."""

import errno
import os

import pytest

from orchestrator.process.warm import own_groups
from orchestrator.process.warm.own_groups import MOST_WAITING, OwnGroups
from orchestrator_worker import template

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="warm starts need pidfds")


@pytest.mark.parametrize(("waiting", "refused"), [(0, True), (MOST_WAITING - 1, True), (10**9, False)])
def test_whoever_asks_without_end_does_not_hold_up_the_host(
    monkeypatch: pytest.MonkeyPatch, waiting: int, refused: bool
) -> None:
    questions = iter(range(waiting))
    monkeypatch.setattr(own_groups, "_readable", lambda descriptor: next(questions, None) is not None)
    monkeypatch.setattr(OwnGroups, "answer", lambda self, *, allow: 0)
    assert OwnGroups(-1).refuse_waiting() is refused


def refuses(code: int) -> object:
    raise OSError(code, os.strerror(code))


@pytest.mark.parametrize(("lacks", "code"), [("pipe", errno.EMFILE), ("fork", errno.EAGAIN)])
def test_a_template_that_lacks_something_for_a_fork_says_so_and_lives(
    monkeypatch: pytest.MonkeyPatch, lacks: str, code: int
) -> None:
    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(os, lacks, lambda: refuses(code))
    assert template._fork_asking() == -code
    assert os.listdir("/proc/self/fd") == before
