"""What an experiment's keys come to: defaults, profile, experiment, the profile's word on it, flags."""

from __future__ import annotations

import pytest
from resolved_plans import Resolved, series_of

LAYERS = (
    ("[defaults]\n{}\n", "defaults"),
    ("[profiles.embedded]\n{}\n", "profile"),
    ("[[experiment]]\n{}\n", "experiment"),
    ("[profiles.embedded.experiments.two]\n{}\n", "override"),
)


def with_layers(text: str, key: str, values: dict[str, str]) -> str:
    """Say ``key`` at several places, for experiment ``two``."""
    for template, layer in LAYERS:
        if layer not in values:
            continue
        line = f"{key} = {values[layer]}"
        if layer == "experiment":
            text = text.replace('name = "two"', f'name = "two"\n{line}')
        else:
            text = text.replace("schema = 1\n", "schema = 1\n" + template.format(line))
    return text


@pytest.mark.parametrize(
    ("said", "winner"),
    [
        ((), None),
        (("defaults",), "defaults"),
        (("defaults", "profile"), "profile"),
        (("defaults", "profile", "experiment"), "experiment"),
        (("defaults", "experiment"), "experiment"),
        (("defaults", "profile", "experiment", "override"), "override"),
        (("profile", "override"), "override"),
    ],
)
@pytest.mark.parametrize(
    ("key", "values", "default"),
    [
        ("iterations", ("11", "12", "13", "14"), 100),
        ("recycle_after", ("11", "12", "13", "14"), 1),
        ("sample_interval_ms", ("11", "12", "13", "14"), 20),
        ("timeout_s", ("1.5", "2.5", "3", "4"), 600.0),
    ],
)
def test_precedence(
    right_text: str,
    resolved: Resolved,
    key: str,
    values: tuple[str, ...],
    default: float,
    said: tuple[str, ...],
    winner: str | None,
) -> None:
    by_layer = dict(zip([layer for _, layer in LAYERS], values, strict=True))
    text = with_layers(right_text, key, {layer: by_layer[layer] for layer in said})
    expected = float(by_layer[winner]) if winner else default
    assert getattr(resolved(text).experiments[1], key) == expected


def test_false_is_said_too(right_text: str, resolved: Resolved) -> None:
    text = with_layers(right_text, "heap", {"defaults": "true", "override": "false"})
    assert [experiment.heap for experiment in resolved(text).experiments] == [True, False]


def test_methods_by_layer_and_flag(right_text: str, resolved: Resolved) -> None:
    text = with_layers(right_text, "methods", {"defaults": '["recycle"]', "override": '["recreate"]'})
    assert series_of(resolved(text).experiments[1]) == ["recreate"]
    assert series_of(resolved(text, methods=("recycle", "recycle")).experiments[1]) == ["recycle"]


def test_the_flag_for_iterations_wins(right_text: str, resolved: Resolved) -> None:
    text = with_layers(right_text, "iterations", {"override": "14"})
    assert [experiment.iterations for experiment in resolved(text, iterations=3).experiments] == [3, 3]


def test_keep_runs(right_text: str, resolved: Resolved) -> None:
    text = right_text.replace("schema = 1\n", "schema = 1\n[defaults]\nkeep_runs = 3\n")
    assert resolved(text).keep_runs == 3
    assert resolved(text + "[profiles.embedded]\nkeep_runs = 4\n").keep_runs == 4


def test_environments_of_all_layers_are_merged(right_text: str, resolved: Resolved) -> None:
    text = with_layers(
        right_text,
        "env",
        {"defaults": '{ A = "d", B = "d" }', "profile": '{ B = "p", C = "p" }', "experiment": '{ C = "e" }'},
    )
    series = resolved(text).experiments[1].series
    assert series[0].env == {"A": "d", "B": "p", "C": "e"}


def with_stop(text: str, defaults: str, profile: str) -> str:
    tables = [f"[defaults]\n{defaults}", *(f"[profiles.{name}]\n{profile}" for name in ("qwen3", "embedded"))]
    return text.replace("schema = 1\n", "\n".join(["schema = 1", *tables, ""]), 1)


@pytest.mark.parametrize(
    ("defaults", "profile", "flag", "stop"),
    [
        ("", "", None, "never"),
        ('stop = "settled"', "", None, "settled"),
        ('stop = "settled"', 'stop = "never"', None, "never"),
        ("", 'stop = "settled"', None, "settled"),
        ("", 'stop = "settled"', "never", "never"),
        ("", "", "settled", "settled"),
    ],
)
def test_who_says_whether_a_series_may_stop(
    right_text: str, resolved: Resolved, defaults: str, profile: str, flag: str | None, stop: str
) -> None:
    text = with_stop(right_text, defaults, profile)
    flags = {} if flag is None else {"stop": flag}
    assert {one.stop for one in resolved(text, **flags).experiments} == {stop}


@pytest.mark.parametrize(
    ("in_file", "in_profile", "title"),
    [
        ("Speed of {model}", None, "Speed of moonshine and Aligner 2"),
        ("Speed of {model}", "Fast", "Fast"),
        ("{brace} stays", None, "{brace} stays"),
        (None, "By {model}", "By moonshine and Aligner 2"),
        (None, None, "two"),
    ],
)
def test_a_title_names_what_runs(
    right_text: str, resolved: Resolved, in_file: str | None, in_profile: str | None, title: str
) -> None:
    """By the model's label, without one by its engine; a profile may have a title of its own."""
    text = right_text.replace('engine = "pocketsphinx"', 'engine = "pocketsphinx"\nlabel = "Aligner 2"')
    said = {"experiment": f'"{in_file}"', "override": f'"{in_profile}"'}
    values = {layer: said[layer] for layer, one in (("experiment", in_file), ("override", in_profile)) if one}
    plan = resolved(with_layers(text, "title", values))
    assert plan.experiments[1].title == title
