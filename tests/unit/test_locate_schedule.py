"""How long a block is: as long as the time allows, and one iteration where each grows alike."""

from __future__ import annotations

import pytest

from orchestrator.locating.schedule import Schedule

ALIKE = [1000, 1549, 2098, 2647, 3196, 3745, 4294]


def test_a_heap_that_grows_alike_with_each_iteration_is_steady() -> None:
    assert Schedule().steady(ALIKE)
    assert Schedule().steady([1000, 2000, 3001, 4000, 5002, 6001, 7001])


@pytest.mark.parametrize(
    "live",
    [
        pytest.param([1000] * 7, id="no growth"),
        pytest.param([1000, 1549, 1549, 2647, 2647, 3745, 3745], id="every second"),
        pytest.param([4000, 3500, 3000, 2500, 2000, 1500, 1000], id="shrinks"),
        pytest.param([1000, 1549, 2098, 2647, 3196, 3745, 4994], id="one jump"),
        pytest.param(ALIKE[:5], id="too few"),
        pytest.param([], id="no heap channel"),
    ],
)
def test_any_other_heap_needs_longer_blocks(live: list[int]) -> None:
    assert not Schedule().steady(live)


def test_a_length_that_somebody_has_said_stays() -> None:
    assert not Schedule(iterations=3).steady(ALIKE)


def test_a_block_is_as_long_as_the_time_allows() -> None:
    assert [Schedule().per_block(seconds) for seconds in (10, 0.5, 1e-4, 0)] == [1, 2, 16, 16]
    assert Schedule().per_block(1e-4, calls=True) == 50
    assert Schedule(iterations=3).per_block(10) == 3
