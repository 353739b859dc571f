"""The engine ``faster-whisper`` on a double of its library, and the double against the real one."""

import array
import ast
import importlib.util
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator_worker.engines.base import EngineError, EngineUnavailableError, JobCancelledError, restarts
from orchestrator_worker.engines.faster_whisper import FasterWhisperEngine
from orchestrator_worker.engines.whisper_languages import whisper_code
from orchestrator_worker.protocol import Alignment, Audio, Job, ModelSpec, Transcript, Word

DOUBLES = Path(__file__).parents[1] / "doubles"
FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")
SEGMENTS = [
    [0.0, 1.0, " And so,", [[0.0, 0.4, " And"], [0.4, 1.0, " so,"]]],
    [
        1.0,
        2.5,
        " my fellow Americans. ",
        [[1.0, 1.25, " my"], [1.3, 1.7, " fellow"], [1.7, 2.5, " Americans."]],
    ],
]
WORDS = [
    Word("And", 0, 400),
    Word("so,", 400, 1000),
    Word("my", 1000, 1250),
    Word("fellow", 1300, 1700),
    Word("Americans.", 1700, 2500),
]


class Emit:
    def __init__(self, cancel_after: int | None = None) -> None:
        self.chunks: list[tuple[str, bool, int]] = []
        self._cancel_after = cancel_after

    def __call__(self, text: str, *, final: bool = False, replaces: int = 0) -> None:
        self.chunks.append((text, final, replaces))

    @property
    def cancelled(self) -> bool:
        return self._cancel_after is not None and len(self.chunks) >= self._cancel_after


