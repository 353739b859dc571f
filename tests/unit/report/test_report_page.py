"""The page: what it says of every kind of series, and that nothing a user named becomes markup."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from written_runs import MODEL, Written, experiment, iterations, reading

from orchestrator.config.model import BoundModel
from orchestrator.config.types import Series
from orchestrator.experiments.reporting.report_content import collect_report
from orchestrator.report.html.markdown import markdown_summary
from orchestrator.report.html.page import make_page

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def page_of(run: Written) -> str:
    return make_page(collect_report(run.run), "window.vegaEmbed = null;")


def words_of(page: str) -> str:
    """Return the text a reader sees, without the charts' data."""
    body = page[page.index("<body>") : page.index("<script")]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_verdicts_stand_before_everything_else_in_words(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("recreate", "recycle"))
    run.add("recreate", iterations("recreate", 40, 2.0))
    run.add("recycle", iterations("recycle", 40, 0.0))
    words = words_of(page_of(run))
    assert "Leak: 1 of 2 (exp2: Destroy+Recreate)" in words
    assert "No leak: 1 of 2 (exp2: Recycle (baseline))" in words
    assert "Destroy+Recreate leaks. The live heap grows by 2.00 ± 0.00 MB per iteration" in words
    assert "fresh processes by 0.00." in words
    assert "beyond fresh processes: the live heap 2.00 ± 0.00" in words
    assert "RSS stands 80 MB above a fresh process after 40 iterations" in words
    assert "made of: live heap 2.00 MB per iteration" in words
    assert words.index("Verdicts") < words.index("Time series") < words.index("Machine and provenance")


@pytest.mark.parametrize(("variants", "said"), [(6, "@v5, Destroy+Recreate @v6)"), (9, "@v5 and 4 more)")])
def test_the_headline_names_many_methods_by_the_first_of_them(
    tmp_path: Path, variants: int, said: str
) -> None:
    series = [
        Series("recreate"),
        *(Series("recreate", f"v{at}", {"A": "1"}) for at in range(1, variants + 1)),
    ]
    run = Written(tmp_path, experiment("recreate", series=series))
    for each in series:
        run.add(each.key, iterations(each.key, 12, 1.0))
    page = page_of(run)
    assert said in words_of(page)[: words_of(page).index("Verdicts")]
    assert f"@v{variants}" in words_of(page)[words_of(page).index("Verdicts") :]


def test_what_to_do_follows_the_verdicts(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("restart", "recycle"))
    run.add("restart", iterations("restart", 40, 2.0))
    run.add("recycle", iterations("recycle", 40, 0.0))
    content = collect_report(run.run)
    words = words_of(page_of(run))
    assert "asr-small (0.6B): recycle after " in words
    assert "exp2/restart is leak: RSS grows by at most 2 MB per job." in words
    assert "[recycle] max_jobs = " in words
    assert words.index("Verdicts") < words.index("What to do") < words.index("Time series")
    assert "### What to do" in markdown_summary(content)
    empty = Written(tmp_path / "empty", experiment("restart"))
    assert collect_report(empty.run).plan is None or not collect_report(empty.run).plan.models
    assert "What to do" not in words_of(page_of(empty))


def test_each_experiment_has_all_its_charts(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("recreate", "recycle"))
    run.add("recreate", iterations("recreate", 12, 2.0))
    run.add("recycle", iterations("recycle", 12, 0.0))
    page = page_of(run)
    # RSS, live heap, phases; and for each of two methods what it is made of and its time series
    assert page.count('class="chart"') == 3 + 2 * 2
    assert "What the memory is made of" in words_of(page)


def test_a_crash_keeps_its_place_cause_output_and_how_to_get_it(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("recreate"))
    run.add(
        "recreate",
        iterations("recreate", 29, 2.0),
        outcome="crashed",
        iteration=30,
        phase="unload",
        cause="SIGABRT",
        stderr_tail="ggml_abort: 記憶體不足",
        how_to_get_it="run it with recycle",
    )
    words = words_of(page_of(run))
    assert "✕ crashed" in words
    assert "Destroy+Recreate broke off: crashed at iteration 30 in phase unload: SIGABRT." in words
    assert "ggml_abort: 記憶體不足" in words
    assert "What to do: run it with recycle" in words


