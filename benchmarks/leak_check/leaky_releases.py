"""One call that leaks in a release of a public package, and in the next release no more; from their issue trackers.

Each function does what a user would do once. Packages are imported when a function is called: only one is installed.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import contextlib


def hiredis_map() -> None:
    """Hiredis 3.1.0: the values of a RESP3 map keep a reference (redis/hiredis-py #175)."""
    import hiredis

    reader = hiredis.Reader()
    reader.feed(b"%2\r\n+name\r\n$5\r\nvalue\r\n+list\r\n*2\r\n:1\r\n:20000\r\n")
    reader.gets()


def multidict_add() -> None:
    """Multidict 6.3.2: case-insensitive keys are created and kept (aio-libs/multidict #1131)."""
    from multidict import CIMultiDict

    copied = CIMultiDict()
    for key, value in CIMultiDict({f"X-Any-{number}": str(number) for number in range(10)}).items():
        copied.add(key, value)


def multidict_pop() -> None:
    """Multidict 6.6.3: what is popped or deleted is kept (aio-libs/multidict #1232)."""
    from multidict import MultiDict

    headers = MultiDict({f"X-Any-{number}": str(number) for number in range(10)})
    for key in list(headers.keys()):
        headers.pop(key)


class FullDisk:
    """A file that cannot be written."""

    def write(self, _text: str) -> int:
        """Fail."""
        raise OSError("no space left")


def ujson_dump() -> None:
    """Ujson 5.12.0: the text of a dump whose write fails is kept (CVE-2026-44660)."""
    import ujson

    with contextlib.suppress(OSError):
        ujson.dump({"numbers": list(range(50))}, FullDisk())


def orjson_array() -> None:
    """Orjson 3.9.5: an array of a type that it cannot write keeps references (its change log, 3.9.6)."""
    import numpy as np
    import orjson

    with contextlib.suppress(orjson.JSONEncodeError):
        orjson.dumps(np.zeros((2, 2), dtype=np.complex128), option=orjson.OPT_SERIALIZE_NUMPY)


def pydantic_adapter() -> None:
    """Pydantic 2.5.2: an adapter of a model that contains itself is never collected (pydantic #8397)."""
    import models

    models.TypeAdapter(list[models.Branch]).validate_python([{"children": [], "leaf": models.Leaf()}])


def pydantic_iterable() -> None:
    """Pydantic 2.7.0: a field of type Iterable keeps its iterator (pydantic #9243)."""
    import models

    models.Trace(elements=[1, 2, 3])