@pytest.fixture(autouse=True)
def _double(monkeypatch: pytest.MonkeyPatch) -> None:
    """The double first on the path; the environment as it was when the test is over."""
    monkeypatch.syspath_prepend(str(DOUBLES))
    monkeypatch.delitem(sys.modules, "faster_whisper", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "faster-whisper-tiny"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text("{}")
    script = [{"samples": None, "language": "en", "segments": SEGMENTS}]
    (folder / "model.bin").write_text(json.dumps(script))
    return folder


@pytest.fixture
def audio(tmp_path: Path) -> Audio:
    path = tmp_path / "audio.f32"
    path.write_bytes(array.array("f", [0.25] * 1600).tobytes())
    return Audio(str(path), 1600, "f32le")


def spec(folder: Path | None, **keys: Any) -> ModelSpec:
    return ModelSpec("faster-whisper", "asr-small", file=str(folder) if folder else None, **keys)


def loaded(folder: Path, **keys: Any) -> FasterWhisperEngine:
    engine = FasterWhisperEngine()
    engine.load(spec(folder, **keys))
    return engine


def calls(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]


def test_it_is_loaded_from_the_folder_offline_in_int8_with_the_threads_asked_for(folder: Path) -> None:
    facts = FasterWhisperEngine().load(spec(folder, threads=3))
    assert facts["model_dir"] == str(folder)
    assert (facts["device"], facts["compute_type"], facts["threads"]) == ("cpu", "int8", 3)
    assert calls(folder) == [
        {
            "call": "load",
            "device": "cpu",
            "compute_type": "int8",
            "cpu_threads": 3,
            "local_files_only": True,
            "offline": "1",
        }
    ]
    assert FasterWhisperEngine().load(spec(folder))["threads"] == "chosen by the library"
    assert calls(folder)[-1]["cpu_threads"] == 0


def test_each_segment_is_a_chunk_and_they_add_up_to_the_text(folder: Path, audio: Audio) -> None:
    emit = Emit()
    result = loaded(folder).run(Job("asr", audio), emit)
    assert result == Transcript("And so, my fellow Americans.", "en", [])
    assert emit.chunks == [("And so,", False, 0), (" my fellow Americans.", False, 0), ("", True, 0)]
    asked = next(call for call in calls(folder) if call["call"] == "transcribe")
    assert asked == {
        "call": "transcribe",
        "samples": 1600,
        "dtype": "float32",
        "language": None,
        "beam_size": 5,
        "temperature": 0.0,
        "vad_filter": False,
        "condition_on_previous_text": True,
        "word_timestamps": False,
        "initial_prompt": None,
    }


def test_what_was_said_before_is_the_librarys_initial_prompt(folder: Path, audio: Audio) -> None:
    engine = loaded(folder)
    engine.run(Job("asr", audio, options={"prompt": "Ask not."}), Emit())
    asked = next(call for call in calls(folder) if call["call"] == "transcribe")
    assert asked["initial_prompt"] == "Ask not."
    with pytest.raises(EngineError, match="'prompt' is a text, found 3"):
        engine.run(Job("asr", audio, options={"prompt": 3}), Emit())


def test_chunks_come_while_the_library_works(folder: Path, audio: Audio) -> None:
    seen: list[int] = []

    class Counting(Emit):
        def __call__(self, text: str, *, final: bool = False, replaces: int = 0) -> None:
            super().__call__(text, final=final, replaces=replaces)
            seen.append(sum(call["call"] == "segment" for call in calls(folder)))

    loaded(folder).run(Job("asr", audio), Counting())
    assert seen == [1, 2, 2]


def test_options_reach_the_library(folder: Path, audio: Audio) -> None:
    options = {"beam_size": 1, "temperature": 0.4, "vad_filter": True, "word_timestamps": True}
    options["condition_on_previous_text"] = False
    result = loaded(folder, options=options).run(Job("asr", audio), Emit())
    assert isinstance(result, Transcript)
    assert result.words == WORDS
    asked = next(call for call in calls(folder) if call["call"] == "transcribe")
    assert {key: asked[key] for key in options} == options


@pytest.mark.parametrize(
    ("of_model", "of_job", "code"),
    [(None, None, None), ("auto", None, None), ("Chinese", None, "zh"), ("Chinese", "English", "en")],
)
def test_the_jobs_language_wins_over_the_models_and_auto_detects(
    of_model: str | None, of_job: str | None, code: str | None, folder: Path, audio: Audio
) -> None:
    result = loaded(folder, language=of_model).run(Job("asr", audio, language=of_job), Emit())
    assert isinstance(result, Transcript)
    assert result.language == (code or "en")
    assert next(call for call in calls(folder) if call["call"] == "transcribe")["language"] == code


@pytest.mark.parametrize(
    ("said", "code"),
    [("zh-TW", "zh"), ("ZH_tw", "zh"), ("English", "en"), ("yue", "yue"), ("Klingon", "klingon"), ("", None)],
)
def test_names_of_languages(said: str, code: str | None) -> None:
    assert whisper_code(said) == code


def test_an_unknown_language_is_a_sentence(folder: Path, audio: Audio) -> None:
    with pytest.raises(EngineError, match=r"'klingon' is not a valid language code \(accepted"):
        loaded(folder).run(Job("asr", audio, language="Klingon"), Emit())


def test_a_given_text_is_placed_on_the_words_that_were_heard(folder: Path, audio: Audio) -> None:
    emit = Emit()
    job = Job("align", audio, text="Well And so my fellow Texans", language="English")
    result = loaded(folder).run(job, emit)
    assert result == Alignment(
        words=[
            Word("And", 0, 400),
            Word("so", 400, 1000),
            Word("my", 1000, 1250),
            Word("fellow", 1300, 1700),
            Word("Texans", 1700, 2500),
        ],
        skipped=["Well"],
    )
    assert next(call for call in calls(folder) if call["call"] == "transcribe")["word_timestamps"] is True


@pytest.mark.parametrize("task", ["asr", "align"])
def test_a_cancel_is_seen_between_segments(task: str, folder: Path, audio: Audio) -> None:
    engine = loaded(folder)
    with pytest.raises(JobCancelledError):
        engine.run(Job(task, audio, text="And so"), Emit(cancel_after=1 if task == "asr" else 0))
    assert [call["call"] for call in calls(folder)].count("segment") == (1 if task == "asr" else 0)


def test_unloading_drops_the_model_and_a_job_after_it_is_refused(folder: Path, audio: Audio) -> None:
    engine = loaded(folder)
    engine.unload()
    engine.unload()
    with pytest.raises(EngineError, match="no model is loaded"):
        engine.run(Job("asr", audio), Emit())


def test_it_has_no_restart() -> None:
    assert not restarts(FasterWhisperEngine)


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (Job("translate"), "no task 'translate'; it has: asr, align"),
        (Job("asr"), "the job has no audio"),
        (Job("align", text=" "), "text to align has no words"),
    ],
)
def test_jobs_without_sense_are_refused(job: Job, words: str, folder: Path) -> None:
    with pytest.raises(EngineError, match=words):
        loaded(folder).run(job, Emit())


