"""How well words are timed that the aligner's dictionary lacks: pronounced by rule, spelt out, or interpolated.

Words of the samples that the dictionary has are hidden from it, every third of four letters or more at a time, and
aligned in each way; the truth is the alignment with all of them known. Error of a word: the larger one of its start's
and its end's. Also: how many of the phones of words drawn from the dictionary the rules get wrong.

Run: ``python benchmarks/bench_letter_sounds.py [WAV …]``, each with its text beside it (PocketSphinx from the extra
``embedded``).
"""

from __future__ import annotations

import json
import random
import re
import statistics
import sys
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pocketsphinx
from jiwer import wer
from pocketsphinx import Decoder  # pyright: ignore[reportUnknownVariableType]

from orchestrator_worker.engines.letter_sounds import LETTERS, pronounce
from orchestrator_worker.engines.pocketsphinx_aligner import FRAME_MS

SAMPLES = Path(__file__).parents[1] / "samples"
RESULTS = Path(__file__).parent / "results" / "letter_sounds.json"
MODEL = Path(pocketsphinx.__file__).parent / "model" / "en-us"
DRAWN = 2000
CLOSE_MS = 50


def spelt(word: str) -> Sequence[str]:
    return [phone for letter in word if letter in LETTERS for phone in LETTERS[letter].split()]


WAYS: dict[str, Callable[[str], Sequence[str]]] = {"by rule": pronounce, "spelt out": spelt}


class Aligner:
    """A decoder that gives times to words."""

    def __init__(self) -> None:
        self._decoder: Any = Decoder(
            hmm=str(MODEL / "en-us"), dict=str(MODEL / "cmudict-en-us.dict"), lm=None, loglevel="FATAL"
        )

    def knows(self, word: str) -> bool:
        """Whether the dictionary has it."""
        return self._decoder.lookup_word(word) is not None

    def hidden(self, word: str, way: str) -> str:
        """Return the name under which the word is said this way."""
        name = f"{word}|{way.replace(' ', '')}"
        if not self.knows(name):
            self._decoder.add_word(name, " ".join(WAYS[way](word)), False)
        return name

    def times(self, pcm: bytes, words: Sequence[str]) -> list[tuple[int, int]] | None:
        """Return start and end of each word in milliseconds; None when the words were not found."""
        self._decoder.set_align_text(" ".join(words))
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm)
        self._decoder.end_utt()
        if self._decoder.hyp() is None:
            return None
        entries = [each for each in self._decoder.seg() if each.word[0] not in "<[("]
        found = [(each.start_frame * FRAME_MS, (each.end_frame + 1) * FRAME_MS) for each in entries]
        return found if len(found) == len(words) else None


def error(found: tuple[int, int], truth: tuple[int, int]) -> int:
    return max(abs(found[0] - truth[0]), abs(found[1] - truth[1]))


def between(times: dict[int, tuple[int, int]], index: int, length_ms: int) -> tuple[int, int]:
    before = max((at for at in times if at < index), default=None)
    after = min((at for at in times if at > index), default=None)
    return times[before][1] if before is not None else 0, times[after][0] if after is not None else length_ms


def errors_of(aligner: Aligner, path: Path) -> dict[str, list[int | None]]:
    with wave.open(str(path)) as file:
        pcm = file.readframes(file.getnframes())
    text = re.sub(r"[^a-z' ]", " ", path.with_suffix(".txt").read_text().lower())
    words = [word for word in text.split() if aligner.knows(word)]
    truth = aligner.times(pcm, words)
    errors: dict[str, list[int | None]] = {way: [] for way in (*WAYS, "interpolated")}
    if truth is None:
        return errors
    long = [index for index, word in enumerate(words) if len(word) >= 4]
    for turn in range(3):
        chosen = long[turn::3]
        for way in WAYS:
            asked = [aligner.hidden(word, way) if at in chosen else word for at, word in enumerate(words)]
            found = aligner.times(pcm, asked)
            errors[way] += [error(found[at], truth[at]) if found else None for at in chosen]
        rest = [at for at in range(len(words)) if at not in chosen]
        times = dict(zip(rest, aligner.times(pcm, [words[at] for at in rest]) or (), strict=False))
        errors["interpolated"] += [
            error(between(times, at, len(pcm) // 32), truth[at]) if times else None for at in chosen
        ]
    return errors


def phone_error() -> float:
    known: dict[str, str] = {}
    for line in (MODEL / "cmudict-en-us.dict").read_text().splitlines():
        word, phones = line.split(maxsplit=1)
        if word.isalpha() and len(word) > 2:
            known[word] = phones
    drawn = random.Random(1).sample(sorted(known), DRAWN)
    return float(wer([known[word] for word in drawn], [" ".join(pronounce(word)) for word in drawn]))


def main() -> None:
    aligner = Aligner()
    errors: dict[str, list[int | None]] = {}
    for path in [SAMPLES / "jfk.wav", *map(Path, sys.argv[1:])]:
        for way, found in errors_of(aligner, path).items():
            errors.setdefault(way, []).extend(found)
    record: dict[str, Any] = {"phone_error_percent": round(100 * phone_error(), 1), "drawn_words": DRAWN}
    for way, found in errors.items():
        timed = [each for each in found if each is not None]
        record[way] = {
            "words": len(found),
            "not_aligned": len(found) - len(timed),
            "median_ms": statistics.median(timed) if timed else None,
            "mean_ms": round(statistics.mean(timed)) if timed else None,
            "within_50_ms_percent": round(100 * sum(each <= CLOSE_MS for each in timed) / len(found)),
        }
        print(way, record[way])
    RESULTS.write_text(json.dumps(record, indent=2) + "\n")
    print(record["phone_error_percent"], "% of phones wrong")


if __name__ == "__main__":
    main()
