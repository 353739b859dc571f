"""Recordings in videos and other containers, as ffmpeg writes them: when the sound begins, and what is noticed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from audio_builders import RATE_HZ, ffmpeg, heard, needs_ffmpeg, speech

from orchestrator.audio import PreparedAudio, prepare


def first_sound_s(prepared: PreparedAudio) -> float:
    return float(np.argmax(np.abs(heard(prepared)) > 0.05)) / RATE_HZ


@needs_ffmpeg
@pytest.mark.parametrize("offset_s", [0.0, 3.0, 7.5])
@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm", "ogv", "ts", "flv"])
def test_time_counts_from_the_start_of_the_video(tmp_path: Path, ending: str, offset_s: float) -> None:
    soundfile.write(tmp_path / "said.wav", 0.5 * np.sin(np.arange(88_200)), 44_100)
    path = tmp_path / f"a.{ending}"
    picture = ["-f", "lavfi", "-i", "color=s=32x32:r=5:d=10"]
    ffmpeg(*picture, "-itsoffset", offset_s, "-i", tmp_path / "said.wav", "-map", "0:v", "-map", "1:a", path)
    prepared = prepare(path, tmp_path / "cache")
    assert first_sound_s(prepared) == pytest.approx(offset_s, abs=0.12)
    assert prepared.conversion.endswith(" by ffmpeg")


@needs_ffmpeg
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_sound_that_begins_before_the_picture(tmp_path: Path, ending: str) -> None:
    samples = np.zeros(16_000 * 6)
    samples[16_000 * 4 :] = 0.5 * np.sin(np.arange(16_000 * 2))
    soundfile.write(tmp_path / "said.wav", samples, 16_000)
    path = tmp_path / f"a.{ending}"
    picture = ["-f", "lavfi", "-i", "color=s=32x32:r=5:d=10"]
    ffmpeg(*picture, "-itsoffset", "-2", "-i", tmp_path / "said.wav", "-map", "0:v", "-map", "1:a", path)
    # MP4's edit list begins with the picture, and plays from there; Matroska plays the sound first.
    assert first_sound_s(prepare(path, tmp_path / "cache")) == pytest.approx(
        2.0 if ending == "mp4" else 4.0, abs=0.12
    )


@needs_ffmpeg
def test_a_lone_track_with_an_empty_edit_before_it(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "said.wav", 0.5 * np.sin(np.arange(16_000)), 16_000)
    ffmpeg("-itsoffset", 4, "-i", tmp_path / "said.wav", tmp_path / "a.m4a")
    prepared = prepare(tmp_path / "a.m4a", tmp_path / "cache")
    assert first_sound_s(prepared) == pytest.approx(4.0, abs=0.12)
    assert any("begins" in remark for remark in prepared.remarks)


@needs_ffmpeg
def test_out_of_phase_in_a_video_is_noticed_too(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "said.wav", np.column_stack([speech(), -speech()]), RATE_HZ)
    ffmpeg("-i", tmp_path / "said.wav", "-c:a", "aac", tmp_path / "a.m4a")
    prepared = prepare(tmp_path / "a.m4a", tmp_path / "cache")
    assert np.abs(heard(prepared)).max() > 0.2
    assert any("out of phase" in remark for remark in prepared.remarks)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.ogg", "a.wav"])
def test_what_was_streamed_by_ffmpeg_is_read(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / "said.wav", speech(), RATE_HZ)
    with open(tmp_path / name, "wb") as out:
        kind = name.rpartition(".")[2]
        command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(tmp_path / "said.wav"), "-f", kind, "-"]
        subprocess.run(command, stdout=out, check=True, timeout=100)
    assert prepare(tmp_path / name, tmp_path / "cache").seconds == pytest.approx(2.0, abs=0.1)