def test_audio_without_samples_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.f32").write_bytes(b"")
    with pytest.raises(EngineError, match="0 samples"):
        loaded(folder).run(Job("asr", Audio(str(tmp_path / "empty.f32"), 0, "f32le")), Emit())


def test_the_estimate_is_the_size_of_the_weights(folder: Path) -> None:
    assert FasterWhisperEngine.memory_estimate(spec(folder)) == (folder / "model.bin").stat().st_size
    assert FasterWhisperEngine.memory_estimate(spec(None)) is None


def test_a_missing_package_says_how_to_install_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EngineUnavailableError, match="faster_whisper is not installed") as raised:
        FasterWhisperEngine.check(spec(folder))
    assert raised.value.how_to_get_it == "pip install 'faster-whisper>=1.1,<2'"


def test_a_model_without_a_folder_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="asr-small has no `file`") as raised:
        FasterWhisperEngine.check(spec(None))
    assert "hf download" in raised.value.how_to_get_it
    with pytest.raises(EngineUnavailableError, match="gone is not there") as raised:
        FasterWhisperEngine.check(spec(tmp_path / "gone"))
    assert raised.value.how_to_get_it.endswith(f"--local-dir {tmp_path / 'gone'}")
    (tmp_path / "file.bin").write_bytes(b"")
    with pytest.raises(EngineUnavailableError, match=r"file\.bin is a file; the model is a folder"):
        FasterWhisperEngine.check(spec(tmp_path / "file.bin"))


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_looked_for_before_the_library_fetches_it(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(EngineUnavailableError, match=name.replace(".", r"\.")):
        FasterWhisperEngine.check(spec(folder))


def test_weights_of_another_format_say_how_to_convert_them(folder: Path) -> None:
    (folder / "model.bin").rename(folder / "model.safetensors")
    with pytest.raises(EngineUnavailableError, match="weights of another format") as raised:
        FasterWhisperEngine.check(spec(folder))
    assert raised.value.how_to_get_it.startswith("ct2-transformers-converter --model")


def test_wrong_options_are_named_all_at_once(folder: Path) -> None:
    with pytest.raises(EngineError, match=r"did you mean 'beam_size'.*'device'.*'gpu'") as raised:
        FasterWhisperEngine.check(spec(folder, options={"beam_siz": 1, "device": "gpu"}))
    assert str(raised.value).startswith("engine faster-whisper: ")


def test_what_the_library_refuses_names_the_model_and_the_precision(folder: Path) -> None:
    with pytest.raises(EngineError, match=r"cannot load .*faster-whisper-tiny on cpu as float16: Requested"):
        loaded(folder, options={"compute_type": "float16"})


def _real_package() -> Path | None:
    """The installed package's folder, which the double must not hide from us."""
    for entry in sys.path:
        folder = Path(entry) / "faster_whisper"
        if (folder / "transcribe.py").is_file():
            return folder
    return None


@pytest.mark.skipif(_real_package() is None, reason="the extra 'faster-whisper' is not installed")
def test_the_double_has_the_real_signatures() -> None:
    """Read, not imported: the double stands in its place."""
    package = _real_package()
    assert package is not None
    tree = ast.parse((package / "transcribe.py").read_text(encoding="utf-8"))
    real = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "WhisperModel")
    found = importlib.util.find_spec("faster_whisper")
    assert found is not None
    assert found.origin == str(DOUBLES / "faster_whisper/__init__.py")
    double = importlib.import_module("faster_whisper").WhisperModel
    for name in ("__init__", "transcribe"):
        node = next(item for item in real.body if isinstance(item, ast.FunctionDef) and item.name == name)
        ours = [p.name for p in inspect.signature(getattr(double, name)).parameters.values()]
        theirs = [argument.arg for argument in node.args.args]
        theirs += [node.args.kwarg.arg] if node.args.kwarg else []
        assert ours == theirs
