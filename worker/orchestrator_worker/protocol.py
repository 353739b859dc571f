"""The messages between parent and worker: the one definition that both sides use.

Direction and order (``docs/protocol.md`` has the bytes)::

    parent                                   worker
      | <------------------------ Hello -------- |   protocol version, capabilities
      | -- Configure --------------------------> |   sys.path, environment, switches
      | <------------------------ Ready -------- |
      | -- Load / Run / Restart / Unload ------> |   one at a time; a Run may follow before the answer
      | <------------------------ Chunk* ------- |   only while a Run is under way
      | <-- Loaded/Done/Restarted/Unloaded/Failed |   ends the command; the worker now stands still
      | -- Cancel(id) -------------------------> |   may come in the middle of a Run
      | -- Shutdown ---------------------------> |   no answer: the process ends

The reply to a command is the barrier of product.md: after it the worker blocks in ``read`` until the next
command, so a parent that reads the worker's memory at that moment reads a process that stands still. A parent that
does not need that may prefetch further Runs. They wait in the pipe, where the parent can recall them; one that
the worker had to read past, to find a Cancel, comes back as Returned.

Every message is a tagged msgspec struct; unknown fields are refused, so a mismatch is an error and never
a guess. A job's result is in a Done as bytes: :mod:`.results`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from orchestrator_worker.results import Alignment as Alignment  # noqa: PLC0414 - engines of others import
from orchestrator_worker.results import Phone as Phone  # noqa: PLC0414 - results from here, as they did when
from orchestrator_worker.results import Plain as Plain  # noqa: PLC0414 - this was one file
from orchestrator_worker.results import Result as Result  # noqa: PLC0414
from orchestrator_worker.results import ResultKind
from orchestrator_worker.results import Transcript as Transcript  # noqa: PLC0414
from orchestrator_worker.results import Word as Word  # noqa: PLC0414

PROTOCOL_VERSION = 10
PROTOCOL_EXIT_CODE = 114
"""Exit code of a worker that was sent bytes it cannot understand."""
SANDBOX_EXIT_CODE = 115
"""Exit code of a worker that could not confine itself as it was asked to; why is the last it prints."""

Encoding = Literal["wav", "s16le", "f32le"]
Unloading = Literal["destroy", "abandon", "try"]
"""How a model is to be unloaded: destroyed, abandoned (left where it is), or whichever a try shows to work."""


class Message(msgspec.Struct, frozen=True, tag_field="type", tag=True, forbid_unknown_fields=True):
    """Base of everything that crosses the pipe; the struct's name is its tag."""


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what messages are made of. Carries no tag."""


# --------------------------------------------------------------------------- parts of messages


class Audio(Value, frozen=True):
    """Decoded audio, 16 kHz mono, made safe by the parent.

    ``path`` is a file the parent vouches for (never a user's raw path handed to native code), or
    ``/proc/PID/fd/N`` of a memfd. ``samples`` counts samples, whatever the encoding.
    """

    path: str
    samples: int
    encoding: Encoding = "wav"
    sample_rate: int = 16_000


class Job(Value, frozen=True):
    """One request for a kind of work.

    ``options`` are the task's own: ``function`` jobs carry target, args and kwargs there, an ``align`` job may
    ask for ``phones``. A ``fresh`` job must not see what the jobs before left in the model's context: an engine
    that has a restart is restarted first if it has run anything since. ``shared`` says that the arguments of a
    ``function`` job come as sealed memory, passed with the ``id`` of its Run.
    """

    task: str
    audio: Audio | None = None
    text: str | None = None
    language: str | None = None
    options: dict[str, Any] = {}
    fresh: bool = False
    shared: bool = False


class ModelSpec(Value, frozen=True):
    """What an engine needs to load one model. Paths are absolute; absent means the engine's default."""

    engine: str
    name: str
    file: str | None = None
    library: str | None = None
    threads: int | None = None
    context_length: int | None = None
    language: str | None = None
    format: str | None = None
    options: dict[str, Any] = {}


class Heap(Value, frozen=True):
    """The C allocator's own view, in bytes. ``off`` says why there is none; then the numbers are 0 or absent.

    ``live`` is uordblks + hblkhd of glibc's mallinfo2, ``held`` is fordblks (free, but not given back; absent
    when the source does not know it).
    """

    live: int = 0
    held: int | None = None
    source: str = ""
    off: str | None = None


class ChunkTimes(Value, frozen=True):
    """When text arrived, in seconds after the input was handed to the engine. Stamped in the emit callback.

    ``first_s`` and ``last_s`` belong to the first and last *text* chunk; ``characters_after_first`` counts the
    characters of all chunks but the first.
    """

    chunks: int = 0
    first_s: float | None = None
    last_s: float | None = None
    characters_after_first: int = 0


class EngineInfo(Value, frozen=True):
    """One engine as ``orchestrator engines`` lists it; ``error`` when its import failed.

    ``forks``: it says of a model that a process which has loaded it may be forked.
    """

    name: str
    source: str
    tasks: list[str] = []
    restarts: bool = False
    forks: bool = False
    aborts: bool = False
    summary: str = ""
    error: str | None = None


# --------------------------------------------------------------------------- parent to worker


class Sandbox(Value, frozen=True):
    """To what a worker confines itself before it does anything else; absolute paths.

    ``reads`` and ``writes`` come on top of what any Python needs. Of the folders ``wide`` (real paths), and those above
    them, only modules may be read, where they are on ``sys.path``.
    """

    mode: Literal["strict", "files"]
    reads: list[str] = []
    writes: list[str] = []
    wide: list[str] = []


class Configure(Message, frozen=True):
    """Answer to Hello. ``sys_path`` is appended to the worker's own; ``environ`` is set after the start.

    ``heap``: report the allocator's view with every answer. ``linger``: where that is off, stay awake for a moment
    after a short job, because the next one may come at once. ``beat_s``: have a thread wake up so often, by which the
    parent sees that the process can run. ``sandbox``: what the worker confines itself to before anything else; then
    audio comes as a descriptor over a socket, with the ``id`` of its Run. ``most_shared``: bytes that a result may have
    in shared memory; 0: none goes there.
    """

    protocol: int
    sys_path: list[str] = []
    environ: dict[str, str] = {}
    heap: bool = True
    linger: bool = True
    beat_s: float | None = None
    sandbox: Sandbox | None = None
    most_shared: int = 0


class Load(Message, frozen=True):
    """Create the engine and load the model. Refused while one is loaded."""

    id: int
    model: ModelSpec


class Run(Message, frozen=True):
    """Run one job on the loaded model. ``stream`` asks for Chunk messages; times are stamped either way."""

    id: int
    job: Job
    stream: bool = False


class Restart(Message, frozen=True):
    """Reset the engine's context and keep the model."""

    id: int


class Unload(Message, frozen=True):
    """Destroy the engine object, or ``abandon`` it: leave it where it is, where a library dies of a destroy."""

    id: int
    abandon: bool = False


class Trim(Message, frozen=True):
    """Ask the allocator to give free memory back (``malloc_trim(0)`` or its like)."""

    id: int


class Trace(Message, frozen=True):
    """Write every allocation from now on to ``file``, at most ``most_bytes`` of it; without a file: stop that."""

    id: int
    file: str | None = None
    most_bytes: int = 0
    tracer: Literal["memray", "heaptrack", "jemalloc"] = "memray"


class Check(Message, frozen=True):
    """Import the engine and ask whether it could load the model; loads nothing."""

    id: int
    model: ModelSpec


class ListEngines(Message, frozen=True):
    """Import every known engine, one after the other, and report each."""

    id: int


class Cancel(Message, frozen=True):
    """Ask the running job ``id`` to stop. An engine that cannot simply goes on."""

    id: int


class Shutdown(Message, frozen=True):
    """Leave, by ``os._exit`` after a flush."""


Command = Configure | Load | Run | Restart | Unload | Trim | Trace | Check | ListEngines | Cancel | Shutdown

# --------------------------------------------------------------------------- worker to parent


class Hello(Message, frozen=True):
    """First message of every worker."""

    protocol: int
    version: str
    pid: int
    python: str
    capabilities: list[str] = []


class Ready(Message, frozen=True):
    """The worker took its configuration and waits for commands."""

    heap: Heap | None = None


class Loaded(Message, frozen=True):
    """The model is loaded. ``facts`` are the engine's own words about it (version, threads used …)."""

    id: int
    seconds: float
    tasks: list[str]
    facts: dict[str, Any] = {}
    heap: Heap | None = None


class Chunk(Message, frozen=True):
    """A piece of text. ``replaces`` > 0: the last so many characters sent so far are withdrawn first."""

    id: int
    text: str
    final: bool = False
    replaces: int = 0


class Done(Message, frozen=True):
    """The job's result, packed by :func:`~orchestrator_worker.results.pack_result`.

    ``seconds`` spans from handing the input to the engine to its return. With ``shared`` the result has so many bytes
    in sealed memory, passed before this with the same ``id``, and there are none in ``result``.
    """

    id: int
    kind: ResultKind
    result: bytes
    seconds: float
    times: ChunkTimes
    heap: Heap | None = None
    shared: int = 0


class Returned(Message, frozen=True):
    """A Run that was sent ahead was read and not begun; the worker has forgotten it."""

    id: int


class Restarted(Message, frozen=True):
    """``reset`` is ``restart``, or ``none`` when the engine has no restart (the method runs as reuse)."""

    id: int
    reset: Literal["restart", "none"]
    seconds: float
    heap: Heap | None = None


class Unloaded(Message, frozen=True):
    """The engine object is gone."""

    id: int
    seconds: float
    heap: Heap | None = None


class Trimmed(Message, frozen=True):
    """``trimmed`` says whether the allocator could be asked at all; ``heap`` is read after the trim."""

    id: int
    trimmed: bool
    heap: Heap | None = None


class Traced(Message, frozen=True):
    """The trace has begun or ended; ``tracer`` names what traces, with its version."""

    id: int
    tracer: str


class Checked(Message, frozen=True):
    """The engine could load the model, as far as a look can tell. ``estimate_bytes`` of memory, if it knows.

    ``unloading``: how the model is to be unloaded by whoever loads others after it in the same process. ``forks``: a
    process that has loaded it may be forked.
    """

    id: int
    tasks: list[str]
    estimate_bytes: int | None = None
    unloading: Unloading = "destroy"
    forks: bool = False


class Engines(Message, frozen=True):
    """Answer to ListEngines."""

    id: int
    engines: list[EngineInfo]


class Failed(Message, frozen=True):
    """A command ended in an exception.

    ``kind`` tells ``unavailable`` (``how_to_get_it`` of what is missing), ``cancelled`` (the job
    stopped because it was asked to), ``refused`` (the command makes no sense now) and ``error`` apart.
    ``module`` is where the exception's type is from, ``arguments`` in msgpack a list of what it was made
    with, where all of that is plain and small.
    """

    id: int
    kind: Literal["error", "unavailable", "cancelled", "refused"]
    type_name: str
    message: str
    traceback: str = ""
    how_to_get_it: str = ""
    heap: Heap | None = None
    module: str = ""
    arguments: bytes = b""


Reply = (
    Hello
    | Ready
    | Loaded
    | Chunk
    | Done
    | Returned
    | Restarted
    | Unloaded
    | Trimmed
    | Traced
    | Checked
    | Engines
    | Failed
)
