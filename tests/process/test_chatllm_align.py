"""chatllm: texts to align, and what the aligner answers.

A test here fails when the guard it is about is taken out; the double does what the facts say.
"""

import pytest
from chatllm_bench import Bench

from doubles import write_audio
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


# ---------------------------------------------------------------------- what the context holds


@pytest.mark.parametrize(
    ("seconds", "words", "context"),
    [(330.0, 20, 4096), (5.4, 800, 4096), (400.0, 1500, 4096), (120.0, 300, 1024), (620.0, 40, 65536)],
)
def test_what_the_context_does_not_hold_is_aligned_in_parts(
    bench: Bench, seconds: float, words: int, context: int
) -> None:
    """The double aborts where the library does. It places four words a second; each is where it belongs."""
    text = [f"word{number % 10}" for number in range(words)]
    with bench.worker("pace=4") as worker:
        worker.load(aligner=True, context_length=context)
        found = worker.align(" ".join(text), bench.audio(seconds))
        assert [word.text for word in found.words] == text
        spoken_s = words / 4
        if spoken_s <= seconds:  # else there is less audio than text, and times cannot be right
            assert [word.start_ms for word in found.words] == [250 * number for number in range(words)]
        (warning,) = [warning for warning in found.warnings if "parts" in warning]
        assert "aligned in " in warning
        assert ("context_length" in warning) == (context < 65536)


def test_what_the_context_holds_is_aligned_at_once(bench: Bench) -> None:
    with bench.worker("pace=4") as worker:
        worker.load(aligner=True, context_length=4096)
        for seconds, words in ((290.0, 20), (5.4, 490)):
            found = worker.align(" ".join(["words"] * words), bench.audio(seconds))
            assert len(found.words) == words
            assert not [warning for warning in found.warnings if "parts" in warning]


def test_the_double_does_abort_past_its_context(bench: Bench) -> None:
    """So that the tests above prove something. Its own line is what the error shows first."""
    write_audio(bench.folder / "speech.wav", 330.0)
    script = f"""
words = ["-m", {str(bench.checkout.aligner)!r}, "-l", "4096", "--set", "format", "json"]
library.start(words, heard)
library.say("{{{{audio:{bench.folder}/speech.wav}}}}so my fellow", heard)
"""
    with pytest.raises(AssertionError, match="GGML_ASSERT"):
        bench.child(script)


def test_chinese_is_cut_between_characters(bench: Bench) -> None:
    text = "零九七三一二四五六八" * 40
    with bench.worker("pace=4") as worker:
        worker.load(aligner=True, language="Chinese", context_length=1024)
        found = worker.align(text, bench.audio(110.0))
        assert [word.text for word in found.words] == list(text)
        assert [word.start_ms for word in found.words] == [250 * number for number in range(400)]


def test_parts_are_cut_at_the_delimiter_where_there_is_one(bench: Bench) -> None:
    segments = [f"segment number {number}" for number in range(100)]
    with bench.worker("pace=1") as worker:
        worker.load(aligner=True, context_length=1024, options={"delimiter": "|"})
        found = worker.align("|".join(segments), bench.audio(110.0))
        assert [word.text for word in found.words] == segments
        assert [word.start_ms for word in found.words] == [1000 * number for number in range(100)]


def test_times_that_make_no_sense_do_not_lose_words(bench: Bench) -> None:
    with bench.worker("late=1") as worker:
        worker.load(aligner=True, context_length=1024)
        text = [f"word{number}" for number in range(200)]
        found = worker.align(" ".join(text), bench.audio(100.0))
        assert [word.text for word in found.words] == text
        assert any("placed outside the audio" in warning for warning in found.warnings)


def test_what_no_cutting_makes_fit_is_refused_with_the_numbers(bench: Bench) -> None:
    with bench.worker() as worker:
        worker.load(aligner=True, context_length=100)
        with pytest.raises(
            JobError, match=r"2 words need up to \d+ tokens, and the context has 100.*raise context"
        ):
            worker.align(f"And {'x' * 80}")
        assert len(worker.align("And so").words) == 2


def test_the_limit_may_be_said_as_the_librarys_own_option(bench: Bench) -> None:
    with bench.worker("pace=4") as worker:
        worker.load(aligner=True, options={"argv": ["-l", "1024"]})
        found = worker.align(" ".join(["words"] * 300), bench.audio(100.0))
        assert len(found.words) == 300
        assert any("the context has 1,024" in warning for warning in found.warnings)


# ---------------------------------------------------------------------- language


def test_a_text_without_blanks_for_a_model_that_needs_them_is_warned_of(bench: Bench) -> None:
    """The aligner takes a Chinese sentence for one word, unless it is started for Chinese."""
    for language, count in (("English", 1), ("zh-TW", 4)):
        with bench.worker() as worker:
            worker.load(aligner=True, language=language)
            found = worker.align("零九七三")
            assert len(found.words) == count
            assert bool(found.warnings) == (count == 1), found.warnings
            if count == 1:
                assert "the text is written without blanks" in found.warnings[0]


def test_an_alignment_of_audio_that_was_read_has_no_warnings(bench: Bench) -> None:
    """The aligner's cursor is always 0: that says nothing."""
    with bench.worker() as worker:
        worker.load(aligner=True)
        for seconds in (8.0, 0.5, 8.0):
            assert worker.align("And so", bench.audio(seconds)).warnings == []
