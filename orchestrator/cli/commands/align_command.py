"""``orchestrator align``: print when each word of a text is spoken in a recording."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import pipeline_flags as flags
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.interrupts import interruptible
from orchestrator.cli.looked_into import FileCount, looked_into
from orchestrator.cli.outlet import Outlet, formats_of
from orchestrator.cli.pipeline_setup import (
    PipelineOptions,
    check_models,
    hearing_model,
    open_pool,
    say,
    say_of,
)
from orchestrator.cli.transcription import refuse_urls

MOST_SHOWN = 12
"""Words that are named when they could not be placed; JSON has all of them."""

if TYPE_CHECKING:
    from orchestrator.pipeline import Document


def align(  # noqa: PLR0917 - typer wants one parameter a flag
    file: Annotated[Path, typer.Argument(help="Audio or video: anything that ffmpeg reads.")],
    text: Annotated[str | None, typer.Option("--text", "-t", help="The spoken text.")] = None,
    text_file: Annotated[
        Path | None, typer.Option("--text-file", help="A UTF-8 file with the spoken text; - for stdin.")
    ] = None,
    formats: flags.Formats = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file; default: stdout.")] = None,
    profile: flags.Profile = "auto",
    config: flags.Config = None,
    model: Annotated[
        str, typer.Option("--model", help="The model that hears which part of a long text is said where.")
    ] = "asr-small",
    aligner: flags.AligningModel = "aligner",
    language: flags.Language = None,
    max_line_width: flags.MaxLineWidth = 42,
    max_lines: flags.MaxLines = 2,
    max_cps: flags.MaxCps = None,
    highlight_words: flags.HighlightWords = False,
    timeout_s: flags.TimeoutS = None,
) -> None:
    """Find when each word of a text is spoken in a recording."""
    options = PipelineOptions(
        config=config, profile=profile, model=model, aligner=aligner, language=language, workers=1
    )

    def work() -> ExitCode:
        refuse_urls([file])
        spoken = _spoken(text, text_file)
        layout = flags.Layout(max_line_width, max_lines, max_cps, highlight_words).reading_speed()
        outlet = Outlet.of(
            [file],
            out,
            formats_of(formats) if formats else None,
            layout=layout,
            usual="json",
            also_read=text_file,
        )
        document = _align(file, spoken, options, timeout_s)
        say_of(file, document)
        for segment in document.segments:
            if segment.skipped:
                more = len(segment.skipped) - MOST_SHOWN
                shown = " ".join(segment.skipped[:MOST_SHOWN]) + (f" … and {more} more" if more > 0 else "")
                say(f"{file}: could not be placed: {shown}")
        outlet.take(file, document, several=False)
        return ExitCode.DONE if document.words else ExitCode.BROKEN

    raise typer.Exit(interruptible(work, kept="nothing was written"))


def _spoken(text: str | None, text_file: Path | None) -> str:
    if (text is None) == (text_file is None):
        raise typer.BadParameter("give what is said by --text or by --text-file, one of them")
    if text_file is not None:
        try:
            text = sys.stdin.read() if str(text_file) == "-" else text_file.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise typer.BadParameter(f"--text-file {text_file}: {error.strerror or error}") from None
        except UnicodeDecodeError as error:
            raise typer.BadParameter(
                f"--text-file {text_file}: byte {error.start} is not UTF-8; save it as UTF-8"
            ) from None
    # An argument that the locale cannot decode (LANG=C) comes with its bytes in disguise; they are UTF-8 all the same.
    spoken = " ".join(os.fsencode(text or "").decode("utf-8", "replace").split())
    if not spoken:
        raise typer.BadParameter("the text is empty")
    return spoken


def _align(file: Path, spoken: str, options: PipelineOptions, timeout_s: float | None) -> Document:
    from orchestrator.pipeline import AlignWords, GivenText, Pipeline, Step

    with open_pool(options) as pool, looked_into("orchestrator align", pool, lambda: FileCount(1)):
        check_models([options.aligner], pool.models)
        language = options.language
        steps: list[Step] = [
            GivenText(spoken, language, hearing_model(options, pool.models)),
            AlignWords(options.aligner, language),
        ]
        return Pipeline(steps, pool, timeout_s=timeout_s).run(file)
