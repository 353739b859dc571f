"""The other front doors, audio on its way in, and a pool that is never in the way."""

import asyncio
import concurrent.futures
import functools
import gc
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pool_functions
import pytest
from pool_contract import wav_bytes

from orchestrator.errors import (
    ConfigError,
    ForkedPoolError,
    JobError,
    JobTimeoutError,
    WorkerDiedError,
)
from orchestrator.pool.async_pool import AsyncPool
from orchestrator.pool.executor import PoolExecutor
from orchestrator.pool.jobs import Call, Transcribe
from orchestrator.pool.pool import Pool
from orchestrator.pool.submission.audio_input import open_audio

pytestmark = pytest.mark.usefixtures("nothing_left")
LONG_S = 60.0


# ------------------------------------------------------------------ asyncio


def test_await_stream_and_map() -> None:
    async def main() -> None:
        async with AsyncPool(workers=2) as pool:
            assert await pool.run(Call("pool_functions:add", 1, 2)) == 3
            text = [chunk.text async for chunk in pool.stream(Call("pool_functions:spell", "abc"))]
            assert text == ["a", "b", "c"]
            jobs = [Call("pool_functions:add", number, 0) for number in range(100)]
            assert [result async for result in pool.map(jobs)] == list(range(100))
            assert sorted([result async for result in pool.map(jobs, ordered=False)]) == list(range(100))
            with pytest.raises(JobError):
                await pool.run(Call("operator:truediv", 1, 0))
            with pytest.raises(JobTimeoutError):
                await pool.run(Call("pool_functions:nap", LONG_S), timeout_s=0.05)

    asyncio.run(main())


def test_cancelling_a_task_cancels_its_job() -> None:
    async def main() -> None:
        async with AsyncPool() as pool:
            task = asyncio.create_task(pool.run(Call("pool_functions:nap", LONG_S)))
            while not (await pool.stats()).running:
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await pool.run(Call("pool_functions:add", 1, 1)) == 2
            assert (await pool.stats()).outcomes["call"]["cancelled"] == 1

    asyncio.run(main())


