"""The example of docs/chatllm.md, run as it stands there in a user's folder."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from chatllm_bench import Bench

from doubles import write_audio

pytestmark = pytest.mark.usefixtures("nothing_left")
PAGE = Path(__file__).parents[2] / "docs/chatllm.md"


def test_the_example_runs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    monkeypatch.chdir(bench.checkout.folder)
    monkeypatch.delenv("CHATLLM_LIB", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(bench.folder / "cache"))
    for name, value in bench.env.items():
        monkeypatch.setenv(name, value)
    write_audio(Path("talk.mp3"), 2.0)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, str(PAGE), "exec"), {})
    assert printed.getvalue().startswith("English [] 1\n00:00:00,000 --> 00:00:00,500\nOne\n")
