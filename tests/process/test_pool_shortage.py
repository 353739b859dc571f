"""A real host without descriptors: its pool goes on with the workers it has, and grows again when there are more."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("short_of_descriptors.py")


@pytest.mark.parametrize("free", [0, 3])
def test_a_pool_short_of_descriptors_loses_no_job_and_no_model(free: int) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(free), "4"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert "ModelOutOfUseError" not in said["errors"]
    assert len(said["errors"]) <= 3, "a job that one of the killed had begun, no other"
    assert said["after"] is None


@pytest.mark.parametrize(("free", "start"), [(4, "cold"), (4, "warm")])
def test_who_stands_idle_without_jobs_makes_room_for_another_model(free: int, start: str) -> None:
    """Its worker, and the template that it was forked from: what one start needs is more than either gives back."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(free), start], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"evicted": 1}
