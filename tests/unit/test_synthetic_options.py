"""The synthetic engine without processes: its options, its schedule on a clock of ours, its answers."""

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from orchestrator_worker.engines.base import EngineError, JobCancelledError, restarts
from orchestrator_worker.engines.options import read_options
from orchestrator_worker.engines.synthetic import engine as synthetic
from orchestrator_worker.engines.synthetic import options as synthetic_options
from orchestrator_worker.engines.synthetic.engine import SyntheticEngine, SyntheticRestartEngine, split_text
from orchestrator_worker.engines.synthetic.faults import KINDS, Fault, read_fault
from orchestrator_worker.engines.synthetic.options import SyntheticOptions
from orchestrator_worker.engines.synthetic.shapes import ChunkShape, ConstantShape, PoolShape, draw
from orchestrator_worker.protocol import Alignment, Audio, Job, ModelSpec, Plain, Transcript


class FakeTime:
    """Stands in for the module ``time``: sleeping is what moves it, and looking at it moves it a little."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept_s: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


class Ear:
    """An emit that remembers what it heard and when."""

    def __init__(self, clock: FakeTime, cancel_when: Callable[[], bool] = lambda: False) -> None:
        self._clock = clock
        self._started_s = clock.now_s
        self._cancel_when = cancel_when
        self.heard: list[tuple[str, int]] = []
        self.finals: list[bool] = []

    def __call__(self, text: str, *, final: bool = False, replaces: int = 0) -> None:  # noqa: ARG002
        self.heard.append((text, self.elapsed_ms))
        self.finals.append(final)

    @property
    def elapsed_ms(self) -> int:
        return round((self._clock.now_s - self._started_s) * 1000)

    @property
    def cancelled(self) -> bool:
        return self._cancel_when()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(synthetic, "time", fake)
    return fake


names = itertools.count()


def loaded(**options: Any) -> SyntheticEngine:
    """An engine of its own: a life belongs to a model's name, in one process."""
    engine = SyntheticEngine()
    engine.load(ModelSpec("synthetic", f"model-{next(names)}", options=options))
    return engine


def audio(samples: int) -> Audio:
    return Audio("/nowhere.wav", samples)


# ------------------------------------------------------------------------------- options


