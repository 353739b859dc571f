"""How large the house is for a reader: folders, files that one job touches, comments, import circles.

``python benchmarks/structure.py`` prints a table. It counts, and judges nothing: the figures are for comparing two
versions of this project, or this project with another (``--package``).

- biggest flat folder: most ``.py`` files in one folder of the package
- modules reached: modules of the package that are imported when ``Pool`` is, with their lines, and all that they
  name in import statements anywhere (functions included)
- files one job touches: files of the package in which a function runs in the parent while one ``pool.run`` is under
  way, and how often the running code moves from one file to another (calls and returns, all threads)
- modules loaded: modules of ours in this process after that job; fewer than those reached, because what a job does
  not need (reading a plan from result files, an experiments.toml) is imported late
- comments: comment lines per 100 lines of code that are neither blank, comment nor docstring
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import sys
import threading
import tokenize
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from types import FrameType


def package_folder(name: str) -> Path:
    """Return the folder of an importable package."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{name}: no such package here")
    return Path(spec.origin).parent


def biggest_folder(folder: Path) -> tuple[str, int]:
    """Return the folder with most ``.py`` files, as a path below ``folder``, and their number."""
    counts = Counter(path.parent for path in folder.rglob("*.py"))
    place, number = counts.most_common(1)[0]
    return str(place.relative_to(folder.parent)), number


def _docstring_lines(tree: ast.AST) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def comments_and_code(folder: Path) -> tuple[int, int]:
    """Return the number of lines with a comment, and of lines with code, in all files below ``folder``."""
    comments = code = 0
    for path in folder.rglob("*.py"):
        text = path.read_text("utf-8")
        strings = _docstring_lines(ast.parse(text))
        skipped = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
        commented: set[int] = set()
        coded: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                if not token.string.startswith(("# noqa", "# type:", "# pragma")):
                    commented.add(token.start[0])
            elif token.type not in skipped:
                coded |= set(range(token.start[0], token.end[0] + 1))
        comments += len(commented)
        code += len(coded - strings)
    return comments, code


def modules_reached(entry: str, package: str) -> tuple[int, int]:
    """Return the modules of ``package`` that importing ``entry`` leads to, however late, and their lines."""
    root = package_folder(package)
    waiting, seen = [entry], set[str]()
    while waiting:
        name = waiting.pop()
        place = root.parent / Path(*name.split("."))
        file = place.with_suffix(".py") if place.with_suffix(".py").is_file() else place / "__init__.py"
        if name in seen or not file.is_file():
            continue
        seen.add(name)
        waiting += _named(ast.parse(file.read_text("utf-8")), package)
    files = [root.parent / Path(*name.split(".")) for name in seen]
    lines = sum(
        (file.with_suffix(".py") if file.with_suffix(".py").is_file() else file / "__init__.py")
        .read_text("utf-8")
        .count("\n")
        for file in files
    )
    return len(seen), lines


def _named(tree: ast.AST, package: str) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] == package]


class Steps:
    """Notes in which file of the package each function call and return takes place, in all threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self.files: Counter[str] = Counter()
        self.classes: set[str] = set()
        self.moves = 0
        self._last: dict[int, str] = {}
        self.on = False

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:  # noqa: ARG002 - the signature is given
        """The profile function."""
        if not self.on or event not in {"call", "return"}:
            return
        file = frame.f_code.co_filename
        if not file.startswith(self._folder):
            return
        self.files[file] += 1
        first = frame.f_locals.get("self") if event == "call" else None
        if first is not None and type(first).__module__.startswith("orchestrator"):
            self.classes.add(type(first).__qualname__)
        thread = threading.get_ident()
        if self._last.get(thread, file) != file:
            self.moves += 1
        self._last[thread] = file


def one_job() -> Steps:
    """Run one job on a pool that is warm, and return what was touched in this process."""
    steps = Steps(package_folder("orchestrator"))
    threading.setprofile(steps)
    sys.setprofile(steps)
    from orchestrator import Call, Pool  # noqa: PLC0415 - after the profile function, so that threads have it

    with Pool() as pool:
        pool.run(Call("math:sqrt", 4.0))
        steps.on = True
        pool.run(Call("math:sqrt", 9.0))
        steps.on = False
    sys.setprofile(None)
    threading.setprofile(None)  # type: ignore[arg-type]
    return steps


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--package", default="orchestrator", help="count another installed package; no job is run"
    )
    parser.add_argument("--entry", default=None, help="the module whose reach is counted")
    parser.add_argument("--files", action="store_true", help="list the files that the job touches")
    options = parser.parse_args()
    ours = options.package == "orchestrator"
    folder = package_folder(options.package)
    entry = options.entry or ("orchestrator.pool.pool" if ours else options.package)
    place, number = biggest_folder(folder)
    reached, lines = modules_reached(entry, options.package)
    comments, code = comments_and_code(folder)
    print(f"biggest flat folder                    {number} files ({place})")
    print(f"modules reached from {entry:<17} {reached} ({lines:,} lines)")
    print(f"comments per 100 lines of code         {100 * comments / code:.1f} ({comments} of {code:,})")
    if ours:
        steps = one_job()
        print(f"files that one job touches, moves      {len(steps.files)}, {steps.moves}")
        print(f"classes whose methods run for one job  {len(steps.classes)}")
        print(
            f"modules that this process has loaded   {sum(name.startswith('orchestrator') for name in sys.modules)}"
        )
        if options.files:
            print(*sorted(str(Path(file).relative_to(folder)) for file in steps.files), sep="\n")
            print(*sorted(steps.classes), sep=", ")
    revision = subprocess.run(
        ["git", "-C", str(folder.parent), "rev-parse", "--short", "HEAD"],
        check=False,
        capture_output=True,
        text=True,
    )
    print(f"revision                               {revision.stdout.strip() or 'unknown'}")


if __name__ == "__main__":
    main()
