"""Let ffmpeg decode what soundfile cannot read (m4a, the sound of a video …), as a stream.

::

    user's file ── descriptor ──▶ ffmpeg ── .au: 24 bytes of header, 32-bit floats ──▶ blocks, read here

All of it happens in a child of the decoder process (:mod:`.decoder`). ffmpeg gets the one descriptor and no path, no
terminal, no network, and it is confined as its parent is. It takes plain containers only: a play list or a manifest,
whatever its name, could lead it to other files. It writes to pipes alone (its limit for files is 0 bytes), so nothing
is left of it on disk, and the kernel kills it with its parent.

Time counts from the moment at which a player starts the file: the first of its tracks. MP4 and Matroska have a
beginning of their own; where that is at most ten minutes before the first track (later, it is a piece cut from a
live stream), it counts. A track that begins later is led in by silence, and gaps in it are filled.
"""

from __future__ import annotations

import errno
import os
import re
import select
import signal
import struct
import subprocess
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from orchestrator.audio.decoder.messages import INSTALL_REMEDY
from orchestrator.audio.decoding import Check, SaidNoMemoryError, Stream
from orchestrator.errors import AudioError, NotDecodedError

CONTAINERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,asf_o,au,avi,caf,dts,dtshd,dv,eac3,flac,flv,loas,matroska,webm,mov,mp4,m4a,"
    "mp3,mpc,mpc8,mpeg,mpegts,mxf,nut,ogg,oma,qcp,rm,shn,sox,tak,tta,voc,w64,wav,wtv,wv,xwma"
)
"""The demuxers that read one file and no other."""
_ANCHORED = ("mov,", "matroska,")
_ANCHOR_S = 600.0
_HEADER = struct.Struct(">4sIIIII")
_FLOAT_CODE = 6
_READ_BYTES = 1 << 18
_KEPT_HEAD, _KEPT_TAIL = 1 << 16, 1 << 13
_MOST_WORDS = 300
_INPUT = re.compile(r"^Input #0, (\S+), from ", re.MULTILINE)
_START = re.compile(r"^  Duration: [^\n]*?, start: (-?\d+\.\d+)", re.MULTILINE)
_SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOSPC}


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """The program, all of its environment, and what the process does before it becomes ffmpeg.

    ``stall_s``: it may think for so long between two pieces of output.
    """

    path: str
    environ: Mapping[bytes, bytes]
    narrow: Callable[[], None]
    stall_s: float


@contextmanager
def decoded_by_ffmpeg(ffmpeg: Ffmpeg, descriptor: int, problem: str, check: Check) -> Generator[Stream]:
    """Decode the first audio track of the open file ``descriptor``; leaving early ends ffmpeg.

    ``problem`` is what soundfile said, ``check`` is called now and then and may raise. Errors name no file.

    Raises:
        NotDecodedError: ffmpeg does not start, or the system has no room for it.
        SaidNoMemoryError: It got no memory, or says so.
        AudioError: It cannot read the file either, or gave nothing for ``stall_s``.
    """
    for tracks in (["-map", "0:V:0?", "-map", "0:a:0", "-c", "copy", "-f", "null", "pipe:2"], []):
        with _Running(ffmpeg, descriptor, tracks, problem, check) as running:
            header = running.header()
            if header is None and tracks:
                continue  # some tracks cannot be counted along; without them the start is that of the sound
            yield _stream(running, header)
            return


def _stream(running: _Running, header: tuple[int, int] | None) -> Stream:
    if header is None:
        raise running.failed()
    rate_hz, channels = header
    return Stream(rate_hz, channels, " by ffmpeg", None, running.blocks(channels), running.lead_s())


