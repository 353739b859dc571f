"""A worker with the engine ``chatllm`` on our double of its library, and short words for what tests ask of it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from doubles import Checkout, write_audio
from orchestrator.process.dialogue import Dialogue
from orchestrator.process.result_values import result_of
from orchestrator_worker.protocol import (
    Alignment,
    Audio,
    Chunk,
    Done,
    Job,
    Load,
    Loaded,
    ModelSpec,
    Run,
    Transcript,
    Unload,
    Unloaded,
)

TIMEOUT_S = 60.0
REPOSITORY = Path(__file__).parents[2]


class Bench:
    """A user's folder with a double in it; ``env`` is added to every worker's environment."""

    def __init__(self, checkout: Checkout, folder: Path) -> None:
        self.checkout = checkout
        self.folder = folder
        self.env = checkout.environment

    def spec(self, *, aligner: bool = False, **keys: Any) -> ModelSpec:
        made = {
            "file": str(self.checkout.aligner if aligner else self.checkout.model),
            "library": str(self.checkout.library),
            "language": "English",
            **({"format": "json"} if aligner else {}),
            **keys,
        }
        return ModelSpec("chatllm", "model", **made)

    @contextmanager
    def worker(self, double: str = "", **env: str) -> Iterator["Client"]:
        """Start a worker whose double is set to ``double``."""
        with Dialogue({**self.env, "CHATLLM_DOUBLE": double, **env}) as dialogue:
            yield Client(self, dialogue)

    def audio(self, seconds: float = 2.0, *, name: str = "speech.wav", samples: int | None = None) -> Audio:
        path = self.folder / name
        write_audio(path, seconds, samples=samples)
        return Audio(str(path), round(seconds * 16_000) if samples is None else samples)

    def child(self, script: str, double: str = "") -> list[str]:
        """Run Python of the worker's side in a process of its own and return the lines it printed.

        ``library`` is the opened library, ``words`` starts its model, ``heard`` takes what it says.
        """
        opening = f"""
import os, sys
sys.path.insert(0, {str(REPOSITORY)!r})
from orchestrator_worker.engines.base import EngineError
from orchestrator_worker.engines.chatllm.library import open_library
from orchestrator_worker.protocol import ModelSpec
library = open_library({str(self.checkout.library)!r})
words = ["-m", {str(self.checkout.model)!r}]
said = []
heard = lambda kind, text: said.append((kind, text))
def refused(call):
    try:
        call()
    except EngineError as error:
        print("refused:", error)
    else:
        print("not refused")
"""
        closing = "\nsys.stdout.flush()\nos._exit(0)\n"
        done = subprocess.run(
            [sys.executable, "-c", opening + script + closing],
            env={**os.environ, **self.env, "CHATLLM_DOUBLE": double},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout.splitlines()


class Client:
    """One worker, asked in turns."""

    def __init__(self, bench: Bench, dialogue: Dialogue) -> None:
        self.bench = bench
        self.dialogue = dialogue
        self.chunks: list[Chunk] = []

    def load(self, *, aligner: bool = False, **keys: Any) -> Loaded:
        command = Load(1, self.bench.spec(aligner=aligner, **keys))
        return self.dialogue.ask(command, Loaded, timeout_s=TIMEOUT_S, phase="load")

    def run(
        self, job: Job, *, timeout_s: float = TIMEOUT_S, on_chunk: Callable[[Chunk], None] | None = None
    ) -> Done:
        self.chunks = []

        def hear(chunk: Chunk) -> None:
            self.chunks.append(chunk)
            if on_chunk is not None:
                on_chunk(chunk)

        return self.dialogue.ask(
            Run(2, job, stream=True), Done, timeout_s=timeout_s, phase="infer", on_chunk=hear
        )

    def transcribe(self, audio: Audio | None = None, **job: Any) -> Transcript:
        result = result_of(self.run(Job("asr", audio or self.bench.audio(), **job)))
        assert isinstance(result, Transcript)
        return result

    def align(self, text: str | None, audio: Audio | None = None, **job: Any) -> Alignment:
        result = result_of(self.run(Job("align", audio or self.bench.audio(), text, **job)))
        assert isinstance(result, Alignment)
        return result

    def unload(self) -> None:
        self.dialogue.ask(Unload(3), Unloaded, timeout_s=TIMEOUT_S, phase="unload")
