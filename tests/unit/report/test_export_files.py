"""``orchestrator export``: what is in the files, that none is half written, and none is lost."""

from __future__ import annotations

import csv
import errno
import importlib.util
import io
import json
import os
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from written_runs import Written, experiment, iterations

from orchestrator import Results
from orchestrator.errors import ResultsError
from orchestrator.experiments.exporting import export as export_module
from orchestrator.experiments.exporting.export import What, export_results
from orchestrator.experiments.exporting.sample_chunks import SAMPLE_KINDS, SampleSource
from orchestrator.experiments.results.results_file import write_results
from orchestrator.experiments.results.run_results import results_of_run
from orchestrator.files.writing import written_anew

WHAT = get_args(What)
COLUMNS: dict[What, str] = {
    "samples": """
        time_s experiment series method iteration step role generation phase rss_bytes
        rss_anon_bytes rss_shmem_bytes tree_rss_bytes
    """,
    "iterations": """
        run_id experiment series method variant iteration life boundary memory_mb peak_mb
        peak_source tree_peak_mb rss_mb rss_anon_mb rss_file_mb rss_shmem_mb swap_mb uss_mb pss_mb
        vm_hwm_mb threads descriptors heap_live_mb heap_held_mb spawn_s load_s infer_s unload_s
        exit_s ttft_ms speed_chars_per_s wer_percent cer_percent text started_at
    """,
    "readings": """
        run_id experiment series method variant iteration step role task generation boundary rss_mb
        rss_anon_mb rss_file_mb rss_shmem_mb swap_mb uss_mb pss_mb vm_hwm_mb threads descriptors
        heap_live_mb heap_held_mb
    """,
    "verdicts": """
        experiment series method outcome boundary verdict iterations warm_up_iterations rate_channel
        rate_mb_per_iteration ci_low_mb_per_iteration ci_high_mb_per_iteration
        tolerance_mb_per_iteration rate_mb_per_hour tolerance_mb_per_hour rss_rate_mb_per_iteration
        rss_ci_low_mb_per_iteration rss_ci_high_mb_per_iteration heap_rate_mb_per_iteration
        heap_ci_low_mb_per_iteration heap_ci_high_mb_per_iteration live_heap_mb_per_iteration
        held_free_mb_per_iteration outside_malloc_mb_per_iteration shared_memory_mb_per_iteration
        file_pages_mb_per_iteration swap_mb_per_iteration above_fresh_mb descriptors_verdict
        descriptors_per_iteration descriptors_ci_low_per_iteration descriptors_ci_high_per_iteration
        descriptors_first descriptors_last descriptors_reasons threads_verdict threads_per_iteration
        threads_ci_low_per_iteration threads_ci_high_per_iteration threads_first threads_last
        threads_reasons heap_off reasons settle
    """,
}
TEXT = 'one, "two"\nthree\r零九'


@pytest.fixture
def written(tmp_path: Path) -> Written:
    run = Written(tmp_path / "results", experiment("reuse", "recycle"))
    run.add("reuse", iterations("reuse", 30, 1.0, text=TEXT))
    run.add("recycle", iterations("recycle", 30, 0.0))
    run.run.set_state("finished")
    return run


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def rows_of_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


