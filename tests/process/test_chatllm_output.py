"""chatllm: what the library says and when, and what of it is text.

A test here fails when the guard it is about is taken out; the double does what the facts say.
"""

import pytest
from chatllm_bench import Bench

from orchestrator.errors import JobCancelledError, JobError
from orchestrator_worker.protocol import Cancel, Chunk, Job

pytestmark = pytest.mark.usefixtures("nothing_left")
TEXT = "One two three four."
CANCEL_S = 10.0
"""Twice five times a second: an abort ends a generation with its next chunk, here after 0.02 s."""


# ---------------------------------------------------------------------- what it says


def test_the_end_comes_twice_and_ends_nothing(bench: Bench) -> None:
    with bench.worker() as worker:
        worker.load()
        for _ in range(2):
            assert worker.transcribe().text == TEXT
            assert [chunk.final for chunk in worker.chunks] == [False] * 4 + [True]


def test_kinds_of_output_that_nobody_knows_are_ignored(bench: Bench) -> None:
    with bench.worker("odd_types=1") as worker:
        worker.load()
        assert worker.transcribe().text == TEXT


def test_text_for_another_object_is_not_taken(bench: Bench) -> None:
    with bench.worker("cross_talk=1") as worker:
        worker.load()
        assert worker.transcribe().text == TEXT


def test_a_byte_that_is_no_utf8_is_replaced(bench: Bench) -> None:
    with bench.worker("raw_byte=1") as worker:
        worker.load()
        assert worker.transcribe().text == f"{TEXT} �!"


def test_a_banner_on_standard_output_breaks_nothing(bench: Bench) -> None:
    with bench.worker("stdout=1") as worker:
        worker.load()
        assert worker.transcribe().text == TEXT
        worker.dialogue.stop()
        assert "ChatLLM double" in worker.dialogue.worker.stderr_tail


def test_what_a_listener_raises_comes_out_of_the_call(bench: Bench) -> None:
    script = """
library.start(words, heard)
def angry(kind, text):
    raise EngineError(f"angry at {text}")
refused(lambda: library.say("x", angry))
refused(lambda: library.say("x", heard))
"""
    assert bench.child(script) == ["refused: angry at language", "not refused"]


def test_a_failing_input_is_an_error_with_the_librarys_words(bench: Bench) -> None:
    with bench.worker("input_code=1") as worker:
        worker.load()
        with pytest.raises(JobError, match="failed with code 1: the input cannot be worked on"):
            worker.transcribe()


def test_an_error_line_beside_a_result_is_a_warning(bench: Bench) -> None:
    with bench.worker("error_line=1") as worker:
        worker.load()
        found = worker.transcribe()
        assert found.text == TEXT
        assert found.warnings == ["the library said: something went wrong on the way"]


def test_a_full_context_is_said(bench: Bench) -> None:
    """12 tokens of prompt, 26 of audio: room for two more."""
    with bench.worker() as worker:
        worker.load(context_length=40)
        found = worker.transcribe()
        assert found.text == "One two"
        (warning,) = found.warnings
        assert "raise context_length" in warning


def test_decoding_is_greedy_unless_somebody_says_otherwise(bench: Bench) -> None:
    with bench.worker() as worker:
        worker.load()
        assert {worker.transcribe().text for _ in range(3)} == {TEXT}
    with bench.worker() as worker:
        worker.load(options={"argv": ["-t", "0.7"]})
        assert len({worker.transcribe().text for _ in range(3)}) == 3


@pytest.mark.parametrize(
    ("language", "double", "heard"),
    [
        ("English", "", "English"),
        ("auto", "", "English"),
        (None, "closing=1", "English"),
        ("zh-TW", "", "Chinese"),
    ],
)
def test_markers_are_no_text_and_the_language_is_kept(
    bench: Bench, language: str | None, double: str, heard: str
) -> None:
    with bench.worker(double) as worker:
        worker.load(language=language)
        found = worker.transcribe()
        assert (found.text, found.language) == (TEXT, heard)
        assert "".join(chunk.text for chunk in worker.chunks) == TEXT


def test_another_language_than_the_models_is_refused(bench: Bench) -> None:
    with bench.worker() as worker:
        worker.load(language="English")
        assert worker.transcribe(language="en-US").text == TEXT
        with pytest.raises(JobError, match="this one has English, not Chinese; make a second model"):
            worker.transcribe(language="Chinese")


# ---------------------------------------------------------------------- time


def test_text_is_stamped_as_it_comes_and_a_slow_start_is_the_loads(bench: Bench) -> None:
    """Lower bounds: a busy machine may be late, never early. Six chunks, of which two are markers' own."""
    with bench.worker("start_ms=120 chunk_ms=30") as worker:
        assert worker.load(language="auto").seconds >= 0.12
        times = worker.run(Job("asr", bench.audio())).times
        assert times.first_s is not None
        assert times.last_s is not None
        assert times.first_s >= 3 * 0.03
        assert times.last_s - times.first_s >= 3 * 0.03
        assert (times.chunks, times.characters_after_first) == (4, len(TEXT) - len("One"))


@pytest.fixture
def long_answer(bench: Bench) -> dict[str, str]:
    answers = bench.folder / "answers.txt"
    answers.write_text("2\t" + " ".join(["word"] * 1500) + "\n")
    return {"CHATLLM_DOUBLE_ANSWERS": str(answers)}


@pytest.mark.parametrize("deaf", [0, 5])
def test_a_cancel_aborts_even_where_the_first_abort_is_lost(
    bench: Bench, long_answer: dict[str, str], deaf: int
) -> None:
    """The whole text takes 30 s."""
    with bench.worker(f"chunk_ms=20 deaf_chunks={deaf}", **long_answer) as worker:
        worker.load()

        def cancel(_: Chunk) -> None:
            if len(worker.chunks) == 1:
                worker.dialogue.worker.send(Cancel(2))

        with pytest.raises(JobCancelledError):
            worker.run(Job("asr", bench.audio()), timeout_s=CANCEL_S, on_chunk=cancel)
        assert len(worker.chunks) < 1000
        assert worker.transcribe(bench.audio(4.0)).text == TEXT
