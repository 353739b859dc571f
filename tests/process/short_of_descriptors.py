"""A host that runs out of descriptors, in a process of its own: how its pool fares is printed as JSON."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable

from orchestrator.config.model import StartMode
from orchestrator.pool.jobs import Call, EngineJob
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool

JOBS, DEADLINE_S = 16, 120.0


def limit(free: int) -> None:
    """Leave so many descriptors free."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1 + free, hard))


def main(free: int, workers: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    pool = Pool(workers=workers, models=None)
    until(lambda: len(pids(pool)) == workers)
    limit(free)
    for pid in pids(pool)[1:]:  # replacements meet the shortage
        os.kill(pid, 9)
    until(lambda: pool.stats().shortage is not None or pool.stats().spawns >= 2 * workers - 1)
    first = [pool.submit(Call("operator:add", number, 1)) for number in range(JOBS)]
    errors = [type(error).__name__ for job in first if (error := job.exception(DEADLINE_S))]
    short = pool.stats().shortage
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    end = time.monotonic() + DEADLINE_S
    back = False
    while not back:  # nobody is started without a job for him, where a start has failed before
        assert time.monotonic() < end
        second = [pool.submit(Call("operator:add", number, 1)) for number in range(JOBS)]
        errors += [type(error).__name__ for job in second if (error := job.exception(DEADLINE_S))]
        back = len(pids(pool)) == workers
    after = pool.stats().shortage
    pool.close()
    print(json.dumps({"errors": errors, "short": short, "after": after}))


def two_models(free: int, start: StartMode) -> None:
    """One worker of a model without further jobs stands idle; a job for another model comes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    models = [Model(name=name, engine="synthetic", start=start, options={"may_fork": True}) for name in "ab"]
    with Pool(workers=2, models=models) as pool:
        pool.submit(EngineJob("a", "asr")).result(DEADLINE_S)
        limit(free)
        pool.submit(EngineJob("b", "asr")).result(DEADLINE_S)
        evicted = pool.stats().evictions
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print(json.dumps({"evicted": evicted}))


def pids(pool: Pool) -> list[int]:
    loaded = ("idle", "busy")
    return [slot.worker.pid for slot in pool.stats().slots if slot.worker and slot.worker.state in loaded]


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


if __name__ == "__main__":
    if sys.argv[2] in ("cold", "warm"):
        two_models(int(sys.argv[1]), sys.argv[2])
    else:
        main(int(sys.argv[1]), int(sys.argv[2]))
