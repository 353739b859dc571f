"""``check`` of the embedded engines: what is missing is named, with the way to get it. Runs no library."""

import importlib.metadata
import os
import sys
from pathlib import Path

import pytest

from orchestrator_worker.engines.base import Engine, EngineError, EngineUnavailableError
from orchestrator_worker.engines.language import require_english
from orchestrator_worker.engines.moonshine import PINNED, WEIGHTS, MoonshineEngine
from orchestrator_worker.engines.packages import package_folder, package_version
from orchestrator_worker.engines.pocketsphinx import PocketsphinxEngine
from orchestrator_worker.protocol import ModelSpec


def spec(**keys: object) -> ModelSpec:
    return ModelSpec(engine="x", name="m", **keys)  # type: ignore[arg-type]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both packages as empty folders first on the path: installed, but with nothing inside."""
    for module in ("moonshine_voice", "pocketsphinx"):
        monkeypatch.delitem(sys.modules, module, raising=False)  # another test may have imported the real one
        (tmp_path / module).mkdir()
        (tmp_path / module / "__init__.py").write_text("raise AssertionError('check must not import me')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "9.9.9")
    monkeypatch.setattr(os, "confstr", lambda _: "glibc 2.36")
    return tmp_path


def fill(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


SPHINX = ("en-us/mdef", "cmudict-en-us.dict", "en-us.lm.bin")


@pytest.mark.parametrize("engine", [MoonshineEngine, PocketsphinxEngine])
def test_a_missing_package_says_how_to_install_it(
    engine: type[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EngineUnavailableError, match="is not installed") as raised:
        engine.check(spec())
    assert raised.value.how_to_get_it.startswith("pip install")


@pytest.mark.usefixtures("installed")
def test_a_newer_moonshine_without_weights_is_told_from_a_missing_one() -> None:
    with pytest.raises(
        EngineUnavailableError, match=r"moonshine-voice 9\.9\.9 .*without the tiny-en weights"
    ) as raised:
        MoonshineEngine.check(spec())
    assert f"moonshine-voice=={PINNED}" in raised.value.how_to_get_it
    assert "last release whose wheels carry the weights" in raised.value.how_to_get_it


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("engine", [MoonshineEngine, PocketsphinxEngine])
def test_an_empty_model_folder_is_named(engine: type[Engine], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(EngineUnavailableError, match=str(empty)) as raised:
        engine.check(spec(file=str(empty)))
    assert "`file`" in raised.value.how_to_get_it


@pytest.mark.usefixtures("installed")
def test_a_damaged_pocketsphinx_says_which_files_are_gone() -> None:
    with pytest.raises(EngineUnavailableError, match="mdef") as raised:
        PocketsphinxEngine.check(spec())
    assert "pip install" in raised.value.how_to_get_it


@pytest.mark.parametrize(
    ("libc", "words"),
    [("glibc 2.31", "this system has glibc 2.31"), (None, "no glibc"), ("musl", "no glibc")],
)
def test_an_old_or_other_c_library_is_named(
    libc: str | None, words: str, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(installed / "moonshine_voice/assets/tiny-en", WEIGHTS)
    monkeypatch.setattr(os, "confstr", lambda _: libc)
    with pytest.raises(EngineUnavailableError, match=r"2\.34") as raised:
        MoonshineEngine.check(spec())
    assert words in raised.value.what


@pytest.mark.parametrize("libc", ["glibc 2.34", "glibc 2.41.9000", "glibc 3.0"])
def test_a_complete_installation_passes(libc: str, installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(installed / "moonshine_voice/assets/tiny-en", WEIGHTS)
    fill(installed / "pocketsphinx/model/en-us", SPHINX)
    monkeypatch.setattr(os, "confstr", lambda _: libc)
    MoonshineEngine.check(spec(language="en-US"))
    PocketsphinxEngine.check(spec(language="English"))


@pytest.mark.parametrize("engine", [MoonshineEngine, PocketsphinxEngine])
def test_another_language_needs_other_weights(engine: type[Engine], installed: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    fill(own, (*WEIGHTS, *SPHINX))
    fill(installed / "moonshine_voice/assets/tiny-en", WEIGHTS)
    fill(installed / "pocketsphinx/model/en-us", SPHINX)
    with pytest.raises(EngineError, match=r"'Chinese'.*English only"):
        engine.check(spec(language="Chinese"))
    engine.check(spec(language="Chinese", file=str(own)))


@pytest.mark.parametrize(
    ("engine", "options", "words"),
    [
        (MoonshineEngine, {"arch": "huge"}, "option arch is 'huge'; allowed: 'tiny', 'base'"),
        (MoonshineEngine, {"arch": "base"}, "the package's own weights are 'tiny'"),
        (PocketsphinxEngine, {"lms": False}, "no option 'lms'; did you mean 'lm'"),
        (PocketsphinxEngine, {"lm": "no"}, "option lm is 'no'; allowed: true, false"),
    ],
)
def test_options_without_sense_are_refused(
    engine: type[Engine], options: dict[str, object], words: str, installed: Path
) -> None:
    fill(installed / "moonshine_voice/assets/tiny-en", WEIGHTS)
    fill(installed / "pocketsphinx/model/en-us", SPHINX)
    with pytest.raises(EngineError, match=words):
        engine.check(spec(options=options))


def test_without_the_language_model_its_file_is_not_needed(installed: Path) -> None:
    fill(installed / "pocketsphinx/model/en-us", SPHINX[:2])
    PocketsphinxEngine.check(spec(options={"lm": False}))
    with pytest.raises(EngineUnavailableError, match=r"en-us\.lm\.bin not there"):
        PocketsphinxEngine.check(spec())


@pytest.mark.parametrize("language", [None, "", "en", "EN_us", "en-GB", " English "])
def test_names_of_english(language: str | None) -> None:
    require_english("x", language)


@pytest.mark.parametrize("language", ["Chinese", "zh-TW", "enm", "auto"])
def test_names_of_other_languages(language: str) -> None:
    with pytest.raises(EngineError, match="English only"):
        require_english("x", language)


def test_packages_are_found_without_importing_them() -> None:
    with pytest.raises(EngineUnavailableError, match="no_such_package_here"):
        package_folder("no_such_package_here", "pip install it")
    assert package_version("no-such-distribution-here") == "unknown"
