"""Growth that slows down: when it will be down to a rate."""

import pytest

from orchestrator.analysis.fitting.returns import Slowing


def test_growth_that_halves_is_down_to_a_quarter_after_twice_as_long() -> None:
    slower = Slowing(before=2.0, after=1.0, apart=20.0, error=0.01)
    assert slower.readings_until(0.5) == pytest.approx(20.0)
    assert slower.readings_until(0.25) == pytest.approx(40.0)


@pytest.mark.parametrize(("after", "rate"), [(1.0, 1.0), (1.0, 2.0), (0.0, 0.1), (-0.5, 0.1), (1.0, 0.0)])
def test_where_it_is_down_already_nothing_is_foretold(after: float, rate: float) -> None:
    assert Slowing(before=2.0, after=after, apart=20.0, error=0.01).readings_until(rate) == 0.0
