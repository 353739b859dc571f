"""The function engine: what it calls, what comes back, and the words for what cannot be called."""

import datetime as dt
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.process.result_values import result_of
from orchestrator_worker.engines.base import EngineError, JobCancelledError
from orchestrator_worker.engines.function import FunctionEngine, current_emit
from orchestrator_worker.protocol import ChunkTimes, Done, Job, ModelSpec, Reply
from orchestrator_worker.results import pack_result

USER_MODULE = """
import dataclasses, datetime
from orchestrator_worker.engines.base import JobCancelledError
from orchestrator_worker.engines.function import current_emit

calls = 0
number = 5

def add(left, right=10):
    return left + right

def count():
    global calls
    calls += 1
    return calls

class Box:
    @staticmethod
    def size():
        return 3
    def __init__(self, *sides):
        self.sides = sides

@dataclasses.dataclass
class Point:
    x: int
    y: int

def give(kind):
    return {
        "point": Point(1, 2), "tuple": (1, "a"), "bytes": b"ab", "none": None,
        "day": datetime.datetime(2026, 1, 2), "nested": {"a": [1, {"b": 2.5}]},
        "object": object(), "box": {"deep": [Box()]}, "huge": 2**70, "complex": 1j, "surrogate": "\\ud800",
    }[kind]

def endless():
    items = []
    items.append(items)
    return items

async def later(value):
    return value * 2

def tokens(count):
    for index in range(count):
        yield f"token{index} "
    return count

closed = []

def endless_tokens():
    try:
        while True:
            yield "more "
    finally:
        closed.append(True)

def wrong_tokens():
    yield 1

def speak():
    current_emit()("said")
    return current_emit().cancelled

def stops_itself():
    raise JobCancelledError("enough")

def fails():
    raise KeyError("of the user")
"""


class Ear:
    """An emit that remembers, and is cancelled after so many chunks."""

    def __init__(self, cancel_after: int | None = None) -> None:
        self.heard: list[str] = []
        self._cancel_after = cancel_after

    def __call__(self, text: str, *, final: bool = False, replaces: int = 0) -> None:  # noqa: ARG002
        self.heard.append(text)

    @property
    def cancelled(self) -> bool:
        return self._cancel_after is not None and len(self.heard) >= self._cancel_after


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of the user's under a name of its own."""
    name = f"user_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(USER_MODULE))
    (tmp_path / f"{name}_needs.py").write_text("import nowhere_to_be_found\n")
    (tmp_path / f"{name}_breaks.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]


def call(target: str, *args: Any, ear: Ear | None = None, **kwargs: Any) -> Any:
    """Run the job as a worker does and return the value as the parent decodes it."""
    engine = FunctionEngine()
    engine.load(ModelSpec("function", "calls"))
    return through_the_wire(
        engine, Job("call", options={"target": target, "args": args, "kwargs": kwargs}), ear
    )


def through_the_wire(engine: FunctionEngine, job: Job, ear: Ear | None = None) -> Any:
    received = msgspec.msgpack.decode(msgspec.msgpack.encode(job), type=Job)
    done = Done(1, *pack_result(engine.run(received, ear or Ear())), 0.0, ChunkTimes())
    reply = msgspec.msgpack.Decoder(Reply).decode(msgspec.msgpack.encode(done))
    assert isinstance(reply, Done)
    return result_of(reply).value  # type: ignore[union-attr]


# ------------------------------------------------------------------------------- values


def test_arguments_and_keywords_arrive(user: str) -> None:
    assert call(f"{user}:add", 1) == 11
    assert call(f"{user}:add", 1, right=2) == 3


def test_a_dotted_name_is_followed(user: str) -> None:
    assert call(f"{user}:Box.size") == 3


def test_a_module_in_a_package_is_found() -> None:
    assert call("os.path:join", "a", "b") == "a/b"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("point", {"x": 1, "y": 2}),
        ("tuple", [1, "a"]),
        ("bytes", b"ab"),
        ("none", None),
        ("nested", {"a": [1, {"b": 2.5}]}),
        ("day", dt.datetime(2026, 1, 2)),  # noqa: DTZ001
        ("huge", 2**70),
        ("complex", 1j),
    ],
)
def test_values_cross_as_msgpack(user: str, kind: str, value: object) -> None:
    assert call(f"{user}:give", kind) == value


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("object", "returned object"),
        ("box", "the result['deep'][0] (Box)"),
        ("surrogate", "surrogates not allowed"),
    ],
)
def test_a_value_without_a_form_is_named(user: str, kind: str, words: str) -> None:
    with pytest.raises(EngineError) as error:
        call(f"{user}:give", kind)
    assert words in str(error.value)
    assert "allowed" in str(error.value)


def run_with(user: str, **options: Any) -> Any:
    engine = FunctionEngine()
    engine.load(ModelSpec("function", "calls"))
    return through_the_wire(engine, Job("call", options={"target": f"{user}:give", **options}))


def test_a_value_that_nobody_wants_needs_no_form(user: str) -> None:
    assert run_with(user, args=["object"], discard_result=True) is None