def test_a_series_that_could_not_run_says_why(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("recreate", "restart"))
    run.add(
        "recreate",
        outcome="unavailable",
        cause="the model file is missing",
        how_to_get_it="fetch it: get-model x",
    )
    words = words_of(page_of(run))
    assert "Destroy+Recreate did not run: the model file is missing." in words
    assert "What to do: fetch it: get-model x" in words
    assert "No iteration has been measured." in words


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_short_series_makes_a_page_and_no_claim(tmp_path: Path, count: int) -> None:
    run = Written(tmp_path, experiment("recreate", "recycle"))
    run.add("recreate", iterations("recreate", count, 2.0))
    run.add("recycle", iterations("recycle", count, 0.0))
    words = words_of(page_of(run))
    assert "Not settled: 2 of 2" in words
    assert "leaks" not in words


def test_a_method_that_the_run_has_not_come_to_is_said_not_to_have_run(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("recreate", "restart", "recycle"))
    run.add("recreate", iterations("recreate", 40, 0.5))
    page = words_of(page_of(run))
    assert "under way, or killed" in page
    assert "Did not run: 2 of 3 (exp2: Restart(), " in page
    assert "Not settled" not in page
    assert "Restart() did not run: the run has not come to it." in page
    told = markdown_summary(collect_report(run.run))
    assert "Did not run: 2 of 3" in told
    assert told.count("**unavailable**") == 2


def test_without_samples_the_rest_is_there(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("recreate"), samples=False)
    run.add("recreate", iterations("recreate", 12, 2.0))
    words = words_of(page_of(run))
    assert "No time series:" in words
    assert "The run has no time series." in words
    assert "Destroy+Recreate leaks." in words


def test_without_a_heap_channel_it_says_so_and_why(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("recreate"))
    off = {"after_unload": reading(100, heap=False, heap_off="allocator replaced")}
    run.add("recreate", iterations("recreate", 12, 0.0, readings=off))
    words = words_of(page_of(run))
    assert "No heap channel: allocator replaced." in words
    assert "off (allocator replaced)" in words


def test_nothing_a_user_named_becomes_markup(tmp_path: Path) -> None:
    model = BoundModel(name="asr-small", engine=HOSTILE, label=HOSTILE, threads=2, threads_note=HOSTILE)
    run = Written(tmp_path, experiment("recreate", model=model, title=HOSTILE))
    run.add(
        "recreate",
        iterations("recreate", 12, 1.0, label=HOSTILE, text=HOSTILE),
        outcome="crashed",
        cause=HOSTILE,
        stderr_tail=HOSTILE,
        how_to_get_it=HOSTILE,
    )
    page = page_of(run)
    assert page.count("<script") == 3
    assert page.count("</script") == 3
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_chinese_stays_as_it_is(tmp_path: Path) -> None:
    model = BoundModel(name="asr-small", engine="synthetic", label="小模型", threads=2)
    run = Written(tmp_path, experiment("recreate", model=model, title="記憶體洩漏比較"))
    run.add("recreate", iterations("recreate", 12, 1.0, label="小模型"))
    page = page_of(run)
    assert "記憶體洩漏比較 (exp2)" in page
    assert "零九零零" in page
    assert '<meta charset="utf-8">' in page


def test_the_page_may_fetch_nothing(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("recreate"))
    run.add("recreate", iterations("recreate", 12, 1.0))
    page = page_of(run)
    assert "default-src 'none'" in page
    places = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert places
    assert all(place.startswith(("#", "data:")) for place in places)


def test_provenance_has_host_versions_configuration_and_fingerprints(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("recreate", model=MODEL))
    page = page_of(run)
    words = words_of(page)
    assert '<section id="provenance"><h2>Machine and provenance</h2>\n<details><summary>' in page, (
        "it is folded"
    )
    for fact in (
        "kernel",
        "libc",
        "swap total",
        "transparent hugepages",
        "psutil",
        "plan_fingerprint",
        "recycle_after",
    ):
        assert fact in words


@pytest.mark.parametrize(
    ("starts", "said"),
    [
        (["exec"], "worker processes exec: each a new interpreter schema"),
        (["fork"], "worker processes fork: copied from a fork server schema"),
        (
            ["exec", "fork"],
            "worker processes exec: each a new interpreter; fork: copied from a fork server schema",
        ),
        ([None], "worker processes not known schema"),
    ],
)
def test_provenance_says_how_the_workers_began(tmp_path: Path, starts: list[str | None], said: str) -> None:
    run = Written(tmp_path, experiment("recreate", "recycle"))
    for start, method in zip(starts, ("recreate", "recycle"), strict=False):
        run.add(method, iterations(method, 2, 0.0, start=start))
    assert said in words_of(page_of(run))


