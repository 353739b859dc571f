"""What a file from elsewhere makes our code raise is said in one sentence about that file.

Results, runs and series come from other machines and other programs. Their form is checked when they are read; no check
knows every number and every nesting that arithmetic or a chart cannot bear. So whoever works with the
content of such a file does it inside :func:`content_of`.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Generator
from contextlib import contextmanager

import msgspec

from orchestrator.errors import OrchestratorError, ResultsError

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a decoder of JSON or msgpack raises for content of any kind."""

_OF_THE_CONTENT = (
    csv.Error,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeWarning,
    TypeError,
    ValueError,
    msgspec.MsgspecError,
)


@contextmanager
def content_of(where: object) -> Generator[None, None, None]:
    """Work with what the file or folder ``where`` holds.

    Errors of ours pass. The cause of every other is kept as ``__cause__``, for it may be a fault of ours after all.

    Raises:
        ResultsError: The content is nested too deeply, or has a form or numbers that cannot be worked with.
    """
    try:
        with warnings.catch_warnings():
            # numpy only warns of numbers beyond a float's range, and goes on with what is none
            warnings.simplefilter("error", RuntimeWarning)
            yield
    except OrchestratorError:
        raise
    except RecursionError as error:
        raise ResultsError(f"{where}: nested too deeply; no file of ours is") from error
    except _OF_THE_CONTENT as error:
        raise ResultsError(
            f"{where}: what is in it cannot be worked with ({type(error).__name__}: {str(error)[:200]}); "
            "it is damaged, or was changed by hand"
        ) from error
