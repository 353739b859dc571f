"""A pool on a cluster of several nodes, all on this machine: the promises of every pool, then what nodes add.

The cluster is this module's own: started once, away from any other (``ray_bench``), shut down at the end.
"""

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pool_contract import NewPool, PoolContract, until_running, wav_bytes
from pool_functions import synthetic

from orchestrator.errors import EngineUnavailableError, JobPoisonedError, NodeDiedError, WorkerDiedError
from orchestrator.pool.jobs import Call, Transcribe
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool

ray: Any = pytest.importorskip("ray", reason="the extra 'ray' is not installed")
from ray_bench import Bench, rays_own_place  # noqa: E402

from orchestrator.cluster.ray_pool import RayPool  # noqa: E402
from orchestrator.cluster.wire import NodeWorkerTag  # noqa: E402

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with rays_own_place() as folder:
        yield folder


@pytest.fixture(scope="module")
def bench(place: Path) -> Iterator[Bench]:
    """The module's cluster, with one node for those who need no more."""
    found = Bench(place)
    found.add("solo")
    yield found
    found.end()


@pytest.fixture
def pool_on(bench: Bench) -> Iterator[Callable[..., RayPool]]:
    """Makes pools on the nodes that have a resource; none of them outlives its test, nor does a thread."""
    pools: list[RayPool] = []
    before = set(threading.enumerate())

    def make(resource: str, **options: Any) -> RayPool:
        pools.append(RayPool(address=bench.address, node_resource=resource, **options))
        return pools[-1]

    yield make
    for pool in pools:
        assert pool.stop(60)
    left = set(threading.enumerate()) - before
    assert [thread.name for thread in left if thread.name.startswith("orchestrator-")] == []
    assert ray.is_initialized(), "a connection of the host is never closed"


class TestRayPool(PoolContract):
    @pytest.fixture
    def new_pool(self, pool_on: Callable[..., RayPool]) -> NewPool:
        return partial(pool_on, "solo")


def samples(number: int, count: int = 100_000) -> tuple[np.ndarray, int]:
    return np.arange(number, number + count, dtype=np.int64).astype(np.int16), 16_000


# ------------------------------------------------------------------ nodes


def test_a_node_killed_in_the_middle_loses_and_doubles_nothing(
    bench: Bench, pool_on: Callable[..., RayPool], tmp_path: Path
) -> None:
    """No job is lost, each has one outcome; it begins again only where its node was lost before its outcome came."""
    nodes = [bench.add("trio") for _ in range(3)]
    paths = [str(tmp_path / f"{number:03}") for number in range(200)]
    gate = tmp_path / "gate"  # however slow the machine is, the last jobs are under way when the node dies
    with pool_on("trio", workers=2, max_attempts=3, pass_env=["RAY_RAYLET_PID"]) as pool:
        while [node.state for node in pool.stats().nodes].count("ready") < 3:
            time.sleep(0.05)
        futures = [
            pool.submit(Call("pool_functions:begin_on_ray", path, str(gate) if number >= 150 else None))
            for number, path in enumerate(paths)
        ]
        ended: list[int] = []
        for number, future in enumerate(futures):
            future.add_done_callback(lambda _, number=number: ended.append(number))
        while len(ended) < 40:
            time.sleep(0.005)
        told = list(ended)
        lost = nodes.pop()
        raylet = str(lost.all_processes["raylet"][0].process.pid)
        bench.kill(lost)
        gate.touch()
        assert [future.result() for future in futures] == paths
        stats = pool.stats()
    assert sorted(ended) == list(range(200)), "each job ended once"
    assert stats.outcomes["call"] == {"result": 200}
    assert [node.state for node in stats.nodes].count("lost") == 1
    begun = [Path(path).read_text().split() for path in paths]
    assert all(begun[number][1:] == [] for number in told), "what has been told does not begin again"
    for where in begun:
        assert len(where) == 1 or (len(where) == 2 and where[0] == raylet != where[1])
    for node in nodes:
        bench.kill(node)


def test_without_attempts_left_the_loss_of_a_node_is_the_error(
    bench: Bench, pool_on: Callable[..., RayPool]
) -> None:
    node = bench.add("lone")
    pool = pool_on("lone")
    future = pool.submit(Call("pool_functions:nap", 600))
    waiting = pool.submit(Call("pool_functions:add", 1, 1))
    until_running(future)
    bench.kill(node)
    with pytest.raises(NodeDiedError, match="was lost during run"):
        future.result()
    again = bench.add("lone")
    assert waiting.result() == 2, "what had not begun goes to a node that joins"
    assert {node.state for node in pool.stats().nodes} >= {"lost", "ready"}
    pool.close()
    bench.kill(again)


