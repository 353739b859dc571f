"""A folder with an experiments.toml of its own, and the real command run in it as a child process.

Everything a test needs to write, start, kill and read. The workers of a run have the folder as their working
directory, so that each test finds its own, whatever else runs on the machine.
"""

import json
import math
import os
import struct
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from orchestrator.experiments.storage.entry_log import read_entries
from orchestrator.experiments.storage.manifest import Manifest, read_manifest
from orchestrator.experiments.storage.records import RECORDS_SCHEMA, Entry

REPOSITORY = Path(__file__).parents[2]
TEXT = "one two three four"
PATIENCE_S = 200.0
"""Until a child must be done, or a condition come true. Nothing is measured by it."""
END_S = 10.0
"""Five times the two seconds in which an interrupted run promises to end."""
NO_WORKER_S = 5.0

SETTINGS = (
    "INFERENCE_THREADS",
    "CONTEXT_LENGTH",
    "ASR_LANGUAGE",
    "CHATLLM_LIB",
    "COLUMNS",
    "PYTHONPATH",
    "GITHUB_STEP_SUMMARY",
)


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def log(self) -> list[str]:
        return self.err.splitlines()


class Lab:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "experiments.toml"
        self.results = folder / "results"
        write_tone(folder / "tone.wav")
        (folder / "tone.txt").write_text(TEXT)

    # ------------------------------------------------------------------ the file

    def write(self, *experiments: dict[str, Any], models: dict[str, Any] | None = None, **more: Any) -> None:
        """Write an experiments.toml with one profile, ``lab``; ``more`` replaces top-level keys of ours."""
        document = {
            "schema": 1,
            "profiles": {
                "lab": {
                    "models": models if models is not None else {"small": synthetic()},
                    "samples": {"tone": {"audio": "tone.wav", "reference": "tone.txt"}},
                }
            },
            "experiment": list(experiments),
            **more,
        }
        self.file.write_text("".join(f"{key} = {toml(value)}\n" for key, value in document.items()))

    # ------------------------------------------------------------------ the command

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        """Ours, with a cache beside the folder: what one test's command has kept is not continued by another's."""
        kept = {key: value for key, value in os.environ.items() if key not in SETTINGS}
        cache = self.folder.with_name(f"{self.folder.name}-cache")
        return {**kept, "PYTHONIOENCODING": "utf-8", "XDG_CACHE_HOME": str(cache), **(more or {})}

    def command(self, *arguments: str | Path, module: str = "orchestrator") -> list[str]:
        words = [str(argument) for argument in arguments]
        if words[:1] == ["run"] and "--report" not in words:
            words.append("--no-report")  # the page has tests of its own, and takes a second or two
        return [sys.executable, "-W", "error", "-m", module, *words]

    def run(
        self,
        *arguments: str | Path,
        env: dict[str, str] | None = None,
        file_limit_bytes: int | None = None,
        patience_s: float = PATIENCE_S,
    ) -> Finished:
        """Run ``orchestrator ARGUMENTS`` to its end."""
        command = self.command(*arguments)
        if file_limit_bytes is not None:
            limit = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({file_limit_bytes},) * 2)"
            script = f"import os, resource, sys; {limit}; os.execv(sys.argv[1], sys.argv[1:])"
            command = [sys.executable, "-c", script, *command]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience_s,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *arguments: str | Path, module: str = "orchestrator") -> subprocess.Popen[bytes]:
        """Start it with its output in files, so that nobody has to read while it runs.

        ``module`` is what is run in its place, a file of ours in the folder.
        """
        with open(self.folder / "out.txt", "wb") as out, open(self.folder / "err.txt", "wb") as err:
            return subprocess.Popen(
                self.command(*arguments, module=module),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def workers(self) -> list[psutil.Process]:
        """Return the live workers whose working directory is ours."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.cwd() == str(self.folder) and "worker" in " ".join(process.cmdline())
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    # ------------------------------------------------------------------ what it wrote

    def result(self, name: str) -> dict[str, Any]:
        """Return the result file of an experiment that did not name one."""
        return read_json(self.results / f"{name}_results.json")

    def run_folders(self) -> list[Path]:
        runs = self.results / "runs"
        return sorted(runs.iterdir()) if runs.is_dir() else []

    @property
    def run_folder(self) -> Path:
        (only,) = self.run_folders()
        return only

    def manifest(self) -> Manifest:
        return read_manifest(self.run_folder / "manifest.json")

    def entries(self) -> list[Entry]:
        return read_entries(self.run_folder / "iterations.jsonl", RECORDS_SCHEMA)

    def raw_lines(self) -> int:
        """Return how many whole lines of entries there are, in whatever run there is."""
        return sum(file.read_bytes().count(b"\n") for file in self.results.glob("runs/*/iterations.jsonl"))


# ---------------------------------------------------------------------- parts of a file


def synthetic(**options: Any) -> dict[str, Any]:
    """Return a model of the synthetic engine that answers what the sample says."""
    return {"engine": "synthetic", "options": {"text": TEXT, **options}}


def experiment(
    name: str, *methods: str, steps: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "iterations": 3,
        "methods": list(methods) or ["recreate"],
        "steps": steps or [asr()],
        **more,
    }


def asr(model: str = "small", sample: str = "tone", **more: Any) -> dict[str, Any]:
    return {"task": "asr", "model": model, "sample": sample, **more}


def align(model: str = "aligner", sample: str = "tone", **more: Any) -> dict[str, Any]:
    return {"task": "align", "model": model, "sample": sample, **more}


def toml(value: Any) -> str:
    """Return ``value`` as TOML on one line: JSON, but for tables."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


# ---------------------------------------------------------------------- files and waiting


def write_tone(path: Path, *, rate_hz: int = 16_000, channels: int = 1, seconds: float = 0.5) -> None:
    count = int(rate_hz * seconds)
    frames = (int(3000 * math.sin(index * 2500 / rate_hz)) for index in range(count))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(b"".join(struct.pack("<h", frame) * channels for frame in frames))


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def wait_until(condition: Callable[[], object], *, within_s: float = PATIENCE_S, what: str = "") -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what or condition}"
        time.sleep(0.005)


