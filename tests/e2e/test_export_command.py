"""``orchestrator export`` and ``Results`` on runs of the real command."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path

import pytest
from lab import Lab, experiment, synthetic, wait_until

from orchestrator import Results

LEAK = {"small": synthetic(leak_kib_per_job=1024, job_ms=60)}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def ran(lab: Lab) -> Lab:
    lab.write(experiment("exp2", "reuse", "recycle", iterations=10), models=LEAK)
    done = lab.run("run", "-q")
    assert done.code == 0, done.err
    return lab


def test_samples_of_a_run_as_parquet_agree_with_its_csv(ran: Lab) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'export'")
    for name in ("s.parquet", "s.csv"):
        done = ran.run("export", "results", "--to", name)
        assert (done.code, done.out, done.err) == (0, f"{name}\n", "")
    table = parquet.read_table(ran.folder / "s.parquet")
    plain = rows(ran.folder / "s.csv")
    assert table.num_rows == len(plain) > 0
    assert table["rss_bytes"].to_pylist() == [int(row["rss_bytes"]) for row in plain]
    assert table["series"].to_pylist() == [row["series"] for row in plain]
    assert table.schema.metadata[b"orchestrator.run_id"].decode() == ran.run_folder.name
    assert {row["role"] for row in plain} == {"small"}
    assert {"reuse", "recycle"} == {row["method"] for row in plain}


def test_verdicts_and_iterations_agree_with_the_library(ran: Lab) -> None:
    for what in ("verdicts", "iterations"):
        assert ran.run("export", "--what", what, "--to", f"{what}.csv").code == 0
    results = Results(ran.results)
    assert [row["verdict"] for row in rows(ran.folder / "verdicts.csv")] == [
        each.verdict for each in results.verdicts
    ]
    written = [float(row["memory_mb"]) for row in rows(ran.folder / "iterations.csv")]
    assert written == [row["memory_mb"] for row in results.iterations]
    assert results.state == "finished"


def test_of_a_run_under_way_there_is_what_there_is(lab: Lab) -> None:
    lab.write(experiment("exp2", "reuse", iterations=100_000), models=LEAK)
    running = lab.start("run", "-q")
    try:
        wait_until(lambda: lab.raw_lines() > 30, what="some iterations")
        done = lab.run("export", "--to", "s.jsonl")
        again = lab.run("export", "--to", "i.csv", "--what", "iterations")
    finally:
        os.kill(running.pid, signal.SIGINT)
        running.wait()
    assert (done.code, done.out, again.code) == (0, "s.jsonl\n", 0), (done.err, again.err)
    assert (
        f"note: run {lab.run_folder.name} is under way, or was killed: what there is was written" in done.err
    )
    assert (lab.folder / "s.jsonl").read_bytes().count(b"\n") > 0
    assert len(rows(lab.folder / "i.csv")) > 20


def test_a_full_disk_leaves_no_half_of_a_file(ran: Lab) -> None:
    done = ran.run("export", "--what", "readings", "--to", "r.csv", file_limit_bytes=1000)
    assert done.code == 2
    assert done.err == (
        "orchestrator: cannot write r.csv: the file size limit (ulimit -f) is reached; make room and export again\n"
    )
    assert not [path for path in ran.folder.iterdir() if "r.csv" in path.name]


def test_what_cannot_be_is_one_sentence_and_exit_2(ran: Lab) -> None:
    (ran.folder / "there.csv").write_text("mine")
    told = {
        (
            "export",
            "--to",
            "s.xlsx",
        ): "the ending of the name tells the form: .parquet, .csv, .jsonl, .ndjson",
        ("export", "--to", "there.csv"): "there.csv is there already; --force replaces it",
        ("export", "nowhere", "--to", "s.csv"): "nowhere: no such file or folder",
        ("export", "results/exp2_results.json", "--to", "s.csv"): "a result file has no samples",
        ("export", "--to", "no/s.csv"): "cannot write no/s.csv",
    }
    for words, sentence in told.items():
        done = ran.run(*words)
        assert (done.code, done.out) == (2, "")
        assert sentence in done.err
        assert len(done.log) == 1
    assert (ran.folder / "there.csv").read_text() == "mine"
