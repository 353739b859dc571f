"""What a gate makes of a finished run: words on stderr, a JUnit file, an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.config.types import GateConfig
from orchestrator.experiments.judging.junit import junit_xml
from orchestrator.experiments.judging.leak_gate import GateResult, GateWord, check_gate
from orchestrator.files.writing import write_atomically

_CODES: dict[GateWord, ExitCode] = {
    "passed": ExitCode.DONE,
    "broken": ExitCode.BROKEN,
    "inconclusive": ExitCode.INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True)
class Gated:
    """The gate as file and flags have it.

    Attributes:
        table: The file's ``[gate]``; that it is there switches the gate on.
        flag: ``leak`` switches it on without a table, ``off`` switches it off whatever the file says.
        junit: Where the JUnit file goes; it is written with the gate off too.
    """

    table: GateConfig | None
    flag: Literal["leak", "off"] | None
    junit: Path | None

    @property
    def on(self) -> bool:
        """Whether the result decides the exit code."""
        return self.flag == "leak" or (self.flag is None and self.table is not None)

    def result(self, judgements: Sequence[Judgement]) -> GateResult | None:
        """Return what the gate says of the run's judgements; None with the gate off."""
        return check_gate(self.table or GateConfig(), judgements) if self.on else None

    def check(self, judgements: Sequence[Judgement]) -> ExitCode:
        """Hold the run's judgements against the gate and say what came out.

        Raises:
            ResultsError: The JUnit file cannot be written.
        """
        if not self.on and self.junit is None:
            return ExitCode.DONE
        result = check_gate(self.table or GateConfig(), judgements)
        if self.junit is not None:
            write_atomically(self.junit, junit_xml(result))
        if not self.on:
            return ExitCode.DONE
        _tell(result)
        return _CODES[result.result]


def _tell(result: GateResult) -> None:
    print(f"gate: {result.result}: {result.reason}", file=sys.stderr)
    for one in result.series:
        if one.result != "passed":
            name = f"{one.judgement.experiment}/{one.judgement.series}"
            word = "" if one.reason.startswith(one.result) else f"{one.result}: "
            print(f"  {name}: {word}{one.reason}", file=sys.stderr)
