"""A configuration as read from its file, and the pool that it means."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.config.load import load_file
from orchestrator.pipeline.assembly import models_for_pieces
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.pool.submission.model_configuration import models_of
from orchestrator.process.host.cores import usable_cores
from orchestrator.serving.fields import Offer
from orchestrator.serving.running import RANKS, Place, Running
from orchestrator.serving.settings import ServeSettings, settings_of

DECODED_AT_ONCE = 2
"""Recordings that are decoded at a time, at least; with more cores, as many as these."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a file says: the settings, the models of its profile, and what requests may name."""

    settings: ServeSettings
    models: tuple[Model, ...]
    offer: Offer

    def same_pool(self, other: Configuration) -> bool:
        """Whether a pool made for the one serves the other too."""
        return self.models == other.models and _of_pool(self.settings) == _of_pool(other.settings)


def read_configuration(
    config: Path, profile: str, environ: Mapping[str, str], *, waits: bool
) -> Configuration:
    """Read an experiments.toml, once: a pipe gives it once, and a file may be written meanwhile.

    ``waits``: for the writer of a named pipe.

    Raises:
        ConfigError: The file cannot be used; all that is wrong with it.
    """
    file = load_file(config, waits=waits)
    settings = settings_of(file, config, models_of(file, config, profile), environ)
    models = models_of(file, config, profile, settings.workers)
    bound = {model.name: model for model in [*models, *models_for_pieces(models)]}
    offer = Offer(
        engines={name: model.engine for name, model in bound.items()},
        aliases=settings.aliases,
        model=settings.model,
        aligner=settings.aligner,
    )
    return Configuration(settings, tuple(bound.values()), offer)


@dataclass(eq=False)
class Loaded:
    """A configuration at work. ``under_way`` counts the requests that use its pool."""

    configuration: Configuration
    pool: Pool
    place: Place
    threads: ThreadPoolExecutor
    running: set[Running] = field(default_factory=set[Running])
    under_way: int = 0
    warm: bool = False

    @property
    def settings(self) -> ServeSettings:
        """Of the configuration."""
        return self.configuration.settings

    def close(self, *, drop: bool) -> None:
        """End the pool; ``drop`` its jobs. Blocks until every worker is gone."""
        if drop:
            self.pool.stop()
        else:
            self.pool.close()
        self.threads.shutdown()


def start(configuration: Configuration, folder: Path) -> Loaded:
    """Start the pool of a configuration; converted copies go below ``folder``.

    Raises:
        OrchestratorError: Its workers cannot be confined as a model asks, or no interpreter can run them.
    """
    settings = configuration.settings
    pool = Pool(
        models=configuration.models,
        workers=settings.workers,
        memory_budget=settings.memory_budget,
        hard_budget=settings.memory_budget is not None,
        standby=(len(configuration.models) - 1) * settings.workers,
        keep_warm=settings.keep_warm,
        recycle=settings.recycle,
        max_queue=settings.max_requests * RANKS * 2,
        max_attempts=settings.max_attempts,
        cache_dir=folder / "decoded",
    )
    threads = ThreadPoolExecutor(settings.max_requests, thread_name_prefix="request")
    decoding = threading.BoundedSemaphore(max(DECODED_AT_ONCE, usable_cores()))
    return Loaded(configuration, pool, Place(pool, threads, decoding), threads)


def _of_pool(settings: ServeSettings) -> ServeSettings:
    """Return the settings with all that no pool asks for made equal."""
    return replace(
        settings,
        model="",
        aligner=None,
        aliases={},
        max_upload_bytes=0,
        max_audio_s=0.0,
        timeout_s=0.0,
        upload_timeout_s=0.0,
        grace_s=0.0,
        chinese="zh-TW",
        keys=(),
    )
