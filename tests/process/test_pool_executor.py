"""``PoolExecutor`` where code written for the standard executors expects it to behave like them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import datetime as dt
import decimal
import functools
import gc
import itertools
import os
import pathlib
import pickle
import subprocess
import sys
import textwrap
import traceback
import uuid
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import executor_functions
import numpy as np
import pytest

from orchestrator import Call, JobError, Pool, PoolExecutor, Recycle, WorkerDiedError
from orchestrator.errors import ModelOutOfUseError

DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def executor() -> Iterator[PoolExecutor]:
    with PoolExecutor(2) as made:
        yield made


# ------------------------------------------------------------------ exceptions


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (ValueError, ("no such word",)),
        (KeyError, ("key",)),
        (FileNotFoundError, (2, "No such file or directory", "/x")),
        (UnicodeDecodeError, ("utf-8", b"x", 0, 1, "bad")),
        (ZeroDivisionError, ()),
        (StopIteration, (7,)),
        (OverflowError, (10**30,)),
    ],
)
def test_a_built_in_exception_is_raised_as_it_is(executor: PoolExecutor, kind: type, arguments: Any) -> None:
    future = executor.submit(executor_functions.throw, kind.__name__, *arguments)
    error = future.exception(DEADLINE_S)
    assert type(error) is kind
    assert str(error) == str(kind(*arguments))
    assert isinstance(error.__cause__, JobError)
    assert error.__cause__.type_name == kind.__name__


def test_an_errno_comes_along(executor: PoolExecutor) -> None:
    with pytest.raises(OSError) as caught:
        executor.submit(os.stat, "/no/such/file").result(DEADLINE_S)
    assert (type(caught.value), caught.value.errno) == (FileNotFoundError, 2)


def test_an_unknown_exception_is_a_job_error(executor: PoolExecutor) -> None:
    with pytest.raises(JobError, match="OwnError: this: 7"):
        executor.submit(executor_functions.throw_own, "this", 7).result(DEADLINE_S)


def test_a_registered_exception_is_raised_as_it_is() -> None:
    with (
        PoolExecutor(1, exceptions=[executor_functions.OwnError]) as executor,
        pytest.raises(executor_functions.OwnError) as caught,
    ):
        executor.submit(executor_functions.throw_own, "this", 7).result(DEADLINE_S)
    assert caught.value.args == ("this", 7)


def test_a_name_alone_makes_no_exception(executor: PoolExecutor) -> None:
    """A type of another module may be called like a built-in one."""
    with pytest.raises(JobError, match="ValueError: imitated"):
        executor.submit(executor_functions.throw_imitation).result(DEADLINE_S)


def test_what_is_no_exception_type_is_refused() -> None:
    with pytest.raises(TypeError, match="no type of exception"):
        PoolExecutor(1, exceptions=[int])  # type: ignore[list-item]


def test_a_printed_traceback_shows_the_line_of_the_job(executor: PoolExecutor) -> None:
    try:
        executor.submit(executor_functions.throw, "ValueError", "x").result(DEADLINE_S)
    except ValueError as error:
        printed = "".join(traceback.format_exception(error))
    assert "executor_functions.py" in printed
    assert "raise kind(*arguments)" in printed


def test_errors_survive_pickle_and_copy_with_their_cause() -> None:
    with Pool() as pool, pytest.raises(JobError) as caught:
        pool.run(Call("executor_functions:throw", "ValueError", "x", 5))
    for came in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert type(came) is JobError
        assert str(came) == str(caught.value) == "ValueError: ('x', 5)"
        assert (came.arguments, came.module) == (("x", 5), "builtins")
        assert "raise kind(*arguments)" in str(came.__cause__)


def test_a_death_breaks_the_executor_for_its_own_job_alone(executor: PoolExecutor) -> None:
    with pytest.raises(concurrent.futures.BrokenExecutor) as caught:
        executor.submit(os._exit, 3).result(DEADLINE_S)
    assert isinstance(caught.value, WorkerDiedError)
    assert executor.submit(len, "abc").result(DEADLINE_S) == 3


# ------------------------------------------------------------------ callables


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (str.upper, ("abc",), "ABC"),
        ("a,b".split, (",",), ["a", "b"]),
        (dict.fromkeys, ("ab", 1), {"a": 1, "b": 1}),
        (bytes.fromhex, ("ff",), b"\xff"),
        (itertools.chain.from_iterable, ([[1], [2]],), None),
        (dt.datetime.fromisoformat, ("2026-01-01",), dt.datetime(2026, 1, 1)),  # noqa: DTZ001
        (executor_functions.Shape.named, ("x",), ["Shape", "x"]),
        (executor_functions.Circle.named, ("x",), ["Circle", "x"]),
        (executor_functions.Shape.doubled, (2,), 4),
        (os.path.join, ("a", "b"), "a/b"),
        (len, ("abc",), 3),
        (functools.partial(str.replace, "aXa", "X"), ("b",), "aba"),
        (complex, (1, 2), 1 + 2j),
    ],
    ids=lambda each: getattr(each, "__qualname__", ""),
)
def test_what_has_a_name_can_be_called(
    executor: PoolExecutor, function: Any, arguments: Any, expected: Any
) -> None:
    future = executor.submit(function, *arguments)
    if expected is None:
        with pytest.raises(JobError, match="cannot be sent back"):
            future.result(DEADLINE_S)
    else:
        assert future.result(DEADLINE_S) == expected


def test_a_function_of_a_submodule_that_nobody_has_imported() -> None:
    with Pool() as pool:
        assert pool.run(Call("xml:sax.saxutils.escape", "<")) == "&lt;"
        with pytest.raises(JobError, match="has no 'nothing'"):
            pool.run(Call("xml:nothing.escape", "<"))


# ------------------------------------------------------------------ values


@pytest.mark.parametrize(
    "value",
    [
        dt.datetime(2026, 1, 2, 3, 4),  # noqa: DTZ001
        dt.date(2026, 1, 2),
        dt.timedelta(seconds=-1),
        decimal.Decimal("1.10"),
        uuid.UUID(int=7),
        pathlib.Path("/tmp/x"),
        executor_functions.Colour.BLUE,
        {1, 2, 3},
        frozenset({"a"}),
        -(2**70),
        {"a": [{"when": dt.time(1), "set": {(1, 2)}}]},
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_goes_and_comes_back_as_what_it_was(executor: PoolExecutor, value: Any) -> None:
    seen, came = executor.submit(executor_functions.look_at, value, named=[value]).result(DEADLINE_S)
    assert seen == f"{type(value).__name__} in list"
    assert came == value
    assert type(came) is type(value)


def test_arrays_go_both_ways(executor: PoolExecutor) -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    came = executor.submit(executor_functions.transposed, array).result(DEADLINE_S)
    assert came.dtype == array.dtype
    np.testing.assert_array_equal(came, array.T)
    assert type(executor.submit(executor_functions.first, array).result(DEADLINE_S)) is np.int16


def test_what_cannot_go_is_named_by_its_path(executor: PoolExecutor) -> None:
    with pytest.raises(TypeError, match=r"argument 2\['a'\]\[3\] \(object\) cannot be sent"):
        executor.submit(executor_functions.look_at, 1, {"a": [0, 1, 2, object()]})
    with pytest.raises(TypeError, match=r"argument 'named'\[0\] \(module\) cannot be sent"):
        executor.submit(executor_functions.look_at, 1, named=[os])


def test_what_cannot_come_back_is_named_by_its_path(executor: PoolExecutor) -> None:
    with pytest.raises(JobError, match=r"the result\['deep'\]\[1\] \(object\)"):
        executor.submit(executor_functions.unsendable).result(DEADLINE_S)


# ------------------------------------------------------------------ keywords


def test_its_size_is_where_others_look_for_it() -> None:
    with PoolExecutor() as executor:
        assert executor._max_workers >= 1
    with PoolExecutor(3) as executor:
        assert executor._max_workers == 3


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"max_workers": 0}, ValueError, "max_workers must be greater than 0"),
        ({"max_workers": -1}, ValueError, "max_workers must be greater than 0"),
        ({"initializer": 5}, TypeError, "initializer must be a callable"),
        ({"max_tasks_per_child": 0}, ValueError, "max_tasks_per_child must be >= 1"),
        ({"max_tasks_per_child": 2.5}, TypeError, "max_tasks_per_child must be an integer"),
        ({"max_tasks_per_child": 1, "recycle": Recycle(max_jobs=2)}, ValueError, "not both"),
    ],
)
def test_a_keyword_without_meaning_is_refused(options: dict[str, Any], kind: type, words: str) -> None:
    with pytest.raises(kind, match=words):
        PoolExecutor(**options)


def test_an_initializer_runs_once_in_each_worker() -> None:
    with PoolExecutor(1, initializer=executor_functions.remember, initargs=({1, 2},)) as executor:
        assert executor.submit(executor_functions.remembered).result(DEADLINE_S) == [{1, 2}]
        with pytest.raises(WorkerDiedError):
            executor.submit(os._exit, 1).result(DEADLINE_S)
        assert executor.submit(executor_functions.remembered).result(DEADLINE_S) == [{1, 2}]


def test_an_initializer_that_raises_breaks_the_executor() -> None:
    with PoolExecutor(1, initializer=executor_functions.throw, initargs=("ValueError", "no")) as executor:
        error = executor.submit(len, "abc").exception(DEADLINE_S)
    assert isinstance(error, ModelOutOfUseError)
    assert isinstance(error, concurrent.futures.BrokenExecutor)
    assert "ValueError: no" in str(error)


def test_a_worker_does_so_many_tasks_and_no_more() -> None:
    with PoolExecutor(1, max_tasks_per_child=2) as executor:
        pids = [executor.submit(os.getpid).result(DEADLINE_S) for _ in range(6)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [2, 2, 2]


def test_map_reads_no_further_than_its_buffer(executor: PoolExecutor) -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            read.append(number)
            yield number

    results = executor.map(executor_functions.doubled, numbers(), buffersize=4)
    assert read == [0, 1, 2, 3]
    assert list(itertools.islice(results, 3)) == [0, 2, 4]
    assert len(read) == 7
    results.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("size", "kind"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_a_wrong_buffer_is_refused(executor: PoolExecutor, size: Any, kind: type) -> None:
    with pytest.raises(kind, match="buffersize"):
        executor.map(len, ["a"], buffersize=size)


def test_map_in_order_of_several_iterables(executor: PoolExecutor) -> None:
    assert list(executor.map(pow, [2, 3, 4], [1, 2, 3])) == [2, 9, 64]
    assert list(executor.map(pow, [2, 3, 4], [1, 2], buffersize=1)) == [2, 9]


def test_map_gives_the_exception_in_its_place(executor: PoolExecutor) -> None:
    results = executor.map(divmod, [1, 1, 1], [1, 0, 1])
    assert next(results) == [1, 0]
    with pytest.raises(ZeroDivisionError):
        next(results)


# ------------------------------------------------------------------ ends


def test_leaving_the_interpreter_finishes_what_was_submitted(tmp_path: Path) -> None:
    script = tmp_path / "leave.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys
            sys.path.insert(0, {str(Path(executor_functions.__file__).parent)!r})
            import executor_functions
            from orchestrator import PoolExecutor
            if __name__ == "__main__":
                executor = PoolExecutor(1)
                for number in range(5):
                    executor.submit(executor_functions.append, {str(tmp_path / "out")!r}, f"{{number}} ")
                if sys.argv[1] == "shutdown":
                    executor.shutdown(wait=False)
            """
        )
    )
    for how in ("shutdown", "nothing"):
        done = subprocess.run(
            [sys.executable, str(script), how], capture_output=True, text=True, timeout=DEADLINE_S
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / "out").read_text() == "0 1 2 3 4 "
        (tmp_path / "out").unlink()


