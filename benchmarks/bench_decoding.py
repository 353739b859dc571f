"""What it costs to decode in a confined process of its own, against the same code in this process, in one run.

``python benchmarks/bench_decoding.py`` prints, for short recordings of three kinds, wall time and processor time (of
this process, the decoder process and its children) of one recording both ways, taken in turns; what the first one
costs, when the decoder process has to be started; and the share of a batch: the same recordings heard by Moonshine
(extra ``embedded``), decoded both ways in turns. On a busy machine read the smallest and the processor times. Writes
``benchmarks/results/decoding.json``. ``--short`` leaves the batch out. Where others keep the processors busy,
``chrt -f 10`` before the command takes the waiting for them out of the wall times.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile
from recording import host, record

from orchestrator.audio import pcm_file
from orchestrator.audio.decoder import child, client, helper, messages
from orchestrator.config.model import Model
from orchestrator.pool.jobs import Transcribe
from orchestrator.pool.pool import Pool

TIMES = 60
RECORDINGS = 24
SETTLED_S = 1.0
KINDS = (("wav", "PCM_16", 1), ("flac", "PCM_16", 1), ("mp3", "MPEG_LAYER_III", 2))
NO_BOUNDS = messages.Bounds(3600.0, 1 << 40, 1 << 40, 1 << 40, 10_000, 100.0)
SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "jfk.wav"


class _Here:
    """What a child talks to, when there is none."""

    def __init__(self, output: int) -> None:
        self._output = output

    def alive(self) -> None:
        """Do nothing."""

    def output(self) -> int:
        """Return where the sound goes."""
        return self._output


def in_host(path: Path, out: Path) -> None:
    """Decode as it was done before: by the same code, in this process."""
    request = messages.Request("soundfile", NO_BOUNDS, may_stay=True)
    recording, output = os.open(path, os.O_RDONLY), pcm_file.new_file(out)
    try:
        done = child._read(request, recording, _Here(output), "off")  # type: ignore[arg-type]  # noqa: SLF001
        if isinstance(done, messages.Converted):
            pcm_file.write_header(output, done.samples)
    finally:
        os.close(recording)
        os.close(output)


def apart(path: Path, out: Path) -> None:
    """Decode in the decoder process."""
    recording = os.open(path, os.O_RDONLY)
    opened: list[int] = []

    def make() -> tuple[Path, int]:
        opened.append(pcm_file.new_file(out))
        return out, opened[0]

    try:
        output = client.Output(out.parent, make)
        client.decode(str(path), recording, output, may_stay=True, check=lambda: None)
    finally:
        for each in (recording, *opened):
            os.close(each)


def processor_s() -> float:
    """Return the processor time of this process, the decoder process and the children that it has had."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    total = own.ru_utime + own.ru_stime
    if (there := helper.current()) is not None:
        times = psutil.Process(there.pid).cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def measured(work: Callable[[Path, Path], None], path: Path, out: Path) -> float:
    """Return the milliseconds of one recording."""
    out.unlink(missing_ok=True)
    began_s = time.perf_counter()
    work(path, out)
    return 1000 * (time.perf_counter() - began_s)


def make(folder: Path, ending: str, subtype: str, channels: int) -> list[Path]:
    """Write short recordings: half a second each."""
    chance = np.random.default_rng(1)
    found = []
    for number in range(TIMES):
        path = folder / f"{number}.{ending}"
        soundfile.write(path, chance.uniform(-0.3, 0.3, (8000, channels)), 16_000, subtype=subtype)
        found.append(path)
    return found


def short_files(folder: Path) -> list[dict[str, Any]]:
    """Return a row for each kind and way, printed."""
    rows = []
    for ending, subtype, channels in KINDS:
        paths = make(folder, ending, subtype, channels)
        walls: dict[str, list[float]] = {"in this process": [], "confined": []}
        used = dict.fromkeys(walls, 0.0)
        for path in paths:
            for name, work in (("in this process", in_host), ("confined", apart)):
                before = processor_s()
                walls[name].append(measured(work, path, folder / "out.wav"))
                used[name] += processor_s() - before
        for name, taken in walls.items():
            row: dict[str, Any] = {
                "kind": ending,
                "way": name,
                "median_ms": round(statistics.median(taken), 2),
                "smallest_ms": round(min(taken), 2),
                "processor_ms": round(1000 * used[name] / len(taken), 2),
            }
            rows.append(row)
            print(
                "{kind:5} {way:16} {median_ms:7.2f} ms median {smallest_ms:7.2f} ms smallest".format(**row),
                end="",
            )
            print(f" {row['processor_ms']:7.2f} ms processor time")
    return rows


