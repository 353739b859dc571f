"""One recording decoded: ask the decoder process, wait, check the answer, and say how a child died."""

from __future__ import annotations

import errno
import os
import resource
import select
import shutil
import signal
import socket
import time
import weakref
from collections.abc import Callable
from itertools import chain, starmap
from pathlib import Path

import msgspec

from orchestrator.audio.decoder.helper import Helper, HelperLostError, drop, helper, kept_environment
from orchestrator.audio.decoder.messages import (
    DESCRIPTOR,
    INSTALL_REMEDY,
    MOST_ANSWER_BYTES,
    STATUS,
    Answer,
    Bounds,
    Converted,
    Header,
    InPlace,
    Last,
    NeedsOutput,
    Problem,
    Request,
    Unreadable,
    pair,
)
from orchestrator.audio.pcm_file import HEADER_BYTES, SAMPLE_BYTES, SAMPLE_RATE_HZ, room_in, write_header
from orchestrator.errors import AudioError, NotDecodedError
from orchestrator.process.uninterrupted import close_all

LONGEST_S = 100 * 3600.0
"""Of one recording; a small file may claim to hold years of silence."""
STALL_S = 120.0
"""ffmpeg may think for so long between two pieces of output."""
QUIET_S = 180.0
"""A decoder may give no sign of life for so long."""
LONGEST_WORK_S = 3600.0
"""And work for so long, and a second more for each 100 kB of the file."""
MEMORY_BYTES = 2 << 30
_ADDRESS_BYTES = 8 << 30
_BYTES_A_SECOND = 100_000
READS_VARIABLE = "ORCHESTRATOR_FFMPEG_READS"
"""Folders that an ffmpeg outside the system's folders needs besides its own libraries, separated by colons."""
_LOOK_EVERY_MS = 100
_END_S = 30.0
_LIBRARIES = ("lib", "lib64", "Cellar", "opt")
_MOST_ANSWERS, _ANSWERS_A_SECOND = 100, 4
_HARMFUL = "it is damaged or made to do harm: take another copy of it"

Check = Callable[[], None]


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
    shown: str, descriptor: int, output: Output, *, may_stay: bool, check: Check
) -> Converted | InPlace:
    """Decode the open file ``descriptor`` into ``output``, or find that workers can read it as it is (``may_stay``).

    Blocks. ``check`` is called every tenth of a second; what it raises ends the decoding. Errors name ``shown``.

    Raises:
        NotDecodedError: There is no ffmpeg, or the system has no room for a decoder; the file may be good.
        AudioError: It cannot be decoded, or the decoder crashed or met one of its bounds.
        OSError: The output could not be made or written.
    """
    bounds = _bounds(descriptor, output)
    found = _ask(shown, descriptor, Request("soundfile", "off", bounds, may_stay=may_stay), output, check)
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
            raise _nonsense(shown)


def wav_header(descriptor: int) -> Header | None:
    """Return what the header of an open WAV file tells, None of any other file.

    Raises:
        AudioError: It could not be read.
    """
    bounds = _bounds(descriptor, None)
    found = _ask("it", descriptor, Request("header", "off", bounds), None, lambda: None)
    return found if isinstance(found, Header) else None


def _size(descriptor: int) -> int:
    return os.fstat(descriptor).st_size


