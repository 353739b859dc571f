"""A model, for experiments and pools alike; and a model as a profile of an experiments.toml binds it.

A new setting is added in three places: to :class:`Model`, with its conversion in :meth:`Model.spec`; to the worker's
``ModelSpec``; and, as a key of TOML with its checks and its description, to ``ModelConfig`` in :mod:`.types`.
:mod:`.bindings` names it only if flags, variables or defaults have a say in it.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from orchestrator.config.sizes import parse_size
from orchestrator_worker.protocol import ModelSpec

Chinese = Literal["zh-TW", "itn", "off"]
SandboxMode = Literal["strict", "files", "off"]
StartMode = Literal["warm", "cold", "auto"]
LIMIT_NAMES = {
    name.removeprefix("RLIMIT_").lower(): number
    for name, number in vars(resource).items()
    if name.startswith("RLIMIT_")
}


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A named engine configuration, as ``[profiles.P.models.NAME]`` in experiments.toml.

    Args:
        name: What jobs call it.
        engine: A built-in engine or an installed third-party one.
        file: Model file; made absolute.
        library: The native library; made absolute.
        threads: Threads of inference; None leaves it to the engine.
        context_length: Tokens; None leaves it to the engine.
        language: What the engine should expect; a job may say otherwise.
        format: Output of an aligner.
        env: Environment set before the worker starts (``MALLOC_ARENA_MAX``, ``LD_PRELOAD`` …).
        pass_env: Variables of this process's environment that the worker gets besides those on the list of
            docs/hosts.md: names, or patterns of a shell (``"AWS_*"``; ``"*"``: all).
        options: The engine's own.
        limits: Resource limits of the worker by the names of setrlimit(2) in lower case, bytes also as text:
            ``{"as": "4GiB", "nofile": 256, "core": 0}``.
        start: How the workers of a pool get it: ``cold``, each loads it; ``warm``, each is forked from a process that
            has loaded it, where its engine may be forked; ``auto`` (default), as is known to be best for its engine
            (docs/explanation/warm-starts.md).
        template_max_age_s: After so long that process is replaced; None: it stays while the pool needs it.
        sandbox: What its workers are confined to before they load it: ``off``, to nothing; ``files``, to the files
            they need; ``strict``, to these, and no network and no other process (docs/security.md). None: ``strict``
            for our speech engines where the kernel can, else ``off``.
        sandbox_reads: Files and folders that a confined worker may read besides.
        sandbox_writes: Files and folders that it may write besides; a folder of its own is in TMPDIR.

    Raises:
        ValueError: An unknown limit, or one that is no size; an unknown sandbox or start; what is no list.
    """

    name: str
    engine: str
    file: str | os.PathLike[str] | None = None
    library: str | os.PathLike[str] | None = None
    threads: int | None = None
    context_length: int | None = None
    language: str | None = None
    format: Literal["json", "srt"] | None = None
    env: Mapping[str, str] = {}
    pass_env: Sequence[str] = ()
    options: Mapping[str, Any] = {}
    limits: Mapping[str, int | str] = {}
    start: StartMode = "auto"
    template_max_age_s: float | None = None
    sandbox: SandboxMode | None = None
    sandbox_reads: Sequence[str | os.PathLike[str]] = ()
    sandbox_writes: Sequence[str | os.PathLike[str]] = ()

    def __post_init__(self) -> None:
        self.limit_numbers()
        if self.sandbox is not None and self.sandbox not in get_args(SandboxMode):
            known = ", ".join(get_args(SandboxMode))
            raise ValueError(f"Model({self.name!r}, sandbox): {self.sandbox!r} is none; there are {known}")
        if self.start not in get_args(StartMode):
            known = ", ".join(get_args(StartMode))
            raise ValueError(f"Model({self.name!r}, start): {self.start!r} is none; there are {known}")
        if self.template_max_age_s is not None and not self.template_max_age_s > 0:
            raise ValueError(
                f"Model({self.name!r}, template_max_age_s): {self.template_max_age_s!r}: above 0"
            )
        for key, of in (("sandbox_reads", "path"), ("sandbox_writes", "path"), ("pass_env", "name")):
            if isinstance(getattr(self, key), str | os.PathLike):
                raise ValueError(f"Model({self.name!r}, {key}): a list of {of}s, not one {of}")  # noqa: TRY004

    def __hash__(self) -> int:
        """Equal models have equal names; the other fields may hold what has no hash."""
        return hash((self.name, self.engine))

    def spec(self) -> ModelSpec:
        """Return what the worker's engine gets: for experiments, pools and ``doctor`` alike."""
        return ModelSpec(
            engine=self.engine,
            name=self.name,
            file=_absolute(self.file),
            library=_absolute(self.library),
            threads=self.threads,
            context_length=self.context_length,
            language=self.language,
            format=self.format,
            options=dict(self.options),
        )

    def file_bytes(self) -> int | None:
        """Return the size of the model file, None without one that can be seen."""
        if self.file is None:
            return None
        try:
            return Path(self.file).stat().st_size
        except OSError:
            return None

    def limit_numbers(self) -> dict[int, int]:
        """Return ``limits`` as resource numbers and values."""
        found: dict[int, int] = {}
        for name, value in self.limits.items():
            if name not in LIMIT_NAMES:
                known = ", ".join(sorted(LIMIT_NAMES))
                raise ValueError(f"Model({self.name!r}, limits): {name!r} is none; there are {known}")
            try:
                found[LIMIT_NAMES[name]] = 0 if value == 0 else parse_size(value)
            except ValueError as error:
                raise ValueError(f"Model({self.name!r}, limits, {name!r}): {error}") from None
        return found


class BoundModel(Model, frozen=True, kw_only=True):
    """A model as a profile binds it: absolute paths, precedence applied. A pool takes it as any other model.

    Its name is the role under which experiments know it (files call it ``role``), ``label`` what tables call it.
    ``threads_note`` says when the number of threads was lowered to the cores there are, else it is empty. Within a
    plan one role is one model.
    """

    name: str = msgspec.field(name="role")
    label: str
    file: str | None = None
    library: str | None = None
    threads_note: str = ""
    chinese: Chinese = "zh-TW"
    pass_env: Sequence[str] = []
    sandbox_reads: Sequence[str] = []
    sandbox_writes: Sequence[str] = []


def _absolute(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else str(Path(path).absolute())
