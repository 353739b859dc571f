"""For which language a model must be started whose engine reads it then: the same in pools and experiments.

What counts is, in this order: what was asked for or heard, and for an alignment the script of its text.
"""

from __future__ import annotations

from orchestrator_worker.language_names import (
    AUTO,
    KNOWN,
    WITHOUT_BLANKS,
    language_name,
    language_of_script,
)

READS_LANGUAGE_AT_START = frozenset({"chatllm"})
"""Engines that are started for a language: a job in another one needs another start of the model."""


def language_to_start(task: str, *, has: str | None, wanted: str | None, text: str | None) -> str | None:
    """Return the language that a model must be started for; None: as it is, it will do.

    A language that nobody knows is None too: the engine says what is wrong with it.

    Args:
        task: Of the job: for ``align``, ``text`` has a say.
        has: The model's language.
        wanted: Asked for or heard; None when nobody knows.
        text: What is to be aligned.
    """
    own, name = language_name(has), language_name(wanted)
    if name is None and task == "align" and own not in WITHOUT_BLANKS:
        name = language_of_script(text or "")
    if name is None or name == own:
        return None
    if name == AUTO and task == "align":
        return None  # of a text it is known; to hear it means something to recognition only
    return name if name in KNOWN or name == AUTO else None