def rows_of_json(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("what", WHAT)
def test_csv_and_json_lines_hold_the_same_rows(written: Written, tmp_path: Path, what: What) -> None:
    results = Results(written.path)
    done = export_results(results, tmp_path / "rows.csv", what=what)
    again = export_results(results, tmp_path / "rows.jsonl", what=what)
    plain, typed = rows_of_csv(done.path), rows_of_json(again.path)
    assert done.rows == again.rows == len(plain) == len(typed) > 0
    assert not done.notes
    for left, right in zip(plain, typed, strict=True):
        assert list(left) == list(right)
        assert left == {key: "" if value is None else str(value) for key, value in right.items()}


@pytest.mark.parametrize("what", WHAT)
def test_parquet_holds_what_json_lines_do(written: Written, tmp_path: Path, what: What) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'export'")
    results = Results(written.path)
    export_results(results, tmp_path / "rows.parquet", what=what)
    export_results(results, tmp_path / "rows.ndjson", what=what)
    read = parquet.read_table(tmp_path / "rows.parquet")
    assert read.to_pylist() == rows_of_json(tmp_path / "rows.ndjson")
    assert read.schema.names == COLUMNS[what].split()
    about = {key.decode(): value.decode() for key, value in read.schema.metadata.items()}
    assert about["orchestrator.schema"] == "1"
    assert about["orchestrator.run_id"] == written.run.run_id
    assert about["orchestrator.what"] == what
    facts = json.loads(about["orchestrator.facts"])
    assert facts == json.loads(json.dumps(results.facts))


def test_samples_are_written_a_row_group_a_piece(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'export'")
    whole = SampleSource.chunks
    monkeypatch.setattr(SampleSource, "chunks", lambda self: whole(self, 64))
    export_results(Results(written.path), tmp_path / "s.parquet")
    file = parquet.ParquetFile(tmp_path / "s.parquet")
    groups = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    assert groups == [64, 64, 64, 64, 44]
    assert file.schema_arrow.names == list(SAMPLE_KINDS)


def test_parquet_is_read_by_pandas_and_polars(written: Written, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra 'export'")
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    polars = pytest.importorskip("polars", reason="needs polars")
    target = export_results(Results(written.path), tmp_path / "s.parquet").path
    frame = pandas.read_parquet(target)
    assert frame.groupby("series", observed=True).rss_bytes.max().to_dict() == {
        "reuse": 130 << 20,
        "recycle": 100 << 20,
    }
    assert polars.read_parquet(target)["phase"].to_list() == frame.phase.tolist()


def test_without_pyarrow_the_error_says_what_to_install(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        ResultsError, match=r"pip install 'orchestrator\[export\]'; \.csv and \.jsonl need nothing"
    ):
        export_results(Results(written.path), tmp_path / "s.parquet")
    assert not left_in(tmp_path)


@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_of_a_run_that_is_not_finished_there_is_what_there_is(
    written: Written, tmp_path: Path, state: Any
) -> None:
    written.run.set_state(state)
    done = export_results(Results(written.path), tmp_path / "s.csv")
    assert done.rows == 300
    (note,) = done.notes
    assert {"running": "is under way, or was killed", "interrupted": "was interrupted"}[state] in note
    assert "300 samples until 6.2 s" in note


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(written: Written, tmp_path: Path) -> None:
    target = tmp_path / "s.csv"
    target.write_text("mine")
    with pytest.raises(ResultsError, match="is there already; --force replaces it"):
        export_results(Results(written.path), target)
    assert target.read_text() == "mine"
    export_results(Results(written.path), target, force=True)
    assert target.read_text().startswith("time_s,")


def test_a_file_that_came_meanwhile_stays(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "s.csv"
    whole = SampleSource.chunks

    def slow(self: SampleSource) -> Any:
        yield from whole(self)
        target.write_text("theirs")

    monkeypatch.setattr(SampleSource, "chunks", slow)
    with pytest.raises(ResultsError, match="is there already"):
        export_results(Results(written.path), target)
    assert target.read_text() == "theirs"
    assert left_in(tmp_path) == ["s.csv"]


def test_the_runs_own_record_is_never_replaced(written: Written) -> None:
    own = written.path / "iterations.jsonl"
    before = own.read_bytes()
    with pytest.raises(ResultsError, match="the run's own record"):
        export_results(Results(written.path), own, what="iterations", force=True)
    assert own.read_bytes() == before


def test_the_record_of_another_run_and_a_pipe_are_not_replaced_either(
    written: Written, tmp_path: Path
) -> None:
    other = Written(tmp_path / "others", experiment("reuse"))
    other.add("reuse", iterations("reuse", 3, 0.0))
    own = other.path / "iterations.jsonl"
    before = own.read_bytes()
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for target, said in ((own, "the run's own record"), (pipe, "no regular file")):
        with pytest.raises(ResultsError, match=said):
            export_results(Results(written.path), target, what="iterations", force=True)
    assert own.read_bytes() == before
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("s", "the ending of the name"),
        ("s.xlsx", "the ending of the name"),
        ("there.csv", "a folder"),
        (f"{'s' * 300}.csv", "File name too long"),
    ],
)
def test_a_target_that_cannot_be_is_said(written: Written, tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "there.csv").mkdir()
    with pytest.raises(ResultsError, match=words):
        export_results(Results(written.path), tmp_path / name)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("damage", ["in the middle", "full disk", "interrupt"])
def test_a_cut_leaves_what_was_there_and_no_half_of_a_file(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, damage: str
) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="needs the extra 'export'")
    target = tmp_path / f"s{suffix}"
    target.write_text("former")
    whole = SampleSource.chunks
    broken: dict[str, BaseException] = {
        "in the middle": ResultsError("damaged"),
        "full disk": OSError(errno.ENOSPC, "No space left on device"),
        "interrupt": KeyboardInterrupt(),
    }

    def breaks(self: SampleSource) -> Any:
        yield next(whole(self, 10))
        raise broken[damage]

    monkeypatch.setattr(SampleSource, "chunks", breaks)
    with pytest.raises((ResultsError, KeyboardInterrupt)) as told:
        export_results(Results(written.path), target, force=True)
    if damage == "full disk":
        assert "the disk is full; its former content is safe; make room and export again" in str(told.value)
    assert target.read_text() == "former"
    assert left_in(tmp_path) == [target.name]


def test_what_writing_raises_is_not_said_of_the_runs_content(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def write(self, piece: object) -> None:
            raise MemoryError(piece)

        def drop(self) -> None:
            pass

    monkeypatch.setattr(export_module, "writer", lambda *_, **__: Full())
    with pytest.raises(MemoryError):
        export_results(Results(written.path), tmp_path / "s.csv")
    assert not left_in(tmp_path)


def test_a_result_file_without_a_run_is_exported(written: Written, tmp_path: Path) -> None:
    path = write_results(written.results.path, experiment("reuse"), results_of_run(written.path)["exp2"])
    document = json.loads(path.read_text("utf-8"))
    document["config"]["run_id"] = 5
    path.write_text(json.dumps(document), "utf-8")
    target = tmp_path / "v.csv"
    assert export_results(Results(path), target, what="verdicts").rows == 2
    if importlib.util.find_spec("pyarrow"):
        parquet = export_results(Results(path), tmp_path / "v.parquet", what="verdicts").path
        assert b"None" not in parquet.read_bytes()


def test_a_link_is_not_written_through(written: Written, tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text("theirs")
    (tmp_path / "s.csv").symlink_to(tmp_path / "theirs.csv")
    export_results(Results(written.path), tmp_path / "s.csv", force=True)
    assert (tmp_path / "theirs.csv").read_text() == "theirs"
    assert not (tmp_path / "s.csv").is_symlink()


def test_a_link_to_nowhere_is_a_file_that_is_there(written: Written, tmp_path: Path) -> None:
    (tmp_path / "s.csv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ResultsError, match="is there already"):
        export_results(Results(written.path), tmp_path / "s.csv")


def test_a_run_without_samples_is_an_error_and_its_verdicts_are_not(tmp_path: Path) -> None:
    run = Written(tmp_path / "results", experiment("reuse"), samples=False)
    run.add("reuse", iterations("reuse", 20, 0.0))
    with pytest.raises(ResultsError, match="the run has no time series"):
        export_results(Results(run.path), tmp_path / "s.csv")
    assert export_results(Results(run.path), tmp_path / "v.csv", what="verdicts").rows == 1


def test_a_run_that_has_measured_nothing_gives_the_columns_and_says_so(tmp_path: Path) -> None:
    run = Written(tmp_path / "results", experiment("reuse"), samples=False)
    run.run.set_state("finished")
    done = export_results(Results(run.path), tmp_path / "i.csv", what="iterations")
    assert done.rows == 0
    assert done.notes == (f"run {run.run.run_id} has no iterations: the file has none",)
    assert (tmp_path / "i.csv").read_text().startswith("run_id,experiment,series,")


@pytest.mark.parametrize("what", WHAT)
def test_the_schema_has_a_number_that_stands_for_these_columns(
    written: Written, tmp_path: Path, what: What
) -> None:
    """Whoever changes a column of what is released gives the schema another number here."""
    target = export_results(Results(written.path), tmp_path / "rows.jsonl", what=what).path
    assert (export_module.EXPORT_SCHEMA, list(rows_of_json(target)[0])) == (1, COLUMNS[what].split())


def test_a_file_written_piece_by_piece_is_there_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with written_anew(path) as file:
        file.write(b"one")
        file.flush()
        assert not path.exists()
        file.write(b" two")
    assert path.read_bytes() == b"one two"
    assert left_in(tmp_path) == ["file"]
