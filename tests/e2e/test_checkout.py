"""What a clone is like: chatllm.cpp an entry with its commit and an empty folder, and nothing untracked."""

import subprocess
from pathlib import Path

import pytest
from lab import REPOSITORY

COMMIT = "4a4310e165cad9232a347dd299593b8ebaae1ac1"
UPSTREAM = "https://github.com/foldl/chatllm.cpp"


def git(*words: str | Path, folder: Path = REPOSITORY) -> str:
    done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


pytestmark = pytest.mark.skipif(
    not (REPOSITORY / ".git").exists(), reason="an unpacked source archive is no clone, and has no entries"
)


def test_the_entry_is_there_with_the_commit_the_facts_were_taken_from() -> None:
    assert git("ls-tree", "HEAD", "chatllm.cpp") == f"160000 commit {COMMIT}\tchatllm.cpp\n"


def test_the_entry_says_where_to_get_it_and_keeps_quiet_about_a_fork() -> None:
    said = git("config", "--file", REPOSITORY / ".gitmodules", "--get-regexp", r"^submodule\.").splitlines()
    assert said == [
        "submodule.chatllm.cpp.path chatllm.cpp",
        f"submodule.chatllm.cpp.url {UPSTREAM}",
        "submodule.chatllm.cpp.ignore all",
    ]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git("clone", "--quiet", "--no-hardlinks", REPOSITORY, tmp_path / "clone")
    return tmp_path / "clone"


def test_a_plain_clone_has_the_folder_empty_and_is_clean(clone: Path) -> None:
    assert list((clone / "chatllm.cpp").iterdir()) == []
    assert git("status", "--porcelain", folder=clone) == ""


def test_a_checkout_of_the_users_own_is_left_alone(clone: Path) -> None:
    fork = clone / "chatllm.cpp"
    git("init", "--quiet", folder=fork)
    (fork / "CMakeLists.txt").write_text("project(fork)\n")
    git("add", ".", folder=fork)
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    git(*identity, "commit", "--quiet", "-m", "a fork", folder=fork)
    (fork / "bindings").mkdir()
    (fork / "bindings/libchatllm.so").touch()
    assert git("status", "--porcelain", folder=clone) == ""


def test_an_archive_has_the_folder(clone: Path, tmp_path: Path) -> None:
    git("archive", "--output", tmp_path / "all.tar", "HEAD", folder=clone)
    listed = subprocess.run(["tar", "-tf", tmp_path / "all.tar"], capture_output=True, text=True, check=True)
    names = listed.stdout.splitlines()
    assert "chatllm.cpp/" in names
    assert not any(name.startswith("chatllm.cpp/") and name != "chatllm.cpp/" for name in names)


@pytest.mark.parametrize("folder", ["models", "samples", "results"])
def test_each_folder_says_what_belongs_there(folder: str) -> None:
    page = (REPOSITORY / folder / "README.md").read_text(encoding="utf-8")
    assert "| file |" in page
    kept = {"models": "qwen3-asr-0.6b-q4_0.bin", "samples": "jfk.wav", "results": "asr_results.json"}
    assert f"`{kept[folder]}`" in page
