"""Every kind of file that people call audio, and what becomes of it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fake_ffmpeg import reads
from orchestrator.audio import PreparedAudio, prepare, url_in
from orchestrator.audio.decoder import client
from orchestrator.errors import AudioError

TONE_HZ = 440.0


def tone(rate: int, seconds: float = 0.5, channels: int = 1) -> np.ndarray:
    wave_of_time = 0.5 * np.sin(2 * np.pi * TONE_HZ * np.arange(int(rate * seconds)) / rate)
    return np.column_stack([wave_of_time] * channels)


def write(path: Path, rate: int = 16_000, channels: int = 1, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, tone(rate, channels=channels), rate, subtype=subtype)
    return path


def frequency(prepared: PreparedAudio) -> float:
    samples, rate = soundfile.read(prepared.audio.path)
    assert rate == 16_000
    assert samples.ndim == 1
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum) * rate / len(samples))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def problem_of(path: Path, cache: Path) -> AudioError:
    with pytest.raises(AudioError) as caught:
        prepare(path, cache)
    assert caught.value.path == str(path)
    assert caught.value.hint
    assert str(path) in str(caught.value)
    return caught.value


def test_what_fits_is_used_in_place(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "fits.wav")
    prepared = prepare(path, cache)
    assert prepared.audio.path == str(path)
    assert (prepared.audio.samples, prepared.audio.encoding, prepared.audio.sample_rate) == (
        8000,
        "wav",
        16_000,
    )
    assert prepared.conversion == ""
    assert prepared.seconds == 0.5
    assert prepared.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not cache.exists()


def test_a_relative_path_becomes_absolute_for_the_worker(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "fits.wav")
    monkeypatch.chdir(tmp_path)
    assert prepare("fits.wav", cache).audio.path == str(tmp_path / "fits.wav")


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype", "said"),
    [
        ("a.wav", 44_100, 2, "PCM_16", "converted from 44100 Hz stereo"),
        ("a.wav", 44_100, 1, "PCM_16", "converted from 44100 Hz mono"),
        ("a.wav", 16_000, 2, "PCM_16", "converted from 16000 Hz stereo"),
        ("a.wav", 8_000, 1, "PCM_U8", "converted from 8000 Hz mono (WAV PCM_U8)"),
        ("a.wav", 16_000, 1, "FLOAT", "converted from 16000 Hz mono (WAV FLOAT)"),
        ("a.wav", 48_000, 6, "PCM_24", "converted from 48000 Hz 6 channels (WAVEX PCM_24)"),
        ("a.flac", 22_050, 1, "PCM_16", "converted from 22050 Hz mono (FLAC PCM_16)"),
        ("a.ogg", 48_000, 2, "VORBIS", "converted from 48000 Hz stereo (OGG VORBIS)"),
        ("a.mp3", 44_100, 1, "MPEG_LAYER_III", "converted from 44100 Hz mono (MP3 MPEG_LAYER_III)"),
    ],
)
def test_the_rest_is_converted_and_said(
    tmp_path: Path, cache: Path, name: str, rate: int, channels: int, subtype: str, said: str
) -> None:
    path = write(tmp_path / name, rate, channels, subtype)
    prepared = prepare(path, cache)
    assert prepared.conversion.replace("WAVEX", "WAV") == said.replace("WAVEX", "WAV")
    assert Path(prepared.audio.path).parent == cache
    assert prepared.seconds == pytest.approx(0.5, abs=0.06)  # MP3 pads its ends
    assert frequency(prepared) == pytest.approx(TONE_HZ, abs=4)
    with wave.open(prepared.audio.path) as made:
        assert made.getparams()[:4] == (1, 2, 16_000, prepared.audio.samples)


def test_conversion_keeps_the_level(tmp_path: Path, cache: Path) -> None:
    samples, _ = soundfile.read(prepare(write(tmp_path / "a.wav", 44_100, 2), cache).audio.path)
    assert np.abs(samples[1000:-1000]).max() == pytest.approx(0.5, abs=0.01)


def test_converted_once_by_content(tmp_path: Path, cache: Path) -> None:
    first = prepare(write(tmp_path / "a.wav", 44_100), cache)
    written = Path(first.audio.path).stat()
    (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    again = prepare(tmp_path / "b.wav", cache)
    assert again == first
    now = Path(again.audio.path).stat()
    assert now.st_ino == written.st_ino
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".wav"]


@pytest.mark.parametrize("damage", ["cut", "gone", "facts"])
def test_a_damaged_copy_is_made_again(tmp_path: Path, cache: Path, damage: str) -> None:
    path = write(tmp_path / "a.wav", 44_100)
    first = prepare(path, cache)
    copy = Path(first.audio.path)
    whole = copy.read_bytes()
    if damage == "cut":
        copy.write_bytes(whole[: len(whole) // 2])
    elif damage == "gone":
        copy.unlink()
    else:
        copy.with_suffix(".json").write_bytes(b'{"samples": 3')
    assert prepare(path, cache) == first
    assert copy.read_bytes() == whole


def test_missing(tmp_path: Path, cache: Path) -> None:
    assert "no such file" in problem_of(tmp_path / "none.wav", cache).problem


def test_folder(tmp_path: Path, cache: Path) -> None:
    assert "folder" in problem_of(tmp_path, cache).problem


def test_pipe_is_refused_without_waiting(tmp_path: Path, cache: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert "pipe" in problem_of(tmp_path / "pipe.wav", cache).problem


def test_unreadable(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "secret.wav")

    def denied(path: object, *_: object) -> int:  # permissions would not bind root
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", denied)
    assert "Permission denied" in problem_of(path, cache).problem


def test_name_with_a_nul(cache: Path) -> None:
    with pytest.raises(AudioError, match="its name has a NUL character"):
        prepare("a\0b.wav", cache)


def test_empty_file(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "empty.wav"
    path.touch()
    assert "0 bytes" in problem_of(path, cache).problem


@pytest.mark.parametrize(
    "content", [b"zero nine zero zero\n", "好的".encode() * 300, b"#EXTM3U\nhttp://example.org/a.wav\n"]
)
def test_text_called_wav(tmp_path: Path, cache: Path, content: bytes) -> None:
    path = tmp_path / "text.wav"
    path.write_bytes(content)
    assert "is text, not audio" in problem_of(path, cache).problem
    assert not cache.exists()


def test_random_bytes(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "noise.wav"
    path.write_bytes(bytes([0, 1, 2, 3]) * 1000)
    error = problem_of(path, cache)
    assert "soundfile cannot read it" in error.problem
    assert "install ffmpeg" in error.hint


def test_raw_extension_is_no_riddle_for_the_library(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "pcm.raw"
    path.write_bytes(tone(16_000).astype("<i2").tobytes())
    assert "soundfile cannot read it" in problem_of(path, cache).problem


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_zero_samples(tmp_path: Path, cache: Path, rate: int) -> None:
    path = tmp_path / "none.wav"
    soundfile.write(path, np.zeros(0), rate, subtype="PCM_16")
    assert "0 samples" in problem_of(path, cache).problem


def test_zero_samples_of_another_kind(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "none.aiff"
    soundfile.write(path, np.zeros(0), 16_000)
    assert "0 samples" in problem_of(path, cache).problem
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(tmp_path: Path, cache: Path, value: float) -> None:
    samples = tone(16_000, 6.0)[:, 0]
    samples[70_001] = value
    path = tmp_path / "nan.wav"
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    assert "sample 70001 is NaN or infinite" in problem_of(path, cache).problem
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("held", [0, 1, 100, 7999])
def test_header_that_claims_more_than_there_is(tmp_path: Path, cache: Path, rate: int, held: int) -> None:
    path = write(tmp_path / "cut.wav", rate)
    claimed = rate // 2
    path.write_bytes(path.read_bytes()[: 44 + 2 * held])
    error = problem_of(path, cache)
    assert f"claims {claimed} frames, the file holds {held}" in error.problem
    assert not cache.exists()


def test_cut_flac(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "cut.flac", 44_100)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert any(word in problem_of(path, cache).problem for word in ("cut off", "damaged"))


@pytest.mark.parametrize("size", [0x7FFFFFFF, 0xFFFFFFFF])
def test_header_without_a_length_is_rewritten(tmp_path: Path, cache: Path, size: int) -> None:
    path = write(tmp_path / "stream.wav")
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", size)
    path.write_bytes(content)
    prepared = prepare(path, cache)
    assert prepared.audio.samples == 8000
    assert prepared.audio.path != str(path)


def test_every_cut_of_a_file_is_an_error_of_ours(tmp_path: Path, cache: Path) -> None:
    content = write(tmp_path / "whole.wav").read_bytes()
    path = tmp_path / "cut.wav"
    for size in [*range(60), 100, 1001, len(content) - 1]:
        path.write_bytes(content[:size])
        problem_of(path, cache)


def test_extra_chunks_before_and_after_the_data(tmp_path: Path, cache: Path) -> None:
    content = write(tmp_path / "plain.wav").read_bytes()
    odd = b"LIST" + struct.pack("<I", 3) + b"abc\0"  # an odd size, padded
    changed = content[:36] + odd + content[36:] + odd
    path = tmp_path / "chunks.wav"
    path.write_bytes(changed[:4] + struct.pack("<I", len(changed) - 8) + changed[8:])
    prepared = prepare(path, cache)
    assert (prepared.conversion, prepared.audio.samples) == ("", 8000)
    with wave.open(prepared.audio.path) as read_by_worker:
        assert read_by_worker.getnframes() == 8000


def test_odd_rate(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "slow.wav"
    soundfile.write(path, tone(16_000), 1, subtype="PCM_16")
    assert "1 Hz cannot be right" in problem_of(path, cache).problem


def test_cache_that_cannot_be_written(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", 44_100)
    blocked = tmp_path / "blocked"
    blocked.touch()
    error = problem_of(path, blocked / "cache")
    assert "converted copy cannot be written" in error.problem


def fake_ffmpeg(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    script = folder / "ffmpeg"
    script.write_text(f"#!{sys.executable}\nimport shutil, sys, time\n{body}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    for name, value in reads(folder.parent).items():
        monkeypatch.setenv(name, value)


def unknown(path: Path) -> Path:
    path.write_bytes(b"\0\0\0\x18ftypM4A " + bytes(range(256)))
    return path


def test_ffmpeg_takes_what_soundfile_cannot_read(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = tmp_path / "decoded.au"
    soundfile.write(decoded, tone(48_000, channels=2), 48_000, subtype="FLOAT", format="AU", endian="BIG")
    body = f"""
