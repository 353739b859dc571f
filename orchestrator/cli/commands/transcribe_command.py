"""``orchestrator transcribe``: recordings in, text or subtitles out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import pipeline_flags as flags
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.interrupts import interruptible
from orchestrator.cli.looked_into import FileCount, looked_into
from orchestrator.cli.pipeline_setup import PipelineOptions, named, open_pool, say, say_of, transcribing

if TYPE_CHECKING:
    from orchestrator.pipeline import Document, Pipeline


def transcribe(  # noqa: PLR0917 - typer wants one parameter a flag
    files: Annotated[list[Path], typer.Argument(help="Audio or video: anything that ffmpeg reads.")],
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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No text while it comes.")] = False,
) -> None:
    """Transcribe recordings: text, JSON or subtitles.

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
        outlet = Outlet.of(files, out, format_name)
        return _transcribe(files, outlet, options, quiet=quiet)

    raise typer.Exit(interruptible(work, kept="finished files are written"))


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
        paths = output_paths(files, out, chosen)
        for path in paths.values():
            make_writable(path)
        return cls(chosen, paths)

    def take(self, file: Path, document: Document, *, several: bool) -> None:
        """Write one document."""
        from orchestrator.pipeline import render
        from orchestrator.pipeline.output import write_document

        if self._paths is not None:
            write_document(document, self._paths[file], self.format_name)
            say(f"{file} → {self._paths[file]}")
            return
        text = render(document, self.format_name)
        if several:
            text = _one_of_several(file, text, self.format_name)
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


def _transcribe(files: list[Path], outlet: Outlet, options: PipelineOptions, *, quiet: bool) -> ExitCode:
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
    ):
        steps = transcribing(options, pool.models, words=words)
        pipeline = Pipeline(steps, pool, timeout_s=options.timeout_s)
        for number, file in enumerate(files):
            count.done = number
            try:
                document = _one(file, pipeline, options, quiet=quiet)
            except (EngineUnavailableError, ModelOutOfUseError, PoolClosedError):
                raise  # with the next file it would come again
            except OrchestratorError as error:
                failed += 1
                say(str(error) if str(error).startswith(str(file)) else f"{file}: {error}")
                continue
            say_of(file, document)
            outlet.take(file, document, several=len(files) > 1)
            failed += not document.segments and bool(document.warnings)
    if failed:
        say(f"{failed} of {len(files)} failed")
    return ExitCode.BROKEN if failed else ExitCode.DONE


def _one(file: Path, pipeline: Pipeline, options: PipelineOptions, *, quiet: bool) -> Document:
    if quiet or not sys.stderr.isatty():
        return pipeline.run(file)
    from orchestrator.cli.terminal.live_text import LiveText

    with LiveText(named(file), options.language, options.chinese) as live:
        return pipeline.run(file, on_text=live.tell)
