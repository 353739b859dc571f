"""What a caller asks for. Small immutable descriptions; nothing is opened or checked before they are submitted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class AudioArray:
    """Samples in memory. float32 in [-1, 1) or int16, of shape (samples,) or (samples, channels).

    ``rate_hz`` other than 16,000 is resampled, channels are mixed to one, both in the submitting thread. The
    samples travel by shared memory, not through the pipe, so hundreds of megabytes are fine.
    """

    samples: npt.NDArray[np.float32] | npt.NDArray[np.int16]
    rate_hz: int


@dataclass(frozen=True, slots=True, eq=False)
class EngineJob:
    """One request for a task of an engine, third-party ones included.

    Args:
        model: Name of a model of the pool; its engine must offer ``task``.
        task: ``asr``, ``align`` or an engine's own.
        audio: A path, the bytes of an audio file, an :class:`AudioArray` or ``(array, rate)``.
        text: For tasks that take one.
        language: Overrides the model's.
        options: The task's own, of msgpack-able values.
        text_language: Of ``text``, as somebody heard it; counts where ``language`` says nothing, and only for engines
            that are started for a language.
    """

    model: str
    task: str
    audio: str | os.PathLike[str] | bytes | AudioArray | tuple[npt.NDArray[Any], int] | None = None
    text: str | None = None
    language: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    text_language: str | None = None


@dataclass(frozen=True, slots=True, eq=False, init=False)
class Transcribe(EngineJob):
    """Speech to text. The result is a :class:`~orchestrator.pool.results.Transcription`."""

    def __init__(
        self,
        model: str,
        audio: str | os.PathLike[str] | bytes | AudioArray | tuple[npt.NDArray[Any], int],
        language: str | None = None,
        *,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        EngineJob.__init__(self, model, "asr", audio, None, language, options or {})


@dataclass(frozen=True, slots=True, eq=False, init=False)
class Align(EngineJob):
    """Place the words of ``text`` in the audio. The result is an ``AlignmentResult``.

    ``options={"phones": True}`` asks for phones too, where the engine knows them.
    """

    def __init__(
        self,
        model: str,
        audio: str | os.PathLike[str] | bytes | AudioArray | tuple[npt.NDArray[Any], int],
        text: str,
        language: str | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        text_language: str | None = None,
    ) -> None:
        EngineJob.__init__(self, model, "align", audio, text, language, options or {}, text_language)


class Call:
    """Call ``"package.module:function"`` in a worker. The result is the function's value.

    Arguments and result are values that can travel (``orchestrator_worker.values``); tuples arrive as lists. A
    generator's ``str`` items are chunks for ``pool.stream``, its return value is the result. Models are not involved.
    """

    __slots__ = ("args", "kwargs", "target")

    def __init__(self, target: str, /, *args: Any, **kwargs: Any) -> None:
        self.target = target
        self.args = args
        self.kwargs = kwargs

    def __repr__(self) -> str:
        return f"Call({self.target!r}, …)" if self.args or self.kwargs else f"Call({self.target!r})"


Job = EngineJob | Call
"""Everything a pool runs."""
