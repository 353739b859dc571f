"""chatllm: audio that the library would make a text up for, or run as a command.

A test here fails when the guard it is about is taken out; the double does what the facts say.
"""

import os
import shutil
import wave
from pathlib import Path

import pytest
from chatllm_bench import Bench

from doubles import write_audio
from orchestrator.errors import EngineUnavailableError, JobError
from orchestrator_worker.protocol import Audio, Check, Checked, Restart, Restarted

pytestmark = pytest.mark.usefixtures("nothing_left")
TEXT = "One two three four."


def _nothing(_: Path) -> None:
    return


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("This is no audio, whatever its name says. " * 10)


def _without_samples(path: Path) -> None:
    write_audio(path, samples=0)


def _cut_off(path: Path) -> None:
    write_audio(path)
    os.truncate(path, 20_000)


def _with_a_header_that_claims_less(path: Path) -> None:
    write_audio(path)
    raw = path.read_bytes()
    path.write_bytes(raw[:4] + (36).to_bytes(4, "little") + raw[8:])


def _at_another_rate(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(bytes(88_200))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_nothing, "No such file"),
        (_empty, "cannot be read as audio"),
        (_text, "cannot be read as audio"),
        (_without_samples, "0 samples; the shortest it can take has 160"),
        (_cut_off, "cut off"),
        (_with_a_header_that_claims_less, "cannot be read as audio"),
        (_at_another_rate, "44100 Hz, 1 channels, 16 bits"),
    ],
)
def test_audio_that_the_library_would_make_a_text_up_for(bench: Bench, make: object, words: str) -> None:
    path = bench.folder / "speech.wav"
    assert callable(make)
    make(path)
    with bench.worker() as worker:
        worker.load()
        with pytest.raises(JobError, match=words):
            worker.transcribe(Audio(str(path), 32_000))
        path.unlink(missing_ok=True)
        assert worker.transcribe().text == TEXT


def test_headerless_samples_that_are_not_all_there(bench: Bench) -> None:
    raw = bench.folder / "samples.raw"
    raw.write_bytes(bytes(1000))
    with bench.worker() as worker:
        worker.load()
        with pytest.raises(JobError, match="cut off"):
            worker.transcribe(Audio(str(raw), 16_000, "s16le"))


def test_without_ffmpeg_nothing_is_made_up(bench: Bench) -> None:
    with bench.worker(PATH=str(bench.folder)) as worker:
        for attempt in (
            lambda: worker.dialogue.ask(Check(1, bench.spec()), Checked, timeout_s=60, phase="check"),
            worker.load,
        ):
            with pytest.raises(EngineUnavailableError, match="no ffmpeg on PATH") as raised:
                attempt()
            assert "apt-get install ffmpeg" in raised.value.how_to_get_it


def test_an_ffmpeg_that_goes_away_later_is_noticed(bench: Bench) -> None:
    with bench.worker(PATH=str(bench.checkout.folder / "bin")) as worker:
        worker.load()
        (bench.checkout.folder / "bin/ffmpeg").unlink()
        with pytest.raises(EngineUnavailableError, match="no ffmpeg on PATH"):
            worker.transcribe()


@pytest.mark.parametrize("method", ["first", "reuse", "restart"])
def test_audio_that_was_silently_not_read_is_an_error(bench: Bench, method: str) -> None:
    """An ffmpeg that fails: the library reports success and a text of its own making."""
    ffmpeg = bench.checkout.folder / "bin/ffmpeg"
    with bench.worker() as worker:
        worker.load()
        if method != "first":
            worker.transcribe(bench.audio(8.0))
        if method == "restart":
            worker.dialogue.ask(Restart(5), Restarted, timeout_s=60, phase="restart")
        ffmpeg.unlink()
        ffmpeg.write_text("#!/bin/sh\nexit 1\n")
        ffmpeg.chmod(0o755)
        with pytest.raises(JobError, match=r"has not read the audio: \d+ tokens for 8\.0 s"):
            worker.transcribe(bench.audio(8.0))


BROKEN = {
    "exit 1": "ended with code 1",
    "echo oops >&2; exit 3": "ended with code 3: oops",
    "exit 0": "gave 0 of 128,000 samples",
    "head -c 1000 /dev/zero": "gave 500 of 128,000 samples",
    "kill -9 $$": "ended with code -9",
}


def break_ffmpeg(bench: Bench, script: str) -> None:
    ffmpeg = bench.checkout.folder / "bin/ffmpeg"
    ffmpeg.unlink()
    ffmpeg.write_text(f"#!/bin/sh\n{script}\n")
    ffmpeg.chmod(0o755)


@pytest.mark.parametrize("script", BROKEN)
def test_an_alignment_of_audio_that_was_not_read_is_an_error(bench: Bench, script: str) -> None:
    """Its cursor tells nothing, so ffmpeg is tried first; one that has worked before may break later."""
    with bench.worker() as worker:
        worker.load(aligner=True)
        worker.align("And so my fellow", bench.audio(8.0))
        break_ffmpeg(bench, script)
        with pytest.raises(JobError, match=f"would make an answer up.*{BROKEN[script]}"):
            worker.align("And so my fellow", bench.audio(8.0))