def first_file(folder: Path) -> dict[str, float]:
    """Return and print what the start of the decoder process adds to the first recording."""
    path = make(folder, "flac", "PCM_16", 1)[0]
    taken = []
    for _ in range(5):
        helper.drop()
        taken.append(measured(apart, path, folder / "out.wav"))
    print(
        f"first recording with the start: {statistics.median(taken):.0f} ms median, {min(taken):.0f} smallest"
    )
    there = helper.current()
    assert there is not None
    time.sleep(SETTLED_S)
    process = psutil.Process(there.pid)
    (spare,) = process.children()
    own, its = process.memory_full_info(), spare.memory_full_info()
    found = {
        "first_ms": round(statistics.median(taken), 1),
        "resident_mb": round(own.rss / 1e6, 1),
        "own_mb": round(own.uss / 1e6, 1),
        "spare_own_mb": round(its.uss / 1e6, 1),
        "both_pss_mb": round((own.pss + its.pss) / 1e6, 1),
    }
    print(f"decoder process: {own.rss / 1e6:.1f} MB resident")
    print(f"its spare child: {its.uss / 1e6:.1f} MB that only it has, {own.uss / 1e6:.1f} MB only its parent")
    print(f"both, shared memory counted once: {(own.pss + its.pss) / 1e6:.1f} MB of PSS")
    return found


def batch(folder: Path) -> dict[str, Any]:
    """Return and print how long recordings take that are decoded and then heard, both ways, in turns."""
    samples, rate = soundfile.read(SAMPLE)
    paths = []
    for number in range(RECORDINGS):
        path = folder / f"said-{number}.flac"
        soundfile.write(path, np.column_stack([samples * (1 - number / 100)] * 2), rate)
        paths.append(path)
    totals: dict[str, float] = {"in this process": 0.0, "confined": 0.0}
    decoding = dict.fromkeys(totals, 0.0)
    with Pool(models=[Model(name="asr", engine="moonshine")], workers=1) as pool:
        pool.run(Transcribe("asr", str(SAMPLE)))
        for number, path in enumerate(paths):
            ways = [("in this process", in_host), ("confined", apart)]
            for name, work in ways if number % 2 else reversed(ways):
                began_s = time.perf_counter()
                decoding[name] += measured(work, path, folder / "out.wav") / 1000
                pool.run(Transcribe("asr", str(folder / "out.wav")))
                totals[name] += time.perf_counter() - began_s
    for name, total in totals.items():
        print(f"batch of {len(paths)}, {name:16}: {total:6.2f} s, of it decoding {decoding[name]:5.2f} s")
    more = decoding["confined"] - decoding["in this process"]
    share = more / totals["in this process"]
    print(f"share of the batch: {100 * share:.1f} % more")
    return {"seconds": totals, "of_it_decoding": decoding, "share_more": share}


def main() -> None:
    """Print all of it."""
    child.load()
    print(f"Python {sys.version.split()[0]}, {os.uname().release}, {os.uname().machine}; {TIMES} times each")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    folder = Path(tempfile.mkdtemp(prefix="bench-decoding-"))
    try:
        document: dict[str, Any] = {
            "command": " ".join(["python benchmarks/bench_decoding.py", *sys.argv[1:]]),
            "realtime": os.sched_getscheduler(0) != os.SCHED_OTHER,
            "host": host("numpy", "soundfile"),
            "times": TIMES,
            "started": first_file(folder),
            "short_files": short_files(folder),
        }
        if "--short" not in sys.argv:
            document["batch"] = batch(folder)
        print(f"written to {record('decoding', document)}")
    finally:
        helper.drop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
