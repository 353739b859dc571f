"""The process that decodes: shared, replaced when it is lost, and an ffmpeg that it confines as well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from hostile_attempts import ATTEMPTS
from left_over import spare_decoder

from fake_ffmpeg import reads
from orchestrator.audio import prepare
from orchestrator.audio.decoder import helper
from orchestrator.errors import NotDecodedError
from orchestrator_worker.sandbox.kernel import why_not

pytestmark = pytest.mark.usefixtures("nothing_left")
PATIENCE_S = 60.0
confined = pytest.mark.skipif(bool(why_not("strict")), reason=f"the sandbox {why_not('strict')}")


@pytest.fixture
def fresh() -> Iterator[None]:
    helper.drop()
    yield
    helper.drop()


# ---------------------------------------------------------------------- ffmpeg, confined as well

AS_FFMPEG = f"""#!{sys.executable}
import os, struct
os.write(1, struct.pack('>4sIIIII', b'.snd', 24, 0xFFFFFFFF, 6, 8000, 1))
try:
    {{attempt}}
    said = 1.0
except (OSError, ValueError):
    said = 0.25
os.write(1, (struct.pack('>f', said) * 20 + struct.pack('>f', -said) * 20) * 200)
"""
NOT_ITS = {  # what any program may do, or what only its parent has
    "a system file",
    "a library",
    "a program",
    "a device",
    "a write into the recording",
    "its own memory",
    "the recording itself by its name",
    "environment of the decoder process",
    "a signal to the decoder process",
}


@confined
@pytest.mark.parametrize("what", [name for name in ATTEMPTS if name not in NOT_ITS])
def test_an_ffmpeg_that_was_taken_over_reaches_nothing(
    tmp_path: Path, fresh: None, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    bin_folder, private = tmp_path / "bin", tmp_path / "private"
    bin_folder.mkdir()
    private.mkdir()
    (private / "secret").write_text("secret")
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x18ftypM4A " + bytes(range(256)))
    attempt = ATTEMPTS[what].format(folder=private, host=os.getpid())
    (bin_folder / "ffmpeg").write_text(AS_FFMPEG.format(attempt=attempt))
    (bin_folder / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_folder))
    for name, value in reads(bin_folder).items():
        monkeypatch.setenv(name, value)
    made = prepare(tmp_path / "a.m4a", tmp_path / "cache")
    samples, _ = soundfile.read(made.audio.path)
    assert 0.2 < np.abs(samples).max() < 0.5  # 1.0 where it could
    assert [each.name for each in private.iterdir()] == ["secret"]
    assert (private / "secret").read_text() == "secret"


# ---------------------------------------------------------------------- the decoder process


def sound(path: Path, seed: int = 1, seconds: float = 0.2) -> Path:
    chance = np.random.default_rng(seed)
    soundfile.write(path, chance.uniform(-0.5, 0.5, (int(16_000 * seconds), 2)), 16_000)
    return path


@pytest.mark.usefixtures("fresh")
def test_many_short_recordings_at_once_share_one_process(tmp_path: Path) -> None:
    files = [sound(tmp_path / f"{number}.flac", number, 0.1 + number / 1000) for number in range(48)]
    first = helper.helper().pid
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda path: prepare(path, tmp_path / "cache"), files))
    assert [each.audio.samples for each in made] == [1600 + 16 * number for number in range(48)]
    assert helper.helper().pid == first
    assert psutil.Process(first).children() == [spare_decoder(first)]


@pytest.mark.usefixtures("fresh")
def test_a_killed_decoder_process_is_replaced(tmp_path: Path) -> None:
    first = helper.helper()
    prepare(sound(tmp_path / "a.flac", 1), tmp_path / "cache")
    os.kill(first.pid, signal.SIGKILL)
    assert prepare(sound(tmp_path / "b.flac", 2), tmp_path / "cache").audio.samples == 3200
    assert helper.helper().pid != first.pid
    assert not psutil.pid_exists(first.pid)


@pytest.mark.usefixtures("fresh")
def test_one_that_is_killed_meanwhile_costs_nothing(tmp_path: Path) -> None:
    first = helper.helper()
    left = iter([first.pid])

    def check() -> None:
        if (number := next(left, None)) is not None:
            os.kill(number, signal.SIGKILL)

    sound(tmp_path / "a.flac")
    assert prepare(tmp_path / "a.flac", tmp_path / "cache", check=check).audio.samples == 3200


@pytest.mark.usefixtures("fresh")
def test_a_killed_spare_child_costs_nothing(tmp_path: Path) -> None:
    first = helper.helper().pid
    for number in range(4):
        path = sound(tmp_path / f"{number}.flac", number)
        assert prepare(path, tmp_path / "cache").audio.samples == 3200
        there = spare_decoder(first)
        assert there is not None
        there.kill()
        wait_until_dead(there)
    assert helper.helper().pid == first


def wait_until_dead(process: psutil.Process) -> None:
    """It may be known to the decoder process by then, or not."""
    deadline = time.monotonic() + PATIENCE_S
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, f"{process} lives"
            time.sleep(0.001)


def test_what_cannot_start_says_why(tmp_path: Path, fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "soxr.py").write_text("raise ImportError('no soxr today')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NotDecodedError, match="no soxr today"):
        prepare(sound(tmp_path / "a.flac"), tmp_path / "cache")


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("mode", ["off", "files"])
def test_where_it_cannot_be_confined_it_works_and_that_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    missing = {"off": ("strict", "files"), "files": ("strict",)}[mode]
    if mode == "files" and why_not("files"):
        pytest.skip(f"the sandbox {why_not('files')}")
    monkeypatch.setattr(helper, "why_not", lambda asked: "needs Landlock" if asked in missing else "")
    monkeypatch.setattr(helper, "_said_once", threading.Event())
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "ffmpeg").write_text(AS_FFMPEG.format(attempt="os.close(3000)"))
    (bin_folder / "ffmpeg").chmod(0o755)
    (tmp_path / "b.m4a").write_bytes(b"\0\0\0\x18ftypM4A " + bytes(range(256)))
    monkeypatch.setenv("PATH", str(bin_folder))
    for name, value in reads(bin_folder).items():
        monkeypatch.setenv(name, value)
    assert prepare(sound(tmp_path / "a.flac"), tmp_path / "cache").audio.samples == 3200
    assert helper.helper().mode == mode
    assert prepare(tmp_path / "b.m4a", tmp_path / "cache").audio.samples == 16_000
    helper.drop()
    prepare(sound(tmp_path / "c.flac", 2), tmp_path / "cache")
    (said,) = [each.getMessage() for each in caplog.records if each.name == "orchestrator.audio"]
    assert "needs Landlock" in said


FORKING = """
import os, sys, warnings
from pathlib import Path
from orchestrator.audio import prepare
from orchestrator.audio.decoder.helper import helper
warnings.simplefilter("ignore", DeprecationWarning)
one, two, cache = sys.argv[1:]
prepare(one, Path(cache))
ours = helper().pid
child = os.fork()
if child == 0:
    prepare(two, Path(cache))
    os._exit(0 if helper().pid != ours else 1)
print(os.waitpid(child, 0)[1], helper().pid == ours)
"""


def test_a_fork_of_the_host_has_one_of_its_own(tmp_path: Path) -> None:
    files = [sound(tmp_path / "a.flac", 1), sound(tmp_path / "b.flac", 2)]
    command = [sys.executable, "-c", FORKING, *map(str, files), str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.stdout == "0 True\n", done.stderr
