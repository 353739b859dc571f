"""An exception in words, whatever its class does when it is asked for them.

An exception is an object of the job's: its text may be of any size, may itself raise, or be no text at all. What
cannot be had is replaced, what is too long is cut in its middle; nothing here raises.
"""

from __future__ import annotations

import os
from typing import Any, Final

MOST_NAME: Final = 200
MOST_TEXT: Final = 32 * 1024
MOST_TRACEBACK: Final = 96 * 1024
"""Characters. Together they fit into a reply, in any writing."""
_LOOK_UP = type(os.environ).__getitem__.__code__
_class_name = type.__dict__["__name__"].__get__
"""The name that Python itself knows: a metaclass may have another one, or none."""


def name_of(error: BaseException) -> str:
    """Return the name of the exception's class."""
    return _cut(_sendable(_class_name(type(error))), MOST_NAME)


def module_of(error: BaseException) -> str:
    """Return the name of the module that the exception's class is from, as the class says it."""
    module: object = type.__dict__["__module__"].__get__(type(error))
    return _cut(_sendable(module), MOST_NAME) if isinstance(module, str) else ""


def text_of(thing: Any) -> str:
    """Return ``str(thing)``, or in its place why there is none."""
    try:
        text = _sendable(str(thing))
    except BaseException as problem:
        text = f"<no text: its __str__ raised {_class_name(type(problem))}>"
    return _cut(text, MOST_TEXT)


def traceback_of(error: BaseException) -> str:
    """Return the exception's traceback with its causes."""
    import traceback

    try:
        text = _sendable("".join(traceback.format_exception(error)))
    except BaseException as problem:
        text = f"<no traceback: formatting it raised {_class_name(type(problem))}>"
    return _cut(text, MOST_TRACEBACK)


def missing_variable(error: BaseException) -> str:
    """Return what to do where ``error`` is ``os.environ`` not having a variable; empty where it is something else."""
    trace = (
        error.__traceback__ if type(error) is KeyError else None
    )  # of a derived class it could be anything
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_code is not _LOOK_UP:
        return ""
    return "not in this worker's environment: hand it on by pass_env of the pool or model, or set it by env"


def _sendable(text: str) -> str:
    """Return a plain copy that has a form in UTF-8; ``text`` may be of a class derived from ``str``."""
    return str.encode(text, "utf-8", "replace").decode()


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = (most - 60) // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters cut …\n{text[-half:]}"
