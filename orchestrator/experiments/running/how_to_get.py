"""The commands that get what is missing, as they are shown to people.

Relative to the folder of experiments.toml, in which a checkout has ``chatllm.cpp/`` and ``models/``.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from orchestrator.config.model import BoundModel
from orchestrator_worker.engines.chatllm.sources import how_to_get

FILL_SUBMODULE = "git submodule update --init --recursive chatllm.cpp"
FILL_ANY_FOLDER = "git clone --recursive https://github.com/foldl/chatllm.cpp"
BUILD_CHECKOUT = (
    "cmake -S chatllm.cpp -B chatllm.cpp/build && cmake --build chatllm.cpp/build --target libchatllm -j"
)


def build_library(folder: Path) -> str:
    """Return the commands that fill ``chatllm.cpp/`` in ``folder``, where it is empty, and build the library there.

    A clone of this repository has it as a submodule; a folder that ``orchestrator init`` made has not.
    """
    if (folder / "chatllm.cpp" / "CMakeLists.txt").is_file():
        return in_folder(folder, BUILD_CHECKOUT)
    submodule = (folder / ".gitmodules").is_file() and (folder / ".git").exists()
    return in_folder(folder, f"{FILL_SUBMODULE if submodule else FILL_ANY_FOLDER} && {BUILD_CHECKOUT}")


def in_folder(folder: Path, command: str) -> str:
    """Return the command as it is typed in the working directory when it must be run in ``folder``."""
    return command if folder.absolute() == Path.cwd() else f"cd {shlex.quote(str(folder))} && {command}"


def get_model_file(model: BoundModel, folder: Path) -> str:
    """Return the command or sentence that gets the file of ``model``; ``folder`` is that of experiments.toml."""
    file = Path(model.file or "")
    shown = str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)
    if model.engine == "faster-whisper":
        download = shlex.join(["hf", "download", "Systran/faster-whisper-tiny", "--local-dir", str(file)])
        return f"pip install huggingface_hub && {download}"
    if model.engine != "chatllm":
        return f"put the file there, or set another `file` for model {model.name} in {folder / 'experiments.toml'}"
    command = how_to_get(shown)
    return in_folder(folder, command) if "&&" in command else how_to_get(str(file))
