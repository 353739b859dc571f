"""What a run shows on which stream: a scripted run through every display."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Sequence

import pytest
from record_builders import (
    MB,
    chain,
    ended,
    experiment,
    iteration,
    model,
    plan,
    records,
    step,
    step_record,
    summarized_all,
    switching,
)
from rich.cells import cell_len

from orchestrator.cli.terminal.display import Display, Wanted
from orchestrator.cli.terminal.display_choice import make_display
from orchestrator.cli.terminal.plain_display import PlainDisplay
from orchestrator.cli.terminal.progress import IterationProgress, duration, time_left
from orchestrator.cli.terminal.rich_display import RichDisplay
from orchestrator.cli.terminal.screen import Screen
from orchestrator.cli.terminal.verbose_log import VerboseLog
from orchestrator.config.types import Experiment
from orchestrator.experiments.storage.records import AlignedWord, SeriesRecords
from orchestrator.report.layout import Line

WORDS = [AlignedWord("And", 320, 560), AlignedWord("so", 560, 700), AlignedWord("my", 700, 900)]
CHUNKS = (("零九零", 0), ("零零七", 0), ("七三", 1))


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def drive(display: Display, about: Experiment, *, clock: Clock | None = None, chunks: bool = True) -> None:
    """Play one experiment as the runner would: ten seconds an iteration."""
    ready: dict[str, SeriesRecords] = {}
    display.run_started(plan(about), "/results/runs/1", ["jfk.wav: stereo mixed to mono"])
    display.experiment_started(about, {})
    for series in about.series:
        done = []
        display.series_started(about, series, 1, "", lambda: 150 * MB)
        for number in range(1, about.iterations + 1):
            display.phase_started(about, series, number, about.steps[0], "spawn")
            steps = []
            for each in about.steps:
                display.phase_started(about, series, number, each, "load")
                display.phase_started(about, series, number, each, "infer")
                for text, replaces in CHUNKS if chunks else ():
                    display.chunk(about, series, each, text, replaces)
                align = each.task == "align"
                step_made = step_record(
                    each,
                    (800.0, 1500.0, 1500.0, 850.0),
                    ttft_ms=4349.01,
                    speed_chars_per_s=14.5,
                    text="0900073331",
                    wer_percent=None if align else 0.0,
                    words=WORDS if align else [],
                )
                display.step_done(about, series, number, each, step_made)
                display.phase_started(about, series, number, each, "unload")
                steps.append(step_made)
            if clock:
                clock.now += 10.0
            done.append(iteration(number, *steps, memory_mb=1356.57, series=series.key))
            display.iteration_done(about, series, done[-1])
        end = ended(len(done), series.key)
        display.series_ended(about, series, end)
        ready[series.key] = records(series.key, done, end)
    summaries = summarized_all(about, ready.values())
    display.experiment_ended(about, ready, summaries, "/results/comparison_results.json")
    display.run_ended("/results/runs/1", ["/results/comparison_results.json"], "done")


def told(about: Experiment, *, chunks: bool = True) -> list[str]:
    """Return the log of ``-v`` into a pipe."""
    log = io.StringIO()
    drive(PlainDisplay(io.StringIO(), log, Wanted(verbose=True)), about, chunks=chunks)
    return log.getvalue().splitlines()


def between(lines: Sequence[str], first: str, last: str) -> list[str]:
    return list(lines[lines.index(first) : lines.index(last) + 1])


# ------------------------------------------------------------------ -v tells it as the original study does


def test_one_model_is_told_as_in_exp1() -> None:
    lines = told(experiment("recreate", iterations=2))
    last = "TTFT: 4349.01 ms, Speed: 14.50 chars/sec, WER: 0.00%, Memory: 1356.57 MB"
    assert between(lines, "--- Iteration 1/2 ---", last) == [
        "--- Iteration 1/2 ---",
        "Transcribing audio (streaming output)...",
        "零九零零零七三",
        "Result: 0900073331",
        last,
    ]


def test_several_models_are_told_as_in_exp3() -> None:
    lines = told(switching("recreate"))
    memory = "Memory: 800.0 → 1500.0 (load) → 1500.0 (infer) → 850.0 (unload)"
    assert between(lines, "Iteration 1/1", f"[1.7B] {memory}") == [
        "Iteration 1/1",
        "=" * 70,
        "",
        "[0.6B] Loading model...",
        "[0.6B] Transcribing...",
        "零九零零零七三",
        "[0.6B] Result: 0900073331",
        "[0.6B] TTFT: 4349.01ms, Speed: 14.50 chars/sec, WER: 0.00%",
        f"[0.6B] {memory}",
        "",
        "[1.7B] Loading model...",
        "[1.7B] Transcribing...",
        "零九零零零七三",
        "[1.7B] Result: 0900073331",
        "[1.7B] TTFT: 4349.01ms, Speed: 14.50 chars/sec, WER: 0.00%",
        f"[1.7B] {memory}",
    ]


def test_a_chain_is_told_as_in_exp5() -> None:
    lines = told(chain("recreate"), chunks=False)
    last = "[Summary] Memory: 800.0 → 1356.6 MB (delta: +556.6 MB)"
    assert between(lines, "[ASR] Loading model...", last) == [
        "[ASR] Loading model...",
        "[ASR] Transcribing...",
        "0900073331",
        "[ASR] Transcript: 0900073331",
        "[ASR] TTFT: 4349.01ms, Speed: 14.50 chars/sec, WER: 0.00%",
        "",
        "[Aligner] Loading model...",
        "[Aligner] Aligning transcript with audio...",
        '[{"start":320,"end":560,"text":"And"},{"start":560,"end":700,"text":"so"},...]',
        last,
    ]


def test_memory_that_is_read_after_the_step_was_reported_is_told_with_the_iteration() -> None:
    about = switching("recreate")
    lines: list[str] = []
    verbose_log = VerboseLog(lambda line: lines.append(line.text), lambda _text: None)
    verbose_log.phase_started(about, about.series[0], 1, about.steps[0], "load")
    for each in about.steps:
        verbose_log.step_done(about, each, step_record(each, (1.0, 2.0, 2.0)))
    assert not any("Memory:" in line for line in lines)
    whole = [step_record(each, (1.0, 2.0, 2.0, 1.5)) for each in about.steps]
    verbose_log.iteration_done(about, iteration(1, *whole, memory_mb=1.5))
    assert lines[-2:] == [
        "[0.6B] Memory: 1.0 → 2.0 (load) → 2.0 (infer) → 1.5 (unload)",
        "[1.7B] Memory: 1.0 → 2.0 (load) → 2.0 (infer) → 1.5 (unload)",
    ]


def test_what_is_not_known_is_a_dash() -> None:
    about = experiment("recreate")
    lines: list[str] = []
    verbose_log = VerboseLog(lambda line: lines.append(line.text), lambda _text: None)
    verbose_log.step_done(about, about.steps[0], step_record())
    verbose_log.iteration_done(about, iteration(1, step_record(), memory_mb=5.0))
    assert lines == ["TTFT: –, Speed: –, Memory: 5.00 MB"]


def test_revised_text_is_shown_as_it_stands() -> None:
    shown: list[str] = []
    verbose_log = VerboseLog(lambda _line: None, shown.append)
    for text, replaces in CHUNKS:
        verbose_log.chunk(text, replaces)
    assert shown == ["零九零", "零九零零零七", "零九零零零七三"]


def test_chinese_is_shown_in_zh_tw_while_it_comes_and_then_in_digits() -> None:
    about = experiment("recreate")
    shown: list[str] = []
    lines: list[str] = []
    verbose_log = VerboseLog(lambda line: lines.append(line.text), shown.append)
    verbose_log.phase_started(about, about.series[0], 1, about.steps[0], "infer")
    for piece in ("软", "件用了百分之", "五，", "好"):
        verbose_log.chunk(piece, 0)
    assert shown == ["", "", "軟體用了百分之五，", "軟體用了百分之五，"]  # words are certain at a mark
    heard = step_record(
        text="软件用了百分之五，好", text_zh_tw="軟體用了百分之五，好", text_itn="軟體用了5%，好"
    )
    verbose_log.step_done(about, about.steps[0], heard)
    assert lines[-2:] == ["軟體用了百分之五，好", "Result: 軟體用了5%，好"]
    assert shown[-1] == ""


# ------------------------------------------------------------------ streams


def test_data_goes_to_stdout_and_the_rest_to_stderr() -> None:
    out, log, clock = io.StringIO(), io.StringIO(), Clock()
    drive(
        PlainDisplay(out, log, Wanted(), clock), experiment("recreate", "recycle", iterations=10), clock=clock
    )
    data, rest = out.getvalue(), log.getvalue()
    assert "Ground Truth: 0900073331" in data
    assert "Growth Rate (MB/iter)" in data
    assert data.endswith("\nResults saved to /results/comparison_results.json\n")
    assert rest.startswith("profile embedded: no chatllm.cpp library\njfk.wav: stereo mixed to mono\n")
    assert rest.endswith("done; raw data in /results/runs/1\n")
    assert "Iteration" not in data.replace("Iterations", "")
    assert "Growth" not in rest
    assert "\x1b" not in data + rest


@pytest.mark.parametrize(("iterations", "progress"), [(5, 5), (10, 10), (25, 10), (200, 10)])
def test_plain_progress_is_at_most_a_line_per_tenth(iterations: int, progress: int) -> None:
    log, clock = io.StringIO(), Clock()
    about = experiment("recreate", iterations=iterations)
    drive(PlainDisplay(io.StringIO(), log, Wanted(), clock), about, clock=clock)
    lines = [line for line in log.getvalue().splitlines() if line.startswith("  Iteration")]
    assert len(lines) == progress
    assert lines[-1] == f"  Iteration {iterations}/{iterations}, memory 1356.57 MB"
    assert lines[0].endswith(" s left")


def test_quiet_leaves_only_the_data() -> None:
    out, log = io.StringIO(), io.StringIO()
    drive(make_display(Wanted(quiet=True), out, log), experiment("recreate"))
    assert log.getvalue() == ""
    assert "Results saved to" in out.getvalue()


def test_json_is_one_object_an_experiment_and_people_read_stderr() -> None:
    out, log = io.StringIO(), io.StringIO()
    drive(make_display(Wanted(json=True), out, log), experiment("recreate", "recycle", iterations=4))
    (line,) = out.getvalue().splitlines()
    report = json.loads(line)
    assert report["experiment"] == "exp2"
    assert report["output"] == "/results/comparison_results.json"
    assert list(report["summary"]) == ["recreate", "recycle"]
    assert report["summary"]["recreate"]["final_memory_mb"] == pytest.approx(1356.57, abs=1e-5)
    assert "Growth Rate (MB/iter)" in log.getvalue()


def test_quiet_json_says_nothing_else() -> None:
    out, log = io.StringIO(), io.StringIO()
    display = make_display(Wanted(json=True, quiet=True), out, log)
    drive(display, experiment("recreate"))
    assert len(out.getvalue().splitlines()) == 1
    assert log.getvalue() == ""


def test_unavailable_and_crashed_methods_are_said_at_once() -> None:
    log = io.StringIO()
    about = experiment("recreate", "restart")
    display = PlainDisplay(io.StringIO(), log, Wanted())
    display.experiment_started(about, {"restart": "no such file: m.bin"})
    end = ended(0, outcome="crashed", iteration=1, phase="unload", cause="SIGABRT")
    display.series_started(about, about.series[0], 1, "its process is gone", lambda: None)
    display.series_ended(about, about.series[0], end)
    assert log.getvalue().splitlines() == [
        "Restart(): unavailable: no such file: m.bin",
        "exp2, Method 1: Destroy + Recreate ChatLLM each iteration",
        "its process is gone",
        "Destroy+Recreate: crashed at iteration 1 in phase unload: SIGABRT",
    ]


def test_a_character_the_stream_lacks_is_no_error() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    Screen(stream).write([Line("6.93 ± 0.12")])
    assert raw.getvalue() == b"6.93 ? 0.12\n"


# ------------------------------------------------------------------ terminals


def test_the_display_follows_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert type(make_display(Wanted(), io.StringIO(), Terminal())) is RichDisplay
    assert type(make_display(Wanted(), Terminal(), io.StringIO())) is PlainDisplay
    assert type(make_display(Wanted(quiet=True), Terminal(), Terminal())) is Display
    monkeypatch.setenv("TERM", "dumb")
    assert type(make_display(Wanted(), io.StringIO(), Terminal())) is PlainDisplay


def test_a_terminal_gets_a_bar_with_count_memory_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    log, clock, about = Terminal(), Clock(), experiment("recreate", iterations=4)
    (series,) = about.series
    with RichDisplay(io.StringIO(), log, Wanted(), clock) as display:
        display.series_started(about, series, 1, "", lambda: 150 * MB)
        clock.now = 20.0
        display.iteration_done(about, series, iteration(1, step_record(), memory_mb=99.0))
        assert display._bar is not None
        display._bar.refresh()
    text = log.getvalue()
    assert "Destroy+Recreate" in text
    assert "1/4" in text
    assert "150.0 MB" in text
    assert "1 min 00 s left" in text


def test_leaving_the_display_takes_the_bar_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    about = experiment("recreate")
    display = RichDisplay(io.StringIO(), Terminal(), Wanted())
    with contextlib.suppress(KeyboardInterrupt), display:
        display.series_started(about, about.series[0], 1, "", lambda: None)
        bar = display._bar
        raise KeyboardInterrupt
    assert bar is not None
    assert not bar.live.is_started
    assert display._bar is None


def test_text_grows_and_is_rewritten_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    about = experiment("recreate")
    (series,) = about.series
    with RichDisplay(io.StringIO(), Terminal(), Wanted(verbose=True)) as display:
        display.series_started(about, series, 1, "", lambda: None)
        bar = display._bar
        assert bar is not None
        seen = []
        for text, replaces in CHUNKS:
            display.chunk(about, series, about.steps[0], text, replaces)
            seen.append(str(next(iter(bar.get_renderables()))))
        assert seen == ["零九零", "零九零零零七", "零九零零零七三"]
        display.step_done(about, series, 1, about.steps[0], step_record(text="x"))
        assert bar.live_text == ""


def test_tables_on_a_terminal_keep_to_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "72")
    out = Terminal()
    about = experiment("recreate", "restart", "reuse", "recycle", steps=[step(of=model(label="小"))])
    drive(PlainDisplay(out, io.StringIO(), Wanted()), about)
    assert "\x1b[31m" not in out.getvalue()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    ruled = [line for line in plain.splitlines() if "(MB" in line or "---" in line]
    assert max(cell_len(line) for line in ruled) <= 72


# ------------------------------------------------------------------ progress


def test_time_left_counts_only_what_this_run_did() -> None:
    clock = Clock()
    progress = IterationProgress(51, 100, clock)
    assert time_left(progress) == ""
    clock.now = 20.0
    progress.reached(60)
    assert progress.left_s == 80.0
    assert time_left(progress) == "1 min 20 s left"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (185.0, "3 min 05 s"), (3725.0, "1 h 02 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
