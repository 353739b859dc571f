"""What the tests of every kind share: the C doubles, compiled once a session."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "native"))

from doubles import Doubles


@pytest.fixture(scope="session")
def doubles(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Doubles:
    """Our doubles of libchatllm, ggml and ffmpeg."""
    base = tmp_path_factory.getbasetemp()
    return Doubles.build(base if worker_id == "master" else base.parent)
