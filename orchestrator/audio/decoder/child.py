"""What is done with one recording, in a child that has nothing but its descriptors and talks to the host alone.

A child may be there before its recording is (*ahead*): what takes time and does not depend on it is done by then.
"""

from __future__ import annotations

import errno
import importlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NoReturn

import msgspec

from orchestrator.audio.conversion import convert, cut_off, no_samples, refuse_impossible
from orchestrator.audio.decoder import confinement
from orchestrator.audio.decoder.messages import (
    CLOSE_ON_EXEC,
    DESCRIPTOR,
    HANDED_ON,
    MOST_REMARKS,
    MOST_REQUEST_BYTES,
    Alive,
    Answer,
    Bounds,
    Converted,
    Header,
    InPlace,
    Last,
    Mode,
    NeedsOutput,
    Problem,
    Request,
    Unreadable,
)
from orchestrator.audio.decoding import SaidNoMemoryError, Stream, UnreadableError, decoded_by_soundfile
from orchestrator.audio.ffmpeg import Ffmpeg, decoded_by_ffmpeg
from orchestrator.audio.pcm_file import SAMPLE_RATE_HZ
from orchestrator.audio.wav_header import FLOAT, PCM, WavFile, read_wav
from orchestrator.errors import AudioError, AudioTooLongError, NotDecodedError

HAS_CONVERTED = 64
"""The exit status after a conversion. Nothing but a guess about the next recording hangs on it."""
_ALIVE_EVERY_S = 1.0
_MOST_TEXT = 1000
_TEXT_PROBE_BYTES = 512
_SHORT = {errno.EMFILE, errno.ENFILE, errno.EAGAIN}


def load() -> None:
    """Load, in the process that forks the children, the libraries they need, and use each once: they load more then."""
    import io  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415
    import soundfile  # noqa: PLC0415

    importlib.import_module("soxr")
    for kind in ("WAV", "MP3", "FLAC"):
        with suppress(soundfile.LibsndfileError):  # an older one writes no MP3
            file = io.BytesIO()
            soundfile.write(file, np.zeros((480, 2), dtype=np.float32), 48_000, format=kind)
            _silences.append(file.getvalue())
    for silence in _silences:
        _read_silence(silence)


_silences: list[bytes] = []
"""Files; the last is the one to rehearse with."""


def _rehearse() -> None:
    """Do once, in a child, what is done with a recording: it has its own copies of the memory for it from then on."""
    with suppress(Exception):  # what it has to say it says when it is in earnest
        _read_silence(_silences[-1])


def _read_silence(silence: bytes) -> None:
    if sys.platform != "linux":
        return
    recording, output = os.memfd_create("silence"), os.memfd_create("nothing")
    try:
        os.write(recording, silence)
        with suppress(AudioError, UnreadableError):
            _read(_REHEARSAL, recording, _Nobody(output), "off")
    finally:
        os.close(recording)
        os.close(output)


def run(handover: socket.socket, mode: Mode, *, ahead: bool, rehearse: bool) -> NoReturn:
    """Carry out the one request that comes over ``handover``, answer it, and end: with :data:`HAS_CONVERTED` or 0.

    ``ahead``: until it comes get ready for one that needs no program. Otherwise nothing is done before it is there.
    ``rehearse``: the request is likely to be for a conversion.
    """
    problem: OSError | None = None
    if ahead:
        if rehearse and not _is_readable(handover):  # else there is a request already
            _rehearse()
        try:
            confinement.confine_alone(mode)
        except OSError as error:
            problem = error
    request, recording, answers = _received(handover)
    talk = _Talk(answers)
    try:
        if problem is not None:
            raise problem
        confinement.bound(request.bounds)
        if request.way == "ffmpeg":
            reads = [os.fsdecode(path) for path in request.reads]
            confinement.confine_with_program(mode, os.fsdecode(request.program), reads, recording)
        else:
            confinement.close_up(mode)
    except OSError as error:
        talk.say(Problem("system", f"the decoder could not confine itself: {error}", "try again"))
        os._exit(0)
    answer = _answer(request, recording, talk, mode)
    talk.say(_cut(answer))
    os._exit(HAS_CONVERTED if isinstance(answer, Converted) else 0)


def _is_readable(channel: socket.socket) -> bool:
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    return bool(poll.poll(0))


def _received(handover: socket.socket) -> tuple[Request, int, socket.socket]:
    """Wait for the request; nobody has another for this process after it."""
    space = socket.CMSG_SPACE(DESCRIPTOR.size * HANDED_ON)
    content, ancillary, _, _ = handover.recvmsg(MOST_REQUEST_BYTES, space, CLOSE_ON_EXEC)
    handover.close()
    if not content:
        os._exit(0)  # the decoder process is gone
    descriptors = [number for (number,) in DESCRIPTOR.iter_unpack(ancillary[0][2] if ancillary else b"")]
    if len(descriptors) != HANDED_ON:
        os.kill(os.getpid(), signal.SIGKILL)  # the system has no room for them; it ends processes in this way
    recording, answers = descriptors
    return msgspec.msgpack.decode(content, type=Request), recording, socket.socket(fileno=answers)


