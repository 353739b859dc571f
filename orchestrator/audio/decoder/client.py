"""One recording decoded: its bounds, who is asked for it, and what is made of the answer."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

from orchestrator.audio.decoder.helper import Helper, HelperLostError, drop, helper, kept_environment
from orchestrator.audio.decoder.job import HARMFUL, Check, Job, nonsense, not_now
from orchestrator.audio.decoder.messages import (
    INSTALL_REMEDY,
    Bounds,
    Converted,
    Header,
    InPlace,
    Last,
    Problem,
    Request,
    Unreadable,
)
from orchestrator.audio.pcm_file import HEADER_BYTES, SAMPLE_BYTES, SAMPLE_RATE_HZ, room_in, write_header
from orchestrator.errors import AudioError, AudioTooLongError, NotDecodedError

LONGEST_S = 100 * 3600.0
"""Of one recording; a small file may claim to hold years of silence."""
STALL_S = 120.0
"""ffmpeg may think for so long between two pieces of output."""
LONGEST_WORK_S = 3600.0
"""A decoder may work for so long, and a second more for each 100 kB of the file."""
MEMORY_BYTES = 2 << 30
_ADDRESS_BYTES = 8 << 30
_BYTES_A_SECOND = 100_000
READS_VARIABLE = "ORCHESTRATOR_FFMPEG_READS"
"""Folders that an ffmpeg outside the system's folders needs besides its own libraries, separated by colons."""
_LIBRARIES = ("lib", "lib64", "Cellar", "opt")


class Output:
    """Where the sound goes, made when it is first needed: ``make`` returns path and descriptor, and may raise."""

    def __init__(self, folder: Path, make: Callable[[], tuple[Path, int]]) -> None:
        self.folder = folder
        self._make = make
        self.path = folder
        self.descriptor = -1

    def open(self) -> int:
        """Return the descriptor."""
        if self.descriptor < 0:
            self.path, self.descriptor = self._make()
        return self.descriptor


def decode(
    shown: str,
    descriptor: int,
    output: Output,
    *,
    may_stay: bool,
    check: Check,
    longest_s: float | None = None,
) -> Converted | InPlace:
    """Decode the open file ``descriptor`` into ``output``, or find that workers can read it as it is (``may_stay``).

    Blocks. ``check`` is called every tenth of a second; what it raises ends the decoding. Errors name ``shown``. No
    more than ``longest_s`` seconds of sound are converted; None: :data:`LONGEST_S`.

    Raises:
        NotDecodedError: There is no ffmpeg, or the system has no room for a decoder; the file may be good.
        AudioTooLongError: It is.
        AudioError: It cannot be decoded, or the decoder crashed or met one of its bounds.
        OSError: The output could not be made or written.
    """
    bounds = _bounds(descriptor, output, longest_s)
    found = _ask(shown, descriptor, Request("soundfile", bounds, may_stay=may_stay), output, check)
    if isinstance(found, Unreadable):
        found = _ask(shown, descriptor, _for_ffmpeg(shown, found.problem, bounds), output, check)
    match found:
        case Converted():
            _finish(shown, found, output, bounds)
            return found
        case InPlace() if may_stay and 0 < found.frames * SAMPLE_BYTES <= _size(descriptor) - found.start:
            return found
        case Problem():
            raise _error(shown, found, output, bounds)
        case _:
            raise nonsense(shown)


def wav_header(descriptor: int) -> Header | None:
    """Return what the header of an open WAV file tells, None of any other file.

    Raises:
        AudioError: It could not be read.
    """
    bounds = _bounds(descriptor, None)
    found = _ask("it", descriptor, Request("header", bounds), None, lambda: None)
    return found if isinstance(found, Header) else None


def _size(descriptor: int) -> int:
    return os.fstat(descriptor).st_size


def _bounds(descriptor: int, output: Output | None, longest_s: float | None = None) -> Bounds:
    size = _size(descriptor)
    longest_s = LONGEST_S if longest_s is None else longest_s
    most = int(longest_s * SAMPLE_RATE_HZ) * SAMPLE_BYTES + (1 << 20)
    if output is not None:
        most = min(most, max(0, room_in(output.folder)))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    most = most if limit == resource.RLIM_INFINITY else min(most, limit)
    return Bounds(
        longest_s,
        most,
        MEMORY_BYTES,
        _ADDRESS_BYTES + size,
        int(LONGEST_WORK_S) + size // _BYTES_A_SECOND,
        STALL_S,
    )


