"""Whisper by the package ``faster-whisper`` (CTranslate2), on a model folder of the user's.

Nothing is ever fetched: the model is a local folder, the one file the package would otherwise get by itself
(``tokenizer.json``) must be in it, and the hub's client is told to stay offline.

``asr`` hands over a chunk for each of the library's segments, as its generator yields them; that is where a
cancel is seen. ``align`` recognises with word times and places the given text on what was heard
(:mod:`.heard_words`): Whisper is no forced aligner.

Decoding is at temperature 0 unless the option says otherwise: the library's own fallback draws samples, and
what is measured should repeat. The library has no restart.
"""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from orchestrator_worker.audio import read_float32
from orchestrator_worker.engines.alignment_text import Timed
from orchestrator_worker.engines.base import (
    Emit,
    Engine,
    EngineError,
    EngineUnavailableError,
    JobCancelledError,
)
from orchestrator_worker.engines.heard_words import place
from orchestrator_worker.engines.options import read_options
from orchestrator_worker.engines.packages import package_folder, package_version
from orchestrator_worker.engines.whisper_languages import whisper_code
from orchestrator_worker.protocol import Job, ModelSpec
from orchestrator_worker.results import Alignment, Result, Transcript, Word

NEEDED = ("model.bin", "config.json", "tokenizer.json")
VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_INSTALL = "pip install 'faster-whisper>=1.1,<2'"
_GET_MODEL = "hf download Systran/faster-whisper-tiny --local-dir {folder}"
_CONVERT = (
    "ct2-transformers-converter --model {folder} --output_dir {folder}-ct2 --quantization int8 "
    "--copy_files tokenizer.json preprocessor_config.json"
)


class FasterWhisperOptions(msgspec.Struct, frozen=True):
    """A model's ``options``, as the library names them, with our defaults."""

    device: Literal["cpu", "cuda", "auto"] = "cpu"
    compute_type: str = "int8"
    beam_size: int = 5
    temperature: float = 0.0
    vad_filter: bool = False
    condition_on_previous_text: bool = True
    word_timestamps: bool = False
    """Word times for ``asr`` too; ``align`` always has them."""