class _Talk:
    """The child's end of the conversation."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._said_s = time.monotonic()

    def say(self, answer: Answer) -> None:
        self._channel.send(msgspec.msgpack.encode(answer))

    def alive(self) -> None:
        """Say so, now and then: a host that hears nothing for long ends this process."""
        now_s = time.monotonic()
        if now_s - self._said_s >= _ALIVE_EVERY_S:
            self._said_s = now_s
            self.say(Alive())

    def output(self) -> int:
        self.say(NeedsOutput())
        _, ancillary, _, _ = self._channel.recvmsg(1, socket.CMSG_SPACE(DESCRIPTOR.size), CLOSE_ON_EXEC)
        if not ancillary:
            os._exit(1)  # the host could not make it, or is gone
        return int(DESCRIPTOR.unpack(ancillary[0][2])[0])


class _Nobody(_Talk):
    """Whom a rehearsal talks to."""

    def __init__(self, output: int) -> None:
        self._output = output

    def alive(self) -> None:
        """Say nothing."""

    def output(self) -> int:
        return self._output


_REHEARSAL = Request("soundfile", Bounds(60.0, 1 << 30, 1 << 30, 1 << 30, 60, 60.0))


def _answer(request: Request, recording: int, talk: _Talk, mode: Mode) -> Last:
    try:
        return _read(request, recording, talk, mode)
    except NotDecodedError as error:
        return Problem("ffmpeg" if error.shortage == "ffmpeg" else "system", error.problem, error.hint)
    except AudioError as error:
        too_long = isinstance(error, AudioTooLongError)
        return Problem("length" if too_long else "recording", error.problem, error.hint)
    except UnreadableError as error:
        return Unreadable(str(error))
    except MemoryError as error:
        return Problem("memory", str(error) if isinstance(error, SaidNoMemoryError) else "")
    except OSError as error:
        if error.errno == errno.ENOMEM:
            return Problem("memory")
        problem = f"could not be decoded now: {error.strerror}"
        return Problem("system" if error.errno in _SHORT else "output", problem, number=error.errno or 0)
    except Exception as error:  # noqa: BLE001 - a file can bring code to raise anything
        return Problem("unforeseen", f"{type(error).__name__}: {error}")


def _read(request: Request, recording: int, talk: _Talk, mode: Mode) -> Last:
    wav = read_wav(recording)
    if request.way == "header":
        if wav is None:
            raise UnreadableError("it is no WAV file")
        return Header(wav.parts[0].rate_hz, sum(part.frames for part in wav.parts))
    if request.way == "soundfile":
        if wav is not None:
            _refuse_false_claims(wav)
            if request.may_stay and _usable_in_place(wav):
                return InPlace(wav.parts[0].start, wav.parts[0].frames)
        _refuse_text(recording)
    output = talk.output()
    done = convert(
        "",
        lambda: _decoded(request, recording, wav, talk, mode),
        output,
        longest_s=request.bounds.longest_s,
    )
    remarks = (wav.remark, *done.remarks) if wav is not None and wav.remark else done.remarks
    return Converted(done.samples, done.conversion, remarks)


def _decoded(
    request: Request, recording: int, wav: WavFile | None, talk: _Talk, mode: Mode
) -> Iterator[Stream]:
    if request.way == "ffmpeg":
        program = Ffmpeg(
            os.fsdecode(request.program),
            request.environ,
            lambda: confinement.narrow_program(mode),
            request.bounds.stall_s,
        )
        with decoded_by_ffmpeg(program, recording, request.problem, talk.alive) as stream:
            yield stream
        return
    begun = False
    try:
        for stream in decoded_by_soundfile("", recording, wav, talk.alive):
            begun = True
            yield stream
    except UnreadableError as error:
        if begun:
            raise AudioError("", f"damaged: {error}", "take another copy of it") from error
        raise


def _refuse_false_claims(wav: WavFile) -> None:
    for part in wav.parts:
        refuse_impossible("", part.rate_hz, part.channels)
        if part.format_tag in {PCM, FLOAT} and not part.bits:
            raise AudioError("", "its header gives 0 bits a sample", "see to its header, or export it again")
    held = wav.parts[0].frames
    if len(wav.parts) == 1 and wav.frames_claimed is not None and wav.frames_claimed > held:
        raise cut_off("", wav.frames_claimed, held)
    if not any(part.frames for part in wav.parts):
        raise no_samples("")


def _usable_in_place(wav: WavFile) -> bool:
    part = wav.parts[0]
    as_wanted = int.from_bytes(part.chunk[:2], "little") == PCM and part.chunk[2:16] == _WANTED
    return as_wanted and wav.plain and wav.frames_claimed == part.frames


_WANTED = b"".join(
    number.to_bytes(size, "little")
    for number, size in ((1, 2), (SAMPLE_RATE_HZ, 4), (2 * SAMPLE_RATE_HZ, 4), (2, 2), (16, 2))
)
"""A format chunk behind its code: channels, rate, bytes a second, bytes a frame, bits."""


def _refuse_text(recording: int) -> None:
    """Refuse text before a decoder guesses: some play lists are text and lead to other files."""
    start = os.pread(recording, _TEXT_PROBE_BYTES, 0)
    controls = bytes(code for code in range(32) if code not in b"\t\n\f\r")
    if not any(code in controls for code in start) and _is_utf8(start):
        raise AudioError("", "is text, not audio, whatever its name says", "give the recording itself")


def _is_utf8(start: bytes) -> bool:
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return error.start > len(start) - 4 and len(start) == _TEXT_PROBE_BYTES  # cut inside a character
    return True


def _cut(answer: Last) -> Last:
    """Return the answer with texts of a length that the host takes."""
    fields: dict[str, Any] = {}
    for name in answer.__struct_fields__:
        value = getattr(answer, name)
        if isinstance(value, str):
            fields[name] = _text(value)
        elif isinstance(value, tuple):
            fields[name] = tuple(_text(str(each)) for each in value[:MOST_REMARKS])  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return msgspec.structs.replace(answer, **fields)


def _text(value: str) -> str:
    return value.encode(errors="replace").decode()[:_MOST_TEXT]
