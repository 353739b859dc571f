"""Which lines of a dead worker's standard error are shown first."""

import pytest

from orchestrator.errors import WorkerDiedError
from orchestrator.stderr_lines import library_first, own_line, telling_lines

OURS = """Fatal Python error: Aborted

Current thread 0x00007fae0e062b80 (most recent call first):
  File "/somewhere/library.py", line 196 in destroy
  File "/somewhere/engine.py", line 138 in unload
  File "<frozen runpy>", line 198 in _run_module_as_main

Extension modules: msgspec._core (total: 1)
"""
NATIVE = [
    "free(): invalid pointer",
    "malloc(): corrupted top size",
    "munmap_chunk(): invalid pointer",
    "double free or corruption (!prev)",
    "corrupted size vs. prev_size while consolidating",
    "*** stack smashing detected ***: terminated",
    "/src/ggml.c:1780: GGML_ASSERT(view_src == NULL || data_size + view_offs <= ggml_nbytes(view_src)) failed",
    "python: model.c:12: load: Assertion `size > 0' failed.",
    "pure virtual method called",
    "CUDA error: an illegal memory access was encountered",
    "libgomp: Thread creation failed: Resource temporarily unavailable libgomp error",
    "==12==ERROR: AddressSanitizer: heap-use-after-free on address 0x1",
    "terminate called after throwing an instance of 'std::bad_alloc'",
    "Fatal Python error: init_sys_streams: can't initialize sys standard streams",
    "model.c:8:3: runtime error: load of null pointer",
]


@pytest.mark.parametrize("line", NATIVE)
def test_the_librarys_own_line_comes_before_what_python_says_of_us(line: str) -> None:
    said = f"loading\n{line}\n[New LWP 8]\nsomething later\n{OURS}"
    assert telling_lines(said, 3) == [line, "[New LWP 8]", "something later"]
    assert own_line(said) == line
    assert library_first(said).splitlines()[0] == line
    assert OURS.strip() in library_first(said)


def test_an_exceptions_message_stays_with_its_announcement() -> None:
    said = (
        f"terminate called after throwing an instance of 'std::runtime_error'\n  what():  no tensor\n{OURS}"
    )
    expected = "terminate called after throwing an instance of 'std::runtime_error'; what():  no tensor"
    assert own_line(said) == expected


def test_of_many_the_latest_count() -> None:
    said = "\n".join(f"CUDA error: number {number}" for number in range(9))
    assert telling_lines(said, 2) == ["CUDA error: number 7", "CUDA error: number 8"]


def test_where_no_library_says_anything_the_last_lines_are_shown() -> None:
    assert telling_lines("one\ntwo\n\nthree\n", 2) == ["two", "three"]
    assert own_line("one\ntwo") == ""
    assert library_first(" one\ntwo\n") == "one\ntwo"
    assert telling_lines("", 3) == []
    assert telling_lines(OURS, 2) == [
        '  File "<frozen runpy>", line 198 in _run_module_as_main',
        "Extension modules: msgspec._core (total: 1)",
    ]


def test_a_python_exceptions_own_line_is_kept() -> None:
    said = (
        'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\nValueError: no such model\n'
    )
    assert telling_lines(said, 3) == ["ValueError: no such model"]


def test_a_worker_that_died_is_described_by_it() -> None:
    died = WorkerDiedError("SIGABRT", phase="unload", stderr_tail=f"free(): invalid pointer\n{OURS}")
    assert str(died).endswith("died of SIGABRT during unload; its last output:\n    free(): invalid pointer")
