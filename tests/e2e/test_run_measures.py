"""The five shapes of experiments on the synthetic engine: what is found is what was put in."""

import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab import END_S, PATIENCE_S, TEXT, Lab, align, asr, experiment, read_json, synthetic, wait_until

from orchestrator.experiments.results.results_file import RESULTS_SCHEMA
from orchestrator.experiments.storage.records import IterationRecord, SeriesEnd
from orchestrator.process.sampling.samples import read_samples

PER_JOB_MB, PER_LOAD_MB = 0.25, 0.5
PEAK_MB = 24
ITERATIONS = 6
FIRST_TOKEN_MS, TOKEN_MS, TOKENS = 30.0, 10.0, 4
LEAK = {"leak_kib_per_job": PER_JOB_MB * 1024, "leak_kib_per_load": PER_LOAD_MB * 1024}
PACE = {"first_token_ms": FIRST_TOKEN_MS, "token_ms": TOKEN_MS, "tokens": TOKENS}
MODELS = {
    "small": synthetic(**LEAK, **PACE, peak_kib=PEAK_MB * 1024, peak_ms=30) | {"label": "0.6B"},
    "steady": synthetic(**LEAK) | {"engine": "synthetic-restart"},
    "large": synthetic(base_kib=8 * 1024, load_ms=60) | {"label": "1.7B"},
    "aligner": synthetic(leak_kib_per_job=PER_JOB_MB * 1024) | {"label": "Aligner"},
}
FIVE = [
    experiment("exp1", "recreate", "recycle", title="Benchmark", output="asr_results.json"),
    experiment("exp2", "recreate", "restart", "reuse", "recycle", steps=[asr("steady")], output="two.json"),
    experiment("exp3", "recreate", "recycle", steps=[asr(), asr("large")], output="three.json"),
    experiment("exp4", "recreate", "restart", "recycle", steps=[align()], output="four.json"),
    experiment("exp5", "recreate", "recycle", steps=[asr(), align(text="previous")], output="five.json"),
]


def settled(results: dict[str, Any], method: str, channel: str, boundary: str) -> list[float]:
    """Return a channel by iteration, at the last step, without the first iteration: imports cost there."""
    mine = [each for each in results["iterations"] if each["method"] == method]
    assert [each["iteration"] for each in mine] == list(range(1, ITERATIONS + 1))
    return [each["steps"][-1][channel][boundary] for each in mine][1:]


def per_iteration(values: list[float]) -> float:
    return (values[-1] - values[0]) / (len(values) - 1)


def test_five_experiments_give_five_files_with_the_truth_in_them(lab: Lab) -> None:
    lab.write(*FIVE, models=MODELS)
    done = lab.run("run", "--iterations", str(ITERATIONS))
    assert done.code == 0, done.err
    assert "Warning" not in done.err
    files = {each["name"]: read_json(lab.results / each["output"]) for each in FIVE}
    for each in FIVE:
        check_form(files[each["name"]], each)
    check_leak(files["exp2"])
    check_benchmark(files["exp1"])
    check_chain(files["exp5"])
    assert files["exp4"]["summary"]["restart"]["reset"] == "none"
    assert files["exp2"]["summary"]["restart"]["reset"] == "restart"
    check_tables(done.out)
    assert done.log[0] == "lab: the only profile"
    assert re.search(r"Iteration 1/6, memory \d", done.err)
    check_raw(lab)


