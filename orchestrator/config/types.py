"""What an experiments.toml may say, as frozen types.

These types are the schema: :mod:`.walk` checks a document against them, :mod:`.schema` makes the JSON
Schema from them (so class docstrings and ``Meta`` descriptions are what an editor shows), and ``docs`` quote
them. A key that is absent is ``None``, so that "not said" and "said to be the default" can be told apart
where precedence (flag > environment > file > default) needs it. What a run works from, with everything looked
up, are the resolved types in the second half; :mod:`.resolve` makes them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from orchestrator.config.fields import (
    ALLOCATOR_PATTERN,
    OUTPUT_PATTERN,
    Environment,
    Name,
    Positive,
    StopRule,
    Text,
)
from orchestrator.config.model import BoundModel, Chinese, SandboxMode, StartMode
from orchestrator.config.recycle_table import RecycleConfig
from orchestrator.config.serve_table import ServeConfig

SCHEMA_VERSION = 1

MethodName = Literal["recreate", "restart", "reuse", "recycle", "warm"]
"""How an iteration treats its model; ``recycle`` is the baseline."""

Methods = Annotated[
    list[MethodName],
    Meta(
        min_length=1,
        description="recreate (destroy and create), restart (keep and reset), reuse (keep, no reset), "
        "recycle (a fresh process: the baseline), warm (a fork of a process that has the model loaded); run one after "
        "the other",
    ),
]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every TOML table: unknown keys are errors."""


class ModelConfig(Table, frozen=True):
    """A named engine configuration: ``[profiles.P.models.NAME]``, where NAME may be a role."""

    # Every key is a field of BoundModel too: bindings passes on all keys that need no lookup, without naming them.

    engine: Annotated[
        Text,
        Meta(
            description="chatllm, moonshine, pocketsphinx, faster-whisper, synthetic, function or the name "
            "of an installed third-party engine"
        ),
    ]
    file: Annotated[Text, Meta(description="model file; relative to this document")] | None = None
    label: Annotated[Text, Meta(description="what tables and lines call it; default: its name")] | None = None
    library: (
        Annotated[Text, Meta(description="the native library; relative to this document; CHATLLM_LIB wins")]
        | None
    ) = None
    threads: (
        Annotated[
            Positive,
            Meta(description="INFERENCE_THREADS; default 6, lowered to the cores there are unless set"),
        ]
        | None
    ) = None
    context_length: Annotated[Positive, Meta(description="CONTEXT_LENGTH; default 4096")] | None = None
    language: Annotated[Text, Meta(description="ASR_LANGUAGE; default: the engine's own")] | None = None
    format: Annotated[Literal["json", "srt"], Meta(description="output of an aligner")] | None = None
    chinese: Annotated[
        Chinese,
        Meta(
            description="what becomes of Chinese text: as Taiwan writes it, then numbers in digits (zh-TW, the "
            "default); numbers in digits only (itn); nothing (off)"
        ),
    ] = "zh-TW"
    env: Annotated[Environment, Meta(description="set before the worker starts, e.g. GOMP_SPINCOUNT")] = {}
    pass_env: Annotated[
        list[Text],
        Meta(
            description="variables of your own environment that its workers get besides the usual ones: names, or "
            'patterns such as "AWS_*"'
        ),
    ] = []
    options: Annotated[dict[str, Any], Meta(description="the engine's own options")] = {}
    start: Annotated[
        StartMode,
        Meta(
            description="how a pool's workers get it: each loads it (cold), each is forked from a process that has "
            "(warm), as is known to be best for its engine (auto, the default)"
        ),
    ] = "auto"
    template_max_age_s: (
        Annotated[float, Meta(gt=0, description="after so long that process is replaced; default: never")]
        | None
    ) = None
    sandbox: (
        Annotated[
            SandboxMode,
            Meta(
                description="what its workers are confined to: nothing (off), the files they need (files), these and "
                "no network, no other process (strict); default: strict for chatllm, faster-whisper, moonshine and "
                "pocketsphinx where the kernel can, else off"
            ),
        ]
        | None
    ) = None
    sandbox_reads: Annotated[
        list[Text],
        Meta(description="files and folders a confined worker may read besides; relative to this document"),
    ] = []
    sandbox_writes: Annotated[
        list[Text],
        Meta(description="files and folders a confined worker may write besides; relative to this document"),
    ] = []


