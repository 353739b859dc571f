"""From the description of an exception in a worker back to the exception, where its type is known here.

Only types that this process has already count: the built-in ones, and those that a caller has named. Nothing is
imported, and nothing of the worker's chooses a type by itself.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from orchestrator.errors import JobError

_BUILT_IN = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception)
}


class OwnExceptions:
    """The exception types that an executor raises as they are."""

    def __init__(self, registered: Iterable[type[Exception]] = ()) -> None:
        """Take the caller's own types.

        Raises:
            TypeError: One is no type of exception.
        """
        self._registered: dict[tuple[str, str], type[Exception]] = {}
        for kind in registered:
            if not (isinstance(kind, type) and issubclass(kind, Exception)):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"exceptions: {kind!r} is no type of exception")
            self._registered[kind.__module__, kind.__name__] = kind

    def of(self, error: JobError) -> Exception | None:
        """Return the exception that ``error`` describes, with it as the cause; None where its type is unknown."""
        kind = (
            _BUILT_IN.get(error.type_name)
            if error.module == "builtins"
            else self._registered.get((error.module, error.type_name))
        )
        if kind is None:
            return None
        made = _made(kind, error)
        made.__cause__ = error
        return made


def _made(kind: type[Exception], error: JobError) -> Exception:
    """Make the exception with its own arguments where they came along, else with its text.

    ``__init__`` of a caller's type may ask for anything, so it is not called: ``__new__`` keeps the arguments.
    """
    arguments = (error.message,) if error.arguments is None else error.arguments
    try:
        return kind(*arguments) if kind.__module__ == "builtins" else kind.__new__(kind, *arguments)
    except TypeError:  # a UnicodeDecodeError takes five
        made = kind.__new__(kind)
        made.args = arguments
        return made
