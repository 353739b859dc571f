"""The calibration beside the results: kept, read back, and held against the run it is shown with."""

import msgspec
import pytest
from calibration_builders import HOST, make_calibration

from orchestrator.errors import ResultsError
from orchestrator.experiments.storage.stored_calibration import (
    CALIBRATION_NAME,
    doubts,
    read_calibration,
    stamp_of,
    write_calibration,
)

RUN_AT = "2026-11-22T10:00:00+00:00"


def doubts_of(calibration, host=HOST, at=RUN_AT, version="0.1.0"):
    return doubts(calibration, run_host=host, run_at=at, run_version=version)


def test_what_is_written_is_read_back(tmp_path):
    calibration = make_calibration()
    path = write_calibration(tmp_path, calibration)
    assert path == tmp_path / CALIBRATION_NAME
    assert read_calibration(tmp_path) == calibration


def test_without_one_there_is_none(tmp_path):
    assert read_calibration(tmp_path) is None
    assert stamp_of(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 1}', '{"schema": 99}', "\udcff"])
def test_a_damaged_one_is_an_error_that_says_where_and_costs_no_run(tmp_path, text):
    (tmp_path / CALIBRATION_NAME).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ResultsError, match=r"calibration\.json"):
        read_calibration(tmp_path)
    assert stamp_of(tmp_path) is None


def test_the_stamp_says_which_one_it_is(tmp_path):
    calibration = make_calibration()
    write_calibration(tmp_path, calibration)
    stamp = stamp_of(tmp_path)
    assert stamp is not None
    assert (stamp.created_at, stamp.quick) == (calibration.created_at, calibration.quick)
    other = msgspec.structs.replace(calibration, host=HOST | {"kernel": "7.0"})
    write_calibration(tmp_path, other)
    assert stamp_of(tmp_path).host_fingerprint != stamp.host_fingerprint


def test_what_changes_by_the_minute_does_not_make_another_host(tmp_path):
    write_calibration(tmp_path, make_calibration())
    before = stamp_of(tmp_path)
    write_calibration(
        tmp_path, make_calibration(host=HOST | {"load_average": [9.0], "memory_available_bytes": 1})
    )
    assert stamp_of(tmp_path) == before


def test_the_same_host_soon_after_leaves_no_doubt():
    assert doubts_of(make_calibration()) == []


def test_another_host_is_named_by_what_differs():
    (said,) = doubts_of(make_calibration(), host=HOST | {"kernel": "7.0"})
    assert "another host: kernel 6.1 there, 7.0 in this run" in said


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("2026-12-20T10:00:00+00:00", None),
        ("2026-12-22T10:00:00+00:00", "31 days before this run"),
        ("2026-10-21T10:00:00+00:00", "31 days after this run"),
    ],
)
def test_an_old_one_is_doubted(at, words):
    said = doubts_of(make_calibration(), at=at)
    assert len(said) == (words is not None)
    assert words is None or words in said[0]


def test_another_version_is_doubted():
    (said,) = doubts_of(make_calibration(), version="0.2.0")
    assert "version 0.1.0, this run by 0.2.0" in said
