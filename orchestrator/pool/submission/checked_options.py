"""The options of a pool, checked and made into settings."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.config.sizes import parse_size
from orchestrator.pool.models import FUNCTION_MODEL, Model, models_by_name
from orchestrator.pool.options import START_TIMEOUT_S, PoolOptions, Settings
from orchestrator.pool.recycling import Recycle
from orchestrator.pool.retries import Retry
from orchestrator.process.engine_environment import default_threads
from orchestrator.process.host.interpreter import worker_python
from orchestrator.process.host.supported import refuse_patched_host
from orchestrator.process.host.usable_memory import budget_bytes
from orchestrator.process.pulse import read_pulse
from orchestrator.process.sandbox.modes import mode_of, require_sandbox
from orchestrator_worker.sharing.shared_memory import AVAILABLE, LARGEST_BOUND

FAST_PATH_VARIABLE = "ORCHESTRATOR_FAST_PATH"
"""Environment variable: 0 switches the fast path off, to find out whether it has to do with a fault."""


@dataclass(frozen=True, slots=True)
class CheckedOptions:
    """What a pool is made of. ``models`` are by name, the one of ``Call`` jobs first."""

    models: Mapping[str, Model]
    settings: Settings
    cache_dir: Path


def check_options(options: PoolOptions) -> CheckedOptions:
    """Read the file, if there is one, and check every option.

    Raises:
        ConfigError: The file cannot be used.
        InterpreterError: There is no interpreter that can run workers.
        SandboxUnavailableError: This system cannot confine workers as a model asks.
        UnsupportedHostError: This process is patched by gevent or the like.
        ValueError, TypeError: An option makes no sense; named.
    """
    refuse_patched_host()
    _check(options.workers, options.recycle)
    if type(options.standby) is not int or options.standby < 0:
        raise ValueError(f"standby={options.standby!r}: a whole number of workers, at least 0")
    said = Recycle(auto=True) if options.recycle == "auto" else options.recycle
    known, from_file = models_and_recycle(options.config, options.profile, options.models, options.workers)
    passed = checked_names(options.pass_env)
    models = {
        name: _with_passed(_with_threads(model, options.workers), passed)
        for name, model in models_by_name(known).items()
    }
    require_sandbox(models.values())
    models = {name: _with_sandbox(model) for name, model in models.items()}
    tries = options.max_attempts
    settings = Settings(
        workers=options.workers,
        budget_bytes=_budget(options.memory_budget),
        exclusive=options.exclusive,
        standby=options.standby,
        hard_budget=options.hard_budget,
        heartbeat_s=_heartbeat_s(options.heartbeat_s),
        max_value_bytes=value_bound(options.max_value) if AVAILABLE else 0,
        recycle=_for_known_models(said, models) or from_file,
        retry=tries if isinstance(tries, Retry) else Retry.up_to(tries),
        start_timeout_s=positive_s("start_timeout_s", options.start_timeout_s) or START_TIMEOUT_S,
        prestart=_prestart(known),
        keep_warm=_kept_warm(options.keep_warm, models),
        python=worker_python(options.python),
        fast_path=os.environ.get(FAST_PATH_VARIABLE, "1") != "0",
    )
    cache_dir = default_cache_dir() if options.cache_dir is None else Path(options.cache_dir)
    return CheckedOptions(models, settings, cache_dir)


def _check(workers: object, recycle: object) -> None:
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers={workers!r}: a whole number, at least 1")
    if not (recycle is None or recycle == "auto" or isinstance(recycle, Recycle)):
        raise TypeError(f'recycle={recycle!r}: give a Recycle(…), "auto", or leave it out')


def value_bound(max_value: int | str) -> int:
    """Return the bytes that one value may have.

    Raises:
        ValueError: It is no size, or more than msgpack can say.
    """
    try:
        bound = parse_size(max_value)
    except ValueError as error:
        raise ValueError(f"max_value={max_value!r}: {error}") from None
    if bound > LARGEST_BOUND:
        raise ValueError(
            f"max_value={max_value!r}: at most {LARGEST_BOUND:,} bytes, which msgpack has lengths for"
        )
    return bound


def _heartbeat_s(seconds: float | None) -> float | None:
    """Return the seconds if a heartbeat can be felt on this system."""
    checked = positive_s("heartbeat_s", seconds)
    if checked is not None and read_pulse(os.getpid()) is None:
        raise ValueError(
            "heartbeat_s: this system does not count when threads run (no /proc/PID/task/*/schedstat)"
        )
    return checked


def _for_known_models(recycle: Recycle | None, models: Mapping[str, Model]) -> Recycle | None:
    """Return ``recycle``, unless it is for models that are all unknown here; a few more than there are do no harm."""
    if recycle is not None and recycle.models and not recycle.models.keys() & models.keys():
        named, known = ", ".join(recycle.models), ", ".join(models)
        raise ValueError(f"recycle: limits for {named}, and none of them is a model of this pool: {known}")
    return recycle


def models_and_recycle(
    config: str | os.PathLike[str] | None, profile: str, models: Iterable[Model] | None, workers: int = 1
) -> tuple[list[Model], Recycle | None]:
    """Return the models of the file, replaced and followed by those given, and the file's [recycle]."""
    given = list(models or ())
    if config is None:
        return given, None
    from orchestrator.pool.submission.model_configuration import load_models  # noqa: PLC0415 - only who has a file pays for it

    bound, file = load_models(config, profile, workers)
    names = {model.name for model in given if isinstance(model, Model)}  # pyright: ignore[reportUnnecessaryIsInstance]
    recycle = None if file.recycle is None else Recycle.from_config(file.recycle, file.recycle.models)
    return [model for model in bound if model.name not in names] + given, recycle


