"""The engines of the profile ``embedded`` on the committed samples, each scenario in a Python of its own."""

import importlib.util
import json
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.model import SandboxMode
from orchestrator.pipeline.assembly import FOR_PIECES
from orchestrator.pool.jobs import Transcribe
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool
from orchestrator.text.metrics import score
from orchestrator_worker.sandbox.kernel import why_not

SAMPLES = Path(__file__).parents[2] / "samples"
JFK_TEXT = (SAMPLES / "jfk.txt").read_text(encoding="utf-8").strip()

MISSING = [
    name
    for name in ("moonshine_voice", "pocketsphinx", "num2words")
    if importlib.util.find_spec(name) is None
]
pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(
        bool(MISSING), reason=f"the extra 'embedded' is not installed: no {', '.join(MISSING)}"
    ),
]

# Answers go to a file, because native code may print what it likes.
CHILD = """
import sys, msgspec
from orchestrator_worker.engines import registry
from orchestrator_worker.engines.base import EngineError
from orchestrator_worker.protocol import Job, ModelSpec

class Emit:
    def __init__(self, cancel_after): self.chunks, self.cancel_after = [], cancel_after
    def __call__(self, text, *, final=False, replaces=0): self.chunks.append([text, final, replaces])
    @property
    def cancelled(self): return self.cancel_after is not None and len(self.chunks) >= self.cancel_after

plan = msgspec.json.decode(sys.stdin.buffer.read())
model = msgspec.convert(plan["model"], ModelSpec)
engine = registry.find(model.engine)()
answers = [{"facts": dict(engine.load(model))}]
for job in plan["jobs"]:
    emit = Emit(job.pop("cancel_after", None))
    try:
        result = msgspec.to_builtins(engine.run(msgspec.convert(job, Job), emit))
        answers.append({"result": result, "chunks": emit.chunks})
    except EngineError as error:
        answers.append({"error": str(error), "type": type(error).__name__, "chunks": emit.chunks})
engine.unload()
engine.unload()
answers.append({"decoder": repr(vars(engine))})
with open(sys.argv[1], "wb") as file:
    file.write(msgspec.json.encode(answers))
"""


def audio(name: str) -> dict[str, Any]:
    path = SAMPLES / name
    with wave.open(str(path), "rb") as file:
        return {"path": str(path), "samples": file.getnframes()}


def play(
    folder: Path, engine: str, jobs: list[dict[str, Any]], **model: Any
) -> tuple[list[dict[str, Any]], str]:
    """Load, do the jobs, unload twice; return facts, answers and the last state, and what was printed."""
    plan = json.dumps({"model": {"engine": engine, "name": "m", **model}, "jobs": jobs}).encode()
    answers = folder / "answers.json"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(answers)], input=plan, capture_output=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return json.loads(answers.read_bytes()), (done.stdout + done.stderr).decode(errors="replace")


def rebuilt(chunks: list[list[Any]]) -> str:
    text = ""
    for piece, _, replaces in chunks:
        text = text[: len(text) - replaces] + piece
    return text


@pytest.mark.parametrize("engine", ["moonshine", "pocketsphinx"])
def test_the_samples_are_read_back_without_an_error(engine: str, tmp_path: Path) -> None:
    names = ["jfk", "phone-en", "jfk"]
    jobs = [{"task": "asr", "audio": audio(f"{name}.wav")} for name in names]
    (loaded, *answers, unloaded), printed = play(tmp_path, engine, jobs)
    assert loaded["facts"]["version"]
    for name, answer in zip(names, answers, strict=True):
        reference = (SAMPLES / f"{name}.txt").read_text(encoding="utf-8")
        text = answer["result"]["text"]
        assert score(reference, text).wer_percent == 0.0, text
        assert rebuilt(answer["chunks"]) == text
        assert [final for _, final, _ in answer["chunks"]].index(True) == len(answer["chunks"]) - 1
    assert answers[0] == answers[2], "a job's answer depends on the job before"
    assert "object at" not in unloaded["decoder"], "something native is still held"
    assert printed == ""


