"""The log of a server: one line for each event, as text for people or as JSON for programs. On stderr.

Of a request it has the id, who asked, what for, how it ended and how long it took; never what was said in a recording,
a key, or the name of a file.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
import time
import uuid
from collections.abc import MutableMapping
from typing import Any, Literal

LogFormat = Literal["text", "json"]
LOG = logging.getLogger("orchestrator.serving")
_REQUEST_ID = "orchestrator.request_id"
"""In the scope of a request: its id."""
_PLAIN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def tell(
    event: str, message: str, *, level: int = logging.INFO, error: BaseException | None = None, **facts: Any
) -> None:
    """Write one line. ``event`` is its kind, ``facts`` what programs want to know."""
    LOG.log(level, message, exc_info=error, extra={"event": event, "facts": facts})


def new_request_id() -> str:
    """Return an id for a request that has none of its own."""
    return uuid.uuid4().hex


def request_id_of(scope: MutableMapping[str, Any]) -> str:
    """Return the id of a request, whoever asks first: the one that it came with if that is plain, else a new one."""
    if _REQUEST_ID not in scope:
        given: bytes = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        scope[_REQUEST_ID] = given.decode() if _PLAIN_ID.fullmatch(given) else new_request_id()
    found: str = scope[_REQUEST_ID]
    return found


class _JsonLines(logging.Formatter):
    """``{"time", "level", "logger", "event", "message", …facts}`` on one line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": getattr(record, "event", "log"),
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


class _TextLines(logging.Formatter):
    """``time level message key=value …``; what a client sent cannot break the line or steer a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{key}={_shown(value)}" for key, value in getattr(record, "facts", {}).items())
        line = f"{_time(record)} {record.levelname.lower()} {_shown(record.getMessage())}"
        traceback = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return (f"{line} {facts}" if facts else line) + traceback


class _Stderr(logging.Handler):
    """Writes whole lines. A log that nobody takes any more ends no request, and is no failure of the server.

    Past the stream's buffer: what could not be written would stay there, and fail once more when the server ends.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        with contextlib.suppress(Exception):
            text = self.format(record)
            line = f"{text}\n".encode(sys.stderr.encoding or "utf-8", "backslashreplace")
            while line:
                line = line[os.write(sys.stderr.fileno(), line) :]


def log_to_stderr(log_format: LogFormat) -> None:
    """Send what this package logs to stderr; what libraries warn of comes with it."""
    handler = _Stderr()
    handler.setFormatter(_JsonLines() if log_format == "json" else _TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    LOG.setLevel(logging.INFO)
    # What a client sends wrong is in its answer.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    logging.captureWarnings(capture=True)


def _time(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03}Z"


def _shown(value: object) -> str:
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in str(value)
    )
