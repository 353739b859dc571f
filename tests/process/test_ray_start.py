"""``RayPool`` where there is no Ray cluster: it starts one, on a machine that nobody has prepared, and nothing stays.

Each program has an empty home, an empty folder for temporary files and nothing in the environment but what it needs.
"""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from left_over import LeftOver
from pool_contract import wav_bytes

from short_paths import new_short_folder

pytest.importorskip("ray", reason="the extra 'ray' is not installed")
from ray_bench import Bench, rays_own_place

pytestmark = pytest.mark.timeout(400)
ADD = """
    from orchestrator import Call, RayPool
    with RayPool() as pool:
        print(pool.run(Call("operator:add", 1, 2)), pool.stats().nodes[0].state)
"""


@pytest.fixture
def machine() -> Iterator[Path]:
    """Folders ``home`` and ``tmp``, both empty, with a path that is short enough for Ray's sockets."""
    with new_short_folder("m-") as folder:
        (folder / "home").mkdir()
        (folder / "tmp").mkdir()
        yield folder
        left = [
            process
            for process in psutil.process_iter(["cmdline"])
            if any(str(folder) in word for word in process.info["cmdline"] or ())
        ]
        for process in left:
            process.kill()
        assert not left


def start(machine: Path, *command: str, **env: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *command],
        env={
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(machine / "home"),
            "TMPDIR": str(machine / "tmp"),
            **env,
        },
        cwd=machine / "home",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(machine: Path, program: str, **env: str) -> tuple[int, str, str]:
    with start(machine, "-c", textwrap.dedent(program), **env) as process:
        said, errors = process.communicate(timeout=150)
    return process.returncode, said, errors


def test_two_programs_start_a_cluster_each_and_share_nothing(machine: Path) -> None:
    both = [start(machine, "-c", textwrap.dedent(ADD)) for _ in range(2)]
    for process in both:
        with process:
            said, errors = process.communicate(timeout=150)
        assert (process.returncode, said) == (0, "3 ready\n"), errors
    assert list((machine / "tmp").iterdir()) == []


def test_a_batch_beside_what_another_users_ray_has_left(machine: Path) -> None:
    """Ray's common folder cannot be used and names a cluster that is gone, and there is no home to write to."""
    theirs = machine / "tmp/ray"
    theirs.mkdir()
    (theirs / "ray_current_cluster").write_text("127.0.0.1:9")
    (theirs / "session_latest").mkdir()
    theirs.chmod(0o555)
    (machine / "home/in").mkdir()
    (machine / "home/in/a.wav").write_bytes(wav_bytes())
    (machine / "home/experiments.toml").write_text(
        """
        schema = 1
        [profiles.lab.models.asr-small]
        engine = "synthetic"
        options = { text = "heard" }
        [profiles.lab.samples.s]
        audio = "in/a.wav"
        [[experiment]]
        name = "e"
        methods = ["recycle"]
        [[experiment.steps]]
        task = "asr"
        model = "asr-small"
        sample = "s"
        """
    )
    options = [
        "batch",
        "in",
        "--out",
        "out",
        "--config",
        "experiments.toml",
        "--profile",
        "lab",
        "--on",
        "ray",
        "-q",
    ]
    with start(
        machine, "-m", "orchestrator", *options, HOME="/proc/none", XDG_RUNTIME_DIR=str(machine / "home")
    ) as batch:
        said, errors = batch.communicate(timeout=150)
    assert batch.returncode == 0, said + errors
    assert (machine / "home/out/a.txt").read_text().strip() == "heard"
    assert [path.name for path in (machine / "tmp").iterdir()] == ["ray"]


@pytest.mark.parametrize("where", ["get_node", "start_raylet"])
def test_a_cluster_that_fails_to_start_leaves_no_process_and_no_folder(machine: Path, where: str) -> None:
    program = f"""
        import sys
        import psutil
        import ray._private.services as services
        from orchestrator import EngineUnavailableError, RayPool
        started = []
        def fail(*_, **__):
            started.extend(child.name() for child in psutil.Process().children())
            raise Exception("it was not to be")
        services.{where} = fail
        try:
            RayPool()
        except EngineUnavailableError as error:
            assert "it was not to be" in str(error), error
        else:
            sys.exit("it started")
        assert [child for child in psutil.Process().children(recursive=True)] == []
        print(*started)
    """
    code, said, errors = run(machine, program)
    assert code == 0, errors
    assert "gcs_server" in said
    assert ("raylet" in said) is (where == "get_node")
    assert list((machine / "tmp").iterdir()) == []


def test_a_cluster_of_the_tests_that_fails_to_start_leaves_no_raylet(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("/tmp/ray/ray_current_cluster")

    before = LeftOver.now()
    with rays_own_place() as folder:
        monkeypatch.setattr("ray._private.utils.write_ray_address", refuse)
        with pytest.raises(PermissionError):
            Bench(folder)
    left = LeftOver.now().since(before)
    assert [line for line in left.lines() if line.startswith("process")] == []
    assert not folder.parent.exists()


def test_a_named_cluster_that_does_not_answer_is_an_error_and_none_is_started(machine: Path) -> None:
    program = """
        from orchestrator import EngineUnavailableError, RayPool
        try:
            RayPool(address="127.0.0.1:9")
        except EngineUnavailableError as error:
            print(error.what.partition(":9:")[0])
    """
    code, said, errors = run(machine, program)
    assert (code, said) == (0, "no Ray cluster answers at 127.0.0.1\n"), errors