class SampleConfig(Table, frozen=True):
    """Audio and what is said in it: ``[profiles.P.samples.NAME]``."""

    audio: Annotated[Text, Meta(description="audio file; relative to this document")]
    reference: (
        Annotated[Text, Meta(description="UTF-8 text file with what is said; relative to this document")]
        | None
    ) = None


class StepConfig(Table, frozen=True):
    """One job of an iteration: ``[[experiment.steps]]``."""

    task: Annotated[Text, Meta(description="asr, align or another task that the model's engine offers")]
    model: Annotated[Text, Meta(description="a role that every profile binds, or a model's name")]
    sample: Annotated[Text, Meta(description="a sample of the profile; asr and align need one")] | None = None
    text: (
        Annotated[
            Text,
            Meta(
                description="for align: 'previous' (what the step before has heard), 'reference' (the "
                "sample's, the default) or the text itself"
            ),
        ]
        | None
    ) = None
    options: Annotated[dict[str, Any], Meta(description="the task's own options, e.g. phones")] = {}


class VariantConfig(Table, frozen=True):
    """Runs the methods once more in another environment: ``[experiment.variants.NAME]``."""

    env: Annotated[Environment, Meta(description="added to the experiment's, e.g. MALLOC_ARENA_MAX")] = {}
    allocator: (
        Annotated[
            str,
            Meta(
                pattern=ALLOCATOR_PATTERN,
                description="preloaded in place of the C library's: jemalloc, mimalloc, or a library's path, "
                "relative to this document",
            ),
        ]
        | None
    ) = None
    methods: Methods | None = None


class ExperimentDefaults(Table, frozen=True):
    """Keys of an experiment that defaults and profiles may set for many experiments at once."""

    methods: Methods | None = None
    iterations: (
        Annotated[Positive, Meta(description="rounds of all steps, per method; default 100")] | None
    ) = None
    recycle_after: (
        Annotated[Positive, Meta(description="method recycle: iterations per process; default 1")] | None
    ) = None
    jobs_per_load: (
        Annotated[
            list[Positive],
            Meta(
                min_length=2,
                max_length=2,
                description="method recreate: fewest and most jobs of a load, drawn anew for each iteration, so that "
                "one run tells growth per load from growth per job; default [1, 1]",
            ),
        ]
        | None
    ) = None
    sample_interval_ms: (
        Annotated[Positive, Meta(description="milliseconds between readings of memory; default 20")] | None
    ) = None
    heap: Annotated[bool, Meta(description="also ask the worker's allocator; default true")] | None = None
    timeout_s: Annotated[float, Meta(gt=0, description="seconds a job may take; default 600")] | None = None
    stop: (
        Annotated[
            StopRule,
            Meta(
                description="settled: a method ends once its verdict is settled (needs the heap channel); "
                "default never"
            ),
        ]
        | None
    ) = None
    env: (
        Annotated[Environment, Meta(description="set before the workers start; wins over a model's")] | None
    ) = None


class ExperimentConfig(ExperimentDefaults, frozen=True, kw_only=True):
    """A list of steps, done once per iteration, under each method: ``[[experiment]]``."""

    name: Annotated[Name, Meta(description="what --only and the results call it")]
    title: Annotated[
        str, Meta(description="heading of its tables; {model} is what ran, by its label; default: its name")
    ] = ""
    output: (
        Annotated[
            str,
            Meta(
                pattern=OUTPUT_PATTERN,
                description="file in the results folder; default NAME_results.json",
            ),
        ]
        | None
    ) = None
    steps: Annotated[list[StepConfig], Meta(min_length=1, description="jobs of one iteration, in order")]
    variants: Annotated[dict[Name, VariantConfig], Meta(description="the methods in other environments")] = {}


class ProfileExperiment(ExperimentDefaults, frozen=True):
    """What one experiment changes under a profile: ``[profiles.P.experiments.NAME]``."""

    title: Annotated[str, Meta(description="heading of its tables under this profile")] | None = None


class RunDefaults(ExperimentDefaults, frozen=True):
    """What holds for all experiments: ``[defaults]``."""

    keep_runs: (
        Annotated[Positive, Meta(description="runs whose raw data stays in results/runs; default 20")] | None
    ) = None


