"""A Ray cluster of several nodes on this machine, for tests: it shares no file with any other, and leaves nothing.

Ray keeps the address of "the" cluster of a machine, links and locks in one folder, ``/tmp/ray`` unless ``RAY_TMPDIR``
says otherwise, and does not always make it. A bench has a folder of its own there, and Ray's variables of whoever runs
the tests are out of its way.
"""

import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import ray
from ray.cluster_utils import Cluster

from orchestrator.cluster.own_cluster import end_processes, processes_of_ray
from short_paths import new_short_folder

OBJECT_STORE_BYTES = 80 * 1024 * 1024
"""The least that Ray takes is 75 MB."""


class Bench:
    """A cluster whose head does no work, and a connection to it. To be made under :func:`rays_own_place`."""

    def __init__(self, folder: Path) -> None:
        self._before = {child.pid for child in psutil.Process().children()}
        try:
            with rays_own_warnings():
                self.cluster = Cluster(
                    initialize_head=True,
                    head_node_args={
                        "num_cpus": 0,
                        "object_store_memory": OBJECT_STORE_BYTES,
                        "include_dashboard": False,
                        "temp_dir": str(folder),
                        "ray_client_server_port": free_port(),
                    },
                )
                ray.init(address=self.cluster.address, log_to_driver=False, logging_level="ERROR")
        except BaseException:
            self.end()
            raise

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self, resource: str, cpus: int = 0) -> Any:
        """Start a node that has a resource of this name, by which a pool chooses its nodes."""
        with rays_own_warnings():
            return self.cluster.add_node(
                num_cpus=cpus, object_store_memory=OBJECT_STORE_BYTES, resources={resource: 1}
            )

    def kill(self, node: Any) -> None:
        """End all of a node's processes at once, as a machine that falls silent."""
        with rays_own_warnings():
            # Ray ends the raylet alone, and what runs under it would work on until it has noticed.
            raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
            for process in [raylet, *raylet.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self.cluster.remove_node(node, allow_graceful=False)

    def end(self) -> None:
        """Leave no process, whatever state the cluster is in: what Ray does not end is killed."""
        started = processes_of_ray(ray, self._before)
        with rays_own_warnings():
            with suppress(Exception):
                ray.shutdown()
            with suppress(Exception):
                self.cluster.shutdown()
            end_processes(started, wait_s=0)


@contextmanager
def rays_own_place() -> Iterator[Path]:
    """Give Ray a folder that is this block's alone, and an environment without anybody's settings for Ray."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("RAY_")}
    with new_short_folder("ray-") as base:  # Ray's sockets lie deep in it
        (base / "ray").mkdir()  # Cluster writes into it without making it
        # A token that lies in somebody's home folder must not decide how the tests connect.
        os.environ.update(RAY_TMPDIR=str(base), RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled")
        try:
            yield base / "ray"
        finally:
            for name in [name for name in os.environ if name.startswith("RAY_")]:
                del os.environ[name]
            os.environ.update(kept)


@contextmanager
def rays_own_warnings() -> Iterator[None]:
    """Ray leaves the log files of the processes that it starts to the garbage collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
