"""What ``ModelSpec.options`` may say to the synthetic engine: every key, its unit and its default.

Sizes are KiB (1024 bytes) and may be fractions; times are milliseconds. "Job n" is the n-th job of this model
in this process; it counts on through unload and load. Memory that *stays* belongs to the process, as a
library's statics do: no unload frees it.

===================== ========= ==============================================================================
key                   default   meaning
===================== ========= ==============================================================================
seed                  0         every random choice follows from it
--------------------- --------- ---- memory that stays -------------------------------------------------------
leak_kib_per_job      0         lost with every job
leak_kib_per_load     0         lost with every load
leak_kib_per_token    0         lost with every token (chunk of text)
leak_kib_per_restart  0         lost with every restart (engine ``synthetic-restart``)
leak_shape            constant  ``constant``: each time the same; ``chunks``: the same rate, but in pieces of
                                ``chunk_kib``, one at a random place in every ``chunk_kib / rate`` events;
                                ``random``: another size each time, exponential, with the rate as its mean
chunk_kib             1024      size of a piece
leak_starts_at_job    1         before this job nothing leaks (memory, descriptors, threads)
leak_source           malloc    ``malloc``; ``mmap``: outside what the allocator knows; ``shared``: pages of a shared
                                mapping, as memfd and CUDA's pinned memory have them; ``python``: small objects
                                of the interpreter; also of the pool
pool_kib              0         a pool that grows by the same amount each job and then stops
pool_fill_jobs        10        after so many jobs it is full
fragment_kib          0         per job: malloc many small blocks, free almost all of each; the held but free
                                memory can be neither used for the next job's blocks nor given back
fragment_jobs         all       only so many jobs do so
file_kib              0         pages of a mapped file, touched in equal parts with each job: resident, but neither
                                anonymous nor the allocator's
file_fill_jobs        10        after so many jobs all of the file is touched
leak_fds_per_job      0         descriptors left open with every job
leak_threads_per_job  0         threads left waiting forever with every job (each costs its stack, some KiB)
--------------------- --------- ---- memory that comes and goes ----------------------------------------------
transient_source      mmap      where the following come from. ``mmap`` gives back for certain; of ``malloc``
                                the allocator may keep what was freed
cache_kib             0         a cache that evicts its oldest entries beyond this size
cache_keys            0         a cache of so many keys, of which a job asks for a drawn one: it fills ever more
                                slowly, with entries of just ``cache_entries_kib``
cache_entries_kib     64        mean size of the one entry a job adds (half to one and a half of it)
sawtooth_kib          0         grows to this over a period, then drops to the first step
sawtooth_period       10        jobs of a period
noise_kib             0         a level between 0 and this, drawn anew with every job
base_kib              0         held from load to unload: the model
peak_kib              0         held during a job, for ``peak_ms``, after its last token
peak_ms               0
--------------------- --------- ---- work --------------------------------------------------------------------
work                  sleep     how time is spent: ``sleep``, or ``spin`` (busy)
load_ms               0         a load takes so long
first_token_ms        0         the first chunk comes so long after the job started: the true TTFT
token_ms              0         from one chunk to the next
tokens                1         chunks the text is cut into, by characters and as even as can be; more tokens
                                than characters leave some empty, which are worked but not sent
job_ms                0         work after the last token. A job takes first_token_ms
                                + (tokens - 1) * token_ms + peak_ms + job_ms
text                            the text answered; absent: the job's own text, else a fixed sentence. ``{digest}``
                                in it becomes eight digits that depend on the audio's bytes
warning                         a sentence that every transcript and alignment carries as its warning
words_from_ms         0         where an alignment's first word starts; nothing keeps it within the audio
--------------------- --------- ---- a process that is forked after the load ----------------------------------
may_fork              False     whether the engine says that it may be
load_leaves           nothing   what speaks against it: a ``thread``, a ``socket`` or ``shared`` memory that the
                                load leaves behind
--------------------- --------- ---- faults ------------------------------------------------------------------
faults                []        list of tables, see :mod:`.faults`
===================== ========= ==============================================================================
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Kib = Annotated[float, Meta(ge=0)]
Milliseconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
SourceName = Literal["malloc", "mmap", "shared", "python"]


class SyntheticOptions(msgspec.Struct, frozen=True):
    """The options of one synthetic model; the table in the module's docstring is their meaning."""

    seed: int = 0

    leak_kib_per_job: Kib = 0
    leak_kib_per_load: Kib = 0
    leak_kib_per_token: Kib = 0
    leak_kib_per_restart: Kib = 0
    leak_shape: Literal["constant", "chunks", "random"] = "constant"
    chunk_kib: Annotated[float, Meta(gt=0)] = 1024
    leak_starts_at_job: Positive = 1
    leak_source: SourceName = "malloc"
    pool_kib: Kib = 0
    pool_fill_jobs: Positive = 10
    fragment_kib: Kib = 0
    fragment_jobs: Positive | None = None
    file_kib: Kib = 0
    file_fill_jobs: Positive = 10
    leak_fds_per_job: Count = 0
    leak_threads_per_job: Count = 0

    transient_source: SourceName = "mmap"
    cache_kib: Kib = 0
    cache_keys: Count = 0
    cache_entries_kib: Annotated[float, Meta(gt=0)] = 64
    sawtooth_kib: Kib = 0
    sawtooth_period: Positive = 10
    noise_kib: Kib = 0
    base_kib: Kib = 0
    peak_kib: Kib = 0
    peak_ms: Milliseconds = 0

    work: Literal["sleep", "spin"] = "sleep"
    load_ms: Milliseconds = 0
    first_token_ms: Milliseconds = 0
    token_ms: Milliseconds = 0
    tokens: Positive = 1
    job_ms: Milliseconds = 0
    text: str | None = None
    warning: str | None = None
    words_from_ms: float = 0

    may_fork: bool = False
    load_leaves: Literal["nothing", "thread", "socket", "shared"] = "nothing"

    faults: list[dict[str, Any]] = []


class SyntheticJobOptions(msgspec.Struct, frozen=True):
    """``job.options``: a fault for this job alone, a table or just its ``how``."""

    fault: dict[str, Any] | str | None = None
