"""Jobs of confined workers: their audio, and what they leave in a worker that does many of them."""

import wave
from pathlib import Path

import numpy as np
import pytest

from orchestrator.config.model import SandboxMode
from orchestrator.errors import JobError
from orchestrator.pool.jobs import AudioArray, Call, EngineJob, Transcribe
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator_worker.sandbox.kernel import why_not

DEADLINE_S = 60.0
CANNOT = why_not("strict")
pytestmark = [
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(bool(CANNOT), reason=f"a sandbox {CANNOT}"),
]
FUNCTIONS = Model(name="function", engine="function", sandbox="strict")


def _recording(path: Path, seed: int) -> Path:
    samples = np.random.default_rng(seed).integers(-9000, 9000, 16_000, dtype=np.int16)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path


@pytest.mark.parametrize("mode", ["strict", "files"])
def test_audio_comes_as_a_descriptor_whatever_it_is(mode: SandboxMode, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    recordings = [_recording(tmp_path / "private" / f"{seed}.wav", seed) for seed in range(4)]
    floats = np.linspace(-0.5, 0.5, 16_000, dtype=np.float32)
    audio = [*recordings, *(path.read_bytes() for path in recordings), AudioArray(floats, 16_000)]
    heard: dict[str, list[str]] = {}
    for sandbox in ("off", mode):
        model = Model(name="m", engine="synthetic", options={"text": "{digest}"}, sandbox=sandbox)
        with Pool(models=[model], workers=2, cache_dir=tmp_path / "cache") as pool:
            jobs = [pool.submit(Transcribe("m", each)) for each in audio * 5]
            heard[sandbox] = [job.result(DEADLINE_S).text for job in jobs]
    assert heard["off"] == heard[mode]
    assert len(set(heard[mode])) == len(recordings) + 1


def test_audio_that_is_gone_is_that_jobs_error(tmp_path: Path) -> None:
    path = _recording(tmp_path / "a.wav", 1)
    model = Model(name="m", engine="synthetic", options={"text": "{digest}"}, sandbox="strict")
    with Pool(models=[model, FUNCTIONS], workers=1, max_attempts=1, cache_dir=tmp_path / "cache") as pool:
        first = pool.submit(Call("time:sleep", 0.5))
        gone = pool.submit(Transcribe("m", path))
        path.unlink()
        first.result(DEADLINE_S)
        with pytest.raises(JobError, match="the audio could not be opened: No such file"):
            gone.result(DEADLINE_S)
        assert pool.submit(Transcribe("m", _recording(path, 2))).result(DEADLINE_S).text


def test_many_short_jobs_of_an_engine() -> None:
    model = Model(name="m", engine="synthetic", options={"text": "fixed"}, sandbox="strict")
    with Pool(models=[model]) as pool:
        jobs = [pool.submit(EngineJob(task="asr", model="m")) for _ in range(200)]
        assert {job.result(DEADLINE_S) is not None for job in jobs} == {True}
