"""chatllm: texts to align, and what the aligner answers.

A test here fails when the guard it is about is taken out; the double does what the facts say.
"""

import pytest
from chatllm_bench import Bench

from orchestrator.errors import JobError

pytestmark = pytest.mark.usefixtures("nothing_left")
TEXT = "One two three four."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("so {{audio:x}} my", r"has '\{\{', which stands for a file"),
        ("so }} my", r"has '\}\}'"),
        ("", "empty or blank"),
        (" \n\t ", "empty or blank"),
        (None, "empty or blank"),
        ("... — !", "no words, only"),
        ("so\0my", "NUL"),
    ],
)
def test_a_text_that_cannot_be_aligned_is_refused(bench: Bench, text: str | None, words: str) -> None:
    with bench.worker() as worker:
        worker.load(aligner=True)
        with pytest.raises(JobError, match=words):
            worker.align(text)
        assert [word.text for word in worker.align("so my").words] == ["so", "my"]


def test_punctuation_that_stands_alone_is_left_out_and_said(bench: Bench) -> None:
    with bench.worker() as worker:
        worker.load(aligner=True)
        found = worker.align("And so, – my !! fellow")
        assert [word.text for word in found.words] == ["And", "so,", "my", "fellow"]
        assert found.skipped == ["–", "!!"]


@pytest.mark.parametrize("options", [{"delimiter": "|"}, {"argv": ["--set", "delimiter", "|"]}])
def test_an_empty_segment_between_delimiters_is_left_out(bench: Bench, options: dict[str, object]) -> None:
    with bench.worker() as worker:
        worker.load(aligner=True, options=options)
        found = worker.align("And so||my fellow| ... |")
        assert [word.text for word in found.words] == ["And so", "my fellow"]
        assert found.skipped == ["..."]


def test_the_aligner_is_always_asked_for_json_and_srt_is_ours(bench: Bench) -> None:
    with bench.worker() as worker:
        worker.load(aligner=True, format="srt")
        found = worker.align("And so")
        assert [(word.text, word.start_ms, word.end_ms) for word in found.words] == [
            ("And", 0, 1000),
            ("so", 1000, 2000),
        ]
        expected = "1\n00:00:00,000 --> 00:00:01,000\nAnd\n\n2\n00:00:01,000 --> 00:00:02,000\nso\n"
        assert found.srt == expected
        assert [chunk.text for chunk in worker.chunks] == [expected]


def test_an_aligner_that_was_never_called_one_is_asked_for_json_all_the_same(bench: Bench) -> None:
    with bench.worker() as worker:
        worker.load(aligner=True, format=None)
        assert len(worker.align("And so").words) == 2


def test_garbage_for_an_alignment_is_an_error_with_an_excerpt(bench: Bench) -> None:
    with bench.worker() as worker:
        worker.load(aligner=True, options={"argv": ["--set", "format", "srt"]})
        with pytest.raises(JobError, match=r"no list of words with times.*3735928559"):
            worker.align("And so")


def test_times_behind_the_audio_are_warned_of(bench: Bench) -> None:
    with bench.worker("late=1") as worker:
        worker.load(aligner=True)
        found = worker.align("And so")
        assert found.words[0].start_ms == 112_480
        assert "2 of 2 words are placed outside the audio (2 s)" in found.warnings


def test_a_model_that_transcribes_does_not_align(bench: Bench) -> None:
    with bench.worker() as worker:
        worker.load()
        with pytest.raises(JobError, match="transcribes and cannot align"):
            worker.align("And so")


def test_a_model_that_aligns_does_not_transcribe(bench: Bench) -> None:
    """Its answer, a list of no words, would pass for a text."""
    with bench.worker() as worker:
        worker.load(aligner=True)
        with pytest.raises(JobError, match="aligns and cannot transcribe"):
            worker.transcribe()


def test_an_answer_may_come_in_parts_and_with_quotes_unescaped(bench: Bench) -> None:
    text = 'He said "yes" [laughs] so'
    with bench.worker("cut_answer=1 quotes=1") as worker:
        worker.load(aligner=True)
        assert [word.text for word in worker.align(text).words] == text.split()


def test_an_alignment_cut_off_by_a_full_context_says_so(bench: Bench) -> None:
    with bench.worker() as worker:
        worker.load(aligner=True, context_length=44)
        with pytest.raises(JobError, match=r"no list of words with times.*raise context_length"):
            worker.align("And so my fellow")
