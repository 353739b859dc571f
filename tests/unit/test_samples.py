"""The time series on disk: what was written is read back, however the file was cut."""

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import orchestrator_worker
from orchestrator.errors import ResultsError
from orchestrator.process.sampling.sample_record import (
    NAMES_FILE,
    PHASES,
    RECORD_SIZE,
    RECORDS_FILE,
    Label,
    phase_code,
)
from orchestrator.process.sampling.samples import FLUSH_EVERY_NS, SampleWriter, read_samples
from orchestrator.process.sampling.watch import RssReading

ROOT = Path(orchestrator_worker.__file__).parents[2]
SEARCH_PATH = os.pathsep.join([str(ROOT), str(ROOT / "worker")])
FIELDS = [
    "time_ns",
    "rss",
    "rss_anon",
    "tree_rss",
    "rss_shmem",
    "iteration",
    "generation",
    "experiment",
    "series",
    "step",
    "phase",
]
READING = RssReading(5, 100, 60, 150)


def write(folder: Path, count: int, first: int = 0) -> None:
    writer = SampleWriter(folder)
    for number in range(first, first + count):
        writer.write(Label(iteration=number), RssReading(number, 100 + number, 50, 200))
    writer.close()


def test_every_field_comes_back(tmp_path: Path) -> None:
    writer = SampleWriter(tmp_path)
    label = Label(
        experiment=writer.experiment_code("exp2"),
        series=writer.series_code("exp2/restart"),
        iteration=7,
        step=1,
        generation=3,
        phase=phase_code("infer"),
    )
    writer.write(label, RssReading(5, 1 << 40, 60, 1 << 41, 70))
    writer.close()
    records, names = read_samples(tmp_path)
    assert list(records.dtype.names or ()) == FIELDS
    assert records[0].item() == (5, 1 << 40, 60, 1 << 41, 70, 7, 3, 0, 0, 1, 2)
    assert names.experiments == ["exp2"]
    assert names.series == ["exp2/restart"]
    assert names.phases[:5] == ["spawn", "load", "infer", "unload", "exit"]


def test_the_documented_way_to_read_needs_only_numpy_and_json(tmp_path: Path) -> None:
    write(tmp_path, 3)
    document = json.loads((tmp_path / "samples.json").read_text())
    records = np.memmap(tmp_path / "samples.bin", dtype=np.dtype(document["dtype"]), mode="r")
    assert records["rss"].tolist() == [100, 101, 102]
    assert records.dtype.itemsize == RECORD_SIZE


