"""The environment that an engine's worker should start with, unless somebody has said otherwise.

Such variables are read by native libraries while they are loaded or start their first thread: they must be set
before the process starts, which is why the parent does it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    # OpenMP's threads spin while they wait: with more of them than free cores, one input took 50 times as long.
    # ggml runs a debugger for seconds before it aborts: what killed it is on standard error without one, too.
    "chatllm": {"OMP_WAIT_POLICY": "passive", "GGML_NO_BACKTRACE": "1"},
}


def engine_defaults(engine: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what is to be added for ``engine``: its defaults, less what our own environment says already.

    A model's ``env`` comes on top of it.
    """
    said = os.environ if environ is None else environ
    return {name: value for name, value in _DEFAULTS.get(engine, {}).items() if name not in said}
