"""Replies for coroutines: the event loop waits on the workers itself, so that no thread stands between them and it."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref

from orchestrator.pool.submission.controller import Controller


class AsyncioBridge:
    """One pool's replies, heard by the event loop that submits to it."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._changing = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._descriptor = -1

    def taken_by(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Have ``loop``, which runs here, take the replies from now on.

        False where it cannot; then the pool's thread does. Of several event loops at a time in several threads the
        first keeps them.
        """
        if loop is not self._loop:
            with self._changing:
                if self._loop is not None and self._loop.is_running():
                    return False
                self._forget()
                self._loop = loop
                self._listen(loop)
        return self._descriptor >= 0

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        descriptor = self._controller.replies_descriptor()
        if descriptor is None:
            return
        try:
            # Held weakly: an event loop must not keep a pool alive that everybody else has forgotten.
            loop.add_reader(descriptor, _take_replies, weakref.ref(self._controller))
        except BaseException as error:
            os.close(descriptor)
            if not isinstance(error, NotImplementedError):
                raise
            return
        self._descriptor = descriptor

    def close(self) -> None:
        """Hear no more of them."""
        with self._changing:
            self._forget()

    def _forget(self) -> None:
        loop, descriptor = self._loop, self._descriptor
        self._loop, self._descriptor = None, -1
        if loop is None or descriptor < 0:
            return
        if not loop.is_running():
            _remove(loop, descriptor)
            return
        try:
            loop.call_soon_threadsafe(_remove, loop, descriptor)  # this may be another thread than its own
        except RuntimeError:
            os.close(descriptor)  # it was closed in this moment

    def __del__(self) -> None:
        self._forget()


def _take_replies(controller: weakref.ref[Controller]) -> None:
    if (found := controller()) is not None:
        found.take_replies()


def _remove(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    if not loop.is_closed():
        loop.remove_reader(descriptor)
    os.close(descriptor)
