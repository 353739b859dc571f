"""Audio that libchatllm may be given: checked first, and under a name of our own.

The library puts the path unquoted into ``sh -c 'ffmpeg -i "…"'``: a user's name would be run as a command. And
for what it cannot read it makes up a text and reports success, it segfaults below 160 samples and aborts above
500 seconds. So all audio is read here, and the library gets what was read as the plainest of WAV files, with a plain
name in a folder of this job's: nothing is left that ffmpeg could refuse. Where the library's answer does not tell
whether it read that file, ffmpeg is run on it here, too, and what comes out is counted.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import re
import sys
import time
import wave
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from orchestrator_worker.audio import open_audio
from orchestrator_worker.engines.base import EngineError, EngineUnavailableError
from orchestrator_worker.protocol import Audio

FEWEST_SAMPLES = 160
LONGEST_S = 500
SAMPLE_RATE_HZ = 16_000
FFMPEG = "ffmpeg"
INSTALL_FFMPEG = "install ffmpeg (Debian, Ubuntu: apt-get install ffmpeg)"
FOLDER_PREFIX = "orchestrator-audio-"
ABANDONED_AFTER_S = 3600
"""A younger folder may be one that another worker has made and not locked yet."""
_PLAIN = re.compile(r"/[A-Za-z0-9/._-]*")
_PLACES = ("/tmp", "/var/tmp", "/dev/shm")
_BLOCK = 1 << 16
_UNREADABLE = (OSError, EOFError, wave.Error, RuntimeError)
"""What reading a WAV raises; RuntimeError where its header claims less than it then names."""


def require_ffmpeg() -> str:
    """Return the path of the ffmpeg that the library will find.

    Raises:
        EngineUnavailableError: There is none on PATH.
    """
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder or ".", FFMPEG)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise EngineUnavailableError(
        "chatllm.cpp reads audio by ffmpeg, and there is no ffmpeg on PATH", INSTALL_FFMPEG
    )


@dataclass(frozen=True)
class Part:
    """Samples ``first`` to ``stop`` of an audio that has been checked."""

    audio: Audio
    first: int
    stop: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.stop - self.first) / SAMPLE_RATE_HZ


def checked(audio: Audio | None) -> Part:
    """Return the whole audio with as many samples as its file really holds.

    Raises:
        EngineError: No audio, none that can be read, or too short.
    """
    if audio is None:
        raise EngineError("chatllm: the job has no audio")
    try:
        held = _samples_of_wav(audio.path) if audio.encoding == "wav" else _samples_of_raw(audio)
    except _UNREADABLE as error:
        reason = getattr(error, "strerror", None) or str(error) or "it ends too early"
        raise EngineError(f"chatllm: {audio.path} cannot be read as audio: {reason}") from error
    if held < FEWEST_SAMPLES:
        raise EngineError(
            f"chatllm: the audio has {held} samples; the shortest it can take has {FEWEST_SAMPLES} "
            f"({FEWEST_SAMPLES * 1000 // SAMPLE_RATE_HZ} ms)"
        )
    return Part(audio, 0, held)


def require_not_too_long(part: Part) -> None:
    """Refuse audio that the library aborts on.

    Raises:
        EngineError: It is longer than 500 s.
    """
    if part.stop - part.first > LONGEST_S * SAMPLE_RATE_HZ:
        raise EngineError(
            f"chatllm: the audio has {part.seconds:.1f} s; the longest it can take has {LONGEST_S} s: "
            "cut it into pieces"
        )


def within(part: Part, start_s: float, end_s: float) -> Part:
    """Return the samples from ``start_s`` to ``end_s`` of a part, at least as many as the library can take."""
    stop = min(part.stop, part.first + round(end_s * SAMPLE_RATE_HZ))
    first = max(part.first, min(part.first + round(start_s * SAMPLE_RATE_HZ), stop - FEWEST_SAMPLES))
    return Part(part.audio, first, stop)


@contextlib.contextmanager
def under_a_plain_name(part: Part) -> Generator[str]:
    """Lend a WAV file of the part, under a path that a shell cannot misread; it is gone afterwards.

    Raises:
        EngineError: It can no longer be read, or there is no safe folder for it, or no room.
        EngineUnavailableError: There is no ffmpeg.
    """
    require_ffmpeg()
    with _private_folder() as folder:
        path = f"{folder}/audio.wav"
        try:
            try:
                _write_wav(part, path)
            except _UNREADABLE as error:
                reason = getattr(error, "strerror", None) or str(error) or "it ends too early"
                raise EngineError(
                    f"chatllm: {part.audio.path} cannot be copied to {folder}: {reason}"
                ) from error
            yield path
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


class FfmpegProof:
    """Shows that ffmpeg reads what the library will have it read. Remembers what it has shown.

    The same audio and the same ffmpeg are not tried twice: a series repeats one recording a hundred times.
    """

    def __init__(self) -> None:
        self._shown: set[tuple[object, ...]] = set()

    def require(self, part: Part, path: str) -> None:
        """Run ffmpeg on ``path``, the WAV of ``part``, as the library does, and count what it gives.

        Raises:
            EngineError: It failed, or gave other than the samples there are.
        """
        program = require_ffmpeg()
        known = (*_identity(program), *_identity(part.audio.path), part.first, part.stop)
        if known in self._shown:
            return
        given, code, said = _decoded_bytes(program, path)
        wanted = 2 * (part.stop - part.first)
        if code != 0 or given != wanted:
            how = f"ended with code {code}" if code else f"gave {given // 2:,} of {wanted // 2:,} samples"
            raise EngineError(
                f"chatllm would make an answer up: {program}, by which it reads audio, {how}"
                + (f": {said}" if said else "")
                + "; try `ffmpeg -i FILE -f null -` with any audio, in the same environment"
            )
        self._shown.add(known)


def _identity(path: str) -> tuple[object, ...]:
    status = os.stat(path)
    return (path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _decoded_bytes(program: str, path: str) -> tuple[int, int, str]:
    """Return how many bytes ffmpeg decodes ``path`` to, its exit code, and its last line about it."""
    import subprocess

    words = [
        program,
        "-nostdin",
        "-v",
        "error",
        "-i",
        path,
        "-f",
        "s16le",
        "-ac",
        "1",
        "-ar",
        str(SAMPLE_RATE_HZ),
    ]
    given = 0
    with open(f"{path}.said", "w+b", buffering=0) as complaints:
        os.unlink(complaints.name)
        try:
            with subprocess.Popen([*words, "-"], stdout=subprocess.PIPE, stderr=complaints) as running:
                assert running.stdout is not None
                while block := running.stdout.read(_BLOCK):
                    given += len(block)
        except OSError as error:
            return 0, 127, error.strerror or str(error)
        complaints.seek(0)
        lines = complaints.read(_BLOCK).decode(errors="replace").split("\n")
    return given, running.returncode, next((line.strip() for line in reversed(lines) if line.strip()), "")


def _samples_of_wav(path: str) -> int:
    with open_audio(path) as raw, wave.open(raw, "rb") as file:
        form = (file.getframerate(), file.getnchannels(), file.getsampwidth())
        if form != (SAMPLE_RATE_HZ, 1, 2):
            raise EngineError(
                f"chatllm: {path} has {form[0]} Hz, {form[1]} channels, {form[2] * 8} bits; "
                "a job's audio is 16 kHz mono 16 bits, as orchestrator.audio makes it"
            )
        claimed = file.getnframes()
        if claimed:
            file.setpos(claimed - 1)
            if len(file.readframes(1)) != 2:
                raise EOFError("it is cut off")
        return claimed


def _samples_of_raw(audio: Audio) -> int:
    """Count what is there of headerless samples, at most as many as the job says."""
    width = 2 if audio.encoding == "s16le" else 4
    with open_audio(audio.path) as file:
        size = file.seek(0, os.SEEK_END)
    if size < audio.samples * width:
        raise EOFError("it is cut off")
    return audio.samples


def _write_wav(part: Part, path: str) -> None:
    """Write the part as 16-bit WAV, block by block: a worker's memory is what is measured."""
    with wave.open(path, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(SAMPLE_RATE_HZ)
        left = part.stop - part.first
        for block in _blocks_of_wav(part) if part.audio.encoding == "wav" else _blocks_of_raw(part):
            target.writeframesraw(block[: 2 * left])
            left -= len(block) // 2
            if left <= 0:
                return
    raise EngineError(f"chatllm: {part.audio.path} ended while it was read")


def _blocks_of_wav(part: Part) -> Iterator[bytes]:
    with open_audio(part.audio.path) as raw, wave.open(raw, "rb") as file:
        file.setpos(part.first)
        yield from iter(lambda: file.readframes(_BLOCK // 2), b"")


def _blocks_of_raw(part: Part) -> Iterator[bytes]:
    """Yield headerless samples as 16-bit ones."""
    width = 2 if part.audio.encoding == "s16le" else 4
    with open_audio(part.audio.path) as source:
        source.seek(part.first * width)
        while block := source.read(_BLOCK):
            while len(block) % width:
                rest = source.read(width - len(block) % width)
                if not rest:
                    return
                block += rest
            yield block if width == 2 else _as_int16(block)


def _as_int16(floats: bytes) -> bytes:
    values = array.array("f", floats)
    if sys.byteorder == "big":
        values.byteswap()
    clipped = array.array("h", (max(-32768, min(32767, round(value * 32768))) for value in values))
    if sys.byteorder == "big":
        clipped.byteswap()
    return clipped.tobytes()


# --------------------------------------------------------------------------- the folder


@contextlib.contextmanager
def _private_folder() -> Generator[str]:
    """Make a folder with a plain name, for us alone; locked while we live, so that others can tell."""
    folder = _make_folder()
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(folder)
        os.close(lock)


def _make_folder() -> str:
    tried: list[str] = []
    for place in _places():
        folder = f"{place.rstrip('/')}/{FOLDER_PREFIX}{os.urandom(8).hex()}"
        try:
            os.mkdir(folder, 0o700)
        except OSError as error:
            tried.append(f"{place}: {error.strerror}")
            continue
        return folder
    raise EngineError(
        "chatllm: no folder for a link to the audio ("
        + "; ".join(tried)
        + "); set TMPDIR to one that can be "
        "written, with only letters, digits and /._- in its path"
    )


def _places() -> Iterator[str]:
    """Yield TMPDIR if a shell reads it as it is written, then the usual ones."""
    for place in (os.environ.get("TMPDIR", ""), *_PLACES):
        if _PLAIN.fullmatch(place) and os.path.isdir(place):
            yield place


def sweep() -> None:
    """Remove the folders of workers that died in the middle of a job. A folder still locked is in use."""
    for place in dict.fromkeys(_places()):
        with contextlib.suppress(OSError):
            left = [name for name in os.listdir(place) if name.startswith(FOLDER_PREFIX)]
            for name in left:
                _remove_if_abandoned(f"{place.rstrip('/')}/{name}")


def _remove_if_abandoned(folder: str) -> None:
    with contextlib.suppress(OSError):
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            status = os.fstat(lock)
            if status.st_uid != os.getuid() or time.time() - status.st_mtime < ABANDONED_AFTER_S:
                return
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                os.unlink("audio.wav", dir_fd=lock)
            os.rmdir(folder)
        finally:
            os.close(lock)
