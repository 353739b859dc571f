"""Functions in real workers under the real tracer: what leaks, what only caches, and what dies of it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import orchestrator.locating.tracers
from orchestrator.analysis.locating.located import Located
from orchestrator.errors import EngineUnavailableError
from orchestrator.leakgate.call_session import Target
from orchestrator.leakgate.locating import located_lines
from orchestrator.locating.locate import locate
from orchestrator.locating.schedule import Schedule
from orchestrator.locating.tracers import NO_LINES, Memray, Tracer, choose_tracer
from orchestrator.locating.work import call_work
from orchestrator.process.dialogue import Dialogue
from orchestrator_worker.protocol import Run, Trace
from orchestrator_worker.tracing.begin import TracerKey

pytest.importorskip(
    "memray", reason="the extra 'locate' is not installed: pip install 'orchestrator[locate]'"
)
pytestmark = pytest.mark.usefixtures("nothing_left")
QUICK = Schedule(warm_up=1, iterations=10)


def found(name: str, schedule: Schedule = QUICK, *, tracer: Tracer | None = None) -> Located:
    return locate(call_work(f"locate_functions:{name}"), schedule, tracer or Memray())


def test_a_python_object_has_its_type_and_its_line() -> None:
    located = found("keeps_objects")
    assert located.outcome == "located"
    lines = {(site.python_type, site.frames[0].function) for site in located.sites}
    assert {("an instance of a class", "keeps_objects"), ("list", "__init__")} <= lines
    made = next(site for site in located.sites if site.frames[0].function == "__init__")
    assert made.frames[0].file == str(Path(__file__).with_name("locate_functions.py"))
    assert made.frames[0].line == 18


def test_a_cache_that_is_full_is_no_leak_site() -> None:
    located = found("only_caches")
    assert located.outcome == "nothing", located.sites
    assert located.explained_percent is None


def test_memory_mapped_past_malloc_has_a_site_too() -> None:
    located = found("keeps_mappings")
    mapped = [site for site in located.sites if site.requested.per_iteration >= 65536]
    assert [site.frames[-1].function for site in mapped] == ["keeps_mappings"]


@pytest.mark.parametrize(
    ("name", "outcome", "cause"),
    [
        ("dies_when_traced", "crashed", "SIGSEGV"),
        ("exits_when_traced", "crashed", "exit code 3"),
        ("raises_when_traced", "failed", "not under a tracer"),
    ],
)
def test_a_death_under_the_tracer_is_the_answer(name: str, outcome: str, cause: str) -> None:
    located = found(name)
    assert located.outcome == outcome
    assert cause in located.cause
    assert "traced, in phase infer, after 0 iterations" in located.cause


def test_a_hang_under_the_tracer_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hang alone can meet the limit: it is short for traced calls only, none of which ends."""
    whole, traced = Dialogue.ask, False

    def ask(dialogue: Dialogue, command: Any, answer: Any, *, timeout_s: float, **more: Any) -> Any:
        nonlocal traced
        traced = traced or isinstance(command, Trace)
        limit_s = 1.0 if traced and isinstance(command, Run) else timeout_s
        return whole(dialogue, command, answer, timeout_s=limit_s, **more)

    monkeypatch.setattr(Dialogue, "ask", ask)
    located = found("never_ends_when_traced")
    assert located.outcome == "timeout"
    assert "no answer within 1 s (traced, in phase infer" in located.cause


def test_a_trace_at_its_bound_is_said() -> None:
    located = found("writes_much", Schedule(warm_up=1, iterations=1, most_trace_bytes=200_000))
    assert located.outcome == "inconclusive"
    assert "the trace reached its bound of 195.3 KiB" in located.notes[0]


def test_a_failed_check_has_the_call_stacks() -> None:
    lines = located_lines(Target("locate_functions:keeps_objects"))
    assert lines[0] == "  where it leaks (traced: not judged):"
    assert "leak sites that grow with every block of iterations" in lines[1]
    assert any(line.strip().startswith("keeps_objects  ") for line in lines)


def test_a_failed_check_without_a_tracer_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrator.locating.tracers.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(orchestrator.locating.tracers, "tracers", lambda: [Memray()])
    (line,) = located_lines(Target("locate_functions:keeps_objects"))
    assert "not located: there is no tracer: memray is not installed; to get it: pip install" in line


def test_a_tracer_that_is_not_there_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrator.locating.tracers.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(orchestrator.locating.tracers, "tracers", lambda: [Memray()])
    with pytest.raises(EngineUnavailableError, match="memray is not installed") as error:
        choose_tracer()
    assert error.value.how_to_get_it == "pip install 'orchestrator[locate]'"


