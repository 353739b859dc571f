"""The program of the process in which Vega draws. Run as a file; nothing imports it.

``python drawing_program.py LIFELINE PATH…``: the read end of a pipe that its parent holds open, and the parent's
``sys.path``. One request a line on stdin, ``[function, arguments]`` of vl-convert; one answer a line on stdout,
``{"text": …}``, ``{"bytes": base64}`` or ``{"error": …}``.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_LAST = 400


def _main() -> None:
    sys.path.extend(entry for entry in sys.argv[2:] if entry not in sys.path)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints is no answer

    import vl_convert  # noqa: PLC0415 - found by the path that was said

    from orchestrator_worker import lifeline  # noqa: PLC0415

    lifeline.hold(int(sys.argv[1]))
    with suppress(OSError):  # where memory runs short, pictures are what can be missed
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    for line in sys.stdin.buffer:
        function, arguments = json.loads(line)
        answers.write(json.dumps(_answer(getattr(vl_convert, function), arguments)).encode() + b"\n")
        answers.flush()


def _answer(function: Any, arguments: Mapping[str, Any]) -> dict[str, str]:
    try:
        made = function(**arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return {"error": f"{error}"[:_LAST]}
    return {"text": made} if isinstance(made, str) else {"bytes": base64.b64encode(made).decode()}


if __name__ == "__main__":
    _main()