def test_a_job_whose_nodes_all_die_is_poisoned_with_the_evidence(
    bench: Bench, pool_on: Callable[..., RayPool]
) -> None:
    nodes = [bench.add("doomed"), bench.add("doomed")]
    pool = pool_on("doomed", max_attempts=2)
    pool.run(Call("pool_functions:pid"))
    future = pool.submit(Call("pool_functions:nap", 600))
    for _ in range(2):
        until_running(future)
        (name,) = [node.name for node in pool.stats().nodes if node.state == "ready" and node.given]
        (victim,) = [node for node in nodes if node.node_id.startswith(name.partition("/")[2])]
        bench.kill(victim)
        while future.running():
            time.sleep(0.005)
    with pytest.raises(JobPoisonedError) as caught:
        future.result()
    assert [attempt.reason for attempt in caught.value.attempts] == ["node-died", "node-died"]


def test_a_node_that_joins_is_used_and_results_name_it(bench: Bench, pool_on: Callable[..., RayPool]) -> None:
    nodes = [bench.add("growing")]
    with pool_on("growing", models=[synthetic(text="heard {digest}", job_ms=20)]) as pool:
        first = pool.run(Transcribe("model", samples(0)))
        assert isinstance(first.worker, NodeWorkerTag)
        nodes.append(bench.add("growing"))
        names = {first.worker.node}
        while len(names) < 2:
            jobs = (Transcribe("model", samples(number)) for number in range(20))
            names |= {result.worker.node for result in pool.map(jobs)}
        stats = pool.stats()
        assert [node.loaded for node in stats.nodes] == [("model",)] * 2
        assert [slot.slot for slot in stats.slots] == [0, 1]
    for node in nodes:
        bench.kill(node)


def test_audio_is_the_same_by_every_way(pool_on: Callable[..., RayPool], tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav_bytes(160_000))
    jobs = [Transcribe("model", audio) for audio in (tmp_path / "a.wav", wav_bytes(8_000), samples(1))]
    model = synthetic(text="heard {digest}")
    with Pool(models=[model]) as pool:
        heard = [result.text for result in pool.map(jobs)]
    assert len(set(heard)) == 3
    for shared_files in (False, True):
        with pool_on("solo", models=[model], shared_files=shared_files) as pool:
            assert [result.text for result in pool.map(jobs)] == heard


def test_a_model_that_no_node_has_is_refused_with_its_name(
    pool_on: Callable[..., RayPool], tmp_path: Path
) -> None:
    here = tmp_path / "here.bin"
    here.write_bytes(b"x")
    models = [
        Model(name="here", engine="synthetic", file=here),
        Model(name="away", engine="synthetic", file=tmp_path / "away.bin"),
    ]
    with pool_on("solo", models=models) as pool:
        pool.run(Transcribe("here", samples(1)))
        with pytest.raises(EngineUnavailableError, match="has the files of the model 'away'"):
            pool.run(Transcribe("away", samples(1)))
        assert [node.models for node in pool.stats().nodes] == [("function", "here")]


# ------------------------------------------------------------------ the process around it


