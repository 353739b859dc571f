"""The process that decodes: what a hostile recording can make of it, how its death is told, and that nothing is left.

libsndfile's place is taken by code that does what the recording says: as if a file had taken it over.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from hostile_attempts import ATTEMPTS
from left_over import spare_decoder

from orchestrator.audio import prepare
from orchestrator.audio.decoder import client, helper, job
from orchestrator.audio.pcm_file import pcm_header
from orchestrator.errors import AudioError, NotDecodedError
from orchestrator_worker.sandbox.kernel import why_not

pytestmark = pytest.mark.usefixtures("nothing_left")
confined = pytest.mark.skipif(bool(why_not("strict")), reason=f"the sandbox {why_not('strict')}")
PATIENCE_S = 60.0
MARK = b"\0\1hostile\0"
TAKEN_OVER = f"""
import gc, os, sys
import numpy as np

class LibsndfileError(RuntimeError):
    error_string = "no"

def write(file, *_, **__):
    file.write(bytes(100))

class SoundFile:
    format, subtype, samplerate, channels, frames = "X", "Y", 16_000, 1, 100

    def __init__(self, file, closefd=True):
        self.file, self.left = file, 100
        if isinstance(file, int) and (content := os.pread(file, 1 << 16, 0)).startswith({MARK!r}):
            names = {{"recording": file, "said": ""}}
            exec(content[{len(MARK)}:].decode(), names)
            raise Exception(names["said"])

    def read(self, count, **_):
        count, self.left = min(count, self.left), self.left - min(count, self.left)
        return np.zeros((count, 1), dtype=np.float32)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if isinstance(self.file, int):
            os.close(self.file)
"""
TALK = """
from orchestrator.audio.decoder import child, messages
talk = next(each for each in gc.get_objects() if isinstance(each, child._Talk))
"""


@pytest.fixture(scope="module")
def taken_over(tmp_path_factory: pytest.TempPathFactory) -> Iterator[helper.Helper]:
    """A decoder process whose libsndfile does what a recording says."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "soundfile.py").write_text(TAKEN_OVER)
    helper.drop()
    sys.path.insert(0, str(folder))
    try:
        yield helper.helper()
    finally:
        sys.path.remove(str(folder))
        helper.drop()


def recording(path: Path, code: str) -> Path:
    path.write_bytes(MARK + b"import gc, os\n" + code.encode())
    return path


def problem_of(path: Path) -> AudioError:
    with pytest.raises(AudioError) as caught:
        prepare(path, path.parent / "cache")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(path.parent.glob("cache/*")) == []
    return caught.value


def wait_until_gone(process: psutil.Process) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, f"{process} lives"
            time.sleep(0.01)


def waiting_child(decoder: helper.Helper) -> psutil.Process:
    """Return the child for the next recording, once the decoder process has come so far."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := spare_decoder(decoder.pid)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


# ---------------------------------------------------------------------- what a recording cannot reach

TRIED = """
try:
    {attempt}
    said = "it could"
except OSError as error:
    said = "refused: " + error.strerror
except ValueError as error:
    said = "refused: " + str(error)
"""


@confined
@pytest.mark.parametrize("what", ATTEMPTS)
def test_a_recording_that_took_the_decoder_over_reaches_nothing(
    tmp_path: Path, taken_over: helper.Helper, what: str
) -> None:
    (tmp_path / "secret").write_text("secret")
    attempt = ATTEMPTS[what].format(folder=tmp_path, host=os.getpid())
    error = problem_of(recording(tmp_path / "a.flac", TRIED.format(attempt=attempt)))
    assert "refused: " in error.problem
    assert (tmp_path / "secret").read_text() == "secret"
    assert sorted(each.name for each in tmp_path.iterdir() if each.name != "cache") == ["a.flac", "secret"]
    assert helper.helper() is taken_over


def test_it_has_no_descriptor_and_no_variable_but_its_own(
    tmp_path: Path, taken_over: helper.Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    code = """
