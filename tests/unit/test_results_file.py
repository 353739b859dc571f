"""The five JSON files: form, units, and reading them back."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import record_builders as build

from orchestrator.config.types import Experiment, Series
from orchestrator.errors import ResultsError
from orchestrator.experiments.judging.judgement import Judgements
from orchestrator.experiments.results import results_file
from orchestrator.experiments.results.results_file import make_results, read_results, write_results
from orchestrator.experiments.storage.file_hashes import HashedFile
from orchestrator.experiments.storage.manifest import Manifest, make_manifest
from orchestrator.experiments.storage.records import AlignedWord, Phases, Reading, SampleFile, SeriesRecords

CONVERSION = "converted from 8000 Hz mono"
TOP_LEVEL = ["schema", "tool", "profile", "config", "summary", "iterations"]


def manifest(experiment: Experiment) -> Manifest:
    return make_manifest(
        build.plan(experiment),
        run_id="20260101T000000.000000Z-abcd",
        files=[HashedFile("/models/asr-small.bin", 5, "aa"), HashedFile("/samples/phone.wav", 5, "bb")],
        samples=[SampleFile("phone", "/samples/phone.wav", "bb", 4.5, "modified sample", CONVERSION)],
        heap="mallinfo2",
        warnings=["swap is in use"],
    )  # fmt: skip


def document(experiment: Experiment, *records: SeriesRecords) -> dict[str, Any]:
    made = make_results(Judgements(experiment, records), manifest(experiment))
    whole: dict[str, Any] = json.loads(msgspec.json.encode(made))
    return whole


def one(experiment: Experiment, **facts: Any) -> dict[str, Any]:
    """The only entry of a series of one iteration."""
    done = build.step_record(None, (10, 20, 30, 15), **facts)
    record = build.records("recreate", [build.iteration(1, done, memory_mb=15)])
    (entry,) = document(experiment, record)["iterations"]
    return dict(entry)


def test_the_form_of_the_file(tmp_path: Path) -> None:
    experiment = build.experiment("recreate", "recycle")
    records = [build.growing("recreate", 3, rate_mb=2), build.growing("recycle", 3)]
    made = make_results(Judgements(experiment, records), manifest(experiment))
    path = write_results(tmp_path, experiment, made)
    assert path == tmp_path / "comparison_results.json"
    text = path.read_text()
    whole = json.loads(text)
    assert list(whole) == TOP_LEVEL
    assert (whole["schema"], whole["profile"]) == (results_file.RESULTS_SCHEMA, "embedded")
    assert whole["tool"].startswith("orchestrator ")
    assert list(whole["summary"]) == ["recreate", "recycle"]
    assert [(each["method"], each["iteration"]) for each in whole["iterations"]] == [
        (method, number) for method in ("recreate", "recycle") for number in (1, 2, 3)
    ]
    assert [each["memory_mb"] for each in whole["iterations"]] == [100.0, 102.0, 104.0, 100.0, 100.0, 100.0]
    assert text.endswith("}\n")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_an_entry_has_all_the_promised_keys() -> None:
    entry = one(build.experiment("recreate"), text="好", ttft_ms=400.0, wer_percent=12.34567, cer_percent=3.0)
    promised = (
        "method iteration memory_mb peak_mb ttft_ms speed_chars_per_s wer_percent cer_percent text steps"
    )
    assert set(promised.split()) <= set(entry)
    assert "variant" not in entry
    assert entry["wer_percent"] == 12.3457
    assert entry["text"] == "好"
    (step,) = entry["steps"]
    promised = (
        "model label engine task generation reset rss_mb rss_anon_mb swap_mb uss_mb pss_mb heap_live_mb "
        "heap_held_mb threads descriptors spawn_s load_s infer_s unload_s exit_s ttft_ms rtf "
        "speed_chars_per_s text wer_percent cer_percent words"
    )
    assert set(promised.split()) <= set(step)
    assert step["rss_mb"] == {
        "before_load": 10.0,
        "after_load": 20.0,
        "after_infer": 30.0,
        "after_unload": 15.0,
    }
    assert step["uss_mb"] == dict.fromkeys(step["rss_mb"])


def test_sizes_are_mb_of_1024_squared_with_four_digits() -> None:
    reading = Reading(rss=123_456_789, swap=0, uss=1, heap_live=2**20, threads=7, descriptors=9)
    phases = Phases(spawn_s=0.1234567, load_s=2)
    step = one(build.experiment("recreate"), readings={"after_infer": reading}, phases=phases)["steps"][0]
    assert step["rss_mb"] == {"after_infer": 117.7376}
    assert step["swap_mb"] == {"after_infer": 0.0}
    assert step["uss_mb"] == {"after_infer": 0.0}
    assert step["pss_mb"] == {"after_infer": None}
    assert step["heap_live_mb"] == {"after_infer": 1.0}
    assert step["threads"] == {"after_infer": 7}
    assert step["descriptors"] == {"after_infer": 9}
    assert (step["spawn_s"], step["load_s"], step["unload_s"]) == (0.1235, 2, None)


def test_why_the_heap_channel_is_off_is_told() -> None:
    reading = Reading(rss=1, heap_off="allocator replaced")
    step = one(build.experiment("recreate"), readings={"after_load": reading})["steps"][0]
    assert step["heap_off"] == "allocator replaced"
    assert step["heap_live_mb"] == {"after_load": None}


def test_the_first_recogniser_speaks_for_an_iteration() -> None:
    experiment = build.chain("recreate")
    words = [AlignedWord("And", 0, 120)]
    heard = build.step_record(experiment.steps[0], text="heard", ttft_ms=1.0, wer_percent=5.0)
    aligned = build.step_record(experiment.steps[1], text="aligned", ttft_ms=2.0, words=words)
    records = build.records("recreate", [build.iteration(1, aligned, heard, memory_mb=1)])
    (entry,) = document(experiment, records)["iterations"]
    assert (entry["text"], entry["ttft_ms"], entry["wer_percent"]) == ("heard", 1.0, 5.0)
    assert [step["text"] for step in entry["steps"]] == ["aligned", "heard"]
    assert entry["steps"][0]["words"] == [{"text": "And", "start_ms": 0, "end_ms": 120}]


def test_without_a_recogniser_the_first_step_speaks() -> None:
    experiment = build.aligning("recreate")
    aligned = build.step_record(experiment.steps[0], text="aligned", ttft_ms=2.0)
    records = build.records("recreate", [build.iteration(1, aligned, memory_mb=1)])
    (entry,) = document(experiment, records)["iterations"]
    assert (entry["text"], entry["ttft_ms"]) == ("aligned", 2.0)


def test_an_iteration_without_steps_is_still_one() -> None:
    records = build.records("recreate", [build.iteration(1, memory_mb=1)])
    (entry,) = document(build.experiment("recreate"), records)["iterations"]
    assert (entry["memory_mb"], entry["text"], entry["steps"]) == (1.0, None, [])


def test_variants_stand_apart() -> None:
    variant = Series("recreate", "one-arena", {"MALLOC_ARENA_MAX": "1"})
    experiment = build.experiment("recreate", series=[variant])
    whole = document(experiment, build.growing("recreate@one-arena", 1), build.growing("recreate", 1))
    assert [(each["method"], each.get("variant")) for each in whole["iterations"]] == [
        ("recreate", None), ("recreate", "one-arena"),
    ]  # fmt: skip
    assert list(whole["summary"]) == ["recreate", "recreate@one-arena"]
    assert whole["config"]["series"][1] == {
        "method": "recreate", "variant": "one-arena", "env": {"MALLOC_ARENA_MAX": "1"},
        "allocator": None,
    }  # fmt: skip


def test_records_of_a_series_no_longer_planned_are_kept_last() -> None:
    whole = document(build.experiment("recycle"), build.growing("reuse@x", 1), build.growing("recycle", 1))
    assert [(each["method"], each.get("variant")) for each in whole["iterations"]] == [
        ("recycle", None), ("reuse", "x"),
    ]  # fmt: skip


def test_config_says_what_was_done_and_where() -> None:
    experiment = build.experiment("recreate", "recycle")
    restarted = msgspec.structs.replace(build.growing("recreate", 1), restarts=["its process is gone"])
    config = document(experiment, restarted)["config"]
    assert config["experiment"] == "exp2"
    assert config["title"] == "Memory Leak Comparison"
    assert config["methods"] == ["recreate", "recycle"]
    assert (config["iterations"], config["recycle_after"], config["sample_interval_ms"]) == (10, 1, 20)
    assert (config["heap"], config["heap_source"]) == (True, "mallinfo2")
    assert config["worker_starts"] == []
    assert config["profile_reason"] == "profile embedded: no chatllm.cpp library"
    assert config["run_id"] == "20260101T000000.000000Z-abcd"
    assert config["restarts"] == {"recreate": ["its process is gone"]}
    assert config["warnings"] == ["swap is in use"]
    assert config["host"]["cores"] >= 1
    assert config["packages"]["msgspec"]


def test_every_way_in_which_workers_began_is_told() -> None:
    experiment = build.experiment("recreate", "reuse", "recycle")
    died = build.ended(0, "recycle", outcome="crashed", partial=[build.step_record(start="fork")])
    whole = document(
        experiment,
        build.growing("recreate", 2, start="exec"),
        build.growing("reuse", 2),  # recorded before it was kept
        build.records("recycle", [], died),
    )
    assert whole["config"]["worker_starts"] == ["exec", "fork"]
    assert [each["steps"][0]["start"] for each in whole["iterations"]] == ["exec", "exec", None, None]


def test_config_tells_models_by_name_and_hash_and_samples_from_the_file() -> None:
    experiment = build.experiment("recreate")
    (step,) = document(experiment, build.growing("recreate", 1))["config"]["steps"]
    model = step["model"]
    assert (model["role"], model["label"], model["engine"]) == ("asr-small", "0.6B", "chatllm")
    assert (model["file"], model["file_sha256"], model["threads"]) == ("asr-small.bin", "aa", 6)
    assert step["sample"] == {
        "name": "phone",
        "audio": "../samples/phone.wav",
        "sha256": "bb",
        "seconds": 4.5,
        "state": "modified sample",
        "conversion": CONVERSION,
        "reference": "0900073331",
    }


def test_a_sample_that_could_not_be_used_has_no_facts() -> None:
    steps = [build.step(on=build.sample("lost", reference=None))]
    (step,) = document(build.experiment("recreate", steps=steps))["config"]["steps"]
    assert (step["sample"]["sha256"], step["sample"]["seconds"], step["sample"]["state"]) == (
        None,
        None,
        None,
    )


def test_a_series_without_iterations_is_in_the_summary() -> None:
    end = build.ended(0, outcome="unavailable", cause="no model")
    whole = document(build.experiment("recreate"), build.records("recreate", [], end))
    assert whole["iterations"] == []
    assert whole["summary"]["recreate"]["outcome"] == "unavailable"


# ------------------------------------------------------------------ reading back


def written(folder: Path) -> Path:
    experiment = build.experiment("recreate")
    judgements = Judgements(experiment, [build.growing("recreate", 2)])
    return write_results(folder, experiment, make_results(judgements, manifest(experiment)))


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = written(tmp_path)
    results = read_results(path)
    assert msgspec.to_builtins(results) == json.loads(path.read_text())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 99}, "newer version"),
        ({"schema": None}, "no version number"),
        ({"iterations": {}}, r"\$.iterations"),
        ({"iterations": [{"method": "recreate", "iteration": 1}]}, "memory_mb"),
        ({"summary": [1]}, r"\$.summary"),
        ({"config": 3}, r"\$.config"),
    ],
)
def test_what_is_not_ours_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = written(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ResultsError, match=f"comparison_results.json.*{said}"):
        read_results(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"speech"])
def test_what_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match=r"a\.json: not a JSON object"):
        read_results(path)


def test_cut_anywhere_it_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    content = path.read_bytes()
    for size in range(0, len(content) - 2, 97):
        path.write_bytes(content[:size])
        with pytest.raises(ResultsError):
            read_results(path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ResultsError, match="cannot read"):
            read_results(path)


def test_a_file_of_an_older_schema_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)
    old = json.loads(path.read_text())
    old["by"] = old.pop("tool")
    path.write_text(json.dumps(old))
    now = results_file.RESULTS_SCHEMA
    monkeypatch.setattr(results_file, "RESULTS_SCHEMA", now + 1)

    def renamed(document: dict[str, Any]) -> dict[str, Any]:
        document["tool"] = document.pop("by")
        return document

    results = read_results(path, chain={now: renamed})
    assert (results.schema, results.tool) == (now + 1, old["by"])


def test_a_write_that_fails_leaves_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written(tmp_path).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResultsError, match="its former content is safe"):
        written(tmp_path)
    assert (tmp_path / "comparison_results.json").read_bytes() == before
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_file_of_schema_1_has_the_keys_of_a_rate_renamed(tmp_path: Path) -> None:
    path = written(tmp_path)
    old = json.loads(path.read_text()) | {"schema": 1}
    summary = old["summary"]["recreate"]
    summary["growth_rate_mb_per_iter"] = summary.pop("growth_rate_mb_per_iteration")
    for name in ("leak_rate", "leak_rate_after_infer", "leak_rate_after_unload"):
        rate = summary[name]
        del rate["rate_mb_per_iteration"], rate["ci_low"], rate["ci_high"]
        rate |= {"rate_mb_per_iter": 0.5, "low_mb_per_iter": 0.25, "high_mb_per_iter": 1.0}
    path.write_text(json.dumps(old))
    results = read_results(path)
    found = results.summary["recreate"]
    assert results.schema == results_file.RESULTS_SCHEMA
    assert found.growth_rate_mb_per_iteration is not None
    assert found.leak_rate is not None
    assert (found.leak_rate.ci_low, found.leak_rate.rate_mb_per_iteration) == (0.25, 0.5)
    assert found.leak_rate.ci_high == 1.0