def test_every_option_stands_in_the_table_with_its_default() -> None:
    rows = {
        line.split()[0]: line.split()
        for line in (synthetic_options.__doc__ or "").splitlines()
        if line.strip()
    }
    for field in msgspec.structs.fields(SyntheticOptions):
        row = rows[field.name]
        if isinstance(field.default, str | int):
            assert row[1] == str(field.default), field.name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"leak_kib_per_jobs": 1},
            ["unknown option 'leak_kib_per_jobs'", "did you mean 'leak_kib_per_job'?"],
        ),
        ({"leak_kib_per_job": "1"}, ["option 'leak_kib_per_job'", "float", "found '1'"]),
        ({"leak_kib_per_job": -1}, ["option 'leak_kib_per_job'", ">= 0"]),
        ({"leak_source": "mallok"}, ["option 'leak_source'", "did you mean 'malloc'?", "mmap"]),
        ({"tokens": 0}, ["option 'tokens'", ">= 1"]),
        ({"tokens": True}, ["option 'tokens'", "bool"]),
        ({"seeed": 1, "job_ms": []}, ["'seeed'", "'job_ms'"]),
        ({"faults": [{"how": "segfalt"}]}, ["faults[0]", "did you mean 'segfault'?"]),
        (
            {"faults": [{"how": "exit"}, {"hwo": "exit"}]},
            ["faults[1]", "did you mean 'how'?", "'how' is missing"],
        ),
        ({"faults": [{"how": "allocate"}]}, ["faults[0]", "'kib' is missing"]),
        ({"faults": [{"how": "exit", "when": "lode"}]}, ["faults[0]", "did you mean 'load'?"]),
    ],
)
def test_a_wrong_option_is_named_with_what_was_meant(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(EngineError) as error:
        loaded(**options)
    assert [word for word in words if word not in str(error.value)] == []


def test_check_finds_wrong_options_without_loading() -> None:
    with pytest.raises(EngineError, match="lead_ms"):
        SyntheticEngine.check(ModelSpec("synthetic", "checked", options={"lead_ms": 1}))


def test_the_estimate_is_the_base() -> None:
    assert (
        SyntheticEngine.memory_estimate(ModelSpec("synthetic", "estimated", options={"base_kib": 3})) == 3072
    )


def test_a_wrong_job_option_is_refused(clock: FakeTime) -> None:
    with pytest.raises(EngineError, match=r"unknown option 'faults' \(did you mean 'fault'"):
        loaded().run(Job("asr", options={"faults": []}), Ear(clock))


def test_every_how_has_its_function() -> None:
    (how,) = [field for field in msgspec.structs.fields(Fault) if field.name == "how"]
    assert set(KINDS) == set(how.type.__args__)


def test_a_fault_reads_with_its_defaults() -> None:
    assert read_fault({"how": "exit"}, "here") == Fault("exit", "run", None, 0, 3, None, None, detached=False)


def test_numbers_from_toml_fit() -> None:
    read = read_options({"leak_kib_per_job": 300, "noise_kib": 0.5}, SyntheticOptions, "here")
    assert (read.leak_kib_per_job, read.noise_kib) == (300, 0.5)


# ------------------------------------------------------------------------------- time


@pytest.mark.parametrize("work", ["sleep", "spin"])
def test_chunks_come_on_schedule(clock: FakeTime, monkeypatch: pytest.MonkeyPatch, work: str) -> None:
    if work == "spin":
        monkeypatch.setattr(clock, "monotonic", lambda: clock.sleep(1e-5) or clock.now_s)
    engine = loaded(work=work, first_token_ms=35, token_ms=20, tokens=4, job_ms=50, text="abcdefgh")
    ear = Ear(clock)
    engine.run(Job("asr"), ear)
    assert ear.heard == [("ab", 35), ("cd", 55), ("ef", 75), ("gh", 95)]
    assert ear.finals == [False, False, False, True]
    assert ear.elapsed_ms == 145


def test_time_lost_elsewhere_does_not_add_up(clock: FakeTime) -> None:
    engine = loaded(first_token_ms=10, token_ms=20, tokens=3, text="abc")

    class SlowEar(Ear):
        def __call__(self, text: str, *, final: bool = False, replaces: int = 0) -> None:  # noqa: ARG002
            super().__call__(text, final=final)
            clock.now_s += 0.015

    ear = SlowEar(clock)
    engine.run(Job("asr"), ear)
    assert [at_ms for _, at_ms in ear.heard] == [10, 30, 50]


def test_a_load_takes_its_time(clock: FakeTime) -> None:
    started_s = clock.now_s
    loaded(load_ms=120)
    assert clock.now_s - started_s == pytest.approx(0.12)


def test_a_cancel_is_noticed_within_10_ms(clock: FakeTime) -> None:
    engine = loaded(first_token_ms=1000)
    ear = Ear(clock, cancel_when=lambda: clock.now_s > 1000.1)
    with pytest.raises(JobCancelledError):
        engine.run(Job("asr"), ear)
    assert 100 <= ear.elapsed_ms <= 110
    assert max(clock.slept_s) <= 0.01


def test_a_cancel_between_tokens_without_waiting(clock: FakeTime) -> None:
    engine = loaded(tokens=5, text="abcde")
    ear = Ear(clock)
    ear._cancel_when = lambda: len(ear.heard) == 2
    with pytest.raises(JobCancelledError):
        engine.run(Job("asr"), ear)
    assert len(ear.heard) == 2


# ------------------------------------------------------------------------------- answers


def test_asr_answers_the_text_of_options_then_job_then_its_own(clock: FakeTime) -> None:
    def answer(job_text: str | None, **options: Any) -> str:
        result = loaded(**options).run(Job("asr", text=job_text), Ear(clock))
        assert isinstance(result, Transcript)
        return result.text

    assert answer("job", text="option") == "option"
    assert answer("job") == "job"
    assert answer(None) == synthetic.FIXED_TEXT


def test_align_spaces_the_words_of_the_job_evenly(clock: FakeTime) -> None:
    result = loaded(text="not this").run(Job("align", audio(16_000), text="one two three"), Ear(clock))
    assert isinstance(result, Alignment)
    assert [(word.text, word.start_ms, word.end_ms) for word in result.words] == [
        ("one", 0, 333),
        ("two", 333, 666),
        ("three", 666, 1000),
    ]


@pytest.mark.parametrize("text", [None, "", "  "])
def test_align_without_words_is_refused(clock: FakeTime, text: str | None) -> None:
    with pytest.raises(EngineError, match="at least one word"):
        loaded().run(Job("align", audio(16_000), text=text), Ear(clock))


def test_its_own_task_counts_jobs(clock: FakeTime) -> None:
    engine = loaded(text="x")
    results = [engine.run(Job("synthetic"), Ear(clock)) for _ in range(2)]
    assert results == [Plain({"job": 1, "text": "x"}), Plain({"job": 2, "text": "x"})]


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 20])
def test_pieces_are_even_and_make_the_text_again(parts: int) -> None:
    pieces = split_text("hello wörld", parts)
    assert len(pieces) == parts
    assert "".join(pieces) == "hello wörld"
    assert max(map(len, pieces)) - min(map(len, pieces)) <= 1


def test_more_tokens_than_characters_send_no_empty_chunks(clock: FakeTime) -> None:
    ear = Ear(clock)
    loaded(tokens=5, text="ab", token_ms=10).run(Job("asr"), ear)
    assert [text for text, _ in ear.heard] == ["a", "b"]
    assert ear.finals == [False, True]


def test_restart_belongs_to_one_of_the_two() -> None:
    assert not restarts(SyntheticEngine)
    assert restarts(SyntheticRestartEngine)


# ------------------------------------------------------------------------------- shapes


def test_a_constant_shape_takes_the_same_each_time() -> None:
    assert [ConstantShape(3.5).kib(event) for event in (1, 2, 100)] == [3.5, 3.5, 3.5]


def test_a_pool_shape_stops_when_full() -> None:
    assert [PoolShape(100, 4).kib(event) for event in range(1, 7)] == [25, 25, 25, 25, 0, 0]


@pytest.mark.parametrize(("rate", "chunk"), [(100, 1000), (300, 1024), (7, 64), (1000, 300), (10, 10)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_chunks_never_stray_more_than_one_chunk_from_the_rate(rate: float, chunk: float, seed: int) -> None:
    shape = ChunkShape(rate, chunk, seed, "job")
    total = 0.0
    for event in range(1, 500):
        total += shape.kib(event)
        assert abs(total - rate * event) <= chunk + rate  # the event itself has a width


def test_chunks_lie_irregularly() -> None:
    shape = ChunkShape(100, 1000, 5, "job")
    places = [event for event in range(1, 400) if shape.kib(event)]
    gaps = {after - before for before, after in itertools.pairwise(places)}
    assert len(gaps) > 5


def test_draws_are_the_same_on_every_machine() -> None:
    assert draw(0, "job", 1) == draw(0, "job", 1)
    assert round(draw(42, "noise", 7), 6) == 0.165543  # random.Random is specified to stay
    assert len({draw(seed, what, 1) for seed in range(5) for what in ("a", "b")}) == 10
