"""Ray Data: a dataset of recordings becomes one of text, with a leak-proof pool in each of Ray Data's actors.

    dataset = ray.data.read_parquet("recordings/")            # a column "path", or "bytes" with the files themselves
    dataset = dataset.map_batches(
        TranscribeBatch, fn_constructor_kwargs={"workers": 2}, batch_size=32, num_cpus=2,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=16),
    )
    dataset.write_parquet("text/")

Ray Data places, feeds and restarts the actors; the pool in each isolates the engine, recycles its processes by their
memory, and lets a recording that kills one cost its own row alone. A path must be one that the node can open; with a
column ``bytes`` the audio travels with the rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from orchestrator import Model, Pool, Recycle, Transcribe


class TranscribeBatch:
    """Adds the columns ``text`` and ``error`` to a batch of rows; one of them is empty.

    Args:
        config: An experiments.toml on the node, whose profile binds the model.
        models: Models built in code, instead of a file.
        model: The one that transcribes.
        workers: Processes of this actor's pool; give it as many CPUs.
        max_rss: At which memory a process is replaced.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | None = None,
        models: Iterable[Model] | None = None,
        model: str = "asr-small",
        workers: int = 1,
        max_rss: str = "2GiB",
    ) -> None:
        self._model = model
        self._pool = Pool(config, models=models, workers=workers, recycle=Recycle(max_rss=max_rss))

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Transcribe the rows of one batch, in order."""
        audio = batch["bytes"] if "bytes" in batch else batch["path"]
        jobs = (Transcribe(self._model, each) for each in audio.tolist())
        results = list(self._pool.map(jobs, errors="return"))
        failed = [isinstance(result, Exception) for result in results]
        texts = ["" if bad else result.text for result, bad in zip(results, failed, strict=True)]
        errors = [str(result) if bad else "" for result, bad in zip(results, failed, strict=True)]
        return {**batch, "text": np.array(texts, dtype=object), "error": np.array(errors, dtype=object)}