def there(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
said = f"{[number for number in range(64) if there(number)]} {'SECRET' in os.environ}"
"""
    problem = problem_of(recording(tmp_path / "a.flac", code)).problem
    numbers, _, secret = problem.partition("[")[2].partition("]")
    assert len(numbers.split(",")) == 3 + 4  # the null device, recording and its copy, answers, output
    assert secret.strip() == "False"


OTHERS = """
reached = []
for number in range(os.getpid() + 1, os.getpid() + 4096):
    try:
        os.kill(number, 0)
        reached.append(number)
    except OSError:
        pass
said = f"reached {reached}"
"""


@confined
def test_the_child_that_waits_for_the_next_recording_is_out_of_reach(
    tmp_path: Path, taken_over: helper.Helper
) -> None:
    """It is forked when this one has its recording, so its number is a little higher."""
    assert "reached []" in problem_of(recording(tmp_path / "a.flac", OTHERS)).problem


@confined
def test_a_child_is_confined_before_its_recording_is_there(taken_over: helper.Helper) -> None:
    def seen() -> set[str]:
        there = waiting_child(taken_over)
        return set(Path(f"/proc/{there.pid}/status").read_text().splitlines())

    deadline = time.monotonic() + PATIENCE_S
    while not seen() >= {"NoNewPrivs:\t1", "Seccomp:\t2"}:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_each_recording_has_a_child_of_its_own(tmp_path: Path, taken_over: helper.Helper) -> None:
    code = (
        "os.environ['SEEN'] = os.environ.get('SEEN', '') + '+'\nsaid = os.environ['SEEN'] + str(os.getpid())"
    )
    expected, found = [], []
    for name in ("a.flac", "b.flac", "c.flac"):
        there = waiting_child(taken_over)
        expected.append(f"+{there.pid}")
        found.append(problem_of(recording(tmp_path / name, code)).problem.rpartition(" ")[2])
        wait_until_gone(there)
    assert found == expected
    assert len(set(found)) == 3


# ---------------------------------------------------------------------- how it ends

ENDS = {
    "ctypes = __import__('ctypes'); ctypes.string_at(0)": "libsndfile crashed on it (SIGSEGV)",
    "os.abort()": "libsndfile crashed on it (SIGABRT)",
    "os._exit(3)": "libsndfile ended without an answer (exit code 3)",
    "raise KeyboardInterrupt": "libsndfile ended without an answer (exit code 1)",
    "raise IndexError('deep')": "could not be decoded: IndexError: deep",
}


@pytest.mark.parametrize("code", ENDS)
def test_a_death_of_the_decoder_is_told_of_its_recording(
    tmp_path: Path, taken_over: helper.Helper, code: str
) -> None:
    error = problem_of(recording(tmp_path / "a.flac", code))
    assert ENDS[code] in error.problem
    assert not isinstance(error, NotDecodedError)
    assert helper.helper() is taken_over


def test_a_kill_by_the_system_is_not_the_recordings_fault(tmp_path: Path, taken_over: helper.Helper) -> None:
    error = problem_of(recording(tmp_path / "a.flac", "os.kill(os.getpid(), 9)"))
    assert isinstance(error, NotDecodedError)
    assert error.shortage == "system"


@pytest.mark.parametrize("code", ["while True: pass", "import time\nwhile True: time.sleep(1)"])
def test_one_that_never_ends_is_ended(
    tmp_path: Path, taken_over: helper.Helper, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(job, "QUIET_S", 0.5)
    assert "gave no sign of life for 0.5 s" in problem_of(recording(tmp_path / "a.flac", code)).problem


def test_one_that_pretends_to_work_is_ended(
    tmp_path: Path, taken_over: helper.Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LONGEST_WORK_S", 1.0)
    code = f"import time\n{TALK}\nwhile True: talk.say(messages.Alive()); time.sleep(0.3)"
    assert "was not done within 1 s" in problem_of(recording(tmp_path / "a.flac", code)).problem


def test_one_that_takes_all_memory_meets_its_bound(
    tmp_path: Path, taken_over: helper.Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MEMORY_BYTES", 1 << 28)
    code = "kept = []\nwhile True: kept.append(bytearray(1 << 24))"
    assert "memory" in problem_of(recording(tmp_path / "a.flac", code)).problem


def test_one_that_writes_without_end_meets_its_bound(
    tmp_path: Path, taken_over: helper.Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LONGEST_S", 1.0)
    code = "while True: os.write(out, bytes(1 << 16))"
    find = """
import stat
def writable(number):
    try:
        return stat.S_ISREG(os.fstat(number).st_mode) and os.write(number, b"") == 0
    except OSError:
        return False
out = next(number for number in range(3, 64) if writable(number))
"""
    error = problem_of(recording(tmp_path / "a.flac", find + code))
    assert "File too large" in error.problem
    assert not isinstance(error, NotDecodedError)


# ---------------------------------------------------------------------- what it answers

FORGED = {
    "no message": "talk._channel.send(b'\\xc1')",
    "deep": "talk._channel.send(b'\\x91' * 9000)",
    "longer than any": "talk._channel.send(b'x' * 100_000)",
    "another message": "talk._channel.send(b'\\x81\\xa4type\\xa3foo')",
    "endless sound": "talk.say(messages.Converted(1 << 49, ''))",
    "a negative length": "talk._channel.send(b'\\x83\\xa4type\\xa9Converted\\xa7samples\\xff\\xaaconversion\\xa0')",
    "sound that is not there": "talk.say(messages.Converted(100, 'x'))",
    "in place, beyond the end": "talk.say(messages.InPlace(44, 1 << 40))",
    "in place, before its beginning": "talk.say(messages.InPlace(1 << 40, 1))",
    "a header nobody asked for": "talk.say(messages.Header(1, 1))",
    "another output": "talk.say(messages.NeedsOutput())",
    "a hundred signs of life": "[talk.say(messages.Alive()) for _ in range(1000)]",
    "two answers": "[talk.say(messages.Problem('recording', 'x')) for _ in range(2)]",
    "a full disk": "talk.say(messages.Problem('output', number=28))",
    "an unknown number": "talk.say(messages.Problem('output', number=4000))",
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_answer_costs_its_own_recording(
    tmp_path: Path, taken_over: helper.Helper, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(client, "LONGEST_S", 10.0)
    error = problem_of(recording(tmp_path / "a.flac", f"{TALK}\n{FORGED[what]}\nos._exit(0)"))
    assert not isinstance(error, NotDecodedError)
    assert helper.helper() is taken_over


def test_the_header_of_what_it_wrote_is_ours(tmp_path: Path, taken_over: helper.Helper) -> None:
    code = f"""
{TALK}
import stat
for number in range(3, 64):
    try:
        if stat.S_ISREG(os.fstat(number).st_mode):
            os.pwrite(number, b"RIFF" + b"evil" * 44, 0)
    except OSError:
        pass
talk.say(messages.Converted(50, "converted"))
os._exit(0)
"""
    made = prepare(recording(tmp_path / "a.flac", code), tmp_path / "cache")
    content = Path(made.audio.path).read_bytes()
    assert content[:80] == pcm_header(50)
    assert len(content) == 180


# ---------------------------------------------------------------------- that it ends


def test_leaving_early_ends_the_child_alone(tmp_path: Path, taken_over: helper.Helper) -> None:
    first = waiting_child(taken_over)

    def check() -> None:
        if len(psutil.Process(taken_over.pid).children()) > 1:  # another one waits for another recording
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(
            recording(tmp_path / "a.flac", "import time\ntime.sleep(1000)"), tmp_path / "cache", check=check
        )
    wait_until_gone(first)
    assert psutil.Process(taken_over.pid).children() == [spare_decoder(taken_over.pid)]
    assert helper.helper() is taken_over


HOST = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from orchestrator.audio import prepare
from orchestrator.audio.decoder.helper import helper
print(helper().pid, flush=True)
prepare(sys.argv[1], Path(sys.argv[2]))
"""
DEAF = """
import fcntl, signal, time
for number in range(signal.NSIG):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
try:
    __import__("ctypes").CDLL(None).prctl(1, 0)
except OSError:
    pass
while True: time.sleep(1)
"""


@pytest.mark.parametrize("way", ["kill", "end of the helper"])
def test_nothing_outlives_a_killed_host(tmp_path: Path, way: str) -> None:
    """Not even a child that was taken over and wants to."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "soundfile.py").write_text(TAKEN_OVER)
    path = recording(tmp_path / "a.flac", DEAF)
    command = [sys.executable, "-c", HOST, str(path), str(tmp_path / "cache"), str(tmp_path / "modules")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
        try:
            assert host.stdout is not None
            decoder = psutil.Process(int(host.stdout.readline()))
            deadline = time.monotonic() + PATIENCE_S
            while len(children := decoder.children()) < 2:  # one more waits for the next recording
                assert time.monotonic() < deadline
                time.sleep(0.01)
            if way == "end of the helper":
                decoder.kill()
        finally:
            host.kill()
    for process in (decoder, *children):
        wait_until_gone(process)
