"""``orchestrator batch`` as a user runs it, killed at random points, with inputs that fail and that kill workers."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import sqlite3
import time
import wave
from pathlib import Path
from typing import Any

import pytest
from lab import PATIENCE_S, Finished, Lab, experiment, synthetic, wait_until

FILES = 220
KILLS = 20
SEED = 20261121
WORKERS = 2
MOST_BETWEEN_KILLS = 5
"""Recordings that a worker does between two kills: with 20 kills and 2 workers, some of the 220 are always left."""
KILLED = ["batch", "in", "--out", "out", "--profile", "lab", "--workers", str(WORKERS), "-q"]


def recordings(folder: Path, count: int) -> list[Path]:
    """Write recordings of a few milliseconds, each with bytes of its own."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number:03}.wav" for number in range(count)]
    for number, path in enumerate(paths):
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(number.to_bytes(2, "little") * 800)
    return paths


def expected(path: Path) -> str:
    return f"heard {hashlib.sha256(path.read_bytes()).hexdigest()[:8]}\n"


def models(**options: Any) -> dict[str, Any]:
    return {
        "asr-small": synthetic(**{"text": "heard {digest}", **options}),
        "aligner": {"engine": "synthetic"},
    }


def batch(lab: Lab, *arguments: str) -> Finished:
    return lab.run("batch", "in", "--out", "out", "--profile", "lab", "--workers", "1", *arguments)


def write_models(lab: Lab, **options: Any) -> None:
    """Write an experiments.toml whose recognizer has these options."""
    steps = [{"task": "asr", "model": "asr-small", "sample": "tone"}]
    lab.write(experiment("any", steps=steps), models=models(**options))


@pytest.fixture
def prepared(lab: Lab) -> Lab:
    write_models(lab)
    return lab


def outputs(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix == ".txt"
    }


@pytest.mark.timeout(900)
def test_killed_twenty_times_the_outputs_are_those_of_an_undisturbed_run(lab: Lab) -> None:
    """However fast the machine, a kill meets work: before it each worker does a few recordings and stops in one."""
    paths = recordings(lab.folder / "in", FILES)
    chance = random.Random(SEED)
    written: dict[str, int] = {}
    while_at_work = 0
    for _ in range(KILLS):
        each_does = chance.randint(0, MOST_BETWEEN_KILLS)
        write_models(lab, faults=[{"how": "hang", "job": each_does + 1}])
        more = chance.randint(0, WORKERS * each_does)
        process = lab.start(*KILLED)
        target = len(written) + more
        wait_until(
            lambda target=target, process=process: (
                len(outputs_so_far(lab)) >= target or process.poll() is not None
            ),
            what=f"{target} outputs",
        )
        time.sleep(chance.uniform(0, 0.02 if more else 0.3))  # only draws the moment: nothing depends on it
        process.kill()
        assert process.wait(PATIENCE_S) == -signal.SIGKILL, (lab.folder / "err.txt").read_text()
        while_at_work += more > 0
        for path in outputs_so_far(lab):
            stamp = path.stat().st_mtime_ns
            assert written.setdefault(path.name, stamp) == stamp, f"{path.name} was written again"
    write_models(lab)
    done = lab.run(*KILLED)
    assert done.code == 0, done.err
    assert outputs(lab.folder / "out") == {f"{path.stem}.txt": expected(path).encode() for path in paths}
    assert {name: (lab.folder / "out" / name).stat().st_mtime_ns for name in written} == written, (
        "written again"
    )
    assert not [path for path in (lab.folder / "out").iterdir() if path.name.endswith(".tmp")]
    assert done.log[-1] == f"{FILES} of {FILES} done"
    with sqlite3.connect(lab.folder / "out/batch.sqlite") as connection:
        ((interrupted,),) = connection.execute("select count(*) from attempts where outcome = 'interrupted'")
    connection.close()
    assert interrupted >= while_at_work, "the kills met no work"


def outputs_so_far(lab: Lab) -> list[Path]:
    return list((lab.folder / "out").glob("[0-9]*.txt"))


def test_the_same_command_again_does_nothing_and_says_so(prepared: Lab) -> None:
    recordings(prepared.folder / "in", 3)
    first, second = batch(prepared), batch(prepared)
    assert (first.code, second.code) == (0, 0)
    assert second.log == ["3 recordings: 0 new, 3 done before", "3 of 3 done"]


