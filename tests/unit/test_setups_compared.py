"""What differs in the set-up of compared runs is told, once, of whichever run; and only what does not is the same."""

from __future__ import annotations

import copy
import re

import msgspec
from compared_runs import Run, compared, leaking, page, part, run
from record_builders import growing


def test_what_differs_in_the_set_up_stands_side_by_side_and_once() -> None:
    def on(cpu: str, start: str, options: dict[str, object]) -> Run:
        made = leaking(0.0)
        config = copy.deepcopy(made["exp2"].config)
        config["host"]["cpu_model"] = cpu
        config["worker_starts"] = [start]
        config["steps"][0]["model"]["options"] = options
        return {"exp2": msgspec.structs.replace(made["exp2"], config=config)}

    made = page([on("old", "exec", {"beam": 1, "same": 2})], [on("new", "fork", {"same": 2})])
    setup = part(made, "set-up")
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</th><td>(.*?)</td><td>(.*?)</td></tr>", setup)
    assert ("host cpu model", "old", "new") in rows
    assert ("worker starts", "exec", "fork") in rows
    assert ("step 1: model options: beam", "1", "not set") in rows
    assert len(rows) == 3
    assert "in the first" not in setup, "what stands in the table is not told again"
    assert "3 things differ in the set-up" in made
    same = re.findall(r"The same on both sides: (.*?)</p>", setup)[0]
    assert "packages" in same
    assert "host" not in same


def test_what_one_run_of_several_has_otherwise_is_never_called_the_same() -> None:
    def on(kernel: str = "6.1", start: str = "exec", profile: str = "asked for") -> Run:
        made = leaking(0.0)
        config = copy.deepcopy(made["exp2"].config)
        config["host"]["kernel"] = kernel
        config |= {"worker_starts": [start], "profile_reason": profile}
        return {"exp2": msgspec.structs.replace(made["exp2"], config=config)}

    alike = {"host", "how workers start", "profile"}
    assert alike <= set(compared([on(), on()], [on(), on()]).alike)
    for sides, said in (
        (
            ([on(), on()], [on(), on("6.9")]),
            "run 2 of B is not like run 1: host kernel: 6.1 in run 1, 6.9 in run 2",
        ),
        (
            ([on(), on(start="fork")], [on()]),
            "run 2 of A is not like run 1: worker starts: exec in run 1, fork in run 2",
        ),
        (
            ([on()], [on(), on(), on(profile="found")]),
            "run 3 of B is not like run 1: profile: asked for in run 1, found in run 3",
        ),
    ):
        content = compared(*sides)
        assert content.warnings == [f"exp2: {said}"]
        assert len(alike - set(content.alike)) == 1, content.alike


def test_the_page_calls_the_sides_a_and_b_in_its_sentences_too() -> None:
    one = run(growing("reuse", 30), growing("restart", 30))
    content = compared([one], [leaking(0.0)])
    assert content.warnings == [
        "exp2: method restart: only in A, not compared",
        "exp2: method recycle: only in B, not compared",
    ]


def test_two_equal_set_ups_are_said_to_be() -> None:
    made = page([leaking()], [leaking()])
    assert "Nothing that is known of: both sides were measured alike." in part(made, "set-up")
    assert 'href="#set-up"' not in made


def test_what_a_file_does_not_tell_is_not_said_to_be_the_same() -> None:
    bare = leaking(0.0)
    steps = bare["exp2"].config["steps"]
    bare["exp2"] = msgspec.structs.replace(bare["exp2"], config={"steps": steps})
    assert compared([bare], [bare]).alike == ["models, samples and steps"]
    assert "not known" in part(page([bare], [bare]), "provenance")
