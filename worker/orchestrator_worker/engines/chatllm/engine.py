"""chatllm.cpp: speech recognition and forced alignment with the user's own ``libchatllm`` and model files.

::

    job ──▶ audio under a plain name ──▶ "{{audio:/tmp/…/audio.wav}}text" ──▶ library
            checked here                                                        │ calls back
    result ◀── markers out, JSON read ◀── chunks, errors, notices ◀─────────────┘
               was the audio read at all? asr: cursor compared with its length;
               align, and short audio: ffmpeg tried beforehand

The library answers what it cannot read with made-up text, and much of what it dislikes by an abort. What can be
seen before is refused here in plain words; what remains ends this process, and the parent reports that.
Nothing that is called back raises: the first error is kept, the generation aborted, and the call raises it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator_worker.engines.base import (
    Emit,
    Engine,
    EngineError,
    EngineUnavailableError,
    JobCancelledError,
)
from orchestrator_worker.engines.chatllm.audio import (
    FfmpegProof,
    Part,
    checked,
    require_ffmpeg,
    require_not_too_long,
    sweep,
    under_a_plain_name,
    within,
)
from orchestrator_worker.engines.chatllm.library import Library, find_library, open_library
from orchestrator_worker.engines.chatllm.options import (
    ChatllmOptions,
    command_line,
    context_of,
    delimiter_of,
    options_of,
    started_language,
    text_to_align,
)
from orchestrator_worker.engines.chatllm.output import (
    CHAT,
    META,
    Heard,
    TranscriptText,
    as_json,
    as_srt,
    doubts_about,
    is_alignment,
    read_alignment,
)
from orchestrator_worker.engines.chatllm.sources import how_to_get
from orchestrator_worker.engines.chatllm.windows import Cutting, units_of
from orchestrator_worker.language_names import AUTO, WITHOUT_BLANKS, language_name, without_blanks
from orchestrator_worker.protocol import Job, ModelSpec, Unloading
from orchestrator_worker.results import Alignment, Result, Transcript, Word

TOKENS_PER_SECOND = 10
"""Read audio is about 13 tokens a second; fewer than these mean that the library did not read it."""
TELLING_S = 5.0
"""Shorter audio has too few tokens to tell it from a prompt."""


class ChatllmEngine(Engine):
    """One Qwen3-ASR or Qwen3-ForcedAligner model in chatllm.cpp. Options: see :class:`ChatllmOptions`."""

    name = "chatllm"
    tasks = ("asr", "align")
    summary = (
        "chatllm.cpp (your build of libchatllm): Qwen3-ASR and Qwen3-ForcedAligner, with your model files"
    )
    aborts = True

    def __init__(self) -> None:
        self._library: Library | None = None
        self._model: ModelSpec | None = None
        self._options = ChatllmOptions()
        self._purpose = ""
        self._warnings: list[str] = []
        self._cursor: int | None = 0
        """Where the last job left the cursor; None: it was reset since."""
        self._counts = True
        """Whether the library has been seen to count its tokens."""
        self._proof = FfmpegProof()

    @classmethod
    def check(cls, model: ModelSpec) -> None:
        """Look for model file, library, ffmpeg and sensible options. Loads the library, but no model."""
        options_of(model)
        _require_model(model)
        require_ffmpeg()
        open_library(find_library(model.library))

    @classmethod
    def may_fork(cls, model: ModelSpec) -> bool:  # noqa: ARG003
        """Return True: no thread is there before the first inference."""
        return True

    @classmethod
    def memory_estimate(cls, model: ModelSpec) -> int | None:
        """Return the size of the model file; the cache comes on top of it."""
        return os.path.getsize(model.file) if model.file and os.path.isfile(model.file) else None

    @classmethod
    def unloading(cls, model: ModelSpec) -> Unloading:
        """Return what ``options.destroy`` asks for: whether a destroy works cannot be seen, so ``auto`` is a try."""
        by_option: dict[str, Unloading] = {"auto": "try", "call": "destroy", "abandon": "abandon"}
        return by_option[options_of(model).destroy]

    def load(self, model: ModelSpec) -> Mapping[str, Any]:
        """Create and start the library's object; the facts name the library, its model and all argv words."""
        self.check(model)
        sweep()
        options = options_of(model)
        library = open_library(find_library(model.library))
        words = command_line(model, options)
        heard = Heard()
        if library.start(words, heard.listen) != 0:
            raise EngineError(
                f"chatllm cannot start {model.file}: {heard.complaint or 'no reason given'}; a failed start "
                "costs memory, so the next attempt needs a fresh process"
            )
        self._library, self._model, self._options = library, model, options
        self._cursor = 0
        self._warnings = _doubts_about_file(model, options)
        info = heard.model_info
        self._purpose = str(info.get("purpose", ""))
        return {
            "library": library.path,
            "ggml": library.ggml,
            "destroy": library.has_destroy,
            "argv": words,
            "banner": heard.of(META).strip(),
            "model_info": info,
            "threads": model.threads,
            "warnings": self._warnings,
        }

    def run(self, job: Job, emit: Emit) -> Result:
        """Transcribe or align one job's audio."""
        library = self._require_library()
        self._require_language(job)
        if job.task == "asr":
            return self._transcribe(library, job, emit)
        if job.task == "align":
            return self._align(library, job, emit)
        raise EngineError(f"chatllm has no task {job.task!r}; it has: {', '.join(self.tasks)}")

    def restart(self) -> None:
        """Reset the context and keep the model."""
        self._require_library().restart()
        self._cursor = None

    def unload(self) -> None:
        """Destroy the object, where the library can. Upstream builds abort here; that is a result, too."""
        if self._options.destroy == "abandon":
            self.abandon()
        elif self._library is not None:
            self._library.destroy()
            self._library = None

    def abandon(self) -> None:
        """Leave the object where it is."""
        if self._library is not None:
            self._library.abandon()
            self._library = None

    # ------------------------------------------------------------------ tasks

    def _transcribe(self, library: Library, job: Job, emit: Emit) -> Transcript:
        text = TranscriptText()
        pieces: list[str] = []
        chunks = 0

        def take(chunk: str) -> None:
            nonlocal chunks
            chunks += 1
            piece = text.add(chunk)
            if piece:
                pieces.append(piece)
                emit(piece)

        part = checked(job.audio)
        require_not_too_long(part)
        before = self._cursor_before(library)
        heard = self._say(library, part, "", take, emit, prove=part.seconds < TELLING_S or not self._counts)
        warnings = [*self._warnings, *heard.warnings]
        if not heard.out_of_context:
            self._require_audio_was_read(part, before, spoken=chunks)
        last = text.finish()
        emit(last, final=True)
        settled = None if self._language(job) == AUTO else self._language(job)
        whole = "".join([*pieces, last])
        if is_alignment(whole):
            raise EngineError(
                "chatllm: this model aligns and cannot transcribe; bind the task to an ASR model"
            )
        return Transcript(whole, text.language or settled, [], warnings)

    def _align(self, library: Library, job: Job, emit: Emit) -> Alignment:
        if self._purpose == "ASR":
            raise EngineError("chatllm: this model transcribes and cannot align; bind the task to an aligner")
        delimiter = delimiter_of(self._options)
        text, skipped = text_to_align(job.text, delimiter)
        assert self._model is not None
        language = started_language(self._model, self._options)
        part = checked(job.audio)
        units = units_of(text, language, delimiter)
        cutting = Cutting(units, part.seconds, context_of(self._model, self._options))
        found = _Found(list(self._warnings))
        while (window := cutting.next()) is not None:
            inside = within(part, window.start_s, window.end_s)
            said = "".join(units[window.first : window.stop]).removeprefix(delimiter or " ")
            words, warnings = self._align_window(library, inside, said, emit)
            kept = cutting.placed(window, words)
            found.add(words[:kept], round(window.start_s * 1000), warnings)
            if window.stop < len(units):
                self.restart()
        if not found.words:
            raise EngineError("chatllm: the aligner placed no word of the text")
        found.warnings += self._doubts_about_alignment(found, part, text, cutting, language)
        srt = as_srt(found.words) if self._model.format == "srt" else None
        emit(srt if srt is not None else as_json(found.words), final=True)
        return Alignment(found.words, [], skipped, found.warnings, srt)

    def _align_window(
        self, library: Library, part: Part, text: str, emit: Emit
    ) -> tuple[list[Word], list[str]]:
        """Return the words of one input with their times, and what speaks against them."""
        chunks: list[str] = []
        heard = self._say(library, part, text, chunks.append, emit, prove=True)
        document = "".join(chunks)
        try:
            return read_alignment(document), heard.warnings
        except EngineError as error:
            raise EngineError("; ".join([str(error), *heard.warnings])) from error

    def _doubts_about_alignment(
        self, found: _Found, part: Part, text: str, cutting: Cutting, language: str | None
    ) -> list[str]:
        doubts = doubts_about(found.words, round(part.seconds * 1000))
        if found.windows > 1:
            doubts.append(
                f"aligned in {found.windows} parts, each placed by where the one before ended: {cutting.why}"
            )
        if without_blanks(text) and language not in WITHOUT_BLANKS and not delimiter_of(self._options):
            doubts.append(
                f"the text is written without blanks, and the model was started for {language or 'no language'}, where "
                "words have blanks between them: ask for the language of the text"
            )
        return doubts

    def _say(self, library: Library, part: Part, text: str, take: Any, emit: Emit, *, prove: bool) -> Heard:
        """Have one input worked through, each chunk of text given to ``take``; return what else was said.

        ``prove``: try beforehand whether ffmpeg reads the audio, because afterwards nothing would tell.
        """
        heard = Heard()

        def listen(kind: int, said: str) -> None:
            if emit.cancelled:
                library.abort()  # again at every call: one that comes before the generation is lost
                return
            heard.listen(kind, said)
            if kind == CHAT:
                try:
                    take(said)
                except BaseException:
                    library.abort()
                    raise

        with under_a_plain_name(part) as path:
            if prove:
                self._proof.require(part, path)
            if emit.cancelled:
                raise JobCancelledError("chatllm: the job was cancelled")
            code = library.say(f"{{{{audio:{path}}}}}{text}", listen)
        self._cursor = library.cursor()
        if emit.cancelled:
            raise JobCancelledError("chatllm: the job was cancelled")
        if code != 0:
            raise EngineError(f"chatllm failed with code {code}: {heard.complaint or 'no reason given'}")
        return heard

    # ------------------------------------------------------------------ guards

    def _cursor_before(self, library: Library) -> int:
        """Return where the cursor stands. One that a restart has not moved yet is moved by the next input."""
        now = library.cursor()
        return now if self._cursor is not None else 0

    def _require_audio_was_read(self, part: Part, before: int, *, spoken: int) -> None:
        """Compare the tokens processed with the length of the audio.

        The library reports success for audio it could not read, and a text that it made up. Its prompt counts in
        any case, so a cursor at nothing belongs to a build that does not count: from then on ffmpeg is tried first.
        """
        assert self._cursor is not None
        if self._cursor <= 0:
            if self._counts:
                self._counts = False
                with under_a_plain_name(part) as path:
                    self._proof.require(part, path)
            return
        processed = self._cursor - before if self._cursor > before else self._cursor
        if processed - spoken < TOKENS_PER_SECOND * part.seconds:
            raise EngineError(
                f"chatllm has not read the audio: {processed} tokens for {part.seconds:.1f} s (read audio "
                f"is about 13 a second), so its text is made up; does ffmpeg work here?"
            )

    def _require_library(self) -> Library:
        if self._library is None:
            raise EngineError("chatllm: no model is loaded")
        return self._library

    def _require_language(self, job: Job) -> None:
        """Refuse another language than the one the model was started with: it is read at the start only."""
        wanted, has = language_name(job.language), self._language(None)
        if wanted is not None and wanted != has:
            raise EngineError(
                f"chatllm reads the language when a model starts, and this one has {has or 'none'}, not {wanted}; "
                f"make a second model with language = {wanted!r}"
            )

    def _language(self, job: Job | None) -> str | None:
        said = job.language if job is not None else None
        return language_name(said or (self._model.language if self._model else None))


