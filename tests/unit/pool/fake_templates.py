"""Pools of models that are started warm, on fake templates."""

from typing import Any

from fake_pool import MIB, FakePool, FakeTemplateLink

BUDGET = 200 * MIB
THREADS = "4 threads of its own run"


def warm_pool(*names: str, **settings: Any) -> FakePool:
    return FakePool(*(names or ("m",)), start="warm", **settings)


def template_loads(pool: FakePool, why_not: str = "", number: int = -1) -> FakeTemplateLink:
    link = pool.templates[number]
    pool.supervisor.templates.loaded(link.template, why_not, pool.now)
    pool.settle()
    return link


def template_dies(pool: FakePool) -> FakeTemplateLink:
    link = pool.templates[-1]
    pool.supervisor.templates.ended(link.template, "SIGKILL", pool.now)
    pool.settle()
    return link


def working(pool: FakePool, jobs: int = 1) -> FakePool:
    """Have a template, and jobs under way on its workers."""
    for _ in range(jobs):
        pool.submit("m")
    template_loads(pool)
    pool.ready_all()
    return pool


def cold_because(pool: FakePool, name: str = "m") -> str | None:
    return pool.registry.model_queues[name].cold_because