def run_program(program: str, *arguments: str, strict: bool = True) -> Any:
    """Run a program of its own; not ``strict`` where Ray's own code warns."""
    return subprocess.run(
        [sys.executable, *(["-W", "error"] if strict else []), "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_a_connection_of_its_own_is_closed_with_the_last_pool(bench: Bench) -> None:
    program = """
        import sys
        import ray
        from orchestrator import Call, RayPool
        first = RayPool(address=sys.argv[1], node_resource="solo")
        with RayPool(address=sys.argv[1], node_resource="solo") as second:
            assert second.run(Call("operator:add", 1, 2)) == 3
        assert first.run(Call("operator:add", 1, 2)) == 3
        assert first.close()
        assert not ray.is_initialized()
        print("good")
    """
    done = run_program(program, bench.address)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("good\n")  # before it stands what Ray says of nodes that tests have killed


def test_through_the_client(bench: Bench) -> None:
    pytest.importorskip("grpc", reason="ray:// needs the extra ray[client]")
    port = bench.cluster.head_node._ray_params.ray_client_server_port
    program = """
        import sys
        import numpy as np
        from orchestrator import Call, Model, RayPool, Transcribe
        model = Model(name="m", engine="synthetic", options={"text": "heard {digest}"})
        with RayPool(models=[model], address=sys.argv[1], node_resource="solo") as pool:
            assert list(pool.map(Call("operator:add", n, 1) for n in range(50))) == list(range(1, 51))
            print(pool.run(Transcribe("m", (np.zeros(100_000, dtype=np.int16), 16_000))).text)
    """
    done = run_program(program, f"ray://127.0.0.1:{port}")
    for _ in range(
        2
    ):  # on a busy machine Ray's proxy may find the server it has just started for a client gone again
        if "Initialization failure from server" in done.stderr:
            done = run_program(program, f"ray://127.0.0.1:{port}")
    assert done.returncode == 0, done.stderr
    assert "heard " in done.stdout


def test_without_ray_the_extra_is_named() -> None:
    program = """
        import sys
        sys.modules["ray"] = None
        from orchestrator import EngineUnavailableError, RayPool
        try:
            RayPool()
        except EngineUnavailableError as error:
            print(error.how_to_get_it)
    """
    assert run_program(program).stdout == "pip install 'orchestrator[ray]'\n"


# ------------------------------------------------------------------ batches

FILE = """
schema = 1
[profiles.lab.models.asr-small]
engine = "synthetic"
options = { text = "heard {digest}", job_ms = 50 }
[profiles.lab.samples.s]
audio = "in/000.wav"
[[experiment]]
name = "e"
methods = ["recycle"]
[[experiment.steps]]
task = "asr"
model = "asr-small"
sample = "s"
"""


def batch_command(folder: Path, out: str, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "orchestrator", "batch", "in", "--out", out),
        *("--config", str(folder / "experiments.toml"), "--profile", "lab", "--workers", "1", "-q", *more),
    ]


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.txt")}


def test_a_batch_on_ray_is_the_batch_here_though_a_node_dies(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "experiments.toml").write_text(FILE)
    (tmp_path / "in").mkdir()
    for number in range(60):
        content = bytearray(wav_bytes(32_000))
        content[44::2] = bytes([number % 251 + 1]) * 32_000
        (tmp_path / f"in/{number:03}.wav").write_bytes(content)
    env = {**os.environ, "RAY_ADDRESS": bench.address, "XDG_RUNTIME_DIR": str(tmp_path)}
    subprocess.run(batch_command(tmp_path, "here"), cwd=tmp_path, check=True, timeout=100)
    doomed = bench.add("batch")
    with subprocess.Popen(
        batch_command(tmp_path, "there", "--on", "ray"),
        cwd=tmp_path,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    ) as there:
        while there.poll() is None and len(outputs(tmp_path / "there")) < 10:
            time.sleep(0.01)
        bench.kill(doomed)
        _, said = there.communicate(timeout=100)
    assert there.returncode == 0, said
    assert outputs(tmp_path / "there") == outputs(tmp_path / "here")
    assert len(outputs(tmp_path / "here")) == 60


# ------------------------------------------------------------------ Ray Data


def test_the_recipe_for_ray_data(bench: Bench, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Ray Data needs pyarrow")
    node = bench.add("data", cpus=2)
    for number in range(3):
        (tmp_path / f"{number}.wav").write_bytes(wav_bytes(16_000 + number))
    program = """
        import json, sys
        import ray
        ray.init(address=sys.argv[1], runtime_env={"env_vars": {"PYTHONPATH": sys.argv[2]}}, logging_level="ERROR")
        sys.path.insert(0, sys.argv[2])
        from orchestrator import Model
        from transcribe_batches import TranscribeBatch
        model = Model(name="asr-small", engine="synthetic", options={"text": "heard {digest}"})
        rows = [{"path": path} for path in sys.argv[3:]]
        dataset = ray.data.from_items(rows).map_batches(
            TranscribeBatch, fn_constructor_kwargs={"models": [model]}, batch_size=2, num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=1),
        )
        print("rows:" + json.dumps(dataset.take_all()))
    """
    paths = [str(tmp_path / name) for name in ("0.wav", "1.wav", "missing.wav", "2.wav")]
    recipe = Path(__file__).parents[2] / "examples/ray_data"
    done = run_program(program, bench.address, str(recipe), *paths, strict=False)
    assert done.returncode == 0, done.stderr
    rows = {row["path"]: row for row in json.loads(done.stdout.partition("rows:")[2])}
    assert [rows[path]["text"].partition(" ")[0] for path in paths] == ["heard", "heard", "", "heard"]
    assert "there is no such file" in rows[paths[2]]["error"]
    bench.kill(node)


def test_a_stopped_worker_is_found_on_its_node(pool_on: Callable[..., RayPool]) -> None:
    pool = pool_on("solo", heartbeat_s=2.0)
    error = pool.submit(Call("hostile_functions:stop_itself")).exception(120)
    assert isinstance(error, WorkerDiedError)
    assert "frozen" in str(error)
    assert pool.run(Call("operator:add", 1, 1)) == 2
    assert pool.stats().exits == {"frozen": 1}


@pytest.mark.parametrize("seconds", [0, -1.0])
def test_a_heartbeat_that_makes_no_sense_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="heartbeat_s"):
        RayPool(heartbeat_s=seconds)
