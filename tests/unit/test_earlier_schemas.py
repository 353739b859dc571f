"""Files that earlier versions have written are read with all their facts, and such a run can be resumed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from orchestrator.experiments.results.results_file import RESULTS_SCHEMA, read_results
from orchestrator.experiments.storage.entry_log import series_records
from orchestrator.experiments.storage.records import SeriesEnd
from orchestrator.experiments.storage.run_folder import ResultsFolder, RunFolder

EARLIER = Path(__file__).parents[1] / "data" / "earlier_schemas"
PRINTED = "GGML_ASSERT: buffer is not empty"


@pytest.fixture
def results(tmp_path: Path) -> ResultsFolder:
    """A results folder with a run of schema 1, in which recreate crashed and restart could not run."""
    shutil.copytree(EARLIER / "run_schema_1", tmp_path / "runs")
    return ResultsFolder(tmp_path)


def end(run: RunFolder, series: str) -> SeriesEnd:
    found = series_records(run.entries())["exp2", series].end
    assert found is not None
    return found


@pytest.mark.parametrize("schema", [1, 2])
def test_result_files_have_the_rates_and_words_of_today(schema: int) -> None:
    read = read_results(EARLIER / f"results_schema_{schema}.json")
    assert read.schema == RESULTS_SCHEMA
    crashed = read.summary["recreate"]
    assert crashed.stderr_tail == PRINTED
    assert crashed.growth_rate_mb_per_iteration == 1.0
    assert crashed.leak_rate is not None
    if schema == 2:
        assert read.summary["restart"].how_to_get_it == "put the file there"


@pytest.mark.parametrize("schema", range(1, RESULTS_SCHEMA))
def test_every_earlier_schema_has_a_file_here(schema: int) -> None:
    assert json.loads((EARLIER / f"results_schema_{schema}.json").read_bytes())["schema"] == schema


def test_entries_have_the_words_of_today(results: ResultsFolder) -> None:
    (run,) = results.run_folders()
    assert end(run, "recreate").stderr_tail == PRINTED
    assert end(run, "restart").how_to_get_it == "put the file there"
    assert end(run, "recycle").outcome == "completed"


def test_a_run_that_was_resumed_keeps_both_old_and_new_entries(results: ResultsFolder) -> None:
    (run,) = results.run_folders()
    again = msgspec.structs.replace(end(run, "restart"), stderr_tail="new", how_to_get_it="build it")
    run.set_state("running")
    with run:
        run.append(again)
    assert run.manifest().schema == 1
    assert end(run, "recreate").stderr_tail == PRINTED
    assert end(run, "restart") == again
