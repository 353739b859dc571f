"""Verdicts as notebooks have them: HTML that is whole by itself, one row a verdict, and no package that is required."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from orchestrator.analysis import MemorySeries, Verdict, judge
from orchestrator.analysis.judging.judged import ChannelJudgement
from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.leakgate.result import LeakCheckResult
from orchestrator.notebook.colors import COLORS
from orchestrator.notebook.fragment import fragment, paragraph
from orchestrator.notebook.verdict_rows import FIELDS, fields_of, verdict_row
from orchestrator.series_files.finding import Finding

HOSTILE = "<script>alert(1)</script>&\"'"
JUDGED = Judgement(
    verdict="leak",
    experiment="exp2",
    series="reuse@x",
    method="reuse",
    outcome="completed",
    sentence="completed 40 iterations",
    boundary="after_infer",
    iterations=40,
    rate_mb_per_iteration=0.12,
    ci_low=0.11,
    ci_high=0.13,
    rate_channel="live",
    reasons=["it grows", HOSTILE],
)


class _Tags(HTMLParser):
    """Which elements there are, and whether each is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.attributes: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.open.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def leaking() -> Verdict:
    return judge(MemorySeries.of(np.arange(40) * 0.5 + 100))


def test_a_verdict_is_shown_with_rate_interval_and_reasons() -> None:
    page = leaking()._repr_html_()
    tags = _Tags(page)
    assert not tags.open
    assert "▲ leak" in page
    assert "0.500 (0.500 to 0.500) MB per iteration, RSS" in page
    assert all(reason in page for reason in leaking().reasons)


@pytest.mark.parametrize(
    "changes",
    [
        {"reasons": [HOSTILE]},
        {"settle": [HOSTILE]},
        {"experiment": HOSTILE},
        {"series": HOSTILE},
        {"channels": {HOSTILE: ChannelJudgement(verdict=HOSTILE)}},
        {"verdict": HOSTILE},
        {"rate_channel": HOSTILE},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_a_file_says_is_text(changes: dict[str, object]) -> None:
    page = msgspec.structs.replace(JUDGED, **changes)._repr_html_()
    tags = _Tags(page)
    assert not tags.open
    assert set(tags.seen) <= {
        "div",
        "style",
        "p",
        "span",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "ul",
        "li",
    }
    assert not [name for name in tags.attributes if name not in {"class", "scope"}]
    assert "&lt;script&gt;" in page


def test_html_needs_nothing_from_elsewhere_and_styles_nothing_else() -> None:
    page = JUDGED._repr_html_()
    assert not re.search(r"https?:|url\(|@import|<script|<link| on\w+=", page)
    (style,) = re.findall(r"<style>(.*?)</style>", page)
    outside = [
        selector
        for rule in re.findall(
            r"([^{}]+)\{[^{}]*\}", style.replace("@media screen and (prefers-color-scheme:dark){", "")
        )
        for selector in rule.split(",")
        if ".orchestrator-shown" not in selector
    ]
    assert not outside


@pytest.mark.parametrize(
    ("theme", "dark"), [('data-jp-theme-light="false"', True), ('data-jp-theme-light="true"', False)]
)
def test_a_theme_that_the_notebook_tells_wins_over_the_browsers(theme: str, dark: bool) -> None:
    page = fragment(paragraph("x"))
    wanted = COLORS["ink"].dark if dark else COLORS["ink"].light
    told = re.search(
        rf"\[{re.escape(theme)}\] \.orchestrator-shown[^{{]*\{{--ground:[^;]+;--panel:[^;]+;--ink:([^;]+);",
        page,
    )
    assert told is not None
    assert told[1] == wanted
    assert told.start() > page.index("prefers-color-scheme:dark")


@pytest.mark.parametrize("kind", [Verdict, Judgement, Finding, LeakCheckResult])
def test_each_column_says_its_unit_and_stands_for_a_field(kind: type) -> None:
    names = [name for name, _, _ in fields_of(kind)]
    assert "rate_mb_per_iteration" in names
    assert len(set(names)) == len(names)
    floats = [name for name, holds, _ in FIELDS if holds == "float"]
    assert not [name for name in floats if not re.search(r"_(mb|bytes|per_iteration|per_hour)$", name)]


def test_a_row_has_what_the_verdict_says() -> None:
    row = verdict_row(JUDGED)
    assert row["ci_low_mb_per_iteration"] == 0.11
    assert row["series"] == "reuse@x"
    assert row["above_fresh_mb"] is None
    assert row["reasons"] == f"it grows; {HOSTILE}"


def test_a_check_speaks_of_calls() -> None:
    facts = {name: getattr(JUDGED, name) for name in JUDGED.__struct_fields__}
    checked = LeakCheckResult(**facts, calls=500, smallest_leak_bytes=12.5)
    assert "MB per call" in checked._repr_html_()
    assert verdict_row(checked)["calls"] == 500


def test_a_verdict_as_a_frame_of_pandas() -> None:
    pytest.importorskip("pandas", reason="needs pandas")
    frame = JUDGED.to_pandas()
    assert len(frame) == 1
    assert frame["iterations"].tolist() == [40]
    assert frame["rate_mb_per_iteration"].dtype == "float64"
    assert frame["above_fresh_mb"].isna().all()
    assert list(leaking().to_pandas().columns) == [name for name, _, _ in fields_of(Verdict)]


def test_a_verdict_as_a_frame_of_polars() -> None:
    polars = pytest.importorskip("polars", reason="needs polars")
    frame = JUDGED.to_polars()
    assert frame.shape == (1, len(fields_of(Judgement)))
    assert frame["verdict"].to_list() == ["leak"]
    assert frame.schema["above_fresh_mb"] == polars.Float64


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_without_the_package_the_error_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # as where it is not installed
    with pytest.raises(ModuleNotFoundError, match=f"to_{name}.. needs {name}.*pip install {name}") as told:
        getattr(JUDGED, f"to_{name}")()
    assert told.value.name == name


def test_what_files_keep_of_a_verdict_is_unchanged() -> None:
    again = msgspec.json.decode(msgspec.json.encode(JUDGED), type=Judgement)
    assert again == JUDGED
    assert not hasattr(JUDGED, "__dict__")