def _bounds(descriptor: int, output: Output | None) -> Bounds:
    size = _size(descriptor)
    most = int(LONGEST_S * SAMPLE_RATE_HZ) * SAMPLE_BYTES + (1 << 20)
    if output is not None:
        most = min(most, max(0, room_in(output.folder)))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    most = most if limit == resource.RLIM_INFINITY else min(most, limit)
    return Bounds(
        LONGEST_S,
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
        "off",
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
            job = _Job(shown, decoder, msgspec.structs.replace(request, mode=decoder.mode))
            try:
                job.start(descriptor)
                return job.outcome(output, check)
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
        raise _not_now(shown, error.strerror or str(error)) from error


def _not_now(shown: str, reason: str) -> NotDecodedError:
    hint = "try again when other programs have ended"
    return NotDecodedError(shown, f"could not be decoded now: {reason}", hint, shortage="system")


class _Job:
    """One child of the decoder process, from the request to its end."""

    def __init__(self, shown: str, decoder: Helper, request: Request) -> None:
        self._shown = shown
        self._helper = decoder
        self._request = request
        self._way = {"ffmpeg": "ffmpeg", "soundfile": "libsndfile"}.get(request.way, "our header code")
        self._longest_s = float(request.bounds.processor_s)
        self._opened: list[int] = []
        self._status_r = self._alive_w = -1
        self._channel: socket.socket | None = None
        self._status: int | None = None
        self._last: Last | None = None
        self._begun_s = time.monotonic()
        self._heard = 0
        self._given = False

    def start(self, recording: int) -> None:
        """Send the request. Whatever happens, :meth:`close` is called afterwards.

        Raises:
            HelperLostError: The decoder process is gone.
            NotDecodedError: The system has no descriptors left.
        """
        _jobs.add(self)
        try:
            self._channel, theirs = pair()
            with theirs:
                # Opened and noted in one step of the interpreter: an interrupt finds all of them in the list.
                self._opened.extend(chain.from_iterable(starmap(os.pipe, ((), ()))))
                self._status_r, status_w, alive_r, self._alive_w = self._opened
                content = msgspec.msgpack.encode(self._request)
                self._helper.send(content, (recording, theirs.fileno(), status_w, alive_r))
        except OSError as error:
            raise _not_now(self._shown, error.strerror or str(error)) from error
        finally:
            for each in self._opened[1:3]:
                self._shut(each)

    def outcome(self, output: Output | None, check: Check) -> Last:
        """Wait for the answer, and until nothing of the child is left.

        Raises:
            HelperLostError: The decoder process is gone.
            AudioError: The child died, or took too long.
        """
        heard_s = self._begun_s
        while self._status is None:
            check()
            if self._hear(output):
                heard_s = time.monotonic()
            now_s = time.monotonic()
            if now_s - heard_s > QUIET_S or now_s - self._begun_s > self._longest_s:
                limit_s = QUIET_S if now_s - heard_s > QUIET_S else self._longest_s
                said = "gave no sign of life for" if limit_s == QUIET_S else "was not done within"
                how_to = "convert it to WAV yourself, or cut it into pieces"
                raise AudioError(self._shown, f"{self._way} {said} {limit_s:g} s: it was ended", how_to)
        while self._read_one(output):
            pass
        if self._last is None:
            raise self._died(self._status)
        return self._last

    def _hear(self, output: Output | None) -> bool:
        """Take what there is to read; return whether the child said something."""
        assert self._channel is not None
        poll = select.poll()  # not ``select``, which knows no descriptor above 1,023
        for each in (self._status_r, self._channel.fileno()):
            poll.register(each, select.POLLIN)
        ready = {each for each, _ in poll.poll(_LOOK_EVERY_MS)}
        said = self._channel.fileno() in ready and self._read_one(output)
        if self._status_r in ready:
            self._read_status()
        elif self._channel.fileno() in ready and not said:
            # The child has closed its end, and its status is to come.
            waiting = select.poll()
            waiting.register(self._status_r, select.POLLIN)
            if waiting.poll(_LOOK_EVERY_MS):
                self._read_status()
        return said

    def _read_status(self) -> None:
        content = os.read(self._status_r, STATUS.size)
        if len(content) != STATUS.size:
            raise HelperLostError(self._helper.last_words())
        self._status = int(STATUS.unpack(content)[0])

    def _read_one(self, output: Output | None) -> bool:
        assert self._channel is not None
        try:
            content = self._channel.recv(MOST_ANSWER_BYTES, socket.MSG_DONTWAIT)
        except (BlockingIOError, ConnectionError):
            return False
        if not content:
            return False
        self._heard += 1
        most = _MOST_ANSWERS + _ANSWERS_A_SECOND * (time.monotonic() - self._begun_s)
        if self._last is not None or self._heard > most:
            raise _nonsense(self._shown)
        try:
            answer = msgspec.msgpack.decode(content, type=Answer)
        except (msgspec.MsgspecError, ValueError, RecursionError, MemoryError) as error:
            raise _nonsense(self._shown) from error
        if isinstance(answer, NeedsOutput):
            if output is None or self._given:
                raise _nonsense(self._shown)
            self._given = True
            self._give(output.open())
        elif isinstance(answer, Last):
            self._last = answer
        return True

    def _give(self, descriptor: int) -> None:
        assert self._channel is not None
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, DESCRIPTOR.pack(descriptor))
        try:
            self._channel.sendmsg([b"o"], [rights], socket.MSG_DONTWAIT)
        except (ConnectionError, BlockingIOError):
            return  # it has died meanwhile, or asks without end; its status tells

    def _died(self, status: int) -> AudioError:
        if status < 0:
            return _not_now(self._shown, os.strerror(-status))
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL:
            how_to = "see that there is memory for it, then try again"
            problem = "the decoder was killed, as the system does for want of memory"
            return NotDecodedError(self._shown, problem, how_to, shortage="system")
        if code == -signal.SIGXCPU:
            problem = f"{self._way} was not done within {self._longest_s:g} s of processor time: it was ended"
            return AudioError(self._shown, problem, "convert it to WAV yourself, or cut it into pieces")
        if code < 0:
            return AudioError(
                self._shown, f"{self._way} crashed on it ({signal.Signals(-code).name})", _HARMFUL
            )
        return AudioError(self._shown, f"{self._way} ended without an answer (exit code {code})", _HARMFUL)

    def close(self) -> None:
        """Have the child killed where it still works, and wait until it is gone."""
        self._shut(self._alive_w)
        try:
            if self._status_r in self._opened:
                self._wait_for_the_end()
        finally:
            self._drop_all()

    def _wait_for_the_end(self) -> None:
        deadline_s = time.monotonic() + _END_S
        poll = select.poll()
        poll.register(self._status_r, select.POLLIN)
        while self._status is None and (left_s := deadline_s - time.monotonic()) > 0:
            if poll.poll(left_s * 1000):
                content = os.read(self._status_r, STATUS.size)
                self._status = STATUS.unpack(content)[0] if len(content) == STATUS.size else 0

    def _drop_all(self) -> None:
        close_all(self._opened)
        if self._channel is not None:
            self._channel.close()

    def _shut(self, descriptor: int) -> None:
        if descriptor in self._opened:
            self._opened.remove(descriptor)
            os.close(descriptor)

    def forget(self) -> None:
        """Close all in a forked copy of the host, which must not keep the child alive."""
        self._drop_all()


