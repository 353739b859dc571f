"""Engines found by name, and what is said of those that cannot be used."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator_worker.engines import registry
from orchestrator_worker.engines.base import EngineUnavailableError
from orchestrator_worker.engines.function import FunctionEngine
from orchestrator_worker.engines.synthetic.engine import SyntheticEngine
from orchestrator_worker.protocol import EngineInfo

GOOD = """
from orchestrator_worker.engines.base import Engine
from orchestrator_worker.protocol import Plain

class {name}(Engine):
    name = "{engine}"
    tasks = ("asr",)
    summary = "third party"
    def load(self, model): return {{}}
    def run(self, job, emit): return Plain()
    def unload(self): pass
"""


class Site:
    """A folder on ``sys.path`` into which packages with entry points are put, as pip would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.modules: list[str] = []

    def add(self, package: str, entry_points: dict[str, str] | str, **modules: str) -> None:
        metadata = self._folder / f"{package}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        if isinstance(entry_points, dict):
            lines = [f"{name} = {target}" for name, target in entry_points.items()]
            entry_points = "\n".join(["[orchestrator.engines]", *lines])
        (metadata / "entry_points.txt").write_text(entry_points)
        for name, source in modules.items():
            (self._folder / f"{name}.py").write_text(source)
            self.modules.append(name)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(tmp_path)
    created = Site(tmp_path)
    yield created
    for module in created.modules:
        sys.modules.pop(module, None)


def listed(name: str) -> list[EngineInfo]:
    return [info for info in registry.list_all() if info.name == name]


# ------------------------------------------------------------------------------- built in


def test_built_in_engines_are_found() -> None:
    assert registry.find("synthetic") is SyntheticEngine
    assert registry.find("function") is FunctionEngine


def test_an_unknown_name_has_its_nearest_and_the_known() -> None:
    with pytest.raises(EngineUnavailableError) as error:
        registry.find("sinthetic")
    assert "unknown engine 'sinthetic' (did you mean 'synthetic'? known: " in error.value.what
    assert all(name in error.value.what for name in registry.BUILT_IN)
    assert "orchestrator.engines" in error.value.how_to_get_it


def test_the_list_describes_each_built_in_engine() -> None:
    found = {info.name: info for info in registry.list_all() if info.source == "built-in"}
    assert list(found) == list(registry.BUILT_IN)
    assert found["synthetic"] == EngineInfo(
        "synthetic", "built-in", ["asr", "align", "synthetic"], restarts=False, forks=True, aborts=True,
        summary=SyntheticEngine.summary,
    )  # fmt: skip
    assert found["synthetic-restart"].restarts
    assert {name for name, info in found.items() if info.forks} >= {"chatllm", "pocketsphinx", "synthetic"}
    assert not {name for name, info in found.items() if info.forks} & {
        "moonshine",
        "faster-whisper",
        "function",
    }


def test_a_built_in_engine_that_cannot_be_imported_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.BUILT_IN, "lost", "orchestrator_worker.engines.lost:LostEngine")
    with pytest.raises(EngineUnavailableError) as error:
        registry.find("lost")
    assert (
        "importing orchestrator_worker.engines.lost:LostEngine failed: ModuleNotFoundError"
        in error.value.what
    )
    assert "orchestrator_worker.engines.lost" in error.value.how_to_get_it