def test_a_full_queue_suspends_the_coroutine(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncPool(max_queue=1) as pool:
            go = tmp_path / "go"
            tasks = [
                asyncio.create_task(pool.run(Call("pool_functions:wait_for", str(go)))) for _ in range(6)
            ]
            await asyncio.sleep(0)
            assert not any(task.done() for task in tasks)
            go.touch()
            assert await asyncio.gather(*tasks) == [str(go)] * 6

    asyncio.run(main())


# ------------------------------------------------------------------ executor


def test_a_real_executor() -> None:
    with PoolExecutor(2) as executor:
        assert executor.submit(pool_functions.add, 1, right=2).result() == 3
        assert executor.submit(functools.partial(pool_functions.add, 5), 6).result() == 11
        assert list(executor.map(pool_functions.add, range(50), range(50))) == [2 * n for n in range(50)]
        with pytest.raises(WorkerDiedError):
            executor.submit(pool_functions.die).result()
        assert executor.submit(pool_functions.add, 1, 1).result() == 2
        done, pending = concurrent.futures.wait([executor.submit(pool_functions.pid) for _ in range(5)])
        assert len(done) == 5
        assert not pending
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(pool_functions.pid)


def test_asyncio_takes_it() -> None:
    async def main() -> int:
        with PoolExecutor(1) as executor:
            return await asyncio.get_running_loop().run_in_executor(executor, pool_functions.add, 2, 3)

    assert asyncio.run(main()) == 5


def test_the_standard_rule_of_cancelling(tmp_path: Path) -> None:
    with PoolExecutor(1) as executor:
        running = executor.submit(pool_functions.wait_for, str(tmp_path / "go"))
        waiting = executor.submit(pool_functions.pid)
        while not running.running():
            pass
        assert not running.cancel()
        assert waiting.cancel()
        (tmp_path / "go").touch()
        assert running.result()


def test_shutdown_may_cancel_what_waits(tmp_path: Path) -> None:
    executor = PoolExecutor(1)
    running = executor.submit(pool_functions.wait_for, str(tmp_path / "go"))
    while not running.running():
        pass
    waiting = [executor.submit(pool_functions.pid) for _ in range(3)]
    executor.shutdown(wait=False, cancel_futures=True)
    (tmp_path / "go").touch()
    executor.shutdown()
    assert running.result()
    assert all(future.cancelled() for future in waiting)


def test_what_cannot_be_imported_is_refused_with_the_cure() -> None:
    def nested() -> None: ...

    with PoolExecutor(1) as executor:
        for function, word in [
            (lambda: 1, "lambda"),
            (nested, "inside a function"),
            ([].append, "bound method"),
        ]:
            with pytest.raises(ValueError, match=word):
                executor.submit(function)


# ------------------------------------------------------------------ audio


def test_an_array_is_read_from_shared_memory() -> None:
    samples = np.arange(-1000, 1000, dtype=np.int16)
    audio, descriptor = open_audio((samples, 16_000), Path("unused"))
    assert descriptor is not None
    with Pool() as pool:
        assert pool.run(Call("pool_functions:read_all", audio.path)) == samples.tobytes()
    descriptor.close()


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_an_array_whose_channels_cancel_is_noticed(dtype: type) -> None:
    wave = np.sin(np.arange(16_000) / 5) * (10_000 if dtype is np.int16 else 0.5)
    samples = np.column_stack([wave, -wave]).astype(dtype)
    with pytest.warns(UserWarning, match="out of phase"):
        audio, descriptor = open_audio((samples, 16_000), Path("unused"))
    assert descriptor is not None
    heard = np.frombuffer(os.pread(descriptor.number, 4 * audio.samples, 0), dtype=np.float32)
    descriptor.close()
    assert np.abs(heard).max() > 0.25


def test_an_array_of_floats_on_the_scale_of_integers_is_scaled(recwarn: pytest.WarningsRecorder) -> None:
    samples = (20_000 * np.sin(np.arange(16_000) / 5)).astype(np.float32)
    audio, descriptor = open_audio((samples, 16_000), Path("unused"))
    assert descriptor is not None
    heard = np.frombuffer(os.pread(descriptor.number, 4 * audio.samples, 0), dtype=np.float32)
    descriptor.close()
    assert np.abs(heard).max() == pytest.approx(20_000 / 32_768, abs=0.01)
    assert "divided by that" in str(recwarn.pop(UserWarning).message)


# ------------------------------------------------------------------ experiments.toml

FILE = """
schema = 1
[profiles.mine.models.asr-small]
engine = "synthetic"
language = "English"
env = { POOL_TEST = "set" }
options = { text = "from the file" }
[profiles.mine.samples.s]
audio = "a.wav"
[[experiment]]
name = "e"
methods = ["recycle"]
[[experiment.steps]]
task = "asr"
model = "asr-small"
sample = "s"
[recycle]
max_jobs = 1
"""


def test_models_and_recycling_come_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "experiments.toml"
    file.write_text(FILE)
    (tmp_path / "a.wav").write_bytes(wav_bytes())
    with Pool(file, profile="mine", cache_dir=tmp_path) as pool:
        assert [model.name for model in pool.models] == ["function", "asr-small"]
        for _ in range(2):
            assert pool.run(Transcribe("asr-small", tmp_path / "a.wav")).text == "from the file"
    assert pool.stats().exits["jobs"] == 2


def test_a_wrong_file_says_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "experiments.toml"
    file.write_text(FILE.replace("engine =", "engin ="))
    with pytest.raises(ConfigError, match="engin"):
        Pool(file)


# ------------------------------------------------------------------ never in the way


def test_no_signal_handler_of_the_host_is_touched() -> None:
    before = [signal.getsignal(number) for number in signal.valid_signals()]
    with Pool() as pool:
        pool.run(Call("pool_functions:add", 1, 1))
        assert [signal.getsignal(number) for number in signal.valid_signals()] == before


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_copy_is_told_so_and_hurts_nobody() -> None:
    with Pool() as pool:
        assert pool.run(Call("pool_functions:add", 1, 1)) == 2
        child = os.fork()
        if child == 0:
            try:
                pool.submit(Call("pool_functions:add", 1, 1))
            except ForkedPoolError:
                pool.stop()
                os._exit(42)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
        assert pool.run(Call("pool_functions:add", 2, 2)) == 4


@pytest.mark.parametrize("ending", ["", "raise SystemExit(0)", "del pool"])
def test_an_interpreter_with_an_open_pool_exits_quickly_and_silently(ending: str) -> None:
    program = textwrap.dedent(f"""
        from orchestrator.pool.jobs import Call
        from orchestrator.pool.pool import Pool
        pool = Pool(workers=2)
        pool.run(Call("operator:add", 1, 1))
        futures = [pool.submit(Call("time:sleep", 3600)) for _ in range(5)]
        {ending}
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LONG_S)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_dropped_pool_finishes_its_jobs_and_goes() -> None:
    with pytest.warns(ResourceWarning, match="never closed"):  # noqa: PT031 - the pool goes with the first result
        future = Pool().submit(Call("pool_functions:add", 1, 1))
        assert future.result() == 2
        gc.collect()
    assert isinstance(future, concurrent.futures.Future)
    del future
    import threading

    for thread in threading.enumerate():
        if thread.name == "orchestrator-pool":
            thread.join()


def test_a_future_of_the_executor_is_tried_again_after_a_death(tmp_path: Path) -> None:
    with PoolExecutor(1, max_attempts=2) as executor:
        assert executor.submit(pool_functions.die_until, str(tmp_path / "deaths"), 1).result(60) == 2
        assert executor.submit(pool_functions.add, 1, 1).result(60) == 2
