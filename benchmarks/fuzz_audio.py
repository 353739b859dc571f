"""Audio files as a hostile or a broken program would hand them to us, through the preparation of ``transcribe``.

    python benchmarks/fuzz_audio.py [--files 5000] [--seed 1] [--most-s 3600]

The recordings in ``samples/`` as WAV, FLAC and AIFF, and with ffmpeg as MP3, Ogg and M4A, changed at random: bytes
flipped, cut out, doubled, zeroed, numbers of the header out of every range, two formats in one file. Each is prepared
as a recording of ``transcribe`` is. Asserted at the end: each ended as audio or as its own error with a sentence, none
took longer than a minute, and this process is as it was. Writes ``benchmarks/results/fuzz_audio.json``.
"""

from __future__ import annotations

import argparse
import math
import random
import resource
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import soundfile
from recording import host, record, show
from soak import held

from orchestrator.audio import prepare
from orchestrator.errors import AudioError

SAMPLES = Path(__file__).parents[1] / "samples"
MOST_SECONDS = 60.0
HEADER = 256
FFMPEG = {"mp3": ["-c:a", "libmp3lame"], "ogg": ["-c:a", "libvorbis"], "m4a": ["-c:a", "aac"]}
NUMBERS = (
    b"\x00" * 4,
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x01\x00\x00\x00",
    b"\x00\x00\x00\x80",
)


def honest_files(folder: Path) -> list[Path]:
    """Write short recordings in every format that there is something for."""
    found: list[Path] = []
    for sample in sorted(SAMPLES.glob("*.wav"))[:3]:
        content, rate = soundfile.read(sample, frames=32_000)
        for kind, subtype in (("wav", "PCM_16"), ("wav", "FLOAT"), ("flac", "PCM_16"), ("aiff", "PCM_24")):
            path = folder / f"{sample.stem}-{subtype}.{kind}"
            soundfile.write(path, content, rate, subtype=subtype)
            found.append(path)
        for kind, codec in FFMPEG.items() if shutil.which("ffmpeg") else ():
            path = folder / f"{sample.stem}.{kind}"
            command = ["ffmpeg", "-y", "-loglevel", "error", "-t", "2", "-i", str(sample), *codec, str(path)]
            if subprocess.run(command, check=False).returncode == 0:
                found.append(path)
    return found


def changed(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change a file a few times, more often where its header is."""
    found = bytearray(content)
    for _ in range(chance.randint(1, 5)):
        end = min(len(found), HEADER) if chance.random() < 0.7 else len(found)
        at = chance.randrange(max(1, end))
        match chance.randrange(7):
            case 0 | 1:
                found[at : at + 1] = bytes([chance.randrange(256)])
            case 2:
                found[at : at + 4] = chance.choice(NUMBERS)
            case 3:
                del found[at : at + chance.randint(1, 5000)]
            case 4:
                found[at:at] = found[at : at + chance.randint(1, 5000)]
            case 5:
                found[at : at + 64] = bytes(64)
            case _:
                found[at:at] = other[: chance.randint(1, 2000)]
    return bytes(found)


def fuzz(files: int, seed: int, most_s: float = math.inf) -> dict[str, Any]:
    """Run it, for so many seconds at most; ``problems`` of what is returned must be empty."""
    chance, outcomes, problems = random.Random(seed), Counter[str](), list[str]()
    began, longest, number = time.monotonic(), 0.0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = honest_files(folder)
        honest = [(path.suffix, path.read_bytes()) for path in paths]
        prepare(paths[1], folder / "cache")  # the process that starts decoders is there from then on
        before = held()
        while number < files and time.monotonic() - began < most_s:
            suffix, content = chance.choice(honest)
            path = folder / f"changed{chance.choice([suffix, '.wav', '.mp3'])}"
            path.write_bytes(changed(content, chance.choice(honest)[1], chance))
            started = time.monotonic()
            try:
                prepare(path, folder / "cache")
                outcomes["audio"] += 1
            except AudioError as error:
                outcomes[type(error).__name__] += 1
                if not str(error):
                    problems.append(f"file {number}: an error without a sentence")
            except Exception as error:
                problems.append(f"file {number}: {error!r}")
            longest = max(longest, time.monotonic() - started)
            path.unlink()
            shutil.rmtree(folder / "cache", ignore_errors=True)
            number += 1
    if longest > MOST_SECONDS:
        problems.append(f"a file took {longest:.1f} s")
    after = held()
    problems += [
        f"{one}: {before[one]} before, {after[one]} after" for one in before if before[one] != after[one]
    ]
    return {
        "files": number,
        "honest_files": len(honest),
        "seconds": round(time.monotonic() - began, 1),
        "longest_s": round(longest, 2),
        "outcomes": dict(outcomes),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "peak_child_rss_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        "before": before,
        "after": after,
        "problems": problems,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most-s", type=float, default=math.inf)
    said = parser.parse_args()
    found = fuzz(said.files, said.seed, said.most_s)
    show(
        f"{found['files']} files in {found['seconds']:.0f} s", ["outcome", "files"], found["outcomes"].items()
    )
    peaks = f"peak RSS {found['peak_rss_mib']} MiB, of a child {found['peak_child_rss_mib']} MiB"
    print(f"longest {found['longest_s']} s, {peaks}")
    command = f"python benchmarks/fuzz_audio.py --files {said.files} --seed {said.seed}"
    command += "" if said.most_s == math.inf else f" --most-s {said.most_s:g}"
    found["problems"], problems = found["problems"][:50], found["problems"]
    print(
        f"written to {record('fuzz_audio', {'command': command, 'host': host('soundfile', 'numpy'), **found})}"
    )
    if problems:
        raise SystemExit("\n".join(["the fuzzing found something:", *problems[:50]]))


if __name__ == "__main__":
    main()
