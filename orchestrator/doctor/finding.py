"""One finding: what was checked, its state, and what to do about it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

State = Literal["ok", "note", "problem"]
"""``ok``; ``note``: works, but know this; ``problem``: something cannot run until it is mended."""


class Finding(msgspec.Struct, frozen=True):
    """``hint`` is the command or sentence that fixes it; empty if there is nothing to do.

    ``area`` groups findings (library, models, engines, samples, tools, machine, results), ``subject`` names the
    thing, ``found`` is what people read, ``facts`` the same for programs (sizes in bytes).
    """

    area: str
    subject: str
    state: State
    found: str
    hint: str = ""
    facts: dict[str, Any] = {}