class _Running:
    """One ffmpeg with its pipes."""

    def __init__(
        self, ffmpeg: Ffmpeg, descriptor: int, tracks: list[str], problem: str, check: Check
    ) -> None:
        self._problem, self._check, self._stall_s = problem, check, ffmpeg.stall_s
        self._source = f"file:/dev/fd/{descriptor}"
        command = [ffmpeg.path, "-nostdin", "-hide_banner", "-nostats", "-v", "info"]
        command += ["-protocol_whitelist", "file", "-format_whitelist", CONTAINERS]
        command += ["-analyzeduration", "60M", "-probesize", "100M", "-i", self._source]
        command += [
            "-map",
            "0:a:0",
            "-af",
            "aresample=async=1:first_pts=0",
            "-c:a",
            "pcm_f32be",
            "-f",
            "au",
            "pipe:1",
        ]
        os.lseek(descriptor, 0, os.SEEK_SET)
        self._process = _start(ffmpeg, [*command, *tracks], descriptor)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._out: IO[bytes] = self._process.stdout
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN)
        self._said = _Said(self._process.stderr)

    def __enter__(self) -> _Running:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()
        try:
            if self._process.poll() is None:
                self._process.kill()
        except PermissionError:
            return  # an old kernel, where we may signal nobody: our own end, which is near, ends it
        self._process.wait()
        self._said.join()

    def header(self) -> tuple[int, int] | None:
        """Return rate and channels; None when ffmpeg ended without a sound."""
        raw = self._exactly(_HEADER.size)
        if len(raw) < _HEADER.size:
            return None
        magic, offset, _, encoding, rate_hz, channels = _HEADER.unpack(raw)
        if magic != b".snd" or encoding != _FLOAT_CODE or offset < _HEADER.size or not channels:
            return None
        self._exactly(offset - _HEADER.size)
        return rate_hz, channels

    def lead_s(self) -> float:
        """Return the seconds from the beginning of the container's time to its first track."""
        head = self._said.head()
        container, start = _INPUT.search(head), _START.search(head)
        if container is None or start is None or not container[1].startswith(_ANCHORED):
            return 0.0
        begins_s = float(start[1])
        return begins_s if 0 < begins_s <= _ANCHOR_S else 0.0

    def blocks(self, channels: int) -> Iterator[Any]:
        """Yield the sound; at its end, see that ffmpeg was content."""
        import numpy as np  # noqa: PLC0415

        frame_bytes = 4 * channels
        rest = b""
        while chunk := self._read():
            chunk = rest + chunk
            whole = len(chunk) - len(chunk) % frame_bytes
            rest = chunk[whole:]
            if whole:
                yield np.frombuffer(chunk, ">f4", whole // 4).reshape(-1, channels).astype(np.float32)
        if self._process.wait() != 0:
            raise self.failed()

    def _exactly(self, count: int) -> bytes:
        raw = b""
        while len(raw) < count and (chunk := self._read(count - len(raw))):
            raw += chunk
        return raw

    def _read(self, count: int = _READ_BYTES) -> bytes:
        self._check()
        if not self._poll.poll(self._stall_s * 1000):
            how_to = "convert it to WAV yourself, or cut it into pieces"
            raise AudioError("", f"ffmpeg gave nothing for {self._stall_s:g} s", how_to)
        return os.read(self._out.fileno(), count)

    def failed(self) -> AudioError | SaidNoMemoryError:
        """Return the error for an ffmpeg that ended badly."""
        code = self._process.wait()
        self._said.join()
        lines = self._said.text().replace(self._source, "it").strip().splitlines()
        if any("matches no streams" in line for line in lines):
            return AudioError("", "there is no sound in it", "give a file with sound")
        if any("not on whitelist" in line for line in lines):
            return AudioError(
                "",
                "is a play list, a manifest or another kind of file that is not taken, whatever its name says",
                "give the recording itself",
            )
        if code == -signal.SIGKILL:
            how_to = "see that there is memory for it, then try again"
            return NotDecodedError("", "ffmpeg was killed", how_to, shortage="system")
        last = lines[-1].strip()[:_MOST_WORDS] if lines else "no reason given"
        problem = f"{self._problem}; ffmpeg cannot read it either ({last})"
        # It says so of broken files too: of a length that it cannot ask for, or does not find there.
        if any("Cannot allocate memory" in line for line in lines[-5:]):
            return SaidNoMemoryError(problem)
        return AudioError("", problem, "give a file with sound")


class _Said:
    """What ffmpeg prints: its beginning and its end, read by a thread, so that it never waits for us."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._head, self._tail = b"", b""
        self._lock = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="ffmpeg-says", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream:
            while not self._ended:
                self._waits(None)
                with self._lock:
                    self._take()

    def _take(self) -> None:
        """Read what there is by now; under the lock."""
        if self._ended or not self._waits(0):
            return
        chunk = os.read(self._stream.fileno(), 1 << 16)
        if not chunk:
            self._ended = True
        elif len(self._head) < _KEPT_HEAD:
            self._head += chunk
        else:
            self._tail = (self._tail + chunk)[-_KEPT_TAIL:]

    def _waits(self, timeout_ms: int | None) -> bool:
        ready = select.poll()
        ready.register(self._stream, select.POLLIN)
        return bool(ready.poll(timeout_ms))

    def head(self) -> str:
        """Return its first words: all that it has said by now, also what the thread has had no time to read."""
        with self._lock:
            while not self._ended and len(self._head) < _KEPT_HEAD and self._waits(0):
                self._take()
        return self._head.decode(errors="replace")

    def text(self) -> str:
        """Return its first and last words."""
        return (self._head + self._tail).decode(errors="replace")

    def join(self) -> None:
        """Wait until it has said all."""
        self._thread.join()


def _start(ffmpeg: Ffmpeg, command: list[str], descriptor: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(descriptor,),
            env=ffmpeg.environ,
            preexec_fn=ffmpeg.narrow,  # noqa: PLW1509 - this process has one thread
        )
    except OSError as error:
        problem = f"{command[0]} does not start: {error.strerror}"
        if error.errno in _SHORTAGES:
            raise NotDecodedError("", problem, "try again later", shortage="system") from error
        raise NotDecodedError("", problem, INSTALL_REMEDY, shortage="ffmpeg") from error
    except subprocess.SubprocessError as error:
        problem = f"{command[0]} cannot be confined"
        raise NotDecodedError("", problem, "try again later", shortage="system") from error