class ProfileConfig(RunDefaults, frozen=True, kw_only=True):
    """Binds roles and samples to real ones: ``[profiles.P]``.

    Its experiment keys win over ``[defaults]``, an experiment's own keys win over them, and
    ``[profiles.P.experiments.NAME]`` overrides keys of one experiment under this profile.
    """

    models: Annotated[dict[Name, ModelConfig], Meta(description="by role or name")] = {}
    samples: Annotated[dict[Name, SampleConfig], Meta(description="by the name steps use")] = {}
    experiments: Annotated[
        dict[Name, ProfileExperiment], Meta(description="overrides by experiment, under this profile")
    ] = {}


class GateConfig(Table, frozen=True):
    """When ``run`` fails because of a leak: ``[gate]``. That it is there switches the gate on."""

    max_rate_mb_per_iteration: (
        Annotated[float, Meta(ge=0, description="growth that is still let through; default: any leak breaks")]
        | None
    ) = None
    methods: (
        Annotated[
            list[MethodName],
            Meta(min_length=1, description="methods that are gated; default: all but recycle and warm"),
        ]
        | None
    ) = None
    inconclusive: Annotated[
        Literal["fail", "pass", "inconclusive"],
        Meta(description="what a series without a clear verdict does to the gate; inconclusive is exit 4"),
    ] = "inconclusive"
    descriptors: Annotated[
        bool, Meta(description="descriptors that stay open break the gate too; default: memory alone does")
    ] = False
    threads: Annotated[bool, Meta(description="threads that never end break the gate too")] = False


class ExperimentsFile(Table, frozen=True):
    """The whole document: profiles say what things are, experiments what is done with them."""

    schema: Annotated[Literal[1], Meta(description="version of this format")]
    defaults: RunDefaults = RunDefaults()
    profiles: Annotated[dict[Name, ProfileConfig], Meta(description="by name; --profile chooses one")] = {}
    experiment: list[ExperimentConfig] = []
    recycle: RecycleConfig | None = None
    gate: GateConfig | None = None
    serve: ServeConfig | None = None


# ------------------------------------------------------------------ resolved: what a run works from


class Sample(msgspec.Struct, frozen=True):
    """A sample bound by the profile; absolute paths.

    ``reference`` is the text itself, stripped; None when there is no such file (about missing files the
    availability check speaks, not the configuration).
    """

    name: str
    audio: str
    reference_file: str | None
    reference: str | None


class Step(msgspec.Struct, frozen=True):
    """One job of an iteration with everything looked up.

    ``text`` is ``previous``, ``reference`` or literal text; an ``align`` step that says nothing has
    ``reference``. It is None for tasks without text.
    """

    task: str
    model: BoundModel
    sample: Sample | None
    text: str | None
    options: dict[str, Any] = {}


class Series(msgspec.Struct, frozen=True):
    """One method of an experiment under one environment: what one row of worker processes runs.

    ``env`` is the experiment's and the variant's, merged; it wins over the models' own. ``allocator`` is
    preloaded: ``jemalloc``, ``mimalloc`` or the absolute path of a library; None leaves the C library's.
    """

    method: MethodName
    variant: str | None = None
    env: dict[str, str] = {}
    allocator: str | None = None

    @property
    def key(self) -> str:
        """``recreate``, or ``recreate@one-arena`` for a variant."""
        return f"{self.method}@{self.variant}" if self.variant else self.method


class Experiment(msgspec.Struct, frozen=True):
    """One experiment, ready to run. Units: ``sample_interval_ms`` milliseconds, ``timeout_s`` seconds.

    ``iterations`` is what is planned; with ``stop`` ``settled`` a series may end earlier. ``jobs_per_load`` are the
    fewest and the most jobs that ``recreate`` does with one load.
    """

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
    stop: StopRule = "never"
    jobs_per_load: tuple[int, int] = (1, 1)


class Plan(msgspec.Struct, frozen=True):
    """All that ``orchestrator run`` does: the effective configuration, kept in every manifest.

    ``profile_reason`` is one sentence saying which profile was taken and why; ``problems`` is filled by the
    availability check, never by the configuration, which raises instead. ``gate`` is the file's, None without one.
    """

    file: str
    profile: str
    profile_reason: str
    experiments: list[Experiment]
    keep_runs: int
    problems: list[str] = []
    gate: GateConfig | None = None
