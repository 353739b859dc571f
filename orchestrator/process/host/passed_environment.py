"""Which variables of this process's environment a worker gets: an allow-list, and what its model names.

What tokens, passwords and addresses of services are in the environment is none of an engine's business, and no model
file's. Handed on is what decides how Python, native libraries, allocators, thread pools and devices work, and where
files lie. More is named: ``Model(pass_env=…)``, ``Pool(pass_env=…)``, or set outright by ``env``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from functools import lru_cache

ALLOWED: Mapping[str, tuple[str, ...]] = {
    "the user and the place": ("HOME", "USER", "LOGNAME", "SHELL", "HOSTNAME", "PWD", "TERM", "NO_COLOR"),
    "language and time": ("LANG", "LANGUAGE", "LC_*", "TZ", "TZDIR"),
    "folders": ("PATH", "TMPDIR", "TMP", "TEMP", "XDG_*_HOME", "XDG_*_DIRS"),
    "the dynamic linker": ("LD_*", "DYLD_*", "GCONV_PATH", "LOCPATH"),
    "Python": ("PYTHON*", "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV"),
    "allocators": ("MALLOC_*", "GLIBC_TUNABLES", "JE_MALLOC_CONF", "MIMALLOC_*", "TCMALLOC_*", "G_SLICE"),
    "threads and arithmetic": (
        "OMP_*", "GOMP_*", "KMP_*", "LIBOMP_*", "OPENBLAS_*", "GOTO_*", "MKL_*", "BLIS_*", "NVPL_*", "VECLIB_*",
        "NUMEXPR_*", "NPY_*", "RAYON_NUM_THREADS", "TBB_*", "TOKENIZERS_PARALLELISM",
    ),
    "devices": (
        "CUDA_*", "NVIDIA_*", "CUDNN_*", "CUBLAS_*", "NCCL_*", "HIP_*", "ROCR_*", "ROCM_*", "HSA_*", "GPU_*", "AMD_*",
        "ZE_*", "SYCL_*", "ONEAPI_*", "VK_*", "MESA_*",
    ),
    "engines and their models": (
        "CHATLLM_*", "ORCHESTRATOR_*", "GGML_*", "CT2_*", "ORT_*", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE",
        "HF_HUB_DISABLE_*", "HF_ENDPOINT", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE", "TRANSFORMERS_OFFLINE",
        "TORCH_HOME", "PYTORCH_*", "TORCH_NUM_THREADS",
    ),
    "certificates": ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NIX_SSL_CERT_FILE"),
    "proxies, unless they name a user": ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "*_PROXY"),
    "debugging of native code": ("*SAN_OPTIONS", "*SAN_SYMBOLIZER_PATH", "RUST_BACKTRACE", "RUST_LOG"),
}  # fmt: skip
"""Names as patterns of a shell, by what they are for. ``docs/hosts.md`` has the same list."""
LATE = "PYTHONPATH"
"""It could shadow the worker's own imports: handed over after the start (``spawn.late_environment``)."""
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|(^|_)(KEY|PAT)(_|$)", re.IGNORECASE)
"""What is called so is no setting, whatever pattern of ours it fits."""
_PROXY = re.compile("_proxy$", re.IGNORECASE)


def passed_environment(
    pass_env: Iterable[str] = (), environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return what a worker gets of ``environ`` (default: this process's), with what ``pass_env`` names besides.

    ``pass_env`` are names, or patterns of a shell: ``"AWS_*"``, ``"*"`` for all there is.
    """
    whole = os.environ if environ is None else environ
    named = _matcher(tuple(pass_env))
    return {name: value for name, value in whole.items() if named(name) or _is_allowed(name, value)}


def withheld_names(pass_env: Iterable[str] = (), environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the names of what is there and not handed on, sorted."""
    whole = os.environ if environ is None else environ
    return sorted(whole.keys() - passed_environment(pass_env, whole).keys())


def _is_allowed(name: str, value: str) -> bool:
    return _is_known(name) and not ("@" in value and _PROXY.search(name))


@lru_cache(maxsize=1024)
def _is_known(name: str) -> bool:
    return name in _EXACT or (not _SECRET.search(name) and _matcher(_PATTERNS)(name) is not None)


@lru_cache(maxsize=64)
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], re.Match[str] | None]:
    return re.compile("|".join(map(translate, patterns)) or "(?!)").match


_PATTERNS = tuple(name for names in ALLOWED.values() for name in names if "*" in name)
_EXACT = frozenset(name for names in ALLOWED.values() for name in names) - {*_PATTERNS}
