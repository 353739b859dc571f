"""What a fresh process for every job costs, forked with its model loaded, against loading it each time and never.

    python benchmarks/bench_warm_starts.py [--rounds 3] [--megabytes 200] [--jobs 40]

``double`` is the C double of libchatllm, whose model file of so many megabytes it reads, ``pocketsphinx`` the real
library. Each with one worker: never recycled, a forked process for every job, a process that loads for every job.
``start`` is from the order to the worker that stands ready; ``private`` what the second to the eighth of eight forked
workers have for themselves before their first job, against the template's resident memory. Writes
``benchmarks/results/warm_starts.json``. Needs a C compiler, and pocketsphinx for its row.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import statistics
import sys
import tempfile
import time
import wave
from pathlib import Path
from typing import Any

from recording import host, record, show
from rounds import median_of, take_turns

TESTS = Path(__file__).parents[1] / "tests"
CLIP = Path(__file__).parents[1] / "samples" / "jfk.wav"
KINDS = ("never", "warm", "cold")
CLIP_S = {"double": 6.0, "pocketsphinx": 3.0}
"""Audio below 5 s the engine chatllm has tried by ffmpeg first, in each process anew: that is not what is compared."""
EIGHT = 8
CHUNK_MS = 25
"""The double speaks four words in a job: it takes 0.1 s, as with the real library and a small model."""
COLD_JOBS = 4
"""A cold job takes a load: so many a part of the jobs are done cold."""


def made_model(engine: str, start: str, folder: Path, megabytes: int) -> Any:
    """Return a model of ``engine`` to be started so."""
    from orchestrator.pool.models import Model  # noqa: PLC0415

    if engine == "pocketsphinx":
        return Model(name="model", engine=engine, start=start)  # type: ignore[arg-type]
    sys.path.insert(0, str(TESTS / "native"))
    from doubles import Doubles  # noqa: PLC0415  # type: ignore[import-not-found]

    checkout = Doubles.build(folder).checkout(folder / "user")
    with checkout.model.open("r+b") as file:
        file.seek(megabytes * 1_000_000 - 1)
        file.write(b"\1")
    return Model(
        name="model",
        engine="chatllm",
        file=checkout.model,
        library=checkout.library,
        language="English",
        env={**checkout.environment, "CHATLLM_DOUBLE": f"weights=1 chunk_ms={CHUNK_MS}"},
        start=start,  # type: ignore[arg-type]
    )


def measured(engine: str, kind: str, jobs: int, megabytes: int) -> dict[str, float]:
    """Return jobs a second of one worker, and the median milliseconds of its starts after the first."""
    from orchestrator.pool.events import WorkerLoaded  # noqa: PLC0415
    from orchestrator.pool.jobs import Transcribe  # noqa: PLC0415
    from orchestrator.pool.pool import Pool  # noqa: PLC0415
    from orchestrator.pool.recycling import Recycle  # noqa: PLC0415

    starts: list[float] = []

    def note(event: Any) -> None:
        if isinstance(event, WorkerLoaded):
            starts.append(event.start_s)

    jobs = max(3, jobs // COLD_JOBS) if kind == "cold" else jobs
    recycle = None if kind == "never" else Recycle(max_jobs=1)
    with tempfile.TemporaryDirectory() as folder:
        model = made_model(engine, "warm" if kind == "warm" else "cold", Path(folder), megabytes)
        with Pool(models=[model], recycle=recycle, on_event=note, cache_dir=Path(folder) / "cache") as pool:
            job = Transcribe("model", _beginning(Path(folder) / "clip.wav", CLIP_S[engine]))
            pool.run(job)
            began = time.perf_counter()
            texts = {result.text for result in pool.map(itertools.repeat(job, jobs))}
            seconds = time.perf_counter() - began
    assert len(texts) == 1, "the jobs differ"
    later = starts[1:] or starts
    return {
        "jobs_per_s": jobs / seconds,
        "start_ms": statistics.median(later) * 1000,
        "start_min_ms": min(later) * 1000,
    }


def _beginning(path: Path, seconds: float) -> Path:
    """Write the first seconds of the clip."""
    with wave.open(str(CLIP), "rb") as whole, wave.open(str(path), "wb") as part:
        part.setparams(whole.getparams())
        part.writeframes(whole.readframes(round(seconds * whole.getframerate())))
    return path


def private(engine: str, megabytes: int) -> dict[str, float]:
    """Return the private MB of eight forked workers before a job, the first left out, and the template's RSS."""
    from orchestrator.pool.pool import Pool  # noqa: PLC0415
    from orchestrator.process.memory import read_private  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        model = made_model(engine, "warm", Path(folder), megabytes)
        with Pool(models=[model], workers=EIGHT, cache_dir=Path(folder) / "cache") as pool:
            # The only model of a pool is loaded into every slot at once.
            stats = pool.stats()
            while any(slot.state != "idle" for slot in stats.slots):
                time.sleep(0.05)
                stats = pool.stats()
            template = next(each.template for each in stats.models if each.model == "model")
            assert template is not None
            workers = [slot.worker for slot in stats.slots[1:] if slot.worker is not None]
            own = [read_private(worker.pid) or 0 for worker in workers]
    return {
        "private_mb": statistics.median(own) / 1e6,
        "most_private_mb": max(own) / 1e6,
        "template_mb": template.rss_bytes / 1e6,
    }


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        engine, kind = options.measure.split(",")
        found = (
            private(engine, options.megabytes)
            if kind == "private"
            else measured(engine, kind, options.jobs, options.megabytes)
        )
        print(json.dumps(found))
        return
    engines = ["double", *(["pocketsphinx"] if importlib.util.find_spec("pocketsphinx") else [])]
    names = [f"{engine},{kind}" for engine in engines for kind in (*KINDS, "private")]
    turns = take_turns(
        __file__, names, options.rounds, "--jobs", str(options.jobs), "--megabytes", str(options.megabytes)
    )
    rows: list[tuple[object, ...]] = []
    for engine in engines:
        rate = {kind: median_of(turns[f"{engine},{kind}"], "jobs_per_s") for kind in KINDS}
        start = {kind: median_of(turns[f"{engine},{kind}"], "start_ms") for kind in KINDS}
        own = median_of(turns[f"{engine},private"], "private_mb")
        whole = median_of(turns[f"{engine},private"], "template_mb")
        rows.append(
            (
                engine,
                *(f"{rate[kind]:.2f}" for kind in KINDS),
                f"{rate['warm'] / rate['never']:.2f}",
                f"{rate['warm'] / rate['cold']:.1f}",
                f"{start['warm']:.1f} / {start['cold']:.0f}",
                f"{own:.1f} of {whole:.0f} ({own / whole:.1%})",
            )
        )
    header = (
        "engine",
        "never",
        "warm",
        "cold",
        "warm/never",
        "warm/cold",
        "start ms warm/cold",
        "private MB of template",
    )
    show("Jobs a second through one worker, and a fresh process for every job", header, rows)
    print(f"\nwritten to {record('warm_starts', {'host': host(), 'options': vars(options), 'turns': turns})}")


if __name__ == "__main__":
    main()
