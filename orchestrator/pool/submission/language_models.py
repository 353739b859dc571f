"""Which instance of a model gets a job: engines that read the language when they start have one for each language.

::

    Model("aligner", language="English")
        job without a language, or in English ─────▶ queue "aligner"           ─▶ its workers
        job in Chinese, or with a Chinese text ────▶ queue "aligner (Chinese)" ─▶ workers started for Chinese

Further instances are models like others: scheduled, evicted, recycled (by the limits of the one they come from) and
shown under their own names. They are made when the first job for them comes.
"""

from __future__ import annotations

import threading

import msgspec

from orchestrator.pool.core.entities import ModelQueue
from orchestrator.pool.jobs import Call, EngineJob, Job
from orchestrator.pool.models import Model
from orchestrator.pool.submission.payload import Payload
from orchestrator.process.engine_environment import READS_LANGUAGE_AT_START
from orchestrator_worker.language_names import (
    AUTO,
    KNOWN,
    WITHOUT_BLANKS,
    language_name,
    language_of_script,
)


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
        language = language_to_start(job, model)
        if language is None:
            return payload
        name = f"{model.name} ({language})"
        with self._lock:
            if name not in self.made:
                started = msgspec.structs.replace(model, name=name, language=language)
                self.made[name] = ModelQueue(started, recycled_as=model.name)
        return msgspec.structs.replace(payload, model=name)


def language_to_start(job: EngineJob, model: Model) -> str | None:
    """Return the language that another instance must be started for; None: the model as it is will do.

    A language that nobody knows makes no instance: the engine says what is wrong with it.
    """
    has = language_name(model.language)
    wanted = language_name(job.language) or language_name(job.text_language)
    if wanted is None and job.task == "align" and has not in WITHOUT_BLANKS:
        wanted = language_of_script(job.text or "")
    if wanted is None or wanted == has:
        return None
    if wanted == AUTO and job.task == "align":
        return None  # of a text it is known; to hear it means something to recognition only
    return wanted if wanted in KNOWN or wanted == AUTO else None
