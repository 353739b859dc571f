"""Where the documents of ``transcribe``, ``align`` and ``subtitles`` go: stdout, or files, one for each format."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from orchestrator.cli.pipeline_setup import named, say
from orchestrator.cli.transcription import STDIN, STDIN_NAME

if TYPE_CHECKING:
    from orchestrator.pipeline import Document, ReadingSpeed

FORMAT_NAMES = ("txt", "json", "srt", "vtt", "tsv")
ALL = "all"


def formats_of(text: str) -> tuple[str, ...]:
    """Return the formats that ``--format`` names: one, several with commas between, or ``all``.

    Raises:
        typer.BadParameter: One of them is none.
    """
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    if ALL in names:
        return FORMAT_NAMES
    if not names or not set(names) <= set(FORMAT_NAMES):
        raise typer.BadParameter(f"--format {text}: one or several of {', '.join(FORMAT_NAMES)}, or {ALL}")
    return names


class Outlet:
    """Takes documents to stdout, to one file, or to a file each in a folder; with several formats, to as many files.

    Args:
        formats: In which each document is written.
        paths: The file of each recording in each format; None is stdout.
        layout: How subtitles are laid out.
    """

    def __init__(
        self,
        formats: Sequence[str],
        paths: Mapping[Path, Mapping[str, Path]] | None,
        layout: ReadingSpeed | None,
    ) -> None:
        self.formats = tuple(formats)
        self._paths = paths
        self._layout = layout

    @classmethod
    def of(
        cls,
        files: Sequence[Path],
        out: Path | None,
        formats: Sequence[str] | None,
        *,
        layout: ReadingSpeed | None = None,
        usual: str = "txt",
        also_read: Path | None = None,
    ) -> Outlet:
        """Read ``--out`` and ``--format`` together; ``usual`` is the format when neither says one.

        Raises:
            typer.BadParameter: They do not go together, several documents would become one stream, or a document would
                take the place of ``files`` or of ``also_read``.
            ResultsError: The place cannot be written.
        """
        from orchestrator.files.writing import write_problem
        from orchestrator.pipeline.output import ELSEWHERE, GO_ON, make_writable

        if out is None:
            return cls(_for_stdout(files, formats or (usual,)), None, layout)
        try:
            out.is_dir()
        except OSError as error:  # a name that no file can have, or a folder above that may not be entered
            raise write_problem(out, error, elsewhere=ELSEWHERE, go_on=GO_ON) from error
        paths = _one_place(files[0], out, formats) if _names_a_file(files, out) else None
        if paths is None:
            if out.exists() and not out.is_dir():
                raise typer.BadParameter(f"--out {out} is a file; several recordings need a folder")
            paths = _places(files, out, formats or (usual,))
        below = out if out.is_dir() or not _names_a_file(files, out) else None
        targets = [path for places in paths.values() for path in places.values()]
        for path in targets:
            make_writable(path, below)
        _refuse_inputs(targets, [*files, *([also_read] if also_read is not None else [])])
        return cls(tuple(next(iter(paths.values()))), paths, layout)

    def growing(self, file: Path) -> Callable[[Document], None] | None:
        """Return what writes a document that is not complete; None where nothing is written to a file."""
        if self._paths is None:
            return None
        from orchestrator.pipeline.output import write_partial

        places = self._paths[file]

        def write(document: Document) -> None:
            for format_name, path in places.items():
                write_partial(document, path, format_name, self._layout)

        return write

    def take(self, file: Path, document: Document, *, several: bool) -> None:
        """Write one document."""
        from orchestrator.pipeline import render
        from orchestrator.pipeline.output import write_document

        label = STDIN_NAME if file == STDIN else file
        if self._paths is not None:
            for format_name, path in self._paths[file].items():
                write_document(document, path, format_name, self._layout)
                say(f"{label} → {path}")
            return
        (format_name,) = self.formats
        text = render(document, format_name, self._layout)
        if several:
            text = _one_of_several(label, text, format_name)
        if format_name == "json":
            from orchestrator.cli.terminal.screen import Screen

            Screen(sys.stdout).write_json(text.encode())
            return
        sys.stdout.write(text)
        sys.stdout.flush()


def _names_a_file(files: Sequence[Path], out: Path) -> bool:
    return len(files) == 1 and not out.is_dir() and bool(out.suffix)


def _refuse_inputs(targets: Sequence[Path], inputs: Sequence[Path]) -> None:
    read = {found for each in inputs if each != STDIN and (found := _identity(each))}
    for path in targets:
        if _identity(path) in read:
            raise typer.BadParameter(f"--out {path} is what is read; name another file")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others, by whichever name; None where there is none that can be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _for_stdout(files: Sequence[Path], formats: Sequence[str]) -> Sequence[str]:
    if len(formats) > 1:
        raise typer.BadParameter(
            f"several formats ({', '.join(formats)}) need --out: one stream cannot hold them"
        )
    if len(files) > 1 and formats[0] in {"srt", "vtt", "tsv"}:
        raise typer.BadParameter(
            f"several files as {formats[0]} need --out FOLDER: one stream cannot hold them"
        )
    return formats


def _one_place(file: Path, out: Path, formats: Sequence[str] | None) -> dict[Path, dict[str, Path]]:
    """Return the files of one recording: ``talk.srt`` in several formats is ``talk.srt`` and ``talk.json``."""
    from orchestrator.pipeline.output import format_of

    by_ending = format_of(out)
    if formats is None:
        if by_ending is None:
            raise typer.BadParameter(f"--out {out}: say --format, its ending stands for none")
        return {file: {by_ending: out}}
    if len(formats) == 1:
        return {file: {formats[0]: out}}
    stem = out.with_suffix("") if by_ending else out
    return {file: {name: stem.with_name(f"{stem.name}.{name}") for name in formats}}


def _places(files: Sequence[Path], folder: Path, formats: Sequence[str]) -> dict[Path, dict[str, Path]]:
    from orchestrator.pipeline.output import output_paths

    labels = {file: STDIN_NAME if file == STDIN else file for file in files}
    by_format = {name: output_paths(list(labels.values()), folder, name) for name in formats}
    return {file: {name: by_format[name][label] for name in formats} for file, label in labels.items()}


def _one_of_several(file: Path, text: str, format_name: str) -> str:
    """Return a document for a stream of many: JSON one a line, text under its file's name."""
    if format_name != "json":
        return f"# {named(file)}\n{text}\n"
    import msgspec

    return msgspec.json.format(text, indent=-1) + "\n"
