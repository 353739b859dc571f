"""What flags may say: which experiments and methods, and numbers in range."""

from __future__ import annotations

from resolved_plans import Resolved, problems_of, series_of


def test_only_keeps_the_files_order(right_text: str, resolved: Resolved) -> None:
    assert [experiment.name for experiment in resolved(right_text, only=("two", "one")).experiments] == [
        "one",
        "two",
    ]
    assert [experiment.name for experiment in resolved(right_text, only=("two",)).experiments] == ["two"]


def test_flags_that_cannot_be_used_are_all_named(right_text: str, resolved: Resolved) -> None:
    problems = problems_of(
        lambda: resolved(
            right_text,
            {"CONTEXT_LENGTH": "x"},
            only=("one", "too"),
            methods=("recicle",),
            iterations=0,
            threads=-1,
        )
    )
    assert [str(problem) for problem in problems] == [
        "--iterations: 0 is out of range (allowed: at least 1)",
        "--threads: -1 is out of range (allowed: at least 1)",
        'CONTEXT_LENGTH: "x" cannot be used (allowed: an integer, at least 1)',
        '--only: there is no experiment "too" (did you mean "two"? allowed: one, two)',
        '--methods: there is no method "recicle" '
        '(did you mean "recycle"? allowed: recreate, restart, reuse, recycle, warm)',
    ]


def test_flags_that_name_nothing(right_text: str, resolved: Resolved) -> None:
    problems = problems_of(lambda: resolved(right_text, only=(), methods=()))
    assert [problem.key_path for problem in problems] == ["--only", "--methods"]


def test_restart_by_flag_is_refused_where_the_file_would_refuse_it(
    right_text: str, resolved: Resolved
) -> None:
    [problem] = problems_of(lambda: resolved(right_text, methods=("restart", "recycle")))
    assert problem.key_path == "--methods"
    assert "two: restart cannot be done" in str(problem)
    assert "add --only one" in str(problem)
    assert series_of(resolved(right_text, methods=("restart",), only=("one",)).experiments[0]) == ["restart"]


def test_recreate_by_flag_needs_models_that_agree(right_text: str, resolved: Resolved) -> None:
    text = right_text.replace('name = "two"', 'name = "two"\nmethods = ["recycle"]')
    text = text.replace('engine = "moonshine"', 'engine = "moonshine"\nenv = { A = "1" }')
    text = text.replace('engine = "pocketsphinx"', 'engine = "pocketsphinx"\nenv = { A = "2" }')
    assert len(resolved(text).experiments) == 2
    [problem] = problems_of(lambda: resolved(text, methods=("recreate",)))
    assert problem.key_path == "$.profiles.embedded.models.aligner.env.A"
    assert len(resolved(text, methods=("recreate",), only=("one",)).experiments) == 1
