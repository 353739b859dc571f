"""Where an output may go that a user names: never in the place of what runs recorded, of a device, of other files."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from orchestrator.cli.app import app
from orchestrator.cli.outlet import Outlet
from orchestrator.errors import ResultsError
from orchestrator.experiments.reporting.run_report import build_report
from orchestrator.experiments.storage.output_files import check_output
from orchestrator.files.output_place import JUNIT, MARKDOWN, PAGE, PNG, SVG, Form, refuse_special
from orchestrator.pipeline.output import make_writable

FORMS = [PAGE, JUNIT, MARKDOWN, SVG, PNG]
RUN_ID = "20260101T000000.000000Z-0000"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with the files that one run leaves."""
    folder = tmp_path / "results"
    run = folder / "runs" / RUN_ID
    run.mkdir(parents=True)
    for name in ("manifest.json", "iterations.jsonl", "samples.bin"):
        (run / name).write_text(f'{{"name": "{name}"}}')
    (folder / "exp2_results.json").write_text('{"schema": 3}')
    return folder


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def a_link_to_null(path: Path) -> None:
    path.symlink_to(os.devnull)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("special", [os.mkfifo, a_socket, a_link_to_null])
def test_what_is_no_file_is_never_replaced(
    form: Form, special: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's whole path may be too long
    target = Path(f"out{form.endings[0]}")
    special(target)
    before = target.lstat()
    with pytest.raises(ResultsError, match="no regular file"):
        check_output(target, form)
    with pytest.raises(ResultsError, match="no regular file"):
        make_writable(target)
    assert target.lstat().st_mode == before.st_mode


@pytest.mark.parametrize("device", ["/dev/null", "/dev/stdout"])
def test_devices_and_links_among_them_are_refused_wherever_they_lead(device: str) -> None:
    with pytest.raises(OSError, match="no regular file"):
        refuse_special(Path(device))
    with pytest.raises(ResultsError, match="no regular file"):
        check_output(Path(device), PAGE)


def test_a_link_that_leads_nowhere_or_to_a_file_of_the_form_may_be_replaced(tmp_path: Path) -> None:
    link = tmp_path / "page.html"
    link.symlink_to(tmp_path / "other.html")
    check_output(link, PAGE)
    (tmp_path / "other.html").write_text("<html>")
    check_output(link, PAGE)


@pytest.mark.parametrize("form", FORMS)
def test_the_files_of_a_run_are_never_replaced_whoever_named_the_run(form: Form, results: Path) -> None:
    files = [path for path in results.rglob("*") if path.is_file()]
    assert len(files) == 4
    for path in files:
        with pytest.raises(ResultsError, match=f"is not {form.name}"):
            check_output(path, form)


@pytest.mark.parametrize("form", FORMS)
def test_a_name_that_a_run_may_use_is_refused_before_it_does(
    form: Form, results: Path, tmp_path: Path
) -> None:
    run = results / "runs" / RUN_ID
    for folder in (results, run, results / "runs"):
        with pytest.raises(ResultsError, match=r"among the files of runs in .*must end in"):
            check_output(folder / "exp4_results.json", form)
        check_output(folder / f"mine{form.endings[0].upper()}", form)
    linked = tmp_path / "linked"
    linked.symlink_to(results)
    with pytest.raises(ResultsError, match="among the files of runs"):
        check_output(linked / "exp4_results.json", form)
    check_output(tmp_path / "named as I like", form)


def test_a_results_folder_that_has_no_run_yet_is_known_by_its_being_named(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    check_output(fresh / "exp2_results.json", JUNIT)
    with pytest.raises(ResultsError, match="among the files of runs"):
        check_output(fresh / "exp2_results.json", JUNIT, runs=[fresh])


@pytest.mark.parametrize(
    ("form", "content"),
    [
        (PAGE, b"<!DOCTYPE html>"),
        (PAGE, b"\xef\xbb\xbf\n<html>"),
        (JUNIT, b"<?xml"),
        (MARKDOWN, b"# Memory leak"),
        (SVG, b"<svg>"),
        (PNG, b"\x89PNG\r\n"),
        *((form, b"") for form in FORMS),
    ],
)
def test_an_earlier_output_of_the_form_or_an_empty_file_may_be_replaced(
    form: Form, content: bytes, tmp_path: Path, results: Path
) -> None:
    for folder in (tmp_path, results):
        target = folder / f"mine{form.endings[0]}"
        target.write_bytes(content)
        check_output(target, form)


def test_a_file_of_another_form_is_left_alone_wherever_it_lies(tmp_path: Path) -> None:
    for form in FORMS:
        other = tmp_path / f"notes{form.endings[0]}"
        other.write_text("my notes")
        with pytest.raises(ResultsError, match="is there already"):
            check_output(other, form)


@pytest.mark.parametrize(
    "command",
    [
        "compare results results --report {}",
        "run --junit {}",
        "locate --issue {}",
        f"report results/runs/{RUN_ID} --out {{}}",
        f"report results/runs/{RUN_ID} --out new.html --svg --png --markdown",
    ],
)
def test_every_command_that_writes_a_file_refuses_to_lose_one(
    command: str, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    taken = results / "exp2_results.json"
    for ending in ("md", "svg", "png"):
        (tmp_path / f"new.{ending}").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises((ResultsError, typer.BadParameter), match="is there already and is not"):
        app(command.format(taken).split(), standalone_mode=False)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("form", FORMS)
def test_a_name_that_no_file_can_have_is_an_error_in_words(form: Form, results: Path) -> None:
    with pytest.raises(ResultsError, match="File name too long"):
        check_output(results / ("x" * 300), form)
    with pytest.raises(ResultsError, match="File name too long"):
        Outlet.of([results / "talk.wav"], results / f"{'x' * 300}.txt", None)


def test_page_and_summary_never_take_each_others_place(tmp_path: Path) -> None:
    for ending, asked in ((".md", "markdown"), (".svg", "svg"), (".png", "png")):
        with pytest.raises(ResultsError, match="is to be the page and"):
            build_report(tmp_path / RUN_ID, out=tmp_path / f"out{ending}", **{asked: True})


def test_a_document_never_takes_the_place_of_what_it_is_made_from(tmp_path: Path) -> None:
    recording, spoken = tmp_path / "talk.wav", tmp_path / "talk.txt"
    for path in (recording, spoken):
        path.write_text("as it was")
    (tmp_path / "same.json").hardlink_to(recording)
    for out, formats in (
        (recording, ["txt"]),
        (spoken, None),
        (tmp_path / "same.json", None),
        (tmp_path, ["txt"]),
    ):
        with pytest.raises(typer.BadParameter, match="is what is read"):
            Outlet.of([recording], out, formats, also_read=spoken)
    assert recording.read_text() == spoken.read_text() == "as it was"
    Outlet.of([recording], tmp_path / "talk.srt", None, also_read=spoken)
