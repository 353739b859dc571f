"""The verdicts of a run as a sequence, with one row a method as a frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import overload

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.experiments.exporting.rows import checked
from orchestrator.notebook.fragment import fragment, paragraph, plain_table
from orchestrator.notebook.frames import Column, Kind
from orchestrator.notebook.marks import leaking
from orchestrator.notebook.rates import rate
from orchestrator.notebook.shown import Shown
from orchestrator.notebook.table import Table, table_columns
from orchestrator.notebook.verdict_card import badges, count_rate, words_of
from orchestrator.notebook.verdict_rows import fields_of, verdict_row
from orchestrator.report.html.summary_part import NOTHING

_HEADINGS = (
    "Experiment",
    "Method",
    "Verdict",
    "MB per iteration (95 %)",
    "Above a fresh process (MB)",
    "Why",
)


class Verdicts(Shown, Sequence[Judgement]):
    """The judgement of each method of each experiment, in the experiments' order.

    ``to_pandas`` and ``to_polars`` have one row a method: rates in MB per iteration with their 95 % intervals.
    """

    __slots__ = ("_judged",)

    def __init__(self, judged: Sequence[Judgement]) -> None:
        self._judged = tuple(judged)

    def __len__(self) -> int:
        return len(self._judged)

    @overload
    def __getitem__(self, index: int) -> Judgement: ...
    @overload
    def __getitem__(self, index: slice) -> Verdicts: ...
    def __getitem__(self, index: int | slice) -> Judgement | Verdicts:
        return Verdicts(self._judged[index]) if isinstance(index, slice) else self._judged[index]

    def __iter__(self) -> Iterator[Judgement]:
        return iter(self._judged)

    def __repr__(self) -> str:
        said = ", ".join(f"{each.experiment} {each.series}: {words_of(each)}" for each in self)
        return (
            f"<{len(self)} verdict{'' if len(self) == 1 else 's'}: {said or 'nothing has been measured yet'}>"
        )

    @property
    def table(self) -> Table:
        """The verdicts as rows, one a method.

        Raises:
            ResultsError: A verdict, of a file from elsewhere, has a number that no column can hold.
        """
        kinds: dict[str, Kind] = {name: kind for name, kind, _ in fields_of(Judgement)}
        return Table("verdict", kinds, [checked(verdict_row(each), kinds) for each in self])

    def _columns(self) -> Mapping[str, Column]:
        return table_columns(self.table)

    def _html(self) -> str:
        if not self:
            return fragment(paragraph(NOTHING))
        return fragment(plain_table(_HEADINGS, [_shown(each) for each in self]))


def _shown(judged: Judgement) -> list[object]:
    level = judged.against_baseline.level if judged.against_baseline else None
    return [
        judged.experiment,
        judged.series,
        badges(judged),
        rate(judged.rate_mb_per_iteration, judged.ci_low, judged.ci_high),
        None if level is None else round(level.above_mb),
        "; ".join(_why(judged)) or None,
    ]


def _why(judged: Judgement) -> Iterator[str]:
    """Yield the first reason, and of descriptors and threads that leak the rate with its first reason."""
    yield from judged.reasons[:1]
    for name, found in leaking(judged):
        yield ": ".join([f"{name}: {count_rate(found)}", *found.reasons[:1]])
