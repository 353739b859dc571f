"""The front door to a cluster: ``RayPool``, with the interface of ``Pool``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from orchestrator.cluster.cluster_stats import ClusterStats
from orchestrator.cluster.controller import ClusterController, ClusterSettings
from orchestrator.pool.futures import JobFuture
from orchestrator.pool.jobs import Job
from orchestrator.pool.models import Model, models_by_name
from orchestrator.pool.options import START_TIMEOUT_S
from orchestrator.pool.pool import JOBS_AHEAD, Pool
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry
from orchestrator.pool.submission.checked_options import (
    checked_names,
    default_cache_dir,
    models_and_recycle,
    positive_s,
    value_bound,
)
from orchestrator.process.host.supported import refuse_patched_host
from orchestrator_worker.sharing.shared_memory import DEFAULT_BOUND


class RayPool(Pool):
    """Runs jobs on the nodes of a Ray cluster: one actor a node, and in it a pool of isolated workers.

    Args:
        config: An experiments.toml, read here; its models' files are looked for on each node, under the same path.
        profile: A profile's name, or ``auto``.
        models: Models built in code; of two with one name these win over the file's.
        address: ``ray://HOST:10001``, ``HOST:6379``, ``auto`` or ``local``. None: that of ``RAY_ADDRESS``, else the
            cluster that this user or root started on this machine, else a new one, as with ``local``. A process that is
            connected already keeps its connection, and it stays when this pool goes.
        workers: Slots of each node; None: by its cores.
        memory_budget: Of each node, as for ``Pool``. Default: by the node's own control group or memory.
        hard_budget: Keep each node's budget in the middle of jobs too, as for ``Pool``.
        standby_models: Models of which a worker may stay loaded for each worker of a node, while another works; so that
            jobs of several models take turns without unloading one for the other.
        exclusive: Keep only one model loaded at a time on each node.
        recycle: When workers are replaced, as for ``Pool``; each node does it by what it measures.
        max_queue: Jobs that may wait, here and on the nodes together; then ``submit`` blocks or raises.
        max_attempts: How often a job is tried whose worker or node dies, all nodes together. A job whose node is
            lost before it has told of the job's start counts as not begun, and may begin once more.
        max_value: Bytes that a call's arguments or result may have, as for ``Pool``.
        heartbeat_s: Kill a worker at work of which no thread has run for so many seconds, as for ``Pool``; each node
            looks at its own. A node whose system does not count that cannot be used, and says so.
        start_timeout_s: Seconds a worker may take until its model is loaded.
        cache_dir: Where converted audio is kept, on this machine.
        node_cpus: CPUs that Ray accounts for each node's actor. 0 leaves all of them to Ray's other work.
        node_resource: Only nodes with this custom resource are used.
        shared_files: The nodes see this machine's files under the same paths: audio is opened there if size and time of
            change agree, and sent along only if not.
        python: The interpreter of the workers, a path on each node. Default: that node's ORCHESTRATOR_PYTHON, or the
            interpreter that Ray runs there.
        pass_env: Variables of each node's own environment that workers get, as for ``Pool``.

    Nodes that join are used, a lost node's jobs go to others. Results, errors, order, limits and the ``with`` block are
    those of ``Pool``; ``docs/scaling.md`` has what differs.

    Raises:
        EngineUnavailableError: Ray is not installed, no cluster answers, or none could be started.
        ConfigError: The file cannot be used.
        UnsupportedHostError: This process is patched by gevent or the like.
        ValueError, TypeError: An option makes no sense; named.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | None = None,
        *,
        profile: str = "auto",
        models: Iterable[Model] | None = None,
        address: str | None = None,
        workers: int | None = 1,
        memory_budget: int | str | None = None,
        hard_budget: bool = False,
        standby_models: int = 0,
        exclusive: bool = False,
        recycle: Recycle | Literal["auto"] | None = None,
        max_queue: int = 1000,
        max_attempts: int | Retry = 1,
        max_value: int | str = DEFAULT_BOUND,
        heartbeat_s: float | None = None,
        start_timeout_s: float = START_TIMEOUT_S,
        cache_dir: str | os.PathLike[str] | None = None,
        node_cpus: float = 0,
        node_resource: str | None = None,
        shared_files: bool = False,
        python: str | os.PathLike[str] | None = None,
        pass_env: Iterable[str] = (),
    ) -> None:
        refuse_patched_host()
        if workers is not None and (type(workers) is not int or workers < 1):
            raise ValueError(f"workers={workers!r}: a whole number, at least 1, or None")
        if node_cpus < 0:
            raise ValueError(f"node_cpus={node_cpus!r}: a number of CPUs, or 0")
        known, from_file = models_and_recycle(config, profile, models)
        self._cluster = ClusterController(
            ClusterSettings(
                address=address,
                models=models_by_name(known),
                workers=workers,
                memory_budget=memory_budget,
                hard_budget=hard_budget,
                standby_models=standby_models,
                exclusive=exclusive,
                recycle=recycle or from_file,
                max_queue=max_queue,
                retry=max_attempts if isinstance(max_attempts, Retry) else Retry.up_to(max_attempts),
                max_value=value_bound(max_value),
                heartbeat_s=positive_s("heartbeat_s", heartbeat_s),
                start_timeout_s=positive_s("start_timeout_s", start_timeout_s) or START_TIMEOUT_S,
                cache_dir=Path(cache_dir) if cache_dir is not None else default_cache_dir(),
                node_cpus=node_cpus,
                node_resource=node_resource,
                shared_files=shared_files,
                python=None if python is None else os.fspath(python),
                pass_env=checked_names(pass_env),
            )
        )

    @property
    def models(self) -> tuple[Model, ...]:
        """The models this pool knows, the one of ``Call`` jobs first. A node has those whose files are there."""
        return tuple(self._cluster.settings.models.values())

    def _submit(
        self,
        job: Job,
        future: JobFuture[Any],
        timeout_s: float | None,
        queue_timeout_s: float | None,
        priority: int,
        *,
        block: bool,
        stream: bool = False,
        returning: bool = False,  # noqa: ARG002 - a node sees to its own replies
    ) -> None:
        self._cluster.submit(
            job,
            future,
            timeout_s=positive_s("timeout_s", timeout_s),
            queue_timeout_s=positive_s("queue_timeout_s", queue_timeout_s),
            priority=priority,
            block=block,
            stream=stream,
        )

    def _ahead_of(self, job: Job) -> int:  # noqa: ARG002 - how short jobs are is known on the nodes
        return self._ahead

    @property
    def _ahead(self) -> int:
        return max(2, self._cluster.workers * JOBS_AHEAD * 2)  # some are on their way

    def stats(self) -> ClusterStats:
        """Return what the cluster looks like now: the whole as of one pool, and ``nodes``, each with its own pool.

        Asks the nodes; one that does not answer within five seconds is shown as it was last seen.
        """
        return self._cluster.stats()

    def close(self, timeout_s: float | None = None) -> bool:
        """Take no more jobs, finish those there are, leave every node. Blocks until that is done.

        Returns:
            False when that took longer than ``timeout_s``; it goes on.
        """
        self._cluster.end(drop=False)
        return self._cluster.join(timeout_s)

    def stop(self, timeout_s: float | None = None) -> bool:
        """Take no more jobs, cancel those there are, leave every node. Blocks until that is done.

        Returns:
            False when that took longer than ``timeout_s``.
        """
        self._cluster.end(drop=True)
        return self._cluster.join(timeout_s)

    def __del__(self) -> None:
        if hasattr(self, "_cluster") and not self._cluster.closed:
            self._cluster.end(drop=False)