@given(
    st.lists(
        st.tuples(
            st.tuples(st.integers(0, 2**63 - 1), *[st.integers(0, 2**64 - 1)] * 4),
            st.tuples(
                *[st.integers(0, 2**16 - 1)] * 2, *[st.integers(0, 2**32 - 1)], st.integers(0, 2**16 - 1)
            ),
            st.integers(0, 2**32 - 1),
            st.integers(0, 4),
        ),
        max_size=8,
    )
)
def test_any_values_come_back(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    folder = tmp_path_factory.mktemp("samples")
    writer = SampleWriter(folder)
    for reading, label, generation, phase in rows:
        writer.write(Label(*label, generation, phase), RssReading(*reading))
    writer.close()
    found = read_samples(folder).records
    assert [found[list(FIELDS[:5])][i].item() for i in range(len(rows))] == [row[0] for row in rows]
    assert found["generation"].tolist() == [row[2] for row in rows]
    assert found["iteration"].tolist() == [row[1][2] for row in rows]


@pytest.mark.parametrize("left_over", range(RECORD_SIZE))
def test_a_file_cut_anywhere_in_its_last_record_is_read_and_resumed(tmp_path: Path, left_over: int) -> None:
    write(tmp_path, 3)
    file = tmp_path / RECORDS_FILE
    os.truncate(file, 2 * RECORD_SIZE + left_over)
    assert read_samples(tmp_path).records["iteration"].tolist() == [0, 1]

    write(tmp_path, 1, first=9)
    records, names = read_samples(tmp_path)
    assert records["iteration"].tolist() == [0, 1, 9]
    assert file.stat().st_size == 3 * RECORD_SIZE
    assert names.resumed_at == [2]


def test_a_resumed_run_keeps_its_names_and_its_time_goes_on(tmp_path: Path) -> None:
    first = SampleWriter(tmp_path)
    assert [first.series_code("a"), first.series_code("b"), first.series_code("a")] == [0, 1, 0]
    first.write(Label(), RssReading(1_000, 1, 1, 1))
    first.close()
    second = SampleWriter(tmp_path)
    assert [second.series_code("b"), second.series_code("c")] == [1, 2]
    second.write(Label(), RssReading(5, 1, 1, 1))
    second.close()
    assert read_samples(tmp_path).records["time_ns"].tolist() == [1_000, 1_005]


def test_a_run_without_a_sample_yet_reads_as_empty(tmp_path: Path) -> None:
    SampleWriter(tmp_path).close()
    records, names = read_samples(tmp_path)
    assert len(records) == 0
    assert names.resumed_at == []


def test_a_new_name_is_on_disk_before_its_first_record(tmp_path: Path) -> None:
    writer = SampleWriter(tmp_path)
    writer.experiment_code("exp1")
    assert read_samples(tmp_path).names.experiments == ["exp1"]
    writer.close()


def test_records_reach_the_file_on_flush_and_once_a_second(tmp_path: Path) -> None:
    writer = SampleWriter(tmp_path)
    writer.write(Label(), RssReading(0, 1, 1, 1))
    assert len(read_samples(tmp_path).records) == 0
    writer.flush()
    assert len(read_samples(tmp_path).records) == 1
    writer.write(Label(), RssReading(FLUSH_EVERY_NS - 1, 1, 1, 1))
    assert len(read_samples(tmp_path).records) == 1
    writer.write(Label(), RssReading(FLUSH_EVERY_NS, 1, 1, 1))
    assert len(read_samples(tmp_path).records) == 3
    writer.close()


def test_a_closed_writer_takes_nothing_more(tmp_path: Path) -> None:
    writer = SampleWriter(tmp_path)
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(Label(), READING)
    with pytest.raises(ValueError, match="closed"):
        writer.flush()


def test_a_full_disk_is_an_error_to_every_caller_and_leaves_whole_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = SampleWriter(tmp_path)
    for number in range(4):
        writer.write(Label(iteration=number), READING)
    room = 2 * RECORD_SIZE + 17
    pwrite = os.pwrite

    def pwrite_into_little_room(descriptor: int, data: bytes, offset: int) -> int:
        if offset >= room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(descriptor, bytes(data)[: room - offset], offset)

    monkeypatch.setattr(os, "pwrite", pwrite_into_little_room)
    for call in (writer.flush, writer.flush, lambda: writer.write(Label(), READING)):
        with pytest.raises(OSError, match="No space left"):
            call()
    writer.close()
    assert read_samples(tmp_path).records["iteration"].tolist() == [0, 1]
    assert (tmp_path / RECORDS_FILE).stat().st_size == 2 * RECORD_SIZE


def test_a_file_size_limit_of_the_system_is_such_an_error_too(tmp_path: Path) -> None:
    source = f"""
import resource, signal, sys
from orchestrator.process.sampling.samples import Label, SampleWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = SampleWriter(sys.argv[1])
for number in range(1000):
    writer.write(Label(iteration=number), (0, 1, 1, 1, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, ({100 * RECORD_SIZE + 5}, {resource.RLIM_INFINITY}))
try:
    writer.flush()
except OSError as error:
    print(error.errno)
writer.close()
"""
    environ = {**os.environ, "PYTHONPATH": SEARCH_PATH}
    done = subprocess.run(
        [sys.executable, "-c", source, str(tmp_path)], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == [str(errno.EFBIG)], done.stderr
    assert read_samples(tmp_path).records["iteration"].tolist() == list(range(100))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (None, "cannot be read"),
        (b"{", "damaged"),
        (b'{"schema": 2, "future": 1}', "schema 2"),
    ],
)
def test_unreadable_names_are_an_error_that_names_the_file(
    tmp_path: Path, names: bytes | None, words: str
) -> None:
    write(tmp_path, 1)
    (tmp_path / NAMES_FILE).unlink()
    if names is not None:
        (tmp_path / NAMES_FILE).write_bytes(names)
    with pytest.raises(ResultsError, match=words) as caught:
        read_samples(tmp_path)
    assert NAMES_FILE in str(caught.value)


def test_missing_records_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    write(tmp_path, 1)
    (tmp_path / RECORDS_FILE).unlink()
    with pytest.raises(ResultsError, match=RECORDS_FILE):
        read_samples(tmp_path)


