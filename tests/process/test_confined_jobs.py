"""Jobs of confined workers: their audio, and what they leave in a worker that does many of them."""

import platform
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confined_functions import confinement

from orchestrator.config.model import SandboxMode
from orchestrator.errors import JobError
from orchestrator.inspection.snapshot import view_of
from orchestrator.pool.jobs import AudioArray, Call, EngineJob, Transcribe
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.process.dialogue import Dialogue
from orchestrator_worker.protocol import Audio, Done, Job, Load, Loaded, Run
from orchestrator_worker.sandbox.kernel import why_not

DEADLINE_S = 60.0
CANNOT = why_not("strict")
pytestmark = [
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(bool(CANNOT), reason=f"a sandbox {CANNOT}"),
]
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallinfo2 is glibc's")


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
    with Pool(models=[model], workers=1, max_attempts=1, cache_dir=tmp_path / "cache") as pool:
        first = pool.submit(Call("pool_functions:take", 1, str(tmp_path / "taken")))
        gone = pool.submit(Transcribe("m", path))
        path.unlink()
        (tmp_path / "taken.go").touch()
        first.result(DEADLINE_S)
        with pytest.raises(JobError, match="the audio could not be opened: No such file"):
            gone.result(DEADLINE_S)
        assert pool.submit(Transcribe("m", _recording(path, 2))).result(DEADLINE_S).text


def test_many_short_jobs_of_an_engine() -> None:
    model = Model(name="m", engine="synthetic", options={"text": "fixed"}, sandbox="strict")
    with Pool(models=[model]) as pool:
        jobs = [pool.submit(EngineJob(task="asr", model="m")) for _ in range(200)]
        assert {job.result(DEADLINE_S) is not None for job in jobs} == {True}


# ------------------------------------------------------------------ what the statistics say


@pytest.mark.parametrize("mode", ["strict", "files", "off"])
def test_the_statistics_say_what_a_worker_is_confined_to(mode: SandboxMode) -> None:
    model = Model(name="function", engine="function", sandbox=mode)
    with Pool(models=[model]) as pool:
        filters, rules = pool.submit(Call("confined_functions:confinement")).result(DEADLINE_S)
        stats = pool.stats()
        (worker,) = [slot.worker for slot in stats.slots if slot.worker is not None]
        assert worker.sandbox == mode
        (shown,) = [
            slot.worker for slot in view_of(stats, pid=1, title="", uptime_s=0.0).slots if slot.worker
        ]
        assert shown.sandbox == mode
    here, _ = confinement()
    assert (filters > here) is (mode == "strict"), "what the kernel says of it"
    assert rules == (mode != "off")


def test_the_statistics_say_off_where_nobody_has_asked_for_a_sandbox() -> None:
    with Pool() as pool:
        pool.submit(Call("operator:add", 1, 1)).result(DEADLINE_S)
        assert [slot.worker.sandbox for slot in pool.stats().slots if slot.worker] == ["off"]


# ------------------------------------------------------------------ what many jobs leave


def _live_after(jobs: int, tmp_path: Path, **options: Any) -> tuple[list[int], dict[str, set[int]]]:
    """Have a strict worker do jobs with audio; return the bytes in its heap after each, and what it held besides."""
    path = _recording(tmp_path / "a.wav", 1)
    model = Model(name="m", engine="synthetic", options={"text": "fixed", **options}, sandbox="strict")
    # Python's own objects in the C library's heap too: what mallinfo2 counts is then all of it, to the byte.
    live: list[int] = []
    held: dict[str, set[int]] = {"task": set(), "fd": set()}
    with Dialogue({"PYTHONMALLOC": "malloc"}, models=[model]) as dialogue:
        dialogue.ask(Load(1, model.spec()), Loaded, timeout_s=DEADLINE_S, phase="load")
        for number in range(jobs):
            job = Job("asr", audio=Audio(str(path), 16_000))
            done = dialogue.ask(Run(2 + number, job), Done, timeout_s=DEADLINE_S, phase="infer")
            assert done.heap is not None
            live.append(done.heap.live)
            for kind, counts in held.items():
                counts.add(len(list(Path(f"/proc/{dialogue.worker.pid}/{kind}").iterdir())))
    return live[jobs // 2 :], held


@glibc
def test_many_confined_jobs_leave_no_thread_no_descriptor_and_no_memory(tmp_path: Path) -> None:
    live, held = _live_after(500, tmp_path)
    # Caches of CPython fill for some thousand jobs more, confined or not, with 20 to 40 bytes a job. One object that is
    # left with each job is a path, an Audio or a socket's message: 100 bytes and more.
    assert live[-1] - live[0] < 100 * len(live)
    assert all(len(counts) == 1 for counts in held.values()), held


@glibc
def test_the_look_would_see_a_kilobyte_a_job(tmp_path: Path) -> None:
    live, _ = _live_after(40, tmp_path, leak_kib_per_job=1)
    # Of 19 jobs, less what a cache of CPython has given back meanwhile: ten times the bound of the test above.
    assert live[-1] - live[0] > 19 * 1000
