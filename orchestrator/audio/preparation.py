"""One audio file, made safe for a worker: used in place, taken from the cache, or converted into it.

::

    user's file ── converted before (same SHA-256) ─────────▶ CACHE/<sha256>-2.wav
                ── 16 kHz mono 16-bit PCM WAV ──────────────▶ in place
                ── soundfile reads it ──────────────────────▶ converted into the cache
                ── ffmpeg streams it, 32-bit floats ────────▶ converted into the cache

The file is opened once and all is read from that descriptor; a pipe or a device is refused before anybody waits for
it. This process reads its bytes for their hash, and what they mean nowhere: that is told by a confined process
(:mod:`.decoder`).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
from collections.abc import Generator
from functools import partial
from pathlib import Path

import msgspec

from orchestrator.audio.cache import PrivateFolder, make_private, prune, sweep
from orchestrator.audio.decoder.client import Output, decode, wav_header
from orchestrator.audio.decoder.job import Check
from orchestrator.audio.decoder.messages import Converted, Header, InPlace
from orchestrator.audio.pcm_file import HEADER_BYTES, SAMPLE_RATE_HZ, Pcm, is_whole, new_file
from orchestrator.errors import AudioError, AudioTooLongError, NotDecodedError, reason_of
from orchestrator_worker.protocol import Audio

_WAY = 2
"""Counts the ways in which recordings were converted: copies of an earlier one are not used."""
_URL = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):/{1,3}(?=[^/])")
_USER = re.compile(r"^[^/?#]*@")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
_MOST_KNOWN = 4096
_known: dict[str, InPlace] = {}
"""By their hashes, files that can be used in place: jobs on the same file ask once. One content has one answer."""


class PreparedAudio(msgspec.Struct, frozen=True):
    """``audio`` is what a worker gets; ``sha256`` is of the user's own file.

    ``seconds`` is the length, ``start`` the byte of the file of ``audio`` where samples begin. ``conversion`` is empty
    for a file used in place, else such as ``converted from 44100 Hz stereo``. ``remarks`` are sentences for people:
    what is odd about the file and was done about it.
    """

    audio: Audio
    seconds: float
    sha256: str
    conversion: str = ""
    remarks: tuple[str, ...] = ()
    start: int = HEADER_BYTES

    def sound(self) -> Pcm:
        """Return its samples, for reading."""
        return Pcm(self.audio.path, self.start, self.audio.samples)


def prepare(
    path: str | Path, cache_dir: Path, *, check: Check = lambda: None, longest_s: float | None = None
) -> PreparedAudio:
    """Make ``path`` readable for a worker. Blocks while a long file is converted for the first time.

    ``cache_dir`` is made when something has to be converted. ``check`` is called now and then meanwhile; what it raises
    ends the conversion. Of a recording of more than ``longest_s`` seconds no more than that is converted.

    Raises:
        AudioTooLongError: It is.
        NotDecodedError: There is no ffmpeg, no room for the copy, or no descriptors or memory; the file may be good.
        AudioError: The file is missing, unreadable, no audio, empty, cut off, not made of numbers, or a URL.
            Names ``path`` as given.
    """
    shown = str(path)
    with _opened(shown) as descriptor:
        sha256 = _sha256(descriptor, check)
        copy = cache_dir / f"{sha256}-{_WAY}.wav"
        may_stay = _is_text(shown)
        found: Converted | InPlace | None = _known.get(sha256) if may_stay else None
        found = found or _cached(copy) or _converted(shown, descriptor, copy, may_stay, check, longest_s)
        frames = found.frames if isinstance(found, InPlace) else found.samples
        if longest_s is not None and frames > longest_s * SAMPLE_RATE_HZ + 1:
            raise AudioTooLongError(shown, longest_s)
        if isinstance(found, InPlace):
            _remember(sha256, found)
            audio = Audio(str(Path(path).absolute()), found.frames)
            return PreparedAudio(audio, found.frames / SAMPLE_RATE_HZ, sha256, start=found.start)
        audio = Audio(str(copy.absolute()), found.samples)
        seconds = found.samples / SAMPLE_RATE_HZ
        return PreparedAudio(audio, seconds, sha256, found.conversion, found.remarks)


def wav_header_of(path: str | Path) -> Header | None:
    """Return what a WAV file's header tells, None of any other file.

    Raises:
        AudioError: It cannot be read.
    """
    with _opened(str(path)) as descriptor:
        return wav_header(descriptor)


def _remember(sha256: str, found: InPlace) -> None:
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[sha256] = found


def url_in(path: str) -> str | None:
    """Return the URL that was given in the place of a path, or None; ``Path`` has taken one of its slashes.

    To be shown: name and password of a user in it are left out.
    """
    found = _URL.match(path)
    if found is None or os.path.lexists(path):
        return None
    slashes = "///" if found[1].casefold() == "file" else "//"
    return f"{found[1]}:{slashes}{_USER.sub('…@', path[found.end() :])}"


def url_problem(url: str) -> tuple[str, str]:
    """Return what is wrong with a URL and what to do about it."""
    if url.startswith("file://"):
        return "is a URL", "give the file's path, without file://"
    return "is a URL, and nothing is fetched from the network", "download it first, then give the file"


@contextlib.contextmanager
def _opened(shown: str) -> Generator[int]:
    try:  # without O_NONBLOCK, opening a pipe waits for its writer
        descriptor = os.open(shown, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        if url := url_in(shown):
            raise AudioError(url, *url_problem(url)) from None
        raise AudioError(shown, "there is no such file", "check the path") from None
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


def _cached(copy: Path) -> Converted | None:
    """Return what was converted before, provided that the copy is still whole; it counts as used now."""
    facts = copy.with_suffix(".json")
    try:
        converted = msgspec.json.decode(facts.read_bytes(), type=Converted)
        if not is_whole(copy, converted.samples):
            return None
        os.utime(copy)
        os.utime(facts)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    return converted


def _converted(
    shown: str, descriptor: int, copy: Path, may_stay: bool, check: Check, longest_s: float | None
) -> Converted | InPlace:
    try:
        with contextlib.ExitStack() as stack:
            output = Output(copy.parent, partial(_new_copy, copy.parent, stack))
            found = decode(shown, descriptor, output, may_stay=may_stay, check=check, longest_s=longest_s)
            if isinstance(found, Converted):
                _keep(found, output, copy)
        if isinstance(found, Converted):
            prune(copy.parent)
    except OSError as error:
        raise _not_written(shown, copy.parent, error) from error
    return found


def _new_copy(folder: Path, stack: contextlib.ExitStack) -> tuple[Path, int]:
    make_private(folder)
    sweep(folder)
    private = PrivateFolder(folder)
    stack.callback(private.close)
    path = private.path / "converted.wav"
    descriptor = new_file(path)
    stack.callback(os.close, descriptor)
    return path, descriptor


def _keep(converted: Converted, output: Output, copy: Path) -> None:
    output.path.replace(copy)
    told = output.path.with_name("facts.json")
    told.write_bytes(msgspec.json.encode(converted))
    told.chmod(0o600)
    told.replace(copy.with_suffix(".json"))


def _not_written(shown: str, folder: Path, error: OSError) -> AudioError:
    problem = f"its converted copy cannot be written to {folder}: {error.strerror or error}"
    if error.errno in _SHORT:
        return _short(shown, error)
    full = " (the disk is full, or nearly)" if error.errno in _FULL else ""
    hint = "make room and permissions there, or give 16 kHz mono 16-bit WAV, which needs no copy"
    return NotDecodedError(shown, problem + full, hint, shortage="disk")
