"""Real children: after each test none is left, nor a descriptor or a thread of ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chatllm_bench import Bench
from left_over import LeftOver

from doubles import Doubles


@pytest.fixture
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails the test that leaves a child, a descriptor or a thread behind, and no other."""
    before = LeftOver.now()
    yield
    left = LeftOver.now().since(before)
    if lines := left.lines():
        left.end()
        pytest.fail(f"{request.node.nodeid} left behind:\n  " + "\n  ".join(lines), pytrace=False)


@pytest.fixture
def bench(doubles: Doubles, tmp_path: Path) -> Bench:
    """A user's folder with the double of libchatllm in it."""
    return Bench(doubles.checkout(tmp_path / "user"), tmp_path)
