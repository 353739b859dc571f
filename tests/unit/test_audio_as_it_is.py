"""Recordings as the world has them: headers that lie, files that were joined, channels that cancel, other scales."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from audio_builders import RATE_HZ, Samples, ffmpeg, heard, likeness, needs_ffmpeg, speech

from orchestrator.audio import PreparedAudio, prepare
from orchestrator.audio.decoder import client
from orchestrator.audio.pcm_file import PcmFile, new_file, pcm_header, write_header
from orchestrator.audio.wav_header import read_wav
from orchestrator.errors import AudioError


def wav_bytes(samples: Samples, *, rate_hz: int = RATE_HZ) -> bytes:
    data = np.round(samples * 32767).astype("<i2").tobytes()
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE")
        + fmt
        + struct.pack("<4sI", b"data", len(data))
        + data
    )


def claiming(content: bytes, size: int) -> bytes:
    riff = min(0xFFFFFFFF, size + 36) if size else 0
    return content[:4] + struct.pack("<I", riff) + content[8:40] + struct.pack("<I", size) + content[44:]


@pytest.fixture
def made(tmp_path: Path) -> Callable[[bytes, str], PreparedAudio]:
    def make(content: bytes, name: str = "a.wav") -> PreparedAudio:
        path = tmp_path / name
        path.write_bytes(content)
        return prepare(path, tmp_path / "cache")

    return make


# ---------------------------------------------------------------------- headers


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "more sound than its header claims"),
        (32_000, "more sound than its header claims"),
        (12_346, "more sound than its header claims"),
        (0xFFFFFFFF, ""),
        (0x7FFFF000, ""),
        (0x80000000, ""),
        (0xFFFFFFDB, ""),
    ],
)
def test_a_header_that_claims_too_little_or_nothing(
    made: Callable[..., PreparedAudio], size: int, said: str
) -> None:
    samples = speech()
    prepared = made(claiming(wav_bytes(samples), size))
    assert prepared.audio.samples == len(samples)
    assert likeness(heard(prepared), samples) > 0.999
    assert said in " ".join(prepared.remarks)
    assert bool(said) == bool(prepared.remarks)


@pytest.mark.parametrize("told", [None, 0, 0xFFFFFFFF])
@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44_100])
def test_joined_files_are_all_read(
    made: Callable[..., PreparedAudio], told: int | None, rate_hz: int
) -> None:
    first, second, third = speech(1.0, seed=1), speech(0.5, rate_hz, seed=2), speech(0.7, seed=3)
    whole = b"".join(
        content if told is None else claiming(content, told)
        for content in (wav_bytes(first), wav_bytes(second, rate_hz=rate_hz), wav_bytes(third))
    )
    prepared = made(whole)
    assert prepared.seconds == pytest.approx(2.2, abs=0.01)
    assert any("3 recordings" in remark for remark in prepared.remarks)
    samples = heard(prepared)
    assert likeness(samples[:16_000], first) > 0.99
    assert likeness(samples[-len(third) :], third) > 0.99


def test_chunks_of_odd_size_without_their_padding_and_tags_behind_the_sound(
    made: Callable[..., PreparedAudio],
) -> None:
    content = wav_bytes(speech())
    odd = b"LIST" + struct.pack("<I", 5) + b"INFOx"
    for changed in (content[:36] + odd + content[36:], content + odd + odd, content + b"TAG" + bytes(125)):
        prepared = made(changed)
        assert prepared.audio.samples == 32_000
        assert prepared.remarks == ()
        assert likeness(heard(prepared), speech()) > 0.999


def test_the_sound_before_its_format(made: Callable[..., PreparedAudio]) -> None:
    content = wav_bytes(speech())
    prepared = made(content[:12] + content[36:] + content[12:36])
    assert likeness(heard(prepared), speech()) > 0.999


def test_rf64_is_read_and_written_beyond_four_gigabytes(
    made: Callable[..., PreparedAudio], tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, speech(), RATE_HZ, format="RF64", subtype="PCM_16")
    assert likeness(heard(prepare(path, tmp_path / "cache")), speech()) > 0.999
    for samples in (10, (1 << 31) - 40, 1 << 31, 1 << 33):
        with open(tmp_path / "long.wav", "wb") as file:  # of holes
            file.write(pcm_header(samples))
            file.truncate(80 + 2 * samples)
        with open(tmp_path / "long.wav", "rb") as file:
            wav = read_wav(file.fileno())
            assert wav is not None
            assert (wav.parts[0].frames, wav.frames_claimed) == (samples, samples)
            assert soundfile.info(tmp_path / "long.wav").frames == samples
    (tmp_path / "long.wav").unlink()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (slice(24, 28), 0, "sample rate of 0 Hz"),
        (slice(22, 24), 0, "0 channels"),
        (slice(34, 36), 0, "0 bits"),
        (slice(24, 28), 0xFFFFFFFF, "cannot be right"),
    ],
)
def test_headers_that_cannot_be_true_are_said(
    made: Callable[..., PreparedAudio], field: slice, value: int, said: str
) -> None:
    content = bytearray(wav_bytes(speech(0.2)))
    content[field] = value.to_bytes(field.stop - field.start, "little")
    with pytest.raises(AudioError, match=said):
        made(bytes(content))


def test_a_block_size_of_zero_is_reckoned_anew(made: Callable[..., PreparedAudio]) -> None:
    content = bytearray(wav_bytes(speech()))
    content[28:34] = bytes(6)
    assert likeness(heard(made(bytes(content))), speech()) > 0.999


@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "MS_ADPCM"]
)
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
def test_encodings_of_wav(tmp_path: Path, subtype: str, kind: str) -> None:
    if not soundfile.check_format(kind, subtype):
        pytest.skip(f"libsndfile writes no {kind} {subtype}")
    path = tmp_path / "a.wav"
    soundfile.write(path, speech(), RATE_HZ, format=kind, subtype=subtype)
    assert likeness(heard(prepare(path, tmp_path / "cache"))[:30_000], speech()) > 0.98
    content = path.read_bytes()
    path.write_bytes(content + content)  # joined, whatever its encoding
    prepared = prepare(path, tmp_path / "cache")
    assert prepared.seconds == pytest.approx(4.0, abs=0.15)
    assert any("2 recordings" in remark for remark in prepared.remarks)


@pytest.mark.parametrize(
    ("name", "subtype"), [("a.flac", "PCM_16"), ("a.ogg", "VORBIS"), ("a.mp3", "MPEG_LAYER_III")]
)
def test_joined_files_of_other_kinds_are_all_read(tmp_path: Path, name: str, subtype: str) -> None:
    path = tmp_path / name
    soundfile.write(path, speech(3.0), RATE_HZ, subtype=subtype)
    path.write_bytes(path.read_bytes() * 2)
    assert prepare(path, tmp_path / "cache").seconds == pytest.approx(6.0, abs=0.3)


# ---------------------------------------------------------------------- channels and scale


def written(
    tmp_path: Path, samples: Samples, subtype: str = "PCM_16", rate_hz: int = RATE_HZ
) -> PreparedAudio:
    path = tmp_path / "channels.wav"
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    return prepare(path, tmp_path / "cache")


NOISE = 0.01 * np.random.default_rng(9).uniform(-1, 1, 32_000)
ANOTHER = speech(seed=5)


@pytest.mark.parametrize(
    "others",
    [
        [-1.0],
        [-0.9],
        [-1.1],
        [-0.6],
        [-1.0, 0.0, 0.0, 0.0],
        [1.0, -1.0, -1.0],
        [-1.0, 1.0, -1.0, 1.0, -1.0],
    ],
)
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_channels_out_of_phase_are_noticed(tmp_path: Path, others: list[float], noise: float) -> None:
    x = speech()
    channels = [x, *(factor * x + noise * NOISE for factor in others)]
    prepared = written(tmp_path, np.column_stack(channels))
    assert abs(likeness(heard(prepared), x)) > 0.98
    assert np.abs(heard(prepared)).max() > 0.25
    assert any("out of phase" in remark for remark in prepared.remarks)


def test_out_of_phase_for_a_part_of_the_time_only(tmp_path: Path) -> None:
    x = speech(30.0)
    other = x.copy()
    other[16_000 * 20 : 16_000 * 25] *= -1
    prepared = written(tmp_path, np.column_stack([x, other]))
    assert likeness(heard(prepared), x) > 0.99
    assert any("out of phase" in remark for remark in prepared.remarks)


@pytest.mark.parametrize(
    "channels",
    [
        [speech(), speech()],
        [speech(), 0.3 * speech()],
        [speech(), ANOTHER],
        [speech() + NOISE, speech() - NOISE],
        [speech(), -0.05 * speech()],
        [speech(), ANOTHER, speech(seed=6), speech(seed=7)],
    ],
)
def test_ordinary_stereo_is_mixed_without_a_word(tmp_path: Path, channels: list[Samples]) -> None:
    prepared = written(tmp_path, np.column_stack(channels))
    assert prepared.remarks == ()
    assert likeness(heard(prepared), np.mean(channels, axis=0)) > 0.999


@pytest.mark.parametrize("channels", [2, 6])
def test_a_dead_channel_does_not_make_the_other_quiet(tmp_path: Path, channels: int) -> None:
    prepared = written(tmp_path, np.column_stack([np.zeros(32_000)] * (channels - 1) + [speech()]))
    assert np.abs(heard(prepared)).max() == pytest.approx(np.abs(speech()).max(), abs=0.01)
    assert f"only {channels} has sound" in " ".join(prepared.remarks)


@pytest.mark.parametrize("full_scale", [32767.0, 8388607.0, 2147483647.0, 127.0, 1.9])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2])
def test_floats_on_the_scale_of_integers_are_scaled_and_said(
    tmp_path: Path, full_scale: float, subtype: str, channels: int
) -> None:
    loud = speech() / 0.3
    prepared = written(tmp_path, np.column_stack([loud * full_scale] * channels), subtype)
    assert likeness(heard(prepared), loud) > 0.999
    assert np.abs(heard(prepared)).max() > 0.4
    assert any("divided by that" in remark for remark in prepared.remarks)


def test_a_word_in_a_long_silence_is_scaled_by_its_own_peaks(tmp_path: Path) -> None:
    samples = np.zeros(RATE_HZ * 120)
    samples[16_000:16_400] = 20_000 * np.sin(np.arange(400) / 5)
    found = heard(written(tmp_path, samples, "FLOAT"))
    assert np.abs(found).max() == pytest.approx(20_000 / 32_768, abs=0.01)


def test_a_few_peaks_beyond_one_change_nothing(tmp_path: Path) -> None:
    samples = speech()
    samples[[100, 5000]] = 1.2, 1e20
    prepared = written(tmp_path, samples, "DOUBLE")
    assert prepared.remarks == ()
    assert likeness(np.delete(heard(prepared), [100, 5000]), np.delete(samples, [100, 5000])) > 0.999


@pytest.mark.parametrize("offset", [0.4, -0.25])
def test_a_constant_offset_is_taken_away(tmp_path: Path, offset: float) -> None:
    prepared = written(tmp_path, np.column_stack([speech() + offset] * 2))
    assert abs(heard(prepared).mean()) < 0.01
    assert any("was taken away" in remark for remark in prepared.remarks)


# ---------------------------------------------------------------------- lengths


def test_more_than_the_longest_recording_is_refused_by_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LONGEST_S", 1.5)
    with pytest.raises(AudioError, match=r"more than 1\.5 s"):
        written(tmp_path, np.column_stack([speech(2.0)] * 2))
    assert list((tmp_path / "cache").iterdir()) == []


@needs_ffmpeg
def test_more_than_the_longest_recording_is_refused_while_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", 3600, tmp_path / "a.m4a")
    monkeypatch.setattr(client, "LONGEST_S", 60.0)
    with pytest.raises(AudioError, match=r"more than 60 s"):
        prepare(tmp_path / "a.m4a", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_file_of_ours_is_private(tmp_path: Path) -> None:
    descriptor = new_file(tmp_path / "a.wav")
    try:
        with PcmFile(descriptor) as out:
            out.write(bytes(200))
            out.finish()
        write_header(descriptor, 100)
    finally:
        os.close(descriptor)
    assert (tmp_path / "a.wav").stat().st_mode & 0o777 == 0o600
    assert soundfile.info(tmp_path / "a.wav").frames == 100
    with pytest.raises(FileExistsError):
        new_file(tmp_path / "a.wav")
