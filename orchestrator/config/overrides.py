"""What is said outside the file: flags of the command line, and environment variables.

A variable that is empty counts as not set, because ``docker run -e NAME=`` and shells leave such behind.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from orchestrator.config.checks import AUTO
from orchestrator.config.fields import StopRule
from orchestrator.config.wording import excerpt
from orchestrator.errors import ConfigProblem

THREADS_VARIABLE = "INFERENCE_THREADS"
CONTEXT_VARIABLE = "CONTEXT_LENGTH"
LANGUAGE_VARIABLE = "ASR_LANGUAGE"


class Overrides(msgspec.Struct, frozen=True):
    """Flags of the command line; None is a flag that was not given."""

    profile: str = AUTO
    only: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    iterations: int | None = None
    threads: int | None = None
    context_length: int | None = None
    language: str | None = None
    stop: StopRule | None = None
    jobs_per_load: tuple[int, int] | None = None


class Said(msgspec.Struct, frozen=True):
    """Settings of models from flags and environment, flags first; None leaves a setting to the file."""

    threads: int | None = None
    context_length: int | None = None
    language: str | None = None


def said_outside(overrides: Overrides, environ: Mapping[str, str]) -> tuple[Said, list[ConfigProblem]]:
    """Merge flags with INFERENCE_THREADS, CONTEXT_LENGTH and ASR_LANGUAGE; return the result and problems.

    A variable is only looked at where its flag is not given, so a flag also cures a bad variable.
    """
    problems = [
        ConfigProblem(flag, f"{number} is out of range", "allowed: at least 1")
        for flag, number in (
            ("--iterations", overrides.iterations),
            ("--threads", overrides.threads),
            ("--context-length", overrides.context_length),
        )
        if number is not None and number < 1
    ]
    numbers: list[int | None] = []
    for flag_value, variable in (
        (overrides.threads, THREADS_VARIABLE),
        (overrides.context_length, CONTEXT_VARIABLE),
    ):
        text = environ.get(variable, "").strip()
        if flag_value is None and text and not _is_count(text):
            problems.append(
                ConfigProblem(variable, f"{excerpt(text)} cannot be used", "allowed: an integer, at least 1")
            )
        numbers.append(int(text) if flag_value is None and _is_count(text) else flag_value)
    language = (overrides.language or environ.get(LANGUAGE_VARIABLE, "")).strip() or None
    return Said(threads=numbers[0], context_length=numbers[1], language=language), problems


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= 1
