"""analyze, compare, watch and the gate, as commands: what they print, write and end with."""

import json
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from lab import PATIENCE_S, Lab, experiment, read_json, synthetic, wait_until

LEAK = {"small": synthetic(leak_kib_per_job=4096)}
CLEAN = {"small": synthetic()}


def measure(lab: Lab, models, *flags, name="a", iterations=12, results="results"):
    lab.write(experiment(name, "reuse", iterations=iterations), models=models)
    return lab.run("run", lab.file, "--quiet", "--results", lab.folder / results, *flags)


def series_csv(path: Path, values) -> Path:
    rows = [f"{i},{value:.4f}" for i, value in enumerate(values, 1)]
    path.write_text("\n".join(["iteration,rss_mb", *rows, ""]))
    return path


def test_a_leak_breaks_the_gate_and_its_twin_passes(lab: Lab) -> None:
    junit = lab.folder / "gate.xml"
    leaking = measure(lab, LEAK, "--gate", "leak", "--junit", junit)
    assert leaking.code == 1, leaking.err
    assert "gate: broken: 1 of 1 series broken" in leaking.err
    assert "a/reuse: broken: leak:" in leaking.err
    assert "Verdict" in leaking.out
    assert "Reuse: leak: " in leaking.out
    assert ET.parse(junit).getroot().get("failures") == "1"
    assert lab.result("a")["summary"]["reuse"]["judgement"]["verdict"] == "leak"
    clean = measure(lab, CLEAN, "--gate", "leak", "--junit", junit)
    assert clean.code == 0, clean.err
    assert ET.parse(junit).getroot().get("failures") == "0"


def test_a_method_is_held_against_fresh_processes_everywhere(lab: Lab) -> None:
    """The same numbers in table, words, result file, JSON and analyze, each at the method's own boundary."""
    lab.write(experiment("a", "restart", "recycle", iterations=12), models=LEAK)
    done = lab.run("run", lab.file, "--json")
    assert done.code == 0, done.err
    held = lab.result("a")["summary"]["restart"]["judgement"]["against_baseline"]
    assert (held["series"], held["boundary"], held["iterations"]) == ("recycle", "after_infer", 12)
    beyond = held["channels"]["rss"]
    assert beyond["beyond_ci_low"] <= beyond["beyond_mb_per_iteration"] <= beyond["beyond_ci_high"]
    assert beyond["beyond_mb_per_iteration"] == pytest.approx(4.0, abs=0.5)
    assert held["level"]["above_mb"] == pytest.approx(44.0, abs=4.0)
    assert json.loads(done.out)["summary"]["restart"]["judgement"]["against_baseline"]["level"]["life"] == 1
    assert "Beyond baseline (MB/iter)" in done.err
    assert "beyond fresh processes: the live heap" not in done.err
    told = lab.run("run", "-v", "--results", "again")
    assert "    beyond fresh processes: the live heap 4.00 ± " in told.out
    analyzed = [
        json.loads(line) for line in lab.run("analyze", "--json", lab.results / "runs").out.splitlines()
    ]
    again = next(one for one in analyzed if one["series"] == "restart")["against_baseline"]
    assert again["level"]["above_mb"] == pytest.approx(held["level"]["above_mb"], abs=0.001)
    assert again["channels"]["rss"] == pytest.approx(beyond, abs=0.001)


def test_open_descriptors_are_told_always_and_break_a_gate_that_asks_for_them(lab: Lab) -> None:
    junit = lab.folder / "gate.xml"
    leaky = {"small": synthetic(leak_fds_per_job=1)}
    lab.write(experiment("a", "reuse", iterations=12), models=leaky)
    memory_only = lab.run("run", lab.file, "--quiet", "--gate", "leak")
    assert memory_only.code == 0, memory_only.err
    assert "Reuse: descriptors: leak, 1.00 ± " in memory_only.out
    lab.write(experiment("a", "reuse", iterations=12), models=leaky, gate={"descriptors": True})
    gated = lab.run("run", lab.file, "--quiet", "--junit", junit)
    assert gated.code == 1, gated.err
    assert "a/reuse: broken: descriptors: leak" in gated.err
    failure = ET.parse(junit).getroot().find(".//failure")
    assert failure is not None
    assert failure.get("type") == "descriptors"


def test_a_table_gates_without_a_flag_and_too_few_iterations_leave_it_open(lab: Lab) -> None:
    lab.write(experiment("a", "reuse", iterations=4), models=CLEAN, gate={"methods": ["reuse"]})
    assert lab.run("run", lab.file, "--quiet").code == 4
    assert lab.run("run", lab.file, "--quiet", "--gate", "off").code == 0


def test_a_wrong_gate_is_refused_before_anything_runs(lab: Lab) -> None:
    lab.write(experiment("a"), gate={"methods": ["reuze"], "max_rate": 1})
    refused = lab.run("run", lab.file)
    assert refused.code == 2
    assert "$.gate.methods[0]" in refused.err
    assert "$.gate.max_rate" in refused.err
    assert not lab.results.exists()


