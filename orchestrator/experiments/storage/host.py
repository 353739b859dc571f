"""What of the host decides a measurement: system, processor, memory, allocator environment, package versions.

Everything that the system does not tell is None. The host's name is left out on purpose: result files get
shared.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.process.cgroup import cgroup_limits
from orchestrator.process.host.cores import affinity_cores

ENGINE_PACKAGES = (
    "moonshine-voice",
    "pocketsphinx",
    "faster-whisper",
    "ctranslate2",
    "onnxruntime",
    "num2words",
)
OTHER_PACKAGES = ("orchestrator", "msgspec", "psutil", "numpy", "soundfile", "soxr", "jiwer")
ENGINE_GROUP = "orchestrator.engines"

_DECISIVE_VARIABLES = re.compile(
    r"MALLOC_.*|MIMALLOC_.*|GLIBC_TUNABLES|LD_PRELOAD|LD_LIBRARY_PATH|OMP_.*|GOMP_.*|KMP_.*|OPENBLAS_NUM_THREADS"
    r"|MKL_NUM_THREADS|GGML_.*|PYTHONMALLOC"
)


def host_facts(root: Path = Path("/")) -> dict[str, Any]:
    """Return the facts as built-in types; bytes and counts as the keys say.

    ``root`` is where ``/proc`` and ``/sys`` are looked for. ``cores`` are those this process may run on,
    ``cgroup_cpus`` what its control group grants it of them.
    """
    limits = cgroup_limits(root)
    memory = _meminfo_bytes(root)
    return {
        "platform": platform.platform(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu_model": _cpu_model(root),
        "cores": affinity_cores(),
        "cores_total": os.cpu_count(),
        "cgroup_cpus": limits.cpus,
        "memory_total_bytes": memory.get("MemTotal"),
        "memory_available_bytes": memory.get("MemAvailable"),
        "cgroup_memory_bytes": limits.memory_bytes,
        "swap_total_bytes": memory.get("SwapTotal"),
        "swap_free_bytes": memory.get("SwapFree"),
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "python": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "page_size_bytes": os.sysconf("SC_PAGE_SIZE"),
        "transparent_hugepages": _chosen(root / "sys/kernel/mm/transparent_hugepage/enabled"),
        "cpu_governor": _text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load_average": _load_average(),
        "environment": allocator_environment(),
    }


def allocator_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that change how memory is handed out or how many threads run, sorted by name."""
    variables = os.environ if environ is None else environ
    return {name: variables[name] for name in sorted(variables) if _DECISIVE_VARIABLES.fullmatch(name)}


def package_versions() -> dict[str, str | None]:
    """Return the version of every package that matters; None for one that is not installed."""
    return engine_packages() | {name: _version(name) for name in OTHER_PACKAGES}


def engine_packages() -> dict[str, str | None]:
    """Return the versions of the engines' packages, those of third parties (by entry point) included.

    Reads metadata only; nothing of an engine is imported here.
    """
    versions = {name: _version(name) for name in ENGINE_PACKAGES}
    for entry_point in importlib.metadata.entry_points(group=ENGINE_GROUP):
        if entry_point.dist is not None and entry_point.dist.name != "orchestrator":
            versions[entry_point.dist.name] = entry_point.dist.version
    return versions


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:
        return None


def _chosen(path: Path) -> str | None:
    """Return the word in brackets of a setting such as ``always [madvise] never``."""
    found = re.search(r"\[(\w+)\]", _text(path) or "")
    return found[1] if found else None


def _cpu_model(root: Path) -> str | None:
    found = re.search(r"^model name\s*:\s*(.+)$", _text(root / "proc/cpuinfo") or "", re.MULTILINE)
    return found[1].strip() if found else platform.processor() or None


def _meminfo_bytes(root: Path) -> dict[str, int]:
    lines = re.findall(r"^(\w+):\s+(\d+) kB$", _text(root / "proc/meminfo") or "", re.MULTILINE)
    return {name: int(kib) * 1024 for name, kib in lines}


def _load_average() -> list[float] | None:
    try:
        return [round(value, 2) for value in os.getloadavg()]
    except OSError:
        return None
