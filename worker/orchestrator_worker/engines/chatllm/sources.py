"""Where the weights of the models that the shipped experiments name come from, and the commands that get them."""

from __future__ import annotations

import os
import shlex

REPOSITORIES = {
    "qwen3-asr-0.6b": "Qwen/Qwen3-ASR-0.6B",
    "qwen3-asr-1.7b": "Qwen/Qwen3-ASR-1.7B",
    "qwen3-forced-aligner-0.6b": "Qwen/Qwen3-ForcedAligner-0.6B",
}
"""By the beginning of a model file's name."""

QUANTIZED = "q4_0"
_PACKAGES = "pip install huggingface_hub -r chatllm.cpp/requirements.txt"


def how_to_get(file: str) -> str:
    """Return the commands that make the model file ``file``, or where it belongs if nobody knows what is in it.

    They are run in the folder that has ``chatllm.cpp/``; the original weights stay beside the file.
    """
    name = os.path.basename(file)
    found = next((source for start, source in REPOSITORIES.items() if name.lower().startswith(start)), None)
    if found is None:
        return f"copy it to {file} (chatllm.cpp/convert.py makes such files)"
    weights = os.path.join(os.path.dirname(file), found.partition("/")[2])
    download = shlex.join(["hf", "download", found, "--local-dir", weights])
    convert = shlex.join(["python", "chatllm.cpp/convert.py", "-i", weights, "-t", QUANTIZED, "-o", file])
    return f"{_PACKAGES} && {download} && {convert}"
