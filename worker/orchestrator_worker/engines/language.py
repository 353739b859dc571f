"""Refuse a language that an engine's own weights do not speak. Knows only names, no models."""

from __future__ import annotations

from orchestrator_worker.engines.base import EngineError


def require_english(engine: str, language: str | None) -> None:
    """Pass for no language, ``en``, ``en-US`` and its like, and ``English``, in any case of letters.

    Raises:
        EngineError: Another language; the message says what to do.
    """
    name = (language or "").strip().lower().replace("_", "-")
    if name in {"", "en", "eng", "english"} or name.startswith("en-"):
        return
    raise EngineError(
        f"language {language!r}: the weights that come with {engine} are English only; "
        "leave the language out, or bind the role to an engine that speaks it"
    )
