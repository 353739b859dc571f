"""The commands that get what is missing, as they are shown to people.

Relative to the folder of experiments.toml, in which a checkout has ``chatllm.cpp/`` and ``models/``.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.config.model import BoundModel

FILL_SUBMODULE = "git submodule update --init --recursive chatllm.cpp"
FILL_ANY_FOLDER = "git clone --recursive https://github.com/foldl/chatllm.cpp"
BUILD_CHECKOUT = (
    "cmake -S chatllm.cpp -B chatllm.cpp/build && cmake --build chatllm.cpp/build --target libchatllm -j"
)


def build_library(folder: Path) -> str:
    """Return the commands that fill ``chatllm.cpp/`` in ``folder`` and build the library there.

    A clone of this repository has it as a submodule; a folder that ``orchestrator init`` made has not.
    """
    submodule = (folder / ".gitmodules").is_file() and (folder / ".git").exists()
    return f"{FILL_SUBMODULE if submodule else FILL_ANY_FOLDER} && {BUILD_CHECKOUT}"


def get_model_file(model: BoundModel) -> str:
    """Return the command or sentence that gets the file of ``model``."""
    if model.engine == "faster-whisper":
        return f"hf download Systran/faster-whisper-tiny --local-dir {model.file}"
    if model.engine != "chatllm":
        return f"put the file there, or set another `file` for model {model.name}"
    name = Path(model.file or "").name
    return f"python chatllm.cpp/convert.py -i HUGGING_FACE_FOLDER -t q4_0 -o models/{name}"
