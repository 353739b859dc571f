"""Write the report of a run: the page, and on request its pictures and a summary in Markdown.

::

    results/runs/<id>/report.html     the run's own page
    results/report.html               the same page again: always that of the run reported last

The second is a whole copy, not a link, so that it can be sent on and outlives the run's folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.errors import ResultsError
from orchestrator.experiments.reporting.report_content import collect_report, located_of
from orchestrator.experiments.storage.output_files import check_output
from orchestrator.experiments.storage.run_files import MANIFEST_NAME
from orchestrator.experiments.storage.run_folder import ResultsFolder, RunFolder
from orchestrator.files.output_place import MARKDOWN, PAGE, PNG, SVG
from orchestrator.files.untrusted import content_of
from orchestrator.files.writing import write_atomically, write_problem
from orchestrator.report.html.calibration_part import calibration_sentences
from orchestrator.report.html.charts.engine import (
    HOW_TO_GET,
    Drawing,
    DrawingError,
    installed,
    remembering,
)
from orchestrator.report.html.charts.images import main_figure
from orchestrator.report.html.content import ReportContent
from orchestrator.report.html.figures import SIMPLER_NOW
from orchestrator.report.html.markdown import markdown_summary
from orchestrator.report.html.page import make_page

REPORT_NAME = "report.html"
_RUNS = "runs"
_NOT_INSTALLED = f"the package that draws charts is not installed; {HOW_TO_GET}"


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """What was written; None for what was not asked for.

    ``calibration`` says in sentences what the machine finds; ``left_out`` says in one why charts were drawn in a
    simpler form although the package for them is there, empty where they were not.
    """

    html: Path
    latest: Path | None = None
    png: Path | None = None
    svg: Path | None = None
    markdown: Path | None = None
    calibration: tuple[str, ...] = ()
    left_out: str = ""

    @property
    def all(self) -> list[Path]:
        """Return everything that was written, the page first."""
        every = (self.html, self.latest, self.png, self.svg, self.markdown)
        return [path for path in every if path is not None]


def build_report(
    run_folder: Path, *, out: Path | None = None, png: bool = False, svg: bool = False, markdown: bool = False
) -> ReportPaths:
    """Write the report of one run, whatever its state.

    Args:
        run_folder: ``results/runs/<id>``.
        out: Where the page goes. By default it is ``report.html`` in the run's folder, and a copy of it in the
            results folder; with ``out`` there is no copy.
        png: Also write the main figure as PNG, beside the page and under its name. It takes the extra ``report``.
        svg: The same as SVG.
        markdown: Also write a short summary for a pull request, the same way.

    Raises:
        ResultsError: The run cannot be read, or a file cannot be written, or would take the place of another one; or,
            once all else is written, a picture that was asked for cannot be made.
    """
    if out is not None:
        _check_out(out, run_folder, png=png, svg=svg, markdown=markdown)
    target = run_folder / REPORT_NAME if out is None else out
    latest = _latest(run_folder) if out is None else None
    with content_of(run_folder):
        content = collect_report(RunFolder(run_folder), target)
        wanted = [suffix for suffix, asked in ((".png", png), (".svg", svg)) if asked]
        made = _drawn(content, run_folder, latest, wanted)
        summary_words = markdown_summary(content).encode(errors="replace") if markdown else b""
    _make_folder(target.parent)
    write_atomically(target, made.page)
    if latest is not None:
        write_atomically(latest, made.copy)
    pictures = {suffix: target.with_suffix(suffix) for suffix in made.pictures}
    for suffix, path in pictures.items():
        write_atomically(path, made.pictures[suffix])
    summary = target.with_suffix(".md") if markdown else None
    if summary is not None:
        write_atomically(summary, summary_words)
    if made.no_pictures:
        raise ResultsError(_without_pictures(target, wanted, made.no_pictures))
    said = tuple(calibration_sentences(content.calibration))
    return ReportPaths(
        target, latest, pictures.get(".png"), pictures.get(".svg"), summary, said, made.left_out
    )


def _check_out(page: Path, run_folder: Path, *, png: bool, svg: bool, markdown: bool) -> None:
    """Refuse, before anything is read, a page or what lies beside it under its name in the place of other files."""
    check_output(page, PAGE, runs=[run_folder], make=True)
    for wanted, form in ((png, PNG), (svg, SVG), (markdown, MARKDOWN)):
        beside = page.with_suffix(form.endings[0])
        if wanted and beside == page:
            raise ResultsError(f"{page} is to be the page and {form.name}; name the page {page.stem}.html")
        if wanted:
            check_output(beside, form, runs=[run_folder], make=True)


def find_run(place: Path) -> Path:
    """Return the run that ``place`` means: itself, or the newest one when it is a results folder.

    Raises:
        ResultsError: There is no run; says what to name instead.
    """
    if (place / MANIFEST_NAME).is_file():
        return place
    runs = ResultsFolder(place).run_folders()
    if not runs:
        raise ResultsError(
            f"{place}: neither a run's folder (it has no {MANIFEST_NAME}) nor a results folder with a run in it; "
            "name results/runs/<id> or the results folder, or make a run first: orchestrator run"
        )
    return runs[-1].path


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_problem(folder, error) from error


def _latest(run_folder: Path) -> Path | None:
    """Return where the copy goes; None for a run that does not lie in a results folder."""
    runs = run_folder.resolve().parent
    return runs.parent / REPORT_NAME if runs.name == _RUNS else None


@dataclass(frozen=True, slots=True)
class _Made:
    """All that takes drawing: the page in the run, its copy, pictures by suffix, and what was not drawn as asked."""

    page: bytes
    copy: bytes
    pictures: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    no_pictures: str = ""
    left_out: str = ""


def _drawn(content: ReportContent, run_folder: Path, latest: Path | None, wanted: Sequence[str]) -> _Made:
    """Return the page with charts in full where they can be drawn, else in their simpler form."""

    def both(make: Callable[[ReportContent], str]) -> tuple[bytes, bytes]:
        page = make(content).encode(errors="replace")
        return page, _copy(content, page, run_folder, latest, make)

    if not installed():
        return _Made(*both(lambda each: make_page(each, None)), no_pictures=_NOT_INSTALLED if wanted else "")
    with Drawing() as drawing:
        try:
            engine, draw = drawing.code(), remembering(drawing.svg)
            pages = both(lambda each: make_page(each, engine, draw))
        except DrawingError as error:
            why = f"{SIMPLER_NOW}: {error}"
            pages = both(lambda each: make_page(each, None, simpler=why))
            return _Made(*pages, no_pictures=str(error) if wanted else "", left_out=why)
        try:
            return _Made(*pages, pictures=_pictures(content, drawing, wanted))
        except DrawingError as error:
            return _Made(*pages, no_pictures=str(error))


def _copy(
    content: ReportContent,
    page: bytes,
    run_folder: Path,
    latest: Path | None,
    make: Callable[[ReportContent], str],
) -> bytes:
    """Return the page as it is in the results folder: links to the run's files are longer there."""
    if latest is None or not any(each.flame_graph for each in content.located):
        return page
    located, _ = located_of(run_folder, latest)
    return make(replace(content, located=located)).encode(errors="replace")


def _pictures(content: ReportContent, drawing: Drawing, wanted: Sequence[str]) -> dict[str, bytes]:
    """Return the main figure by suffix.

    Raises:
        DrawingError: It cannot be drawn, also because there is nothing to draw.
    """
    if not wanted:
        return {}
    figure = main_figure(content.experiments)
    if figure is None:
        raise DrawingError(f"run {content.run_id} has no readings yet, so there is no figure to draw")
    svg = drawing.light_svg(figure)
    return {suffix: drawing.png(svg) if suffix == ".png" else svg.encode() for suffix in wanted}


def _without_pictures(page: Path, wanted: Sequence[str], why: str) -> str:
    """Return the sentence about pictures that could not be made; one that lies there is of an earlier page."""
    said = f"{page} is written, without {' and '.join(suffix[1:].upper() for suffix in wanted)}: {why}"
    old = [each.name for each in map(page.with_suffix, wanted) if each.exists()]
    if not old:
        return said
    verb = "is the picture" if len(old) == 1 else "are pictures"
    return f"{said}. {' and '.join(old)} there {verb} of an earlier page"
