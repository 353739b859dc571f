"""What can trace a worker: memray, heaptrack, jemalloc's heap profile; chosen in this order by what is there.

Each answers the same questions: whether it is there and how to get it, what a worker's environment needs for it, who
reads what it has written. The worker begins it by the message ``Trace``.

============ ======================= ========================== ==============================
name         Python's lines          ``malloc`` by ``dlsym``    sizes
============ ======================= ========================== ==============================
memray       yes                     not seen                   as asked for
heaptrack    no                      seen, where not confined   as asked for
jemalloc     no                      seen                       those of its size classes
============ ======================= ========================== ==============================
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

from orchestrator.errors import EngineUnavailableError
from orchestrator.experiments.running.allocators import AllocatorError, find_allocator, preloaded
from orchestrator.locating.flame_graph import draw_flame_graph
from orchestrator.locating.jemalloc_profile import dumps_of
from orchestrator_worker.tracing.begin import TracerKey
from orchestrator_worker.tracing.memray_tracing import HOW_TO_GET_IT
from orchestrator_worker.tracing.preloaded import LATE_LIBRARY

PROBE_TIMEOUT_S = 30.0
NO_LINES = "{} sees functions of the interpreter and no lines of Python: objects of one type are one site"
SIZE_CLASSES = (
    "sizes are those of jemalloc's size classes, and glibc takes 8 to 23 bytes more than was asked for"
)
_PROFILER = "prof:true,prof_active:false,lg_prof_sample:0,prof_unbias:false"
"""Every block and no estimate, from when the worker says so."""
_PROBE = """
import ctypes
yes, size, none = ctypes.c_bool(), ctypes.c_size_t(1), ctypes.c_size_t(0)
print(ctypes.CDLL(None).mallctl(b"config.prof", ctypes.byref(yes), ctypes.byref(size), None, none), yes.value)
"""


class Tracer(Protocol):
    """One tracer of allocations."""

    key: TracerKey
    reader: str
    """The function that reads what it has written, as ``module:function``."""
    how_to_get_it: str
    lives_in_memory: bool
    """Whether what it needs is in the worker's memory and not in its file."""
    notes: Sequence[str]
    """What a reader of its answers must know."""

    @property
    def name(self) -> str:
        """Its name with its version."""
        ...

    @property
    def missing(self) -> str:
        """Why it cannot be used; empty when it can."""
        ...

    def environment(self, trace: Path, env: Mapping[str, str], *, confined: bool) -> dict[str, str]:
        """Return the environment of a worker that it traces into ``trace``, which has ``env`` without it."""
        ...

    def tidy(self, trace: Path, boundaries: Sequence[int]) -> None:
        """Remove what nobody will read, once the last of these boundaries is reached."""
        ...

    def draw(self, trace: Path, page: Path) -> str:
        """Write the tracer's own page about a trace; return why it could not, empty where there is none to write."""
        ...


class Memray:
    """Memray: native and Python frames as one stack, on Linux and macOS, from a wheel."""

    key: TracerKey = "memray"
    reader = "orchestrator.locating.capture:read"
    how_to_get_it = HOW_TO_GET_IT
    lives_in_memory = False
    notes: Sequence[str] = ()

    @property
    def name(self) -> str:
        """Its name with its version."""
        try:
            return f"memray {version('memray')}"
        except PackageNotFoundError:
            return "memray"

    @property
    def missing(self) -> str:
        """Why it cannot be used; empty when it can."""
        return "" if importlib.util.find_spec("memray") else "memray is not installed"

    def environment(self, trace: Path, env: Mapping[str, str], *, confined: bool) -> dict[str, str]:
        """Return ``env``: it begins when the worker says so."""
        del trace, confined
        return dict(env)

    def tidy(self, trace: Path, boundaries: Sequence[int]) -> None:
        """Remove nothing: there is one file."""

    def draw(self, trace: Path, page: Path) -> str:
        """Write memray's flame graph of what was not freed; return why it could not."""
        return draw_flame_graph(trace, page)


class _Preloaded:
    """A tracer that has no page of its own; what an earlier tracer drew of the method is another trace's."""

    def draw(self, trace: Path, page: Path) -> str:
        """Remove the page of an earlier trace."""
        del trace
        page.unlink(missing_ok=True)
        return ""


