"""Series in files: every form that is read, what is refused and how, and the verdict as JSON."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from record_builders import ended, experiment, growing, plan, records

from orchestrator.errors import ResultsError
from orchestrator.experiments.judging.judgement import Judgements
from orchestrator.experiments.results.results_file import make_results
from orchestrator.experiments.storage.manifest import make_manifest
from orchestrator.process.memory import Memory
from orchestrator.series_files.discovery import Trouble, find_series, read_file
from orchestrator.series_files.finding import judge_measured
from orchestrator.series_files.measured import MeasuredSeries
from orchestrator.series_files.recording import Recording, record
from orchestrator.series_files.result_series import result_series
from orchestrator.series_files.words import finding_lines


def read_csv(path):
    [series] = read_file(path)
    return series


HEADER = "iteration,rss_mb,rss_anon_mb,live_mb,held_mb"


def written(path, text):
    path.write_text(text)
    return path


def table(path, rows, header=HEADER):
    return written(path, "\n".join([header, *(",".join(map(str, row)) for row in rows), ""]))


def leak_rows(count=40):
    return [(n, 200 + 3 * n, 150 + 3 * n, 20 + n, 100 + 2 * n) for n in range(1, count + 1)]


# ---------------------------------------------------------------------- CSV


def test_a_csv_gives_every_channel_it_names(tmp_path):
    series = read_csv(table(tmp_path / "a.csv", leak_rows(3)))
    assert series.rss.tolist() == [203, 206, 209]
    assert series.rss_anon.tolist() == [153, 156, 159]
    assert (series.live.tolist(), series.held.tolist()) == ([21, 22, 23], [102, 104, 106])
    assert (series.swap, series.interval_s, series.notes) == (None, None, ())


def test_columns_come_in_any_order_with_others_between_and_spaces_around(tmp_path):
    series = read_csv(written(tmp_path / "a.csv", "note, SWAP_MB ,rss_mb\nx,1,10\n\ny,2,11\n"))
    assert (series.rss.tolist(), series.swap.tolist()) == ([10, 11], [1, 2])


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbfrss_mb\r\n10\r\n11\r\n")
    assert read_csv(path).rss.tolist() == [10, 11]


def test_a_channel_with_holes_is_left_out_and_said(tmp_path):
    series = read_csv(table(tmp_path / "a.csv", [(1, 10, 9), (2, 11, "")], "iteration,rss_mb,rss_anon_mb"))
    assert series.rss_anon is None
    assert series.notes == ("rss_anon_mb is not used: 1 of 2 rows have none",)


def test_times_give_the_rate_by_the_clock(tmp_path):
    rows = [(n, 100 + 2.0 * n, 10.0 * n) for n in range(30)]
    found = judge_measured(read_csv(table(tmp_path / "a.csv", rows, "iteration,rss_mb,elapsed_s")))
    assert found.rate_mb_per_hour == pytest.approx(720, rel=0.01)


def test_missing_iterations_are_where_they_are(tmp_path):
    series = read_csv(table(tmp_path / "a.csv", [(1, 10), (2, 10), (5, 10)], "iteration,rss_mb"))
    assert (series.positions.tolist(), series.notes) == ([1, 2, 5], ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty; name the columns in the first line, such as iteration, rss_mb"),
        (
            "iteration;vsz\n1;2\n",
            "no column with the memory of a process, such as rss_mb, RSS or MEM USAGE (its",
        ),
        ("rss_mb\n", "no readings below the header"),
        ("iteration,rss_mb\n1,\n2,\n", "rss_mb has no reading: all 2 cells are empty"),
        ("iteration,rss_mb\n1,many\n", "row 1: rss_mb is 'many', not a finite number; so are 1 of 1"),
        ("iteration,rss_mb\n3,10\n5,11\n4,12\n", "row 3: iteration 4 comes after 5"),
        ("rss_mb\n10\n-1\n", "row 2: rss_mb is -1 MB, below zero"),
        ("rss_mb,held_mb\n10,2\n11,-1e300\n", "row 2: held_mb is -1e+300 MB, more than a process can have"),
        ("rss_mb\n10\n11\n12\n1e300\n", "row 4: rss_mb is 1e+300 MB, more than a process can have"),
    ],
)
def test_a_bad_csv_is_refused_with_its_place(text, said, tmp_path):
    with pytest.raises(ResultsError) as caught:
        read_csv(written(tmp_path / "bad.csv", text))
    assert str(caught.value).startswith(f"{tmp_path / 'bad.csv'}: {said}")


def test_a_derived_channel_may_be_below_zero(tmp_path):
    series = read_csv(written(tmp_path / "a.csv", "rss_mb,held_mb\n10,2\n11,-2560.9\n"))
    assert series.held.tolist() == [2, -2560.9]


def test_bytes_that_are_no_text_are_no_csv(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"rss_mb\n\x00\xfe\n")
    with pytest.raises(ResultsError, match=r"not a text \(byte 8 is 0\)"):
        read_csv(tmp_path / "a.csv")


# ---------------------------------------------------------------------- JSON


def found_in(*paths):
    return list(find_series(paths))


ENTRIES = [{"iteration": 1, "memory_mb": 10.5}, {"iteration": 2, "memory_mb": 11}]


@pytest.mark.parametrize(
    ("iterations", "series"),
    [
        (ENTRIES, {None: [10.5, 11]}),
        ([10.5, 11], {None: [10.5, 11]}),
        ({"recreate": ENTRIES, "restart": [7, 8]}, {"recreate": [10.5, 11], "restart": [7, 8]}),
        ({"recreate": {"memory_mb": [1, 2]}}, {"recreate": [1, 2]}),
        (
            [{**entry, "method": method} for entry in ENTRIES for method in ("a", "b")],
            {"a": [10.5, 11], "b": [10.5, 11]},
        ),
    ],
)
def test_plain_results_are_a_list_or_lists_per_method(iterations, series, tmp_path):
    path = written(tmp_path / "a.json", json.dumps({"summary": {}, "iterations": iterations}))
    assert {one.series: one.rss.tolist() for one in found_in(path)} == series


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "no iterations in it"),
        ("{}", "no iterations in it"),
        ('{"iterations": 3}', "$.iterations is int, not a list"),
        ('{"iterations": []}', "$.iterations holds no reading"),
        (
            '{"iterations": [{"memory_mb": 1}, {"rss": 2}]}',
            "$.iterations[1] has no memory_mb that is a number",
        ),
        ('{"iterations": [null]}', "that is a number (found null)"),
        ('{"iterations": [10, -1]}', "$.iterations[1]: memory_mb is -1, below zero"),
        ('{"iterations": [1e300]}', "$.iterations[0]: memory_mb is 1e+300, more than a process can have"),
        pytest.param(
            '{"iterations": [1%s]}' % ("0" * 400), "more than a process can have", id="a number of 401 digits"
        ),
        ('{"iterations": [true]}', "$.iterations[0] has no memory_mb"),
        ('{"iterations": {"a": 1}}', "$.iterations.a is not a list"),
        ('{"iterations": [], "tool": "orchestrator 0.1.0", "schema": 1}', "not a result file of ours"),
    ],
)
def test_bad_json_is_refused_with_its_place(text, said, tmp_path):
    [trouble] = found_in(written(tmp_path / "a.json", text))
    assert trouble.bad
    assert trouble.message.startswith(str(tmp_path / "a.json"))
    assert said in trouble.message


# ---------------------------------------------------------------------- ours


def our_results(*series, methods=("recreate", "recycle")):
    about = experiment(*methods)
    manifest = make_manifest(plan(about), run_id="20260101T000000.000000Z-0000", files=[], samples=[])
    return make_results(Judgements(about, series), manifest)


def test_a_baseline_that_dies_of_its_unload_is_read_before_it():
    whole = our_results(growing("recycle", 12), methods=("recycle",))
    for entry in whole.iterations:
        for channel in entry["steps"][0].values():
            if isinstance(channel, dict):
                channel.pop("after_unload", None)
    [series] = result_series(whole, "a.json")
    assert series.rss.size == 12


def test_ours_are_read_where_their_method_is_read():
    results = our_results(growing("recreate", 40, rate_mb=2.0), growing("recycle", 40))
    found = {each.series: judge_measured(each) for each in result_series(results, "a.json")}
    assert {key: one.verdict for key, one in found.items()} == {"recreate": "leak", "recycle": "flat"}
    assert found["recreate"].experiment == "exp2"
    told = results.summary["recreate"].judgement
    assert found["recreate"].rate_mb_per_iteration == pytest.approx(told.rate_mb_per_iteration, abs=1e-3)


def test_ours_that_crashed_keep_their_rate_and_say_so():
    end = ended(29, outcome="crashed", iteration=30, phase="unload", cause="SIGABRT")
    broken = msgspec.structs.replace(growing("recreate", 29, rate_mb=2.0), end=end)
    [series] = result_series(our_results(broken), "a.json")
    found = judge_measured(series)
    assert (found.verdict, found.settle) == ("crashed", [])
    assert found.reasons[0] == "crashed at iteration 30 in phase unload: SIGABRT"
    assert found.rate_mb_per_iteration == pytest.approx(2.0, rel=0.01)


def test_ours_that_never_ran_are_unavailable():
    end = ended(0, outcome="unavailable", cause="no model")
    [series] = result_series(our_results(records("recreate", [], end)), "a.json")
    found = judge_measured(series)
    assert (found.verdict, found.iterations) == ("unavailable", 0)
    assert found.reasons == ["unavailable: no model", "there is no reading"]


# ---------------------------------------------------------------------- folders


def test_a_folder_gives_its_series_and_passes_over_what_is_none(tmp_path):
    table(tmp_path / "b.csv", leak_rows(3))
    table(tmp_path / "a.csv", leak_rows(3))
    written(tmp_path / "truth.json", "{}")
    written(tmp_path / "notes.txt", "no series")
    found = found_in(tmp_path)
    assert [one.file for one in found[:2]] == [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    assert found[2:] == [
        Trouble(f"{tmp_path / 'notes.txt'}: passed over, it has no column of memory", bad=False),
        Trouble(f"{tmp_path / 'truth.json'}: passed over, it has no iterations", bad=False),
    ]


def test_an_empty_folder_and_a_missing_file_are_bad(tmp_path):
    assert [one.bad for one in found_in(tmp_path, tmp_path / "none.csv")] == [True, True]


# ---------------------------------------------------------------------- judging and words


def test_rss_alone_does_not_look_at_the_heap(tmp_path):
    series = read_csv(table(tmp_path / "a.csv", leak_rows()))
    alone, all_channels = judge_measured(series, "rss"), judge_measured(series)
    assert (alone.rate_channel, alone.heap_rate_mb_per_iteration) == ("rss_anon", None)
    assert alone.rate_mb_per_iteration == pytest.approx(3.0, rel=0.01)
    assert all_channels.heap_rate_mb_per_iteration == pytest.approx(1.0, rel=0.01)
    assert all_channels.rate_channel == "live"


def test_a_heap_of_zeros_is_a_replaced_allocator_not_a_heap_at_rest(tmp_path):
    rows = [(n, 200 + 3 * n, 150 + 3 * n, 0, 0) for n in range(1, 41)]
    found = judge_measured(read_csv(table(tmp_path / "a.csv", rows)))
    assert found.verdict == "leak"
    assert found.heap_rate_mb_per_iteration is None
    assert any("all zero" in reason for reason in found.reasons)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 40])
def test_a_finding_is_strict_json_however_short_the_series(count):
    found = judge_measured(MeasuredSeries(file="a", rss=np.arange(count, dtype=float) + 10))
    back = json.loads(msgspec.json.encode(found), parse_constant=pytest.fail)
    assert back["iterations"] == count
    assert back["verdict"] == ("leak" if count == 40 else "inconclusive")


def test_words_give_name_verdict_rates_and_reasons(tmp_path):
    found = judge_measured(read_csv(table(tmp_path / "a.csv", leak_rows())))
    lines = [line.text for line in finding_lines(found)]
    assert lines[:2] == [
        str(tmp_path / "a.csv"),
        "  leak: memory grows and is not given back",
    ]
    assert lines[2] == "  the live heap grows by 1.00 ± 0.00 MB per iteration, RSS by 3.00"
    assert lines[3] == "  made of: live heap 1.00, held but free 2.00 MB per iteration"
    assert lines[-1] == "  40 iterations; accepted: 0.100 MB per iteration"
    assert [line for line in lines[4:-1] if not line.startswith("  because: ")] == []


@pytest.mark.parametrize("pace", [0.8, 0.2])
def test_a_series_that_declines_is_said_to(pace, tmp_path):
    noise = np.random.default_rng(1).normal(0, 0.2, 60)
    rows = [(n, 400 - pace * n + noise[n]) for n in range(60)]
    lines = finding_lines(judge_measured(read_csv(table(tmp_path / "a.csv", rows, "iteration,rss_mb"))))
    assert lines[1].text.endswith("no leak (bounded): it declines")
    assert not any("up and down" in line.text or "came to rest" in line.text for line in lines)


def test_descriptors_and_threads_of_a_file_are_judged(tmp_path):
    rows = [(n, 200, 10 + n, 4 + min(n, 3)) for n in range(1, 41)]
    found = judge_measured(read_csv(table(tmp_path / "a.csv", rows, "iteration,rss_mb,descriptors,threads")))
    assert (found.verdict, found.descriptors.verdict, found.descriptors.rate_per_iteration) == (
        "flat",
        "leak",
        1,
    )
    assert (found.threads.verdict, found.threads.first, found.threads.last) == ("plateau", 5, 7)
    told = "  descriptors: leak, 1.00 ± 0.00 per iteration (11 at first, 50 at last)"
    assert told in [line.text for line in finding_lines(found)]


@pytest.mark.parametrize("count", ["-1", "1.5"])
def test_what_is_not_a_count_is_refused_with_its_row(tmp_path, count):
    with pytest.raises(ResultsError, match=f"row 2: threads is {count}, not a count"):
        read_csv(table(tmp_path / "a.csv", [(10, 3), (10, count)], "rss_mb,threads"))


def test_a_method_of_a_result_file_is_held_against_its_baseline():
    both = growing("recreate", 20, rate_mb=2.0), growing("recycle", 20, 80.0)
    read = result_series(our_results(*both), "exp2.json")
    first, second = (judge_measured(each) for each in read)
    held = first.against_baseline
    assert (held.series, held.boundary, held.iterations) == ("recycle", "after_unload", 20)
    assert held.channels["rss"].beyond_mb_per_iteration == pytest.approx(2.0)
    assert (held.level.life, held.level.above_mb) == (1, pytest.approx(58.0))
    assert second.against_baseline is None
    assert "  RSS stands 58 MB above a fresh process after 20 iterations" in [
        line.text for line in finding_lines(first)
    ]


# ---------------------------------------------------------------------- recording


class Scene:
    """A process and a clock that move only when they are waited for."""

    def __init__(self, lives_s=1e9, read_s=0.0):
        self.now = 0.0
        self.lives_s = lives_s
        self.read_s = read_s

    def clock(self):
        return self.now

    def read(self):
        if self.now >= self.lives_s:
            return None
        self.now += self.read_s
        return Memory(rss=int((100 + self.now) * 2**20), rss_anon=50 * 2**20, swap=0, threads=3)

    def wait(self, seconds):
        self.now = min(self.now + seconds, self.lives_s)
        return self.now >= self.lives_s


def test_readings_keep_to_the_clock_until_the_time_is_over():
    scene, recording = Scene(read_s=1.0), Recording("process 1")
    assert record(scene.read, scene.wait, scene.clock, recording, every_s=10, for_s=30) == "30 s are over"
    assert len(recording) == 4
    assert recording.series().interval_s == pytest.approx(10.0)


def test_a_process_that_ends_ends_its_recording():
    scene, recording = Scene(lives_s=25), Recording("process 1")
    assert record(scene.read, scene.wait, scene.clock, recording, every_s=10) == "the process ended"
    assert len(recording) == 3


def test_a_recording_reads_back_as_it_was(tmp_path):
    path = tmp_path / "w.csv"
    scene = Scene()
    with path.open("w") as file:
        recording = Recording(str(path), file)
        record(scene.read, scene.wait, scene.clock, recording, every_s=10, for_s=300)
        kept, back = recording.series(), read_csv(path)
    assert np.array_equal(back.rss, kept.rss)
    assert np.array_equal(back.rss_anon, kept.rss_anon)
    assert np.array_equal(back.swap, kept.swap)
    assert back.interval_s == kept.interval_s
    assert judge_measured(back).rate_mb_per_hour == pytest.approx(3600)
