"""Look up what a profile's names stand for: models and samples with absolute paths and reference texts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.config.model import BoundModel
from orchestrator.config.overrides import Said
from orchestrator.config.profile import absolute, library_of
from orchestrator.config.types import ModelConfig, Sample, SampleConfig
from orchestrator.config.wording import key_path
from orchestrator.errors import ConfigProblem

DEFAULT_THREADS = 6
DEFAULT_CONTEXT_LENGTH = 4096


class Bindings:
    """What the names of one profile stand for. Looks each name up once; ``problems`` collects what is wrong.

    ``folder`` is where relative paths count from, ``cores`` how many there are: the default number of threads is
    lowered to it, a number that flag, environment or file says is not. ``aligners`` are the models that only align:
    ASR_LANGUAGE and ``--language`` are about hearing; an aligner is told of them by the language of what was heard.
    """

    def __init__(
        self,
        profile: str,
        folder: Path,
        *,
        said: Said,
        environ: Mapping[str, str],
        cores: int,
        aligners: Collection[str],
    ) -> None:
        self.problems: list[ConfigProblem] = []
        self._path = key_path("$.profiles", profile)
        self.folder = folder
        self._said = said
        self._environ = environ
        self._cores = cores
        self._aligners = aligners
        self._samples: dict[str, Sample] = {}

    def model(self, role: str, config: ModelConfig) -> BoundModel:
        """Return the model bound to ``role``."""
        threads = self._said.threads or config.threads
        note = ""
        if threads is None:
            threads = max(1, min(DEFAULT_THREADS, self._cores))
            if threads < DEFAULT_THREADS:
                cores = "the 1 core" if self._cores == 1 else f"the {self._cores} cores"
                note = f"lowered from the default {DEFAULT_THREADS} to {cores} there are; --threads sets it"
        heard = None if role in self._aligners else self._said.language
        looked_up: dict[str, Any] = {
            "name": role,
            "label": config.label or role,
            "file": absolute(self.folder, config.file) if config.file else None,
            "library": library_of(config, self.folder, self._environ),
            "threads": threads,
            "threads_note": note,
            "context_length": self._said.context_length or config.context_length or DEFAULT_CONTEXT_LENGTH,
            "language": heard or config.language,
            "sandbox_reads": [absolute(self.folder, path) for path in config.sandbox_reads],
            "sandbox_writes": [absolute(self.folder, path) for path in config.sandbox_writes],
        }
        return BoundModel(**(msgspec.structs.asdict(config) | looked_up))

    def sample(self, name: str, config: SampleConfig) -> Sample:
        """Return the sample bound to ``name``; its reference text is read, once."""
        if name not in self._samples:
            file = absolute(self.folder, config.reference) if config.reference else None
            self._samples[name] = Sample(
                name=name,
                audio=absolute(self.folder, config.audio),
                reference_file=file,
                reference=self._reference(name, file) if file else None,
            )
        return self._samples[name]

    def _reference(self, name: str, file: str) -> str | None:
        """Read a reference text. A missing file is reported by the availability check, like missing audio."""
        said = ""
        text = ""
        try:
            text = Path(file).read_bytes().decode("utf-8-sig").strip()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            said = f"{file} is not UTF-8 (byte {error.start}); save it as UTF-8"
        except OSError as error:
            said = f"{file} cannot be read: {error.strerror or error}"
        if not said and not text:
            said = f"{file} has no text; write what the audio says, or leave the key out"
        if said:
            path = key_path(f"{self._path}.samples", name) + ".reference"
            self.problems.append(ConfigProblem(path, said))
            return None
        return text
