"""PocketSphinx: recognition (``asr``) and forced alignment (``align``), with the en-us model in its package.

Audio is fed in blocks of a quarter of a second, so that text comes while the decoder works and a cancel is
seen between two blocks. Before each utterance the feature extraction is made anew: the library carries its
mean and its last frames on from utterance to utterance, and a job's result must not depend on the job before
(``set_cmn`` sets only the mean back: an utterance that was cut short would still show in the next).

The library has no restart and uses one thread. :mod:`.pocketsphinx_aligner` aligns.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

from orchestrator_worker.audio import read_int16
from orchestrator_worker.engines.alignment_text import bare_word, is_filler
from orchestrator_worker.engines.base import Emit, Engine, EngineError, EngineUnavailableError
from orchestrator_worker.engines.language import require_english
from orchestrator_worker.engines.nearest import known_words
from orchestrator_worker.engines.packages import package_folder, package_version
from orchestrator_worker.engines.partial_text import PartialText
from orchestrator_worker.engines.pocketsphinx_aligner import (
    PocketsphinxAligner,
    blocks,
    milliseconds,
    segments,
)
from orchestrator_worker.protocol import Job, ModelSpec
from orchestrator_worker.results import Result, Transcript, Word

OPTIONS = ("lm",)
_INSTALL = "pip install 'pocketsphinx>=5.1,<5.2'"
_LM_SEARCH = "_default"
"""What the library calls the search it makes from the language model at the start."""


class PocketsphinxEngine(Engine):
    """Transcribes or aligns English with the package's own model, or the one in the folder ``file`` names.

    Model option ``lm = false`` leaves the language model out: 45 MB less, and only ``align``. Job options of
    ``align``: ``phones`` (bool) and ``unknown``, what becomes of words the dictionary lacks (``pronounce`` by rule, the
    default, ``skip`` or ``error``).
    """

    name = "pocketsphinx"
    tasks = ("asr", "align")
    summary = "PocketSphinx 5.1 en-us, English; recognition and forced alignment, model inside the package"
    aborts = True

    def __init__(self) -> None:
        self._decoder: Any = None
        """The one with a language model, where there is one."""
        self._aligner: PocketsphinxAligner | None = None
        self._own_model = False

    @classmethod
    def check(cls, model: ModelSpec) -> None:
        """Look for the package, the model's files and sensible options; runs nothing of the package."""
        _model_files(model)
        if model.file is None:
            require_english(cls.name, model.language)

    @classmethod
    def may_fork(cls, model: ModelSpec) -> bool:  # noqa: ARG003
        """Return True: the library has one thread and files that are read or mapped."""
        return True

    def load(self, model: ModelSpec) -> Mapping[str, Any]:
        """Load acoustic model, dictionary and language model; the facts name version and folder."""
        self.check(model)
        hmm, dictionary, lm = _model_files(model)
        try:
            from pocketsphinx import Decoder  # pyright: ignore[reportUnknownVariableType]
        except ImportError as error:
            raise EngineUnavailableError(f"pocketsphinx cannot be imported: {error}", _INSTALL) from error

        def make(lm: str | None = None) -> Any:
            # ERROR, not FATAL: what is wrong must reach the worker's output; INFO is pages for each job.
            return cast("Any", Decoder(hmm=hmm, dict=dictionary, lm=lm, loglevel="ERROR"))

        try:
            decoder = make(lm)
        except (RuntimeError, ValueError) as error:
            raise EngineError(
                f"pocketsphinx cannot load {os.path.dirname(dictionary)}: {error}; "
                "the library's own reason is in the worker's last output"
            ) from error
        self._decoder = decoder if lm is not None else None
        self._aligner = PocketsphinxAligner(make, decoder, borrowed=lm is not None)
        self._own_model = model.file is not None
        return {
            "library": "pocketsphinx",
            "version": package_version("pocketsphinx"),
            "model_dir": os.path.dirname(dictionary),
            "language_model": lm is not None,
            "threads": 1,
        }

    def run(self, job: Job, emit: Emit) -> Result:
        """Transcribe or align one job's audio."""
        if self._aligner is None:
            raise EngineError("pocketsphinx: no model is loaded")
        if not self._own_model:
            require_english(self.name, job.language)
        if job.task == "asr":
            return self._transcribe(job, _pcm(job), emit)
        if job.task == "align":
            return self._aligner.align(job, _pcm(job), emit)
        raise EngineError(f"pocketsphinx has no task {job.task!r}; it has: {', '.join(self.tasks)}")

    def unload(self) -> None:
        """Drop the decoders: nothing else refers to them, so the library frees them here and now."""
        self._decoder = self._aligner = None

    def _transcribe(self, job: Job, pcm: bytes, emit: Emit) -> Transcript:
        if self._decoder is None:
            raise EngineError(
                "pocketsphinx has no task 'asr' with lm = false, which leaves only align; set lm = true"
            )
        self._decoder.activate_search(_LM_SEARCH)  # an align job before may have left its own search
        partial = PartialText(emit)
        for _ in blocks(self._decoder, pcm, emit):
            partial.heard(self._text())
        text = self._text()
        partial.finish(text)
        words = [
            Word(bare_word(entry.name), entry.start_ms, entry.end_ms)
            for entry in segments(self._decoder, milliseconds(pcm))
            if not is_filler(entry.name)
        ]
        return Transcript(
            text=text, language=job.language or (None if self._own_model else "en"), words=words
        )

    def _text(self) -> str:
        found = self._decoder.hyp()
        return str(found.hypstr) if found is not None else ""


def _pcm(job: Job) -> bytes:
    """Return the job's audio, which must not be empty."""
    if job.audio is None:
        raise EngineError("pocketsphinx: the job has no audio")
    pcm = read_int16(job.audio)
    if not pcm:
        raise EngineError("pocketsphinx: the audio has 0 samples")
    return pcm


def _model_files(model: ModelSpec) -> tuple[str, str, str | None]:
    """Return acoustic model, dictionary and language model (None with ``lm = false``), all looked for."""
    for option in model.options:
        if option not in OPTIONS:
            raise EngineError(f"pocketsphinx has no option {option!r}; {known_words(option, OPTIONS)}")
    with_lm = model.options.get("lm", True)
    if not isinstance(with_lm, bool):
        raise EngineError(f"pocketsphinx: option lm is {with_lm!r}; allowed: true, false")
    package = package_folder("pocketsphinx", _INSTALL)
    folder = model.file or os.path.join(package, "model", "en-us")
    wanted = ["en-us/mdef", "cmudict-en-us.dict", *(["en-us.lm.bin"] if with_lm else [])]
    missing = [name for name in wanted if not os.path.isfile(os.path.join(folder, name))]
    if missing:
        raise EngineUnavailableError(
            f"no PocketSphinx model in {folder}: {', '.join(missing)} not there",
            "leave `file` out to use the model inside the package"
            if model.file is not None
            else f"{_INSTALL} --force-reinstall",
        )
    lm = os.path.join(folder, "en-us.lm.bin") if with_lm else None
    return os.path.join(folder, "en-us"), os.path.join(folder, "cmudict-en-us.dict"), lm
