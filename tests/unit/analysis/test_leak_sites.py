"""From live blocks to leak sites: scripted levels, each leak with what only looks like one."""

import msgspec
import pytest

from orchestrator.analysis.locating.explained import against, explained, measured_untraced, passed_on
from orchestrator.analysis.locating.frames import Frame, python_type, telling
from orchestrator.analysis.locating.located import MB, Cost, Located, Measured, StackLive
from orchestrator.analysis.locating.site_growth import Rate, growth, kind_of
from orchestrator.analysis.locating.sites import find_sites
from orchestrator.analysis.locating.words import (
    besides_words,
    explained_words,
    outside_words,
    short_name,
    size_words,
    top_sites,
)

SIX = [5] * 6


@pytest.mark.parametrize(
    ("levels", "kind"),
    [
        ([0, 540, 1080, 1620, 2160, 2700, 3240], "leak"),
        ([0, 500, 1100, 1500, 2200, 2600, 3300], "leak"),
        ([0, 512, 512, 512, 512, 512, 512], "once"),
        ([0, 512, 1024, 1024, 1024, 1024, 1024], "once"),
        ([0, 512, 0, 512, 0, 512, 0], "once"),
        ([0, 50, 80, 95, 100, 102, 103], "slowing"),
        ([0, 0, 54, 54, 108, 108, 162], "irregular"),
        ([0, 1, 2, 3, 4, 5, 3000], "irregular"),
        ([0, 0, 0, 0, 0, 0, 0], "none"),
        ([90, 80, 70, 60, 50, 40, 30], "none"),
    ],
)
def test_only_what_grows_with_every_block_is_a_leak(levels: list[int], kind: str) -> None:
    assert kind_of(levels, SIX) == kind


def test_three_blocks_are_too_few_for_a_leak() -> None:
    assert kind_of([0, 10, 20, 30], [1, 1, 1]) == "irregular"
    assert kind_of([0, 10, 20, 30, 40], [1, 1, 1, 1]) == "leak"


def test_growth_is_per_iteration_with_an_interval() -> None:
    exact = growth([0, 50, 100, 150, 200], [5, 5, 5, 5])
    assert (exact.per_iteration, exact.low, exact.high) == (10, 10, 10)
    noisy = growth([0, 40, 100, 140, 200], [5, 5, 5, 5])
    assert noisy.per_iteration == 10
    # steps 8, 12, 8, 12: s = 4/sqrt(3), standard error 2/sqrt(3), t(3; 0.975) = 3.1824
    assert noisy.high - noisy.per_iteration == pytest.approx(3.1824 * 2 / 3**0.5, rel=1e-4)
    with pytest.raises(ValueError, match="2 levels and 3 blocks"):
        growth([0, 1], [1, 1, 1])


def native(function: str, module: str = "libengine.so") -> Frame:
    return Frame(function, module=module, offset=16)


def test_the_cut_stack_has_the_engines_frames_and_the_calling_line() -> None:
    stack = [
        native("malloc", "libc.so.6"),
        native("operator new(unsigned long)", "libstdc++.so.6"),
        native("<unknown>", "libonnxruntime.so.1"),
        native("get_shape"),
        native("std::vector<int>::push_back(int)"),
        native("Model::run"),
        native("ffi_call", "libffi.so.8"),
        native("_PyEval_Vector", "libpython3.11.so.1.0"),
        Frame("transcribe", "/user/engine.py", 174, python=True),
        Frame("_run", "/x/orchestrator_worker/loop.py", 240, python=True),
    ]
    assert [frame.function for frame in telling(stack)] == ["get_shape", "Model::run", "transcribe"]


def test_a_stack_without_names_is_told_by_its_places() -> None:
    stack = [native("malloc", "libc.so.6"), native("<unknown>"), native("clone3", "libc.so.6")]
    assert [frame.place for frame in telling(stack)] == ["libengine.so+0x10"]


def test_what_python_makes_has_its_type() -> None:
    line = Frame("keep", "/user/code.py", 3, python=True)
    assert python_type([native("_PyMem_RawMalloc"), native("PyList_New"), line]) == "list"
    assert python_type([native("malloc"), native("get_shape"), line]) == ""
    assert python_type([line, native("PyList_New")]) == ""


