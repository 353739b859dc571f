"""The usual speech service, as tutorials have it: FastAPI, and the model in the process of the server.

    uvicorn --app-dir benchmarks usual_service:app

What ``bench_serve.py`` compares ``orchestrator serve`` with.
"""

import io
from typing import Annotated

import numpy as np
import soundfile
import soxr
from fastapi import FastAPI, UploadFile
from moonshine_voice import ModelArch, get_model_path
from moonshine_voice.transcriber import Transcriber

app = FastAPI()
model = Transcriber(str(get_model_path("tiny-en")), ModelArch.TINY)


@app.post("/v1/audio/transcriptions")
def transcribe(file: Annotated[UploadFile, "the recording"]) -> dict[str, str]:
    """Return the text of a recording."""
    samples, rate_hz = soundfile.read(io.BytesIO(file.file.read()), dtype="float32", always_2d=True)
    mono = soxr.resample(samples.mean(axis=1), rate_hz, 16_000)
    found = model.transcribe_without_streaming(np.asarray(mono, dtype=np.float32).tolist(), 16_000)
    return {"text": " ".join(line.text for line in found.lines)}
