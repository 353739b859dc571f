"""Whose recording is it: ours as shipped, ours but changed, or the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from orchestrator.files.untrusted import UNREADABLE

SampleState = Literal["as shipped", "modified sample", "user's own"]


class _Shipped(msgspec.Struct, frozen=True):
    sha256: str


class _Listing(msgspec.Struct, frozen=True):
    samples: dict[str, _Shipped]


def sample_state(audio_path: str | Path, sha256: str) -> SampleState:
    """Compare the hash of an audio file with ``samples.json`` beside it, the list of what was shipped.

    A file that is not listed, or has no (readable) list beside it, is the user's own.
    """
    audio = Path(audio_path)
    try:
        listing = msgspec.json.decode(audio.with_name("samples.json").read_bytes(), type=_Listing)
    except (OSError, *UNREADABLE):
        return "user's own"
    shipped = listing.samples.get(audio.name)
    if shipped is None:
        return "user's own"
    return "as shipped" if shipped.sha256 == sha256 else "modified sample"
