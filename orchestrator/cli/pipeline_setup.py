"""What ``transcribe``, ``align`` and ``batch`` share: which file has the models, the pool, the steps."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from orchestrator.errors import EngineUnavailableError

if TYPE_CHECKING:
    from orchestrator.config.types import ExperimentsFile
    from orchestrator.pipeline import Document, Step
    from orchestrator.pool.models import Model
    from orchestrator.pool.pool import Pool
    from orchestrator.pool.recycling import Recycle
    from orchestrator.text.chinese import ChineseText

FILE_NAME = "experiments.toml"
WORD_FORMATS = frozenset({"json", "srt", "vtt", "tsv"})
"""Formats that show when something was said; the others need no aligner."""
RAY = "ray"
"""The value of ``--on`` that leaves it to Ray which cluster: RAY_ADDRESS, one of this machine, or a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """What the flags say. ``align`` None: only where the format has times; ``on`` None: this machine.

    ``recycle`` None: the file's ``[recycle]``, else automatically.
    """

    config: Path | None = None
    profile: str = "auto"
    model: str = "asr-small"
    aligner: str = "aligner"
    language: str | None = None
    align: bool | None = None
    chinese: ChineseText = "zh-TW"
    workers: int | None = None
    memory_budget: str | None = None
    recycle: str | None = None
    exclusive: bool = False
    timeout_s: float | None = None
    on: str | None = None

    def wants_words(self, formats: Iterable[str]) -> bool:
        """Whether words need times, for one of these formats at least."""
        return self.align if self.align is not None else self.wants_times(formats)

    def wants_times(self, formats: Iterable[str]) -> bool:
        """Whether one of these formats shows when something was said."""
        return not WORD_FORMATS.isdisjoint(formats)

    def models_used(self, *, words: bool) -> int:
        """Return how many models the work takes turns with."""
        return len({self.model, self.aligner}) if words else 1


def config_file(given: Path | None) -> Path:
    """Return the file that binds models to roles: the one asked for, the folder's own, or the one we bring along."""
    if given is not None:
        return given
    own = Path(FILE_NAME)
    if own.is_file():
        return own
    from orchestrator.config.template import template_files

    return template_files()[FILE_NAME]


def open_pool(options: PipelineOptions, *, models: int = 1) -> Pool:
    """Return the pool with the profile's models: on this machine, or on the cluster that ``on`` names.

    So many ``models`` will be used; as far as the budget allows all of them stay loaded.

    Raises:
        ConfigError: The file cannot be used.
        typer.BadParameter: The memory budget is no size, or ``--recycle`` is none of its words.
        EngineUnavailableError: Ray is not installed, or no cluster answers.
    """
    from orchestrator.audio.decoder.helper import start_early
    from orchestrator.config.load import load_file
    from orchestrator.pool.pool import Pool
    from orchestrator.process.host.cores import default_workers
    from orchestrator.process.host.usable_memory import budget_bytes

    try:
        budget_bytes(options.memory_budget)
    except ValueError as error:
        raise typer.BadParameter(f"--memory-budget: {error}") from None
    file = load_file(config_file(options.config))  # once: it may be a pipe
    recycle, hard = recycling(options.recycle, file), options.memory_budget is not None
    others = 0 if options.exclusive else models - 1
    if options.on is not None:
        from orchestrator.cluster.ray_pool import RayPool

        return RayPool(
            models=_models(options, file, 1),
            address=None if options.on == RAY else options.on,
            workers=options.workers,
            memory_budget=options.memory_budget,
            hard_budget=hard,
            standby_models=others,
            exclusive=options.exclusive,
            recycle=recycle,
        )
    workers = options.workers or default_workers()
    start_early()  # it is ready when the first recording is opened
    return Pool(
        models=_models(options, file, workers),
        workers=workers,
        memory_budget=options.memory_budget,
        hard_budget=hard,
        standby=others * workers,
        exclusive=options.exclusive,
        recycle=recycle,
    )