class _Found:
    """Words of an alignment, window by window."""

    def __init__(self, warnings: list[str]) -> None:
        self.words: list[Word] = []
        self.warnings = warnings
        self.windows = 0

    def add(self, words: Sequence[Word], offset_ms: int, warnings: Sequence[str]) -> None:
        """Take the words of the next window, whose times count from ``offset_ms``; each warning once."""
        self.windows += 1
        self.words += [Word(word.text, word.start_ms + offset_ms, word.end_ms + offset_ms) for word in words]
        self.warnings += [warning for warning in warnings if warning not in self.warnings]


def _require_model(model: ModelSpec) -> None:
    if not model.file:
        raise EngineError("engine chatllm: name the model file as `file`")
    if not os.path.isfile(model.file):
        raise EngineUnavailableError(
            f"model file {model.file} is not there",
            how_to_get(model.file),
        )


def _doubts_about_file(model: ModelSpec, options: ChatllmOptions) -> list[str]:
    """Warn of a file that has lost its end: the library starts with it and says nothing."""
    found = os.path.getsize(model.file or "")
    if options.size_bytes is None or found >= options.size_bytes:
        return []
    return [
        f"{model.file} has {found:,} bytes and should have {options.size_bytes:,}: its end is missing, "
        "copy it again"
    ]
