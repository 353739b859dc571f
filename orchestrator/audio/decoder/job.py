"""One child of the decoder process, seen from the host: what it is asked, what it says, and how it ended."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
import weakref
from collections.abc import Callable
from itertools import chain, starmap

import msgspec

from orchestrator.audio.decoder.helper import Helper, HelperLostError
from orchestrator.audio.decoder.messages import (
    DESCRIPTOR,
    MOST_ANSWER_BYTES,
    STATUS,
    Answer,
    Last,
    NeedsOutput,
    Request,
    pair,
)
from orchestrator.errors import AudioError, NotDecodedError
from orchestrator.process.uninterrupted import close_all

QUIET_S = 180.0
"""A decoder may give no sign of life for so long."""
HARMFUL = "it is damaged or made to do harm: take another copy of it"
_LOOK_EVERY_MS = 100
_END_S = 30.0
_MOST_ANSWERS, _ANSWERS_A_SECOND = 100, 4

Check = Callable[[], None]
MakeOutput = Callable[[], int]
"""Returns the descriptor for the sound; called when it is first needed."""


class Job:
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
            raise not_now(self._shown, error.strerror or str(error)) from error
        finally:
            for each in self._opened[1:3]:
                self._shut(each)

    def outcome(self, make_output: MakeOutput | None, check: Check) -> Last:
        """Wait for the answer, and until nothing of the child is left.

        Raises:
            HelperLostError: The decoder process is gone.
            AudioError: The child died, or took too long.
        """
        heard_s = self._begun_s
        while self._status is None:
            check()
            if self._hear(make_output):
                heard_s = time.monotonic()
            now_s = time.monotonic()
            if now_s - heard_s > QUIET_S or now_s - self._begun_s > self._longest_s:
                limit_s = QUIET_S if now_s - heard_s > QUIET_S else self._longest_s
                said = "gave no sign of life for" if limit_s == QUIET_S else "was not done within"
                how_to = "convert it to WAV yourself, or cut it into pieces"
                raise AudioError(self._shown, f"{self._way} {said} {limit_s:g} s: it was ended", how_to)
        while self._read_one(make_output):
            pass
        if self._last is None:
            raise self._died(self._status)
        return self._last

    def _hear(self, make_output: MakeOutput | None) -> bool:
        """Take what there is to read; return whether the child said something."""
        assert self._channel is not None
        poll = select.poll()  # not ``select``, which knows no descriptor above 1,023
        for each in (self._status_r, self._channel.fileno()):
            poll.register(each, select.POLLIN)
        ready = {each for each, _ in poll.poll(_LOOK_EVERY_MS)}
        said = self._channel.fileno() in ready and self._read_one(make_output)
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

    def _read_one(self, make_output: MakeOutput | None) -> bool:
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
            raise nonsense(self._shown)
        try:
            answer = msgspec.msgpack.decode(content, type=Answer)
        except (msgspec.MsgspecError, ValueError, RecursionError, MemoryError) as error:
            raise nonsense(self._shown) from error
        if isinstance(answer, NeedsOutput):
            if make_output is None or self._given:
                raise nonsense(self._shown)
            self._given = True
            self._give(make_output())
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
            return not_now(self._shown, os.strerror(-status))
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
                self._shown, f"{self._way} crashed on it ({signal.Signals(-code).name})", HARMFUL
            )
        return AudioError(self._shown, f"{self._way} ended without an answer (exit code {code})", HARMFUL)

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


_jobs: weakref.WeakSet[Job] = weakref.WeakSet()


def _forget_in_forked_copy() -> None:
    for job in list(_jobs):
        job.forget()


os.register_at_fork(after_in_child=_forget_in_forked_copy)


def not_now(shown: str, reason: str) -> NotDecodedError:
    """Return the error for a file that the system has no room to decode now."""
    hint = "try again when other programs have ended"
    return NotDecodedError(shown, f"could not be decoded now: {reason}", hint, shortage="system")


def nonsense(shown: str) -> AudioError:
    """Return the error for a file whose decoder said what no decoder of ours says."""
    return AudioError(shown, "its decoder gave an answer that makes no sense", HARMFUL)
