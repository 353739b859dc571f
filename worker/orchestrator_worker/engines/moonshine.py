"""Moonshine speech recognition, by the package ``moonshine-voice`` with the English weights inside it.

Uses the package as its users do (its own ``Transcriber``, its batch call), so that what is measured is the
package's own memory. That it imports an HTTP client on the way is part of that; nothing is ever fetched,
because the functions that download are not called: missing weights are an error here.

All text comes at once: the package's streaming call is 4–5 times slower and hears worse. It has no restart,
and no way to set its number of threads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from orchestrator_worker.audio import read_float32
from orchestrator_worker.engines.base import Emit, Engine, EngineError, EngineUnavailableError
from orchestrator_worker.engines.language import require_english
from orchestrator_worker.engines.packages import package_folder, package_version
from orchestrator_worker.protocol import Job, ModelSpec
from orchestrator_worker.results import Result, Transcript

PINNED = "0.0.59"
WEIGHTS = ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")
OLDEST_GLIBC = (2, 34)
ARCHITECTURES = ("tiny", "base")
_INSTALL = f"pip install 'moonshine-voice=={PINNED}'"


class MoonshineEngine(Engine):
    """Transcribes with Moonshine tiny-en, or with the weights in the folder that ``file`` names.

    Options: ``arch`` (``tiny``, the default, or ``base``) says what kind of weights lie in ``file``; every
    other one is handed to the library as it is (``vad_threshold``, ``max_tokens_per_second`` …).
    """

    name = "moonshine"
    tasks = ("asr",)
    summary = f"Moonshine tiny-en, English; moonshine-voice {PINNED}, weights inside the package"

    def __init__(self) -> None:
        self._transcriber: Any = None
        self._own_weights = False

    @classmethod
    def check(cls, model: ModelSpec) -> None:
        """Look for package, C library, weights and sensible options; runs nothing of the package."""
        _require_glibc()
        _model_folder(model)
        _architecture(model)
        if model.file is None:
            require_english(cls.name, model.language)

    def load(self, model: ModelSpec) -> Mapping[str, Any]:
        """Load the weights; the facts name the package's version, the folder and the kind of weights."""
        self.check(model)
        folder, architecture = _model_folder(model), _architecture(model)
        try:
            from moonshine_voice.errors import MoonshineError
            from moonshine_voice.moonshine_api import string_to_model_arch
            from moonshine_voice.transcriber import Transcriber
        except ImportError as error:
            raise EngineUnavailableError(f"moonshine_voice cannot be imported: {error}", _INSTALL) from error
        options = {key: _option_text(value) for key, value in model.options.items() if key != "arch"}
        try:
            self._transcriber = Transcriber(folder, string_to_model_arch(architecture), options=options)
        except MoonshineError as error:
            raise EngineError(
                f"moonshine cannot load {folder} as {architecture!r} weights with options {options}: "
                f"{error}; the library's own reason is in the worker's last output"
            ) from error
        self._own_weights = model.file is not None
        return {
            "library": "moonshine-voice",
            "version": package_version("moonshine-voice"),
            "model_dir": folder,
            "arch": architecture,
            "threads": "chosen by the library",
        }

    def run(self, job: Job, emit: Emit) -> Result:
        """Transcribe the job's audio in one call and hand the text over in one chunk."""
        if self._transcriber is None:
            raise EngineError("moonshine: no model is loaded")
        if job.task != "asr":
            raise EngineError(f"moonshine has no task {job.task!r}; it has: asr")
        if not self._own_weights:
            require_english(self.name, job.language)
        if job.audio is None:
            raise EngineError("moonshine: the job has no audio")
        samples = read_float32(job.audio)
        if not samples:
            raise EngineError("moonshine: the audio has 0 samples")
        found = self._transcriber.transcribe_without_streaming(samples, job.audio.sample_rate)
        text = " ".join(line.text.strip() for line in found.lines if line.text.strip())
        emit(text, final=True)
        return Transcript(text=text, language=job.language or (None if self._own_weights else "en"))

    def unload(self) -> None:
        """Free the native transcriber at once; what the library keeps after that is its own doing."""
        transcriber, self._transcriber = self._transcriber, None
        if transcriber is not None:
            transcriber.close()


def _require_glibc() -> None:
    """Refuse a C library the package's binary cannot be loaded with."""
    if sys.platform != "linux":
        return
    try:
        found = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        found = ""  # musl has no such name
    needed = ".".join(map(str, OLDEST_GLIBC))
    how_to_get_it = "use a newer system (Debian 12, Ubuntu 22.04 or later), or another engine for this role"
    if not found.startswith("glibc "):
        raise EngineUnavailableError(
            f"moonshine-voice needs glibc {needed}; this system has no glibc", how_to_get_it
        )
    version = found.removeprefix("glibc ").split(".")
    numbers = tuple(int(part) for part in version[:2] if part.isdigit())
    if numbers < OLDEST_GLIBC:
        raise EngineUnavailableError(
            f"moonshine-voice needs glibc {needed} or newer; this system has {found}", how_to_get_it
        )


def _model_folder(model: ModelSpec) -> str:
    """Return the folder with the weights, looked through for its three files."""
    package = package_folder("moonshine_voice", _INSTALL)
    folder = model.file or os.path.join(package, "assets", "tiny-en")
    missing = [name for name in WEIGHTS if not os.path.isfile(os.path.join(folder, name))]
    if not missing:
        return folder
    if model.file is not None:
        raise EngineUnavailableError(
            f"no Moonshine weights in {folder}: {', '.join(missing)} not there",
            "name the folder that holds them as `file`, or leave `file` out to use the package's own tiny-en",
        )
    raise EngineUnavailableError(
        f"moonshine-voice {package_version('moonshine-voice')} is installed, but without the tiny-en weights "
        f"({', '.join(missing)} not in {folder})",
        f"{_INSTALL} ({PINNED} is the last release whose wheels carry the weights; newer ones fetch "
        "them from the network, which a worker never does), or name a folder of weights as `file`",
    )


def _architecture(model: ModelSpec) -> str:
    """Return the option ``arch``, checked."""
    architecture = model.options.get("arch", "tiny")
    if architecture not in ARCHITECTURES:
        raise EngineError(
            f"moonshine: option arch is {architecture!r}; allowed: {', '.join(map(repr, ARCHITECTURES))}"
        )
    if model.file is None and architecture != "tiny":
        raise EngineError(
            f"moonshine: option arch is {architecture!r}, but the package's own weights are 'tiny'; "
            "name the folder of the other weights as `file`"
        )
    return str(architecture)


def _option_text(value: object) -> str:
    """Spell an option as the library reads it: true and false in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)
