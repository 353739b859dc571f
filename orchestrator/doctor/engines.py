"""Ask each engine, in a worker process, whether it could load its model. A crash of that worker is a finding.

The same worker tells whether this system's allocator can be asked for its own view of memory.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.config.model import BoundModel
from orchestrator.doctor.finding import Finding
from orchestrator.errors import EngineUnavailableError, JobError, OrchestratorError
from orchestrator.experiments.storage.host import engine_packages
from orchestrator.process.dialogue import Dialogue
from orchestrator.process.warm.engines import NOT_ALLOWED, why_cold
from orchestrator_worker.protocol import Check, Checked, Heap

CHECK_TIMEOUT_S = 60.0
PACKAGES: Mapping[str, tuple[str, str]] = {
    "moonshine-voice": ("moonshine_voice", "pip install 'moonshine-voice==0.0.59'"),
    "pocketsphinx": ("pocketsphinx", "pip install 'pocketsphinx>=5.1,<5.2'"),
    "faster-whisper": ("faster_whisper", "pip install 'faster-whisper>=1.1,<2'"),
}
"""Distribution to import name, and what installs it."""


class Answers:
    """What the engines answered: findings by model, estimated memory in bytes by role, and the allocator's view."""

    def __init__(self) -> None:
        self.findings: dict[str, Finding] = {}
        self.estimates_bytes: dict[str, int] = {}
        self.heap: Heap | None = None


def ask_engines(models: Iterable[BoundModel]) -> Answers:
    """Ask about each model whose files exist. The others are reported as missing already.

    Models with one native library share a worker: a process can hold only one of them.
    """
    answers = Answers()
    by_library: dict[str, list[BoundModel]] = {"": []}  # the first worker also tells of the allocator
    for model in models:
        if all(Path(path).exists() for path in (model.file, model.library) if path):
            by_library.setdefault(model.library or "", []).append(model)
    for group in by_library.values():
        _ask_group(group, answers)
    return answers


def identity(model: BoundModel) -> str:
    """Return a key that is equal for the same model in two profiles."""
    return repr((model.name, model.engine, model.file, model.library, model.options))


def look_at_packages() -> list[Finding]:
    """Return a finding per engine package: its version, or that it is not installed. Nothing is imported."""
    versions = engine_packages()
    findings: list[Finding] = []
    for distribution, (module, hint) in PACKAGES.items():
        version = versions.get(distribution)
        if importlib.util.find_spec(module) is None:
            findings.append(Finding("engines", distribution, "note", "not installed", hint))
        else:
            shown = f"{distribution} {version}" if version else f"{distribution} of unknown version"
            findings.append(Finding("engines", distribution, "ok", shown, facts={"version": version}))
    return findings


def look_at_heap(answers: Answers) -> Finding:
    """Return whether the allocator in a worker can be asked (glibc's mallinfo2, or what stands in for it)."""
    heap = answers.heap
    if heap is None:
        found = "no worker could be started, so the allocator was not asked"
        return Finding("machine", "heap", "problem", found, "orchestrator engines")
    if heap.off is None:
        return Finding("machine", "heap", "ok", f"the allocator answers ({heap.source})")
    found = f"the allocator cannot be asked ({heap.off}): leaks are judged by resident memory alone"
    hint = "glibc 2.33 or newer without LD_PRELOAD; or pip install 'psutil>=7.2'"
    return Finding("machine", "heap", "note", found, hint)


def _ask_group(group: list[BoundModel], answers: Answers) -> None:
    """Ask about several models in one worker. If an engine ends it, report that model and continue in a new one."""
    waiting = list(group)
    while True:
        try:
            _ask_all(waiting, answers)
        except OrchestratorError as error:
            if not waiting:
                return
            model = waiting.pop(0)
            words = str(error).splitlines()[0]
            answers.findings[identity(model)] = Finding(
                "engines", model.name, "problem", f"{model.engine}: {words}", "orchestrator engines"
            )
        else:
            return


def _ask_all(waiting: list[BoundModel], answers: Answers) -> None:
    """Ask about one after the other, taking each off the list once it is answered."""
    with Dialogue(heap=True) as dialogue:
        answers.heap = answers.heap or dialogue.ready.heap
        while waiting:
            _ask(waiting[0], dialogue, answers)
            waiting.pop(0)


def _ask(model: BoundModel, dialogue: Dialogue, answers: Answers) -> None:
    """Ask about one model. Errors that end the worker pass."""
    role, engine = model.name, model.engine
    try:
        checked = dialogue.ask(Check(1, model.spec()), Checked, timeout_s=CHECK_TIMEOUT_S, phase="check")
    except EngineUnavailableError as error:
        found = f"{engine}: {error.what}"
        answers.findings[identity(model)] = Finding("engines", role, "problem", found, error.how_to_get_it)
    except JobError as error:
        found = f"{engine}: {error.message}"
        answers.findings[identity(model)] = Finding("engines", role, "problem", found, "correct the file")
    else:
        if checked.estimate_bytes is not None:
            answers.estimates_bytes[identity(model)] = checked.estimate_bytes
        answers.findings[identity(model)] = _can_load(model, checked)


def _can_load(model: BoundModel, checked: Checked) -> Finding:
    """Return what there is to say of a model that can be loaded: its tasks, and how a pool would start its workers."""
    found = f"{model.engine} could load it: {', '.join(checked.tasks)}"
    why = why_cold(model)
    if why is None and not checked.forks:
        why = f"{model.engine} {NOT_ALLOWED}"
    if why:
        hint = 'start = "cold" of the model; docs/explanation/warm-starts.md'
        return Finding("engines", model.name, "note", f"{found}; not started warm: {why}", hint)
    return Finding("engines", model.name, "ok", found if why == "" else f"{found}; a pool starts it warm")
