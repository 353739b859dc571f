"""Do what a Dockerfile says without a container engine: every stage in a root file system of its own.

    unshare --mount --propagation private --pid --fork --kill-child
        python docker_stages.py CONTEXT WORK [--base ROOT] [--target STAGE] [--build-arg K=V …] [--runs FILE]

Commands, copies, arguments and variables are taken *from the Dockerfile*, so that this cannot drift from it; an
instruction that is not known here is an error. What stands for what::

    FROM image          ROOT, a directory tree of that system, under a writable overlay of the stage's own
    RUN words           chroot there, /bin/sh -c, with the stage's ENV and ARG; /proc and /dev as in a container
    RUN --mount=cache   the directory is an ordinary one, and kept beside the stages
    COPY                from the build context as .dockerignore leaves it (Docker's own matcher), or from a stage
    docker run          chroot into the last stage as its USER (or another), a folder bound to /workspace

FILE lists runs as JSON, ``[{"workspace": …, "user": "1000:1000" or null, "env": {}, "arguments": []}, …]``; what came
of each is written to WORK/runs.json.

The network is the host's: its resolver, package-manager and pip settings are bound in, as a daemon's proxy
settings would be. Needs root, for mounts in a name space of its own: nothing of the host is changed, and when
the script ends or is killed, its mounts are gone. What the stages write is kept in memory where there is enough of
it: a venv of 600 MB that is made, copied and thrown away is mostly waiting for the disk otherwise.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.utils.build import exclude_paths
from dockerfile_parse import DockerfileParser

HOST_SETTINGS = (
    *("/etc/resolv.conf", "/etc/hosts", "/etc/apt/apt.conf.d", "/etc/pip.conf", "/etc/ssl/certs"),
    *("/usr/local/share/ca-certificates", str(Path.home() / ".config/pip"), str(Path.home() / ".pip")),
    *filter(None, os.environ.get("ORCHESTRATOR_STAGE_SETTINGS", "").split(":")),
)
"""What a stage on a base of its own needs of this machine to reach package sources; more by the variable."""
HOST_VARIABLES = re.compile(
    r"PIP_(?!REQUIRE|NO_CACHE).*|(http|https|no)_proxy|SSL_CERT_FILE|REQUESTS_CA_BUNDLE", re.IGNORECASE
)
IN_MEMORY_FROM_KB = 6 * 1024 * 1024
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class StepError(Exception):
    """A step failed or cannot be done here; the message names its line."""


@dataclass
class Stage:
    """One stage: its root, and what its instructions have said so far."""

    name: str
    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": DEFAULT_PATH})
    args: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


def context_of(repository: Path, target: Path) -> None:
    """Copy what a daemon would be sent of ``repository``: the clean directory tree every COPY reads from."""
    lines = (repository / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    for name in sorted(exclude_paths(str(repository), patterns, "Dockerfile")):
        source = repository / name
        if source.is_dir():
            (target / name).mkdir(parents=True, exist_ok=True)
        else:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def steps_of(dockerfile: Path) -> list[dict[str, object]]:
    """Return the instructions in their order, comments left out."""
    parser = DockerfileParser(path=str(dockerfile))
    return [step for step in parser.structure if step["instruction"] != "COMMENT"]


class Builder:
    """Walks through the instructions; ``stages`` by name and by number."""

    def __init__(self, context: Path, work: Path, base: Path, build_args: Mapping[str, str]) -> None:
        self._context = context
        self._work = work / "stages"
        self._work.mkdir(parents=True)
        if _available_kb() >= IN_MEMORY_FROM_KB:
            _mount("-t", "tmpfs", "-o", "mode=755", "stages", self._work)
        self._base = base
        self._build_args = build_args
        self.stages: dict[str, Stage] = {}
        self._stage: Stage | None = None

    @property
    def stage(self) -> Stage:
        if self._stage is None:
            raise StepError("an instruction before the first FROM is not known here")
        return self._stage

    def build(self, target: str | None = None) -> Stage:
        """Do all instructions, or those up to the end of stage ``target``; return the last stage."""
        for step in steps_of(self._context / "Dockerfile"):
            instruction, value = str(step["instruction"]), str(step["value"])
            if instruction == "FROM" and target is not None and target in self.stages:
                break
            print(f"--- line {int(str(step['startline'])) + 1}: {instruction} {value[:150]}", flush=True)
            do = getattr(self, f"_do_{instruction.lower()}", None)
            if do is None:
                raise StepError(f"instruction {instruction} is not known here")
            do(value)
        return self.stage

    # ---------------------------------------------------------------- instructions

    def _do_from(self, value: str) -> None:
        found = re.fullmatch(r"(\S+)(?:\s+AS\s+(\S+))?", value, re.IGNORECASE)
        if found is None:
            raise StepError(f"FROM {value} is not known here")
        number = len({id(stage) for stage in self.stages.values()})
        stage = Stage(found[2] or str(number), self._root(f"{number}-{found[2] or 'final'}"))
        self.stages[stage.name] = self.stages[str(number)] = stage
        self._stage = stage

    def _do_arg(self, value: str) -> None:
        name, _, default = value.partition("=")
        self.stage.args[name] = self._build_args.get(name, default.strip("\"'"))

    def _do_env(self, value: str) -> None:
        for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|(\S*))', value):
            self.stage.env[name] = quoted or plain

    def _do_workdir(self, value: str) -> None:
        self.stage.workdir = str(Path(self.stage.workdir) / value)
        self._inside(self.stage.workdir).mkdir(parents=True, exist_ok=True)

    def _do_user(self, value: str) -> None:
        self.stage.user = value

    def _do_expose(self, value: str) -> None:
        """Nothing is published: the network is the host's."""

    def _do_entrypoint(self, value: str) -> None:
        self.stage.entrypoint = json.loads(value)

    def _do_cmd(self, value: str) -> None:
        self.stage.command = json.loads(value)

    def _do_copy(self, value: str) -> None:
        words = value.split()
        source_root = self._context
        while words[0].startswith("--"):
            flag, _, named = words.pop(0).partition("=")
            if flag != "--from":
                raise StepError(f"COPY {flag} is not known here")
            source_root = self.stages[named].root
        *sources, target = words
        place = self._inside(str(Path(self.stage.workdir) / target))
        into = target.endswith("/") or len(sources) > 1
        for name in sources:
            source = source_root / name.lstrip("/")
            if source.is_dir():
                shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
            elif source.is_file():
                goal = place / source.name if into else place
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, goal)
            else:
                raise StepError(f"COPY: {name} is not in the build context: see .dockerignore")

    def _do_run(self, value: str) -> None:
        words = value
        while mount := re.match(r"--mount=(\S+)\s+", words):
            options = dict(part.partition("=")[::2] for part in mount[1].split(","))
            if options.get("type") != "cache":
                raise StepError(f"RUN --mount={mount[1]} is not known here")
            self._bind_cache(options["target"])
            words = words[mount.end() :]
        environment = {**_host_environment(), **self.stage.args, **self.stage.env}
        command = enter(self.stage, ["/bin/sh", "-c", words], self.stage.user)
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise StepError(f"RUN ended with exit code {done.returncode}")

    # ---------------------------------------------------------------- file systems

    def _root(self, name: str) -> Path:
        upper, scratch, root = (self._work / name / part for part in ("upper", "scratch", "root"))
        for folder in (upper, scratch, root):
            folder.mkdir(parents=True)
        _mount(
            "-t",
            "overlay",
            "overlay",
            "-o",
            f"lowerdir={self._base},upperdir={upper},workdir={scratch}",
            root,
        )
        for kind in ("proc", "dev"):
            (root / kind).mkdir(exist_ok=True)
        _mount("-t", "proc", "proc", root / "proc")
        _mount("--rbind", "/dev", root / "dev")
        for setting in map(Path, HOST_SETTINGS):
            if setting.exists() and self._base != Path("/"):
                _bind(setting, root / str(setting).lstrip("/"))
        return root

    def _bind_cache(self, target: str) -> None:
        cache = self._work / "cache" / target.lstrip("/").replace("/", "-")
        cache.mkdir(parents=True, exist_ok=True)
        place = self._inside(target)
        place.mkdir(parents=True, exist_ok=True)
        _mount("--bind", cache, place)

    def _inside(self, path: str) -> Path:
        return self.stage.root / path.lstrip("/")


