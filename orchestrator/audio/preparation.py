"""One audio file, made safe for a worker: used in place, taken from the cache, or converted into it.

::

    user's file ── 16 kHz mono 16-bit PCM WAV ──────────────▶ in place
                ── converted before (same SHA-256) ─────────▶ CACHE/<sha256>-2.wav
                ── soundfile reads it ──────────────────────▶ converted into the cache
                ── ffmpeg streams it, 32-bit floats ────────▶ converted into the cache

The file is opened once and everything is read from that descriptor; a pipe or a device is refused before
anybody waits for it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
from collections.abc import Generator, Iterator
from pathlib import Path

import msgspec

from orchestrator.audio.cache import make_private, private_folder, prune, sweep
from orchestrator.audio.conversion import (
    Converted,
    convert,
    cut_off,
    no_samples,
    refuse_impossible,
)
from orchestrator.audio.decoding import Check, Stream, UnreadableError, decoded_by_soundfile
from orchestrator.audio.ffmpeg import decoded_by_ffmpeg
from orchestrator.audio.pcm_file import SAMPLE_RATE_HZ
from orchestrator.audio.wav_header import FLOAT, PCM, WavFile, read_wav
from orchestrator.errors import AudioError, NotDecodedError, reason_of
from orchestrator_worker.protocol import Audio

_TEXT_PROBE_BYTES = 512
_WAY = 2
"""Counts the ways in which recordings were converted: copies of an earlier one are not used."""
_URL = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):/{1,3}(?=[^/])")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}


class PreparedAudio(msgspec.Struct, frozen=True):
    """``audio`` is what a worker gets; ``sha256`` is of the user's own file.

    ``seconds`` is the length. ``conversion`` is empty for a file used in place, else such as ``converted
    from 44100 Hz stereo``. ``remarks`` are sentences for people: what is odd about the file and was done about it.
    """

    audio: Audio
    seconds: float
    sha256: str
    conversion: str = ""
    remarks: tuple[str, ...] = ()


def prepare(path: str | Path, cache_dir: Path, *, check: Check = lambda: None) -> PreparedAudio:
    """Make ``path`` readable for a worker. Blocks while a long file is converted for the first time.

    ``cache_dir`` is made when something has to be converted. ``check`` is called now and then meanwhile; what it raises
    ends the conversion.

    Raises:
        NotDecodedError: There is no ffmpeg, no room for the copy, or no descriptors or memory; the file may be good.
        AudioError: The file is missing, unreadable, no audio, empty, cut off, not made of numbers, or a URL.
            Names ``path`` as given.
    """
    shown = str(path)
    with _opened(shown) as descriptor:
        wav = read_wav(descriptor)
        if wav is not None:
            _refuse_false_claims(shown, wav)
        sha256 = _sha256(descriptor, check)
        if wav is not None and _usable_in_place(wav) and _is_text(shown):
            return _prepared(Path(path).absolute(), wav.parts[0].frames, sha256)
        copy = cache_dir / f"{sha256}-{_WAY}.wav"
        facts = copy.with_suffix(".json")
        converted = _cached(copy, facts) or _converted(shown, descriptor, wav, copy, check)
        return _prepared(copy.absolute(), converted.samples, sha256, converted.conversion, converted.remarks)


def url_in(path: str) -> str | None:
    """Return the URL that was given in the place of a path, or None; ``Path`` has taken one of its slashes."""
    found = _URL.match(path)
    if found is None or os.path.lexists(path):
        return None
    slashes = "///" if found[1].casefold() == "file" else "//"
    return f"{found[1]}:{slashes}{path[found.end() :]}"


def url_problem(url: str) -> tuple[str, str]:
    """Return what is wrong with a URL and what to do about it."""
    if url.startswith("file://"):
        return "is a URL", "give the file's path, without file://"
    return "is a URL, and nothing is fetched from the network", "download it first, then give the file"


def _prepared(
    path: Path, samples: int, sha256: str, conversion: str = "", remarks: tuple[str, ...] = ()
) -> PreparedAudio:
    return PreparedAudio(Audio(str(path), samples), samples / SAMPLE_RATE_HZ, sha256, conversion, remarks)


@contextlib.contextmanager
def _opened(shown: str) -> Generator[int]:
    try:  # without O_NONBLOCK, opening a pipe waits for its writer
        descriptor = os.open(shown, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        if url := url_in(shown):
            raise AudioError(shown, *url_problem(url)) from None
        raise AudioError(
            shown, "there is no such file", "check the path; inside experiments.toml it counts from that file"
        ) from None
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in _SHORT:
            raise _short(shown, error) from error
        raise AudioError(
            shown, f"cannot be opened: {reason_of(error)}", "check its path and permissions"
        ) from error
    try:
        _refuse_what_is_no_file(shown, os.fstat(descriptor))
        yield descriptor
    except MemoryError as error:
        raise _short(shown, OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))) from error
    except OSError as error:
        if error.errno in _SHORT:
            raise _short(shown, error) from error
        raise AudioError(
            shown, f"cannot be read: {error.strerror or error}", "take another copy of it"
        ) from error
    finally:
        os.close(descriptor)


def _short(shown: str, error: OSError) -> NotDecodedError:
    problem = f"could not be decoded now: {error.strerror or error}"
    return NotDecodedError(shown, problem, "try again when other programs have ended", shortage="system")


def _refuse_what_is_no_file(shown: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(shown, "is a folder", "name the audio file in it")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(shown, "is a pipe or a device, not a file", "save it to a file first")
    if status.st_size == 0:
        raise AudioError(shown, "is an empty file (0 bytes)", "copy or record it again")


def _refuse_false_claims(shown: str, wav: WavFile) -> None:
    for part in wav.parts:
        refuse_impossible(shown, part.rate_hz, part.channels)
        if part.format_tag in {PCM, FLOAT} and not part.bits:
            raise AudioError(
                shown, "its header gives 0 bits a sample", "see to its header, or export it again"
            )
    held = wav.parts[0].frames
    if len(wav.parts) == 1 and wav.frames_claimed is not None and wav.frames_claimed > held:
        raise cut_off(shown, wav.frames_claimed, held)
    if not any(part.frames for part in wav.parts):
        raise no_samples(shown)


def _usable_in_place(wav: WavFile) -> bool:
    part = wav.parts[0]
    as_wanted = int.from_bytes(part.chunk[:2], "little") == PCM and part.chunk[2:16] == _WANTED
    return as_wanted and wav.plain and wav.frames_claimed == part.frames


_WANTED = b"".join(
    number.to_bytes(size, "little")
    for number, size in ((1, 2), (SAMPLE_RATE_HZ, 4), (2 * SAMPLE_RATE_HZ, 4), (2, 2), (16, 2))
)
"""A format chunk behind its code: channels, rate, bytes a second, bytes a frame, bits."""


def _is_text(path: str) -> bool:
    """Whether a path can be named to a worker: one with bytes that are no UTF-8 cannot, its copy can."""
    try:
        os.path.abspath(path).encode()  # noqa: PTH100 - without reading links
    except UnicodeEncodeError:
        return False
    return True


def _sha256(descriptor: int, check: Check) -> str:
    found = hashlib.sha256()
    position = 0
    while block := os.pread(descriptor, 1 << 22, position):
        check()
        found.update(block)
        position += len(block)
    return found.hexdigest()


def _cached(copy: Path, facts: Path) -> Converted | None:
    """Return what was converted before, provided that the copy is still whole; it counts as used now."""
    try:
        converted = msgspec.json.decode(facts.read_bytes(), type=Converted)
        descriptor = os.open(copy, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            wav = read_wav(descriptor)
        finally:
            os.close(descriptor)
        os.utime(copy)
        os.utime(facts)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    whole = wav is not None and wav.parts[0].frames == converted.samples == wav.frames_claimed
    return converted if whole else None


def _converted(shown: str, descriptor: int, wav: WavFile | None, copy: Path, check: Check) -> Converted:
    _refuse_text(shown, descriptor)
    try:
        make_private(copy.parent)
        sweep(copy.parent)
        with private_folder(copy.parent) as private:
            raw = private / "converted.wav"
            converted = convert(shown, lambda: _decoded(shown, descriptor, wav, check), raw)
            if wav is not None and wav.remark:
                converted = msgspec.structs.replace(converted, remarks=(wav.remark, *converted.remarks))
            raw.replace(copy)
            told = private / "facts.json"
            told.write_bytes(msgspec.json.encode(converted))
            told.chmod(0o600)
            told.replace(copy.with_suffix(".json"))
        prune(copy.parent)
    except OSError as error:
        raise _not_written(shown, copy.parent, error) from error
    return converted


def _not_written(shown: str, folder: Path, error: OSError) -> AudioError:
    problem = f"its converted copy cannot be written to {folder}: {error.strerror or error}"
    if error.errno in _SHORT:
        return _short(shown, error)
    full = " (the disk is full, or nearly)" if error.errno in _FULL else ""
    hint = "make room and permissions there, or give 16 kHz mono 16-bit WAV, which needs no copy"
    return NotDecodedError(shown, problem + full, hint, shortage="disk")


def _decoded(shown: str, descriptor: int, wav: WavFile | None, check: Check) -> Iterator[Stream]:
    begun = False
    try:
        for stream in decoded_by_soundfile(shown, descriptor, wav, check):
            begun = True
            yield stream
    except UnreadableError as error:
        if begun:
            raise AudioError(shown, f"damaged: {error}", "take another copy of it") from error
        with decoded_by_ffmpeg(shown, descriptor, f"soundfile cannot read it ({error})", check) as stream:
            yield stream


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
