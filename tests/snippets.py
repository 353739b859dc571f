"""What the pages show, read from Markdown: blocks of code with their place, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "models/*.md", "results/README.md")
    for page in ROOT.glob(pattern)
    if "_build" not in page.parts
)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"# ([\w./-]+\.\w+)\n")
_BETWEEN = {"&&", "||", ";", "|", "&", ">", ">>", "<", "("}


@dataclass(frozen=True)
class Snippet:
    """A fenced block: where it is, its language (may be empty) and its text."""

    page: Path
    heading: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """``docs/page.md:12``."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file_name(self) -> str | None:
        """The file it shows, when its first line is a comment with nothing but a file's name."""
        named = _FILE_NAME.match(self.text)
        return named[1] if named else None


def snippets(page: Path, *languages: str) -> list[Snippet]:
    """Return the blocks of a page in order; with ``languages`` only those."""
    text = page.read_text("utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        before = text[: match.start()]
        heading = re.findall(r"^##+ (.*)$", before, re.MULTILINE)[-1:] or [page.stem]
        if not languages or match[1] in languages:
            found.append(Snippet(page, heading[0], before.count("\n") + 2, match[1], match[2]))
    return found


def commands(script: str) -> Iterator[list[str]]:
    """Yield each simple command of shell text as its words, without variables set before it."""
    for line in script.replace("\\\n", " ").splitlines():
        reader = shlex.shlex(re.sub(r"(?<=\s)2>", ">", line), posix=True, punctuation_chars=True)
        reader.whitespace_split = True
        words: list[str] = []
        target = False  # the word after > is a file
        for token in [*reader, ";"]:
            if token not in _BETWEEN:
                if not target and not (not words and re.match(r"\w+=", token)):
                    words.append(token)
                target = False
                continue
            target = token in {">", ">>", "<"}
            if not target and words:
                yield words
                words = []


def orchestrator_commands(page: Path) -> list[list[str]]:
    """Return the arguments of each ``orchestrator`` command line: in blocks, and in lines set off by four spaces."""
    text = page.read_text("utf-8")
    scripts = [snippet.text for snippet in snippets(page, "sh")]
    scripts += re.findall(r"^ {4}(orchestrator .*)$", _BLOCK.sub("", text), re.MULTILINE)
    return [
        words[words.index("orchestrator") + 1 :]
        for script in scripts
        for words in commands(script)
        if words[0] == "orchestrator" or (words[0] == "docker" and "run" in words)
    ]


def mentions(page: Path) -> list[str]:
    """Return what a page's sentences and tables have as code and begin with ``orchestrator`` and a command's name."""
    prose = _BLOCK.sub("", page.read_text("utf-8"))
    return re.findall(r"`orchestrator ([a-z]+\b[^`]*)`", prose)