def test_moonshine_hands_over_all_text_at_once(tmp_path: Path) -> None:
    (_, answer, _), _ = play(tmp_path, "moonshine", [{"task": "asr", "audio": audio("jfk.wav")}])
    assert answer["chunks"] == [[answer["result"]["text"], True, 0]]


def test_what_moonshine_hears_in_a_piece_does_not_depend_on_the_job_before(tmp_path: Path) -> None:
    """As ``transcribe`` and ``batch`` start it. By default its detector goes on from where the last audio ended."""
    rate_hz, cut = 16_000, tmp_path / "cut-in-a-word.wav"
    with wave.open(str(SAMPLES / "jfk.wav"), "rb") as file:
        samples = file.readframes(int(2.2 * rate_hz))
    with wave.open(str(cut), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(samples)
    piece = {"path": str(cut), "samples": len(samples) // 2}
    order = [piece, audio("phone-en.wav"), piece, audio("jfk.wav"), piece, audio("phone-en.wav")]
    jobs = [{"task": "asr", "audio": one} for one in order]
    (_, *answers, _), _ = play(tmp_path, "moonshine", jobs, options=dict(FOR_PIECES["moonshine"]))
    texts = [each["result"]["text"] for each in answers]
    assert texts[0] == texts[2] == texts[4]
    assert texts[1] == texts[5]
    assert texts[0]


def test_pocketsphinx_hands_over_text_while_it_works(tmp_path: Path) -> None:
    (_, answer, _), _ = play(tmp_path, "pocketsphinx", [{"task": "asr", "audio": audio("jfk.wav")}])
    assert len(answer["chunks"]) > 3
    assert [word["text"] for word in answer["result"]["words"]] == answer["result"]["text"].split()


def test_pocketsphinx_gives_up_when_asked_and_goes_on_after(tmp_path: Path) -> None:
    job = {"task": "asr", "audio": audio("jfk.wav")}
    (_, first, cut, again, _), _ = play(tmp_path, "pocketsphinx", [job, {**job, "cancel_after": 2}, job])
    assert cut["type"] == "JobCancelledError"
    assert len(cut["chunks"]) == 2
    assert again == first


def assert_in_order(words: list[dict[str, Any]], samples: int) -> None:
    times = [time for word in words for time in (word["start_ms"], word["end_ms"])]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= samples / 16
    assert all(word["start_ms"] < word["end_ms"] for word in words)


def test_alignment_keeps_the_words_of_the_text(tmp_path: Path) -> None:
    job = {"task": "align", "audio": audio("jfk.wav"), "text": JFK_TEXT}
    jobs = [job, {"task": "asr", "audio": audio("jfk.wav")}, {**job, "options": {"phones": True}}, job]
    (_, plain, heard, phoned, again, _), printed = play(tmp_path, "pocketsphinx", jobs)
    for answer in (plain, phoned):
        assert [word["text"] for word in answer["result"]["words"]] == JFK_TEXT.split()
        assert_in_order(answer["result"]["words"], job["audio"]["samples"])
        assert answer["result"]["skipped"] == []
    assert plain["result"]["phones"] == []
    assert score(JFK_TEXT, heard["result"]["text"]).wer_percent == 0.0
    assert again == plain
    assert printed == ""


def test_phones_lie_inside_their_words(tmp_path: Path) -> None:
    job = {"task": "align", "audio": audio("jfk.wav"), "text": JFK_TEXT, "options": {"phones": True}}
    (_, answer, _), _ = play(tmp_path, "pocketsphinx", [job])
    words, phones = answer["result"]["words"], answer["result"]["phones"]
    assert_in_order(phones, job["audio"]["samples"])
    assert {phone["word"] for phone in phones} == set(range(len(words)))
    assert [phone["phone"] for phone in phones if phone["word"] == 1] == ["S", "OW"]
    for phone in phones:
        owner = words[phone["word"]]
        assert owner["start_ms"] <= phone["start_ms"] < phone["end_ms"] <= owner["end_ms"]


@pytest.mark.parametrize(
    "text", ["0900073331", "0900-073-331.", "Zero nine, zero zero zero; seven — THREE three-three one!"]
)
def test_digits_are_aligned_however_they_are_written(text: str, tmp_path: Path) -> None:
    job = {"task": "align", "audio": audio("phone-en.wav"), "text": text}
    (_, answer, _), _ = play(tmp_path, "pocketsphinx", [job])
    assert [word["text"] for word in answer["result"]["words"]] == [
        word for word in text.split() if word != "—"
    ]
    assert_in_order(answer["result"]["words"], job["audio"]["samples"])


def test_what_cannot_be_aligned_is_said(tmp_path: Path) -> None:
    jfk, phone = audio("jfk.wav"), audio("phone-en.wav")
    short = {**jfk, "path": str(tmp_path / "short.raw"), "samples": 3_200, "encoding": "s16le"}
    Path(short["path"]).write_bytes(bytes(6_400))
    empty = {**short, "path": str(tmp_path / "empty.raw"), "samples": 0}
    Path(empty["path"]).write_bytes(b"")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"audio": jfk, "text": " … "}, "has no words"),
        ({"audio": jfk}, "has no words"),
        ({"audio": jfk, "text": f"Zzyx {JFK_TEXT} qwrt", "options": {"unknown": "error"}}, "zzyx, qwrt"),
        ({"audio": jfk, "text": JFK_TEXT, "options": {"unknown": "ignore"}}, "allowed: 'pronounce', 'skip'"),
        ({"audio": jfk, "text": "你好 世界"}, "the aligner reads English"),
        ({"audio": phone, "text": JFK_TEXT}, "the text does not fit the audio"),
        ({"audio": short, "text": JFK_TEXT}, "nobody says so many in 0.2 s"),
        ({"audio": short, "text": JFK_TEXT, "options": {"phones": True}}, "placed 0 of 22 words"),
        ({"audio": empty, "text": JFK_TEXT}, "0 samples"),
        ({"text": JFK_TEXT}, "has no audio"),
        ({"audio": jfk, "text": JFK_TEXT, "language": "Chinese"}, "English only"),
    ]
    jobs = [{"task": "align", **job} for job, _ in cases]
    good = {"task": "align", "audio": jfk, "text": JFK_TEXT}
    (_, *answers, last, _), _ = play(tmp_path, "pocketsphinx", [*jobs, good])
    for answer, (_, words) in zip(answers, cases, strict=True):
        assert words in answer["error"]
        assert answer["type"] == "EngineError"
    assert len(last["result"]["words"]) == len(JFK_TEXT.split())