def _models(options: PipelineOptions, file: ExperimentsFile, workers: int) -> list[Model]:
    """Return the profile's models for so many workers; engines that get pieces are told so."""
    from orchestrator.pipeline.assembly import models_for_pieces
    from orchestrator.pool.submission.model_configuration import models_of

    path = config_file(options.config)
    for_pieces = models_for_pieces(models_of(file, path, options.profile, options.workers or 1))
    names = {model.name for model in for_pieces}
    models = models_of(file, path, options.profile, workers)
    return [*(model for model in models if model.name not in names), *for_pieces]


def recycling(said: str | None, file: ExperimentsFile) -> Recycle:
    """Return when workers are replaced: as ``--recycle`` says, else as the file does, else by what the pool learns.

    Raises:
        typer.BadParameter: It is neither ``auto`` nor ``off`` nor a number of jobs.
    """
    from orchestrator.pool.recycling import Recycle

    if said is None:
        limits = file.recycle
        return Recycle(auto=True) if limits is None else Recycle.from_config(limits, limits.models)
    if said in {"auto", "off"}:
        return Recycle(auto=said == "auto")
    if not (said.isascii() and said.isdigit() and int(said)):
        raise typer.BadParameter(f"--recycle {said}: auto, off, or a number of jobs, at least 1")
    return Recycle(max_jobs=int(said))


@contextmanager
def copies_in(*, no_cache: bool) -> Generator[Path | None]:
    """Give the folder of converted copies: None for the cache, else a private one that is gone at the end.

    Raises:
        ResultsError: It cannot be made.
    """
    if not no_cache:
        yield None
        return
    from orchestrator.audio.cache import make_private, private_folder, sweep
    from orchestrator.files.writing import write_problem
    from orchestrator.pool.submission.checked_options import default_cache_dir

    place = default_cache_dir()
    with ExitStack() as stack:
        try:
            make_private(place)
            sweep(place)
            private = stack.enter_context(private_folder(place))
        except OSError as error:
            raise write_problem(place, error, elsewhere="another XDG_CACHE_HOME") from error
        yield private


def unfinished_dir() -> Path:
    """Return where the results of recordings are kept that are not finished."""
    from orchestrator.pool.submission.checked_options import default_cache_dir

    return default_cache_dir().with_name("unfinished")


def transcribing(
    options: PipelineOptions, models: Sequence[Model], *, words: bool, times: bool = False
) -> list[Step]:
    """Return the steps from audio to text and, with ``words``, to times; ``times`` alone: those of speech.

    Raises:
        EngineUnavailableError: A model that is named is none of the profile's.
    """
    from orchestrator.pipeline.assembly import transcription_steps

    check_models([options.model, *([options.aligner] if words else [])], models)
    return transcription_steps(
        options.model,
        options.language,
        aligner=options.aligner if words else None,
        times=times,
        chinese=options.chinese,
    )


def hearing_model(options: PipelineOptions, models: Sequence[Model]) -> str | None:
    """Return the model that hears in which part of a long recording a given text is said, if the profile has one."""
    return options.model if any(model.name == options.model for model in models) else None


def check_models(named: Sequence[str], models: Sequence[Model]) -> None:
    """Refuse a model's name that the profile does not have, before anything is decoded.

    Raises:
        EngineUnavailableError: Names what there is.
    """
    known = [model.name for model in models if model.name != "function"]
    for name in named:
        if name not in known:
            raise EngineUnavailableError(
                f"the profile has no model {name!r}; it has {', '.join(known) or 'none'}",
                "name one of them by --model or --aligner",
            )


def say(words: str) -> None:
    """Print a line for people, on stderr."""
    print(shown(words), file=sys.stderr, flush=True)


def say_of(file: Path, document: Document) -> None:
    """Print a document's notes and warnings, under the name of its file."""
    from orchestrator.pipeline.piece_warnings import told

    for words in [*document.notes, *told(document.warnings)]:
        say(f"{file}: {words}")


def shown(words: str) -> str:
    """Return words that steer no terminal: a file may be called anything, an engine's output may be anything."""
    return "".join(each if each.isprintable() or each == "\n" else escaped(each) for each in words)


def named(path: Path) -> str:
    """Return a path on one line."""
    return shown(str(path)).replace("\n", "\\n")


def escaped(character: str) -> str:
    """Return a character as Python writes it."""
    return character.encode("unicode_escape").decode()
