"""``orchestrator transcribe``: recordings in, text or subtitles out."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import pipeline_flags as flags
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.interrupts import interruptible
from orchestrator.cli.looked_into import FileCount, looked_into
from orchestrator.cli.outlet import Outlet, formats_of
from orchestrator.cli.pipeline_setup import (
    PipelineOptions,
    copies_in,
    open_pool,
    say,
    say_of,
    transcribing,
    unfinished_dir,
)
from orchestrator.cli.transcription import STDIN, STDIN_NAME, Transcriber, refuse_urls, stdin_as_file


def transcribe(  # noqa: PLR0917 - typer wants one parameter a flag
    files: Annotated[
        list[Path], typer.Argument(help="Audio or video: anything that ffmpeg reads; - is standard input.")
    ],
    formats: flags.Formats = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A file, or a folder for several; default: stdout.")
    ] = None,
    profile: flags.Profile = "auto",
    config: flags.Config = None,
    model: flags.TranscribingModel = "asr-small",
    aligner: flags.AligningModel = "aligner",
    language: flags.Language = None,
    align: flags.WordTimes = None,
    chinese: flags.Chinese = "zh-TW",
    max_line_width: flags.MaxLineWidth = 42,
    max_lines: flags.MaxLines = 2,
    max_cps: flags.MaxCps = None,
    highlight_words: flags.HighlightWords = False,
    workers: flags.Workers = None,
    memory_budget: flags.MemoryBudget = None,
    recycle: flags.Recycling = None,
    exclusive: flags.Exclusive = False,
    timeout_s: flags.TimeoutS = None,
    no_cache: flags.NoCache = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No text and no progress while it comes.")
    ] = False,
) -> None:
    """Transcribe recordings: text, JSON or subtitles.

    Safe to interrupt; the same command goes on where it stood. While a file of --out is worked on, what there is of it
    stands in NAME.partial.

    If a file fails, its name and the reason are printed, and the other files are transcribed; the exit code is then 1.
    """
    options = PipelineOptions(
        config=config,
        profile=profile,
        model=model,
        aligner=aligner,
        language=language,
        align=align,
        chinese=chinese,
        workers=workers,
        memory_budget=memory_budget,
        recycle=recycle,
        exclusive=exclusive,
        timeout_s=timeout_s,
    )

    def work() -> ExitCode:
        refuse_urls(files)
        layout = flags.Layout(max_line_width, max_lines, max_cps, highlight_words).reading_speed()
        outlet = Outlet.of(files, out, formats_of(formats) if formats else None, layout=layout)
        with stdin_as_file(files) as paths:
            return _transcribe(paths, outlet, options, no_cache=no_cache, quiet=quiet)

    kept = "nothing is kept" if no_cache else "what was transcribed is kept, the same command goes on"
    raise typer.Exit(interruptible(work, kept=f"finished files are written, {kept}"))


def _transcribe(
    files: dict[Path, Path], outlet: Outlet, options: PipelineOptions, *, no_cache: bool, quiet: bool
) -> ExitCode:
    from orchestrator.errors import (
        EngineUnavailableError,
        ModelOutOfUseError,
        OrchestratorError,
        PoolClosedError,
    )
    from orchestrator.pipeline import Pipeline

    failed = 0
    words, times = options.wants_words(outlet.formats), options.wants_times(outlet.formats)
    count = FileCount(len(files))
    with (
        open_pool(options, models=options.models_used(words=words)) as pool,
        looked_into("orchestrator transcribe", pool, lambda: count),
        ExitStack() as stack,
    ):
        steps = transcribing(options, pool.models, words=words, times=times)
        pipeline = Pipeline(steps, pool, timeout_s=options.timeout_s)
        cache_dir = stack.enter_context(copies_in(no_cache=no_cache))
        kept_in = None if no_cache else unfinished_dir()
        transcriber = stack.enter_context(
            Transcriber(pipeline, options, pool.models, kept_in, cache_dir, quiet)
        )
        for number, (file, path) in enumerate(files.items()):
            count.done = number
            label = STDIN_NAME if file == STDIN else file
            try:
                document = transcriber.one(label, path, outlet.growing(file))
            except (EngineUnavailableError, ModelOutOfUseError, PoolClosedError):
                raise  # with the next file it would come again
            except OrchestratorError as error:
                failed += 1
                said = str(error).replace(str(path), str(label)) if file == STDIN else str(error)
                say(said if said.startswith(str(label)) else f"{label}: {said}")
                continue
            say_of(label, document)
            outlet.take(file, document, several=len(files) > 1)
            failed += not document.segments and bool(document.warnings)
        transcriber.forget_done()
    if failed:
        say(f"{failed} of {len(files)} failed")
    return ExitCode.BROKEN if failed else ExitCode.DONE