def check_form(results: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert results["schema"] == RESULTS_SCHEMA
    assert results["profile"] == "lab"
    assert results["config"]["profile_reason"] == "lab: the only profile"
    assert results["config"]["iterations"] == ITERATIONS
    assert results["config"]["heap_source"]
    assert list(results["summary"]) == wanted["methods"]
    assert {each["outcome"] for each in results["summary"].values()} == {"completed"}
    assert len(results["iterations"]) == ITERATIONS * len(wanted["methods"])
    for each in results["iterations"]:
        assert each["memory_mb"] > 5
        assert each["peak_mb"] >= each["memory_mb"] - 0.5
        assert len(each["steps"]) == len(wanted["steps"])
        assert each["text"] == TEXT


def check_leak(results: dict[str, Any]) -> None:
    """Per load and per job under recreate, per job where the model stays, nothing in fresh processes."""
    truth = {
        ("recreate", "after_unload"): PER_JOB_MB + PER_LOAD_MB,
        ("restart", "after_infer"): PER_JOB_MB,
        ("reuse", "after_infer"): PER_JOB_MB,
        ("recycle", "after_unload"): 0.0,
        ("recycle", "after_infer"): 0.0,
    }
    for (method, boundary), rate_mb in truth.items():
        live = per_iteration(settled(results, method, "heap_live_mb", boundary))
        assert live == pytest.approx(rate_mb, rel=0.03, abs=0.02), (method, boundary)
        anonymous = per_iteration(settled(results, method, "rss_anon_mb", boundary))
        assert anonymous == pytest.approx(rate_mb, rel=0.05, abs=0.05), (method, boundary)
    for method, boundary in list(truth)[:4]:
        found = results["summary"][method]["leak_rate"]
        assert found["boundary"] == boundary
        assert found["rate_mb_per_iteration"] == pytest.approx(truth[method, boundary], rel=0.05, abs=0.05)
    generations = [
        each["steps"][0]["generation"] for each in results["iterations"] if each["method"] == "recycle"
    ]
    assert generations == list(range(1, ITERATIONS + 1))
    assert {
        each["steps"][0]["generation"] for each in results["iterations"] if each["method"] == "reuse"
    } == {1}


def check_benchmark(results: dict[str, Any]) -> None:
    """Time to first token and speed have bounds that no load of the machine can move; the peak is seen."""
    after_first = len(TEXT) - len(TEXT) // TOKENS
    last_token_ms = FIRST_TOKEN_MS + (TOKENS - 1) * TOKEN_MS
    for summary in results["summary"].values():
        assert summary["avg_ttft_ms"] >= FIRST_TOKEN_MS
        assert summary["avg_speed_chars_per_s"] > 0
        assert summary["avg_wer_percent"] == 0
        assert summary["peak_source"] == "VmHWM"
    for each in results["iterations"]:
        # A late first token leaves less time for the others; but the last one is never early.
        assert each["ttft_ms"] + 1000 * after_first / each["speed_chars_per_s"] >= last_token_ms * 0.95
        before_mb = each["steps"][0]["rss_mb"]["after_load"]
        assert each["peak_mb"] - before_mb >= PEAK_MB - 0.5
        assert each["peak_mb"] - each["memory_mb"] >= PEAK_MB - 2


def check_chain(results: dict[str, Any]) -> None:
    """The aligner was given what the step before had heard, and the first step's memory is gone by then."""
    for each in results["iterations"]:
        heard, aligned = each["steps"]
        assert [word["text"] for word in aligned["words"]] == TEXT.split()
        assert aligned["wer_percent"] is None
        assert heard["text"] == TEXT
    models = results["summary"]["recreate"]["models"]
    assert models["small"]["avg_net_overhead_mb"] == pytest.approx(PER_JOB_MB + PER_LOAD_MB, abs=0.4)


def check_tables(out: str) -> None:
    for words in (
        "Benchmark (exp1)", "Destroy+Recreate", "Restart()", "Recycle (baseline)", "0.6B Model", "1.7B Model",
        "Growth Rate (MB/iter)", "Leak rate (MB/iter, 95 %)", "Avg Net Leak per Switch (MB)", "Load Overhead",
        "Restart() (no reset)", "Ground Truth: one two three four", "Results saved to",
    ):  # fmt: skip
        assert words in out
    assert out.count("Results saved to") == len(FIVE)
    assert "Iteration 1/6" not in out


def check_raw(lab: Lab) -> None:
    manifest = lab.manifest()
    assert manifest.state == "finished"
    assert manifest.heap
    assert {"kernel", "cores", "libc", "python"} <= set(manifest.host)
    assert manifest.packages["msgspec"]
    files = {Path(each.path).name: each.sha256 for each in manifest.files}
    assert files.keys() == {"experiments.toml", "tone.wav", "tone.txt"}
    assert files["tone.wav"] == manifest.samples[0].sha256
    assert [sample.state for sample in manifest.samples] == ["user's own"]
    series = [each["methods"] for each in FIVE]
    entries = lab.entries()
    assert sum(isinstance(each, IterationRecord) for each in entries) == ITERATIONS * sum(map(len, series))
    records, names = read_samples(lab.run_folder)
    assert isinstance(records, np.memmap)
    assert names.experiments == [each["name"] for each in FIVE]
    assert set(records["iteration"]) <= set(range(1, ITERATIONS + 1))
    assert {"load", "infer"} <= {names.phases[code] for code in set(records["phase"])}
    recycled = records[records["series"] == names.series.index("recycle")]
    assert (recycled["generation"] == recycled["iteration"]).all()
    assert (records["rss"] > 1024**2).all()
    assert (np.diff(records["time_ns"]) >= 0).all()


def test_json_alone_is_on_stdout(lab: Lab) -> None:
    lab.write(experiment("a", "recreate", "recycle"), experiment("b", "reuse"))
    done = lab.run("run", "--json")
    assert done.code == 0, done.err
    first, second = (json.loads(line) for line in done.out.splitlines())
    assert (first["experiment"], second["experiment"]) == ("a", "b")
    assert list(first["summary"]) == ["recreate", "recycle"]
    assert first["output"] == str(lab.results / "a_results.json")
    assert "Destroy+Recreate" in done.err


def test_quiet_prints_tables_and_no_progress(lab: Lab) -> None:
    lab.write(experiment("a"))
    done = lab.run("run", "-q")
    assert (done.code, done.err) == (0, "")
    assert "Destroy+Recreate" in done.out


def test_verbose_tells_each_iteration_as_the_seeds_do(lab: Lab) -> None:
    models = {"small": synthetic(tokens=3) | {"label": "0.6B"}, "large": synthetic(), "aligner": synthetic()}
    switch = experiment("switch", steps=[asr(), asr("large")])
    chain = experiment("chain", steps=[asr(), align(text="previous")])
    lab.write(switch, chain, experiment("single"), models=models)
    done = lab.run("run", "-v")
    assert done.code == 0, done.err
    for pattern in (
        r"^\[0\.6B\] Memory: [\d.]+ → [\d.]+ \(load\) → [\d.]+ \(infer\) → [\d.]+ \(unload\)$",
        r"^\[Summary\] Memory: [\d.]+ → [\d.]+ MB \(delta: [+-][\d.]+ MB\)$",
        r"^--- Iteration 3/3 ---$",
        r"^Iteration 2/3$",
        rf"^\[ASR\] Transcript: {TEXT}$",
        rf"^Result: {TEXT}$",
        r"^TTFT: [\d.]+ ms, Speed: .*WER: 0\.00%, Memory: [\d.]+ MB$",
    ):
        assert re.search(pattern, done.err, re.MULTILINE), pattern
    assert "Iteration" not in done.out.replace("Iterations", "")


@pytest.mark.parametrize("flags", [(), ("-v",), ("--json",)])
def test_a_terminal_gets_a_bar_and_the_same_tables(lab: Lab, flags: tuple[str, ...]) -> None:
    lab.write(experiment("a", "recreate", "recycle"), models={"small": synthetic(tokens=3, token_ms=30)})
    ours, theirs = pty.openpty()
    environment = lab.environment({"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"})
    child = subprocess.Popen(
        lab.command("run", *flags),
        cwd=lab.folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 1 << 16):
            shown += chunk
    except OSError:  # a terminal whose other side has gone
        pass
    finally:
        os.close(ours)
    assert child.wait(PATIENCE_S) == 0, shown.decode()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "Traceback" not in text
    assert "Growth Rate (MB/iter)" in text
    assert "\x1b[?25h" in shown.decode(), "the cursor is back"


def test_a_terminal_that_goes_away_leaves_a_run_to_go_on_with(lab: Lab) -> None:
    lab.write(experiment("a", iterations=4000), models={"small": synthetic(job_ms=20)})
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        lab.command("run"), cwd=lab.folder, env=lab.environment(), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    wait_until(lambda: lab.raw_lines() >= 2)
    os.close(ours)
    wait_until(lambda: lab.raw_lines() >= 4 or child.poll() is not None)
    child.send_signal(signal.SIGHUP)
    assert child.wait(END_S) == 130
    assert lab.manifest().state == "interrupted"
    assert [each.outcome for each in lab.entries() if isinstance(each, SeriesEnd)] == ["interrupted"]


def test_a_full_disk_under_the_output_is_no_full_disk_under_the_results(lab: Lab) -> None:
    lab.write(experiment("a"))
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            lab.command("run"), cwd=lab.folder, env=lab.environment(), stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 2
    told = done.stderr.decode()
    assert "Traceback" not in told
    assert (
        told.splitlines()[-1] == "stopped: the output cannot be written, its disk is full; --resume goes on"
    )
    assert lab.run("run", "--resume", "-q").code == 0


def test_an_output_without_our_characters_gets_question_marks(lab: Lab) -> None:
    (lab.folder / "tone.txt").write_text("零九 – ✓")
    lab.write(experiment("a", "recreate", "recycle"))
    for flags in (["-v"], ["--dry-run"], ["--json"]):
        done = lab.run("run", *flags, env={"PYTHONIOENCODING": "ascii"})
        assert done.code == 0, done.err
        assert "??" in done.out + done.err


def test_a_reader_who_leaves_loses_nothing_but_the_tables(lab: Lab) -> None:
    lab.write(experiment("a"), experiment("b"))
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        lab.command("run"),
        cwd=lab.folder,
        env=lab.environment(),
        stdout=write_end,
        stderr=subprocess.PIPE,
        timeout=PATIENCE_S,
    )
    os.close(write_end)
    assert done.returncode == 130
    assert (
        done.stderr.decode().splitlines()[-1]
        == "stopped: the reader of the output has closed it; --resume goes on"
    )
    assert lab.manifest().state == "interrupted"
    assert lab.run("run", "--resume", "-q").code == 0
    assert lab.result("b")["summary"]["recreate"]["iterations"] == 3
