"""The end of a run for GitHub: its job summary as Markdown, annotations as workflow commands."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest
from markdown_it import MarkdownIt
from record_builders import ended, experiment, growing, records, summarized_all

from orchestrator.analysis.judging.judged import CountJudgement
from orchestrator.cli.ci import add_step_summary, annotate, artifacts_url, in_workspace
from orchestrator.config.types import GateConfig
from orchestrator.experiments.judging.leak_gate import check_gate
from orchestrator.experiments.judging.readings import leak_series_mb
from orchestrator.report.closing.github import annotation_lines, code, escaped, step_summary
from orchestrator.report.closing.last_screen import Closing
from orchestrator.report.closing.rows import ClosingRow, closing_rows
from orchestrator.report.closing.what_to_do import ToDo

GITHUB = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "them/engine",
    "GITHUB_RUN_ID": "123",
}
HOSTILE = "a|b `c` *d* _e_ <b>f</b> [g](h) @team #1 ~~x~~ $y$ \\ ![i](j)"


def rows() -> list[ClosingRow]:
    """One method of each kind: a leak, a crash with a hard name, one that could not run, one that is clean."""
    about = experiment("recreate", "restart", "reuse", "recycle", iterations=30)
    crash = ended(
        7, "restart", outcome="crashed", iteration=8, phase="infer", cause="SIGSEGV: 100%,\nat once"
    )
    gone = ended(0, "reuse", outcome="unavailable", cause="no file")
    made = [
        growing("recreate", 30, 100, 2),
        records("restart", growing("restart", 7).iterations, crash),
        records("reuse", [], gone),
        growing("recycle", 30),
    ]
    readings = {"recreate": leak_series_mb("recreate", made[0].iterations)}
    return closing_rows(about, summarized_all(about, made), readings)


def closing(**said: object) -> Closing:
    return replace(Closing(rows(), "2 min", engines="moonshine (profile embedded)"), **said)  # type: ignore[arg-type]


# ------------------------------------------------------------------ the summary


def rendered(text: str) -> str:
    return MarkdownIt("gfm-like", {"linkify": False}).render(text)


def test_the_table_has_a_row_a_method() -> None:
    html = rendered(step_summary(closing()))
    cells = [
        re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    ]
    assert [row[1:4] for row in cells if row] == [
        ["Destroy+Recreate", "🔴 LEAK", "2.00 MB"],
        ["Restart()", "🔴 broke off", "after 7 of 30"],
        ["Reuse", "⚪ not run", ""],
        ["fresh processes", "🟢 no leak", ""],
    ]
    assert "<h3>1 of 4 methods leaks · 1 does not · 0 undecided · 1 broke off · 1 did not run</h3>" in html


def test_the_chart_is_a_link_to_the_artifacts_of_the_job() -> None:
    url = artifacts_url(GITHUB)
    html = rendered(step_summary(closing(report="results/report.html"), url))
    assert '<a href="https://github.example/them/engine/actions/runs/123#artifacts">' in html
    assert "<code>results/report.html</code>" in html


@pytest.mark.parametrize(
    "changed",
    [
        {"GITHUB_RUN_ID": ""},
        {"GITHUB_RUN_ID": "1/../2"},
        {"GITHUB_SERVER_URL": "javascript:x"},
        {"GITHUB_REPOSITORY": ""},
    ],
)
def test_outside_github_there_is_no_address(changed: dict[str, str]) -> None:
    assert artifacts_url({**GITHUB, **changed}) == ""
    assert "<a href" not in rendered(
        step_summary(closing(report="r.html"), artifacts_url({**GITHUB, **changed}))
    )


def test_a_repository_cannot_close_the_link() -> None:
    assert artifacts_url({**GITHUB, "GITHUB_REPOSITORY": "a/b>) x"}) == (
        "https://github.example/a/b%3E%29%20x/actions/runs/123#artifacts"
    )


@pytest.mark.parametrize(
    "text", [HOSTILE, "- item", "+ item", "1. item", "# head", "a\nb | c", "```", "---", "=== x"]
)
def test_what_a_user_has_named_is_shown_as_it_is(text: str) -> None:
    html = rendered(step_summary(closing(to_do=[ToDo(f"{text} end")], engines=text)))
    (item,) = re.findall(r"<li>(.*?)</li>", html, re.DOTALL)
    assert unescape(re.sub(r"</?p>|\n", "", item)).strip() == f"{' '.join(text.split())} end"
    assert "@" not in escaped(text)


def test_code_holds_backticks() -> None:
    assert "<code>a`b``c</code>" in rendered(code("a`b``c"))


def test_a_command_is_code_of_its_own() -> None:
    html = rendered(step_summary(closing(to_do=[ToDo("where it leaks:", "orchestrator locate a_b.toml *")])))
    assert "<pre><code>orchestrator locate a_b.toml *" in html


def test_the_summary_is_added_to_what_is_there(tmp_path: Path) -> None:
    place = tmp_path / "summary.md"
    place.write_text("before\n")
    for _ in range(2):
        add_step_summary(closing(), {"GITHUB_STEP_SUMMARY": str(place)})
    text = place.read_text("utf-8")
    assert text.startswith("before\n### ")
    assert text.count("| experiment |") == 2
    assert text.endswith("\n\n")


def test_a_summary_that_cannot_be_written_is_said_and_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_step_summary(closing(), {"GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert "no job summary: " in capsys.readouterr().err
    add_step_summary(closing(), {})
    assert capsys.readouterr().err == ""


# ------------------------------------------------------------------ annotations

COMMAND = re.compile(
    r"::(?P<level>error|warning) file=(?P<file>[^,:]*),title=(?P<title>[^,:]*)::(?P<message>.*)"
)


def test_each_method_that_is_not_clean_has_an_annotation() -> None:
    found = [COMMAND.fullmatch(line) for line in annotation_lines(rows(), "a,b: c%.toml")]
    assert all(found)
    told = [(one["level"], unquote(one["file"]), unquote(one["title"])) for one in found if one]
    assert told == [
        ("error", "a,b: c%.toml", "exp2 Destroy+Recreate: LEAK"),
        ("error", "a,b: c%.toml", "exp2 Restart(): broke off"),
        ("warning", "a,b: c%.toml", "exp2 Reuse: not run"),
    ]


def test_a_message_is_one_line_and_keeps_its_percent_signs() -> None:
    _, crash, _ = annotation_lines(rows(), "f.toml")
    assert "\n" not in crash
    message = crash.split("::", 2)[2]
    assert unquote(message).endswith("SIGSEGV: 100%,\nat once")
    assert "100%25,%0Aat once" in message


def levels(gate: GateConfig) -> dict[str, str]:
    """What is said of each method with that gate on."""
    judged = [row.judgement for row in rows() if row.judgement]
    stream = io.StringIO()
    annotate(rows(), "f.toml", stream, {}, check_gate(gate, judged))
    found = [COMMAND.fullmatch(line) for line in stream.getvalue().splitlines()]
    return {unquote(one["title"]).removeprefix("exp2 "): one["level"] for one in found if one}


def test_an_error_is_what_the_gate_breaks_on() -> None:
    usual = {"Destroy+Recreate: LEAK": "error", "Restart(): broke off": "error", "Reuse: not run": "warning"}
    assert levels(GateConfig()) == usual
    accepted = GateConfig(max_rate_mb_per_iteration=3.0)
    assert levels(accepted) == usual | {"Destroy+Recreate: LEAK": "warning"}
    other = GateConfig(methods=["recycle"])
    assert set(levels(other).values()) == {"warning"}, "it looks at none of those that are not clean"
    assert levels(GateConfig(inconclusive="fail")) == usual | {"Reuse: not run": "error"}


def test_descriptors_that_leak_break_a_gate_that_counts_them_only() -> None:
    count = CountJudgement(verdict="leak", first=3, last=33, rate_per_iteration=1.0, ci_low=0.9, ci_high=1.1)
    clean = next(row.judgement for row in rows() if row.kind == "no leak")
    assert clean is not None
    judged = msgspec.structs.replace(clean, descriptors=count)
    leaking = ClosingRow("exp2", "", "Reuse", "leak", "LEAK", judgement=judged)
    for counted, level in ((False, "::warning "), (True, "::error ")):
        stream = io.StringIO()
        annotate([leaking], "f.toml", stream, {}, check_gate(GateConfig(descriptors=counted), [judged]))
        assert stream.getvalue().startswith(level)


def test_what_the_gate_breaks_on_is_said_whatever_its_verdict() -> None:
    judged = [row.judgement for row in rows() if row.kind == "no leak" and row.judgement]
    strict = GateConfig(max_rate_mb_per_iteration=1e-9, methods=["recycle"], inconclusive="fail")
    gate = check_gate(strict, judged)
    assert gate.result == "broken"
    stream = io.StringIO()
    annotate(rows()[-1:], "f.toml", stream, {}, gate)
    assert stream.getvalue().startswith("::error ")
    assert "the limit is 1e-09" in stream.getvalue()


def test_a_clean_run_has_none() -> None:
    stream = io.StringIO()
    annotate([row for row in rows() if row.kind == "no leak"], "f.toml", stream, {})
    assert stream.getvalue() == ""


def test_a_file_is_named_as_the_repository_knows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sub" / "experiments.toml"
    assert in_workspace(str(file), {"GITHUB_WORKSPACE": str(tmp_path)}) == "sub/experiments.toml"
    monkeypatch.chdir(tmp_path)
    assert in_workspace(str(file), {}) == "sub/experiments.toml"
    assert in_workspace(str(file), {"GITHUB_WORKSPACE": "/elsewhere"}) == "sub/experiments.toml"