def enter(stage: Stage, words: Sequence[str], user: str) -> list[str]:
    """Return the command that runs ``words`` in a stage's root and working directory."""
    shell = f'cd "{stage.workdir}" && exec "$@"'
    return ["chroot", f"--userspec={user}", str(stage.root), "/bin/sh", "-c", shell, "sh", *words]


def run(stage: Stage, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Do what ``docker run -v WORKSPACE:/workspace`` does; return exit code and output."""
    place = stage.root / "workspace"
    place.mkdir(exist_ok=True)
    _mount("--bind", wanted["workspace"], place)
    words = [*stage.entrypoint, *(wanted["arguments"] or stage.command)]
    done = subprocess.run(
        enter(stage, words, wanted["user"] or stage.user),
        env={**stage.env, **wanted["env"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    subprocess.run(["umount", str(place)], check=True)
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def _host_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if HOST_VARIABLES.fullmatch(name)}


def _available_kb() -> int:
    found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def _bind(source: Path, place: Path) -> None:
    if source.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.touch()
    _mount("--bind", source, place)


def _mount(*words: str | Path) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("context", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--base", type=Path, default=Path("/"))
    parser.add_argument("--build-arg", action="append", default=[])
    parser.add_argument("--target")
    parser.add_argument("--runs", type=Path)
    said = parser.parse_args()
    said.work.mkdir(parents=True, exist_ok=True)
    build_args = dict(text.partition("=")[::2] for text in said.build_arg)
    try:
        stage = Builder(said.context, said.work, said.base, build_args).build(said.target)
    except StepError as error:
        print(f"docker_stages: {error}", file=sys.stderr)
        return 1
    if said.runs is not None:
        results = [run(stage, wanted) for wanted in json.loads(said.runs.read_text())]
        (said.work / "runs.json").write_text(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