def test_methods_and_variants_do_not_share_a_style(tmp_path: Path) -> None:
    both = experiment(
        "recreate", series=[Series("recreate"), Series("recreate", "one-arena", {"MALLOC_ARENA_MAX": "1"})]
    )
    run = Written(tmp_path, both)
    run.add("recreate", iterations("recreate", 12, 1.0))
    run.add("recreate@one-arena", iterations("recreate@one-arena", 12, 0.0))
    page = page_of(run)
    assert (
        '"domain":["Destroy+Recreate","Destroy+Recreate @one-arena"],"range":["var(--orange)","var(--green)"]'
        in page
    )


def test_what_a_trim_gave_back_is_told_from_the_leak(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("recreate"))
    trim = {"before_trim": reading(200), "after_trim": reading(150), "trimmed": True}
    run.add("recreate", iterations("recreate", 12, 1.0), **trim)
    said = words_of(page_of(run))
    assert (
        "50.0 MB was the allocator&#x27;s cache and came back with a trim; 1.00 MB per iteration did not"
        in said
    )
    assert "not leaked" not in said


def test_threads_and_descriptors_are_given_first_and_last(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("recreate"))
    made = [
        record
        for number in (1, 2)
        for record in iterations(
            "recreate",
            2,
            0.0,
            readings={"after_unload": reading(100, threads=number + 1, descriptors=6 * number)},
        )[number - 1 : number]
    ]
    run.add("recreate", made)
    words = words_of(page_of(run))
    assert "2 → 3" in words
    assert "6 → 12" in words


def test_descriptors_that_leak_stand_in_the_headline_and_beside_the_verdict(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("restart", "recycle"))
    made = iterations("restart", 40, 0.0)
    opened = [
        msgspec.structs.replace(
            record,
            steps=[
                msgspec.structs.replace(
                    record.steps[0],
                    readings={
                        where: msgspec.structs.replace(at, descriptors=11 + record.iteration, threads=4)
                        for where, at in record.steps[0].readings.items()
                    },
                )
            ],
        )
        for record in made
    ]
    run.add("restart", opened)
    run.add("recycle", iterations("recycle", 40, 0.0))
    words = words_of(page_of(run))
    assert "1 of 2 methods leaks · 1 does not" in words
    assert "Descriptors leak: 1 of 2 (exp2: Restart())" in words
    assert "No leak: 1 of 2 (exp2: Recycle" in words
    assert "Threads leak" not in words
    assert "▲ descriptors" in words
    assert "Restart() does not leak memory, but leaks descriptors." in words
    assert "descriptors: leak, 1.00 ± 0.00 per iteration (12 at first, 51 at last)" in words
    assert "12 → 51 (leak)" in words


def test_fresh_processes_are_drawn_where_the_method_beside_them_is_read(tmp_path: Path) -> None:
    run = Written(
        tmp_path, experiment("recreate", "restart", "recycle"), experiment("recreate", "recycle", name="exp1")
    )
    for method in ("recreate", "restart", "recycle"):
        run.add(method, iterations(method, 12, 0.0))
    for method in ("recreate", "recycle"):
        run.add(method, iterations(method, 12, 0.0, name="exp1"), name="exp1")
    two, one = collect_report(run.run).experiments
    assert [each.name for each in two.fresh] == ["Recycle (baseline) after infer"]
    assert [each.judgement.boundary for each in two.drawn] == [
        "after_unload",
        "after_infer",
        "after_unload",
        "after_infer",
    ]
    assert one.drawn == list(one.series)


def test_each_method_has_a_row_against_fresh_processes(tmp_path: Path) -> None:
    run = Written(tmp_path, experiment("restart", "recycle"))
    run.add("restart", iterations("restart", 40, 2.0))
    run.add("recycle", iterations("recycle", 40, 0.0))
    words = words_of(page_of(run))
    assert "RSS above one at the end" in words
    assert "after infer 2.00 (2.00 to 2.00) 2.00 (2.00 to 2.00) 80.0" in words
