"""What every pool promises, wherever its workers are: run for ``Pool`` and for ``RayPool``.

A class of a test file inherits :class:`PoolContract` and has a fixture ``new_pool`` that makes pools.
"""

import concurrent.futures
import io
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pool_functions import synthetic

from orchestrator.errors import (
    AudioError,
    EngineUnavailableError,
    JobCancelledError,
    JobError,
    JobPoisonedError,
    JobTimeoutError,
    PoolClosedError,
    QueueFullError,
    WorkerDiedError,
)
from orchestrator.pool.jobs import Align, AudioArray, Call, EngineJob, Transcribe
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.results import AlignmentResult, Transcription

LONG_S = 60.0
TRIES = 4
NewPool = Callable[..., Pool]


def wav_bytes(samples: int = 16_000, rate: int = 16_000) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(2 * samples))
    return buffer.getvalue()


def until_running(*futures: Any) -> None:
    while not all(future.running() for future in futures):
        time.sleep(0.001)


class PoolContract:
    """The promises."""

    def test_results_come_back_typed(self, new_pool: NewPool) -> None:
        with new_pool(models=[synthetic(text="hello world")]) as pool:
            assert pool.run(Call("pool_functions:add", 2, right=3)) == 5
            heard = pool.run(Transcribe("model", audio=(np.zeros(16_000, dtype=np.int16), 16_000)))
            placed = pool.run(Align("model", AudioArray(np.zeros(8000, dtype=np.float32), 8000), "two words"))
            plain = pool.run(EngineJob("model", "synthetic"))
        assert isinstance(heard, Transcription)
        assert heard.text == "hello world"
        assert heard.worker.model == "model"
        assert heard.timings.run_s >= 0
        assert isinstance(placed, AlignmentResult)
        assert [word.text for word in placed.words] == ["two", "words"]
        assert placed.words[-1].end_ms == 1000
        assert plain is not None

    def test_what_the_engine_raises_is_a_job_error_with_its_traceback(self, new_pool: NewPool) -> None:
        with new_pool() as pool:
            with pytest.raises(JobError, match="ZeroDivisionError") as caught:
                pool.run(Call("operator:truediv", 1, 0))
            assert "Traceback" in caught.value.remote_traceback
            first = pool.run(Call("pool_functions:pid"))
            with pytest.raises(JobError):
                pool.run(Call("pool_functions:add", 1))
            assert pool.run(Call("pool_functions:pid")) == first, "an exception costs no worker"

    def test_unknown_models_and_values_that_cannot_travel_are_refused_at_once(
        self, new_pool: NewPool
    ) -> None:
        with new_pool() as pool:
            with pytest.raises(ValueError, match="'nobody' is none of this pool's"):
                pool.submit(Transcribe("nobody", (np.zeros(10, dtype=np.int16), 16_000)))
            with pytest.raises(TypeError, match=r"argument 2 \(object\)"):
                pool.submit(Call("pool_functions:add", 1, object()))
            with pytest.raises(ValueError, match="__main__"):
                pool.submit(Call("__main__:f"))

    def test_values_that_no_frame_can_hold(self, new_pool: NewPool) -> None:
        large = 65 * 1024 * 1024
        with new_pool(max_value="80MiB") as pool:
            assert pool.run(Call("copy:copy", b"x" * large)) == b"x" * large
            with pytest.raises(ValueError, match=r"argument 1 \(bytes\) is too large"):
                pool.submit(Call("builtins:len", b"x" * (81 * 1024 * 1024)))
            with pytest.raises(JobError, match="ResultTooLarge"):
                pool.run(Call("operator:mul", b"x", 81 * 1024 * 1024))

    def test_a_timeout_ends_the_job_and_the_worker(self, new_pool: NewPool) -> None:
        with new_pool() as pool:
            first = pool.run(Call("pool_functions:pid"))
            with pytest.raises(JobTimeoutError) as caught:
                pool.run(Call("pool_functions:nap", LONG_S), timeout_s=0.1)
            assert caught.value.where == "run"
            assert isinstance(caught.value, TimeoutError)
            assert pool.run(Call("pool_functions:pid")) != first
            assert pool.stats().exits == {"timeout": 1}

    def test_an_engine_that_gives_up_in_time_keeps_its_worker(self, new_pool: NewPool) -> None:
        """One that gets no processor for half a second is late, and loses it. That may be, but not each time."""
        with new_pool(models=[synthetic(job_ms=LONG_S * 1000)]) as pool:
            for _ in range(TRIES):
                future = pool.submit(EngineJob("model", "synthetic"), timeout_s=0.1)
                with pytest.raises(JobTimeoutError):
                    future.result()
            assert isinstance(
                pool.submit(EngineJob("model", "synthetic"), timeout_s=0.1).exception(), TimeoutError
            )
            stats = pool.stats()
        assert stats.exits.keys() <= {"timeout"}
        assert stats.spawns < 1 + TRIES

    def test_waiting_too_long_is_a_timeout_of_the_queue(self, new_pool: NewPool, tmp_path: Path) -> None:
        with new_pool() as pool:
            running = pool.submit(Call("pool_functions:wait_for", str(tmp_path / "go")))
            late = pool.submit(Call("pool_functions:pid"), queue_timeout_s=0.05)
            with pytest.raises(JobTimeoutError) as caught:
                late.result()
            assert caught.value.where == "queue"
            (tmp_path / "go").touch()
            assert running.result()

    def test_cancel_of_a_waiting_and_of_a_running_job(self, new_pool: NewPool, tmp_path: Path) -> None:
        with new_pool() as pool:
            running = pool.submit(Call("pool_functions:nap", LONG_S))
            waiting = pool.submit(Call("pool_functions:append", str(tmp_path / "ran"), "never"))
            while not running.running():
                time.sleep(0.001)
            assert waiting.cancel()
            assert running.cancel()
            for future in (running, waiting):
                assert future.cancelled()
                with pytest.raises(JobCancelledError):
                    future.result()
            done, _ = concurrent.futures.wait([running, waiting], timeout=LONG_S)
            assert done == {running, waiting}
            assert pool.run(Call("pool_functions:add", 1, 1)) == 2
            assert pool.stats().exits == {"cancel": 1}
        assert not (tmp_path / "ran").exists()
        assert isinstance(JobCancelledError("x"), concurrent.futures.CancelledError)

    def test_an_ended_job_cannot_be_cancelled(self, new_pool: NewPool) -> None:
        with new_pool() as pool:
            future = pool.submit(Call("pool_functions:add", 1, 1))
            assert future.result() == 2
            assert not future.cancel()
            assert not future.cancelled()

    def test_priorities_come_first_and_are_fair_among_themselves(
        self, new_pool: NewPool, tmp_path: Path
    ) -> None:
        log = tmp_path / "log"
        with new_pool() as pool:
            pool.submit(Call("pool_functions:wait_for", str(tmp_path / "go")))
            futures = [
                pool.submit(Call("pool_functions:append", str(log), name), priority=priority)
                for name, priority in [("a", 0), ("b", 0), ("c", 5), ("d", 5), ("e", -1), ("f", 0)]
            ]
            pool.stats()  # asked behind them: by now all of them wait
            (tmp_path / "go").touch()
            concurrent.futures.wait(futures)
        assert log.read_text().split() == ["c", "d", "a", "b", "f", "e"]

    def test_a_full_queue_refuses_blocks_or_gives_up(self, new_pool: NewPool, tmp_path: Path) -> None:
        with new_pool(max_queue=2) as pool:
            running = pool.submit(Call("pool_functions:wait_for", str(tmp_path / "go")))
            while not running.running():
                time.sleep(0.001)
            waiting = [pool.submit(Call("pool_functions:add", i, 0)) for i in range(2)]
            with pytest.raises(QueueFullError, match="2 jobs wait"):
                pool.submit(Call("pool_functions:add", 9, 0), block=False)
            with pytest.raises(QueueFullError):
                pool.submit(Call("pool_functions:add", 9, 0), queue_timeout_s=0.05)
            blocked: list[int] = []
            thread = threading.Thread(
                target=lambda: blocked.append(pool.run(Call("pool_functions:add", 9, 0)))
            )
            thread.start()
            (tmp_path / "go").touch()
            thread.join()
            assert blocked == [9]
            assert [future.result() for future in waiting] == [0, 1]

    def test_chunks_come_while_the_job_runs(self, new_pool: NewPool, tmp_path: Path) -> None:
        with new_pool() as pool:
            stream = pool.stream(Call("pool_functions:spell_behind", str(tmp_path / "go"), "spoken"))
            first = next(stream)
            assert str(first) == "s"
            assert not stream.future.done()
            (tmp_path / "go").touch()
            assert first.text + "".join(map(str, stream)) == "spoken"
            assert stream.result() == "spoken"

    def test_leaving_a_stream_early_cancels_its_job(self, new_pool: NewPool) -> None:
        with new_pool() as pool:
            for _ in range(TRIES):
                with pool.stream(Call("pool_functions:spell", "x" * 100_000, 0.001)) as stream:
                    next(stream)
                assert stream.future.cancelled()
                assert pool.run(Call("pool_functions:add", 1, 1)) == 2
            assert pool.stats().spawns < 1 + TRIES, (
                "a generator gives up by itself; late only on a busy machine"
            )

    def test_a_stream_raises_what_its_job_died_of(self, new_pool: NewPool) -> None:
        with new_pool() as pool, pytest.raises(JobError, match="yields str"):
            list(pool.stream(Call("pool_functions:spell", [1])))

    def test_a_slow_reader_loses_no_text(self, new_pool: NewPool) -> None:
        text = "abcdefghij" * 1000
        with new_pool() as pool:
            stream = pool.stream(Call("pool_functions:spell", text))
            assert stream.result() == text
            chunks = list(stream)
        assert len(chunks) <= 1024
        assert "".join(map(str, chunks)) == text

    def test_map_is_lazy_ordered_or_not(self, new_pool: NewPool) -> None:
        pulled = 0

        def jobs() -> Iterator[Call]:
            nonlocal pulled
            for number in range(1000):
                pulled += 1
                yield Call("pool_functions:add", number, 0)

        with new_pool(workers=2) as pool:
            assert list(pool.map(jobs())) == list(range(1000))
            assert sorted(pool.map(jobs(), ordered=False)) == list(range(1000))
            pulled = 0
            for result in pool.map(jobs()):
                if result == 3:
                    break
            assert pulled < 100

    def test_map_raises_or_returns_errors(self, new_pool: NewPool) -> None:
        jobs = [Call("operator:truediv", 1, divisor) for divisor in (1, 0, 2)]
        with new_pool() as pool:
            results = list(pool.map(jobs, errors="return"))
            assert results[0] == 1
            assert isinstance(results[1], JobError)
            assert results[2] == 0.5
            with pytest.raises(JobError):
                list(pool.map(jobs))

    def test_map_puts_jobs_for_unknown_models_in_their_place(self, new_pool: NewPool) -> None:
        with new_pool() as pool:
            results = list(pool.map([EngineJob("nobody", "asr")] * 40, errors="return"))
            assert [type(result) for result in results] == [ValueError] * 40

    def test_close_finishes_the_queue_stop_drops_it(self, new_pool: NewPool) -> None:
        pool = new_pool()
        futures = [pool.submit(Call("pool_functions:add", number, 1)) for number in range(50)]
        pool.close()
        assert [future.result() for future in futures] == list(range(1, 51))
        with pytest.raises(PoolClosedError):
            pool.submit(Call("pool_functions:add", 1, 1))
        pool = new_pool()
        running = pool.submit(Call("pool_functions:nap", LONG_S))
        waiting = pool.submit(Call("pool_functions:add", 1, 1))
        while not running.running():
            time.sleep(0.001)
        assert pool.stop()
        for future in (running, waiting):
            assert future.cancelled()
            with pytest.raises(JobCancelledError):
                future.result()
        assert pool.stats().exits == {"shutdown": 1}

    def test_an_exception_in_the_block_drops_the_queue(self, new_pool: NewPool) -> None:
        futures = []

        def use() -> None:
            with new_pool() as pool:
                futures.append(pool.submit(Call("pool_functions:nap", LONG_S)))
                raise KeyError

        with pytest.raises(KeyError):
            use()
        (future,) = futures
        assert future.cancelled()

    def test_callbacks_may_use_the_pool(self, new_pool: NewPool) -> None:
        with new_pool(max_queue=1) as pool:
            second: concurrent.futures.Future[int] = concurrent.futures.Future()

            def again(_: object) -> None:
                follow_up = pool.submit(Call("pool_functions:add", 20, 1))
                follow_up.add_done_callback(lambda done: second.set_result(done.result()))

            pool.submit(Call("pool_functions:add", 1, 1)).add_done_callback(again)
            assert second.result(LONG_S) == 21

    def test_many_threads_share_a_pool(self, new_pool: NewPool) -> None:
        results: list[int] = []
        with new_pool(workers=2, max_queue=5) as pool:

            def work(base: int) -> None:
                results.extend(pool.run(Call("pool_functions:add", base, i)) for i in range(50))

            threads = [threading.Thread(target=work, args=(base,)) for base in range(0, 400, 50)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert sorted(results) == list(range(400))

    # ------------------------------------------------------------------ deaths

    def test_a_death_costs_its_own_job_and_no_other(self, new_pool: NewPool) -> None:
        with new_pool(workers=2) as pool:
            futures = [pool.submit(Call("pool_functions:add", number, 0)) for number in range(20)]
            dead = pool.submit(Call("pool_functions:die"))
            futures += [pool.submit(Call("pool_functions:add", number, 0)) for number in range(20, 40)]
            with pytest.raises(WorkerDiedError) as caught:
                dead.result()
            assert [future.result() for future in futures] == list(range(40))
        assert caught.value.cause == "exit code 3"
        assert caught.value.exit_status == 3
        assert "about to leave" in caught.value.stderr_tail

    def test_a_job_is_tried_again_and_then_poisoned(self, new_pool: NewPool, tmp_path: Path) -> None:
        with new_pool(max_attempts=2) as pool:
            assert pool.run(Call("pool_functions:die_until", str(tmp_path / "once"), 1)) == 2
            with pytest.raises(JobPoisonedError) as caught:
                pool.run(Call("pool_functions:die_until", str(tmp_path / "always"), 9))
        assert [attempt.cause for attempt in caught.value.attempts] == ["SIGKILL", "SIGKILL"]
        assert (tmp_path / "always").stat().st_size == 2

    def test_workers_are_recycled(self, new_pool: NewPool) -> None:
        with new_pool(recycle=Recycle(max_jobs=2, jitter=0)) as pool:
            assert len({pool.run(Call("pool_functions:pid")) for _ in range(6)}) == 3
        assert pool.stats().exits["jobs"] == 3

    def test_a_missing_model_file_is_said(self, new_pool: NewPool, tmp_path: Path) -> None:
        missing = Model(name="m", engine="chatllm", file=tmp_path / "none.bin", library=tmp_path / "none.so")
        with new_pool(models=[missing]) as pool, pytest.raises(EngineUnavailableError):
            pool.run(Transcribe("m", (np.zeros(10, dtype=np.int16), 16_000)))

    # ------------------------------------------------------------------ audio

    @pytest.mark.parametrize(
        ("audio", "milliseconds"),
        [
            ((np.zeros(32_000, dtype=np.float32), 16_000), 2000),
            (AudioArray(np.zeros((8_000, 2), dtype=np.int16), 8_000), 1000),
            ((np.zeros(44_100, dtype=np.float32), 44_100), 1000),
            (wav_bytes(), 1000),
            (wav_bytes(8_000, 8_000), 1000),
        ],
    )
    def test_audio_reaches_the_worker(
        self, new_pool: NewPool, audio: object, milliseconds: int, tmp_path: Path
    ) -> None:
        with new_pool(models=[synthetic()], cache_dir=tmp_path) as pool:
            result = pool.run(EngineJob("model", "align", audio=audio, text="one"))  # type: ignore[arg-type]
        assert result.words[-1].end_ms == milliseconds

    @pytest.mark.parametrize(
        ("audio", "word"),
        [
            ((np.zeros(10), 16_000), "neither float32 nor int16"),
            ((np.zeros(0, dtype=np.int16), 16_000), "no samples"),
            ((np.full(10, np.nan, dtype=np.float32), 16_000), "NaN"),
            ((np.zeros(10, dtype=np.int16), 0), "rate"),
            (b"not audio", "audio bytes"),
            ("/nonexistent.wav", "nonexistent"),
        ],
    )
    def test_bad_audio_is_refused_at_submit(
        self, new_pool: NewPool, audio: object, word: str, tmp_path: Path
    ) -> None:
        with (
            new_pool(models=[synthetic()], cache_dir=tmp_path) as pool,
            pytest.raises(AudioError, match=word),
        ):
            pool.submit(Transcribe("model", audio))  # type: ignore[arg-type]