def test_finding_a_built_in_engine_reads_no_package_metadata() -> None:
    script = """
import sys
before = set(sys.modules)
from orchestrator_worker.engines import registry
assert not {name for name in sys.modules if name.startswith("orchestrator_worker.engines.s")}, "an engine was imported"
registry.find("synthetic")
print(*(set(sys.modules) - before))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    imported = done.stdout.split()
    assert "orchestrator_worker.engines.synthetic.engine" in imported
    assert {"importlib.metadata", "difflib", "email", "asyncio", "logging", "argparse"}.isdisjoint(imported)


# ------------------------------------------------------------------------------- third parties


def test_a_third_partys_engine_is_found_and_listed(site: Site) -> None:
    site.add("good-engine", {"good": "good_engine:Good"}, good_engine=GOOD.format(name="Good", engine="good"))
    assert registry.find("good").__module__ == "good_engine"
    assert listed("good") == [
        EngineInfo("good", "good-engine 1.0 (good_engine:Good)", ["asr"], summary="third party")
    ]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise OSError('libfoo.so: cannot open')", "OSError: libfoo.so: cannot open"),
        ("import sys; sys.exit('no GPU')", "SystemExit: no GPU"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("class Bad(", "SyntaxError"),
        ("Other = 1", "AttributeError"),
        ("Bad = 1", "is no subclass of orchestrator_worker.engines.base.Engine"),
        ("class Bad: name = 'bad'; tasks = ('asr',)", "is no subclass"),
        (GOOD.format(name="Bad", engine="bad").replace("name =", "title ="), "must have name = 'bad'"),
        (GOOD.format(name="Bad", engine="other"), "it has 'other'"),
        (GOOD.format(name="Bad", engine="bad").replace("tasks =", "jobs ="), "must have tasks"),
        (GOOD.format(name="Bad", engine="bad").replace('("asr",)', "()"), "must have tasks"),
        (GOOD.format(name="Bad", engine="bad").replace('("asr",)', '"asr"'), "must have tasks"),
        (GOOD.format(name="Bad", engine="bad").replace("def run", "def walk"), "lacks run"),
    ],
)
def test_one_that_cannot_be_used_is_listed_and_hurts_nobody(site: Site, source: str, words: str) -> None:
    site.add("bad-engine", {"bad": "bad_engine:Bad"}, bad_engine=source)
    site.add("good-engine", {"good": "good_engine:Good"}, good_engine=GOOD.format(name="Good", engine="good"))
    (bad,) = listed("bad")
    assert words in (bad.error or "")
    assert bad.source == "bad-engine 1.0 (bad_engine:Bad)"
    assert listed("good")[0].error is None
    with pytest.raises(EngineUnavailableError) as error:
        registry.find("bad")
    assert words in error.value.what
    assert "bad_engine:Bad" in error.value.what


def test_a_built_in_name_cannot_be_taken(site: Site) -> None:
    site.add("taker", {"synthetic": "taker_engine:Taker"}, taker_engine="raise AssertionError('imported')")
    built_in, taker = listed("synthetic")
    assert (built_in.source, built_in.error) == ("built-in", None)
    assert taker.error == "not used: the name 'synthetic' belongs to the built-in engine"
    assert registry.find("synthetic") is SyntheticEngine


def test_of_two_with_one_name_the_used_one_is_named(site: Site) -> None:
    for package in ("one", "two"):
        module = f"{package}_engine"
        site.add(package, {"same": f"{module}:Same"}, **{module: GOOD.format(name="Same", engine="same")})
    used, other = listed("same")
    assert used.error is None
    assert other.error == f"not used: the name 'same' belongs to {used.source}"
    assert registry.find("same").__module__ in used.source


def test_broken_metadata_hurts_nobody_else(site: Site) -> None:
    site.add("broken", "[orchestrator.engines]\nthis is no entry point\n")
    site.add("good-engine", {"good": "good_engine:Good"}, good_engine=GOOD.format(name="Good", engine="good"))
    found = registry.list_all()
    assert [info.name for info in found if info.source == "built-in"] == list(registry.BUILT_IN)
    assert registry.find("synthetic") is SyntheticEngine
    assert registry.find("good").name == "good"
    (broken,) = listed("(broken)")
    assert "its metadata cannot be read" in (broken.error or "")
    with pytest.raises(EngineUnavailableError) as error:
        registry.find("nobody")
    assert "package broken might offer it" in error.value.what
