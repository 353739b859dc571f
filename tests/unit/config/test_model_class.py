"""One class of models: what experiments and pools hand to a worker comes from the same method and the same fields."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest
from resolved_plans import Resolved, model_of

from orchestrator import Model
from orchestrator.config.model import BoundModel
from orchestrator.config.types import ModelConfig
from orchestrator_worker.protocol import ModelSpec

EVERY: dict[str, Any] = {
    "name": "asr",
    "engine": "chatllm",
    "file": "/m/asr.bin",
    "library": "/m/lib.so",
    "threads": 3,
    "context_length": 512,
    "language": "French",
    "format": "srt",
    "options": {"argv": ["-t", "1"]},
}


def test_every_setting_reaches_the_worker() -> None:
    assert set(EVERY) == set(ModelSpec.__struct_fields__)
    for model in (Model(**EVERY), BoundModel(label="A", **EVERY)):
        assert msgspec.to_builtins(model.spec()) == EVERY


def test_every_key_of_the_file_is_a_setting_of_the_class() -> None:
    assert set(ModelConfig.__struct_fields__) <= set(BoundModel.__struct_fields__)
    assert set(Model.__struct_fields__) - set(ModelConfig.__struct_fields__) == {"name", "limits"}


def test_what_a_profile_binds_is_a_model_as_code_writes_it(resolved: Resolved) -> None:
    text = """
        schema = 1
        [profiles.embedded.models.asr]
        engine = "synthetic"
        format = "json"
        chinese = "itn"
        env = { A_VARIABLE = "1" }
        options = { tokens = 7 }
        [[experiment]]
        name = "e"
        steps = [{ task = "synthetic", model = "asr" }]
    """
    bound = model_of(resolved(text))
    assert isinstance(bound, Model)
    assert (bound.name, bound.format, bound.chinese) == ("asr", "json", "itn")
    assert (dict(bound.env), dict(bound.options)) == ({"A_VARIABLE": "1"}, {"tokens": 7})


def test_a_relative_path_is_made_absolute_for_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = Model(name="m", engine="e", file=Path("a.bin"), library="lib/b.so").spec()
    assert (spec.file, spec.library) == (str(tmp_path / "a.bin"), str(tmp_path / "lib/b.so"))


def test_a_file_calls_the_name_role_and_reads_it_back() -> None:
    bound = BoundModel(label="A", **EVERY)
    written = msgspec.json.encode(bound)
    assert msgspec.json.decode(written)["role"] == "asr"
    assert msgspec.json.decode(written, type=BoundModel) == bound


def test_models_are_values() -> None:
    model = Model(**EVERY, limits={"as": "4GiB"})
    assert pickle.loads(pickle.dumps(model)) == model
    assert len({model, Model(**EVERY, limits={"as": "4GiB"}), Model(**EVERY)}) == 2


@pytest.mark.parametrize("limits", [{"nosuch": 1}, {"as": "4 parsecs"}])
def test_a_limit_that_cannot_be_is_refused_when_the_model_is_made(limits: dict[str, int | str]) -> None:
    with pytest.raises(ValueError, match="limits"):
        Model(name="m", engine="e", limits=limits)