def _for_ffmpeg(shown: str, problem: str, bounds: Bounds) -> Request:
    said = f"soundfile cannot read it ({problem})"
    program = shutil.which("ffmpeg")
    if program is None:
        raise NotDecodedError(shown, f"{said}; there is no ffmpeg to try", INSTALL_REMEDY, shortage="ffmpeg")
    program = os.path.abspath(program)  # noqa: PTH100 - links are followed by the kernel
    environ = kept_environment()
    return Request(
        "ffmpeg",
        bounds,
        problem=said,
        program=os.fsencode(program),
        reads=tuple(map(os.fsencode, _needed_by(program, environ))),
        environ={os.fsencode(name): os.fsencode(value) for name, value in environ.items()},
    )


def _needed_by(program: str, environ: dict[str, str]) -> list[str]:
    """Return what an ffmpeg may need besides the system's libraries: those that lie beside it, and what users say."""
    prefixes = {Path(program).parents[1], Path(program).resolve().parents[1]} - {Path("/")}
    beside = [str(prefix / name) for prefix in prefixes for name in _LIBRARIES]
    named = environ.get("LD_LIBRARY_PATH", "").split(":") + os.environ.get(READS_VARIABLE, "").split(":")
    return [*beside, *(path for path in named if path.startswith("/"))]


def _ask(shown: str, descriptor: int, request: Request, output: Output | None, check: Check) -> Last:
    """Have one request carried out, by another decoder process where the first is found gone."""
    words = ""
    for _ in range(2):
        decoder: Helper | None = None
        try:
            decoder = _helper(shown)
            job = Job(shown, decoder, request)
            try:
                job.start(descriptor)
                return job.outcome(None if output is None else output.open, check)
            finally:
                job.close()
        except HelperLostError as error:
            words = str(error)
            drop(decoder)
    raise NotDecodedError(
        shown,
        f"the decoder process ended by itself ({words or 'it said no reason'})",
        "try again; if it stays so, see that this Python can import soundfile and soxr",
        shortage="system",
    )


def _helper(shown: str) -> Helper:
    try:
        return helper()
    except OSError as error:
        raise not_now(shown, error.strerror or str(error)) from error


def _finish(shown: str, done: Converted, output: Output, bounds: Bounds) -> None:
    """See that so many samples are there, and put our own header before them: the rest is sound, whatever it is."""
    if not 0 < done.samples <= bounds.longest_s * SAMPLE_RATE_HZ + 1 or output.descriptor < 0:
        raise nonsense(shown)
    if _size(output.descriptor) != HEADER_BYTES + done.samples * SAMPLE_BYTES:
        raise nonsense(shown)
    write_header(output.descriptor, done.samples)


def _error(shown: str, found: Problem, output: Output, bounds: Bounds) -> AudioError | OSError:
    match found.kind:
        case "ffmpeg" | "system":
            return NotDecodedError(shown, found.problem, found.hint, shortage=found.kind)
        case "output" if _is_full(output, bounds):
            return OSError(found.number, os.strerror(found.number))
        case "output":
            return AudioError(shown, f"could not be decoded: {os.strerror(found.number)}", HARMFUL)
        case "memory":
            return _out_of_memory(shown, found.problem)
        case "unforeseen":
            return AudioError(shown, f"could not be decoded: {found.problem}", HARMFUL)
        case "length":
            return AudioTooLongError(shown, bounds.longest_s)
        case "recording":
            return AudioError(shown, found.problem, found.hint)


def _is_full(output: Output, bounds: Bounds) -> bool:
    """Whether the output can really not be written: what is hostile may say so, and would stop a whole batch."""
    if bounds.output_bytes < bounds.longest_s * SAMPLE_RATE_HZ * SAMPLE_BYTES:
        return True
    if room_in(output.folder) <= 0:
        return True
    try:
        os.pwrite(output.descriptor, bytes(1 << 20), _size(output.descriptor))
    except OSError:
        return True
    return False


def _out_of_memory(shown: str, problem: str) -> AudioError:
    """Return whose fault it is: the machine's where it has less than a decoder may take, else the recording's."""
    import psutil  # noqa: PLC0415 - rarely needed

    if psutil.virtual_memory().available < MEMORY_BYTES:
        return not_now(shown, os.strerror(errno.ENOMEM))
    needs = f"needs more than {MEMORY_BYTES / (1 << 30):g} GiB of memory to be decoded"
    return AudioError(shown, problem or needs, HARMFUL)