def test_records_of_another_shape_are_not_appended_to(tmp_path: Path) -> None:
    write(tmp_path, 1)
    document = json.loads((tmp_path / NAMES_FILE).read_text())
    document["dtype"]["itemsize"] = 64
    (tmp_path / NAMES_FILE).write_text(json.dumps(document))
    with pytest.raises(ResultsError, match="other records"):
        SampleWriter(tmp_path)
    assert (tmp_path / RECORDS_FILE).stat().st_size == RECORD_SIZE


@pytest.mark.parametrize(
    "change",
    [
        {"formats": ["O"] * len(FIELDS)},
        {"formats": ["<i8", "O", *(["<u8"] * 3), "<u4", "<u4", *(["<u2"] * 3), "u1"]},
        {"formats": ["|O8", *(["<u8"] * 4), "<u4", "<u4", *(["<u2"] * 3), "u1"]},
        {"formats": ["(2,)O", *(["<u8"] * 4), "<u4", "<u4", *(["<u2"] * 3), "u1"]},
        {"names": ["time_ns"], "formats": ["O"], "offsets": [0]},
        {"names": [], "formats": [], "offsets": []},
        {"itemsize": 0},
        {"itemsize": 1 << 62},
        {"offsets": [1 << 40] * len(FIELDS)},
        {"formats": ["nonsense"] * len(FIELDS)},
    ],
)
def test_a_file_does_not_choose_how_its_bytes_are_read(tmp_path: Path, change: dict[str, object]) -> None:
    """With objects in the record numpy would take bytes of the file for addresses; run where a crash would show."""
    write(tmp_path, 50)
    document = json.loads((tmp_path / NAMES_FILE).read_text())
    document["dtype"].update(change)
    (tmp_path / NAMES_FILE).write_text(json.dumps(document))
    words = (
        "from orchestrator.process.sampling.samples import read_samples\n"
        "from orchestrator.errors import ResultsError\n"
        f"try: print(repr(read_samples({str(tmp_path)!r}).records.tolist()))\n"
        "except ResultsError as error: print('refused:', error)\n"
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused: ")
    assert "records that this version does not know" in done.stdout


def test_a_run_from_before_shared_memory_was_kept_is_read_and_gone_on_with(tmp_path: Path) -> None:
    write(tmp_path, 1)
    document = json.loads((tmp_path / NAMES_FILE).read_text())
    dtype = document["dtype"]
    lost = dtype["names"].index("rss_shmem")
    later = dtype["offsets"][lost + 1 :]
    document["dtype"] = {
        "names": [name for name in dtype["names"] if name != "rss_shmem"],
        "formats": [each for index, each in enumerate(dtype["formats"]) if index != lost],
        "offsets": [*dtype["offsets"][:lost], *(offset - 8 for offset in later)],
        "itemsize": dtype["itemsize"] - 8,
    }
    (tmp_path / NAMES_FILE).write_text(json.dumps(document))
    whole = (tmp_path / RECORDS_FILE).read_bytes()
    at = dtype["offsets"][lost]
    (tmp_path / RECORDS_FILE).write_bytes(whole[:at] + whole[at + 8 :])
    write(tmp_path, 2, first=7)
    records = read_samples(tmp_path).records
    assert records["iteration"].tolist() == [0, 7, 8]
    assert records["rss"].tolist() == [100, 107, 108]


def test_a_version_with_more_phases_goes_on_and_one_with_others_does_not(tmp_path: Path) -> None:
    write(tmp_path, 1)
    document = json.loads((tmp_path / NAMES_FILE).read_text())
    (tmp_path / NAMES_FILE).write_text(json.dumps({**document, "phases": document["phases"][:5]}))
    write(tmp_path, 1)
    assert read_samples(tmp_path).names.phases == list(PHASES)
    (tmp_path / NAMES_FILE).write_text(json.dumps({**document, "phases": ["load", "spawn"]}))
    with pytest.raises(ResultsError, match="other records"):
        SampleWriter(tmp_path)


def test_an_unknown_phase_is_refused() -> None:
    with pytest.raises(ValueError, match="spawn, load, infer, unload, exit"):
        phase_code("loading")


def test_a_writer_imports_no_numpy() -> None:
    source = "import sys; import orchestrator.process.sampling.samples; print('numpy' in sys.modules)"
    environ = {**os.environ, "PYTHONPATH": SEARCH_PATH}
    done = subprocess.run(
        [sys.executable, "-c", source], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "False", done.stderr
