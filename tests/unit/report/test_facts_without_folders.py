"""What a run is handed on with names nobody's folders: not in warnings, the profile's reason or the environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from written_runs import Written, experiment, iterations

from orchestrator import Results
from orchestrator.experiments.exporting.export import export_results
from orchestrator.experiments.results.results_config import without_folders
from orchestrator.experiments.results.results_file import write_results
from orchestrator.experiments.results.run_results import results_of_run

REASON = "embedded: qwen3 lacks /home/jane doe/secret/libchatllm.so"
WARNING = "model asr: /home/jane doe/secret/asr.bin has 5 bytes, 7 fewer than it had"
ENVIRONMENT = {
    "GLIBC_TUNABLES": "glibc.malloc.check=3:glibc.malloc.perturb=1",
    "LD_LIBRARY_PATH": "/home/jane doe/secret/lib:/opt/secret",
    "LD_PRELOAD": "/home/jane/secret/libjemalloc.so.2:/opt/secret/libmine.so /srv/secret/three.so",
    "MALLOC_ARENA_MAX": "1",
}


@pytest.fixture
def written(tmp_path: Path) -> Written:
    run = Written(tmp_path / "results", experiment("reuse"))
    run.add("reuse", iterations("reuse", 30, 0.0))
    manifest = run.run.manifest()
    run.run.save(
        msgspec.structs.replace(
            manifest,
            state="finished",
            profile_reason=REASON,
            warnings=[WARNING],
            host=manifest.host | {"environment": ENVIRONMENT},
        )
    )
    return run


def checked(facts: Any) -> None:
    assert not [word for word in ("jane", "doe", "secret", "/opt", "/srv") if word in json.dumps(facts)]
    assert facts["profile_reason"] == "embedded: qwen3 lacks …/libchatllm.so"
    assert facts["warnings"] == ["model asr: …/asr.bin has 5 bytes, 7 fewer than it had"]
    assert facts["host"]["environment"] == {
        "GLIBC_TUNABLES": "glibc.malloc.check=3:glibc.malloc.perturb=1",
        "LD_LIBRARY_PATH": "2 folders",
        "LD_PRELOAD": "libjemalloc.so.2:libmine.so three.so",
        "MALLOC_ARENA_MAX": "1",
    }


def test_facts_of_a_run_and_of_its_result_file_name_no_folder(written: Written) -> None:
    checked(Results(written.path).facts)
    one = results_of_run(written.path)["exp2"]
    assert "secret" not in json.dumps([one.config["profile_reason"], one.config["warnings"]])
    path = write_results(written.results.path, experiment("reuse"), one)
    checked(Results(path).facts)
    document = json.loads(path.read_text("utf-8"))
    document["config"] |= {"profile_reason": REASON, "warnings": [WARNING]}
    path.write_text(json.dumps(document), "utf-8")  # as earlier versions wrote it
    checked(Results(path).facts)


def test_a_parquet_file_names_no_folder(written: Written, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'export'")
    target = export_results(Results(written.path), tmp_path / "s.parquet").path
    checked(json.loads(parquet.read_schema(target).metadata[b"orchestrator.facts"]))
    assert b"secret" not in target.read_bytes()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("file:/a/b.bin", "file:…/b.bin"),
        ("'~jane/x/b.bin' is gone", "'…/b.bin' is gone"),
        ("/a/b and /c/d", "…/d"),
        ("models/asr.bin is gone, and/or short", "models/asr.bin is gone, and/or short"),
        ("6 MB/s", "6 MB/s"),
    ],
)
def test_only_absolute_paths_are_cut(said: str, told: str) -> None:
    assert without_folders(said) == told
