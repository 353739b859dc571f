"""``orchestrator batch``: thousands of recordings; it can be interrupted and resumed at any time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import pipeline_flags as flags
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.interrupts import interruptible
from orchestrator.cli.looked_into import FileCount, looked_into, readable
from orchestrator.cli.outlet import formats_of
from orchestrator.cli.pipeline_setup import (
    RAY,
    PipelineOptions,
    config_file,
    hearing_model,
    open_pool,
    say,
    transcribing,
)

if TYPE_CHECKING:
    from orchestrator.batch import BatchSettings, Entry, Input, Journal
    from orchestrator.inspection import BatchView
    from orchestrator.pipeline import Pipeline
    from orchestrator.pool.pool import Pool

SPARE_RECORDINGS = 2
"""Recordings under way beyond the workers: while one is decoded or written, no worker waits for it."""


Inputs = Annotated[
    list[str] | None, typer.Argument(help="Files, folders, or globs in quotes.", show_default=False)
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of outputs and journal.")]
ListFile = Annotated[Path | None, typer.Option("--list", help="A file with one path per line; - for stdin.")]
Manifest = Annotated[
    Path | None, typer.Option(help="JSON Lines or CSV: audio, and if wanted output, language, text.")
]
Formats = Annotated[
    str, typer.Option("--format", "-f", help="txt, json, srt, vtt, tsv: one, several with commas, or all.")
]
On = Annotated[
    str | None, typer.Option(help="Where: ray for the cluster there is (RAY_ADDRESS), or ray://HOST:PORT.")
]
MaxAttempts = Annotated[
    int, typer.Option(min=1, help="How often a recording is tried if its worker dies or hangs.")
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Try failed and poisoned recordings again.")
]
Redo = Annotated[bool, typer.Option("--redo", help="Start again from the beginning, with these settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per recording on stdout at the end.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only failures and the last line.")]


def batch(
    inputs: Inputs = None,
    *,
    out: Out,
    list_file: ListFile = None,
    manifest: Manifest = None,
    formats: Formats = "txt",
    max_line_width: flags.MaxLineWidth = 42,
    max_lines: flags.MaxLines = 2,
    max_cps: flags.MaxCps = None,
    highlight_words: flags.HighlightWords = False,
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
    on: On = None,
    max_attempts: MaxAttempts = 3,
    retry_failed: RetryFailed = False,
    redo: Redo = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Transcribe many recordings. Safe to interrupt; run the same command again to resume.

    The exit code is 0 if all are done, 1 if some failed.
    """
    del no_cache  # the copies of a batch go with their recordings in any case
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
        on=_place(on),
    )
    layout = flags.Layout(max_line_width, max_lines, max_cps, highlight_words)
    task = Task(out.absolute(), formats_of(formats), layout, max_attempts, redo, retry_failed)
    sources = partial(_sources, inputs or [], list_file, manifest)
    work = partial(_batch, task, sources, options, as_json=as_json, quiet=quiet)
    raise typer.Exit(
        interruptible(work, kept="finished recordings are written, the same command does the rest")
    )


@dataclass(frozen=True)
class Task:
    """What is to be written where, and what is tried again."""

    folder: Path
    formats: tuple[str, ...]
    layout: flags.Layout
    max_attempts: int
    redo: bool
    retry_failed: bool


def _sources(inputs: list[str], list_file: Path | None, manifest: Path | None) -> list[Input]:
    from orchestrator.batch import find_inputs

    return find_inputs(inputs, list_file=list_file, manifest=manifest)


def _batch(
    task: Task, sources: Callable[[], list[Input]], options: PipelineOptions, *, as_json: bool, quiet: bool
) -> ExitCode:
    from orchestrator.batch import BatchSettings, open_journal

    found = sources()
    settings = BatchSettings(
        folder=task.folder,
        formats=task.formats,
        layout=task.layout.reading_speed(),
        max_attempts=task.max_attempts,
    )
    with open_journal(settings.folder) as journal:
        _prepare(journal, found, settings, task, options)
        if journal.counts().left:
            _work_through(journal, settings, options, quiet=quiet)
        return _conclude(journal, as_json=as_json)


def _place(on: str | None) -> str | None:
    if on is not None and on != RAY and not on.startswith("ray://"):
        raise typer.BadParameter(f"--on {on}: 'ray' for the cluster there is, or ray://HOST:PORT")
    return on


def _identity(options: PipelineOptions, formats: tuple[str, ...], layout: flags.Layout) -> dict[str, str]:
    """Return what makes outputs what they are; a journal keeps to one such set."""
    words = options.wants_words(formats)
    return {
        "config": str(config_file(options.config).absolute()),
        "profile": options.profile,
        "model": options.model,
        "aligner": options.aligner if words else "",
        "language": options.language or "",
        "formats": ",".join(formats),
        "chinese": options.chinese,
        **({} if layout == flags.Layout() else {"layout": str(layout)}),
    }


