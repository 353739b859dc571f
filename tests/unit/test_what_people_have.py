"""Readings in the forms that other tools and people write them, and variants of those: all give the same series.

Each text is made here from the same truth: 300 MB, and 2 MB more with each of 40 readings, unless it says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from orchestrator.errors import ResultsError
from orchestrator.series_files.discovery import read_file
from orchestrator.series_files.measured import MeasuredSeries
from orchestrator.series_files.table_cells import Asked

MB = [300.0 + 2 * n for n in range(40)]
KB = [int(size * 1024) for size in MB]
BYTES = [size * 1024 for size in KB]
START = datetime(2026, 11, 29, 23, 30, tzinfo=UTC)
MINUTES = [START + timedelta(minutes=n) for n in range(40)]


def lines(header: str, row: Callable[[int], str], count: int = 40) -> str:
    return "\n".join([*([header] if header else []), *(row(n) for n in range(count))]) + "\n"


def iso(n: int) -> str:
    return MINUTES[n].strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(n: int) -> str:
    return MINUTES[n].strftime("%H:%M:%S")


def half_day(n: int) -> str:
    return MINUTES[n].strftime("%I:%M:%S %p")


def dotted(size: float) -> str:
    return f"{size:,.1f}".replace(",", "'").replace(".", ",").replace("'", ".")


PIDSTAT = "Linux 6.8.0-41 (box) \t11/29/2026 \t_x86_64_\t(8 CPU)\n\n"
ONE_MINUTE = {
    "mprof": lines("CMDLINE python app.py", lambda n: f"MEM {MB[n]:.6f} {1.7e9 + 60 * n:.4f}"),
    "mprof with marks of functions": lines(
        "CMDLINE python app.py",
        lambda n: (
            f"FUNC app.f {MB[n]:.4f} {1.7e9 + 60 * n:.4f} {MB[n] + 1:.4f} {1.7e9 + 60 * n + 9:.4f}\n"
            f"MEM {MB[n]:.6f} {1.7e9 + 60 * n:.4f}"
        ),
    ),
    "psrecord": lines(
        "# Elapsed time   CPU (%)     Real (MB)   Virtual (MB)",
        lambda n: f"{60 * n:12.3f} {50:12.3f} {MB[n]:12.3f} {900.5:12.3f}",
    ),
    "psrecord with IO": lines(
        "# Elapsed time   CPU (%)     Real (MB)   Virtual (MB)   Read (count)",
        lambda n: f"{60 * n:12.3f} {50:12.3f} {MB[n]:12.3f} {900.5:12.3f} {n:9d}",
    ),
    "pidstat": PIDSTAT
    + lines(
        f"{clock(0)}      UID       PID  minflt/s  majflt/s     VSZ     RSS   %MEM  Command",
        lambda n: (
            f"{clock(n)}     1000      4711      1.00      0.00 2400000 {KB[n]:7d}   1.90  python -m app"
        ),
    )
    + "Average:     1000      4711      1.00      0.00 2400000  345678   1.90  python -m app\n",
    "pidstat that repeats its header": PIDSTAT
    + lines(
        "",
        lambda n: (
            f"\n{clock(n)}      UID       PID  minflt/s  majflt/s     VSZ     RSS   %MEM  Command\n"
            f"{clock(n)}     1000      4711      1.00      0.00 2400000 {KB[n]:7d}   1.90  python"
        ),
    ),
    "pidstat of half days": PIDSTAT
    + lines(
        f"{half_day(0)}      UID       PID  minflt/s  majflt/s     VSZ     RSS   %MEM  Command",
        lambda n: f"{half_day(n)}     1000      4711      1.00      0.00 2400000 {KB[n]:7d}   1.90  python",
    ),
    "pidstat with decimal commas": PIDSTAT
    + lines(
        "# Time        UID       PID  minflt/s  majflt/s     VSZ     RSS   %MEM  Command",
        lambda n: f"{1.7e9 + 60 * n:.0f}  1000  4711  1,00  0,00 2400000 {KB[n]}  1,90  python",
    ),
    "ps behind a time": lines(
        "",
        lambda n: f"{'  PID   RSS COMMAND' + chr(10) if n == 0 else ''}{iso(n)} 4711 {KB[n]} python app.py",
    ),
    "date and ps in a loop": lines(
        "",
        lambda n: (
            f"{MINUTES[n]:%a %b %e %H:%M:%S UTC %Y}\n    PID   RSS     ELAPSED CMD\n   4711 {KB[n]}  05:00 python a.py"
        ),
    ),
    "ps with the age of the process": lines(
        "",
        lambda n: (
            f"  PID ELAPSED RSS COMMAND\n 4711 {5 + (30 + n) // 60:02}:{(30 + n) % 60:02}:00 {KB[n]} python a.py"
        ),
    ),
    "top": lines(
        "",
        lambda n: (
            f"top - {clock(n)} up 3 days,  2:11,  1 user,  load average: 0.52, 0.58, 0.59\n"
            "Tasks:   1 total,   1 running\n%Cpu(s):  2.0 us,  1.0 sy\nMiB Mem :   7801.2 total,   300.1 free\n\n"
            "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n"
            f"   4711 me        20   0 2400000 {KB[n]}  12000 S   9.3   1.9   0:01.10 python"
        ),
    ),
    "csv": lines("time,rss_mb", lambda n: f"{iso(n)},{MB[n]}"),
    "csv in KB, other order": lines("rss_kb,host,timestamp", lambda n: f"{KB[n]},a,{1.7e9 + 60 * n:.0f}"),
    "csv in bytes and milliseconds": lines(
        "ts,rss_bytes", lambda n: f"{(1.7e9 + 60 * n) * 1000:.0f},{BYTES[n]}"
    ),
    "csv in GiB": lines("elapsed_s,RSS (GiB)", lambda n: f"{60 * n},{MB[n] / 1024:.6f}"),
    "minutes": lines("minutes,mem_mb", lambda n: f"{n},{MB[n]}"),
    "hours": lines("elapsed_h;Memory [MiB]", lambda n: f"{n / 60:.5f};{MB[n]}".replace(".", ",")),
    "semicolons and decimal commas": lines(
        "Zeit;RSS (MB)", lambda n: f"{MINUTES[n]:%d.%m.%Y %H:%M:%S};{dotted(MB[n])}"
    ),
    "tabs": lines("timestamp\trss_mb\tnote", lambda n: f"{MINUTES[n]:%Y-%m-%d %H:%M:%S}\t{MB[n]}\tx, y"),
    "a title, comments and quotes": "# recorded by hand\nour service\n"
    + lines('"Time","RSS MB","%MEM"', lambda n: f'"{iso(n)}","{MB[n]}","1.9"')
    + "# end\n",
    "date and time apart": lines("date,time,rss_mb", lambda n: f"{MINUTES[n]:%Y-%m-%d},{clock(n)},{MB[n]}"),
    "times of day over midnight": lines("time,rss_mb", lambda n: f"{clock(n)},{MB[n]}"),
    "american dates": lines(
        "Date Time,Memory (KB)", lambda n: f'{MINUTES[n]:%m/%d/%Y %I:%M:%S %p},"{KB[n]:,}"'
    ),
    "zones": lines("time,rss", lambda n: f"{MINUTES[n]:%Y-%m-%d %H:%M:%S}.123456789 +0000 UTC,{KB[n]}"),
    "newest first": lines("time,rss_mb", lambda n: f"{iso(39 - n)},{MB[39 - n]}"),
    "prometheus csv": lines(
        '"Time","process_resident_memory_bytes{instance=""a:80"",job=""asr""}"',
        lambda n: f"{MINUTES[n]:%Y-%m-%d %H:%M:%S},{BYTES[n]}",
    ),
    "grafana with units": lines(
        '"Time","container_memory_working_set_bytes"', lambda n: f'{iso(n)},"{MB[n]:.0f} MiB"'
    ),
    "excel's first line": "sep=;\n" + lines("time;rss_mb", lambda n: f"{iso(n)};{MB[n]}"),
    "prometheus json": json.dumps(
        {
            "status": "success",
            "data": {
                "resultType": "matrix",
                "result": [
                    {
                        "metric": {"__name__": "process_resident_memory_bytes", "job": "asr"},
                        "values": [[1.7e9 + 60 * n, str(BYTES[n])] for n in range(40)],
                    }
                ],
            },
        }
    ),
    "a list of objects": json.dumps([{"time": iso(n), "memory": {"rss_mb": MB[n]}} for n in range(40)]),
    "docker in json lines": lines(
        "",
        lambda n: json.dumps(
            {"Name": "asr", "time": iso(n), "MemUsage": f"{MB[n]}MiB / 7.6GiB", "MemPerc": "3.9%"}
        ),
    ),
}
NO_CLOCK = {
    "docker stats": lines(
        "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT     MEM %     NET I/O           BLOCK I/O        PIDS",
        lambda n: f"ea7aaf2c7e24   asr       19.34%    {MB[n]}MiB / 7.6GiB   3.95%     1.2kB / 0B   8.19kB / 0B   24",
    ),
    "docker stats on a screen": lines(
        "",
        lambda n: "\x1b[2J\x1b[HCONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT     MEM %\n"
        f"ea7aaf2c7e24   asr       19.34%    {MB[n]}MiB / 7.6GiB   3.95%\x1b[K",
    ),
    "docker stats with its own format": lines("", lambda n: f"asr\t{MB[n]}MiB / 7.6GiB"),
    "docker stats in GiB": lines(
        "NAME      MEM USAGE / LIMIT", lambda n: f"asr   {MB[n] / 1024:.5f}GiB / 7.6GiB"
    ),
    "kubectl top": lines("NAME    CPU(cores)   MEMORY(bytes)   ", lambda n: f"asr-0   78m     {MB[n]:.0f}Mi       "),
    "kubectl top of containers": lines(
        "POD     NAME    CPU(cores)   MEMORY(bytes)", lambda n: f"asr-0   asr     78m          {MB[n]:.0f}Mi"
    ),
    "ps aux": lines(
        "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND",
        lambda n: f"me          4711  9.3  1.9 2400000 {KB[n]} ?      Sl   10:00   0:{n:02} python app.py --threads 4",
    ),
    "grep VmRSS": lines("", lambda n: f"VmRSS:\t  {KB[n]} kB"),
    "whole status files": lines(
        "", lambda n: f"Name:\tpython\nVmHWM:\t  999999 kB\nVmRSS:\t  {KB[n]} kB\nRssAnon:\t  {KB[n] - 50000} kB\n"
        "RssShmem:\t       0 kB\nVmSwap:\t       0 kB\nThreads:\t7"
    ),
    "one column": lines("rss_mb", lambda n: f"{MB[n]}"),
    "no unit, whole pages in KB": lines("i,rss", lambda n: f"{n},{KB[n]}"),
    "no unit, bytes": lines("i,memory", lambda n: f"{n},{BYTES[n]}"),
    "no unit, MB": lines("i,memory", lambda n: f"{n},{MB[n] + 0.3}"),
    "KB under the header of MB": lines("iteration,rss_mb", lambda n: f"{n},{MB[n] * 1024 + 0.37}"),
    "GB under the header of MB": lines("iteration,rss_mb", lambda n: f"{n},{MB[n] / 1024}"),
    "bytes under the header of MB": lines("iteration,rss_mb", lambda n: f"{n},{BYTES[n]}"),
    "GB in the middle": lines("iteration,rss_mb", lambda n: f"{n},{MB[n] / (1024 if n > 20 else 1)}"),
    "from KB to MB in the middle": lines("iteration,rss_kb", lambda n: f"{n},{MB[n] * (1 if n > 9 else 1024)}"),
    "markdown": "| iteration | rss_mb |\n| --- | --- |\n" + lines("", lambda n: f"| {n} | {MB[n]} |"),
    "top's suffixes": lines(
        "  PID USER  VIRT    RES    SHR S  %CPU COMMAND", lambda n: f" 47 me  2400000 {MB[n] / 1024:.5f}g  12 S 9.3 x"
    ),
}  # fmt: skip


def read(tmp_path: Path, text: str, name: str = "a.txt", asked: Asked | None = None) -> list[MeasuredSeries]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_file(path, asked)


def one(tmp_path: Path, text: str, **more: Asked) -> MeasuredSeries:
    (series,) = read(tmp_path, text, **more)
    return series


@pytest.mark.parametrize("text", ONE_MINUTE.values(), ids=ONE_MINUTE)
def test_every_form_gives_the_readings_and_their_times(tmp_path: Path, text: str) -> None:
    series = one(tmp_path, text)
    assert series.rss == pytest.approx(MB, rel=1e-5)
    assert series.elapsed_s is not None
    assert np.diff(series.elapsed_s) == pytest.approx(60, abs=0.1)


@pytest.mark.parametrize("text", NO_CLOCK.values(), ids=NO_CLOCK)
def test_forms_without_a_clock_give_the_readings(tmp_path: Path, text: str) -> None:
    series = one(tmp_path, text)
    assert series.rss == pytest.approx(MB, rel=2e-3)
    assert np.polyfit(np.arange(40), series.rss, 1)[0] == pytest.approx(2, rel=1e-3)
    assert series.elapsed_s is None


@pytest.mark.parametrize("cell", ["", "NaN", "-", "--", "n/a", "null", "None", "0", "killed"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_cell_without_a_reading_costs_that_reading(tmp_path: Path, cell: str, separator: str) -> None:
    text = lines(f"iteration{separator}rss_mb", lambda n: f"{n}{separator}{cell if n in (7, 20) else MB[n]}")
    series = one(tmp_path, text)
    assert series.rss.tolist() == [size for n, size in enumerate(MB) if n not in (7, 20)]
    assert series.positions is not None
    assert series.positions.tolist() == [n for n in range(40) if n not in (7, 20)]
    assert any("2 of 40 readings are left out" in note and "row 8" in note for note in series.notes)


def test_a_hole_without_a_column_of_iterations_is_a_hole_all_the_same(tmp_path: Path) -> None:
    series = one(tmp_path, lines("rss_mb,note", lambda n: f"{'' if n == 3 else MB[n]},x"))
    assert series.positions is not None
    assert np.polyfit(series.positions, series.rss, 1)[0] == pytest.approx(2)


def test_a_row_that_a_killed_recorder_left_half_written_is_left_out(tmp_path: Path) -> None:
    series = one(tmp_path, lines("time,iteration,rss_mb", lambda n: f"{iso(n)},{n},{MB[n]}") + "2026-11-30T0")
    assert series.rss.tolist() == MB
    assert any("cut off" in note for note in series.notes)


def test_numbered_iterations_are_where_they_say(tmp_path: Path) -> None:
    series = one(tmp_path, lines("iteration,rss_mb", lambda n: f"{10 * n + 10},{MB[n]}"))
    assert series.positions is not None
    assert series.positions.tolist() == [10 * n + 10 for n in range(40)]


DOCKER = "CONTAINER ID   NAME   CPU %   MEM USAGE / LIMIT   MEM %"
SEVERAL = {
    "docker": lines(
        DOCKER,
        lambda n: f"ea7aaf2c7e24   asr   9.3%   {MB[n]}MiB / 7.6GiB   3.9%\nb1b2b3b4   db   1.0%   80MiB / 7GiB   1%",
    ),
    "kubectl": lines("NAME   CPU(cores)   MEMORY(bytes)", lambda n: f"asr-0   78m   {MB[n]:.0f}Mi\nasr-1   7m   80Mi"),
    "ps": lines("", lambda n: f"  PID   RSS COMMAND\n 4711 {KB[n]} python app.py\n 4712 81920 python app.py"),
    "pidstat": PIDSTAT
    + lines(
        "# Time UID PID minflt/s majflt/s VSZ RSS %MEM Command",
        lambda n: f"{clock(n)} 1000 4711 1.00 0.00 2400000 {KB[n]} 1.90 python\n"
        f"{clock(n)} 1000 4712 1.00 0.00 2400000 81920 0.90 python",
    ),
    "csv": lines("pid,rss_mb,time", lambda n: f"1,{MB[n]},{iso(n)}\n2,80,{iso(n)}"),
    "wide": lines(
        'Time,"rss{pod=""a""}","rss{pod=""b""}"', lambda n: f"{iso(n)},{MB[n]}MiB,80MiB"
    ),
    "mprof": lines(
        "CMDLINE x", lambda n: f"MEM {MB[n]} {1.7e9 + n}\nCHLD 1 80.0 {1.7e9 + n}"
    ),
    "prometheus": json.dumps(
        {
            "data": {
                "result": [
                    {"metric": {"job": "x", "pod": "a"}, "values": [[1.7e9 + n, str(BYTES[n])] for n in range(40)]},
                    {"metric": {"job": "x", "pod": "b"}, "values": [[1.7e9 + n, "83886080"] for n in range(40)]},
                ]
            }
        }
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", SEVERAL.values(), ids=SEVERAL)
def test_several_in_one_file_are_told_apart(tmp_path: Path, text: str) -> None:
    first, second = read(tmp_path, text)
    assert first.rss == pytest.approx(MB)
    assert second.rss.tolist() == [80] * 40
    assert first.series
    assert second.series
    assert first.series != second.series


def test_a_process_that_was_restarted_is_two(tmp_path: Path) -> None:
    text = lines("", lambda n: f"  PID   RSS COMMAND\n {4711 if n < 20 else 4899} {KB[n % 20]} python app.py")
    first, second = read(tmp_path, text)
    assert first.rss.tolist() == second.rss.tolist() == MB[:20]


@pytest.mark.parametrize("column", ["iteration", "elapsed_s"])
def test_iterations_and_clocks_that_start_again_begin_a_new_series(tmp_path: Path, column: str) -> None:
    found = read(tmp_path, lines(f"{column},rss_mb", lambda n: f"{n % 13},{MB[n % 13]}"))
    assert [each.rss.tolist() for each in found] == [MB[:13], MB[:13], MB[:13], [300]]
    assert [each.series for each in found] == [f"life {n} of 4" for n in (1, 2, 3, 4)]


def test_a_clock_coarser_than_the_readings_is_spread_over_its_tick(tmp_path: Path) -> None:
    series = one(tmp_path, lines("time,rss_mb", lambda n: f"{iso(n // 4)},{MB[n]}"))
    assert series.elapsed_s is not None
    assert np.diff(series.elapsed_s) == pytest.approx(15)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "(its columns: a, b); name it: --column NAME"),
        ("iteration,vsz_kb,%MEM\n1,2,3\n", "(its columns: iteration, vsz_kb, %MEM)"),
        (lines("i,rss", lambda n: f"{n},{20_000 + 3 * n}"), "can be MB or KB; say which: --unit MB or --unit KB"),
        ('{"a": 1, "b": []}', "(its keys: a, b)"),
        (lines("rss_mb", lambda n: str(n if n < 15 else "x")), "row 16: rss_mb is 'x', not a finite number; so are 25"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_with_what_was_found(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ResultsError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


def test_a_column_and_a_unit_can_be_named(tmp_path: Path) -> None:
    text = lines("time,asr-0,cpu", lambda n: f"{iso(n)},{MB[n] * 1024},5")
    assert one(tmp_path, text, asked=Asked(unit="KB", column="asr-0")).rss == pytest.approx(MB)
    with pytest.raises(ResultsError, match=r"no column other \(its columns: time, asr-0, cpu\)"):
        read(tmp_path, text, asked=Asked(column="other"))


def test_a_large_process_in_whole_pages_is_not_taken_for_another_unit(tmp_path: Path) -> None:
    series = one(tmp_path, lines("iteration,rss_mb", lambda n: f"{n},{200_000 + n / 256:.6f}"))
    assert series.rss[0] == 200_000
    assert series.notes == ()


def test_utf_16_as_a_windows_shell_redirects_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(lines("time,rss_mb", lambda n: f"{iso(n)},{MB[n]}").encode("utf-16"))
    (series,) = read_file(path)
    assert series.rss.tolist() == MB


def test_a_million_readings_are_read_in_seconds(tmp_path: Path) -> None:
    rows = "".join(f"{n},{300 + n / 1000}\n" for n in range(20_000))
    series = one(tmp_path, "iteration,rss_mb\n" + rows)
    assert series.rss.size == 20_000
