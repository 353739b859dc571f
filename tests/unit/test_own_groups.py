"""What answers a strict template's filter, beside a template that asks without end."""

import os

import pytest

from orchestrator.process.warm import own_groups
from orchestrator.process.warm.own_groups import MOST_WAITING, OwnGroups

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="warm starts need pidfds")


@pytest.mark.parametrize(("waiting", "refused"), [(0, True), (MOST_WAITING - 1, True), (10**9, False)])
def test_whoever_asks_without_end_does_not_hold_up_the_host(
    monkeypatch: pytest.MonkeyPatch, waiting: int, refused: bool
) -> None:
    questions = iter(range(waiting))
    monkeypatch.setattr(own_groups, "_readable", lambda descriptor: next(questions, None) is not None)
    monkeypatch.setattr(OwnGroups, "answer", lambda self, *, allow: 0)
    assert OwnGroups(-1).refuse_waiting() is refused
