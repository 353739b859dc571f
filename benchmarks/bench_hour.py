"""An hour of speech through ``orchestrator transcribe`` with Moonshine: peak memory and speed, recycled and not.

    python benchmarks/bench_hour.py [--recordings DIR] [--minutes 60] [--budget 500MiB] [--rounds 1]

The recording is made of the folder's clips (default ``samples/``) in drawn order, each with a drawn loudness and a
drawn pause behind it, so that no two pieces are alike. ``off`` never recycles; ``auto`` keeps the budget. Both run at
the same time (``--in-turns``: one after the other), so that they share the machine's moods. CPU seconds are of the
command and all its workers. The memory is the sum of the RSS of all processes below the command, fork server included,
read from outside every 20 ms, without regard to pages that they share. Writes ``benchmarks/results/hour.json``. Needs
the extra ``embedded``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import soundfile
from recording import host, record, show

from orchestrator.config.sizes import format_size, parse_size

SAMPLES = Path(__file__).parents[1] / "samples"
RATE_HZ = 16_000
SEED = 20261129
SAMPLE_INTERVAL_S = 0.02
LIST_EVERY = 5
"""Readings between two looks for new processes."""


def make_recording(folder: Path, minutes: float, path: Path) -> float:
    """Write a recording of ``minutes`` made of the clips in ``folder``; return its seconds."""
    clips = [soundfile.read(file, dtype="float32") for file in sorted(folder.glob("*.wav"))]
    clips = [(samples, rate) for samples, rate in clips if rate == RATE_HZ and samples.ndim == 1]
    if not clips:
        raise SystemExit(f"{folder}: no 16 kHz mono WAV in it")
    draw = np.random.default_rng(SEED)
    left = round(minutes * 60 * RATE_HZ)
    with soundfile.SoundFile(path, "w", RATE_HZ, 1) as out:
        while left > 0:
            samples = clips[draw.integers(len(clips))][0] * draw.uniform(0.5, 1.0)
            pause = draw.normal(0, 1e-4, round(draw.uniform(0.2, 1.5) * RATE_HZ))
            piece = np.concatenate([samples, pause])[:left]
            out.write(piece)
            left -= len(piece)
    return minutes * 60


def transcribe(recording: Path, recycle: str, said: argparse.Namespace) -> dict[str, Any]:
    """Run the command once; return seconds, words, and the peak of its workers' memory."""
    with tempfile.TemporaryDirectory(prefix="bench-hour-") as folder:
        out = Path(folder) / f"text.{said.format}"
        command = [sys.executable, "-m", "orchestrator", "transcribe", str(recording), "--out", str(out)]
        command += ["--profile", "embedded", "--recycle", recycle, "--quiet"]
        command += ["--memory-budget", said.budget] if recycle != "off" else []
        command += ["--workers", str(said.workers)]
        began = time.perf_counter()
        with open(Path(folder) / "stderr", "w+b") as errors:
            process = subprocess.Popen(
                command, stderr=errors, env={**os.environ, "XDG_CACHE_HOME": folder, "TMPDIR": folder}
            )
            peaks, cpu_s = watch(process)
            seconds = time.perf_counter() - began
            errors.seek(0)
            told = errors.read().decode(errors="replace").strip()
        if process.returncode:
            raise SystemExit(f"--recycle {recycle}: exit code {process.returncode}\n{told}")
        return {
            "seconds": round(seconds, 2),
            "cpu_s": round(cpu_s, 2),
            **peaks,
            "words": len(out.read_text().split()),
        }


def watch(process: subprocess.Popen[bytes]) -> tuple[dict[str, int], float]:
    """Wait for the command; return peaks of memory and its CPU seconds, those of its children included."""
    above, below = psutil.Process(process.pid), list[psutil.Process]()
    peak = largest = own = count = 0
    while True:
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)
            peaks = {"peak_bytes": peak, "largest_process_bytes": largest, "command_bytes": own}
            return peaks, used.ru_utime + used.ru_stime
        if count % LIST_EVERY == 0:
            try:
                below = above.children(recursive=True)
            except psutil.Error:
                below = []
        count += 1
        sizes = [rss_of(each) for each in below]
        peak, largest, own = max(peak, sum(sizes)), max(largest, *sizes, 0), max(own, rss_of(above))
        time.sleep(SAMPLE_INTERVAL_S)


def rss_of(process: psutil.Process) -> int:
    """Return the resident bytes of a process, 0 when it is gone."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recordings", type=Path, default=SAMPLES)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--budget", default="500MiB")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--in-turns", action="store_true", help="one contestant after the other")
    parser.add_argument("--format", default="txt", choices=["txt", "srt"])
    parser.add_argument("--only", choices=["off", "auto"], help="nothing is recorded then")
    said = parser.parse_args()
    contestants = [said.only] if said.only else ["off", "auto"]
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in contestants}
    with tempfile.TemporaryDirectory(prefix="bench-hour-") as folder:
        recording = Path(folder) / "hour.wav"
        audio_s = make_recording(said.recordings, said.minutes, recording)
        for turn in range(said.rounds):
            names = contestants if turn % 2 == 0 else contestants[::-1]
            with ThreadPoolExecutor(1 if said.in_turns else len(names)) as threads:
                for name, run in zip(
                    names, threads.map(lambda name: transcribe(recording, name, said), names), strict=True
                ):
                    turns[name].append(run)
                    print(name, run, flush=True)
    rows = list(rows_of(turns, audio_s))
    header = ["recycling", "seconds", "× real time", "speed", "CPU seconds", "peak of all workers", "command"]
    budget = parse_size(said.budget)
    show(f"{said.minutes:g} minutes of speech, budget {format_size(budget)}", header, rows)
    if said.only:
        return
    document = {
        "command": f"python benchmarks/bench_hour.py --minutes {said.minutes:g} --budget {said.budget}"
        f" --workers {said.workers} --rounds {said.rounds} --format {said.format}"
        + (" --in-turns" if said.in_turns else "")
        + ("" if said.recordings == SAMPLES else f" --recordings {said.recordings.name}"),
        "host": host("moonshine-voice"),
        "audio_s": audio_s,
        "budget_bytes": budget,
        "header": header,
        "rows": rows,
        "turns": turns,
    }
    print(f"\nwritten to {record('hour', document)}")


def rows_of(turns: dict[str, list[dict[str, Any]]], audio_s: float) -> Any:
    """Yield a row a contestant, by medians; the peak is the highest of all rounds."""
    never = turns.get("off")
    for name, runs in turns.items():
        seconds = median(run["seconds"] for run in runs)
        of_never = median(run["seconds"] for run in never) / seconds if never else None
        yield [
            name,
            f"{seconds:.1f}",
            f"{seconds / audio_s:.4f}",
            "–" if of_never is None else f"{of_never:.3f}",
            f"{median(run['cpu_s'] for run in runs):.1f}",
            format_size(max(run["peak_bytes"] for run in runs)),
            format_size(max(run["command_bytes"] for run in runs)),
        ]


if __name__ == "__main__":
    main()
