"""Hosts in which no pool can work, or only one kind: patched by gevent, run by trio. What docs/hosts.md says."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
import textwrap
import types

import pytest

from orchestrator import AsyncPool, Call, Pool
from orchestrator.errors import UnsupportedHostError

PATIENCE_S = 60.0

pytestmark = pytest.mark.usefixtures("nothing_left")


def run_script(body: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(body)], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def needs(name: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(name) is None
    return pytest.mark.skipif(missing, reason=f"{name} is not installed: pip install 'orchestrator[dev]'")


REFUSED = """
from orchestrator import Call, Pool
from orchestrator.errors import UnsupportedHostError
from orchestrator.process.dialogue import Dialogue
for door in (Pool, Dialogue):
    try:
        door()
    except UnsupportedHostError as error:
        print(error)
"""


@needs("gevent")
def test_a_host_patched_by_gevent_is_told_what_is_supported() -> None:
    told = run_script("from gevent import monkey; monkey.patch_all()\n" + REFUSED).splitlines()
    assert len(told) == 2
    assert all("gevent has replaced threading, select, subprocess" in line for line in told)
    assert all("thread=False, select=False, subprocess=False" in line for line in told)


@needs("gevent")
@pytest.mark.parametrize("patch", ["patch_thread", "patch_select", "patch_subprocess", "patch_os"])
def test_one_patch_is_enough(patch: str) -> None:
    assert "gevent has replaced" in run_script(f"from gevent import monkey; monkey.{patch}()\n" + REFUSED)


@needs("gevent")
def test_what_is_supported_beside_gevent_works() -> None:
    said = run_script(
        """
        from gevent import monkey
        monkey.patch_all(thread=False, select=False, subprocess=False, os=False, signal=False, queue=False)
        import gevent
        from orchestrator import Call, Pool, Recycle
        ticks = []
        def tick():
            while True:
                ticks.append(1)
                gevent.sleep(0.01)
        gevent.spawn(tick)
        with Pool(recycle=Recycle(max_jobs=1)) as pool:
            run = gevent.get_hub().threadpool.apply
            print([run(pool.run, (Call("math:factorial", number),)) for number in range(5)])
            run(pool.run, (Call("time:sleep", 0.3),))
            print(len(ticks) > 3)
        """
    )
    assert said.splitlines() == ["[1, 1, 2, 6, 24]", "True"]


@needs("gevent")
def test_gevent_that_only_lies_loaded_does_not_matter() -> None:
    body = "import gevent, gevent.monkey\nfrom orchestrator import Call, Pool\n"
    assert run_script(body + "with Pool() as pool: print(pool.run(Call('math:factorial', 3)))") == "6\n"


def test_a_host_patched_by_eventlet(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in: eventlet itself is no longer developed."""
    patcher = types.SimpleNamespace(is_monkey_patched=lambda name: name in {"thread", "os"})
    monkeypatch.setitem(sys.modules, "eventlet.patcher", patcher)
    with pytest.raises(UnsupportedHostError, match="eventlet has replaced threading, os in this process"):
        Pool()


def test_nothing_is_imported_to_find_out() -> None:
    body = "import sys\nfrom orchestrator import AsyncPool, Pool\nimport asyncio\nwith Pool(): pass\n"
    body += "async def use():\n    async with AsyncPool(): pass\nasyncio.run(use())\n"
    body += (
        "print([name for name in ('gevent', 'eventlet', 'trio', 'anyio', 'sniffio') if name in sys.modules])"
    )
    assert run_script(body) == "[]\n"


TRIO = """
from orchestrator import AsyncPool, Call, Pool
from orchestrator.errors import UnsupportedHostError
made = []
async def inside():
    try:
        AsyncPool()
    except UnsupportedHostError as error:
        print(error)
    for ask in (lambda: made[0].run(Call("math:factorial", 5)), lambda: made[0].stats(), lambda: made[0].close()):
        try:
            await ask()
        except UnsupportedHostError as error:
            print(error)
async def after():
    await made[0].stop()
"""


@needs("trio")
@pytest.mark.parametrize(
    ("first", "start"),
    [("import trio", "trio.run(inside)"), ("import anyio", "anyio.run(inside, backend='trio')")],
)
def test_trio_tasks_are_told_what_is_supported(first: str, start: str) -> None:
    if "anyio" in first and importlib.util.find_spec("anyio") is None:
        pytest.skip("anyio is not installed: pip install 'orchestrator[dev]'")
    body = f"{first}\nimport asyncio\n{TRIO}\nmade.append(AsyncPool())\n{start}\nasyncio.run(after())"
    told = run_script(body).splitlines()
    assert len(told) == 4
    assert all("trio.to_thread.run_sync(pool.run, job)" in line for line in told)


@needs("trio")
def test_what_is_supported_under_trio_works() -> None:
    said = run_script(
        """
        import trio
        from orchestrator import Call, Pool
        async def main():
            with Pool(workers=2) as pool:
                print(await trio.to_thread.run_sync(pool.run, Call("math:factorial", 5)))
        trio.run(main)
        """
    )
    assert said == "120\n"


@needs("anyio")
def test_anyio_on_asyncio_is_asyncio() -> None:
    body = "import anyio\nfrom orchestrator import AsyncPool, Call\nasync def use():\n"
    body += (
        "    async with AsyncPool() as pool: print(await pool.run(Call('math:factorial', 5)))\nanyio.run(use)"
    )
    assert run_script(body) == "120\n"


def test_a_coroutine_that_nobody_runs_in_asyncio() -> None:
    pool = AsyncPool()
    try:
        with pytest.raises(UnsupportedHostError, match=r"no asyncio event loop runs here.*asyncio\.run"):
            pool.run(Call("math:factorial", 5)).send(None)
    finally:
        asyncio.run(pool.stop())
