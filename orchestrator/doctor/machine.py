"""Check the machine: cores for the threads, memory for the models, swap, the C library, sandboxes, variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.config.model import BoundModel
from orchestrator.config.sizes import format_size
from orchestrator.doctor.finding import Finding
from orchestrator.process.host.cores import within_quota
from orchestrator.process.host.passed_environment import passed_environment, withheld_names
from orchestrator.process.sandbox.modes import default_mode
from orchestrator_worker.sandbox.kernel import landlock_abi, why_not

MOST_NAMES = 8
"""Of variables, in a line for people; ``--json`` has all."""
ROOM_FACTOR = 3
"""A loaded model takes its file and then its cache: the 0.6B model of about half a GB has been seen at 1.36 GB."""


def look_at_cores(models: Sequence[BoundModel], host: Mapping[str, Any]) -> list[Finding]:
    """Compare each profile's threads (INFERENCE_THREADS) with the cores this process may use."""
    cores = _cores(host)
    threads = max((model.threads or 1 for model in models), default=1)
    facts = {"cores": cores, "threads": threads}
    lowered = next((model.threads_note for model in models if model.threads_note), "")
    if cores is None or threads <= cores:
        found = f"{threads} of {cores if cores is not None else 'an unknown number of'} cores"
        return [
            Finding("machine", "threads", "ok", f"{found} ({lowered})" if lowered else found, facts=facts)
        ]
    found = f"{threads} threads on {_counted(cores)}"
    spinning = [
        model.name
        for model in models
        if model.engine == "chatllm" and model.env.get("OMP_WAIT_POLICY", "passive") != "passive"
    ]
    if spinning:
        found += "; threads that wait by spinning make each other many times slower"
    hint = f"--threads {cores} (or INFERENCE_THREADS={cores})"
    return [Finding("machine", "threads", "note", found, hint, facts)]


def look_at_memory(sizes_bytes: Iterable[int], host: Mapping[str, Any]) -> list[Finding]:
    """Compare the largest model with the memory that is free; models are loaded one at a time."""
    largest = max(sizes_bytes, default=0)
    free = _free_memory(host)
    if free is None or not largest:
        shown = format_size(free) if free is not None else "of unknown size"
        return [
            Finding("machine", "memory", "ok", f"{shown} free; the models' sizes are not known beforehand")
        ]
    facts = {"free_bytes": free, "largest_model_bytes": largest}
    found = f"{format_size(free)} free, the largest model has {format_size(largest)}"
    if largest > free:
        hint = "stop what else runs here, take a smaller model, or a machine with more memory"
        return [Finding("machine", "memory", "problem", found, hint, facts)]
    if largest * ROOM_FACTOR > free:
        found += f"; loaded, a model may take {ROOM_FACTOR} times its file"
        return [Finding("machine", "memory", "note", found, "a smaller --context-length takes less", facts)]
    return [Finding("machine", "memory", "ok", found, facts=facts)]


def look_at_swap(host: Mapping[str, Any]) -> Finding:
    """Say whether memory can be swapped out while it is measured."""
    total, free = host.get("swap_total_bytes"), host.get("swap_free_bytes")
    if total is None:
        return Finding("machine", "swap", "ok", "not told by this system")
    if not total:
        return Finding("machine", "swap", "ok", "none")
    used = total - (free or 0)
    facts = {"total_bytes": total, "used_bytes": used}
    found = f"{format_size(total)}, {format_size(used)} used"
    if used * 2 > total:
        found += ": swapped-out memory is counted, but times suffer"
        return Finding(
            "machine", "swap", "note", found, "make room, or measure with swap off: swapoff -a", facts
        )
    return Finding("machine", "swap", "ok", f"{found}; what is swapped out is counted", facts=facts)


def look_at_sandbox(models: Sequence[BoundModel] = ()) -> Finding:
    """Say what a worker can be confined to here, and what these models' are: a problem only where one asks in vain."""
    reasons = {mode: why_not(mode) for mode in ("strict", "files")}
    facts: dict[str, Any] = {
        "landlock": landlock_abi(),
        **{mode: not reason for mode, reason in reasons.items()},
    }
    decoding = (
        "not confined" if reasons["files"] else "confined" if not reasons["strict"] else "confined to files"
    )
    facts["decoding"] = decoding
    for model in models:
        if reason := reasons.get(model.sandbox or "off", ""):
            found = f'{model.name} has sandbox = "{model.sandbox}", which {reason}'
            hint = 'a newer kernel, or sandbox = "off" where model and audio are trusted'
            return Finding("machine", "sandbox", "problem", found, hint, facts)
    can = [mode for mode, reason in reasons.items() if not reason]
    modes = {model.name: model.sandbox or default_mode(model) for model in models}
    facts["models"] = modes
    usual = [model.name for model in models if model.sandbox is None and default_mode(model) == "strict"]
    if usual and reasons["strict"]:
        facts["models"] = modes | dict.fromkeys(usual, "off")
        found = f"{', '.join(usual)} run unconfined: strict, their default, {reasons['strict']}"
        return Finding("machine", "sandbox", "note", found, facts=facts)
    if not can:
        found = (
            f"none: it {reasons['files']}; recordings are decoded in a process that is not confined either"
        )
        return Finding("machine", "sandbox", "note", found, facts=facts)
    less = "" if len(can) == len(reasons) else f"; strict {reasons['strict']}"
    found = (
        f"workers can be confined: {', '.join(can)} (Landlock {landlock_abi()}){less}; decoding is {decoding}"
    )
    if modes:
        found += "; " + ", ".join(f"{name}: {mode}" for name, mode in modes.items())
    return Finding("machine", "sandbox", "ok", found, facts=facts)


def look_at_environment(
    models: Sequence[BoundModel] = (), environ: Mapping[str, str] | None = None
) -> Finding:
    """Say which variables of the environment workers do not get: who misses one finds it here."""
    named = [name for model in models for name in model.pass_env]
    withheld = withheld_names(named, environ)
    passed = sorted(passed_environment(named, environ))
    found = f"{len(passed)} variables go to workers"
    if withheld:
        shown = ", ".join(withheld[:MOST_NAMES]) + (" …" if len(withheld) > MOST_NAMES else "")
        found += f", {len(withheld)} do not: {shown}; pass_env of a model names more"
    return Finding("machine", "environment", "ok", found, facts={"passed": passed, "withheld": withheld})


def look_at_libc(host: Mapping[str, Any]) -> Finding:
    """Name the C library; engines that need a certain one say so themselves."""
    return Finding("machine", "C library", "ok", str(host.get("libc") or "unknown"))


def _cores(host: Mapping[str, Any]) -> int | None:
    cores, granted = host.get("cores"), host.get("cgroup_cpus")
    return None if cores is None else within_quota(int(cores), granted)


def _free_memory(host: Mapping[str, Any]) -> int | None:
    known = [host.get("memory_available_bytes"), host.get("cgroup_memory_bytes")]
    return min((int(number) for number in known if number is not None), default=None)


def _counted(cores: int) -> str:
    return "1 core" if cores == 1 else f"{cores} cores"
