"""ffmpeg as a child process: what it may read, what it may write, and that it never outlives us."""

from __future__ import annotations

import io
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import soundfile

from fake_ffmpeg import reads
from orchestrator.audio import ffmpeg as ffmpeg_module
from orchestrator.audio import prepare
from orchestrator.errors import AudioError, NotDecodedError

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in reads(tmp_path).items():
        monkeypatch.setenv(name, value)


def fake(folder: Path, body: str) -> Path:
    """Put an ffmpeg in Python into a folder: 8 kHz mono by its header, then what ``body`` does."""
    folder.mkdir()
    script = folder / "ffmpeg"
    head = "os.write(1, struct.pack('>4sIIIII', b'.snd', 24, 0xFFFFFFFF, 6, 8000, 1))"
    script.write_text(f"#!{sys.executable}\nimport os, struct, sys, time\n{head}\n{body}\n")
    script.chmod(0o755)
    return folder


def with_memory(monkeypatch: pytest.MonkeyPatch, available: int) -> None:
    """Have so many bytes of memory that is free."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=available))


def unknown(path: Path) -> Path:
    path.write_bytes(b"\0\0\0\x18ftypM4A " + bytes(range(256)))
    return path


def tone(path: Path, seconds: float = 1.0) -> Path:
    soundfile.write(path, 0.5 * np.sin(np.arange(int(16_000 * seconds)) / 7), 16_000)
    return path


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def running(host: int, program: str) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(host).children(recursive=True):
        with suppress(psutil.Error):
            if program in child.cmdline() and child.cmdline()[0] != program:  # its interpreter has begun
                found.append(child)
    return found


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not gone(pid):
        assert time.monotonic() < deadline, f"{pid} lives"
        time.sleep(0.01)


# ---------------------------------------------------------------------- what it may read


def manifests(folder: Path, other: Path) -> dict[str, bytes]:
    dash = f"""<?xml version="1.0" encoding="ISO-8859-1"?><!-- \xe9 -->
    <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"
    profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="audio/mp4">
    <Representation id="1" bandwidth="1"><BaseURL>{other}</BaseURL></Representation></AdaptationSet></Period></MPD>"""
    return {
        "dash": dash.encode("latin-1"),
        "hls": b"#EXTM3U\n#EXT-X-VERSION:3\n#\1\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n"
        + f"{other}\n#EXT-X-ENDLIST\n".encode(),
        "concat": f"ffconcat version 1.0\n#\1\xff\nfile '{other}'\n".encode("latin-1"),
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\xff\0\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
        "image2": b"\x89PNG\r\n\x1a\n" + bytes(100),
    }


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["dash", "hls", "concat", "sdp", "image2"])
@pytest.mark.parametrize("ending", ["mp3", "wav", "m3u8", "mpd"])
def test_a_list_of_other_files_is_no_recording(tmp_path: Path, kind: str, ending: str) -> None:
    other = tone(tmp_path / "private.wav")
    path = tmp_path / f"x.{ending}"
    path.write_bytes(manifests(tmp_path, other)[kind])
    with pytest.raises(AudioError) as caught:
        prepare(path, tmp_path / "cache")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, NotDecodedError)
    if kind in {"dash", "hls", "concat"}:
        assert "is a play list, a manifest or another kind of file" in str(caught.value)
    assert not list((tmp_path / "cache").glob("*"))


@needs_ffmpeg
def test_a_pipe_named_in_a_list_holds_up_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for kind, content in manifests(tmp_path, tmp_path / "pipe.wav").items():
        (tmp_path / f"{kind}.mp3").write_bytes(content)
        with pytest.raises(AudioError):
            prepare(tmp_path / f"{kind}.mp3", tmp_path / "cache")


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/tty", "/dev/random", "/proc/self/mem"])
def test_links_to_devices_are_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "x.wav").symlink_to(target)
    with pytest.raises(AudioError):
        prepare(tmp_path / "x.wav", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@needs_ffmpeg
def test_a_film_that_names_another_file_as_its_sound_gets_nothing_of_it(tmp_path: Path) -> None:
    """An MP4 whose data reference is an alias: ffmpeg does not follow it unless it is told to."""
    other = tone(tmp_path / "private.wav")
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", other, "-c:a", "aac", tmp_path / "x.m4a"], check=True, timeout=100
    )
    content = (tmp_path / "x.m4a").read_bytes()
    at = content.index(b"url \0\0\0\1")
    (tmp_path / "x.m4a").write_bytes(content[:at] + b"alis\0\0\0\0" + content[at + 8 :])
    made = prepare(tmp_path / "x.m4a", tmp_path / "cache")  # what is in it is its own
    assert made.seconds == pytest.approx(1.0, abs=0.2)


# ---------------------------------------------------------------------- what it may write, and how long it lives

LIMITS = """
import resource
deadline = time.monotonic() + 50
while resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 0 and time.monotonic() < deadline:
    time.sleep(0.01)
