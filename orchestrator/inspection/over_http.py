"""Inspect a pool behind ``orchestrator serve``: the same snapshot, by HTTP."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from orchestrator.errors import ResultsError
from orchestrator.inspection.client import read_snapshot
from orchestrator.inspection.snapshot import Snapshot

TIMEOUT_S = 10.0
MOST_BYTES = 1 << 24
PATH = "/v1/pool"


def look_at_url(url: str, key: str | None = None) -> Snapshot:
    """Return a snapshot of the pool of the server at ``url``; ``key`` is what its requests must carry, if any.

    Raises:
        ResultsError: It is not there, refuses, or is no server of ours.
    """
    address = url if "://" in url else f"http://{url}"
    if urllib.parse.urlsplit(address).scheme not in {"http", "https"}:
        raise ResultsError(f"--url {url}: give http://HOST:PORT, where `orchestrator serve` listens")
    asked = urllib.request.Request(address.rstrip("/") + PATH)  # noqa: S310 - the scheme was looked at
    if key:
        asked.add_header("Authorization", f"Bearer {key}")
    opener = urllib.request.build_opener(_NoRedirect)  # a key goes nowhere but where it was meant to
    try:
        with opener.open(asked, timeout=TIMEOUT_S) as answer:
            content: bytes = answer.read(MOST_BYTES)
    except urllib.error.HTTPError as error:
        refused = error.code in {401, 403}
        hint = "; set ORCHESTRATOR_API_KEY to its key" if refused else ""
        raise ResultsError(f"{url} answers {error.code} ({error.reason}){hint}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ResultsError(f"{url} does not answer: {reason}") from error
    return read_snapshot(content, url)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None
