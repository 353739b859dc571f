"""What is done with one recording, in a child that has nothing but its descriptors and talks to the host alone."""

from __future__ import annotations

import errno
import os
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
    MOST_REMARKS,
    Alive,
    Answer,
    Converted,
    Header,
    InPlace,
    Last,
    NeedsOutput,
    Problem,
    Request,
    Unreadable,
)
from orchestrator.audio.decoding import Stream, UnreadableError, decoded_by_soundfile
from orchestrator.audio.ffmpeg import Ffmpeg, decoded_by_ffmpeg
from orchestrator.audio.pcm_file import SAMPLE_RATE_HZ
from orchestrator.audio.wav_header import FLOAT, PCM, WavFile, read_wav
from orchestrator.errors import AudioError, NotDecodedError

_ALIVE_EVERY_S = 1.0
_MOST_TEXT = 1000
_TEXT_PROBE_BYTES = 512
_SHORT = {errno.EMFILE, errno.ENFILE, errno.EAGAIN}


def load() -> None:
    """Load, in the process that forks the children, the libraries they need, and use each once: they load more then."""
    import io  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415
    import soundfile  # noqa: PLC0415

    block: Any

    silence = io.BytesIO()
    soundfile.write(silence, np.zeros((800, 2), dtype=np.float32), 8000, format="WAV")
    silence.seek(0)
    with soundfile.SoundFile(silence) as file:
        block = file.read(800, dtype="float32", always_2d=True)
    if sys.platform == "linux":
        nowhere = os.memfd_create("nothing")
        with suppress(AudioError):
            convert("", lambda: iter([Stream(8000, 2, "", 800, iter([block]))]), nowhere, longest_s=60.0)
        os.close(nowhere)


def run(request: Request, recording: int, channel: socket.socket) -> NoReturn:
    """Confine this process, carry the request out, answer, and end."""
    talk = _Talk(channel)
    try:
        confinement.bound(request.bounds)
        _confine(request, recording)
    except OSError as error:
        talk.say(Problem("system", f"the decoder could not confine itself: {error}", "try again"))
        os._exit(0)
    talk.say(_cut(_answer(request, recording, talk)))
    os._exit(0)


def _confine(request: Request, recording: int) -> None:
    if request.way == "ffmpeg":
        reads = [os.fsdecode(path) for path in request.reads]
        confinement.confine_with_program(request.mode, os.fsdecode(request.program), reads, recording)
    else:
        confinement.confine_alone(request.mode)


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


def _answer(request: Request, recording: int, talk: _Talk) -> Last:
    try:
        return _read(request, recording, talk)
    except NotDecodedError as error:
        return Problem("ffmpeg" if error.shortage == "ffmpeg" else "system", error.problem, error.hint)
    except AudioError as error:
        return Problem("recording", error.problem, error.hint)
    except UnreadableError as error:
        return Unreadable(str(error))
    except MemoryError:
        return Problem("memory")
    except OSError as error:
        if error.errno == errno.ENOMEM:
            return Problem("memory")
        problem = f"could not be decoded now: {error.strerror}"
        return Problem("system" if error.errno in _SHORT else "output", problem, number=error.errno or 0)
    except Exception as error:  # noqa: BLE001 - a file can bring code to raise anything
        return Problem("unforeseen", f"{type(error).__name__}: {error}")


def _read(request: Request, recording: int, talk: _Talk) -> Last:
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
        lambda: _decoded(request, recording, wav, talk),
        output,
        longest_s=request.bounds.longest_s,
    )
    remarks = (wav.remark, *done.remarks) if wav is not None and wav.remark else done.remarks
    return Converted(done.samples, done.conversion, remarks)


def _decoded(request: Request, recording: int, wav: WavFile | None, talk: _Talk) -> Iterator[Stream]:
    if request.way == "ffmpeg":
        program = Ffmpeg(
            os.fsdecode(request.program),
            request.environ,
            lambda: confinement.narrow_program(request.mode),
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
