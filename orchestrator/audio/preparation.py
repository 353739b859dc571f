"""One audio file, made safe for a worker: used in place, taken from the cache, or converted into it.

::

    user's file ── 16 kHz mono 16-bit PCM WAV ──────────────▶ in place
                ── converted before (same SHA-256) ─────────▶ CACHE/<sha256>.wav
                ── soundfile reads it ──────────────────────▶ converted into the cache
                ── ffmpeg reads it ── 32-bit float WAV ─────▶ converted into the cache

The file is opened once and everything is read from that descriptor; a pipe or a device is refused before
anybody waits for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Generator
from pathlib import Path

import msgspec

from orchestrator.audio.conversion import (
    SAMPLE_RATE_HZ,
    Converted,
    UnreadableError,
    convert,
    cut_off,
    no_samples,
)
from orchestrator.audio.ffmpeg import decode_with_ffmpeg
from orchestrator.audio.wav_header import PCM, WavHeader, read_wav_header
from orchestrator.errors import AudioError, reason_of
from orchestrator_worker.protocol import Audio

_TEXT_PROBE_BYTES = 512


class PreparedAudio(msgspec.Struct, frozen=True):
    """``audio`` is what a worker gets; ``sha256`` is of the user's own file.

    ``seconds`` is the length. ``conversion`` is empty for a file used in place, else such as ``converted
    from 44100 Hz stereo``.
    """

    audio: Audio
    seconds: float
    sha256: str
    conversion: str = ""


def prepare(path: str | Path, cache_dir: Path) -> PreparedAudio:
    """Make ``path`` readable for a worker. Blocks while a long file is converted for the first time.

    ``cache_dir`` is made when something has to be converted.

    Raises:
        AudioError: The file is missing, unreadable, no audio, empty, cut off or not made of numbers; or its
        converted
            copy cannot be written. Names ``path`` as given.
    """
    shown = str(path)
    with _opened(shown) as descriptor:
        header = read_wav_header(descriptor)
        if header is not None:
            _refuse_false_claims(shown, header)
        sha256 = _sha256(descriptor)
        if header is not None and _usable_in_place(header) and _is_text(shown):
            return _prepared(Path(path).absolute(), header.frames_held, sha256, "")
        copy = cache_dir / f"{sha256}.wav"
        facts = copy.with_suffix(".json")
        converted = _cached(copy, facts) or _converted(shown, descriptor, copy, facts)
        return _prepared(copy.absolute(), converted.samples, sha256, converted.conversion)


def _prepared(path: Path, samples: int, sha256: str, conversion: str) -> PreparedAudio:
    return PreparedAudio(Audio(str(path), samples), samples / SAMPLE_RATE_HZ, sha256, conversion)


@contextlib.contextmanager
def _opened(shown: str) -> Generator[int]:
    try:  # without O_NONBLOCK, opening a pipe waits for its writer
        descriptor = os.open(shown, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise AudioError(
            shown, "there is no such file", "check the path; inside experiments.toml it counts from that file"
        ) from None
    except (OSError, ValueError) as error:
        raise AudioError(
            shown, f"cannot be opened: {reason_of(error)}", "check its path and permissions"
        ) from error
    try:
        _refuse_what_is_no_file(shown, os.fstat(descriptor))
        yield descriptor
    except OSError as error:
        raise AudioError(
            shown, f"cannot be read: {error.strerror or error}", "take another copy of it"
        ) from error
    finally:
        os.close(descriptor)


def _refuse_what_is_no_file(shown: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(shown, "is a folder", "name the audio file in it")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(shown, "is a pipe or a device, not a file", "save it to a file first")
    if status.st_size == 0:
        raise AudioError(shown, "is an empty file (0 bytes)", "copy or record it again")


def _refuse_false_claims(shown: str, header: WavHeader) -> None:
    if header.frames_claimed is not None and header.frames_claimed > header.frames_held:
        raise cut_off(shown, header.frames_claimed, header.frames_held)
    if header.frames_held == 0:
        raise no_samples(shown)


def _usable_in_place(header: WavHeader) -> bool:
    as_wanted = (header.format_tag, header.channels, header.rate_hz, header.bits) == (
        PCM,
        1,
        SAMPLE_RATE_HZ,
        16,
    )
    return as_wanted and header.frames_claimed == header.frames_held


def _is_text(path: str) -> bool:
    """Whether a path can be named to a worker: one with bytes that are no UTF-8 cannot, its copy can."""
    try:
        os.path.abspath(path).encode()  # noqa: PTH100 - without reading links
    except UnicodeEncodeError:
        return False
    return True


def _sha256(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", closefd=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cached(copy: Path, facts: Path) -> Converted | None:
    """Return what was converted before, provided that the copy is still whole."""
    try:
        converted = msgspec.json.decode(facts.read_bytes(), type=Converted)
        with open(copy, "rb") as file:
            header = read_wav_header(file.fileno())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    whole = header is not None and _usable_in_place(header) and header.frames_held == converted.samples
    return converted if whole else None


def _converted(shown: str, descriptor: int, copy: Path, facts: Path) -> Converted:
    _refuse_text(shown, descriptor)
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".converting-", dir=copy.parent) as private:
            raw = Path(private) / "converted.wav"
            converted = _decode(shown, descriptor, raw, Path(private))
            raw.replace(copy)
            told = Path(private) / "facts.json"
            told.write_bytes(msgspec.json.encode(converted))
            told.replace(facts)
    except OSError as error:
        hint = "make room and permissions there, or give 16 kHz mono 16-bit WAV, which needs no copy"
        raise AudioError(
            shown,
            f"its converted copy cannot be written to {copy.parent}: {error.strerror or error}",
            hint,
        ) from error
    return converted


def _decode(shown: str, descriptor: int, target: Path, private: Path) -> Converted:
    try:
        return convert(shown, descriptor, target)
    except UnreadableError as error:
        between = private / "decoded.wav"
        decode_with_ffmpeg(shown, descriptor, between, f"soundfile cannot read it ({error})")
    with open(between, "rb") as file:
        try:
            converted = convert(shown, file.fileno(), target)
        except UnreadableError as error:
            raise AudioError(shown, f"ffmpeg made no audio of it ({error})", "convert it to WAV") from error
    kind = " (WAV FLOAT)"
    return msgspec.structs.replace(converted, conversion=converted.conversion.replace(kind, " by ffmpeg"))


def _refuse_text(shown: str, descriptor: int) -> None:
    """Refuse text before a decoder guesses: some play lists are text and lead to other files."""
    start = os.pread(descriptor, _TEXT_PROBE_BYTES, 0)
    controls = bytes(code for code in range(32) if code not in b"\t\n\f\r")
    if not any(code in controls for code in start) and _is_utf8(start):
        raise AudioError(shown, "is text, not audio, whatever its name says", "give the recording itself")


def _is_utf8(start: bytes) -> bool:
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return error.start > len(start) - 4 and len(start) == _TEXT_PROBE_BYTES  # cut inside a character
    return True
