"""Our colours, each as it is on light and on dark ground; what they stand for is decided where they are used."""

from __future__ import annotations

from typing import NamedTuple


class Ink(NamedTuple):
    """One colour as it is on light and on dark ground."""

    light: str
    dark: str


COLORS: dict[str, Ink] = {
    "ground": Ink("#ffffff", "#16181d"),
    "panel": Ink("#f6f7f9", "#1e2127"),
    "ink": Ink("#1b1f24", "#e8eaed"),
    "muted": Ink("#59636e", "#a3acb8"),
    "rule": Ink("#d5dae0", "#3a4049"),
    "baseline": Ink("#4b5563", "#c3cad4"),
    "orange": Ink("#c44e00", "#ff9a56"),
    "blue": Ink("#0069a8", "#62b8ee"),
    "purple": Ink("#a23b84", "#e79bcb"),
    "green": Ink("#00805c", "#3fcb9f"),
    "gold": Ink("#8f6b00", "#f0cf4d"),
    "sky": Ink("#2b8cbe", "#8fd3f4"),
    "red": Ink("#b3261e", "#ff8a80"),
}


def variables(*, dark: bool) -> str:
    """Return a style sheet's declarations of all colours."""
    return "".join(f"--{name}:{ink.dark if dark else ink.light};" for name, ink in COLORS.items())
