"""The README's picture of exp2, docs/exp2.svg, from the recorded run in benchmarks/results/readme_exp2.json.

    orchestrator run experiments.toml --profile embedded --only exp2,exp4     # a run
    python benchmarks/draw_readme.py results/comparison_results.json          # keep it as the record, and draw it
    python benchmarks/draw_readme.py                                          # draw the record again

The picture has its own colours for light and dark screens, and no script.
"""

from __future__ import annotations

import json
import sys
from html import escape
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[1]
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
STYLE = """
text{font:14px system-ui,sans-serif;fill:#1b1f24}.quiet{fill:#59636e;font-size:12px}line{stroke:#d5dae0}
polyline{fill:none;stroke-width:2.5;stroke-linejoin:round}.recreate{stroke:#c44e00}.restart{stroke:#0069a8}
.recycle{stroke:#4b5563;stroke-dasharray:7 4}text.recreate{fill:#c44e00;stroke:none}
text.restart{fill:#0069a8;stroke:none}
text.recycle{fill:#4b5563;stroke:none}
@media(prefers-color-scheme:dark){text{fill:#e8eaed}.quiet{fill:#a3acb8}line{stroke:#3a4049}.recreate{stroke:#ff9a56}
.restart{stroke:#62b8ee}.recycle{stroke:#c3cad4}text.recreate{fill:#ff9a56}text.restart{fill:#62b8ee}
text.recycle{fill:#c3cad4}}
"""


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

    marks = [
        f'<text x="{LEFT}" y="24">Memory of a Moonshine process (RSS, MB), transcribing the same clip</text>'
    ]
    for at in range(0, int(top) + 1, 100):
        marks.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(at):.1f}" y2="{y(at):.1f}"/>')
        marks.append(f'<text class="quiet" x="{LEFT - 8}" y="{y(at) + 4:.1f}" text-anchor="end">{at}</text>')
    marks += [
        f'<text class="quiet" x="{x(at):.1f}" y="{HEIGHT - 22}" text-anchor="middle">{at}</text>'
        for at in (1, longest)
    ]
    marks.append(
        f'<text class="quiet" x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 6}" text-anchor="middle">iteration</text>'
    )
    lines: list[str] = []
    for method, values in memory.items():
        points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in enumerate(values, 1))
        lines.append(f'<polyline class="{method}" points="{points}"/>')
    for at, method in enumerate(memory):
        words = escape(NAMES.get(method, method))
        across = LEFT + 10 + at * (WIDTH - LEFT - RIGHT) / len(memory)
        lines.append(f'<text class="{method}" x="{across:.0f}" y="46">{words}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
    title = "<title>Memory over iterations: two ways in one process grow, fresh processes do not</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", *marks, *lines, "</svg>", ""])


def main() -> None:
    """Take a result file as the record if one is named, then draw the record."""
    if len(sys.argv) > 1:
        results = json.loads(Path(sys.argv[1]).read_text("utf-8"))
        RECORD.write_text(json.dumps(record_of(results), indent=1, ensure_ascii=False) + "\n", "utf-8")
    PICTURE.write_text(picture(json.loads(RECORD.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
