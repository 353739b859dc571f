"""Problems of meaning, through ``load_file``: exact key paths, and all at once with those of shape."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint

import pytest

from orchestrator.config import engine_names
from orchestrator.errors import ConfigProblem

ProblemsIn = Callable[[str], list[ConfigProblem]]

# (what is replaced, by what, the key path, parts of the message)
WRONG: dict[str, tuple[str, str, str, list[str]]] = {
    "model in no profile": (
        '"recycle"]\n[[experiment.steps]]\ntask = "asr"\nmodel = "asr-small"',
        '"recycle"]\n[[experiment.steps]]\ntask = "asr"\nmodel = "asr-smal"',
        "$.experiment[0].steps[0].model",
        ['no model "asr-smal" in profiles "qwen3" and "embedded"', 'did you mean "asr-small"?', "aligner"],
    ),
    "model in one profile only": (
        '[profiles.embedded.models.aligner]\nengine = "pocketsphinx"\n',
        "",
        "$.experiment[1].steps[1].model",
        ['no model "aligner" in profile "embedded"', "allowed: asr-small"],
    ),
    "unknown sample": (
        'sample = "phone"\ntext',
        'sample = "phon"\ntext',
        "$.experiment[1].steps[1].sample",
        ['no sample "phon" in profiles "qwen3" and "embedded"', 'did you mean "phone"?'],
    ),
    "unknown engine": (
        'engine = "moonshine"',
        'engine = "moonshin"',
        "$.profiles.embedded.models.asr-small.engine",
        ['there is no engine "moonshin"', 'did you mean "moonshine"?', "synthetic", "must be installed"],
    ),
    "name twice": (
        'name = "two"',
        'name = "one"',
        "$.experiment[1].name",
        ['"one" is also the name of $.experiment[0]'],
    ),
    "output twice": (
        'name = "two"',
        'name = "two"\noutput = "one_results.json"',
        "$.experiment[1].output",
        ['"one_results.json"', "$.experiment[0]"],
    ),
    "output twice, the second by default": (
        'name = "one"',
        'name = "one"\noutput = "two_results.json"',
        "$.experiment[1].name",
        ['"two_results.json"', "$.experiment[0]"],
    ),
    "previous at the first step": (
        'sample = "phone"\n[[experiment]]',
        'sample = "phone"\ntext = "previous"\n[[experiment]]',
        "$.experiment[0].steps[0].text",
        ["no step before it"],
    ),
    "previous after an alignment": (
        'text = "previous"\n',
        'text = "previous"\n[[experiment.steps]]\ntask = "align"\nmodel = "aligner"\nsample = "phone"\n'
        'text = "previous"\n',
        "$.experiment[1].steps[2].text",
        ["aligns and has no text"],
    ),
    "align without a sample": (
        'sample = "phone"\ntext = "previous"',
        'text = "previous"',
        "$.experiment[1].steps[1].sample",
        ["missing; task align needs audio"],
    ),
    "restart of several models": (
        'name = "two"',
        'name = "two"\nmethods = ["restart", "recycle", "reuse"]',
        "$.experiment[1].methods",
        [
            "restart and reuse cannot be done",
            "one model would stay loaded",
            "2 (asr-small, aligner)",
            '"recreate"',
        ],
    ),
    "restart of several models, inherited": (
        "schema = 1",
        'schema = 1\n[defaults]\nmethods = ["restart"]',
        "$.experiment[1].methods",
        ["restart cannot be done", "taken from $.defaults.methods"],
    ),
    "restart of several models, in a profile": (
        "schema = 1",
        'schema = 1\n[profiles.embedded.experiments.two]\nmethods = ["reuse"]',
        "$.experiment[1].methods",
        ["reuse cannot be done", "taken from $.profiles.embedded.experiments.two.methods"],
    ),
    "restart of several models, in a variant": (
        'text = "previous"\n',
        'text = "previous"\n[experiment.variants.v]\nmethods = ["restart"]\n',
        "$.experiment[1].variants.v.methods",
        ["restart cannot be done"],
    ),
    "method twice": (
        '"recreate", "restart", "recycle"',
        '"recreate", "recreate"',
        "$.experiment[0].methods",
        ["recreate more than once"],
    ),
    "models of one process disagree": (
        'file = "models/small.bin"\n[profiles.qwen3.models.aligner]\n',
        'file = "models/small.bin"\nenv = { A = "1" }\n[profiles.qwen3.models.aligner]\nenv = { A = "2" }\n',
        "$.profiles.qwen3.models.aligner.env.A",
        ['"2" here and "1" in model "asr-small"', "two runs both in one process under recreate"],
    ),
    "unknown experiment in a profile": (
        "schema = 1",
        "schema = 1\n[profiles.qwen3.experiments.twoo]\niterations = 3",
        "$.profiles.qwen3.experiments.twoo",
        ['there is no experiment "twoo"', 'did you mean "two"?'],
    ),
    "profile auto": (
        "schema = 1",
        "schema = 1\n[profiles.auto]\niterations = 3",
        "$.profiles.auto",
        ["cannot be a profile's name"],
    ),
    "size of nothing": (
        "schema = 1",
        'schema = 1\n[recycle]\nmax_rss = "0 MB"',
        "$.recycle.max_rss",
        ["at least 1 byte"],
    ),
    "a soft limit that the hard one makes vain": (
        "schema = 1",
        'schema = 1\n[recycle]\nmax_rss = "2GiB"\nhard_rss = "2GiB"',
        "$.recycle.max_rss",
        ["not below hard_rss"],
    ),
    "limits of no model": (
        "schema = 1",
        "schema = 1\n[recycle.models.asr-smal]\nmax_jobs = 3",
        "$.recycle.models.asr-smal",
        ['no profile binds a model "asr-smal"'],
    ),
}


@pytest.mark.parametrize(("old", "new", "key_path", "parts"), WRONG.values(), ids=WRONG.keys())
def test_each_kind_of_problem(
    right_text: str, problems_in: ProblemsIn, old: str, new: str, key_path: str, parts: list[str]
) -> None:
    assert right_text.count(old) == 1
    problems = problems_in(right_text.replace(old, new))
    assert [problem.key_path for problem in problems] == [key_path]
    for part in parts:
        assert part in str(problems[0])


def test_the_right_text_is_right(right_text: str, problems_in: ProblemsIn) -> None:
    assert problems_in(right_text) == []


@pytest.mark.parametrize("said", ["", 'text = "reference"\n'])
def test_a_step_that_needs_a_reference_is_told_which_sample_has_none(
    right_text: str, problems_in: ProblemsIn, said: str
) -> None:
    without_previous = right_text.replace('text = "previous"\n', said)
    assert problems_in(without_previous) == []
    reference = 'reference = "samples/phone.txt"\n[profiles.embedded'
    [problem] = problems_in(without_previous.replace(reference, "[profiles.embedded"))
    assert problem.key_path == "$.experiment[1].steps[1].text"
    assert 'sample "phone" of profile "qwen3" has no reference' in str(problem)
    assert "$.profiles.qwen3.samples.phone.reference" in str(problem)


def test_literal_text_needs_no_reference(right_text: str, problems_in: ProblemsIn) -> None:
    told = right_text.replace('text = "previous"', 'text = "what is said"')
    assert problems_in(told.replace('reference = "samples/phone.txt"\n', "")) == []


def test_shape_and_meaning_at_once(right_text: str, problems_in: ProblemsIn) -> None:
    wrong = right_text.replace('name = "two"', 'name = "one"\niterations = "x"').replace(
        '"moonshine"', '"moonshin"'
    )
    assert [problem.key_path for problem in problems_in(wrong)] == [
        "$.experiment[1].iterations",
        "$.experiment[1].name",
        "$.profiles.embedded.models.asr-small.engine",
    ]


def test_a_value_of_the_wrong_type_is_reported_once(right_text: str, problems_in: ProblemsIn) -> None:
    wrong = right_text.replace('model = "aligner"', "model = 3").replace(
        'engine = "moonshine"', "engine = []"
    )
    assert [problem.key_path for problem in problems_in(wrong)] == [
        "$.profiles.embedded.models.asr-small.engine",
        "$.experiment[1].steps[1].model",
    ]


def test_an_experiments_env_settles_what_models_disagree_about(
    right_text: str, problems_in: ProblemsIn
) -> None:
    old, new, *_ = WRONG["models of one process disagree"]
    wrong = right_text.replace(old, new)
    assert len(problems_in(wrong)) == 1
    assert problems_in(wrong.replace('name = "two"', 'name = "two"\nenv = { A = "3" }')) == []
    assert problems_in(wrong.replace('name = "two"', 'name = "two"\nmethods = ["recycle"]')) == []


def test_experiments_need_a_profile_that_binds_models(problems_in: ProblemsIn) -> None:
    text = 'schema = 1\n[[experiment]]\nname = "one"\nsteps = [{ task = "x", model = "m" }]\n'
    [problem] = problems_in(text)
    assert problem.key_path == "$.profiles"
    assert "no profile binds a model" in str(problem)


def test_a_profile_without_models_binds_nothing_wrongly(right_text: str, problems_in: ProblemsIn) -> None:
    assert problems_in(right_text + "[profiles.bare]\niterations = 3\n") == []


def test_a_step_may_name_a_model_that_is_no_role(right_text: str, problems_in: ProblemsIn) -> None:
    assert problems_in(right_text.replace("asr-small", "tiny_en-2")) == []


def test_third_party_engines_are_known_by_name_and_not_imported(
    right_text: str, problems_in: ProblemsIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = EntryPoint("my-engine", "a_module_that_does_not_exist:Engine", engine_names.ENTRY_POINT_GROUP)
    monkeypatch.setattr(engine_names, "entry_points", lambda *, group: [ours] if group == ours.group else [])
    assert engine_names.engine_names() == [*engine_names.KNOWN_ENGINES, "my-engine"]
    assert problems_in(right_text.replace('"moonshine"', '"my-engine"')) == []
    [problem] = problems_in(right_text.replace('"moonshine"', '"my-engin"'))
    assert 'did you mean "my-engine"?' in str(problem)
