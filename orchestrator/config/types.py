"""What an experiments.toml may say, as frozen types.

These types are the schema: :mod:`.walk` checks a document against them, the JSON Schema is made from them, and
``docs`` quote them. A key that is absent is ``None`` (or its default), so that "not said" and "said to be the
default" can be told apart where precedence (flag > environment > file > default) needs it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

SCHEMA_VERSION = 1

ProfileName = Literal["qwen3", "embedded"]
MethodName = Literal["recreate", "restart", "reuse", "recycle"]
Positive = Annotated[int, Meta(ge=1)]
Size = int | str
"""Bytes, or text such as ``"1.5GiB"``."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every TOML table: unknown keys are errors."""


class ModelConfig(Table):
    """``[profiles.P.models.NAME]``: a named engine configuration."""

    engine: Annotated[str, Meta(description="chatllm, moonshine, pocketsphinx, synthetic, function or a third party's")]
    file: str | None = None
    label: str | None = None
    library: str | None = None
    threads: Positive | None = None
    context_length: Positive | None = None
    language: str | None = None
    format: Literal["json", "srt"] | None = None
    env: dict[str, str] = {}
    options: dict[str, Any] = {}


class SampleConfig(Table):
    """``[profiles.P.samples.NAME]``: audio and what is said in it (``reference``: a text file)."""

    audio: str
    reference: str | None = None


class StepConfig(Table):
    """``[[experiment.steps]]``: one job of an iteration."""

    task: str
    model: str
    sample: str | None = None
    text: str | None = None
    options: dict[str, Any] = {}


class VariantConfig(Table):
    """``[experiment.variants.NAME]``: run the methods once more in another environment."""

    env: dict[str, str] = {}
    methods: list[MethodName] | None = None


class ExperimentDefaults(Table):
    """``[defaults]``: any key of an experiment but its identity and its steps."""

    methods: list[MethodName] | None = None
    iterations: Positive | None = None
    recycle_after: Positive | None = None
    sample_interval_ms: Positive | None = None
    heap: bool | None = None
    timeout_s: Annotated[float, Meta(gt=0)] | None = None
    env: dict[str, str] | None = None
    keep_runs: Positive | None = None


class ExperimentConfig(ExperimentDefaults, kw_only=True):
    """``[[experiment]]``: a list of steps, done once per iteration, under each method."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    title: str = ""
    output: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\.json$")] | None = None
    steps: Annotated[list[StepConfig], Meta(min_length=1)]
    variants: dict[str, VariantConfig] = {}


class ProfileConfig(ExperimentDefaults, kw_only=True):
    """``[profiles.P]``: binds roles and samples; its experiment keys win over ``[defaults]``.

    ``[profiles.P.experiments.NAME]`` overrides keys of one experiment under this profile.
    """

    models: dict[str, ModelConfig] = {}
    samples: dict[str, SampleConfig] = {}
    experiments: dict[str, ExperimentDefaults] = {}


class RecycleConfig(Table):
    """``[recycle]``: when a pool replaces a worker; sizes in bytes or as ``"1.5GiB"``."""

    max_jobs: Positive | None = None
    max_rss: Size | None = None
    hard_rss: Size | None = None
    max_age_s: Annotated[float, Meta(gt=0)] | None = None
    max_idle_s: Annotated[float, Meta(gt=0)] | None = None
    jitter: Annotated[float, Meta(ge=0, le=1)] | None = None
    trim_every: Positive | None = None


class ExperimentsFile(Table):
    """The whole document."""

    schema: Literal[1]
    defaults: ExperimentDefaults = ExperimentDefaults()
    profiles: dict[str, ProfileConfig] = {}
    experiment: list[ExperimentConfig] = []
    recycle: RecycleConfig | None = None
    gate: dict[str, Any] | None = None


# ------------------------------------------------------------------ resolved: what a run works from


class Sample(msgspec.Struct, frozen=True):
    """A sample bound by the profile; absolute paths. ``reference`` is the text itself, stripped."""

    name: str
    audio: str
    reference_file: str | None
    reference: str | None


class Model(msgspec.Struct, frozen=True):
    """A model bound by the profile: absolute paths, precedence applied.

    ``role`` is the name under which experiments know it, ``label`` what tables call it. ``threads_note`` says
    when the number of threads was lowered to the cores there are.
    """

    role: str
    engine: str
    label: str
    file: str | None = None
    library: str | None = None
    threads: int | None = None
    threads_note: str = ""
    context_length: int | None = None
    language: str | None = None
    format: str | None = None
    env: dict[str, str] = {}
    options: dict[str, Any] = {}


class Step(msgspec.Struct, frozen=True):
    """One job of an iteration with everything looked up. ``text``: ``previous``, ``reference`` or literal text."""

    task: str
    model: Model
    sample: Sample | None
    text: str | None
    options: dict[str, Any] = {}


class Series(msgspec.Struct, frozen=True):
    """One method of an experiment under one environment: what one row of worker processes runs."""

    method: MethodName
    variant: str | None = None
    env: dict[str, str] = {}

    @property
    def key(self) -> str:
        """``recreate``, or ``recreate@one-arena`` for a variant."""
        return f"{self.method}@{self.variant}" if self.variant else self.method


class Experiment(msgspec.Struct, frozen=True):
    """One experiment, ready to run."""

    name: str
    title: str
    series: list[Series]
    iterations: int
    recycle_after: int
    sample_interval_ms: int
    heap: bool
    timeout_s: float
    output: str
    steps: list[Step]


class Plan(msgspec.Struct, frozen=True):
    """All that ``orchestrator run`` does: the effective configuration, kept in every manifest."""

    file: str
    profile: str
    profile_reason: str
    experiments: list[Experiment]
    keep_runs: int
    problems: list[str] = []