def _with_threads(model: Model, workers: int) -> Model:
    """Return the model with its share of the cores, where nothing was said and its engine needs to be told."""
    threads = default_threads(model.engine, workers) if model.threads is None else None
    return model if threads is None else msgspec.structs.replace(model, threads=threads)


def checked_names(pass_env: Iterable[str]) -> tuple[str, ...]:
    """Return what ``pass_env`` names.

    Raises:
        TypeError: It is one text, or holds something else than texts.
    """
    names = () if isinstance(pass_env, str) else tuple(pass_env)
    if isinstance(pass_env, str) or not all(isinstance(name, str) for name in names):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"pass_env={pass_env!r}: a list of names of variables")
    return names


def _with_sandbox(model: Model) -> Model:
    """Return the model with what its workers are confined to, where its engine decides that."""
    return model if model.sandbox is not None else msgspec.structs.replace(model, sandbox=mode_of(model))


def _with_passed(model: Model, names: tuple[str, ...]) -> Model:
    return msgspec.structs.replace(model, pass_env=(*model.pass_env, *names)) if names else model


def _prestart(models: list[Model]) -> str | None:
    """Load at once what will surely be wanted: the only model, or Python itself when there is none."""
    if not models:
        return FUNCTION_MODEL
    return models[0].name if len(models) == 1 else None


def _kept_warm(names: Iterable[str], models: Mapping[str, Model]) -> tuple[str, ...]:
    """Return the models that are to be kept warm, each once."""
    if isinstance(names, str):
        raise TypeError(f"keep_warm={names!r}: a list of names of models")
    wanted = tuple(dict.fromkeys(names))
    for name in wanted:
        if name not in models:
            known = ", ".join(each for each in models if each != FUNCTION_MODEL) or "none"
            raise ValueError(f"keep_warm: {name!r} is none of this pool's models: {known}")
    return wanted


def _budget(memory_budget: int | str | None) -> int:
    try:
        return budget_bytes(memory_budget)
    except ValueError as error:
        raise ValueError(f"memory_budget={memory_budget!r}: {error}") from None


def positive_s(name: str, seconds: float | None) -> float | None:
    """Return ``seconds`` if it is a duration.

    Raises:
        ValueError: It is not.
    """
    if seconds is not None and not 0 < seconds < math.inf:
        raise ValueError(f"{name}={seconds!r}: a number of seconds above 0, or None")
    return seconds


def default_cache_dir() -> Path:
    """Return where converted audio is kept: XDG_CACHE_HOME or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "orchestrator" / "audio"
