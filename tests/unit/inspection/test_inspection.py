from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import OrchestratorError, ResultsError
from orchestrator.inspection import Found, Inspection, SlotView, Snapshot, WorkerView, find_running, look
from orchestrator.inspection.client import choose
from orchestrator.inspection.place import socket_folder
from orchestrator.inspection.snapshot import thinned
from short_paths import new_short_folder

WORKER = WorkerView(
    pid=7, model="small", state="busy", generation=3, rss_bytes=300 << 20, peak_bytes=400 << 20,
    reserved_bytes=500 << 20, jobs=9, age_s=61.0,
)  # fmt: skip
SLOT = SlotView(
    slot=0,
    state="busy",
    generation=3,
    jobs=21,
    peak_bytes=400 << 20,
    exits={"rss": 2},
    memory=[1, 2],
    worker=WORKER,
)


def snapshot(uptime_s: float = 0.0) -> Snapshot:
    return Snapshot(
        pid=os.getpid(), title="pool", uptime_s=uptime_s, budget_bytes=4 << 30, reserved_bytes=500 << 20,
        queue_length=5, running=1, outcomes={"asr": {"done": 20, "failed": 1}}, exits={"rss": 2}, spawns=3,
        evictions=0, slots=[SLOT],
    )  # fmt: skip


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with new_short_folder() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder


@pytest.fixture
def inspection() -> Iterator[Inspection]:
    with Inspection(snapshot) as opened:
        yield opened


def test_whoever_looks_sees_the_snapshot(inspection: Inspection) -> None:
    (found,) = find_running()
    assert found == Found(os.getpid(), inspection.path)
    assert look(found).slots == [SLOT]
    assert look(found).uptime_s <= look(found).uptime_s


def test_only_the_owner_can_enter_the_folder(inspection: Inspection) -> None:
    assert stat.S_IMODE(inspection.path.parent.stat().st_mode) == 0o700


def test_a_folder_that_others_can_enter_is_refused(runtime: Path) -> None:
    (runtime / "orchestrator").mkdir(mode=0o755)
    with pytest.raises(ResultsError, match="yours alone"):
        Inspection(snapshot)


def test_a_link_in_the_folders_place_is_refused(runtime: Path) -> None:
    (runtime / "elsewhere").mkdir(mode=0o700)
    (runtime / "orchestrator").symlink_to(runtime / "elsewhere")
    with pytest.raises(ResultsError, match="yours alone"):
        socket_folder(make=True)


def test_two_pools_of_one_process_have_a_socket_each(inspection: Inspection) -> None:
    with Inspection(snapshot) as second:
        assert {found.path for found in find_running()} == {inspection.path, second.path}
    assert [found.path for found in find_running()] == [inspection.path]


def test_after_closing_nobody_gets_in_and_the_socket_is_gone() -> None:
    opened = Inspection(snapshot)
    opened.close()
    assert find_running() == []
    assert list(opened.path.parent.iterdir()) == []


def test_what_a_killed_process_left_is_removed(runtime: Path) -> None:
    folder = socket_folder(make=True)
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(folder / "12345.sock"))
    left.close()
    assert find_running() == []
    assert list(folder.iterdir()) == []


def test_a_snapshot_that_cannot_be_taken_does_not_end_the_answering() -> None:
    failures = iter([OSError("gone")])

    def take(uptime_s: float) -> Snapshot:
        if error := next(failures, None):
            raise error
        return snapshot(uptime_s)

    with Inspection(take) as opened:
        found = Found(os.getpid(), opened.path)
        with pytest.raises(ResultsError, match="shows nothing"):
            look(found)
        assert look(found).title == "pool"


def test_a_pool_that_is_gone_is_said(runtime: Path) -> None:
    with pytest.raises(ResultsError, match="does not answer"):
        look(Found(1, runtime / "none.sock"))


def test_without_a_pool_the_way_to_have_one_is_said() -> None:
    with pytest.raises(OrchestratorError, match="inspect=True"):
        choose([], None)


def test_of_several_one_must_be_named() -> None:
    running = [Found(1, Path("1.sock")), Found(2, Path("2.sock"))]
    with pytest.raises(OrchestratorError, match="one of 1, 2"):
        choose(running, None)
    assert choose(running, 2).pid == 2


def test_thinning_keeps_the_peaks() -> None:
    readings = [1] * 1000
    readings[333] = 99
    assert max(thinned(readings, 60)) == 99
    assert len(thinned(readings, 60)) == 60
    assert thinned([1, 2], 60) == [1, 2]


def test_the_view_has_a_row_for_each_slot() -> None:
    from rich.console import Console

    from orchestrator.cli.terminal.top_view import drawn

    console = Console(width=160, record=True, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    console.print(drawn(snapshot(3600), 160))
    text = console.export_text()
    console.file.close()
    assert "process" in text
    assert "queue 5" in text
    assert "asr done 20, failed 1" in text
    (row,) = [line for line in text.splitlines() if "small" in line]
    for cell in ("busy", "300", "400", "500", "1 min 01 s", "rss 2"):
        assert cell in row


def test_every_column_has_its_place_on_eighty_columns() -> None:
    from rich.console import Console

    from orchestrator.cli.terminal.top_view import drawn

    console = Console(width=80, record=True, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    console.print(drawn(snapshot(3600), 80))
    text = console.export_text()
    console.file.close()
    assert "…" not in text


def test_the_sparklines_full_height_is_the_limit() -> None:
    from orchestrator.cli.terminal.top_view import sparkline

    assert sparkline([0, 50, 100], 100, 24) == "▁▅█"
    assert sparkline([0, 50, 100], 800, 24) == "▁▁▂"
    assert sparkline([], 100, 24) == ""
    assert len(sparkline(list(range(1000)), 1000, 24)) == 24


def test_the_json_is_one_line_that_scripts_can_read(capsys: pytest.CaptureFixture[str]) -> None:
    from orchestrator.cli.commands.top_command import _print_one

    _print_one(snapshot(), as_json=True)
    made = json.loads(capsys.readouterr().out)
    assert made["slots"][0]["worker"]["rss_bytes"] == 300 << 20


def test_pools_opened_at_once_have_a_socket_each() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(lambda _: Inspection(snapshot), range(24)))
    try:
        assert len({each.path for each in opened}) == 24
        assert len(find_running()) == 24
    finally:
        for each in opened:
            each.close()
    assert find_running() == []


def test_a_folder_with_too_long_a_name_is_said(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = runtime / ("x" * 120)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with pytest.raises(ResultsError, match="shorter name"):
        Inspection(snapshot)


def test_a_forked_copy_leaves_the_socket_to_the_original(
    inspection: Inspection, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    with monkeypatch.context() as copy:
        copy.setattr(inspection, "_owner_pid", -1)
        copy.setattr(inspection, "close_copy", lambda: closed.append("copy"))
        inspection.close()
    assert closed == ["copy"]
    assert len(find_running()) == 1
