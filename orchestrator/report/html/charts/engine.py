"""What Vega does for us through vl-convert: its code for the page, its pictures without a browser.

It is the extra ``report``; without it a page has our own simpler charts (:mod:`orchestrator.report.html.plain`). It
brings a JavaScript engine that ends its process when it panics or runs out of memory, so it works in a process of its
own (:mod:`.drawing_program`): a chart may be lost, a run's last screen and its exit code may not.
"""

from __future__ import annotations

import base64
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, ClassVar, Self

import msgspec

from orchestrator.errors import InterpreterError, ResultsError
from orchestrator.process.host.interpreter import worker_python
from orchestrator.process.host.passed_environment import LATE, passed_environment
from orchestrator.report.html.charts.drawable import drawable, drawable_text
from orchestrator.report.html.charts.palette import with_light_colors

HOW_TO_GET = "pip install 'orchestrator[report]'"
ANSWER_S = 120.0
"""How long one picture may take; a usual one takes a tenth of a second."""
_VEGA_LITE = "6.4"
"""The version that the charts are written for; the page and the pictures both use it."""
_PROGRAM = Path(__file__).with_name("drawing_program.py")

Draw = Callable[[dict[str, Any]], str]
"""Draws a specification as SVG, with the colours' variables in it."""


class DrawingError(ResultsError):
    """A chart could not be drawn; says why, as the end of a sentence."""


def installed() -> bool:
    """Return whether the charts can be drawn in full."""
    return importlib.util.find_spec("vl_convert") is not None


class Drawing:
    """Vega in a process of its own, started with the first request and ended with the ``with`` block.

    Each method raises :class:`DrawingError` when that process cannot be started, dies, does not answer, or cannot draw.
    """

    _code: ClassVar[str] = ""

    def __init__(self, answer_s: float = ANSWER_S) -> None:
        """Take how many seconds an answer may take."""
        self._answer_s = answer_s
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def code(self) -> str:
        """Return JavaScript that defines ``vegaEmbed``; takes some seconds the first time."""
        if not Drawing._code:
            asked = {"snippet": "window.vegaEmbed = vegaEmbed;", "vl_version": _VEGA_LITE}
            Drawing._code = self._asked("javascript_bundle", asked).decode()
        return Drawing._code

    def svg(self, spec: dict[str, Any]) -> str:
        """Return a chart as SVG, its colours still variables."""
        asked = {"vl_spec": drawable(spec), "vl_version": _VEGA_LITE}
        return self._asked("vegalite_to_svg", asked).decode()

    def light_svg(self, spec: dict[str, Any]) -> str:
        """Return a chart as SVG, in the light colours."""
        return with_light_colors(self.svg(spec))

    def png(self, svg: str, scale: float = 2.0) -> bytes:
        """Return an SVG picture as PNG, ``scale`` times its size in pixels."""
        return self._asked("svg_to_png", {"svg": drawable_text(svg), "scale": scale})

    def _asked(self, function: str, arguments: dict[str, Any]) -> bytes:
        """Return what a function of vl-convert returns."""
        line = msgspec.json.encode((function, arguments)) + b"\n"
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._answer_s, give_up)
        timer.start()
        try:
            answer = _answered(process.stdin, process.stdout, line)
        finally:
            timer.cancel()
            timer.join()  # before the process is reaped: its number may then belong to another
        if not answer:
            raise DrawingError(self._why_not(late=late.is_set()))
        found: dict[str, str] = msgspec.json.decode(answer)
        if "error" in found:
            raise DrawingError(f"Vega says: {found['error']}")
        return base64.b64decode(found["bytes"]) if "bytes" in found else found["text"].encode()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = passed_environment()
        environment.pop(LATE, None)  # it is in the path that is handed over
        flags = ["-P", *(["-B"] if sys.dont_write_bytecode else [])]
        path = [str(Path(entry).absolute()) for entry in sys.path]
        lifeline, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                [worker_python(), *flags, str(_PROGRAM), str(lifeline), *path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(lifeline,),
                env=environment,
                process_group=0,
            )
        except (OSError, InterpreterError) as error:
            raise DrawingError(f"the process that draws charts could not be started: {error}") from error
        finally:
            os.close(lifeline)
        return self._process

    def _why_not(self, *, late: bool) -> str:
        process = self._process
        self._end()
        code = process.returncode if process else 0
        if late:
            return f"the process that draws charts did not answer within {self._answer_s:g} s"
        if code >= 0:
            return f"the process that draws charts ended with exit code {code}"
        with suppress(ValueError):
            return f"the process that draws charts was ended by {signal.Signals(-code).name}"
        return f"the process that draws charts was ended by signal {-code}"

    def _end(self) -> None:
        process, self._process = self._process, None
        descriptor, self._lifeline = self._lifeline, -1
        if descriptor >= 0:
            os.close(descriptor)  # this ends it, whatever it is doing
        if process is None:
            return
        process.kill()
        for each in (process.stdin, process.stdout):
            if each is not None:
                with suppress(OSError):
                    each.close()
        process.wait()


def _answered(requests: IO[bytes], answers: IO[bytes], line: bytes) -> bytes:
    """Return the line that answers ours; nothing where the process is gone."""
    try:
        requests.write(line)
        requests.flush()
    except BrokenPipeError:
        return b""
    answer = answers.readline()
    return answer if answer.endswith(b"\n") else b""


def remembering(draw: Draw) -> Draw:
    """Return ``draw`` that draws each specification once, for pages that share their charts."""
    drawn: dict[bytes, str] = {}

    def remembered(spec: dict[str, Any]) -> str:
        key = msgspec.json.encode(spec)
        if key not in drawn:
            drawn[key] = draw(spec)
        return drawn[key]

    return remembered