def test_a_changed_input_and_a_lost_output_are_done_again(prepared: Lab) -> None:
    paths = recordings(prepared.folder / "in", 3)
    batch(prepared)
    paths[0].write_bytes(recordings(prepared.folder / "other", 9)[8].read_bytes())
    (prepared.folder / "out/001.txt").unlink()
    kept = (prepared.folder / "out/002.txt").stat().st_mtime_ns
    done = batch(prepared, "-q")
    assert done.log[0] == "3 recordings: 0 new, 1 done before, 1 changed, 1 whose output is gone"
    assert (prepared.folder / "out/000.txt").read_text() == expected(paths[0])
    assert (prepared.folder / "out/001.txt").read_text() == expected(paths[1])
    assert (prepared.folder / "out/002.txt").stat().st_mtime_ns == kept


def test_bad_inputs_are_listed_with_their_reason_and_tried_again_when_asked(prepared: Lab) -> None:
    paths = recordings(prepared.folder / "in", 3)
    good = paths[1].read_bytes()
    paths[1].write_text("this is text")
    done = batch(prepared, "--json")
    assert done.code == 1
    assert "failed after 1 attempt: " in done.err
    assert "001.wav: is text, not audio" in done.err
    states = [json.loads(line)["state"] for line in done.out.splitlines()]
    assert states == ["done", "failed", "done"]
    assert "2 of 3 done, 1 failed, 0 poisoned" in done.log[-1]
    paths[1].write_bytes(good)  # noticed by itself: the input has changed
    assert batch(prepared).code == 0


def test_a_recording_that_kills_every_worker_is_set_aside(lab: Lab) -> None:
    faults = [{"when": "run", "how": "segfault"}]
    write_models(lab, faults=faults)
    recordings(lab.folder / "in", 1)
    done = batch(lab, "--max-attempts", "2", "-q")
    assert done.code == 1
    assert "poisoned after 2 attempts" in done.err
    assert "SIGSEGV" in done.err
    write_models(lab)
    assert batch(lab, "-q").code == 1
    assert batch(lab, "-q", "--retry-failed").code == 0


def test_two_batches_on_one_journal_are_refused(prepared: Lab) -> None:
    recordings(prepared.folder / "in", 1)
    write_models(prepared, job_ms=60_000)
    first = prepared.start("batch", "in", "--out", "out", "--profile", "lab")
    wait_until(prepared.workers, what="a worker")
    second = batch(prepared)
    assert second.code == 5
    assert f"pid {first.pid}" in second.err
    assert "--out DIR" in second.err
    first.send_signal(signal.SIGTERM)
    assert first.wait(20) == 130
    assert "the same command does the rest" in (prepared.folder / "err.txt").read_text()


def test_other_settings_do_not_mix_with_the_outputs_there_are(prepared: Lab) -> None:
    recordings(prepared.folder / "in", 1)
    assert batch(prepared).code == 0
    refused = batch(prepared, "--format", "srt")
    assert refused.code == 2
    assert "formats: was 'txt', is 'srt'" in refused.err
    assert batch(prepared, "--format", "srt", "--redo").code == 0
    assert (prepared.folder / "out/000.srt").is_file()


def test_a_manifest_gives_text_to_align_and_names_to_write(prepared: Lab) -> None:
    recordings(prepared.folder / "in", 1)
    manifest = prepared.folder / "m.jsonl"
    manifest.write_text('{"audio": "in/000.wav", "output": "talks/one", "text": "two words"}\n')
    done = prepared.run(
        "batch", "--manifest", "m.jsonl", "--out", "out", "--profile", "lab", "--format", "json"
    )
    assert done.code == 0, done.err
    document = json.loads((prepared.folder / "out/talks/one.json").read_text())
    assert [word["text"] for word in document["words"]] == ["two", "words"]
    assert document["source"] == "000.wav"


def test_outputs_hold_no_times_and_the_journal_does(prepared: Lab) -> None:
    recordings(prepared.folder / "in", 1)
    batch(prepared, "--format", "json")
    document = (prepared.folder / "out/000.json").read_text()
    assert str(prepared.folder) not in document
    with sqlite3.connect(prepared.folder / "out/batch.sqlite") as connection:
        ((outcome, started, ended),) = connection.execute("select outcome, started, ended from attempts")
    connection.close()
    assert outcome == "done"
    assert started <= ended


def test_nothing_to_do_is_a_usage_error(prepared: Lab) -> None:
    (prepared.folder / "in").mkdir()
    done = batch(prepared)
    assert done.code == 2
    assert "no recordings in this folder" in done.err