try:
    with open(os.environ["TMPDIR"] + "/made", "wb") as file:
        file.write(bytes(10))
    wrote = 1.0
except OSError:
    wrote = 0.5
secret = 1.0 if "SECRET" in os.environ else 0.5
os.write(1, struct.pack(">f", wrote * secret) * 8000)
"""


def test_it_writes_no_file_and_gets_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake(tmp_path / "bin", LIMITS)))
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    samples, _ = soundfile.read(prepare(unknown(tmp_path / "a.m4a"), tmp_path / "cache").audio.path)
    assert "0.25" in f"{np.abs(samples).max():.2f}" or np.abs(samples).max() < 0.3


HOST = """
import sys
from pathlib import Path
from orchestrator.audio import prepare
prepare(sys.argv[1], Path(sys.argv[2]))
"""


@pytest.mark.parametrize("busy", [True, False], ids=["writing", "thinking"])
def test_it_dies_with_a_killed_host_and_what_is_left_is_swept(tmp_path: Path, busy: bool) -> None:
    """Also one that writes nothing and so would never notice."""
    work = "while True: os.write(1, bytes(32000)); time.sleep(0.01)" if busy else "time.sleep(1000)"
    folder = fake(tmp_path / "bin", work)
    environment = {**os.environ, "PATH": f"{folder}"}
    command = [sys.executable, "-c", HOST, str(unknown(tmp_path / "a.m4a")), str(tmp_path / "cache")]
    host = subprocess.Popen(command, env=environment)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := running(host.pid, f"{folder}/ffmpeg")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        everybody = psutil.Process(host.pid).children(recursive=True)
    finally:
        host.kill()
        assert host.wait(PATIENCE_S) == -signal.SIGKILL
    assert len(everybody) >= 3  # the decoder process, its child, ffmpeg
    for each in {*everybody, *found}:
        wait_until_gone(each.pid)
    assert [left.name[:12] for left in (tmp_path / "cache").iterdir()] == [".converting-"]
    stereo = tmp_path / "b.wav"
    soundfile.write(stereo, np.zeros((800, 2)), 16_000)
    prepare(stereo, tmp_path / "cache")
    assert sorted(left.suffix for left in (tmp_path / "cache").iterdir()) == [".json", ".wav"]


def test_leaving_early_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake(tmp_path / "bin", "while True: os.write(1, bytes(32000))")))
    calls = iter(range(100))

    def check() -> None:
        if next(calls) > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(unknown(tmp_path / "a.m4a"), tmp_path / "cache", check=check)
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_ffmpeg_has_said_is_known_before_a_thread_had_time_to_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ffmpeg_module.threading.Thread, "start", lambda _: None)
    ours, its = os.pipe()
    with open(ours, "rb", buffering=0) as stream:
        said = ffmpeg_module._Said(stream)
        os.write(its, b"Input #0, mov, ")
        assert said.head() == "Input #0, mov, "
        os.write(its, b"from it")
        os.close(its)
        assert said.head() == said.head() == "Input #0, mov, from it"


# ---------------------------------------------------------------------- what is not the recording's fault


def test_a_missing_ffmpeg_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotDecodedError, match="there is no ffmpeg") as caught:
        prepare(unknown(tmp_path / "a.m4a"), tmp_path / "cache")
    assert caught.value.shortage == "ffmpeg"


def test_a_killed_ffmpeg_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake(tmp_path / "bin", "os.kill(os.getpid(), 9)")))
    with pytest.raises(NotDecodedError) as caught:
        prepare(unknown(tmp_path / "a.m4a"), tmp_path / "cache")
    assert caught.value.shortage == "system"


@pytest.mark.parametrize("words", ["a", "a" * 5000])
def test_memory_that_a_broken_file_asks_for_is_the_recordings_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    with_memory(monkeypatch, 64 << 30)
    said = f"os.write(2, b'{words}: Cannot allocate memory'); os._exit(1)"
    monkeypatch.setenv("PATH", str(fake(tmp_path / "bin", said)))
    with pytest.raises(AudioError, match=r"ffmpeg cannot read it either \(a") as caught:
        prepare(unknown(tmp_path / "a.m4a"), tmp_path / "cache")
    assert not isinstance(caught.value, NotDecodedError)


def test_memory_that_the_machine_lacks_is_not_the_recordings_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "PATH", str(fake(tmp_path / "bin", "os.write(2, b'Cannot allocate memory'); os._exit(1)"))
    )
    with_memory(monkeypatch, 1 << 20)
    with pytest.raises(NotDecodedError, match="Cannot allocate memory") as caught:
        prepare(unknown(tmp_path / "a.m4a"), tmp_path / "cache")
    assert caught.value.shortage == "system"


@needs_ffmpeg
def test_a_wav_that_ffmpeg_finds_no_memory_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The format chunk is said to have 4.4 MB; this ffmpeg reports ENOMEM for what it does not find there."""
    with_memory(monkeypatch, 64 << 30)
    whole = io.BytesIO()
    soundfile.write(whole, np.zeros(5000), 16_000, "PCM_16", format="WAV")
    broken = whole.getvalue().replace(b"fmt \x10\0\0", b"fmt \x10\0D")
    assert broken != whole.getvalue()
    (tmp_path / "a.wav").write_bytes(broken)
    with pytest.raises(AudioError) as caught:
        prepare(tmp_path / "a.wav", tmp_path / "cache")
    assert not isinstance(caught.value, NotDecodedError)


