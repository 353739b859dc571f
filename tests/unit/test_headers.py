"""What stands above an experiment, for every shape."""

from __future__ import annotations

from record_builders import aligning, chain, experiment, model, plan, sample, step, switching

from orchestrator.config.types import Experiment
from orchestrator.report.headers import experiment_header
from orchestrator.report.tables import as_text


def header(about: Experiment) -> list[str]:
    return as_text(experiment_header(about, plan().profile)).splitlines()


def test_header_of_a_comparison() -> None:
    assert header(experiment("recreate", "restart", "recycle", iterations=100)) == [
        "=" * 70,
        "Experiment 2: Memory Leak Comparison",
        "=" * 70,
        "Model: /models/asr-small.bin",
        "Audio: /samples/phone.wav",
        "Ground Truth: 0900073331",
        "Inference Threads: 6",
        "Iterations per method: 100",
        "Profile: embedded",
        "Methods: Destroy+Recreate, Restart(), Recycle (baseline)",
    ]


def test_header_of_a_benchmark_has_its_name_behind() -> None:
    lines = header(experiment("recreate", name="exp1", title="Qwen3-ASR Inference Benchmark"))
    assert lines[1] == "Qwen3-ASR Inference Benchmark (exp1)"
    assert "Iterations: 10" in lines


def test_header_of_several_models() -> None:
    lines = header(switching("recreate", "recycle", iterations=100))
    assert lines[3:5] == ["Model 1 (0.6B): /models/asr-small.bin", "Model 2 (1.7B): /models/asr-large.bin"]
    assert "Iterations: 100" in lines


def test_header_of_an_alignment_cuts_the_transcript_as_the_seeds_do() -> None:
    lines = header(aligning("recreate", "restart"))
    assert "Transcript: And so, my fellow Americans, ask not what yo..." in lines
    assert "Iterations per method: 1" in lines


def test_header_of_a_chain_names_models_by_their_part() -> None:
    lines = header(chain("recreate"))
    assert lines[3:5] == ["ASR Model: asr-small.bin", "Aligner Model: aligner.bin"]
    assert "Ground Truth: And so, my fellow Americans, ask not what yo..." in lines


def test_header_says_what_is_not_there() -> None:
    own = model(file=None, engine="moonshine", threads=2, threads_note="lowered to the cores there are")
    lines = header(experiment("recreate", steps=[step(of=own, on=sample(reference=None))]))
    assert "Model: moonshine" in lines
    assert "Ground Truth: none" in lines
    assert "Inference Threads: 2 (lowered to the cores there are)" in lines


def test_an_experiment_that_is_not_numbered_keeps_its_own_name() -> None:
    assert header(experiment("restart", name="nightly", title="Restarts"))[1] == "Restarts (nightly)"
    assert header(experiment("restart", name="nightly", title=""))[1] == "nightly"
