"""What the tests of every kind share: the C doubles, compiled once a session, and patience."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent / "native"))

from doubles import Doubles

# No test asserts a time by the way: a busy machine is slow, and that is no fault. And what is drawn is the same in each
# run, so that a change is judged by what it changes; ``--hypothesis-profile searching`` draws anew.
settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("searching", settings.get_profile("unhurried"), derandomize=False)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def doubles(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Doubles:
    """Our doubles of libchatllm, ggml and ffmpeg."""
    base = tmp_path_factory.getbasetemp()
    return Doubles.build(base if worker_id == "master" else base.parent)
