"""Tracers that the dynamic linker loads before everything else: heaptrack, and jemalloc's own heap profile.

The parent has set ``LD_PRELOAD`` and what the tracer reads at its start; here it is asked whether it is there, marks
are left and it is ended. Being the very ``malloc`` of the process, they see one that was looked up by ``dlsym`` too.
Of Python they see the interpreter's C functions, and no lines.
"""

from __future__ import annotations

import ctypes
import gc
import os
from typing import Any

from orchestrator_worker.engines.base import EngineUnavailableError
from orchestrator_worker.tracing.marks import MARKED, bound_files, mark_twice

LATE_LIBRARY = "ORCHESTRATOR_HEAPTRACK"
"""Environment variable: the library of heaptrack that is loaded late."""
_NOT_LOADED = (
    "start the worker with {} preloaded; a library path that is wrong is no error to the dynamic linker"
)


class HeaptrackTracing:
    """Heaptrack, which writes since the process began; the marks tell from when on it counts.

    It begins with a thread of its own, which a process that is confined later must not have. There it is loaded only
    now, and puts itself into the modules in the place of ``malloc``: one that was looked up by ``dlsym`` is not seen.
    """

    name = "heaptrack"

    def __init__(self, file: str, most_bytes: int) -> None:
        """``file`` is where the parent has told heaptrack to write.

        Raises:
            EngineUnavailableError: It was not preloaded, or does not write there.
        """
        if late := os.environ.get(LATE_LIBRARY):
            library = ctypes.CDLL(late)
            library.heaptrack_inject(os.fsencode(file))
            self._stop = library.heaptrack_stop
        else:
            self._stop = _function("heaptrack_stop", "heaptrack")
        if not os.path.exists(file):
            raise EngineUnavailableError(
                f"heaptrack is loaded and does not write to {file}", _NOT_LOADED.format("heaptrack")
            )
        bound_files(most_bytes)

    def mark(self, command: str) -> None:
        """Leave the mark of a command that begins."""
        if command in MARKED:
            gc.collect()
            mark_twice(MARKED.index(command))

    def stop(self) -> None:
        """End the trace; the file is whole then."""
        self._stop()


class JemallocTracing:
    """Jemalloc's profile of every block: a dump at each mark says what is alive, by stack."""

    def __init__(self, file: str, most_bytes: int) -> None:
        """Dumps are ``file`` with the number and the command of the mark.

        Raises:
            EngineUnavailableError: It was not preloaded, or is built without its profiler.
        """
        self._mallctl = _function("mallctl", "jemalloc")
        self._mallctl.restype = ctypes.c_int
        self._file = file
        self._marks = 0
        version = self._read(b"version", ctypes.c_char_p()).value or b"?"
        self.name = f"jemalloc {version.decode().partition('-')[0]}"
        bound_files(most_bytes)
        try:
            self._write(b"prof.active", ctypes.c_bool(True))
        except OSError as error:
            raise EngineUnavailableError(
                f"{self.name} has no profiler: {error.strerror}",
                "take a build with --enable-prof, and MALLOC_CONF=prof:true before the worker starts",
            ) from error

    def mark(self, command: str) -> None:
        """Dump what is alive before a command; garbage that only waits for its collection is none of it."""
        if command in MARKED:
            gc.collect()
            path = ctypes.c_char_p(f"{self._file}.{self._marks:06}.{command}".encode())
            self._marks += 1
            self._write(b"prof.dump", path)

    def stop(self) -> None:
        """End the profile."""
        self._write(b"prof.active", ctypes.c_bool(False))

    def _read(self, name: bytes, value: Any) -> Any:
        size = ctypes.c_size_t(ctypes.sizeof(value))
        self._checked(self._mallctl(name, ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0)))
        return value

    def _write(self, name: bytes, value: Any) -> None:
        size = ctypes.c_size_t(ctypes.sizeof(value))
        self._checked(self._mallctl(name, None, None, ctypes.byref(value), size))

    @staticmethod
    def _checked(code: int) -> None:
        if code:
            raise OSError(code, os.strerror(code))


def _function(name: str, tracer: str) -> Any:
    try:
        return ctypes.CDLL(None)[name]
    except AttributeError:
        raise EngineUnavailableError(
            f"{tracer} is not loaded in the worker", _NOT_LOADED.format(tracer)
        ) from None
