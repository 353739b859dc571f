"""``Results``: a run by its path, with tables, verdicts, samples and HTML; hostile and unfinished ones too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from written_runs import Written, experiment, iterations

import orchestrator
from orchestrator import Results
from orchestrator.errors import ResultsError
from orchestrator.experiments.exporting.sample_chunks import Names, SampleSource
from orchestrator.experiments.reporting.report_content import collect_report
from orchestrator.experiments.results.results_config import HOST_SUMMARY
from orchestrator.experiments.results.results_file import write_results
from orchestrator.experiments.results.run_results import results_of_run
from orchestrator.process.sampling.sample_record import NAMES_FILE, RECORD_SIZE, RECORDS_FILE
from orchestrator.report.html.page import make_page

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """exp2 with a leak of 1 MB and its baseline; exp3, to which the run has not come."""
    run = Written(
        tmp_path / "results",
        experiment("reuse", "recycle"),
        experiment("reuse", name="exp3", title=EVIL),
    )
    run.add("reuse", iterations("reuse", 30, 1.0))
    run.add("recycle", iterations("recycle", 30, 0.0))
    return run


def result_file(written: Written) -> Path:
    one = results_of_run(written.path)["exp2"]
    return write_results(written.results.path, experiment("reuse", "recycle"), one)


@pytest.fixture(params=["results folder", "run folder", "result file"])
def place(request: pytest.FixtureRequest, written: Written) -> Path:
    return {
        "results folder": written.results.path,
        "run folder": written.path,
        "result file": result_file(written),
    }[request.param]


def test_it_is_a_public_name() -> None:
    assert orchestrator.Results is Results
    assert "Results" in orchestrator.__all__


def test_every_place_tells_the_same_of_what_ran(place: Path, written: Written) -> None:
    found = Results(place)
    assert found.run_id == written.run.run_id
    assert found.methods["exp2"] == ("reuse", "recycle")
    assert [(each.series, each.verdict) for each in found.verdicts] == [
        ("reuse", "leak"),
        ("recycle", "flat"),
    ]
    assert found.summaries["exp2"]["reuse"].iterations == 30
    assert found.plan is not None
    assert [one.model for one in found.plan.models] == ["asr-small"]
    assert "1 of " in repr(found)
    assert written.run.run_id in repr(found)
    first = found.iterations[0]
    assert (first["experiment"], first["series"], first["iteration"], first["boundary"]) == (
        "exp2",
        "reuse",
        1,
        "after_infer",
    )
    assert first["memory_mb"] == first["rss_mb"] == 101.0
    assert first["infer_s"] == 0.3
    assert len(found.iterations) == 60
    assert len(found.readings) == 60 * 4
    assert {row["role"] for row in found.readings} == {"asr-small"}


def test_experiments_that_the_run_has_not_come_to_are_known(written: Written) -> None:
    found = Results(written.path)
    assert found.experiments == ("exp2", "exp3")
    assert found.state == "running"
    assert found.facts["profile"] == "embedded"
    assert "/study" not in json.dumps(found.facts)  # whoever gets a file learns nobody's folders


def test_methods_that_the_run_has_not_come_to_have_no_row_and_are_counted(written: Written) -> None:
    found = Results(written.path)
    assert repr(found).startswith("<Results: 1 of 2 methods leaks · 1 does not · 0 undecided · 1 not yet. ")
    assert "· 1 not yet<" in found._repr_html_()
    assert "exp3" not in found._repr_html_()
    written.add("reuse", name="exp3", outcome="unavailable", cause="no file")
    again = Results(written.path)
    assert "1 does not · 0 undecided · 1 did not run" in repr(again)
    assert "exp3" in again._repr_html_()


def test_the_html_is_the_reports_table_escaped_and_without_a_script(place: Path) -> None:
    page = Results(place)._repr_html_()
    assert "LEAK" in page
    assert page.count('<svg class="spark"') == 2
    assert "<script" not in page
    assert "<img" not in page
    assert "href" not in page, "there is nothing in a notebook that links would lead to"


def test_titles_and_names_from_a_file_are_text(tmp_path: Path, written: Written) -> None:
    path = result_file(written)
    document = json.loads(path.read_text("utf-8"))
    document["config"] |= {"experiment": EVIL, "run_id": EVIL, "host": {"cpu_model": EVIL}}
    document["summary"]["reuse"]["judgement"] |= {"series": EVIL, "reasons": [EVIL]}
    path.write_text(json.dumps(document), "utf-8")
    found = Results(path)
    for shown in (found, found.verdicts, found.verdicts[0], found.iterations, found.readings):
        assert "<img" not in shown._repr_html_()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("memory_mb", 1e400),
        ("life", 1 << 63),
        ("life", "many"),
        ("text", ["a"]),
        ("steps", 5),
        ("steps", [{"rss_mb": {"after_infer": "much"}}]),
        ("steps", [{"load_s": "long"}]),
        ("method", ["reuse"]),
    ],
)
def test_values_of_another_kind_are_an_error_about_the_file(written: Written, key: str, value: Any) -> None:
    path = result_file(written)
    document = json.loads(path.read_text("utf-8"))
    document["iterations"][0][key] = value
    path.write_text(json.dumps(document).replace("Infinity", "1e400"), "utf-8")
    with pytest.raises(ResultsError):
        _ = Results(path).iterations


@pytest.mark.parametrize("value", [5, None, [["a"]], {}], ids=str)
def test_a_result_file_that_does_not_tell_its_run_is_shown_without(written: Written, value: Any) -> None:
    path = result_file(written)
    document = json.loads(path.read_text("utf-8"))
    for key in ("run_id", "created_at", "tool_version", "heap_source", "profile_reason"):
        document["config"][key] = value
    document["config"] |= {"host": value, "packages": value, "warnings": value}
    path.write_text(json.dumps(document), "utf-8")
    found = Results(path)
    assert found.run_id is None
    assert repr(found).endswith(" undecided. Profile embedded>")
    assert "None" not in found._repr_html_()
    assert set(found.facts["host"]) == set(HOST_SUMMARY)
    assert (found.facts["packages"], found.facts["warnings"]) == ({}, [])
    with pytest.raises(ResultsError, match="results/runs/<id>"):
        _ = found.samples


def test_a_verdict_with_a_number_that_no_column_holds_is_an_error_about_the_file(written: Written) -> None:
    path = result_file(written)
    document = json.loads(path.read_text("utf-8"))
    document["summary"]["reuse"]["judgement"]["iterations"] = 1 << 63
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(ResultsError, match=r"exp2 reuse: iterations is '9223372036854775808'"):
        _ = Results(path).verdicts.table


def test_what_is_not_there_is_said(tmp_path: Path, written: Written) -> None:
    with pytest.raises(ResultsError, match="no such file or folder"):
        Results(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResultsError, match="orchestrator run"):
        Results(tmp_path / "empty")
    with pytest.raises(ResultsError, match=f"results/runs/{written.run.run_id}"):
        _ = Results(result_file(written)).samples


def test_a_run_that_has_just_begun_shows_that_nothing_was_measured(tmp_path: Path) -> None:
    run = Written(tmp_path / "results", experiment("reuse", "recycle"), samples=False)
    found = Results(run.path)
    assert len(found.iterations) == len(found.verdicts) == 0
    assert "Nothing has been measured yet" in found._repr_html_()
    assert repr(found).startswith("<Results: Nothing has been measured yet. Run ")
    assert "<table" not in found._repr_html_()
    report = make_page(collect_report(run.run), "")
    assert "Nothing has been measured yet" in report
    assert "could run" not in found._repr_html_() + report
    assert found.plan is None
    with pytest.raises(ResultsError, match="no time series"):
        found.samples.open()


def test_tables_are_sequences(written: Written) -> None:
    table = Results(written.path).iterations
    assert len(table[10:20]) == 10
    assert table[10:20][0] == table[10]
    assert [row["iteration"] for row in table][-1] == 30
    assert repr(table[:1]).startswith("<1 iteration: run_id, experiment")
    assert "and 50 more" in table._repr_html_()
    assert "more" not in table[:3]._repr_html_()
    verdicts = Results(written.path).verdicts
    assert verdicts[1:][0] is verdicts[1]
    assert "exp2 reuse: leak" in repr(verdicts)


@pytest.mark.parametrize("name", ["iterations", "readings", "verdicts", "samples"])
def test_frames_of_both_packages_hold_the_same(written: Written, name: str) -> None:
    pytest.importorskip("pandas", reason="needs pandas")
    pytest.importorskip("polars", reason="needs polars")
    shown = getattr(Results(written.path), name)
    pandas, polars = shown.to_pandas(), shown.to_polars()
    assert list(pandas.columns) == polars.columns
    assert len(pandas) == len(polars) == len(shown) > 0
    for column in polars.columns:
        theirs = pandas[column].astype(object).where(pandas[column].notna(), None).tolist()
        assert theirs == polars[column].to_list(), column


def test_results_as_a_frame_are_the_iterations(written: Written) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    frame = Results(written.path).to_pandas()
    grown = frame[frame.series == "reuse"].set_index("iteration").memory_mb
    assert grown.loc[30] - grown.loc[1] == 29.0
    assert isinstance(frame, pandas.DataFrame)


def source(written: Written) -> SampleSource:
    return Results(written.path).samples.open()


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_samples_that_memory_does_not_hold_are_too_large_and_not_damaged(
    written: Written, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    pytest.importorskip(package, reason=f"needs {package}")

    def full(self: SampleSource, size: int = 0) -> Any:
        raise MemoryError(size)

    monkeypatch.setattr(SampleSource, "chunks", full)
    with pytest.raises(
        ResultsError, match=r"too large for memory; orchestrator export .* --to samples\.parquet"
    ) as told:
        getattr(Results(written.path).samples, f"to_{package}")()
    assert "damaged" not in str(told.value)


def test_samples_come_in_pieces_that_make_the_whole(written: Written) -> None:
    whole = next(source(written).chunks())
    pieces = list(source(written).chunks(7))
    assert len(pieces) == -(-300 // 7)
    for name, column in whole.items():
        parts = [piece[name][0] for piece in pieces]
        np.testing.assert_array_equal(np.concatenate(parts), column[0])


def test_samples_say_role_phase_and_what_is_not_known(written: Written) -> None:
    piece = next(source(written).chunks(3))
    roles, phases = piece["role"], piece["phase"]
    assert isinstance(roles, Names)
    assert isinstance(phases, Names)
    assert [roles.names[code] for code in roles.codes] == ["asr-small"] * 3
    assert [phases.names[code] for code in phases.codes] == ["load", "load", "infer"]
    assert piece["time_s"][0].tolist() == [0.1, 0.12, 0.14]
    assert piece["rss_bytes"][0].tolist() == [101 * 1024**2] * 3


def rewrite_names(written: Written, **changes: Any) -> None:
    path = written.path / NAMES_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"series": ["reuse"]}, "no name for the series of sample 151"),
        ({"phases": ["spawn"]}, "no name for the phase of sample 1;"),
        ({"experiments": []}, "no name for the experiment of sample 1;"),
        ({"series": ["reuse", "reuse"]}, "a name twice"),
        ({"schema": 99}, "schema 99"),
        ({"dtype": {"names": ["x"], "formats": ["O"], "offsets": [0], "itemsize": 8}}, "does not know"),
    ],
)
def test_damaged_samples_are_one_sentence(written: Written, changes: dict[str, Any], words: str) -> None:
    rewrite_names(written, **changes)
    with pytest.raises(ResultsError, match=words):
        list(source(written).chunks())


def test_a_sample_of_more_bytes_than_there_can_be_is_damage(written: Written) -> None:
    path = written.path / RECORDS_FILE
    records = bytearray(path.read_bytes())
    records[8:16] = b"\xff" * 8
    path.write_bytes(records)
    with pytest.raises(ResultsError, match="more bytes than there can be"):
        list(source(written).chunks())


def test_a_part_of_a_sample_at_the_end_does_not_count(written: Written) -> None:
    path = written.path / RECORDS_FILE
    path.write_bytes(path.read_bytes()[: RECORD_SIZE * 10 + 5])
    assert len(source(written)) == 10


def test_a_file_that_becomes_shorter_while_it_is_read_is_an_error(written: Written) -> None:
    pieces = source(written).chunks(100)
    next(pieces)
    path = written.path / RECORDS_FILE
    path.write_bytes(path.read_bytes()[: RECORD_SIZE * 150])
    with pytest.raises(ResultsError, match="become shorter"):
        next(pieces)


def test_samples_of_an_older_version_lack_shared_memory(written: Written) -> None:
    names = json.loads((written.path / NAMES_FILE).read_text())
    old = np.dtype(
        [
            ("time_ns", "<i8"), ("rss", "<u8"), ("rss_anon", "<u8"), ("tree_rss", "<u8"), ("iteration", "<u4"),
            ("generation", "<u4"), ("experiment", "<u2"), ("series", "<u2"),
            ("step", "<u2"), ("phase", "u1"), ("pad", "u1"),
        ]
    )  # fmt: skip
    records = np.zeros(4, old)
    records["rss"], records["rss_anon"] = 9 << 20, [0, 1, 2, 3]
    (written.path / RECORDS_FILE).write_bytes(records.tobytes())
    fields = [name for name in old.names or () if name != "pad"]
    rewrite_names(
        written,
        dtype={
            "names": fields,
            "formats": [names["dtype"]["formats"][names["dtype"]["names"].index(name)] for name in fields],
            "offsets": [old.fields[name][1] for name in fields],  # type: ignore[index]
            "itemsize": old.itemsize,
        },
    )
    piece = next(source(written).chunks())
    assert piece["rss_shmem_bytes"][1].tolist() == [True] * 4
    assert piece["rss_anon_bytes"][1].tolist() == [True, False, False, False]


def test_a_name_that_a_run_adds_meanwhile_is_known(written: Written) -> None:
    opened = source(written)
    written.add("restart", iterations("restart", 3, 0.0))
    assert len(opened) == 300, "what is written later is not seen"
    assert len(source(written)) == 315
    assert sum(len(piece["series"][0]) for piece in source(written).chunks(100)) == 315