def _prepare(
    journal: Journal, found: list[Input], settings: BatchSettings, task: Task, options: PipelineOptions
) -> None:
    from orchestrator.batch import recover
    from orchestrator.batch.changes import changed_inputs, lost_outputs

    journal.adopt(_identity(options, task.formats, task.layout), redo=task.redo)
    added = journal.register(found)
    finished = recover(journal, settings)
    changed = changed_inputs(journal)
    lost = lost_outputs(journal)
    journal.again(changed, "the input has changed")
    journal.again(lost, "its output is gone")
    if task.retry_failed:
        journal.again(journal.in_state("failed", "poisoned"), "")
    counts = journal.counts()
    if not counts.total:
        raise typer.BadParameter("no recordings: name files, folders, globs, --list or --manifest")
    news = [f"{added} new", f"{counts.done} done before"]
    news += [f"{len(changed)} changed"] if changed else []
    news += [f"{len(lost)} whose output is gone"] if lost else []
    news += [f"{finished} finished but for their place"] if finished else []
    say(f"{_count(counts.total)}: {', '.join(news)}")


def _count(recordings: int) -> str:
    return "1 recording" if recordings == 1 else f"{recordings} recordings"


def _work_through(
    journal: Journal, settings: BatchSettings, options: PipelineOptions, *, quiet: bool
) -> None:
    from orchestrator.batch import Batch
    from orchestrator.batch.changes import look_at
    from orchestrator.cli.terminal.batch_display import BatchDisplay

    words = options.wants_words(settings.formats) or journal.has_texts()
    with open_pool(options, models=options.models_used(words=words)) as pool:
        settings = replace(settings, ahead=len(pool.stats().slots) + SPARE_RECORDINGS)
        pipeline_for = PipelineFor(pool, options, settings.formats)
        before = _file_count(journal, 0).done
        batch, count = partial(_view, journal, settings.folder), partial(_file_count, journal, before)
        seen = looked_into("orchestrator batch", pool, count, batch)
        left = sum(look_at(entry.path)[0] for entry in journal.in_state("waiting"))
        with seen, BatchDisplay(journal.counts, pool.stats, quiet=quiet, bytes_left=left) as display:
            Batch(journal, pipeline_for, settings, display).run()


def _view(journal: Journal, folder: Path) -> BatchView:
    from orchestrator.inspection import BatchView

    counts = journal.counts()
    return BatchView(
        folder=readable(str(folder)),
        waiting=counts.waiting,
        running=counts.running + counts.writing,
        done=counts.done,
        failed=counts.failed,
        poisoned=counts.poisoned,
    )


def _file_count(journal: Journal, before: int) -> FileCount:
    counts = journal.counts()
    return FileCount(counts.total, counts.total - counts.left, before)


class PipelineFor:
    """The pipeline of each recording: by its language, and by whether its text is given."""

    def __init__(self, pool: Pool, options: PipelineOptions, formats: Sequence[str]) -> None:
        self._pool = pool
        self._options = options
        self._words, self._times = options.wants_words(formats), options.wants_times(formats)
        transcribing(
            options, pool.models, words=self._words
        )  # refuses unknown models before the first recording

    def __call__(self, entry: Entry) -> Pipeline:
        """Return it."""
        from orchestrator.pipeline import AlignWords, GivenText, Pipeline, Step

        options = replace(self._options, language=entry.language or self._options.language)
        steps: list[Step]
        if entry.text is None:
            steps = transcribing(options, self._pool.models, words=self._words, times=self._times)
        else:
            language = options.language
            steps = [
                GivenText(entry.text, language, hearing_model(options, self._pool.models)),
                AlignWords(options.aligner, language),
            ]
        return Pipeline(steps, self._pool, timeout_s=options.timeout_s)


def _conclude(journal: Journal, *, as_json: bool) -> ExitCode:
    """Say what has become of it all."""
    from orchestrator.cli.terminal.batch_display import with_path
    from orchestrator.cli.terminal.screen import Screen
    from orchestrator.files.writing import to_json

    if as_json:
        out = Screen(sys.stdout)
        for entry in journal.entries():
            out.write_json(to_json(entry))
    bad = journal.in_state("failed", "poisoned")
    for entry in bad:
        times = "1 attempt" if entry.attempts == 1 else f"{entry.attempts} attempts"
        say(f"{entry.state} after {times}: {with_path(entry, entry.reason.splitlines()[0])}")
    later = journal.in_state("waiting")
    for entry in later:
        say(f"not done yet: {with_path(entry, entry.reason.splitlines()[0] if entry.reason else 'it waits')}")
    counts, warned = journal.counts(), journal.with_warnings()
    say(
        f"{counts.done} of {counts.total} done"
        + (f", {warned} with warnings" if warned else "")
        + (
            f", {counts.failed} failed, {counts.poisoned} poisoned; --retry-failed tries them again"
            if bad
            else ""
        )
        + (f", {len(later)} not done yet: the same command tries them again" if later else "")
    )
    return ExitCode.BROKEN if bad or later else ExitCode.DONE
