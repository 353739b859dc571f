"""The environment that an engine's worker should start with, unless somebody has said otherwise.

Such variables are read by native libraries while they are loaded or start their first thread: they must be set
before the process starts, which is why the parent does it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from orchestrator.process.host.cores import cores_per_worker

_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    # OpenMP's threads wait for each other thousands of times an input. Awake without end, they took 40 times as long
    # and more on a busy machine; asleep at once, twice to ten times as long on a quiet one. A short while awake costs
    # little on both (benchmarks/bench_openmp.py; the table is in docs/chatllm.md).
    # ggml runs a debugger for seconds before it aborts: what killed it is on standard error without one, too.
    "chatllm": {"GOMP_SPINCOUNT": "1000", "GGML_NO_BACKTRACE": "1"},
}
_WAITING = frozenset({"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"})
"""Who says any of these has decided how threads wait: then nothing of ours is added."""


def engine_defaults(
    engine: str, own: Mapping[str, str], environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return what is to be added for ``engine``: its defaults, less what ``own`` or our own environment says already.

    ``own`` is the model's ``env``, which comes on top of it.
    """
    said = {*(os.environ if environ is None else environ), *own}
    if said & _WAITING:
        said |= _WAITING
    return {name: value for name, value in _DEFAULTS.get(engine, {}).items() if name not in said}


def default_threads(engine: str, workers: int) -> int | None:
    """Return the threads of a model that says nothing of them, in a pool of so many workers; None: the engine's own.

    The engines that share operations among threads slow each other down when there are more of them than cores.
    """
    return cores_per_worker(workers) if engine in _DEFAULTS else None