def test_unknown_words_are_skipped_when_asked(tmp_path: Path) -> None:
    text = JFK_TEXT.replace("fellow", "fellow Zzyx,")
    job = {"task": "align", "audio": audio("jfk.wav"), "text": text, "options": {"unknown": "skip"}}
    (_, answer, _), _ = play(tmp_path, "pocketsphinx", [job])
    assert answer["result"]["skipped"] == ["Zzyx,"]
    assert [word["text"] for word in answer["result"]["words"]] == JFK_TEXT.split()


@pytest.mark.parametrize("lm", [True, False])
def test_a_word_the_dictionary_lacks_costs_no_other_word_its_time(lm: bool, tmp_path: Path) -> None:
    good = {"task": "align", "audio": audio("jfk.wav"), "text": JFK_TEXT}
    strange = {**good, "text": JFK_TEXT.replace("Americans", "Amerrikens")}
    heard = {"task": "asr", "audio": audio("jfk.wav")} if lm else good
    jobs = [heard, good, strange, {**strange, "options": {"phones": True}}, good, heard]
    (_, first, plain, by_rule, phoned, again, last, _), _ = play(
        tmp_path, "pocketsphinx", jobs, options={"lm": lm}
    )
    before, after = plain["result"]["words"], by_rule["result"]["words"]
    assert [word.get("timing") for word in after] == [None] * 4 + ["by-rule"] + [None] * 17
    assert after == phoned["result"]["words"]
    for one, other in zip(before, after, strict=True):
        assert abs(one["start_ms"] - other["start_ms"]) <= 50
        assert abs(one["end_ms"] - other["end_ms"]) <= 50
    assert again == plain
    assert last == first


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        (f"Once upon a time there was nothing else, {JFK_TEXT}", range(8)),
        (JFK_TEXT.replace("fellow", "seventeen zebras fellow"), range(3, 5)),
        (f"{JFK_TEXT} And that is what he said on that cold day in winter.", range(22, 34)),
        (f"C++ № $3.50 😀 {JFK_TEXT}", range(3)),
    ],
)
def test_words_that_are_not_said_cost_no_other_word_its_time(text: str, lost: range, tmp_path: Path) -> None:
    jobs = [{"task": "align", "audio": audio("jfk.wav"), "text": each} for each in (JFK_TEXT, text)]
    (_, plain, longer, _), _ = play(tmp_path, "pocketsphinx", jobs)
    words = longer["result"]["words"]
    assert [index for index, word in enumerate(words) if word.get("timing") == "interpolated"] == list(lost)
    times = [time for word in words for time in (word["start_ms"], word["end_ms"])]
    assert times == sorted(times)
    found = [word for word in words if word.get("timing") == "widened"]
    for one, other in zip(plain["result"]["words"], found, strict=True):
        assert one["text"] == other["text"]
        assert abs(one["start_ms"] - other["start_ms"]) <= 50