_jobs: weakref.WeakSet[_Job] = weakref.WeakSet()


def _forget_in_forked_copy() -> None:
    for job in list(_jobs):
        job.forget()


os.register_at_fork(after_in_child=_forget_in_forked_copy)


def _finish(shown: str, done: Converted, output: Output, bounds: Bounds) -> None:
    """See that so many samples are there, and put our own header before them: the rest is sound, whatever it is."""
    if not 0 < done.samples <= bounds.longest_s * SAMPLE_RATE_HZ + 1 or output.descriptor < 0:
        raise _nonsense(shown)
    if _size(output.descriptor) != HEADER_BYTES + done.samples * SAMPLE_BYTES:
        raise _nonsense(shown)
    write_header(output.descriptor, done.samples)


def _nonsense(shown: str) -> AudioError:
    return AudioError(shown, "its decoder gave an answer that makes no sense", _HARMFUL)


def _error(shown: str, found: Problem, output: Output, bounds: Bounds) -> AudioError | OSError:
    match found.kind:
        case "ffmpeg" | "system":
            return NotDecodedError(shown, found.problem, found.hint, shortage=found.kind)
        case "output" if _is_full(output, bounds):
            return OSError(found.number, os.strerror(found.number))
        case "output":
            return AudioError(shown, f"could not be decoded: {os.strerror(found.number)}", _HARMFUL)
        case "memory":
            return _out_of_memory(shown)
        case "unforeseen":
            return AudioError(shown, f"could not be decoded: {found.problem}", _HARMFUL)
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


def _out_of_memory(shown: str) -> AudioError:
    import psutil  # noqa: PLC0415 - rarely needed

    if psutil.virtual_memory().available < MEMORY_BYTES:
        return _not_now(shown, os.strerror(errno.ENOMEM))
    return AudioError(
        shown, f"needs more than {MEMORY_BYTES / (1 << 30):g} GiB of memory to be decoded", _HARMFUL
    )
