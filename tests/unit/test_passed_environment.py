"""Which variables a worker gets: what decides how libraries work, what is named, nothing that is called a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.model import Model
from orchestrator.pool.pool import Pool
from orchestrator.process.host.passed_environment import ALLOWED, passed_environment, withheld_names
from orchestrator.process.spawn import child_environment, late_environment

NEEDED = """
    HOME PATH LANG LC_ALL LC_CTYPE TZ TMPDIR XDG_CACHE_HOME LD_LIBRARY_PATH LD_PRELOAD MALLOC_ARENA_MAX GLIBC_TUNABLES
    OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS GOMP_SPINCOUNT KMP_BLOCKTIME CUDA_VISIBLE_DEVICES
    NVIDIA_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES HF_HOME HF_HUB_OFFLINE TOKENIZERS_PARALLELISM SSL_CERT_FILE
    REQUESTS_CA_BUNDLE VIRTUAL_ENV CONDA_PREFIX PYTHONHASHSEED PYTHONMALLOC PYTHONUNBUFFERED CHATLLM_LIB
    ORCHESTRATOR_CACHE_DAYS GGML_NO_BACKTRACE CT2_USE_MKL ASAN_OPTIONS
""".split()  # noqa: SIM905
PRIVATE = """
    HF_TOKEN HUGGING_FACE_HUB_TOKEN AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_PROFILE OPENAI_API_KEY GITHUB_TOKEN
    SSH_AUTH_SOCK SSH_AGENT_PID GPG_AGENT_INFO DBUS_SESSION_BUS_ADDRESS DISPLAY XAUTHORITY WAYLAND_DISPLAY DATABASE_URL
    PGPASSWORD KUBECONFIG RAY_AUTH_TOKEN RAY_ADDRESS PIP_INDEX_URL GOOGLE_APPLICATION_CREDENTIALS XDG_RUNTIME_DIR
    ORCHESTRATOR_API_KEY CHATLLM_TOKEN PYTHON_KEYRING_PASSWORD NVIDIA_API_KEY MKL_SECRET LC_AUTH
""".split()  # noqa: SIM905


def test_what_is_needed_is_handed_on_and_what_is_private_is_not() -> None:
    environ = dict.fromkeys([*NEEDED, *PRIVATE], "x")
    assert passed_environment((), environ) == dict.fromkeys(NEEDED, "x")
    assert withheld_names((), environ) == sorted(PRIVATE)


@pytest.mark.parametrize(
    ("named", "more"),
    [
        (["HF_TOKEN"], {"HF_TOKEN"}),
        (["AWS_*"], {"AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"}),
        (["*"], set(PRIVATE)),
        (["NOT_THERE", "aws_profile", "HF_TOK"], set[str]()),
        (["HF_TOKEN", "DISPLA?"], {"HF_TOKEN", "DISPLAY"}),
    ],
)
def test_more_is_handed_on_by_name_or_pattern(named: list[str], more: set[str]) -> None:
    environ = dict.fromkeys([*NEEDED, *PRIVATE], "x")
    assert passed_environment(named, environ).keys() == {*NEEDED, *more}


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_is_handed_on_unless_it_holds_a_password(name: str) -> None:
    assert passed_environment((), {name: "http://proxy:3128"}) == {name: "http://proxy:3128"}
    assert passed_environment((), {name: "http://me:secret@proxy:3128"}) == {}
    assert passed_environment([name], {name: "http://me:secret@proxy:3128"}).keys() == {name}


def test_no_name_of_the_list_is_itself_called_a_secret_but_one() -> None:
    """A pattern that reached for secrets would be cut by name; a plain name is taken as it stands."""
    plain = [name for names in ALLOWED.values() for name in names if "*" not in name]
    assert [name for name in plain if "TOKEN" in name or "KEY" in name or "AUTH" in name] == [
        "TOKENIZERS_PARALLELISM"
    ]


def test_the_page_has_the_list() -> None:
    page = (Path(__file__).parents[2] / "docs/hosts.md").read_text()
    rows = [(purpose, "`" + "`, `".join(names) + "`") for purpose, names in ALLOWED.items()]
    assert [row for row in rows if f"| {row[0]} | {row[1]} |" not in page] == []


def test_what_is_set_comes_on_top_and_python_path_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("MY_OWN", "host")
    assert "PYTHONPATH" not in child_environment({}, ["*"])
    assert late_environment({}) == {"PYTHONPATH": "/somewhere"}
    assert "MY_OWN" not in child_environment({})
    assert child_environment({}, ["MY_*"])["MY_OWN"] == "host"
    assert child_environment({"MY_OWN": "model"}, ["MY_*"])["MY_OWN"] == "model"


@pytest.mark.parametrize(("given", "error"), [("MY_VAR", TypeError), ([1], TypeError)])
def test_what_is_no_list_of_names_is_refused(given: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"pass_env=.*: a list of names of variables"):
        Pool(pass_env=given)


def test_a_model_takes_a_list_of_names() -> None:
    with pytest.raises(ValueError, match=r"pass_env.: a list of names, not one name"):
        Model(name="m", engine="function", pass_env="MY_VAR")