def test_a_failed_future_needs_no_garbage_collector(executor: PoolExecutor) -> None:
    gc.collect()
    gc.disable()
    try:
        future = executor.submit(executor_functions.throw, "ValueError", "x")
        with pytest.raises(ValueError, match="x"):
            future.result(DEADLINE_S)
        gone = weakref.ref(future)
        del future
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("kind", [Pool, PoolExecutor])
def test_a_pool_that_was_never_closed_says_so(kind: type) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        pool = kind()
        loop = pool._controller._loop
        del pool
        gc.collect()
    assert [str(each.message) for each in told if each.category is ResourceWarning] == [
        "a pool was never closed: use it in a with block, or call close() or shutdown()"
    ]
    assert loop.join(DEADLINE_S)


def test_a_pool_that_was_closed_says_nothing() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with PoolExecutor(1):
            pass
        gc.collect()
    assert not [each for each in told if each.category is ResourceWarning]


def test_asyncio_takes_its_exceptions() -> None:
    async def main() -> None:
        with PoolExecutor(1) as executor:
            loop = asyncio.get_running_loop()
            with pytest.raises(ZeroDivisionError):
                await loop.run_in_executor(executor, divmod, 1, 0)
            async with asyncio.timeout(DEADLINE_S):
                assert await loop.run_in_executor(executor, len, "ab") == 2

    asyncio.run(main())
