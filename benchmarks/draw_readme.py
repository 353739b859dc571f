"""The README's picture of exp2, docs/exp2.svg, from the recorded run in benchmarks/results/readme_exp2.json.

    orchestrator run experiments.toml --profile embedded --only exp2,exp4     # a run
    python benchmarks/draw_readme.py results/comparison_results.json          # keep it as the record, and draw it
    python benchmarks/draw_readme.py                                          # draw the record again

Style and colours are those of all drawings (docs/pictures/canvas.py); ``python docs/draw.py`` draws this one too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[1]
if str(TOP / "docs") not in sys.path:
    sys.path.insert(0, str(TOP / "docs"))

from pictures.canvas import Canvas  # noqa: E402 (a folder of the pages, not a package that is installed)

RECORD = TOP / "benchmarks/results/readme_exp2.json"
PICTURE = TOP / "docs/exp2.svg"
COMMAND = "orchestrator run experiments.toml --profile embedded --only exp2,exp4"
WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP_EDGE, BOTTOM = 62, 20, 54, 44
NAMES = {
    "recreate": "destroyed and created again",
    "restart": "kept, restart()",
    "recycle": "a fresh process each time",
}
COLORS = {"recreate": "orange", "restart": "blue", "recycle": "grey dashed"}
"""Of each method's line and name, in the words of docs/pictures/canvas.py."""
TITLE = "Memory over iterations: two ways in one process grow, fresh processes do not"


def record_of(results: dict[str, Any]) -> dict[str, Any]:
    """Return what the record keeps of a result file: configuration, summary, and memory by iteration in MB."""
    kept = {key: results[key] for key in ("schema", "tool", "profile", "config", "summary")}
    memory: dict[str, list[float]] = {}
    for each in results["iterations"]:
        memory.setdefault(each["method"], []).append(round(each["memory_mb"], 2))
    note = "exp2 of the run; benchmarks/draw_readme.py draws docs/exp2.svg from it"
    return {"command": COMMAND, "note": note, **kept, "memory_mb": memory}


def picture(record: dict[str, Any]) -> str:
    """Return the SVG: one line a method, named at its end, on axes from zero."""
    memory: dict[str, list[float]] = record["memory_mb"]
    longest = max(map(len, memory.values()))
    top = 50 * -(-max(map(max, memory.values())) // 50)

    def x(iteration: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (iteration - 1) / (longest - 1)

    def y(size_mb: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP_EDGE) * size_mb / top

    canvas = Canvas(WIDTH, HEIGHT, TITLE, _described(memory))
    canvas.words(LEFT, 24, "Memory of a Moonshine process (RSS, MB), transcribing the same clip")
    for at in range(0, int(top) + 1, 100):
        canvas.line(LEFT, y(at), WIDTH - RIGHT, y(at), "rule")
        canvas.words(LEFT - 8, y(at) + 4, str(at), "quiet small", "end")
    for at in (1, longest):
        canvas.words(x(at), HEIGHT - 22, str(at), "quiet small", "middle")
    canvas.words((LEFT + WIDTH) / 2, HEIGHT - 8, "iteration", "quiet small", "middle")
    across = LEFT
    for method, values in memory.items():
        color = COLORS.get(method, "grey")
        canvas.curve([(x(n), y(value)) for n, value in enumerate(values, 1)], f"{color} thick {method}")
        name = NAMES.get(method, method)
        canvas.words(across, 46, name, color.removesuffix(" dashed"))
        across += round(7.5 * len(name)) + 24
    return canvas.svg()


def _described(memory: dict[str, list[float]]) -> str:
    """Return the picture in words: where each line begins and ends."""
    ends = [
        f"{NAMES.get(method, method)}, from {values[0]:.0f} to {values[-1]:.0f} MB in {len(values)} iterations"
        for method, values in memory.items()
    ]
    return f"Resident memory over iterations, one line for each method: {'; '.join(ends)}."


def main() -> None:
    """Take a result file as the record if one is named, then draw the record."""
    if len(sys.argv) > 1:
        results = json.loads(Path(sys.argv[1]).read_text("utf-8"))
        RECORD.write_text(json.dumps(record_of(results), indent=1, ensure_ascii=False) + "\n", "utf-8")
    PICTURE.write_text(picture(json.loads(RECORD.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
