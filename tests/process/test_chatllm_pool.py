"""chatllm in a pool: typed results, streamed text, cancels, and no job that hears the one before."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chatllm_bench import Bench

from doubles import write_audio
from orchestrator.errors import JobCancelledError, JobError, ModelOutOfUseError
from orchestrator.pool.jobs import Align, Transcribe
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.pool.results import AlignmentResult, Transcription

pytestmark = pytest.mark.usefixtures("nothing_left")
TEXT = "One two three four."
CANCEL_S = 10.0


@pytest.fixture
def speech(bench: Bench) -> Path:
    write_audio(bench.folder / "$(touch pwned).wav", 3.0)
    return bench.folder / "$(touch pwned).wav"


@pytest.fixture
def pool(bench: Bench, request: pytest.FixtureRequest) -> Iterator[Pool]:
    """A pool with an ASR model and an aligner; a marker's word sets the double."""
    double = getattr(request, "param", "")
    with Pool(models=models(bench, double), cache_dir=bench.folder / "cache") as made:
        yield made


def models(bench: Bench, double: str, **env: str) -> list[Model]:
    environment = {**bench.env, "CHATLLM_DOUBLE": double, **env}
    library = bench.checkout.library
    return [
        Model(
            name="asr", engine="chatllm", file=bench.checkout.model, library=library, language="auto", env=environment
        ),
        Model(
            name="aligner", engine="chatllm", file=bench.checkout.aligner, library=library, language="English",
            format="srt", env=environment,
        ),
    ]  # fmt: skip


def test_results_are_typed(pool: Pool, speech: Path) -> None:
    heard = pool.run(Transcribe("asr", speech))
    assert isinstance(heard, Transcription)
    assert (heard.text, heard.language, heard.warnings) == (TEXT, "English", [])
    placed = pool.run(Align("aligner", speech, "And so - my"))
    assert isinstance(placed, AlignmentResult)
    assert [(word.text, word.start_ms, word.end_ms) for word in placed.words] == [
        ("And", 0, 1000),
        ("so", 1000, 2000),
        ("my", 2000, 3000),
    ]
    assert placed.skipped == ["-"]
    assert (placed.srt or "").startswith("1\n00:00:00,000 --> 00:00:01,000\nAnd\n")


@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_samples_without_a_file(pool: Pool, kind: type) -> None:
    assert pool.run(Transcribe("asr", (np.zeros(48_000, kind), 16_000))).text == TEXT
    with pytest.raises(JobError, match="159 samples"):
        pool.run(Transcribe("asr", (np.zeros(159, kind), 16_000)))


def test_text_is_streamed(pool: Pool, speech: Path) -> None:
    stream = pool.stream(Transcribe("asr", speech))
    assert [chunk.text for chunk in stream if chunk.text] == ["One", " two", " three", " four."]
    assert stream.result().text == TEXT


@pytest.mark.parametrize("pool", ["context_shows=1"], indirect=True)
def test_a_job_does_not_hear_the_one_before(pool: Pool, speech: Path) -> None:
    """The double says how many inputs its context holds."""
    assert [pool.run(Transcribe("asr", speech)).text for _ in range(3)] == [f"{TEXT} inputs1"] * 3


def test_a_cancel_aborts_and_the_worker_goes_on(bench: Bench, speech: Path) -> None:
    """The whole text takes 30 s."""
    answers = bench.folder / "answers.txt"
    answers.write_text("3\t" + " ".join(["word"] * 1500) + "\n")
    made = models(bench, "chunk_ms=20", CHATLLM_DOUBLE_ANSWERS=str(answers))
    write_audio(bench.folder / "short.wav", 1.0)
    with Pool(models=made[:1], cache_dir=bench.folder / "cache") as pool:
        first = pool.run(Transcribe("asr", bench.folder / "short.wav"))
        stream = pool.stream(Transcribe("asr", speech))
        next(iter(stream))
        stream.cancel()
        with pytest.raises(JobCancelledError):
            stream.result(CANCEL_S)
        again = pool.run(Transcribe("asr", bench.folder / "short.wav"), timeout_s=CANCEL_S)
        assert again.text == first.text == TEXT
        assert again.worker.pid == first.worker.pid


def test_the_threads_of_openmp_wait_awake_for_a_short_while_only(
    bench: Bench, speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set before the process starts; whoever says otherwise is heard."""

    def waiting(**env: str) -> list[str]:
        model = models(bench, "stdout=1", **env)[0]
        with Pool(models=[model], cache_dir=bench.folder / "cache") as pool:
            pid = pool.run(Transcribe("asr", speech)).worker.pid
            started_with = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        return sorted(line for line in started_with if line.startswith(("OMP_", "GOMP_", "GGML_")))

    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "GGML_NO_BACKTRACE"):
        monkeypatch.delenv(name, raising=False)
    assert waiting() == ["GGML_NO_BACKTRACE=1", "GOMP_SPINCOUNT=1000"]
    assert waiting(OMP_WAIT_POLICY="active") == ["GGML_NO_BACKTRACE=1", "OMP_WAIT_POLICY=active"]
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert waiting() == ["GGML_NO_BACKTRACE=1", "OMP_WAIT_POLICY=active"]


def test_each_attempt_to_start_a_bad_model_has_a_process_of_its_own(bench: Bench, speech: Path) -> None:
    """A failed start keeps memory and a descriptor, and a second one in the same process is refused."""
    bench.checkout.model.write_bytes(b"something else altogether")
    with Pool(models=models(bench, "")[:1], cache_dir=bench.folder / "cache") as pool:
        with pytest.raises(ModelOutOfUseError) as raised:
            pool.run(Transcribe("asr", speech))
        assert str(raised.value).count("cannot start") == str(raised.value).count("bad magic") == 3
        (slot,) = pool.stats().slots
        assert slot.generation == 3
