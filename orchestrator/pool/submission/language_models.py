"""Which instance of a model gets a job: engines that read the language when they start have one for each language.

::

    Model(name="aligner", language="English")
        job without a language, or in English ─────▶ queue "aligner"           ─▶ its workers
        job in Chinese, or with a Chinese text ────▶ queue "aligner (Chinese)" ─▶ workers started for Chinese

Further instances are models like others: scheduled, evicted, recycled (by the limits of the one they come from) and
shown under their own names. They are made when the first job for them comes.
"""

from __future__ import annotations

import threading

import msgspec

from orchestrator.pool.core.entities import ModelQueue
from orchestrator.pool.jobs import Call, Job
from orchestrator.pool.models import Model
from orchestrator.pool.submission.payload import Payload
from orchestrator.process.start_language import READS_LANGUAGE_AT_START, language_to_start
from orchestrator_worker.language_names import language_name


class LanguageModels:
    """The further instances of one pool's models. Safe from many threads.

    ``made`` are their queues by name; the pool's registry gets to know them with their first jobs.
    """

    def __init__(self) -> None:
        self.made: dict[str, ModelQueue] = {}
        self._lock = threading.Lock()

    def addressed(self, payload: Payload, job: Job, model: Model) -> Payload:
        """Return the payload, addressed to the instance of ``model`` that is started for the language of ``job``."""
        if model.engine not in READS_LANGUAGE_AT_START or isinstance(job, Call):
            return payload
        wanted = language_name(job.language) or language_name(job.text_language)
        language = language_to_start(job.task, has=model.language, wanted=wanted, text=job.text)
        if language is None:
            return payload
        name = f"{model.name} ({language})"
        with self._lock:
            if name not in self.made:
                started = msgspec.structs.replace(model, name=name, language=language)
                self.made[name] = ModelQueue(started, recycled_as=model.name)
        return msgspec.structs.replace(payload, model=name)
