"""``orchestrator serve`` as OpenAI's own client and curl see it: one server, many questions."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
import webvtt
from lab import PATIENCE_S, Lab, synthetic, wait_until, write_tone
from serving_process import HEARD, Server, models, serving

KEY = "a secret of this test"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    lab = Lab(tmp_path_factory.mktemp("serve"))
    chinese = synthetic(text="我有三十五個內存", tokens=4)
    with serving(
        lab,
        models=models(chinese=chinese),
        aliases={"whisper-large": "asr-small"},
        max_upload="1MiB",
        max_audio_s=20.0,
    ) as running:
        yield running
    wait_until(lambda: not lab.workers(), what="no worker left")


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, timeout=PATIENCE_S, max_retries=0) as one:
        yield one


@pytest.fixture
def tone(server: Server) -> Path:
    return server.lab.folder / "tone.wav"


# ------------------------------------------------------------------ the real client


@pytest.mark.parametrize("model", ["asr-small", "whisper-1", "whisper-large"])
def test_a_transcript(client: openai.OpenAI, tone: Path, model: str) -> None:
    found = client.audio.transcriptions.create(model=model, file=tone)
    assert found.text == HEARD
    assert found.usage is not None
    assert found.usage.type == "duration"
    assert found.usage.seconds == 0.5


def test_words_and_segments_have_times(client: openai.OpenAI, tone: Path) -> None:
    found = client.audio.transcriptions.create(
        model="asr-small",
        file=tone,
        language="en",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert (found.text, found.duration, found.language) == (HEARD, 0.5, "english")
    assert found.words is not None
    assert [word.word for word in found.words] == HEARD.split()
    assert all(0 <= word.start <= word.end <= 0.5 for word in found.words)
    assert found.segments is not None
    assert [(part.id, part.text) for part in found.segments] == [(0, HEARD)]
    assert 0 < found.segments[0].compression_ratio < 1, "a short text grows"
    assert found.segments[0].avg_logprob is None, "what the engine does not tell is not made up"


def test_segments_alone_ask_no_aligner(client: openai.OpenAI, server: Server, tone: Path) -> None:
    before = server.pool()["outcomes"].get("align", {}).get("result", 0)
    found = client.audio.transcriptions.create(model="asr-small", file=tone, response_format="verbose_json")
    assert found.segments
    assert found.words is None
    assert server.pool()["outcomes"].get("align", {}).get("result", 0) == before


def test_text_and_subtitles(client: openai.OpenAI, tone: Path) -> None:
    create = client.audio.transcriptions.create
    assert create(model="asr-small", file=tone, response_format="text").strip() == HEARD
    srt = create(model="asr-small", file=tone, response_format="srt")
    assert srt.splitlines()[0] == "1"
    assert "-->" in srt.splitlines()[1]
    cues = webvtt.from_string(create(model="asr-small", file=tone, response_format="vtt"))
    assert " ".join(cue.text for cue in cues) == HEARD


def test_text_while_it_comes(client: openai.OpenAI, tone: Path) -> None:
    with client.audio.transcriptions.create(model="asr-small", file=tone, stream=True) as stream:
        events = list(stream)
    assert [event.type for event in events[:-1]] == ["transcript.text.delta"] * 3
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == HEARD
    assert "".join(event.delta for event in events[:-1]) == HEARD


def test_chinese_is_sent_when_it_is_written(client: openai.OpenAI, tone: Path) -> None:
    with client.audio.transcriptions.create(model="chinese", file=tone, stream=True) as stream:
        *deltas, done = list(stream)
    assert (
        done.text == client.audio.transcriptions.create(model="chinese", file=tone).text == "我有35個記憶體"
    )
    assert "".join(event.delta for event in deltas) == done.text


def test_models_are_listed(client: openai.OpenAI) -> None:
    listed = [model.id for model in client.models.list()]
    assert listed == ["asr-small", "aligner", "endless", "chinese", "whisper-large"]
    assert client.models.retrieve("aligner").owned_by == "orchestrator"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("aligned")


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_no_model_translates(client: openai.OpenAI, tone: Path) -> None:
    with pytest.raises(openai.BadRequestError, match="no model of this server translates"):
        client.audio.translations.create(model="asr-small", file=tone)


def test_a_model_that_is_not_there_is_named_with_those_that_are(client: openai.OpenAI, tone: Path) -> None:
    with pytest.raises(openai.NotFoundError) as told:
        client.audio.transcriptions.create(model="asr-smal", file=tone)
    assert told.value.code == "model_not_found"
    assert told.value.param == "model"
    assert 'did you mean "asr-small"?' in str(told.value)
    assert told.value.request_id


def test_a_prompt_that_the_model_cannot_take_is_said_to_have_no_effect(
    client: openai.OpenAI, tone: Path
) -> None:
    answer = client.audio.transcriptions.with_raw_response.create(model="asr-small", file=tone, prompt="One.")
    assert answer.parse().text == HEARD
    assert answer.headers["x-orchestrator-ignored"] == "prompt"


# ------------------------------------------------------------------ curl


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl(server: Server, tone: Path) -> None:
    address = f"{server.url}/v1/audio/transcriptions"
    command = [
        "curl",
        "-sS",
        "--fail-with-body",
        address,
        "-F",
        f"file=@{tone}",
        "-H",
        "Expect: 100-continue",
    ]
    done = subprocess.run([*command, "-F", "response_format=text"], capture_output=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout.decode()) == (0, f"{HEARD}\n"), done.stderr
    streamed = subprocess.run([*command, "-N", "-F", "stream=true"], capture_output=True, timeout=PATIENCE_S)
    names = [line for line in streamed.stdout.decode().splitlines() if line.startswith("event: ")]
    assert names == ["event: transcript.text.delta"] * 3 + ["event: transcript.text.done"]
    assert streamed.stdout.endswith(b"\n\ndata: [DONE]\n\n"), "clients without a library wait for it"


# ------------------------------------------------------------------ ours


def test_a_text_is_aligned(server: Server, tone: Path) -> None:
    with open(tone, "rb") as recording:
        found = httpx.post(
            f"{server.url}/v1/align",
            files={"file": recording},
            data={"text": "to be\n or"},
            timeout=PATIENCE_S,
        ).json()
    assert [word["word"] for word in found["words"]] == ["to", "be", "or"]
    assert (found["duration"], found["text"], found["skipped"]) == (0.5, "to be or", [])


def test_the_pool_is_shown_and_measured(server: Server, tone: Path) -> None:
    assert server.transcribe().status_code == 200
    seen = server.pool()
    assert seen["title"] == "orchestrator serve"
    assert seen["pid"] == server.process.pid
    assert any(slot["worker"] and slot["worker"]["model"] == "asr-small" for slot in seen["slots"])
    answer = httpx.get(f"{server.url}/metrics", timeout=PATIENCE_S)
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'orchestrator_jobs_total{outcome="result",task="asr"}' in answer.text
    done = server.lab.run("top", "--url", server.url, "--once", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["pid"] == server.process.pid


def test_health(server: Server) -> None:
    for path in ("/health/live", "/health/ready", "/health"):
        assert httpx.get(f"{server.url}{path}", timeout=PATIENCE_S).status_code == 200


# ------------------------------------------------------------------ what is refused


FILE = ("talk.wav", b"not audio at all, but some text\n" * 40)
REFUSED = {
    "no recording": ({}, {}, 400, "missing_file", "file"),
    "an empty recording": ({"file": ("a.wav", b"")}, {}, 400, "invalid_audio", "file"),
    "a text": ({"file": FILE}, {}, 400, "invalid_audio", "file"),
    "two recordings": ([("file", FILE), ("file", FILE)], {}, 400, "invalid_form", "file"),
    "another file": ({"audio": FILE}, {}, 400, "invalid_form", None),
    "a strange format": ({"file": FILE}, {"response_format": "xml"}, 400, "invalid_value", "response_format"),
    "a strange stream": ({"file": FILE}, {"stream": "maybe"}, 400, "invalid_value", "stream"),
    "streamed subtitles": (
        {"file": FILE},
        {"stream": "true", "response_format": "srt"},
        400,
        "invalid_value",
        "stream",
    ),
    "words without a place": (
        {"file": FILE},
        {"timestamp_granularities[]": "word"},
        400,
        "invalid_value",
        "timestamp_granularities[]",
    ),
    "a path as language": ({"file": FILE}, {"language": "../../etc"}, 400, "invalid_language", "language"),
    "a path as model": ({"file": FILE}, {"model": "/etc/passwd"}, 404, "model_not_found", "model"),
    "a hot temperature": ({"file": FILE}, {"temperature": "nan"}, 400, "invalid_value", "temperature"),
    "a long prompt": ({"file": FILE}, {"prompt": "a" * 5000}, 400, "invalid_value", "prompt"),
    "a large recording": ({"file": ("a.wav", bytes(3 << 20))}, {}, 413, "request_too_large", "file"),
    "large fields": ({"file": FILE}, {"prompt": "a" * (1 << 20) + "a"}, 413, "request_too_large", None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_says_why_in_the_shape_of_openai(server: Server, case: str) -> None:
    files, fields, status, code, param = REFUSED[case]
    answer = httpx.post(
        f"{server.url}/v1/audio/transcriptions",
        files=files or {"nothing": (None, "x")},
        data=fields,
        timeout=PATIENCE_S,
    )
    told = answer.json()["error"]
    assert (answer.status_code, told["code"], told["param"]) == (status, code, param), told
    assert told["type"] == "invalid_request_error"
    assert told["message"]
    assert str(server.lab.folder.parent) not in answer.text
    assert "serving" not in answer.text, "no place of ours is told"
    assert answer.headers["x-request-id"]


def test_a_recording_that_is_too_long_is_413_before_it_is_converted(server: Server, tmp_path: Path) -> None:
    write_tone(tmp_path / "plain.wav", seconds=21)
    write_tone(tmp_path / "other.wav", seconds=21, rate_hz=8000)
    for name in ("plain.wav", "other.wav"):
        answer = server.transcribe(tmp_path / name)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
        assert "20 s" in answer.json()["error"]["message"]
    write_tone(tmp_path / "fits.wav", seconds=19, rate_hz=8000)
    assert server.transcribe(tmp_path / "fits.wav").status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"", 400),
        ("multipart/form-data; boundary=x", b"--y\r\n", 400),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\ncontent-disposition: form-data; name="file"\r\n\r\nabc',
            400,
        ),
        ("multipart/form-data; boundary=x", b"--x\r\nno: name\r\n\r\nabc\r\n--x--\r\n", 400),
    ],
)
def test_what_is_no_form_is_refused(server: Server, content_type: str, body: bytes, status: int) -> None:
    answer = httpx.post(
        f"{server.url}/v1/audio/transcriptions",
        content=body,
        headers={"content-type": content_type},
        timeout=PATIENCE_S,
    )
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/v1/none", "GET", 404), ("/v1/models", "POST", 405), ("//", "GET", 404)]
)
def test_other_addresses(server: Server, path: str, method: str, status: int) -> None:
    answer = httpx.request(method, f"{server.url}{path}", timeout=PATIENCE_S)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "evil.example"}, 421),
        ({"host": "localhost:8000", "origin": "http://localhost:8000"}, 200),
        ({"host": "[::1]"}, 200),
    ],
)
def test_web_pages_of_others_may_not_ask(server: Server, headers: dict[str, str], status: int) -> None:
    answer = httpx.get(f"{server.url}/v1/models", headers=headers, timeout=PATIENCE_S)
    assert answer.status_code == status, answer.text


def test_a_request_is_in_the_log_under_its_id_and_nothing_of_its_content(server: Server, tone: Path) -> None:
    with open(tone, "rb") as recording:
        answer = httpx.post(
            f"{server.url}/v1/audio/transcriptions",
            files={"file": ("my-secret-name.wav", recording)},
            headers={"x-request-id": "mine-1", "authorization": f"Bearer {KEY}"},
            timeout=PATIENCE_S,
        )
    assert answer.headers["x-request-id"] == "mine-1"
    line = server.wait_for("request", request_id="mine-1")
    assert (line["status"], line["model"], line["audio_s"]) == (200, "asr-small", 0.5)
    whole = (server.lab.folder / "err.txt").read_text()
    assert "my-secret-name" not in whole
    assert KEY not in whole
    assert HEARD not in whole


def test_nothing_of_a_recording_stays_on_disk(server: Server) -> None:
    assert server.transcribe().status_code == 200
    cache = server.lab.folder.with_name(f"{server.lab.folder.name}-cache")

    def empty() -> bool:
        try:
            return not any(path.is_file() for path in cache.rglob("*"))
        except FileNotFoundError:  # a folder that goes while it is looked at
            return False

    assert cache.is_dir()
    wait_until(empty, what="no file of a request that was answered")
