"""A user's folder with the repository's experiments.toml, a double of libchatllm, models and samples."""

import json
import shutil
from typing import Any

from lab import REPOSITORY, Finished, Lab

from doubles import Checkout, write_audio

DIGITS = "零九零零零七三三三一"
SPOKEN = (REPOSITORY / "samples/jfk.txt").read_text().strip()
OUTPUTS = {
    "exp1": "asr_results.json",
    "exp2": "comparison_results.json",
    "exp3": "model_switch_results.json",
    "exp4": "alignment_comparison_results.json",
    "exp5": "asr_align_results.json",
}
PATIENCE_S = 250.0
"""Up to thirty processes a run, on a machine that may be busy. Nothing is measured by it."""


class Workspace:
    """The folder, and the command run in it."""

    def __init__(self, lab: Lab, checkout: Checkout) -> None:
        self.lab = lab
        shutil.copy2(REPOSITORY / "experiments.toml", lab.file)
        samples = lab.folder / "samples"
        samples.mkdir()
        write_audio(samples / "phoneNumber1-zh-TW.wav", 4.0)
        (samples / "phoneNumber1-zh-TW.txt").write_text("0900073331\n")
        write_audio(samples / "jfk.wav", 11.0)
        (samples / "jfk.txt").write_text(SPOKEN)
        answers = lab.folder / "answers.txt"
        answers.write_text(f"4\t{DIGITS}\n11\t{SPOKEN}\n")
        self._destroys = lab.folder / "destroys.txt"
        self._destroys.touch()  # a worker may write into it, and make no other
        self._set(
            'sandbox_reads = ["answers.txt"]\nsandbox_writes = ["destroys.txt"]\npass_env = ["FFMPEG_DOUBLE_*"]\n'
        )
        self.env = {
            **checkout.environment,
            "CHATLLM_DOUBLE_ANSWERS": str(answers),
            "CHATLLM_DOUBLE_DESTROYS": str(self._destroys),
        }

    def run(self, *arguments: str, double: str = "", **env: str) -> Finished:
        environment = {**self.env, "CHATLLM_DOUBLE": double, **env}
        return self.lab.run("run", *arguments, env=environment, patience_s=PATIENCE_S)

    def result(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.lab.results / OUTPUTS[name]).read_text())
        return found

    def set_destroy(self, how: str) -> None:
        """Give every model of the profile the option ``destroy``."""
        self._set(f'options = {{ destroy = "{how}" }}\n')

    def _set(self, lines: str) -> None:
        text = self.lab.file.read_text()
        engine = 'engine = "chatllm"\n'
        assert text.count(engine) == 3
        self.lab.file.write_text(text.replace(engine, engine + lines))

    @property
    def destroys(self) -> int:
        """How often a started object was to be destroyed, in all processes."""
        return len(self._destroys.read_text().splitlines())


def outcomes(result: dict[str, Any]) -> dict[str, str]:
    return {key: summary["sentence"] for key, summary in result["summary"].items()}