def test_a_crash_of_ffmpeg_is_the_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake(tmp_path / "bin", "os.write(1, bytes(400)); os.abort()")))
    with pytest.raises(AudioError) as caught:
        prepare(unknown(tmp_path / "a.m4a"), tmp_path / "cache")
    assert not isinstance(caught.value, NotDecodedError)


def test_a_full_disk_is_told_apart(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the same write fails."""
    soundfile.write(tmp_path / "a.wav", np.zeros((160_000, 2)), 16_000)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    script = f"""{limit}
import sys
from pathlib import Path
from orchestrator.audio import prepare
from orchestrator.errors import NotDecodedError
try:
    prepare(sys.argv[1], Path(sys.argv[2]))
except NotDecodedError as error:
    print(error.shortage, str(error).count(chr(10)), *Path(sys.argv[2]).iterdir())
"""
    command = [sys.executable, "-c", script, str(tmp_path / "a.wav"), str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.stdout == "disk 0\n", done.stderr


def test_a_header_of_another_kind_is_no_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ffmpeg").write_text(
        f"#!{sys.executable}\nimport os\nos.write(1, {struct.pack('>6I', 1, 2, 3, 4, 5, 6)!r})\n"
    )
    (folder / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(AudioError):
        prepare(unknown(tmp_path / "a.m4a"), tmp_path / "cache")
