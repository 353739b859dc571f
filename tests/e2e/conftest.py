"""The real command in child processes; after each test none of its workers is left."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import NO_WORKER_S, Lab, wait_until


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A folder with a sample in it. Fails when a worker outlives the test."""
    laboratory = Lab(tmp_path)
    yield laboratory
    wait_until(lambda: not laboratory.workers(), within_s=NO_WORKER_S, what="no worker left")