class FasterWhisperEngine(Engine):
    """Transcribes in any language the model knows, and aligns by the word times of its own transcription."""

    name = "faster-whisper"
    tasks = ("asr", "align")
    summary = "Whisper on CTranslate2; extra 'faster-whisper' and a local model folder"
    aborts = True

    def __init__(self) -> None:
        self._model: Any = None
        self._options = FasterWhisperOptions()
        self._language: str | None = None

    @classmethod
    def check(cls, model: ModelSpec) -> None:
        """Look for the package, the model's files and sensible options; runs nothing of the package."""
        _options(model)
        package_folder("faster_whisper", _INSTALL)
        _model_folder(model)

    def load(self, model: ModelSpec) -> Mapping[str, Any]:
        """Load the model; the facts name versions, folder, device, precision and threads."""
        self.check(model)
        options, folder = _options(model), _model_folder(model)
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when the hub's client is imported
        try:
            library = importlib.import_module("faster_whisper")
        except ImportError as error:
            raise EngineUnavailableError(f"faster_whisper cannot be imported: {error}", _INSTALL) from error
        try:
            self._model = library.WhisperModel(
                folder,
                device=options.device,
                compute_type=options.compute_type,
                cpu_threads=model.threads or 0,  # 0: the library's own choice
                num_workers=1,
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineError(
                f"faster-whisper cannot load {folder} on {options.device} as {options.compute_type}: {error}"
            ) from error
        self._options = options
        self._language = model.language
        return {
            "library": "faster-whisper",
            "version": package_version("faster-whisper"),
            "ctranslate2": package_version("ctranslate2"),
            "model_dir": folder,
            "device": options.device,
            "compute_type": options.compute_type,
            "threads": model.threads or "chosen by the library",
        }

    def run(self, job: Job, emit: Emit) -> Result:
        """Transcribe or align one job's audio."""
        if self._model is None:
            raise EngineError("faster-whisper: no model is loaded")
        if job.task not in self.tasks:
            raise EngineError(f"faster-whisper has no task {job.task!r}; it has: {', '.join(self.tasks)}")
        aligns = job.task == "align"
        if aligns and not (job.text or "").strip():
            raise EngineError("the text to align has no words: it is empty, or only punctuation")
        segments, info = self._transcribe(job, words=aligns or self._options.word_timestamps)
        if aligns:
            heard = [word for segment in _until_cancelled(segments, emit) for word in _words(segment)]
            placed = place(job.text or "", [Timed(word.text, word.start_ms, word.end_ms) for word in heard])
            return Alignment(words=placed.words, skipped=placed.skipped)
        text = ""
        words: list[Word] = []
        for segment in _until_cancelled(segments, emit):
            piece = str(segment.text).rstrip()
            piece = piece if text else piece.lstrip()
            if piece:
                emit(piece)
            text += piece
            words += _words(segment)
        emit("", final=True)
        return Transcript(text=text, language=str(info.language), words=words)

    def unload(self) -> None:
        """Drop the model and collect: its native part is freed by the last reference to it."""
        self._model = None
        gc.collect()

    @classmethod
    def memory_estimate(cls, model: ModelSpec) -> int | None:
        """Return the size of the weights on disk: what the library reads them into is about as large."""
        try:
            return os.path.getsize(os.path.join(model.file or "", "model.bin"))
        except OSError:
            return None

    def _transcribe(self, job: Job, *, words: bool) -> tuple[Iterator[Any], Any]:
        """Start the library on the job's audio; its segments are worked out as they are asked for."""
        if job.audio is None:
            raise EngineError("faster-whisper: the job has no audio")
        samples = read_float32(job.audio)
        if not samples:
            raise EngineError("faster-whisper: the audio has 0 samples")
        numpy = importlib.import_module(
            "numpy"
        )  # the library has brought it along; the worker itself never does
        try:
            segments, info = self._model.transcribe(
                numpy.frombuffer(samples, dtype=numpy.float32),
                language=whisper_code(job.language or self._language),
                beam_size=self._options.beam_size,
                temperature=self._options.temperature,
                vad_filter=self._options.vad_filter,
                condition_on_previous_text=self._options.condition_on_previous_text,
                word_timestamps=words,
                **_prompt(job),
            )
        except ValueError as error:  # a language it does not know, with the list of those it does
            raise EngineError(f"faster-whisper: {error}") from error
        return iter(segments), info


def _prompt(job: Job) -> dict[str, str]:
    """Return what the job says was said before, as the library takes it.

    Raises:
        EngineError: It is no text.
    """
    prompt = job.options.get("prompt")
    if prompt is None:
        return {}
    if not isinstance(prompt, str):
        raise EngineError(f"faster-whisper: the job's option 'prompt' is a text, found {prompt!r}")
    return {"initial_prompt": prompt}


def _until_cancelled(segments: Iterator[Any], emit: Emit) -> Iterator[Any]:
    """Pass segments on, looking before each whether the job is still wanted."""
    while True:
        if emit.cancelled:
            raise JobCancelledError("faster-whisper: the job was cancelled")
        try:
            segment = next(segments)
        except StopIteration:
            return
        yield segment


def _words(segment: Any) -> list[Word]:
    """Return a segment's timed words, without the blank the library puts before each."""
    return [
        Word(str(word.word).strip(), _milliseconds(word.start), _milliseconds(word.end))
        for word in segment.words or ()
        if str(word.word).strip()
    ]


def _milliseconds(seconds: float) -> int:
    return max(0, round(float(seconds) * 1000))


def _options(model: ModelSpec) -> FasterWhisperOptions:
    return read_options(model.options, FasterWhisperOptions, "engine faster-whisper")


def _model_folder(model: ModelSpec) -> str:
    """Return the model's folder, looked through for what the library would otherwise fetch or fail over."""
    folder = model.file
    if folder is None:
        raise EngineUnavailableError(
            f"model {model.name} has no `file`: faster-whisper works on a local model folder",
            'file = "models/faster-whisper-tiny", after '
            + _GET_MODEL.format(folder="models/faster-whisper-tiny"),
        )
    if not os.path.isdir(folder):
        what = "is a file; the model is a folder" if os.path.exists(folder) else "is not there"
        raise EngineUnavailableError(f"{folder} {what}", _GET_MODEL.format(folder=folder))
    missing = [name for name in NEEDED if not os.path.isfile(os.path.join(folder, name))]
    if not any(os.path.isfile(os.path.join(folder, name)) for name in VOCABULARIES):
        missing.append(" or ".join(VOCABULARIES))
    if not missing:
        return folder
    unconverted = "model.bin" in missing and any(
        name.endswith((".safetensors", ".pt")) or name == "pytorch_model.bin" for name in os.listdir(folder)
    )
    raise EngineUnavailableError(
        f"no faster-whisper model in {folder}: {', '.join(missing)} not there"
        + ("; these are weights of another format" if unconverted else ""),
        (_CONVERT if unconverted else _GET_MODEL).format(folder=folder),
    )
