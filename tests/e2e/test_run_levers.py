"""Runs that end early because a verdict is settled, and variants of the environment, on engines that are known."""

import json
from pathlib import Path

import pytest
from lab import PATIENCE_S, Lab, experiment, synthetic, wait_until

LEAKING = {"small": synthetic(leak_kib_per_job=512)}
PLANNED = 50
STOPPING = experiment(
    "a", "recreate", "reuse", "recycle", iterations=PLANNED, stop="settled", recycle_after=8
)


def test_methods_end_when_their_verdict_is_settled(lab: Lab) -> None:
    lab.write(STOPPING, models=LEAKING)
    done = lab.run("run", "--json")
    assert done.code == 0, done.err
    summary = lab.result("a")["summary"]
    assert json.loads(done.out)["summary"]["reuse"]["settled_as"] == "leak"
    found = {
        key: (each["stopped"], each["settled_as"], each["iterations"], each["iterations_saved"])
        for key, each in summary.items()
    }
    assert found["recreate"] == found["reuse"] == ("settled", "leak", 30, 20)
    stopped, answer, done_in_baseline, saved = found["recycle"]
    assert (stopped, answer, done_in_baseline + saved) == ("settled", "clean", 50)
    assert done_in_baseline >= 24
    assert lab.result("a")["config"]["stop"] == "settled"
    assert lab.manifest().iterations_saved == {"a": {"recreate": 20, "reuse": 20, "recycle": saved}}
    assert lab.manifest().state == "finished"
    assert "Comparison Results (up to 50 iterations)" in done.err
    assert "Reuse: settled as leak after 30 of 50 iterations: 20 iterations saved" in done.err
    assert f"early stopping saved {40 + saved} of 150 iterations" in done.err
    assert summary["recreate"]["trimmed"] is True
    assert summary["recycle"]["trimmed"] is True  # its last process was trimmed before it left


@pytest.mark.parametrize("why", ["flag", "heap", "default"])
def test_methods_run_to_their_end_otherwise(lab: Lab, why: str) -> None:
    said = {"flag": {"stop": "settled"}, "heap": {"stop": "settled", "heap": False}, "default": {}}[why]
    lab.write(experiment("a", "reuse", iterations=36, **said), models=LEAKING)
    done = lab.run("run", *(["--stop", "never"] if why == "flag" else []))
    assert done.code == 0, done.err
    summary = lab.result("a")["summary"]["reuse"]
    assert (summary["iterations"], summary["stopped"]) == (36, None)
    assert "saved" not in done.err


def test_a_settled_series_is_kept_by_resume(lab: Lab) -> None:
    lab.write(STOPPING, models=LEAKING)
    child = lab.start("run")
    wait_until(lambda: lab.raw_lines() >= 1 + 30 + 1 + 5)  # the second series is under way
    child.kill()
    child.wait(PATIENCE_S)
    other = lab.run("run", "--resume", "--stop", "never")
    assert other.code != 0
    assert "another plan" in other.err
    done = lab.run("run", "--resume")
    assert done.code == 0, done.err
    started = [entry.series for entry in lab.entries() if type(entry).__name__ == "SeriesStart"]
    assert started == ["recreate", "reuse", "reuse", "recycle"]
    saved = lab.manifest().iterations_saved["a"]
    assert (saved["recreate"], saved["reuse"]) == (20, 20)
    assert saved["recycle"] == lab.result("a")["summary"]["recycle"]["iterations_saved"]


def test_a_dry_run_says_that_it_may_end_early(lab: Lab) -> None:
    lab.write(STOPPING, models=LEAKING)
    shown = lab.run("run", "--dry-run").out
    assert "recreate: up to 50 iterations" in shown
    assert "settled at the earliest after 24" in shown
    assert "less where a verdict is settled early" in shown


def test_a_variant_says_what_its_setting_changes(lab: Lab) -> None:
    variants = {"one-arena": {"env": {"MALLOC_ARENA_MAX": "1"}, "methods": ["reuse"]}}
    lab.write(
        experiment("a", "recreate", "reuse", iterations=24, variants=variants),
        models={"small": synthetic(leak_kib_per_job=512, job_ms=2)},
    )
    done = lab.run("run", "-v")
    assert done.code == 0, done.err
    summary = lab.result("a")["summary"]
    found = summary["reuse@one-arena"]["levers"]["variant"]
    assert (found["against"], found["setting"]) == ("reuse", "MALLOC_ARENA_MAX=1")
    # The truth is "nothing". A difference of some KiB that is resolved reads "little", once in twenty by chance.
    assert found["effect"] in {"nothing", "little"}
    assert found["rss"]["before"] == pytest.approx(0.5, abs=0.05)
    assert found["time"]["low"] < found["time"]["ratio"] < found["time"]["high"]
    assert f"MALLOC_ARENA_MAX=1 changes {found['effect']}" in done.out
    assert "arenas are not the cause" in done.out
    live, rss = summary["recreate"]["levers"]["load_split"]
    assert (live["channel"], live["job"], live["load"]) == ("live", "grows", "nothing")
    assert live["per_job"]["rate"] == pytest.approx(0.5, abs=0.02)
    assert rss["channel"] == "rss"
    assert "loading anew adds nothing" in done.out


def test_growth_per_load_is_told_from_growth_per_job(lab: Lab) -> None:
    lab.write(
        experiment("a", "recreate", "reuse", iterations=24),
        models={"small": synthetic(leak_kib_per_job=256, leak_kib_per_load=1024)},
    )
    assert lab.run("run").code == 0
    live = lab.result("a")["summary"]["recreate"]["levers"]["load_split"][0]
    assert (live["job"], live["load"]) == ("grows", "grows")
    assert live["per_job"]["rate"] == pytest.approx(0.25, abs=0.02)
    assert live["per_load"]["rate"] == pytest.approx(1.0, abs=0.05)


def the_c_library() -> Path:
    """Return a library that every process has, and that takes nothing's place when it is preloaded."""
    mapped = (line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines())
    return next(
        Path(name) for name in mapped if Path(name).name.startswith(("libc.so", "libc-", "libc.musl"))
    )


@pytest.mark.parametrize(
    ("library", "said"),
    [("nowhere/libjemalloc.so", "is not there"), ("the C library", "does not take the place")],
)
def test_an_allocator_that_cannot_be_preloaded_costs_its_variant_only(
    lab: Lab, library: str, said: str
) -> None:
    path = the_c_library() if library == "the C library" else lab.folder / library
    lab.write(experiment("a", "reuse", variants={"other": {"allocator": "jemalloc"}}))
    done = lab.run("run", env={"JEMALLOC_LIB": str(path)})
    assert done.code == 0, done.err
    summary = lab.result("a")["summary"]
    assert summary["reuse"]["outcome"] == "completed"
    assert summary["reuse@other"]["outcome"] == "unavailable"
    assert said in summary["reuse@other"]["sentence"]
    assert summary["reuse@other"]["how_to_get_it"]