class Heaptrack(_Preloaded):
    """Heaptrack, a program of the system's: it sees every ``malloc`` of the process, and no lines of Python."""

    key: TracerKey = "heaptrack"
    reader = "orchestrator.locating.heaptrack_file:read"
    how_to_get_it = "apt-get install heaptrack"
    lives_in_memory = False
    notes: Sequence[str] = (NO_LINES.format("heaptrack"),)

    @property
    def name(self) -> str:
        """Its name with its version."""
        program = shutil.which("heaptrack_print")
        said = "" if program is None else _printed([program, "--version"], {})
        return said.replace("heaptrack_print", "heaptrack").strip() or "heaptrack"

    @property
    def missing(self) -> str:
        """Why it cannot be used; empty when it can."""
        return "" if self._library is not None else "heaptrack is not installed"

    def environment(self, trace: Path, env: Mapping[str, str], *, confined: bool) -> dict[str, str]:
        """Return what lets the worker begin with heaptrack, or load it once it is confined."""
        assert self._library is not None
        if confined:
            return {**env, LATE_LIBRARY: str(self._library.with_name("libheaptrack_inject.so"))}
        return preloaded(self._library, env) | {"DUMP_HEAPTRACK_OUTPUT": str(trace)}

    def tidy(self, trace: Path, boundaries: Sequence[int]) -> None:
        """Remove nothing: there is one file."""

    @cached_property
    def _library(self) -> Path | None:
        program = shutil.which("heaptrack")
        if program is None:
            return None
        prefix = Path(program).resolve().parent.parent
        places = ("lib*/heaptrack", "lib*/*/heaptrack")
        found = (path for place in places for path in prefix.glob(f"{place}/libheaptrack_preload.so"))
        return next(found, None)


class Jemalloc(_Preloaded):
    """Jemalloc in the place of the C library's allocator, with its profiler on for every block.

    While it is traced, each block of less takes 16 KiB of address space and a page of memory: jemalloc 5 does so with
    those that it samples.
    """

    key: TracerKey = "jemalloc"
    reader = "orchestrator.locating.jemalloc_profile:read"
    how_to_get_it = "apt-get install libjemalloc2, or another build with --enable-prof named by JEMALLOC_LIB"
    lives_in_memory = True
    notes: Sequence[str] = (NO_LINES.format("jemalloc"), SIZE_CLASSES)
    name = "jemalloc"

    @property
    def missing(self) -> str:
        """Why it cannot be used; empty when it can."""
        return self._missing

    @cached_property
    def _missing(self) -> str:
        if self._library is None:
            return "jemalloc is not installed"
        said = _printed([sys.executable, "-S", "-c", _PROBE], preloaded(self._library, {}))
        if said.split() != ["0", "True"]:
            return f"{self._library.name} is built without its profiler"
        return ""

    def environment(self, trace: Path, env: Mapping[str, str], *, confined: bool) -> dict[str, str]:
        """Return what lets the worker begin with jemalloc and its profiler, switched off."""
        del trace, confined
        assert self._library is not None
        said = env.get("MALLOC_CONF")
        conf = f"{said},{_PROFILER}" if said else _PROFILER
        return preloaded(self._library, env) | {"MALLOC_CONF": conf}

    def tidy(self, trace: Path, boundaries: Sequence[int]) -> None:
        """Remove the dumps between boundaries: of those, only the ones since the last boundary but one are read."""
        since = boundaries[-1] if boundaries else 0
        for mark, path in dumps_of(trace).items():
            if mark < since and mark not in boundaries:
                path.unlink(missing_ok=True)

    @cached_property
    def _library(self) -> Path | None:
        try:
            return find_allocator("jemalloc", os.environ)
        except AllocatorError:
            return None


def tracers() -> list[Tracer]:
    """Return every tracer, the first choice first."""
    return [Memray(), Heaptrack(), Jemalloc()]


def choose_tracer(wanted: TracerKey | None = None) -> Tracer:
    """Return the tracer to use: the wanted one, else the first that is there.

    Raises:
        EngineUnavailableError: It is missing, or there is none; says how to get one.
    """
    every = [each for each in tracers() if wanted in (None, each.key)]
    for tracer in every:
        if not tracer.missing:
            return tracer
    what = "; ".join(tracer.missing for tracer in every)
    said = f"there is no tracer {wanted}" if wanted else "there is no tracer"
    raise EngineUnavailableError(f"{said}: {what}", every[0].how_to_get_it)


def _printed(command: list[str], env: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")