def test_a_junit_file_without_a_folder_is_refused_before_anything_runs(lab: Lab) -> None:
    lab.write(experiment("a"))
    assert lab.run("run", lab.file, "--junit", lab.folder / "nowhere" / "gate.xml").code == 2
    assert not lab.results.exists()


def test_analyze_says_of_a_run_and_of_its_result_file_what_the_run_said(lab: Lab) -> None:
    measure(lab, LEAK)
    judged = lab.result("a")["summary"]["reuse"]["judgement"]
    done = lab.run("analyze", "--json", lab.run_folder, lab.results / "a_results.json", lab.results)
    assert done.code == 0, done.err
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [Path(one["file"]).name for one in found] == [
        "iterations.jsonl",
        "a_results.json",
        "a_results.json",
    ]
    for one in found:
        assert (one["series"], one["experiment"], one["verdict"]) == ("reuse", "a", "leak")
        assert one["rate_mb_per_iteration"] == pytest.approx(judged["rate_mb_per_iteration"], abs=1e-3)


def test_analyze_judges_the_good_files_beside_bad_ones(lab: Lab) -> None:
    good = series_csv(lab.folder / "good.csv", [100 + 2 * i for i in range(40)])
    bad = lab.folder / "bad.csv"
    bad.write_text("iteration,words\n1,many\n2,few\n")
    done = lab.run("analyze", bad, good, lab.folder / "none.csv", "--json")
    assert done.code == 2
    [line] = done.out.splitlines()
    assert json.loads(line)["file"] == str(good)
    assert f"{bad}: no column with the memory of a process" in done.err
    assert "(its columns: iteration, words)" in done.err
    assert "none.csv: no such file" in done.err


def test_analyze_in_words(lab: Lab) -> None:
    good = series_csv(lab.folder / "good.csv", [100 + 2 * i for i in range(40)])
    done = lab.run("analyze", good, "--channels", "rss")
    assert done.code == 0
    assert "leak: memory grows and is not given back" in done.out
    assert "  RSS grows by 2.00 ± 0.00 MB per iteration" in done.out


def test_compare_shows_what_became_worse_and_refuses_another_model(lab: Lab) -> None:
    measure(lab, CLEAN, results="before")
    measure(lab, LEAK, results="after")
    before, after = lab.folder / "before", lab.folder / "after"
    done = lab.run("compare", before, after / "a_results.json", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    growth = next(row for row in found["rows"] if row["metric"] == "growth")
    assert growth["change"] == "worse"
    assert growth["difference"] == pytest.approx(4.0, abs=0.5)
    assert any("options" in warning for warning in found["warnings"])
    text = lab.run("compare", before, after)
    assert re.search(
        r"^a  reuse: no leak \((flat|plateau|bounded)\) before, leak now$", text.out, re.MULTILINE
    )
    assert "warning: a: step 1: model options: " in text.err

    document = read_json(after / "a_results.json")
    document["config"]["steps"][0]["model"]["file"] = "other.bin"
    other = lab.folder / "other.json"
    other.write_text(json.dumps(document))
    refused = lab.run("compare", before, other)
    assert refused.code == 2
    assert "a: step 1: model file: not set in the first, other.bin in the second" in refused.err


def test_watch_records_until_the_process_ends_and_analyze_reads_it(lab: Lab) -> None:
    recording = lab.folder / "watched.csv"
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        done = lab.run(
            "watch", str(child.pid), "--every", "0.02", "--for", "0.5", "--out", recording, "--json"
        )
        again = lab.run("watch", str(child.pid), "--for", "0.1", "--out", recording)
    finally:
        child.communicate(b"\n")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert said["iterations"] == len(recording.read_text().splitlines()) - 1
    assert said["rate_mb_per_hour"] is not None
    analyzed = json.loads(lab.run("analyze", recording, "--json").out)
    assert (analyzed["verdict"], analyzed["iterations"]) == (said["verdict"], said["iterations"])
    assert again.code == 2
    assert "is there already" in again.err
    assert lab.run("watch", str(child.pid)).err.startswith("orchestrator: there is no process")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_watch_that_is_stopped_says_its_verdict(lab: Lab, stop: signal.Signals) -> None:
    recording = lab.folder / "watched.csv"
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    watching = lab.start("watch", str(child.pid), "--every", "0.02", "--out", recording)
    try:
        wait_until(lambda: recording.exists() and recording.read_bytes().count(b"\n") > 12, what="readings")
        watching.send_signal(stop)
        assert watching.wait(PATIENCE_S) == 0
    finally:
        watching.kill()
        child.communicate(b"\n")
    assert "MB per hour" in (lab.folder / "out.txt").read_text()
    assert (lab.folder / "err.txt").read_text().startswith("stopped; ")
