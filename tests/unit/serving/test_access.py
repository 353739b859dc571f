"""Who may ask, and which settings are none."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="needs the extra 'serve'")

from orchestrator.config.load import load_file
from orchestrator.config.model import Model
from orchestrator.errors import ConfigError
from orchestrator.serving.access import is_loopback, key_of, refuse_strangers
from orchestrator.serving.api_errors import ApiError
from orchestrator.serving.settings import Key, ServeSettings, settings_of

KEYS = (Key("one", b"first"), Key("two", "zweiter ü".encode(), 5))


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("127.0.0.1", True), ("localhost", True), ("::1", True), ("[::1]", True), ("127.8.0.9", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("speech.example", False), ("", False),
    ],
)  # fmt: skip
def test_addresses_of_this_machine(host: str, inside: bool) -> None:
    assert is_loopback(host) is inside


def test_a_key_opens_and_nothing_else_does() -> None:
    assert key_of(None, ()) is None
    assert key_of("Bearer first", KEYS) is KEYS[0]
    assert key_of(f"bearer  {'zweiter ü'.encode().decode('latin-1')}", KEYS) is KEYS[1], "as a header comes"
    for wrong in (
        None,
        "",
        "first",
        "Bearer",
        "Bearer ",
        "Bearer firs",
        "Bearer first2",
        "Basic first",
        "Bearer \udce4",
    ):
        with pytest.raises(ApiError) as told:
            key_of(wrong, KEYS)
        assert told.value.status == 401


def settings_in(file: Path, environ: dict[str, str]) -> ServeSettings:
    return settings_of(load_file(file), file, MODELS, environ)


@pytest.mark.parametrize("said", ["usual\n", "  usual\r\n", "usual"])
def test_a_key_from_a_file_has_no_line_end(tmp_path: Path, said: str) -> None:
    file = tmp_path / "experiments.toml"
    file.write_text("schema = 1\n[profiles.p.models.hear]\nengine = 'synthetic'\n")
    (key,) = settings_in(file, {"ORCHESTRATOR_API_KEY": said}).keys
    assert key_of("Bearer usual", [key]) is key
    assert settings_in(file, {"ORCHESTRATOR_API_KEY": " \n"}).keys == (), "blank is none"


def test_a_secret_is_in_no_repr() -> None:
    assert "first" not in repr(KEYS[0])


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:8000", None, 0),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", 0),
        ("[::1]:8000", "http://[::1]:8000", 0),
        ("LOCALHOST", None, 0),
        (None, None, 421),
        ("", None, 421),
        ("evil.example", None, 421),
        ("127.0.0.1.evil.example", None, 421),
        ("[::1", None, 421),
        ("localhost:8000", "http://localhost:9000", 403),
        ("localhost:8000", "http://evil.example", 403),
        ("localhost:8000", "null", 403),
        ("localhost:8000", "", 403),
    ],
)
def test_strangers_are_refused(host: str | None, origin: str | None, status: int) -> None:
    if not status:
        refuse_strangers(host, origin, own_host="127.0.0.1")
        return
    with pytest.raises(ApiError) as told:
        refuse_strangers(host, origin, own_host="127.0.0.1")
    assert told.value.status == status


FILE = """
schema = 1
[profiles.p.models.hear]
engine = "synthetic"
[profiles.p.models.place]
engine = "synthetic"
[recycle]
max_jobs = 7
[serve]
keep_warm = ["hear"]
unload_after_s = 5.0
[serve.keys.batch]
variable = "K"
priority = -3
"""
MODELS = [Model(name=name, engine="synthetic") for name in ("hear", "place")]


def test_settings_are_filled_in(tmp_path: Path) -> None:
    file = tmp_path / "experiments.toml"
    file.write_text(FILE)
    found = settings_in(file, {"K": "batch", "ORCHESTRATOR_API_KEY": "usual"})
    assert (found.model, found.aligner) == ("hear", None)
    assert [(key.name, key.secret, key.priority) for key in found.keys] == [
        ("default", b"usual", 0),
        ("batch", b"batch", -3),
    ]
    assert found.recycle.of("hear").max_jobs == found.recycle.of("place").max_jobs == 7
    assert found.recycle.of("hear").max_idle_s is None
    assert found.recycle.of("place").max_idle_s == 5.0
    assert found.max_requests == found.workers + 32


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "experiments.toml"
    file.write_text(FILE.replace('keep_warm = ["hear"]', 'keep_warm = ["her"]\naligner = "plaice"'))
    with pytest.raises(ConfigError) as told:
        settings_in(file, {})
    paths = [problem.key_path for problem in told.value.problems]
    assert paths == ["$.serve.keys.batch.variable", "$.serve.aligner", "$.serve.keep_warm[0]"]
