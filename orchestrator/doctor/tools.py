"""Check ffmpeg, the compiler and CMake that build a native library, and the package that draws reports in full."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from orchestrator.audio.decoder.messages import INSTALL_REMEDY
from orchestrator.config.model import BoundModel
from orchestrator.doctor.finding import Finding

CHARTS = "vl_convert"
"""The module of the extra ``report``."""
_INSTALL_CHARTS = "pip install 'orchestrator[report]'"
Which = Callable[[str], str | None]
_COMPILERS = ("c++", "g++", "clang++")
_INSTALL_BUILD = "apt-get install build-essential cmake git (Debian, Ubuntu)"


def look_at_tools(models: Iterable[BoundModel], *, which: Which = shutil.which) -> list[Finding]:
    """Return findings about ffmpeg, the package for charts, and the compiler if one of ``models`` needs it.

    chatllm.cpp starts ffmpeg itself for whatever it hears, and without it makes text up; all others
    only need it for audio that is not WAV, FLAC or Ogg. A compiler is missed only where a library has to be built.
    """
    native = [model for model in models if model.engine == "chatllm"]
    unbuilt = any(model.library and not Path(model.library).exists() for model in native)
    return [_ffmpeg(which, needed=bool(native)), *_build_tools(which, unbuilt=unbuilt), _charts()]


def _ffmpeg(which: Which, *, needed: bool) -> Finding:
    if found := which("ffmpeg"):
        return Finding("tools", "ffmpeg", "ok", found)
    if needed:
        return Finding(
            "tools", "ffmpeg", "problem", "not on PATH; chatllm.cpp hears through it", INSTALL_REMEDY
        )
    found = "not on PATH: only needed for audio other than WAV, FLAC and Ogg"
    return Finding("tools", "ffmpeg", "note", found, INSTALL_REMEDY)


def _build_tools(which: Which, *, unbuilt: bool) -> list[Finding]:
    compiler = next((path for name in _COMPILERS if (path := which(name))), None)
    findings: list[Finding] = []
    for subject, path in (("compiler", compiler), ("cmake", which("cmake"))):
        if path:
            findings.append(Finding("tools", subject, "ok", path))
        elif unbuilt:
            found = "not on PATH; the library has to be built"
            findings.append(Finding("tools", subject, "problem", found, _INSTALL_BUILD))
        else:
            findings.append(Finding("tools", subject, "ok", "not on PATH, and nothing to build"))
    return findings


def _charts() -> Finding:
    if importlib.util.find_spec(CHARTS) is not None:
        return Finding("tools", "charts", "ok", "reports have charts that answer to the mouse, and pictures")
    found = "not installed: reports have simpler charts, and no PNG or SVG file beside them"
    return Finding("tools", "charts", "note", found, _INSTALL_CHARTS)
