"""Nothing of a recording is parsed in the host: by who imports what, and by what a host has loaded at its end."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

TOP = Path(__file__).parents[2] / "orchestrator"
PARSERS = {
    "aifc",
    "soundfile",
    "sunau",
    "wave",
    "orchestrator.audio.decoding",
    "orchestrator.audio.ffmpeg",
    "orchestrator.audio.file_views",
    "orchestrator.audio.wav_header",
}
IN_THE_CHILD = {"child", "conversion", "decoding", "ffmpeg", "file_views", "wav_header"}


def imported(tree: ast.AST) -> set[str]:
    """Return what a file imports at run time, in functions too."""
    checked = {
        id(each)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for each in node.body
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in checked:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_only_what_works_in_the_child_imports_what_parses_recordings() -> None:
    found = {
        path.relative_to(TOP).as_posix()
        for path in TOP.rglob("*.py")
        if imported(ast.parse(path.read_text("utf-8"))) & PARSERS
    }
    assert {Path(each).stem for each in found} <= IN_THE_CHILD
    assert "audio/decoder/child.py" in found


HOST = """
import sys
from pathlib import Path
from orchestrator.pipeline.recording import Recording
for path in sys.argv[2:]:
    recording = Recording(path, Path(sys.argv[1]))
    part = recording.part(100, 200)
    print(len(part.audio.samples))
print(sorted({"soundfile", "soxr", "wave", "orchestrator.audio.wav_header"} & set(sys.modules)))
"""


def test_a_host_that_reads_recordings_has_loaded_no_parser(tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / name, np.zeros(16_000), 16_000)
    command = [sys.executable, "-c", HOST, str(tmp_path / "cache"), *map(str, tmp_path.glob("a.*"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.stdout == "1600\n1600\n[]\n", done.stderr