SOURCE = """
#include <cstring>
#include <cstdlib>
#define APART __attribute__((noinline))
static char *volatile last;
struct Tensor { char body[240]; };
APART static void hidden_keep() { char *block = (char *)malloc(1000); memset(block, 1, 1000); last = block; }
static inline void inlined_keep() { char *block = (char *)malloc(500); memset(block, 1, 500); last = block; }
namespace engine {
APART void Model_keep_tensor() { Tensor *made = new Tensor; memset(made, 1, sizeof *made); last = made->body; }
APART void run_layers() { inlined_keep(); Model_keep_tensor(); last = last + 1; }
}
extern "C" void infer() { hidden_keep(); engine::run_layers(); last = last + 1; }
"""
CALLER = """
import ctypes
library = ctypes.CDLL({library!r})
def job():
    library.infer()
"""


@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler (apt-get install g++)")
def test_cxx_optimized_and_stripped_says_what_can_be_known(tmp_path: Path) -> None:
    """Exported functions keep their names; inlined and hidden ones are found under that of their caller."""
    (tmp_path / "engine.cpp").write_text(SOURCE)
    library = tmp_path / "libengine.so"
    flags = ["-O2", "-shared", "-fPIC", "-s", "-Wl,--build-id=0xabcdef0123456789"]
    subprocess.run(["c++", *flags, str(tmp_path / "engine.cpp"), "-o", str(library)], check=True)
    (tmp_path / "cxx_caller.py").write_text(CALLER.format(library=str(library)))
    located = locate(call_work("cxx_caller:job", search=[str(tmp_path)]), QUICK, Memray())
    sites = {round(site.requested.per_iteration): site for site in located.sites}
    assert sorted(sites) == [240, 500, 1000]
    assert sites[240].frames[0].function == "engine::Model_keep_tensor()"
    assert sites[240].frames[0].build_id == "abcdef0123456789"
    assert sites[500].frames[0].function == "engine::run_layers()"
    hidden = sites[1000]
    assert hidden.frames[0].function == "infer"
    assert hidden.stack[1].place.startswith("libengine.so+0x") or hidden.stack[0].place.startswith(
        "libengine.so+0x"
    )


def other_tracer(key: TracerKey) -> Tracer:
    """Return heaptrack or jemalloc; skips where the system has none: CI installs both."""
    try:
        return choose_tracer(key)
    except EngineUnavailableError as error:
        pytest.skip(f"needs {key}: {error.what} ({error.how_to_get_it})")


OTHERS = pytest.mark.parametrize("key", ["heaptrack", "jemalloc"])


@OTHERS
@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler (apt-get install g++)")
def test_other_tracers_find_the_same_sites_with_their_rates(key: TracerKey, tmp_path: Path) -> None:
    tracer = other_tracer(key)
    (tmp_path / "engine.cpp").write_text(SOURCE)
    library = tmp_path / "libengine.so"
    flags = ["-O2", "-shared", "-fPIC", "-Wl,--build-id=0xabcdef0123456789"]
    subprocess.run(["c++", *flags, str(tmp_path / "engine.cpp"), "-o", str(library)], check=True)
    (tmp_path / "cxx_caller.py").write_text(CALLER.format(library=str(library)))
    located = locate(call_work("cxx_caller:job", search=[str(tmp_path)]), QUICK, tracer)
    assert located.tracer.startswith(f"{key} ")
    own = {site.frames[0].function: site for site in located.sites if site.frames[0].module == "libengine.so"}
    sizes = {"hidden_keep()": 1000, "engine::Model_keep_tensor()": 240, "engine::run_layers()": 500}
    assert own.keys() == sizes.keys()
    for name, size in sizes.items():
        most = 1.25 if key == "jemalloc" else 1.0  # whole size classes
        assert size <= own[name].requested.per_iteration <= most * size
        assert (own[name].blocks.per_iteration, own[name].phase) == (1, "infer")
        assert own[name].frames[0].build_id == "abcdef0123456789"
    assert NO_LINES.format(key) in located.notes


@OTHERS
def test_other_tracers_see_a_malloc_that_was_looked_up(key: TracerKey) -> None:
    located = found("keeps_by_ctypes", tracer=other_tracer(key))
    assert [
        round(site.requested.per_iteration) for site in located.sites if site.blocks.per_iteration == 1
    ] == [65536]


@OTHERS
def test_other_tracers_know_a_cache_too(key: TracerKey) -> None:
    assert found("only_caches", tracer=other_tracer(key)).outcome == "nothing"


@OTHERS
def test_a_worker_without_the_preloaded_library_says_so(
    key: TracerKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracer = other_tracer(key)
    monkeypatch.setattr(type(tracer), "environment", lambda self, trace, env, confined: dict(env))
    located = found("keeps_objects", tracer=tracer)
    assert (located.outcome, located.cause.partition(" (")[0]) == (
        "unavailable",
        f"{key} is not loaded in the worker",
    )
