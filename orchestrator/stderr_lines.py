"""Which lines of a dead worker's standard error tell why it died. Pure.

What a native library says before it aborts (``free(): invalid pointer``, a failed assertion, the message of an
exception) stands above what Python's fault handler then prints about our own code, and often above the frames of a
backtrace. So the last lines are the least telling ones: the library's own come first here, found by their form.
"""

from __future__ import annotations

import functools
import re

_LONGEST_LINE = 300
_SIGNALS = "(Aborted|Segmentation fault|Bus error|Illegal instruction|Floating point exception)$"
"""After which Python's fault handler speaks of our code; its other fatal errors are news."""

_TELLING = (
    # the C library: its allocator, its fortified functions, its assert
    r"^(free|malloc|realloc|calloc|munmap_chunk|_int_free|_int_malloc|malloc_consolidate|sysmalloc)\b.*\(\)?:",
    r"\b(double free|invalid pointer|invalid (next )?size|corrupted (size|double-linked|top)|unsorted)\b",
    r"^\*\*\* .* \*\*\*",
    r"[Aa]ssertion .* failed",
    # C++ and its library
    r"\bterminate called\b",
    r"^\s*what\(\):",
    r"^pure virtual method called",
    # ggml and what is built on it
    r"\bGGML_(ASSERT|ABORT)\b",
    r"^ggml_abort\b|^ggml.*: (failed|error|unsupported)",
    # accelerators
    r"\b(CUDA|HIP|ROCm|cuBLAS|CUBLAS|cuDNN|CUDNN|NCCL|Metal|SYCL|OpenCL)\b.*\b([Ee]rror|ERROR|failed|FAILED)",
    r"\b(vk::\w+Error|VK_ERROR_\w+)\b",
    r"\b(cuda|hip|cublas|cudnn)Error\w+",
    # other runtimes and sanitizers
    r"^(OMP|libgomp): (Error|.*rror)",
    r"\b(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer\b",
    r"^\S+:\d+:\d+: runtime error:",
    r"\bcannot allocate memory\b|\bOut of memory\b|\bout of memory\b|\bstd::bad_alloc\b",
    rf"^Fatal Python error: (?!{_SIGNALS})",
    r"^thread '.*' panicked at",
    r"^(fatal error|panic|FATAL):",
    r"\bstack smashing detected\b|\bbuffer overflow detected\b|\bstack overflow\b",
)
"""What natives print about their own death."""

_OURS_BEGINS = re.compile(
    rf"^(Fatal Python error: {_SIGNALS}|(Current thread|Thread) 0x[0-9a-f]+|Traceback \(most recent call last\)|"
    r"Extension modules: )"
)
_OURS_GOES_ON = re.compile(r"^(  |$)|^\[\w+ frames? omitted\]|^Extension modules: |^<no Python frame>")


def telling_lines(stderr_tail: str, count: int) -> list[str]:
    """Return at most ``count`` lines: the library's own first (the latest of them), then the last of the others.

    What Python's fault handler says about our code is left out as long as anything else was printed. Lines are
    stripped at their right end and cut at 300 characters.
    """
    lines = [line.rstrip()[:_LONGEST_LINE] for line in stderr_tail.splitlines()]
    lines = [line for line in lines if line]
    others = _without_fault_handler(lines)
    told = list(dict.fromkeys(line.strip() for line in others if _tells(line)))[-count:]
    rest = [line for line in others or lines if line.strip() not in told]
    left = count - len(told)
    return [*told, *(rest[-left:] if left > 0 else [])]


def own_line(stderr_tail: str) -> str:
    """Return the line in which a native library says why it ends; empty where none does."""
    *before, last = ["", *(line for line in telling_lines(stderr_tail, 2) if _tells(line))]
    return f"{before[-1]}; {last}" if last.startswith("what()") and any(before) else last


def library_first(stderr_tail: str) -> str:
    """Return all of it, the line that :func:`own_line` finds before the rest where it does not come first."""
    first, whole = own_line(stderr_tail), stderr_tail.strip()
    return f"{first}\n\n{whole}" if first and first != whole else whole


def _tells(line: str) -> bool:
    return bool(_pattern().search(line))


@functools.cache
def _pattern() -> re.Pattern[str]:
    return re.compile("|".join(_TELLING))  # not at import: only the dead need it


def _without_fault_handler(lines: list[str]) -> list[str]:
    kept: list[str] = []
    ours = False
    for line in lines:
        ours = bool(_OURS_BEGINS.match(line)) or (ours and bool(_OURS_GOES_ON.match(line)))
        if not ours:
            kept.append(line)
    return kept