def test_a_module_may_be_asked_to_come_from_one_file(user: str, tmp_path: Path) -> None:
    own, other = tmp_path / f"{user}.py", tmp_path / f"{user}_breaks.py"
    assert run_with(user, args=["bytes"], file=str(own)) == b"ab"
    for wrong in (other, tmp_path / "gone.py"):
        with pytest.raises(EngineError, match=r"two modules have that name on sys\.path") as error:
            run_with(user, args=["bytes"], file=str(wrong))
        assert str(own) in str(error.value)
        assert str(wrong) in str(error.value)


def test_a_value_that_contains_itself_is_refused(user: str) -> None:
    with pytest.raises(EngineError, match="recursion"):
        call(f"{user}:endless")


def test_a_coroutine_is_run_to_its_end(user: str) -> None:
    assert call(f"{user}:later", 21) == 42


def test_what_the_function_raises_goes_up_as_it_is(user: str) -> None:
    with pytest.raises(KeyError, match="of the user"):
        call(f"{user}:fails")


def test_the_module_is_imported_once_and_keeps_its_state(user: str) -> None:
    engine = FunctionEngine()
    engine.load(ModelSpec("function", "calls", options={"preload": [user]}))
    assert user in sys.modules
    job = Job("call", options={"target": f"{user}:count"})
    assert [through_the_wire(engine, job) for _ in range(3)] == [1, 2, 3]


# ------------------------------------------------------------------------------- text


def test_a_generators_items_are_chunks_and_its_return_the_value(user: str) -> None:
    ear = Ear()
    assert call(f"{user}:tokens", 3, ear=ear) == 3
    assert ear.heard == ["token0 ", "token1 ", "token2 "]


def test_a_generator_is_stopped_between_two_items_and_closed(user: str) -> None:
    ear = Ear(cancel_after=2)
    with pytest.raises(JobCancelledError):
        call(f"{user}:endless_tokens", ear=ear)
    assert len(ear.heard) == 2
    assert sys.modules[user].closed == [True]


def test_a_generator_of_something_else_is_refused(user: str) -> None:
    with pytest.raises(EngineError, match="yielded int"):
        call(f"{user}:wrong_tokens")


def test_a_function_speaks_and_looks_through_current_emit(user: str) -> None:
    ear = Ear(cancel_after=1)
    assert call(f"{user}:speak", ear=ear) is True
    assert ear.heard == ["said"]


def test_a_function_may_stop_itself(user: str) -> None:
    with pytest.raises(JobCancelledError, match="enough"):
        call(f"{user}:stops_itself")


def test_outside_of_a_job_current_emit_is_deaf(user: str) -> None:
    call(f"{user}:add", 1)
    emit = current_emit()
    emit("nobody hears")
    assert emit.cancelled is False
    with pytest.raises(KeyError):
        call(f"{user}:fails")
    assert current_emit() is emit


# ------------------------------------------------------------------------------- bad targets


@pytest.mark.parametrize(
    "target", ["", "add", "module:", ":add", "a b:c", "module:add()", "m:a:b", "mod/ule:add", "1m:a"]
)
def test_a_target_of_another_form_is_refused(target: str) -> None:
    with pytest.raises(EngineError, match=r"package\.module:name"):
        call(target)


def test_main_is_refused_with_the_cure() -> None:
    with pytest.raises(EngineError, match="put the function into a module"):
        call("__main__:work")


@pytest.mark.parametrize(
    ("module", "missing"), [("no_such_module", "no_such_module"), ("os.nothing", "os.nothing")]
)
def test_a_missing_module_is_said_to_be_missing_from_the_parents_path(module: str, missing: str) -> None:
    with pytest.raises(EngineError) as error:
        call(f"{module}:add")
    assert f"no {missing!r} on the worker's sys.path, which ends with the parent's" in str(error.value)


def test_a_module_that_misses_another_is_told_apart(user: str) -> None:
    with pytest.raises(EngineError, match=r"was found, but it imports 'nowhere_to_be_found'"):
        call(f"{user}_needs:add")


def test_a_module_that_breaks_keeps_its_own_error(user: str) -> None:
    with pytest.raises(ZeroDivisionError):
        call(f"{user}_breaks:add")


def test_a_missing_name_has_its_nearest(user: str) -> None:
    with pytest.raises(EngineError, match=r"has no 'ad' \(did you mean 'add'\?"):
        call(f"{user}:ad")
    with pytest.raises(EngineError, match=r"Box has no 'sise' \(did you mean 'size'\?"):
        call(f"{user}:Box.sise")


def test_what_cannot_be_called_is_named(user: str) -> None:
    with pytest.raises(EngineError, match="is int, which cannot be called"):
        call(f"{user}:number")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "'target' is missing"),
        ({"target": "os:getpid", "arg": []}, "unknown option 'arg' (did you mean 'args'?"),
        ({"target": "os:getpid", "args": {}}, "option 'args'"),
    ],
)
def test_wrong_job_options_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(EngineError) as error:
        FunctionEngine().run(Job("call", options=options), Ear())
    assert words in str(error.value)


def test_wrong_model_options_are_found_by_check() -> None:
    with pytest.raises(EngineError, match="did you mean 'preload'"):
        FunctionEngine.check(ModelSpec("function", "calls", options={"preloads": []}))


def test_a_missing_preload_is_said_at_load() -> None:
    with pytest.raises(EngineError, match="'no_such_module' was not found"):
        FunctionEngine().load(ModelSpec("function", "calls", options={"preload": ["no_such_module"]}))
