"""``orchestrator subtitles``: documents in JSON are rendered again, without another run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import pipeline_flags as flags
from orchestrator.cli.outlet import Outlet, formats_of

if TYPE_CHECKING:
    from orchestrator.pipeline import Document


def subtitles(
    files: Annotated[list[Path], typer.Argument(help="JSON documents, as transcribe and align write them.")],
    formats: flags.Formats = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A file, or a folder for several; default: stdout.")
    ] = None,
    max_line_width: flags.MaxLineWidth = 42,
    max_lines: flags.MaxLines = 2,
    max_cps: flags.MaxCps = None,
    highlight_words: flags.HighlightWords = False,
) -> None:
    """Render JSON documents again as subtitles or text, without another run."""
    layout = flags.Layout(max_line_width, max_lines, max_cps, highlight_words)

    documents = {file: _document(file) for file in files}
    outlet = Outlet.of(
        files, out, formats_of(formats) if formats else None, layout=layout.reading_speed(), usual="srt"
    )
    for file, document in documents.items():
        outlet.take(file, document, several=len(documents) > 1)


def _document(file: Path) -> Document:
    """Read a document.

    Raises:
        typer.BadParameter: It cannot be read, or is no document; says why.
    """
    import msgspec

    from orchestrator.pipeline.subtitles.formats import read_json

    try:
        return read_json(file.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror or error}") from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise typer.BadParameter(
            f"{file} is no document that transcribe --format json has written: {error}"
        ) from None