@pytest.mark.parametrize("double", ["", "mute_cursor=1"])
def test_short_audio_that_was_not_read_is_an_error(bench: Bench, double: str) -> None:
    """Too short for its tokens to tell it from a prompt."""
    with bench.worker(double) as worker:
        worker.load()
        break_ffmpeg(bench, "exit 1")
        with pytest.raises(JobError, match="would make an answer up"):
            worker.transcribe(bench.audio(1.0))


@pytest.mark.parametrize("jobs_before", [0, 1])
def test_a_library_that_counts_no_tokens_is_watched_by_way_of_ffmpeg(bench: Bench, jobs_before: int) -> None:
    with bench.worker("mute_cursor=1") as worker:
        worker.load()
        for _ in range(jobs_before):
            found = worker.transcribe(bench.audio(8.0))
            assert (found.text, found.warnings) == (TEXT, [])
        break_ffmpeg(bench, "exit 1")
        with pytest.raises(JobError, match="would make an answer up"):
            worker.transcribe(bench.audio(9.0))


def test_the_library_gets_the_plainest_of_files(bench: Bench) -> None:
    """What is before and behind the samples of a user's own WAV is not for ffmpeg to stumble over."""
    plain = bench.audio(2.0)
    raw = Path(plain.path).read_bytes()
    odd = b"JUNK" + (8).to_bytes(4, "little") + b"$(touch)"
    size = (len(raw) - 8 + 2 * len(odd)).to_bytes(4, "little")
    Path(plain.path).write_bytes(raw[:4] + size + raw[8:12] + odd + raw[12:] + odd)
    with bench.worker() as worker:
        worker.load()
        find = 'for word; do case "$word" in *.wav) file=$word;; esac; done'
        break_ffmpeg(
            bench, f'{find}; head -c 40 "$file" | tail -c 4 | grep -q data || exit 9; tail -c +45 "$file"'
        )
        assert worker.transcribe(plain).text == TEXT


@pytest.mark.parametrize("double", ["", "lazy_cursor=1"])
def test_audio_that_was_read_is_never_doubted(bench: Bench, double: str) -> None:
    with bench.worker(double) as worker:
        worker.load()
        for seconds in (8.0, 1.0, 8.0, 0.5, 8.5):
            assert worker.transcribe(bench.audio(seconds)).text == TEXT
        for seconds in (8.0, 8.5, 1.0, 0.01, 8.0):
            worker.dialogue.ask(Restart(5), Restarted, timeout_s=60, phase="restart")
            assert worker.transcribe(bench.audio(seconds)).text == TEXT


@pytest.mark.parametrize("encoding", ["wav", "s16le"])
def test_below_160_samples_is_refused_and_160_are_not(bench: Bench, encoding: str) -> None:
    def audio(samples: int) -> Audio:
        if encoding == "wav":
            return bench.audio(samples=samples)
        (bench.folder / "samples.raw").write_bytes(bytes(samples * 2))
        return Audio(str(bench.folder / "samples.raw"), samples, "s16le")

    with bench.worker() as worker:
        worker.load()
        with pytest.raises(JobError, match=r"159 samples; the shortest it can take has 160 \(10 ms\)"):
            worker.transcribe(audio(159))
        assert worker.transcribe(audio(160)).text == TEXT


def test_above_500_seconds_is_refused_and_500_are_not(bench: Bench) -> None:
    with bench.worker() as worker:
        worker.load()
        with pytest.raises(JobError, match=r"500\.1 s; the longest it can take has 500 s: cut it"):
            worker.transcribe(bench.audio(500.1))
        assert worker.transcribe(bench.audio(500.0)).text == TEXT


HOSTILE = ["$(touch pwned).wav", "`touch pwned`.wav", '";touch pwned;".wav', "}}{{.wav", "a\nb '$HOME'.wav"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("tmpdir", ["tmp", "$(touch pwned)"])
def test_a_file_name_is_never_a_command(
    bench: Bench, name: str, tmpdir: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = bench.folder / "here"
    (place / tmpdir).mkdir(parents=True)
    monkeypatch.chdir(place)
    with bench.worker(TMPDIR=str(place / tmpdir)) as worker:
        worker.load()
        assert worker.transcribe(bench.audio(name=f"here/{name}")).text == TEXT
        assert sorted(os.listdir(place)) == sorted([name, tmpdir])
        assert os.listdir(place / tmpdir) == []


def test_the_double_does_run_a_path_as_a_command(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above proves something."""
    monkeypatch.chdir(bench.folder)
    bench.child('library.start(words, heard)\nlibrary.say("{{audio:$(touch pwned).wav}}", heard)')
    assert (bench.folder / "pwned").exists()


@pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="shows that the real ffmpeg reads our link as well"
)
def test_the_real_ffmpeg_reads_it_too(bench: Bench) -> None:
    with bench.worker(PATH=os.environ["PATH"]) as worker:
        worker.load()
        assert worker.transcribe(bench.audio(name="$(touch pwned).wav")).text == TEXT
