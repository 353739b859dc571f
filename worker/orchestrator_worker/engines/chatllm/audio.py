"""Audio that libchatllm may be given: checked first, and under a name of our own.

The library puts the path unquoted into ``sh -c 'ffmpeg -i "…"'``: a user's name would be run as a command. And
for what it cannot read it makes up a text and reports success, it segfaults below 160 samples and aborts above
500 seconds. So each file is opened and looked through here, and the library gets a link with a plain name in a
folder of this job's; samples that came without a file are written there as WAV.
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


@contextlib.contextmanager
def under_a_plain_name(audio: Audio | None) -> Generator[str]:
    """Check the job's audio and lend a path that a shell cannot misread; it is gone afterwards.

    Raises:
        EngineError: No audio, none that can be read, too short, too long, or no safe folder for it.
        EngineUnavailableError: There is no ffmpeg.
    """
    checked = _checked(audio)
    require_ffmpeg()
    with _private_folder() as folder:
        path = f"{folder}/audio.wav"
        try:
            if checked.encoding == "wav":
                os.symlink(os.path.abspath(checked.path), path)
            else:
                _write_wav(checked, path)
            yield path
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def seconds_of(audio: Audio) -> float:
    """Return the length in seconds."""
    return audio.samples / SAMPLE_RATE_HZ


def _checked(audio: Audio | None) -> Audio:
    """Return the audio with the number of samples that its file really holds."""
    if audio is None:
        raise EngineError("chatllm: the job has no audio")
    try:
        held = _samples_of_wav(audio.path) if audio.encoding == "wav" else _samples_of_raw(audio)
    except (OSError, EOFError, wave.Error) as error:
        reason = getattr(error, "strerror", None) or str(error) or "it ends too early"
        raise EngineError(f"chatllm: {audio.path} cannot be read as audio: {reason}") from error
    if held < FEWEST_SAMPLES:
        raise EngineError(
            f"chatllm: the audio has {held} samples; the shortest it can take has {FEWEST_SAMPLES} "
            f"({FEWEST_SAMPLES * 1000 // SAMPLE_RATE_HZ} ms)"
        )
    if held > LONGEST_S * SAMPLE_RATE_HZ:
        raise EngineError(
            f"chatllm: the audio has {held / SAMPLE_RATE_HZ:.1f} s; the longest it can take has {LONGEST_S} s: "
            "cut it into pieces"
        )
    return Audio(audio.path, held, audio.encoding, audio.sample_rate)


def _samples_of_wav(path: str) -> int:
    with open(path, "rb") as raw, wave.open(raw, "rb") as file:
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
    with open(audio.path, "rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
    if size < audio.samples * width:
        raise EOFError("it is cut off")
    return audio.samples


def _write_wav(audio: Audio, path: str) -> None:
    """Write headerless samples as 16-bit WAV, block by block: a worker's memory is what is measured."""
    width = 2 if audio.encoding == "s16le" else 4
    left = audio.samples * width
    with open(audio.path, "rb", buffering=0) as source, wave.open(path, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(SAMPLE_RATE_HZ)
        while left:
            block = source.read(min(left, _BLOCK))
            while len(block) % width:
                block += source.read(width - len(block) % width)
            if not block:
                raise EngineError(f"chatllm: {audio.path} ended while it was read")
            left -= len(block)
            target.writeframesraw(block if width == 2 else _as_int16(block))


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