def test_without_a_language_model_only_alignment_is_left(tmp_path: Path) -> None:
    jfk = audio("jfk.wav")
    jobs = [{"task": "asr", "audio": jfk}, {"task": "align", "audio": jfk, "text": JFK_TEXT}]
    (loaded, heard, aligned, _), _ = play(tmp_path, "pocketsphinx", jobs, options={"lm": False})
    assert loaded["facts"]["language_model"] is False
    assert "lm = true" in heard["error"]
    assert len(aligned["result"]["words"]) == len(JFK_TEXT.split())


@pytest.mark.parametrize("engine", ["moonshine", "pocketsphinx"])
def test_what_cannot_be_heard_is_said(engine: str, tmp_path: Path) -> None:
    (tmp_path / "empty.raw").write_bytes(b"")
    empty = {"path": str(tmp_path / "empty.raw"), "samples": 0, "encoding": "s16le"}
    jobs = [
        {"task": "asr", "audio": empty},
        {"task": "asr"},
        {"task": "asr", "audio": audio("jfk.wav"), "language": "zh-TW"},
        {"task": "translate", "audio": audio("jfk.wav")},
    ]
    (_, *answers, _), _ = play(tmp_path, engine, jobs)
    for answer, words in zip(answers, ["0 samples", "no audio", "English only", "no task"], strict=True):
        assert words in answer["error"]


@pytest.mark.skipif(bool(why_not("strict")), reason=f"a sandbox {why_not('strict')}")
@pytest.mark.parametrize("engine", ["moonshine", "pocketsphinx"])
def test_a_confined_engine_hears_the_same(engine: str, tmp_path: Path) -> None:
    heard: list[str] = []
    modes: tuple[SandboxMode | None, ...] = ("off", None)
    for mode in modes:
        with Pool(models=[Model(name="m", engine=engine, sandbox=mode)], cache_dir=tmp_path) as pool:
            assert [model.sandbox for model in pool.models] == ["off", mode or "strict"]
            heard.append(pool.submit(Transcribe("m", SAMPLES / "jfk.wav")).result(300).text)
    assert heard[0] == heard[1]
    assert "your country" in heard[0]
