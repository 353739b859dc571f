"""A stand-in for the package ``faster-whisper``: the same names and signatures, and text by script.

What it "hears" stands as JSON in the model folder's ``model.bin``: a list of
``{"samples": N or null, "language": …, "segments": [[start, end, text, [[start, end, word], …]], …]}``, of which
the first that fits the audio's length is taken. Every call's arguments are appended to ``calls.jsonl`` there.
"""
# ruff: noqa: ARG002 - the signature is the point, whether or not a script uses the argument

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Word:
    start: float
    end: float
    word: str
    probability: float


@dataclass
class Segment:
    start: float
    end: float
    text: str
    words: list[Word] | None


@dataclass
class TranscriptionInfo:
    language: str
    language_probability: float
    duration: float


class WhisperModel:
    def __init__(
        self,
        model_size_or_path,
        device="auto",
        device_index=0,
        compute_type="default",
        cpu_threads=0,
        num_workers=1,
        download_root=None,
        local_files_only=False,
        files=None,
        revision=None,
        use_auth_token=None,
        **model_kwargs,
    ):
        if not os.path.isdir(model_size_or_path):
            raise AssertionError("the real one would now go to the network")
        if compute_type == "float16" and device == "cpu":
            raise ValueError("Requested float16 compute type, but the target device does not support it.")
        self.folder = Path(model_size_or_path)
        self.script = json.loads((self.folder / "model.bin").read_text(encoding="utf-8"))
        self._note(
            "load",
            device=device,
            compute_type=compute_type,
            cpu_threads=cpu_threads,
            local_files_only=local_files_only,
            offline=os.environ.get("HF_HUB_OFFLINE"),
        )

    def transcribe(
        self,
        audio,
        language=None,
        task="transcribe",
        log_progress=False,
        beam_size=5,
        best_of=5,
        patience=1,
        length_penalty=1,
        repetition_penalty=1,
        no_repeat_ngram_size=0,
        temperature=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        compression_ratio_threshold=2.4,
        log_prob_threshold=-1.0,
        no_speech_threshold=0.6,
        condition_on_previous_text=True,
        prompt_reset_on_temperature=0.5,
        initial_prompt=None,
        prefix=None,
        suppress_blank=True,
        suppress_tokens=(-1,),
        without_timestamps=False,
        max_initial_timestamp=1.0,
        word_timestamps=False,
        prepend_punctuations="\"'“¿([{-",
        append_punctuations="\"'.。,，!！?？:：”)]}、",
        multilingual=False,
        vad_filter=False,
        vad_parameters=None,
        max_new_tokens=None,
        chunk_length=None,
        clip_timestamps="0",
        hallucination_silence_threshold=None,
        hotwords=None,
        language_detection_threshold=0.5,
        language_detection_segments=1,
    ):
        if language is not None and language not in {"en", "zh", "de"}:
            raise ValueError(
                f"'{language}' is not a valid language code (accepted language codes: de, en, zh)"
            )
        self._note(
            "transcribe",
            samples=len(audio),
            dtype=str(audio.dtype),
            language=language,
            beam_size=beam_size,
            temperature=temperature,
            vad_filter=vad_filter,
            condition_on_previous_text=condition_on_previous_text,
            word_timestamps=word_timestamps,
            initial_prompt=initial_prompt,
        )
        heard = next(entry for entry in self.script if entry["samples"] in {None, len(audio)})
        info = TranscriptionInfo(language or heard["language"], 0.99, len(audio) / 16_000)
        return self._segments(heard["segments"], word_timestamps), info

    def _segments(self, segments, word_timestamps):
        for start, end, text, words in segments:
            self._note("segment", text=text)
            timed = [Word(first, last, word, 0.9) for first, last, word in words] if word_timestamps else None
            yield Segment(start, end, text, timed)

    def _note(self, call, **arguments):
        with open(self.folder / "calls.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"call": call, **arguments}) + "\n")
