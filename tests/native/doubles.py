"""Compile our doubles of libchatllm, ggml and ffmpeg, and lay them out as a user's folder has them.

::

    FOLDER/chatllm.cpp/bindings/libchatllm.so      FOLDER/bin/ffmpeg
    FOLDER/chatllm.cpp/build/lib/libggml*.so       FOLDER/models/*.bin

Nothing has an rpath: whoever loads ``libchatllm`` must find ggml without help, as with a real build.
"""

import math
import os
import shutil
import struct
import subprocess
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent
MODELS = {
    "qwen3-asr-0.6b-q4_0.bin": "asr",
    "qwen3-asr-1.7b-q4_0.bin": "asr",
    "qwen3-forced-aligner-0.6b-q4_0.bin": "aligner",
}
"""The names that the profile qwen3 of the repository's experiments.toml expects."""
_GGML = {"libggml-base.so": [], "libggml.so": ["-lggml-base"], "libggml-adapter.so": ["-lggml"]}
"""By what they need. The one that comes first by name needs the others: loading by name is not enough."""


@dataclass(frozen=True)
class Checkout:
    """A folder with a double built in it."""

    folder: Path

    @property
    def library(self) -> Path:
        return self.folder / "chatllm.cpp/bindings/libchatllm.so"

    @property
    def ggml(self) -> Path:
        return self.folder / "chatllm.cpp/build/lib"

    @property
    def model(self) -> Path:
        return self.folder / "models/qwen3-asr-0.6b-q4_0.bin"

    @property
    def aligner(self) -> Path:
        return self.folder / "models/qwen3-forced-aligner-0.6b-q4_0.bin"

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the double's ffmpeg comes first."""
        return {"PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}


class Doubles:
    """What was compiled, in one folder; compiled once however many processes ask."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def build(cls, shared: Path) -> "Doubles":
        """Compile into a folder of ``shared`` that several test processes use at the same time."""
        folder = shared / "native"
        if not folder.is_dir():
            private = Path(tempfile.mkdtemp(prefix="native-", dir=shared))
            _compile(private)
            try:
                private.rename(folder)  # in one stroke; the slower of two builders throws its own away
            except OSError:
                shutil.rmtree(private)
        return cls(folder)

    def checkout(self, folder: Path, *, destroy: bool = True) -> Checkout:
        """Lay out a user's folder; ``destroy=False`` takes an old build without ``chatllm_destroy``."""
        made = Checkout(folder)
        for part in (made.library.parent, made.ggml, folder / "bin", folder / "models"):
            part.mkdir(parents=True, exist_ok=True)
        shutil.copy2(self._folder / ("libchatllm.so" if destroy else "libchatllm-old.so"), made.library)
        for name in _GGML:
            shutil.copy2(self._folder / f"{name}.0", made.ggml / f"{name}.0")
            (made.ggml / name).symlink_to(f"{name}.0")
        shutil.copy2(self._folder / "ffmpeg", folder / "bin/ffmpeg")
        for name, kind in MODELS.items():
            write_model(folder / "models" / name, kind)
        return made


def write_model(path: Path, kind: str, body_bytes: int = 1000) -> None:
    """Write what the double takes for a model: a header of 24 bytes, and something after it."""
    path.write_bytes(b"DOUBLE01" + kind.encode().ljust(16, b"\0") + bytes(body_bytes))


def write_audio(path: Path, seconds: float = 2.0, *, samples: int | None = None) -> None:
    """Write 16 kHz mono 16-bit WAV: a quiet tone."""
    count = round(seconds * 16_000) if samples is None else samples
    one_second = [int(2000 * math.sin(index / 8)) for index in range(min(count, 16_000))]
    block = struct.pack(f"<{len(one_second)}h", *one_second)
    frames = block * (count // max(1, len(one_second)) + 1) if count else b""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(frames[: count * 2])


def _compile(folder: Path) -> None:
    beside = [f"-L{folder}"]
    for name, needs in _GGML.items():
        words = ["-shared", f"-Wl,-soname,{name}.0", f"-Wl,-rpath-link,{folder}", *beside, *needs]
        _cc([SOURCES / (name[3:-3].replace("-", "_") + "_double.c")], folder / f"{name}.0", words)
        (folder / name).symlink_to(f"{name}.0")
    chatllm = ["-shared", *beside, f"-Wl,-rpath-link,{folder}", "-lggml-adapter", "-lm", "-pthread"]
    sources = [SOURCES / "chatllm_double.c", SOURCES / "chatllm_leaks.c"]
    _cc(sources, folder / "libchatllm.so", chatllm)
    _cc(sources, folder / "libchatllm-old.so", ["-DNO_DESTROY", *chatllm])
    _cc([SOURCES / "ffmpeg_double.c"], folder / "ffmpeg", [])


def _cc(sources: Sequence[Path], target: Path, more: Sequence[str]) -> None:
    words = [os.environ.get("CC", "cc"), "-O1", "-fPIC", "-Wall", "-Wextra", *map(str, sources), *more]
    done = subprocess.run([*words, "-o", str(target)], capture_output=True, text=True)
    assert done.returncode == 0, f"the C double does not compile (apt-get install gcc): {done.stderr}"