# ---------------------------------------------------------------------- an engine of our own

_PROBE = '''
import time
from pathlib import Path
from orchestrator_worker.engines.base import Engine
from orchestrator_worker.protocol import Transcript


class ProbeEngine(Engine):
    """Says in its facts what it was told, and hangs once where its options say, leaving a marker."""

    name = "probe"
    tasks = ("asr",)
    summary = "a third party's"

    @classmethod
    def check(cls, model):
        _hang(model, "check")

    def load(self, model):
        self.model = model
        _hang(model, "load")
        return {"threads": model.threads, "context_length": model.context_length, "language": model.language,
                "environ": Path("/proc/self/environ").read_bytes().decode().split("\\0")}

    def run(self, job, emit):
        if Path("marker").exists() or self.model.options.get("hang_in") != "infer":
            emit("one two three four", final=True)
            return Transcript("one two three four", job.language)
        _hang(self.model, "infer")

    def unload(self):
        _hang(self.model, "unload")


def _hang(model, where):
    if model.options.get("hang_in") == where and not Path("marker").exists():
        Path("marker").touch()
        time.sleep(1000)
'''
_BROKEN = "raise OSError('libdecoder.so.7: cannot open shared object file')\n"


def install_engines(folder: Path) -> None:
    """Put two third-party packages where the command runs: ``probe`` and ``broken``, which is no good."""
    for package, source in {"probe": _PROBE, "broken": _BROKEN}.items():
        (folder / f"{package}_engine.py").write_text(source)
        info = folder / f"{package}_engine-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}-engine\nVersion: 1.0\n")
        points = f"[orchestrator.engines]\n{package} = {package}_engine:{package.title()}Engine\n"
        (info / "entry_points.txt").write_text(points)
