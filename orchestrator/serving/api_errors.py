"""Which error leads to which status, in the shape of OpenAI's API. No path, process or command of ours gets out.

What a person needs to mend a server stands in its log, under the same request id.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.errors import (
    AudioError,
    AudioTooLongError,
    EngineUnavailableError,
    HostShortageError,
    JobCancelledError,
    JobError,
    JobTimeoutError,
    ModelOutOfUseError,
    NotDecodedError,
    PoolClosedError,
    QueueFullError,
    WorkerError,
)

RETRY_AFTER_S = 5
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})
NO_RETRY = {"x-should-retry": "false"}
"""OpenAI's clients repeat what failed on the server's side; what would fail again, or take as long, they should not."""


class ApiError(Exception):
    """A request is refused or has failed. ``message`` is for whoever sent it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.headers = dict(headers or {})
        super().__init__(f"{status}: {message}")

    def body(self) -> bytes:
        """Return the body: ``{"error": {"message", "type", "param", "code"}}``."""
        return json.dumps({"error": self.facts()}, ensure_ascii=False).encode(errors="replace")

    def facts(self) -> dict[str, Any]:
        """Return what stands under ``error``."""
        return {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}

    @property
    def kind(self) -> str:
        """What OpenAI calls ``type``."""
        if self.status == 429:
            return "rate_limit_error"
        return "server_error" if self.status >= 500 else "invalid_request_error"


def busy(message: str, code: str = "rate_limit_exceeded", status: int = 429) -> ApiError:
    """Return the answer to a request that may succeed later."""
    return ApiError(status, message, code=code, headers={"Retry-After": str(RETRY_AFTER_S)})


def too_large(message: str) -> ApiError:
    """Return the answer to a recording that is larger or longer than the server takes."""
    return ApiError(413, message, code="request_too_large", param="file")


def no_room_of(error: OSError) -> ApiError | None:
    """Return the answer where a recording found no place: the disk is full, or all descriptors are taken."""
    if error.errno not in _NO_ROOM:
        return None
    return busy("the server has no room for the recording now", "no_room", 503)


def stopping() -> ApiError:
    """Return the answer of a server that is being stopped."""
    return busy("the server is being stopped; ask again, or ask another one", "server_stopping", 503)


def out_of_time(limit_s: float) -> ApiError:
    """Return the answer to a request that was not done in its time."""
    message = (
        f"the request was not done within {limit_s:g} s; send a shorter recording, or send it at another time"
    )
    return ApiError(504, message, code="timeout", headers=NO_RETRY)


def api_error_of(error: Exception) -> ApiError | None:
    """Return what an error of the pool or of a recording is for a client; None: nobody foresaw it."""
    if isinstance(error, ApiError):
        return error
    return next((told(error) for kind, told in _TOLD.items() if isinstance(error, kind)), None)


def _too_long(error: Any) -> ApiError:
    return too_large(f"the recording {error.problem}")


def _not_audio(error: Any) -> ApiError:
    return ApiError(400, f"the recording cannot be used: {error.problem}", code="invalid_audio", param="file")


def _not_decoded(_: Any) -> ApiError:
    return busy("the server cannot decode recordings of this kind now", "not_decoded", 503)


def _full(_: Any) -> ApiError:
    return busy("too many requests wait; send it again later")


def _timed_out(error: Any) -> ApiError:
    return out_of_time(error.limit_s)


def _short(_: Any) -> ApiError:
    return busy("the server has no memory or processes left for now", "server_overloaded", 503)


def _unavailable(_: Any) -> ApiError:
    return ApiError(503, "the model cannot be loaded on this server now", code="model_unavailable")


def _crashed(_: Any) -> ApiError:
    message = "the model's process ended while it worked on this recording, each time it was tried"
    return ApiError(500, message, code="model_crashed", headers=NO_RETRY)


def _of_engine(error: JobError) -> ApiError:
    if error.type_name == "EngineError" and error.message.startswith("language "):
        said = error.message.partition(":")[0]
        return ApiError(
            400, f"{said} is none that the model speaks", code="invalid_language", param="language"
        )
    if error.type_name in {"EngineError", "Refused"} and " has no task " in error.message:
        return ApiError(400, "the model does not do that", code="unsupported_task", param="model")
    return ApiError(500, "the model failed on this recording", code="model_error", headers=NO_RETRY)


_TOLD: dict[type[Exception], Callable[[Any], ApiError]] = {
    AudioTooLongError: _too_long,
    NotDecodedError: _not_decoded,
    AudioError: _not_audio,
    QueueFullError: _full,
    PoolClosedError: lambda _: stopping(),
    JobCancelledError: lambda _: stopping(),
    JobTimeoutError: _timed_out,
    HostShortageError: _short,
    EngineUnavailableError: _unavailable,
    ModelOutOfUseError: _unavailable,
    JobError: _of_engine,
    WorkerError: _crashed,
}
"""The first that fits counts: what is special stands before what is general."""
