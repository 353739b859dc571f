"""What a model's workers are confined to where nobody has said it.

Our speech engines run ``strict`` where the kernel can: their native code reads model files and recordings of
strangers, and what they need is known. Functions and engines of others run unconfined unless they ask, and so do

- ``synthetic``, which reads no model, runs no foreign code, and whose purpose is to do the worst it is told to
- a model that is told to use a graphics processor: what its driver needs of the system is not known to us
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterable

from orchestrator.config.model import Model, SandboxMode
from orchestrator.errors import SandboxUnavailableError
from orchestrator_worker.sandbox.kernel import why_not

log = logging.getLogger("orchestrator.process")
CONFINED_ENGINES = frozenset({"chatllm", "faster-whisper", "moonshine", "pocketsphinx"})
_GPU_LAYERS = {"-ngl", "--n_gpu_layers"}
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd")


def mode_of(model: Model) -> SandboxMode:
    """Return what the model's workers are confined to on this system; says once where that is less than it would be."""
    if model.sandbox is not None:
        return model.sandbox
    if default_mode(model) == "off":
        return "off"
    if reason := why_not("strict"):
        _say(reason)
        return "off"
    return "strict"


def default_mode(model: Model) -> SandboxMode:
    """Return what the model's workers are confined to if its user says nothing and the kernel can."""
    return "strict" if model.engine in CONFINED_ENGINES and not _uses_gpu(model) else "off"


def require_sandbox(models: Iterable[Model]) -> None:
    """See that this system can confine the workers of these models as far as they ask for it by word.

    Raises:
        SandboxUnavailableError: It cannot; says why in one sentence.
    """
    for model in models:
        if model.sandbox not in (None, "off") and (reason := why_not(model.sandbox)):
            raise SandboxUnavailableError(
                f'sandbox = "{model.sandbox}" of model {model.name!r} {reason}',
                'use a newer kernel, or sandbox = "off" where model and audio are trusted',
            )


@functools.cache
def _say(reason: str) -> None:
    log.warning('speech engines run unconfined: sandbox = "strict", their default, %s', reason)


def _uses_gpu(model: Model) -> bool:
    if model.engine == "faster-whisper":
        device = model.options.get("device", "cpu")
        return device == "cuda" or (device == "auto" and any(map(os.path.exists, _GPU_DEVICES)))
    argv = model.options.get("argv", ())
    return isinstance(argv, list | tuple) and any(word in _GPU_LAYERS for word in argv)  # pyright: ignore[reportUnknownVariableType]
