"""Write the page of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.experiments.comparing.comparison import Comparison
from orchestrator.experiments.reporting.comparison_content import NamedRun, comparison_content
from orchestrator.files.writing import write_atomically
from orchestrator.report.html.comparison.page import make_comparison_page


def write_comparison(
    page: Path, first: Sequence[NamedRun], second: Sequence[NamedRun], compared: Comparison
) -> None:
    """Write the page of two sides to the file ``page``, replacing an older one in one stroke.

    Raises:
        ResultsError: It cannot be written.
    """
    content = comparison_content(first, second, compared)
    write_atomically(
        page,
        make_comparison_page(content).encode(errors="replace"),
        elsewhere="another --report FILE",
        go_on="compare again",
    )
