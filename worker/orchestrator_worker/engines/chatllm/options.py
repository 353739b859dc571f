"""A model's settings as the argv words of chatllm.cpp, and a job's text as its input takes it. Pure."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from orchestrator_worker.engines.base import EngineError
from orchestrator_worker.engines.options import read_options
from orchestrator_worker.language_names import language_name
from orchestrator_worker.protocol import ModelSpec

TAGS = ("{{", "}}")
"""What stands around a file's path in an input. A text with either would be taken for a file."""


class ChatllmOptions(msgspec.Struct, frozen=True):
    """``[profiles.P.models.NAME.options]`` of engine ``chatllm``.

    Attributes:
        argv: Further words of chatllm.cpp's command line; an option said here replaces ours.
        size_bytes: What the model file should have at least; one that is shorter is warned of.
        delimiter: Where the aligner splits a text, in place of words.
        destroy: What an unload does: ``call`` the library's destroy, ``abandon`` the object, or ``auto``: what a try
            in a process of its own shows to work.
    """

    argv: list[str] = []
    size_bytes: int | None = None
    delimiter: str | None = None
    destroy: Literal["auto", "call", "abandon"] = "auto"


def options_of(model: ModelSpec) -> ChatllmOptions:
    """Return the model's options, checked.

    Raises:
        EngineError: Unknown keys or wrong values, all at once.
    """
    options = read_options(model.options, ChatllmOptions, "engine chatllm")
    if options.delimiter is not None and not options.delimiter.strip(" "):
        raise EngineError(f"engine chatllm: option 'delimiter' is {options.delimiter!r}; give a character")
    return options


def is_aligner(model: ModelSpec) -> bool:
    """Guess from what was said: a ``format``, or a file called so."""
    return model.format is not None or "align" in os.path.basename(model.file or "").lower()


def command_line(model: ModelSpec, options: ChatllmOptions) -> list[str]:
    """Return all argv words. Greedy unless ``argv`` says otherwise; the aligner is always asked for JSON.

    ``-l`` is the limit that counts: it sizes the cache. ``-c`` is what the original study passed.
    """
    words: list[tuple[str, ...]] = [("-m", model.file or "")]
    if model.threads is not None:
        words.append(("-n", str(model.threads)))
    if model.context_length is not None:
        words += [("-c", str(model.context_length)), ("-l", str(model.context_length))]
    words += [("--multimedia_file_tags", *TAGS), ("-t", "0")]
    settings = {"language": language_name(model.language), "delimiter": options.delimiter}
    if is_aligner(model):
        settings["format"] = "json"
    words += [("--set", key, value) for key, value in settings.items() if value is not None]
    theirs = _said(options.argv)
    ours = [word for each in words if _key(each) not in theirs for word in each]
    return [*ours, *options.argv]


def context_of(model: ModelSpec, options: ChatllmOptions) -> int | None:
    """Return the limit of the context, however it was said; None: the library's own, which is not known here."""
    said = _last_value(options.argv, {"-l", "--max_length"})
    return int(said) if said is not None and said.isdecimal() else model.context_length


def started_language(model: ModelSpec, options: ChatllmOptions) -> str | None:
    """Return the language that the library is started with, however it was said."""
    argv = options.argv
    for index in range(len(argv) - 3, -1, -1):
        if argv[index : index + 2] == ["--set", "language"]:
            return language_name(argv[index + 2])
    return language_name(model.language)


def _last_value(argv: Sequence[str], names: Collection[str]) -> str | None:
    return next((argv[index + 1] for index in range(len(argv) - 2, -1, -1) if argv[index] in names), None)


def delimiter_of(options: ChatllmOptions) -> str | None:
    """Return the aligner's delimiter, however it was said."""
    argv = options.argv
    for index in range(len(argv) - 2):
        if argv[index : index + 2] == ["--set", "delimiter"]:
            return argv[index + 2]
    return options.delimiter


def text_to_align(text: str | None, delimiter: str | None) -> tuple[str, list[str]]:
    """Return the text for the aligner, and the parts of it that are no words and were left out.

    Raises:
        EngineError: Nothing is left, or the text has what the library would take for a file.
    """
    if text is None or not text.strip():
        raise EngineError(
            "chatllm: align needs the text that was spoken, and there is none: it is empty or blank"
        )
    for tag in TAGS:
        if tag in text:
            raise EngineError(f"chatllm: the text to align has {tag!r}, which stands for a file; take it out")
    parts = text.split(delimiter) if delimiter else text.split()
    spoken: list[str] = []
    skipped: list[str] = []
    for part in (" ".join(part.split()) for part in parts):
        if any(character.isalnum() for character in part):
            spoken.append(part)
        elif part:
            skipped.append(part)
    if not spoken:
        raise EngineError(f"chatllm: the text to align has no words, only {' '.join(skipped)!r}")
    return (delimiter or " ").join(spoken), skipped


def _said(argv: Sequence[str]) -> set[tuple[str, ...]]:
    return {_key(argv[index:]) for index, word in enumerate(argv) if word.startswith("-")}


def _key(words: Sequence[str]) -> tuple[str, ...]:
    """Tell options apart; of ``--set KEY VALUE`` the key counts too."""
    return tuple(words[:2]) if words and words[0] == "--set" else tuple(words[:1])
