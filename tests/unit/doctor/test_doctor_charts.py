"""Reports without the extra ``report``: a note, and how to get it."""

from __future__ import annotations

import pytest

from orchestrator.doctor.tools import look_at_tools


@pytest.mark.parametrize(
    ("module", "state", "said"), [("json", "ok", "mouse"), ("no_such", "note", "simpler")]
)
def test_reports_without_the_package_for_charts_are_a_note(
    monkeypatch: pytest.MonkeyPatch, module: str, state: str, said: str
) -> None:
    monkeypatch.setattr("orchestrator.doctor.tools.CHARTS", module)
    (found,) = [each for each in look_at_tools([], which=lambda _: None) if each.subject == "charts"]
    assert (found.state, said in found.found) == (state, True)
    assert ("orchestrator[report]" in (found.hint or "")) == (state == "note")