assert '-nostdin' in sys.argv and sys.stdin.read() == ''
source = sys.argv[sys.argv.index('-i') + 1].removeprefix('file:')
assert open(source, 'rb').read(12)[4:] == b'ftypM4A '
shutil.copyfileobj(open({str(decoded)!r}, 'rb'), sys.stdout.buffer)"""
    fake_ffmpeg(tmp_path / "bin", body, monkeypatch)
    prepared = prepare(unknown(tmp_path / "a.m4a"), cache)
    assert prepared.conversion == "converted from 48000 Hz stereo by ffmpeg"
    assert frequency(prepared) == pytest.approx(TONE_HZ, abs=4)
    assert len(list(cache.iterdir())) == 2


def test_ffmpeg_fails_too(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "print('Invalid data found', file=sys.stderr); sys.exit(1)"
    fake_ffmpeg(tmp_path / "bin", body, monkeypatch)
    error = problem_of(unknown(tmp_path / "a.m4a"), cache)
    assert "ffmpeg cannot read it either (Invalid data found)" in error.problem
    assert list(cache.iterdir()) == []


def test_a_video_without_sound(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "sys.exit(\"Stream map '0:a:0' matches no streams.\\nTo ignore this, add a trailing '?' to the map.\")"
    fake_ffmpeg(tmp_path / "bin", body, monkeypatch)
    (tmp_path / "silent.mp4").write_bytes(bytes(range(256)))
    with pytest.raises(AudioError, match="there is no sound in it"):
        prepare(tmp_path / "silent.mp4", cache)


def test_ffmpeg_that_hangs(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ffmpeg(tmp_path / "bin", "time.sleep(600)", monkeypatch)
    monkeypatch.setattr(client, "STALL_S", 0.2)
    assert "gave nothing for 0.2 s" in problem_of(unknown(tmp_path / "a.m4a"), cache).problem


def test_no_descriptor_is_left(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    files = [write(tmp_path / "a.wav", 44_100), write(tmp_path / "b.wav"), unknown(tmp_path / "c.m4a")]
    for path in files:
        with pytest.raises(AudioError) if path.suffix == ".m4a" else contextlib.nullcontext():
            prepare(path, cache)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in files:
        with pytest.raises(AudioError) if path.suffix == ".m4a" else contextlib.nullcontext():
            prepare(path, tmp_path / "another")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_importing_it_loads_no_library() -> None:
    probe = "import sys, orchestrator.audio; print(sorted({'soundfile', 'soxr', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_path_that_is_no_text_is_given_to_workers_as_a_copy(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"bad\xff.wav")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
        file.writeframes(b"\x01\x00" * 160)
    prepared = prepare(path, tmp_path / "cache")
    assert Path(prepared.audio.path).parent == tmp_path / "cache"
    assert prepared.audio.samples == 160


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://example.org/talk.mp3", "https://example.org/talk.mp3"),
        ("https:/example.org/talk.mp3", "https://example.org/talk.mp3"),
        ("rtsp://example.org/a", "rtsp://example.org/a"),
        ("file:/tmp/a.wav", "file:///tmp/a.wav"),
        ("file:///tmp/a.wav", "file:///tmp/a.wav"),
        ("s3://bucket/a.wav", "s3://bucket/a.wav"),
        ("https://me:secret@example.org/a@b.wav", "https://…@example.org/a@b.wav"),
        ("https:/me:se@cret@example.org", "https://…@example.org"),
        ("https://example.org/talk?to=me@example.org", "https://example.org/talk?to=me@example.org"),
        ("a:b.wav", None),
        ("/a/https:/b", None),
        ("c:", None),
    ],
)
def test_urls_are_told_from_paths(given: str, url: str | None) -> None:
    assert url_in(given) == url


def test_a_url_has_a_sentence_of_its_own_and_tells_no_password(cache: Path) -> None:
    with pytest.raises(AudioError) as caught:
        prepare(Path("https://me:secret@example.org/talk.mp3"), cache)
    assert caught.value.path == "https://…@example.org/talk.mp3"
    assert "is a URL, and nothing is fetched from the network" in str(caught.value)
    assert "secret" not in str(caught.value)