def live(frames: list[Frame], judged: list[int], phase: str = "infer", before: int = 0) -> StackLive:
    sizes = [before, *judged]
    return StackLive(frames, phase, [size // 100 for size in sizes], sizes, [size * 2 for size in sizes])


def test_stacks_that_are_the_same_where_it_matters_are_one_site() -> None:
    job = Frame("job", "/user/code.py", 3, python=True)
    rising = [0, 500, 1000, 1500, 2000]
    leaks, others = find_sites(
        [
            live([native("malloc", "libc.so.6"), native("grow"), job], rising),
            live([native("grow"), native("ffi_call", "libffi.so.8"), job], rising),
            live([native("grow"), job], rising, phase="load"),
            live([native("cache"), job], [0, 7000, 7000, 7000, 7000]),
        ],
        [5, 5, 5, 5],
    )
    assert [(site.frames[0].function, site.phase) for site in leaks] == [("grow", "infer"), ("grow", "load")]
    assert [site.requested.per_iteration for site in leaks] == [200, 100]
    assert [site.held.per_iteration for site in leaks] == [400, 200]
    assert leaks[0].blocks.per_iteration == 2
    assert leaks[0].own == 0
    assert [(site.frames[0].function, site.kind) for site in others] == [("cache", "once")]


def test_the_settling_iteration_is_not_judged() -> None:
    """A block from before the trace that is made larger comes into view as a whole."""
    leaks, others = find_sites(
        [
            live([native("grow")], [5_000, 5_500, 6_000, 6_500, 7_000]),
            live([native("buffer")], [5_000, 5_000, 5_000, 5_000, 5_000]),
            live([native("same")], [5_000, 5_000, 5_000, 5_000, 5_000], before=5_000),
        ],
        [5, 5, 5, 5],
    )
    assert [(site.frames[0].function, site.requested.per_iteration) for site in leaks] == [("grow", 100)]
    assert [(site.frames[0].function, site.kind) for site in others] == [("buffer", "once")]


def test_what_our_own_worker_keeps_is_no_leak_site() -> None:
    ours = Frame("pack_result", "/x/orchestrator_worker/protocol.py", 173, python=True)
    made = [native("PyUnicode_New", "libpython3.11.so.1.0"), ours]
    leaks, others = find_sites([live(made, [0, 2000, 4000, 6000, 8000])], [1, 1, 1, 1])
    assert not leaks
    assert [site.kind for site in others] == ["worker"]


def test_names_of_attributes_are_a_pool_of_the_interpreter() -> None:
    python = [native(each, "libpython3.11.so.1.0") for each in ("PyUnicode_New", "PyObject_GetAttrString")]
    rising = [0, 2000, 4000, 6000, 8000]
    leaks, others = find_sites([live([*python, native("parse")], rising)], [1] * 4)
    assert (leaks, [site.kind for site in others]) == ([], ["pool"])
    leaks, _ = find_sites([live([python[0], native("parse"), python[1]], rising)], [1] * 4)
    assert [site.frames[0].function for site in leaks] == ["parse"]


def measured(rate: float) -> Measured:
    return Measured(Rate(rate, rate * 0.9, rate * 1.1), "the same untraced")


def test_how_much_the_sites_explain() -> None:
    leaks, _ = find_sites([live([native("grow")], [0, MB, 2 * MB, 3 * MB, 4 * MB])], [10] * 4)
    assert explained(leaks, measured(0.25)) == (pytest.approx(0.2), pytest.approx(80))
    assert explained(leaks, measured(-0.1)) == (pytest.approx(0.2), None)
    assert explained([], None) == (0, None)


def test_growth_beyond_the_heap_has_no_site() -> None:
    heap = [10 * MB + index * MB for index in range(7)]
    same = measured_untraced(heap, [each + 3 * MB for each in heap], [2] * 6)
    assert same is not None
    assert same.rate.per_iteration == pytest.approx(0.5)
    assert same.outside_mb is None
    more = measured_untraced(heap, [each + index * MB for index, each in enumerate(heap)], [2] * 6)
    assert more is not None
    assert more.outside_mb is not None
    assert "0.500 MB per iteration" in outside_words(more, "iteration")
    assert "held by the allocator: no site; try trim_every" in outside_words(more, "iteration")
    assert measured_untraced([], [], [2] * 6) is None


def test_the_words_say_how_much_is_explained() -> None:
    leaks, _ = find_sites([live([native("grow")], [0, MB, 2 * MB, 3 * MB, 4 * MB])], [10] * 4)
    found = Located(
        name="exp2",
        method="restart",
        outcome="located",
        tracer="memray 1",
        warm_up=4,
        iterations=[10] * 4,
        sites=leaks,
        measured=measured(0.204),
        explained_mb=0.2,
        explained_percent=98.0,
        cost=Cost(1, 1, 1),
    )
    assert explained_words(found) == "they explain 0.200 of 0.204 MB per iteration, 98 % (the same untraced)"
    lines = top_sites(found)
    assert lines[0] == (
        "memray 1: 1 leak site that grows with every block of iterations (4 blocks of 10 after 4 warm-up)"
    )
    assert lines[1] == "  204.8 KiB per iteration, 1,049 blocks, in infer"
    assert lines[2] == "    grow  [libengine.so]"


@pytest.mark.parametrize(
    ("size", "words"),
    [(32, "32 bytes"), (1.6, "1.6 bytes"), (9_000, "9,000 bytes"), (60_704, "59.3 KiB"), (2e7, "19.1 MiB")],
)
def test_sizes_are_written_as_people_read_them(size: float, words: str) -> None:
    assert size_words(size) == words


def test_a_long_name_of_cxx_goes_without_its_arguments() -> None:
    assert short_name("ort_get_value_shape(OrtApi const*, OrtValue const*)").endswith("OrtValue const*)")
    assert short_name(f"(anonymous namespace)::tensor_of({'Value const*, ' * 9}int)") == (
        "(anonymous namespace)::tensor_of(…)"
    )
    assert short_name("f" * 200) == "f" * 87 + "…"


HEAP = Measured(Rate(0.12, 0.119, 0.121), "the same untraced", Rate(3.0, 2.0, 4.0))
RESIDENT = Measured(Rate(0.5, 0.3, 0.7), "the newest run", channel="resident", verdict_channel="rss_anon")


def test_sites_are_held_against_a_live_heap_wherever_one_was_read() -> None:
    in_heap = Measured(Rate(0.13, 0.12, 0.14), "the newest run")
    assert against(in_heap, HEAP) == msgspec.structs.replace(in_heap, outside_mb=HEAP.outside_mb)
    like = against(RESIDENT, HEAP)
    assert like == msgspec.structs.replace(HEAP, verdict=RESIDENT.rate, verdict_channel="rss_anon")
    assert (against(RESIDENT, None), against(None, HEAP), against(None, None)) == (RESIDENT, HEAP, None)


def test_the_verdicts_own_rate_is_said_with_the_reason() -> None:
    found = Located(name="x", method="reuse", outcome="located", measured=against(RESIDENT, HEAP))
    (said,) = [line for line in besides_words(found) if line.startswith("the verdict's")]
    assert said.startswith(
        "the verdict's 0.500 MB per iteration are anonymous resident memory: that has whole pages"
    )


def test_what_the_interpreter_hands_on_is_told_apart_from_what_has_no_site() -> None:
    """As in hiredis 3.1.0: 192 bytes in its own code, a tuple of our worker's that it keeps, names of attributes."""
    frames = [native("createDecodedString"), Frame("job", "/user/job.py", 3, python=True)]
    lambda_frame = Frame("<lambda>", "/x/orchestrator_worker/engines/repeated_calls.py", 90, python=True)
    names = [
        native("PyUnicode_New", "libpython3.11.so.1.0"),
        native("PyObject_GetAttrString", "libpython3.11.so"),
    ]
    sites, others = find_sites(
        [
            stack_of(frames, 192),
            stack_of([lambda_frame], 64),
            stack_of(names, 56),
        ],
        SIX,
    )
    measured = Measured(Rate(312 / MB, 311 / MB, 313 / MB), "the same untraced")
    mb, percent = explained(sites, measured)
    assert [site.kind for site in others] == ["worker", "pool"]
    assert passed_on(others) * MB == 120
    found = Located(
        name="m:job",
        method="reuse",
        outcome="located",
        sites=sites,
        others=others,
        measured=measured,
        explained_mb=mb,
        explained_percent=percent,
        passed_on_mb=passed_on(others),
        tracer="memray 1",
    )
    (said,) = besides_words(found)
    assert said.startswith("120 bytes per call lie under our worker's lines or are names of attributes")
    more = msgspec.structs.replace(
        found, measured=Measured(Rate(1312 / MB, 0.001, 0.002), "x"), explained_percent=15.0
    )
    assert (
        "1,000 bytes per call that were measured have no site: memray 1 sees no malloc"
        in besides_words(more)[0]
    )


def stack_of(frames: list[Frame], each: int) -> StackLive:
    levels = [0, each, *(each + each * 5 * block for block in range(1, 7))]
    return StackLive(frames, "infer", [0, 1, *range(6, 36, 5)], levels, levels)
