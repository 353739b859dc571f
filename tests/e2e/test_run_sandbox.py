"""``run`` with confined models: the same answers, and a sandbox that cannot be had is said before anything starts."""

from __future__ import annotations

import pytest
from lab import Lab, asr, experiment, read_json, synthetic

from orchestrator_worker.sandbox.kernel import why_not

CANNOT = why_not("strict")


@pytest.mark.skipif(bool(CANNOT), reason=f"a sandbox {CANNOT}")
def test_confined_models_hear_the_same(lab: Lab) -> None:
    models = {mode: synthetic(text="{digest}") | {"sandbox": mode} for mode in ("off", "files", "strict")}
    experiments = [
        experiment(f"{mode}-{method}", method, iterations=2, steps=[asr(mode)])
        for mode in models
        for method in ("recreate", "recycle")
    ]
    mixed = experiment("mixed", "recreate", iterations=1, steps=[asr("off"), asr("strict")])
    lab.write(*experiments, mixed, models=models)
    done = lab.run("run")
    assert done.code == 0, done.err
    texts = {
        step["text"]
        for name in [*(each["name"] for each in experiments), "mixed"]
        for iteration in read_json(lab.results / f"{name}_results.json")["iterations"]
        for step in iteration["steps"]
    }
    assert len(texts) == 1


def test_an_unknown_sandbox_is_named(lab: Lab) -> None:
    lab.write(experiment("exp1", "reuse"), models={"small": synthetic() | {"sandbox": "tight"}})
    done = lab.run("run")
    assert done.code == 2
    assert "sandbox" in done.err
    assert "tight" in done.err
