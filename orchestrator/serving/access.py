"""Who may ask: keys, compared in constant time, and without a key only what asks this very machine by its name.

A server on loopback without a key is for the programs of its machine. A web page that somebody has open there is not
one of them: a browser tells by ``Origin`` which page asks, and by ``Host`` under which name the server was reached, so
requests of other pages, and of names that only resolve to this machine (DNS rebinding), are refused.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from orchestrator.serving.api_errors import ApiError
from orchestrator.serving.settings import Key

OPEN_PATHS = frozenset({"/", "/health", "/health/live", "/health/ready"})
"""What needs no key: probes have none, and the page asks for one."""
_NAMES = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def key_of(authorization: str | None, keys: Sequence[Key]) -> Key | None:
    """Return the key that a request carries, None where none is needed.

    Raises:
        ApiError: 401; there are keys, and it carries none of them.
    """
    if not keys:
        return None
    scheme, _, token = (authorization or "").partition(" ")
    # A header is bytes, which Starlette gives as Latin-1: so they are again what the client has sent.
    given = token.strip().encode("latin-1", "replace") if scheme.lower() == "bearer" else b""
    found: Key | None = None
    for key in keys:  # all of them, whichever fits: the time tells nothing
        if hmac.compare_digest(key.secret, given):
            found = key
    if found is None:
        raise ApiError(
            401,
            "no valid key: send the header 'Authorization: Bearer KEY'",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return found


def refuse_strangers(host: str | None, origin: str | None, *, own_host: str) -> None:
    """Refuse a request that a web page of another place makes, or that names this machine in a strange way.

    Raises:
        ApiError: 403 or 421.
    """
    name = _name(f"//{host}") if host else None
    if name is None or not (name in _NAMES or name == own_host.strip("[]").lower() or is_loopback(name)):
        raise ApiError(
            421,
            "this server answers to localhost alone; with a key it answers to any name",
            code="wrong_host",
        )
    if origin is not None and _authority(origin) != f"//{host}".lower():
        raise ApiError(403, "requests of other web pages are refused", code="wrong_origin")


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _authority(origin: str) -> str:
    return f"//{origin.partition('://')[2]}".lower()
