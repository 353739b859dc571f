"""How ``orchestrator serve`` begins and ends: keys and addresses, signals, another configuration, systemd."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from lab import PATIENCE_S, Lab, synthetic, wait_until
from serving_process import HEARD, Server, ends_with_us, models, serving, start
from test_serve_load import left_open

from short_paths import new_short_folder

KEY = "a key of this test"
ENVIRONMENT = {"ORCHESTRATOR_API_KEY": KEY}


# ------------------------------------------------------------------ who may ask


def test_with_a_key_only_who_has_it_may_ask(lab: Lab) -> None:
    with serving(lab, "--host", "0.0.0.0", env=ENVIRONMENT) as server:
        address = f"http://127.0.0.1:{server.port}"

        def status(path: str, **headers: str) -> int:
            return httpx.get(f"{address}{path}", headers=headers, timeout=PATIENCE_S).status_code

        for path in ("/v1/models", "/v1/pool", "/metrics"):
            assert status(path) == 401
            assert status(path, authorization="Bearer wrong") == 401
            assert status(path, authorization=f"Basic {KEY}") == 401
            assert status(path, authorization=f"Bearer {KEY}", host="any.example") == 200
        assert status("/health/live") == 200
        answer = httpx.post(f"{address}/v1/audio/transcriptions", content=b"x", timeout=PATIENCE_S)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"
        top = ("top", "--url", address, "--once", "--json")
        assert json.loads(lab.run(*top, env=ENVIRONMENT).out)["title"] == "orchestrator serve"
        refused = lab.run(*top)
        assert refused.code == 2
        assert "ORCHESTRATOR_API_KEY" in refused.err


def test_another_address_needs_a_key_or_a_word(lab: Lab) -> None:
    lab.write(models=models())
    refused = lab.run("serve", "--host", "0.0.0.0", "--port", "0")
    assert refused.code == 2
    assert "ORCHESTRATOR_API_KEY" in refused.err
    assert "--insecure" in refused.err
    with serving(lab, "--host", "0.0.0.0", "--insecure") as server:
        headers = {"host": "any.example", "origin": "http://other.example"}
        answer = httpx.get(f"http://127.0.0.1:{server.port}/v1/models", headers=headers, timeout=PATIENCE_S)
        assert answer.status_code == 200
        assert server.wait_for("insecure")["level"] == "warning"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"keep_warm": ["none"]}, "$.serve.keep_warm[0]"),
        ({"model": "asr-smal"}, 'did you mean "asr-small"?'),
        ({"keys": {"live": {"variable": "NOT_SET_AT_ALL"}}}, "NOT_SET_AT_ALL is not set"),
        ({"max_queu": 3}, 'did you mean "max_queue"?'),
        ({"max_upload": "lots"}, "$.serve.max_upload"),
    ],
)
def test_a_wrong_configuration_is_told_and_nothing_is_served(
    lab: Lab, table: dict[str, object], said: str
) -> None:
    lab.write(models=models(), serve=table)
    done = lab.run("serve", "--port", "0")
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err


def test_an_address_in_use_is_one_sentence(lab: Lab) -> None:
    lab.write(models=models())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = lab.run("serve", "--port", str(taken.getsockname()[1]))
    assert done.code == 2
    assert "cannot listen on 127.0.0.1" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "python_multipart"])
def test_without_the_extra_the_command_names_it(lab: Lab, missing: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None; from orchestrator.cli import main; "
        "sys.argv = ['orchestrator', 'serve']; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=lab.folder, capture_output=True, text=True)
    assert done.returncode == 3
    assert "pip install 'orchestrator[serve]'" in done.stderr
    assert missing.replace("_", "-") in done.stderr
    assert "Traceback" not in done.stderr


# ------------------------------------------------------------------ the end


def test_what_is_under_way_finishes_and_nothing_new_is_taken(lab: Lab) -> None:
    """Another request is there until everything was looked at, so that however slow the machine the server is, too."""
    slow = synthetic(text=HEARD, job_ms=1500)
    more = {"workers": 2, "grace_s": PATIENCE_S}
    with serving(lab, models=models(slow=slow), table=more) as server, ThreadPoolExecutor(1) as threads:
        with left_open(server):
            server.until(lambda seen: seen["running"] == 1, "one works")
            under_way = threads.submit(server.transcribe, model="slow")
            server.until(lambda seen: seen["running"] == 2 or under_way.done(), "both work")
            server.signal(signal.SIGTERM)
            server.wait_for("stopping")
            assert httpx.get(f"{server.url}/health/ready", timeout=PATIENCE_S).status_code == 503
            assert httpx.get(f"{server.url}/health/live", timeout=PATIENCE_S).status_code == 200
            refused = server.transcribe()
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_stopping")
            assert under_way.result().json()["text"] == HEARD
        assert server.process.wait(PATIENCE_S) == 0
        assert server.wait_for("stopped")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_kills(lab: Lab, number: signal.Signals) -> None:
    with serving(lab, models=models()) as server, left_open(server):
        server.until(lambda seen: seen["running"] == 1, "it works")
        server.signal(number)
        server.wait_for("stopping")
        server.signal(number)
        assert server.process.wait(PATIENCE_S) == 130
        assert server.wait_for("killed")
    assert lab.workers() == []


def test_after_the_time_of_grace_requests_are_given_up(lab: Lab) -> None:
    with serving(lab, models=models(), grace_s=0.3) as server, ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(server.transcribe, model="endless")
        server.until(lambda seen: seen["running"] == 1, "it works")
        server.signal(signal.SIGTERM)
        answer = under_way.result()
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "server_stopping")
        assert server.process.wait(PATIENCE_S) == 0


def test_a_log_that_nobody_reads_ends_no_request(lab: Lab) -> None:
    lab.write(models=models(), serve={"workers": 1})
    read, write = os.pipe()
    command = ends_with_us(lab.command("serve", "--port", "0", "--log-format", "json"))
    process = subprocess.Popen(command, cwd=lab.folder, env=lab.environment(), stderr=write)
    os.close(write)
    try:
        with open(read, "rb") as log:
            first = json.loads(log.readline())
        assert first["event"] == "listening"
        with open(lab.folder / "tone.wav", "rb") as recording:
            address = f"{first['address']}/v1/audio/transcriptions"
            answer = httpx.post(address, files={"file": recording}, timeout=PATIENCE_S)
        assert answer.json()["text"] == HEARD
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0, "it was stopped, and stopped well"


# ------------------------------------------------------------------ another configuration


def rewrite(server: Server, text: str, **serve: object) -> None:
    """Write the file anew and have it read."""
    new = server.lab.file.with_suffix(".new")
    before = server.lab.file
    server.lab.file = new
    server.lab.write(models=models(**{"asr-small": synthetic(text=text)}), serve={"workers": 1, **serve})
    server.lab.file = before
    new.replace(before)
    server.signal(signal.SIGHUP)


def test_a_reload_takes_the_new_models_and_loses_no_request(lab: Lab) -> None:
    with serving(lab, models=models(**{"asr-small": synthetic(text="before")})) as server:
        heard: list[tuple[int, str]] = []
        enough = threading.Event()

        def ask() -> None:
            while not enough.is_set():
                answer = server.transcribe()
                heard.append((answer.status_code, answer.json().get("text", answer.text)))

        with ThreadPoolExecutor(3) as threads:
            asking = [threads.submit(ask) for _ in range(3)]
            try:
                wait_until(lambda: heard, what="an answer")
                rewrite(server, "after")
                server.wait_for("reload", pool="replaced")
                wait_until(
                    lambda: "after" in {text for _, text in list(heard)}, what="an answer of the new one"
                )
            finally:
                enough.set()
            for each in asking:
                each.result()
        assert {status for status, _ in heard} == {200}
        assert {text for _, text in heard} == {"before", "after"}
        assert heard[-1][1] == "after"


def test_a_reload_of_limits_keeps_the_pool(lab: Lab) -> None:
    with serving(lab, models=models(**{"asr-small": synthetic(text="same")})) as server:
        server.transcribe()
        before = server.pool()
        rewrite(server, "same", max_upload=1000)
        server.wait_for("reload", pool="kept")
        assert server.transcribe().status_code == 413
        assert server.pool()["slots"][0]["worker"]["pid"] == before["slots"][0]["worker"]["pid"]


def test_a_file_that_cannot_be_used_changes_nothing(lab: Lab) -> None:
    with serving(lab, models=models()) as server:
        lab.file.write_text("schema = 1\n[serve]\nkeep_warm = 3\n")
        server.signal(signal.SIGHUP)
        told = server.wait_for("reload", level="error")
        assert "$.serve.keep_warm" in told["message"]
        assert server.transcribe().json()["text"] == HEARD


def test_a_file_without_its_keys_changes_nothing_where_others_can_ask(lab: Lab) -> None:
    """A Host header can say anything: an address that is open to others stays shut without a key."""
    keys = {"one": {"variable": "KEY_OF_ONE"}}
    flags = ("--host", "0.0.0.0")
    with serving(lab, *flags, models=models(), keys=keys, env={"KEY_OF_ONE": "one\n"}) as server:
        rewrite(server, "other")
        told = server.wait_for("reload", level="error")
        assert "there is no key" in told["message"]
        address = f"http://127.0.0.1:{server.port}/v1/models"
        for more, status in (({}, 401), ({"host": "localhost"}, 401), ({"authorization": "Bearer one"}, 200)):
            answer = httpx.get(address, headers=more, timeout=PATIENCE_S)
            assert answer.status_code == status, "its line end is none of the key's"


def test_without_keys_a_server_on_loopback_refuses_strangers_again(lab: Lab) -> None:
    keys = {"one": {"variable": "KEY_OF_ONE"}}
    with serving(lab, models=models(), keys=keys, env={"KEY_OF_ONE": "one"}) as server:
        address = f"{server.url}/v1/models"
        key = {"authorization": "Bearer one", "host": "any.example"}
        assert httpx.get(address, headers=key, timeout=PATIENCE_S).status_code == 200
        rewrite(server, HEARD)
        server.wait_for("reload", level="info")
        assert httpx.get(address, headers=key, timeout=PATIENCE_S).status_code == 421
        assert httpx.get(address, timeout=PATIENCE_S).status_code == 200


# ------------------------------------------------------------------ systemd


def test_systemd_hears_of_everything(lab: Lab) -> None:
    with new_short_folder() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(folder / "notify"))
        heard.settimeout(PATIENCE_S)
        environment = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "3000000"}

        def until(message: str) -> None:
            told: list[str] = []
            while not any(message in one for one in told):
                try:
                    told.append(heard.recv(4096).decode())
                except TimeoutError:
                    pytest.fail(f"systemd did not hear {message!r}, but {told}")

        with serving(lab, models=models(), env=environment) as server:
            until("READY=1")
            until("WATCHDOG=1")
            server.signal(signal.SIGHUP)
            until("RELOADING=1\nMONOTONIC_USEC=")
            until("READY=1")
            server.signal(signal.SIGTERM)
            until("STOPPING=1")
            assert server.process.wait(PATIENCE_S) == 0


def test_a_log_for_people_is_one_line_a_request(lab: Lab) -> None:
    lab.write(models=models(), serve={"workers": 1})
    with open(lab.folder / "text.txt", "wb") as log:
        process = subprocess.Popen(
            ends_with_us(lab.command("serve", "--port", "0")),
            cwd=lab.folder,
            env=lab.environment(),
            stderr=log,
        )
    try:
        file = Path(lab.folder / "text.txt")
        wait_until(lambda: "info ready" in file.read_text() or process.poll() is not None, what="it is ready")
        assert process.poll() is None, file.read_text()
        address = file.read_text().split("address=")[1].split()[0]
        httpx.get(f"{address}/v1/mo%0adels%1b", timeout=PATIENCE_S)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
    lines = [line for line in file.read_text().splitlines() if " info request " in line]
    assert len(lines) == 1
    assert "status=404" in lines[0]
    assert "\\n" in lines[0]
    assert "\x1b" not in lines[0]


def test_it_begins_only_once_its_file_is_read(lab: Lab) -> None:
    lab.file.write_text("schema = 1\n")
    process = start(lab)
    assert process.wait(PATIENCE_S) == 2
    assert "there is no profile" in (lab.folder / "err.txt").read_text()


def test_a_server_ends_with_the_test_that_started_it() -> None:
    """What every test here relies on: of a killed run nothing stays."""
    program = (
        "import subprocess, sys; from serving_process import ends_with_us; "
        "sleeper = [sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(3600)']; "
        "child = subprocess.Popen(ends_with_us(sleeper), stdout=subprocess.PIPE); child.stdout.readline(); "
        "print(child.pid, flush=True); child.wait()"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()

    def gone() -> bool:
        try:
            return child.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    wait_until(gone, what="it is gone")
