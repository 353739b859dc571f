"""PocketSphinx: recognition (``asr``) and forced alignment (``align``), with the en-us model in its package.

Audio is fed in blocks of a quarter of a second, so that text comes while the decoder works and a cancel is
seen between two blocks. Before each utterance the feature extraction is made anew: the library carries its
mean and its last frames on from utterance to utterance, and a job's result must not depend on the job before
(``set_cmn`` sets only the mean back: an utterance that was cut short would still show in the next).

Alignment is one pass for words and, when the job asks for ``phones``, a second for the phones inside them.
The library has no restart and uses one thread.

``Decoder.current_search()`` is never called: on a decoder without a language model it ends the process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, cast

from orchestrator_worker.audio import read_int16
from orchestrator_worker.engines.alignment_text import Timed, bare_word, is_filler, placed, prepare
from orchestrator_worker.engines.base import (
    Emit,
    Engine,
    EngineError,
    EngineUnavailableError,
    JobCancelledError,
)
from orchestrator_worker.engines.language import require_english
from orchestrator_worker.engines.nearest import known_words
from orchestrator_worker.engines.packages import package_folder, package_version
from orchestrator_worker.engines.partial_text import PartialText
from orchestrator_worker.protocol import Alignment, Job, ModelSpec, Phone, Result, Transcript, Word

BLOCK_BYTES = 8_000
"""A quarter of a second of 16 kHz 16-bit audio."""
FRAME_MS = 10
OPTIONS = ("lm",)
_INSTALL = "pip install 'pocketsphinx>=5.1,<5.2'"
_LM_SEARCH = "_default"
"""What the library calls the search it makes from the language model at the start."""


class PocketsphinxEngine(Engine):
    """Transcribes or aligns English with the package's own model, or the one in the folder ``file`` names.

    Model option ``lm = false`` leaves the language model out: 45 MB less, and only ``align``. Job options of
    ``align``: ``phones`` (bool) and ``unknown`` (``error``, the default, or ``skip``).
    """

    name = "pocketsphinx"
    tasks = ("asr", "align")
    summary = "PocketSphinx 5.1 en-us, English; recognition and forced alignment, model inside the package"
    aborts = True

    def __init__(self) -> None:
        self._decoder: Any = None
        self._transcribes = True
        self._own_model = False

    @classmethod
    def check(cls, model: ModelSpec) -> None:
        """Look for the package, the model's files and sensible options; runs nothing of the package."""
        _model_files(model)
        if model.file is None:
            require_english(cls.name, model.language)

    def load(self, model: ModelSpec) -> Mapping[str, Any]:
        """Load acoustic model, dictionary and language model; the facts name version and folder."""
        self.check(model)
        hmm, dictionary, lm = _model_files(model)
        try:
            from pocketsphinx import Decoder  # pyright: ignore[reportUnknownVariableType]
        except ImportError as error:
            raise EngineUnavailableError(f"pocketsphinx cannot be imported: {error}", _INSTALL) from error
        try:
            # ERROR, not FATAL: what is wrong must reach the worker's output; INFO is pages for each job.
            self._decoder = cast("Any", Decoder(hmm=hmm, dict=dictionary, lm=lm, loglevel="ERROR"))
        except (RuntimeError, ValueError) as error:
            raise EngineError(
                f"pocketsphinx cannot load {os.path.dirname(dictionary)}: {error}; "
                "the library's own reason is in the worker's last output"
            ) from error
        self._transcribes = lm is not None
        self._own_model = model.file is not None
        return {
            "library": "pocketsphinx",
            "version": package_version("pocketsphinx"),
            "model_dir": os.path.dirname(dictionary),
            "language_model": self._transcribes,
            "threads": 1,
        }

    def run(self, job: Job, emit: Emit) -> Result:
        """Transcribe or align one job's audio."""
        if self._decoder is None:
            raise EngineError("pocketsphinx: no model is loaded")
        if not self._own_model:
            require_english(self.name, job.language)
        if job.task == "asr":
            return self._transcribe(job, _pcm(job), emit)
        if job.task == "align":
            return self._align(job, _pcm(job), emit)
        raise EngineError(f"pocketsphinx has no task {job.task!r}; it has: {', '.join(self.tasks)}")

    def unload(self) -> None:
        """Drop the decoder: nothing else refers to it, so the library frees it here and now."""
        self._decoder = None

    def _transcribe(self, job: Job, pcm: bytes, emit: Emit) -> Transcript:
        if not self._transcribes:
            raise EngineError(
                "pocketsphinx was loaded with lm = false, which leaves only align; set lm = true"
            )
        self._decoder.activate_search(_LM_SEARCH)  # an align job before may have left its own search
        partial = PartialText(emit)
        for _ in self._blocks(pcm, emit):
            partial.heard(self._text())
        text = self._text()
        partial.finish(text)
        words = [
            Word(bare_word(entry.name), entry.start_ms, entry.end_ms)
            for entry in self._segments(_milliseconds(pcm))
            if not is_filler(entry.name)
        ]
        return Transcript(
            text=text, language=job.language or (None if self._own_model else "en"), words=words
        )

    def _align(self, job: Job, pcm: bytes, emit: Emit) -> Alignment:
        prepared = prepare(
            job.text or "",
            lambda word: self._decoder.lookup_word(word) is not None,
            skip_unknown=_skip_unknown(job),
        )
        self._decoder.set_align_text(" ".join(prepared.spoken))
        length_ms = _milliseconds(pcm)
        self._listen(pcm, emit)
        if not job.options.get("phones", False):
            words, _ = placed(prepared, self._segments(length_ms))
            return Alignment(words=words, skipped=prepared.skipped)
        placed(prepared, self._segments(length_ms))  # the second pass takes whatever the first one found
        self._decoder.set_alignment()
        self._listen(pcm, emit)
        entries, children = self._sub_words(length_ms)
        words, owners = placed(prepared, entries)
        phones = [
            Phone(phone.name, phone.start_ms, phone.end_ms, owner)
            for owner, inner in zip(owners, children, strict=True)
            for phone in inner
        ]
        return Alignment(words=words, phones=phones, skipped=prepared.skipped)

    def _listen(self, pcm: bytes, emit: Emit) -> None:
        for _ in self._blocks(pcm, emit):
            pass

    def _blocks(self, pcm: bytes, emit: Emit) -> Iterator[None]:
        """Feed one utterance; yields after each block, and ends the utterance whatever happens."""
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        try:
            for start in range(0, len(pcm), BLOCK_BYTES):
                if emit.cancelled:
                    raise JobCancelledError("pocketsphinx: the job was cancelled")
                self._decoder.process_raw(pcm[start : start + BLOCK_BYTES])
                yield
        finally:
            self._decoder.end_utt()

    def _text(self) -> str:
        found = self._decoder.hyp()
        return str(found.hypstr) if found is not None else ""

    def _segments(self, length_ms: int) -> list[Timed]:
        """Return what the last utterance was found to be made of; nothing when it was not found at all."""
        if self._decoder.hyp() is None:  # the library's seg() is then no iterator but None inside
            return []
        return [
            Timed(
                str(entry.word),
                min(entry.start_frame * FRAME_MS, length_ms),
                min((entry.end_frame + 1) * FRAME_MS, length_ms),
            )
            for entry in self._decoder.seg()
        ]

    def _sub_words(self, length_ms: int) -> tuple[list[Timed], list[list[Timed]]]:
        """Return the spoken words of the last utterance and, beside each, its phones.

        All is read while the library's iterator stands on the entry: an entry kept for later points into
        memory that is gone by then, and looking inside it ends the process.
        """
        words: list[Timed] = []
        phones: list[list[Timed]] = []
        for entry in self._decoder.get_alignment() or ():
            if not is_filler(str(entry.name)):
                words.append(_timed(entry, length_ms))
                phones.append([_timed(child, length_ms) for child in entry])
        return words, phones


def _timed(entry: Any, length_ms: int) -> Timed:
    """Read a word or a phone of the library's sub-word alignment."""
    end = (entry.start + entry.duration) * FRAME_MS
    return Timed(str(entry.name), min(entry.start * FRAME_MS, length_ms), min(end, length_ms))


def _pcm(job: Job) -> bytes:
    """Return the job's audio, which must not be empty."""
    if job.audio is None:
        raise EngineError("pocketsphinx: the job has no audio")
    pcm = read_int16(job.audio)
    if not pcm:
        raise EngineError("pocketsphinx: the audio has 0 samples")
    return pcm


def _milliseconds(pcm: bytes) -> int:
    return len(pcm) // 2 * 1000 // 16_000


def _skip_unknown(job: Job) -> bool:
    """Return what the job says about words the dictionary lacks."""
    unknown = job.options.get("unknown", "error")
    if unknown not in {"error", "skip"}:
        raise EngineError(f"align: option unknown is {unknown!r}; allowed: 'error', 'skip'")
    return bool(unknown == "skip")


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
