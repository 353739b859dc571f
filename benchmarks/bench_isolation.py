"""What isolation costs a real engine: Moonshine through a one-worker pool against the same calls in this process.

    python benchmarks/bench_isolation.py [--rounds 7] [--jobs 8]

The clips are those of ``samples/``; the engine class is the pool's own, so that both do the same work. Rounds of both
take turns within one process. Writes ``benchmarks/results/isolation.json``. Needs the extra ``embedded``.
"""

from __future__ import annotations

import argparse
import statistics
import wave
from pathlib import Path

from recording import host, record, show
from rounds import timed

from orchestrator.pool.jobs import Transcribe
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator_worker.engines import registry
from orchestrator_worker.protocol import Audio, Job, ModelSpec
from orchestrator_worker.results import Transcript

CLIP = Path(__file__).parents[1] / "samples" / "jfk.wav"


class _Emit:
    """Nobody listens."""

    cancelled = False

    def __call__(self, text: str, *, final: bool = False, replaces: int = 0) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=8)
    said = parser.parse_args()
    with wave.open(str(CLIP)) as file:
        job = Job("asr", Audio(str(CLIP), file.getnframes()))
    engine = registry.find("moonshine")()
    engine.load(ModelSpec(engine="moonshine", name="moonshine"))
    texts: set[str] = set()
    within: list[float] = []
    through: list[float] = []

    def call_engine() -> None:
        for _ in range(said.jobs):
            answer = engine.run(job, _Emit())
            assert isinstance(answer, Transcript)
            texts.add(answer.text)

    with Pool(models=[Model(name="moonshine", engine="moonshine")]) as pool:

        def call_pool() -> None:
            for _ in range(said.jobs):
                texts.add(pool.run(Transcribe("moonshine", CLIP)).text)

        call_engine()
        call_pool()
        for turn in range(said.rounds):
            both = [(call_engine, within), (call_pool, through)]
            for call, seconds in both if turn % 2 == 0 else reversed(both):
                seconds.append(timed(call) / said.jobs)
    assert len(texts) == 1, "the two did not hear the same"
    ratios = [alone / isolated for alone, isolated in zip(within, through, strict=True)]
    rows = [
        ["in process", f"{statistics.median(within) * 1000:.1f}", "1.000"],
        ["through a pool", f"{statistics.median(through) * 1000:.1f}", f"{statistics.median(ratios):.3f}"],
    ]
    header = ["calls", "ms a clip", "speed, median of the rounds' ratios"]
    show(f"Moonshine, {CLIP.name}, {said.rounds} rounds of {said.jobs} clips", header, rows)
    document = {
        "command": f"python benchmarks/bench_isolation.py --rounds {said.rounds} --jobs {said.jobs}",
        "host": host("moonshine-voice", "msgspec"),
        "header": header,
        "rows": rows,
        "seconds": {"in process": within, "through a pool": through},
    }
    print(f"\nwritten to {record('isolation', document)}")


if __name__ == "__main__":
    main()
