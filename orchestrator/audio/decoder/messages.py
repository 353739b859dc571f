"""The request for one recording, its bounds, and the answers. Both sides use them; every answer is of a stranger.

A request goes over the decoder process's socket as one message, with four descriptors: the recording (read only), the
child's end of a pair of sockets for the answers, a pipe for the decoder process to write the child's wait status into,
and the read end of a pipe whose other end the host closes to have the child killed. The decoder process hands the same
message on to a child, with the first two of these.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import Annotated, Literal

import msgspec

INSTALL_REMEDY = "install ffmpeg (Debian, Ubuntu: apt-get install ffmpeg) or convert it to WAV"
CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
DESCRIPTOR = struct.Struct("i")
DESCRIPTORS, HANDED_ON = 4, 2
STATUS = struct.Struct("<i")
"""A wait status; minus an errno where the system refused to fork."""
MOST_REQUEST_BYTES = 1 << 17
MOST_ANSWER_BYTES = 1 << 15
MOST_REMARKS = 20
_Text = Annotated[str, msgspec.Meta(max_length=2000)]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 50)]
Way = Literal["header", "soundfile", "ffmpeg"]
Mode = Literal["strict", "files", "off"]


class Bounds(msgspec.Struct, frozen=True):
    """What one recording may take.

    Seconds of sound, bytes of output, of memory, of address space, seconds of processor time and of ffmpeg's silence.
    """

    longest_s: float
    output_bytes: int
    memory_bytes: int
    address_bytes: int
    processor_s: int
    stall_s: float


class Request(msgspec.Struct, frozen=True):
    """Read one recording.

    ``header``: tell the length of a WAV file; ``soundfile``: by our header code and libsndfile; ``ffmpeg``: by that,
    after libsndfile said ``problem``. ``may_stay``: a file that workers can read as it is need not be converted.
    ``program`` is ffmpeg's path, ``reads`` what it needs besides the system's libraries, ``environ`` all it is told.
    """

    way: Way
    bounds: Bounds
    may_stay: bool = False
    problem: str = ""
    program: bytes = b""
    reads: tuple[bytes, ...] = ()
    environ: dict[bytes, bytes] = {}


class Alive(msgspec.Struct, frozen=True, tag=True):
    """Something was decoded since the last message."""


class NeedsOutput(msgspec.Struct, frozen=True, tag=True):
    """The recording has to be converted: the host answers with a descriptor."""


class Header(msgspec.Struct, frozen=True, tag=True):
    """What a WAV file's header tells."""

    rate_hz: _Count
    frames: _Count


class InPlace(msgspec.Struct, frozen=True, tag=True):
    """The file is what workers read: ``frames`` samples from byte ``start`` on."""

    start: _Count
    frames: _Count


class Unreadable(msgspec.Struct, frozen=True, tag=True):
    """libsndfile does not know the format, for the reason given; it is no WAV file, when its header was asked for."""

    problem: _Text


class Converted(msgspec.Struct, frozen=True, tag=True):
    """``samples`` were written; ``conversion`` says from what, such as ``converted from 44100 Hz stereo``.

    ``remarks`` are sentences for people: what was found and what was done about it.
    """

    samples: _Count
    conversion: _Text
    remarks: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=MOST_REMARKS)] = ()


class Problem(msgspec.Struct, frozen=True, tag=True):
    """It was not decoded.

    ``kind``: the ``recording`` is at fault, or its ``length``; ``ffmpeg`` or something of the ``system`` is missing;
    the ``output`` could not be written, for the reason ``number``, an errno; the bound on ``memory`` was met; or nobody
    foresaw it.
    """

    kind: Literal["recording", "length", "ffmpeg", "system", "output", "memory", "unforeseen"]
    problem: _Text = ""
    hint: _Text = ""
    number: Annotated[int, msgspec.Meta(ge=0, lt=4096)] = 0


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets: messages stay whole, and several threads may send.

    Raises:
        OSError: The system refused.
    """
    try:
        return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError as error:
        if error.errno not in {errno.EPROTONOSUPPORT, errno.EPROTOTYPE}:
            raise
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for each in (ours, theirs):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_REQUEST_BYTES)
    return ours, theirs


Last = Header | InPlace | Unreadable | Converted | Problem
Answer = Alive | NeedsOutput | Last
