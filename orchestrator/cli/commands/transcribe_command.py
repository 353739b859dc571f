"""``orchestrator transcribe``: recordings in, text or subtitles out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import pipeline_flags as flags
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.interrupts import interruptible
from orchestrator.cli.looked_into import FileCount, looked_into
from orchestrator.cli.pipeline_setup import (
    PipelineOptions,
    copies_in,
    named,
    open_pool,
    say,
    say_of,
    transcribing,
    unfinished_dir,
)
from orchestrator.cli.transcription import STDIN, STDIN_NAME, Transcriber, refuse_urls, stdin_as_file

if TYPE_CHECKING:
    from orchestrator.pipeline import Document


def transcribe(  # noqa: PLR0917 - typer wants one parameter a flag
    files: Annotated[
        list[Path], typer.Argument(help="Audio or video: anything that ffmpeg reads; - is standard input.")
    ],
    format_name: Annotated[
        flags.FormatName | None,
        typer.Option("--format", "-f", help="Default: by the ending of --out, else txt."),
    ] = None,
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
        outlet = Outlet.of(files, out, format_name)
        with stdin_as_file(files) as paths:
            return _transcribe(paths, outlet, options, no_cache=no_cache, quiet=quiet)

    kept = "nothing is kept" if no_cache else "what was transcribed is kept, the same command goes on"
    raise typer.Exit(interruptible(work, kept=f"finished files are written, {kept}"))


class Outlet:
    """Where documents go: stdout, one file, or a file each in a folder."""

    def __init__(self, format_name: str, paths: dict[Path, Path] | None) -> None:
        self.format_name = format_name
        self._paths = paths

    @classmethod
    def of(cls, files: list[Path], out: Path | None, format_name: str | None) -> Outlet:
        """Read ``--out`` and ``--format`` together.

        Raises:
            typer.BadParameter: They do not go together, or several documents would become one stream.
            ResultsError: The place cannot be written.
        """
        from orchestrator.pipeline.output import format_of, make_writable, output_paths

        if out is None:
            chosen = format_name or "txt"
            if len(files) > 1 and chosen in {"srt", "vtt", "tsv"}:
                raise typer.BadParameter(
                    f"several files as {chosen} need --out FOLDER: one stream cannot hold them"
                )
            return cls(chosen, None)
        if len(files) == 1 and not out.is_dir() and out.suffix:
            by_ending = format_name or format_of(out)
            if by_ending is None:
                raise typer.BadParameter(f"--out {out}: say --format, its ending stands for none")
            make_writable(out)
            return cls(by_ending, {files[0]: out})
        if out.exists() and not out.is_dir():
            raise typer.BadParameter(f"--out {out} is a file; several recordings need a folder")
        chosen = format_name or "txt"
        named_ones = {STDIN_NAME if file == STDIN else file: file for file in files}
        found = output_paths(list(named_ones), out, chosen)
        paths = {named_ones[name]: path for name, path in found.items()}
        for path in paths.values():
            make_writable(path, out)
        return cls(chosen, paths)

    def growing(self, file: Path) -> Callable[[Document], None] | None:
        """Return what writes a document that is not complete; None where nothing is written to a file."""
        if self._paths is None:
            return None
        from orchestrator.pipeline.output import write_partial

        place = self._paths[file]
        return lambda document: write_partial(document, place, self.format_name)

    def take(self, file: Path, document: Document, *, several: bool) -> None:
        """Write one document."""
        from orchestrator.pipeline import render
        from orchestrator.pipeline.output import write_document

        if self._paths is not None:
            write_document(document, self._paths[file], self.format_name)
            say(f"{STDIN_NAME if file == STDIN else file} → {self._paths[file]}")
            return
        text = render(document, self.format_name)
        if several:
            text = _one_of_several(STDIN_NAME if file == STDIN else file, text, self.format_name)
        if self.format_name == "json":
            from orchestrator.cli.terminal.screen import Screen

            Screen(sys.stdout).write_json(text.encode())
            return
        sys.stdout.write(text)
        sys.stdout.flush()


def _one_of_several(file: Path, text: str, format_name: str) -> str:
    """Return a document for a stream of many: JSON one a line, text under its file's name."""
    if format_name != "json":
        return f"# {named(file)}\n{text}\n"
    import msgspec

    return msgspec.json.format(text, indent=-1) + "\n"


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
    words = options.wants_words(outlet.format_name)
    count = FileCount(len(files))
    with (
        open_pool(options, models=options.models_used(words=words)) as pool,
        looked_into("orchestrator transcribe", pool, lambda: count),
        ExitStack() as stack,
    ):
        steps = transcribing(options, pool.models, words=words)
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
