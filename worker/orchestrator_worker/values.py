"""Values on the wire: what msgpack has no form for travels as an extension type, and comes back as what it was.

msgspec would send a naive datetime, a date, a Decimal, a UUID or an Enum as text, a set as a list, and refuse a path, a
large int and NumPy's values. Here each of them has a number of its own (:mod:`.extension_codes`). Tuples stay lists and
dataclasses become dicts, as msgpack has them. No pickle: a reader makes only the types below, and an Enum only of a
class that it has already imported (a worker imports it: it trusts whoever started it).

A list or dict of numbers and text is recognised by the types of its items, which costs little, so the
usual value is not walked through.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import importlib
import re
import sys
import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from orchestrator_worker.extension_codes import Code

Ext = msgspec.msgpack.Ext
_PLAIN = frozenset({type(None), bool, int, float, str, bytes})
_PLAIN_BUT_INT = _PLAIN - {int}
_LARGEST, _SMALLEST = 2**64 - 1, -(2**63)
_WORTH_A_PIECE = 1 << 16
_MOST_ARGUMENTS = 1 << 16
"""Bytes that the arguments of an exception may have."""
_ARRAY = re.compile(r"[<>|=]?(?:[biufc]\d{1,2}|[SU]\d{1,9}|[mM]8(?:\[\d*[a-zA-Zµ]{1,2}\])?)")
"""Types of NumPy's that are values: no objects, and no record, which could hold objects."""
_PURE_PATHS = ("PurePath", "PurePosixPath", "PureWindowsPath")
_pack = msgspec.msgpack.Encoder().encode
_array_parts = msgspec.msgpack.Decoder(tuple[str, list[int], memoryview]).decode


class UnsendableError(TypeError):
    """A value that cannot travel. ``path`` leads to it from the value that was to be sent, as ``['a'][3]``."""

    def __init__(self, value: object, why: str) -> None:
        self.kind = type(value).__name__
        self.why = why
        self.path = ""
        super().__init__(f"{self.kind}: {why}")

    def place(self, whom: str) -> str:
        """Return where in ``whom`` it is, what it is and why it cannot travel."""
        return f"{whom}{self.path} ({self.kind}): {self.why}"

    def within(self, step: object) -> UnsendableError:
        """Say that it was found behind the index or key ``step``."""
        self.path = f"[{step!r}]{self.path}"
        return self


def sendable(value: Any) -> Any:
    """Return ``value`` with extension types where msgpack has no form; itself where there is nothing to replace.

    An int beyond 64 bits among others is left for the encoder, which raises OverflowError: :func:`with_large_ints`.

    Raises:
        UnsendableError: Something in it cannot travel.
        RecursionError: It is nested too deeply, or holds itself.
    """
    return _sendable(value, _PLAIN)


def with_large_ints(value: Any) -> Any:
    """Do the same, and look at every single number; large ones are rare, and this takes ten times as long."""
    return _sendable(value, _PLAIN_BUT_INT)


def packed(value: Any) -> bytes:
    """Return ``value`` in msgpack.

    Raises:
        UnsendableError: Something in it cannot travel.
        RecursionError: It is nested too deeply, or holds itself.
    """
    try:
        return _pack(sendable(value))
    except OverflowError:
        return _pack(with_large_ints(value))


def packed_pieces(value: Any) -> list[bytes | memoryview]:
    """Return the same in pieces, without a copy of bytes and of an array's content.

    Raises:
        UnsendableError, RecursionError: As :func:`packed`.
    """
    kind = cast("Any", type(value))
    if kind is bytes and len(value) > _WORTH_A_PIECE:
        return [b"\xc6" + len(value).to_bytes(4, "big"), value]
    if kind.__module__ == "numpy" and _is_shown(value) and value.nbytes > _WORTH_A_PIECE:
        size = b"\xc6" + int(value.nbytes).to_bytes(4, "big")
        head = b"\x93" + _pack(value.dtype.str) + _pack(list(value.shape)) + size
        length = (len(head) + int(value.nbytes)).to_bytes(4, "big")
        return [b"\xc9" + length + bytes([Code.ARRAY]) + head, value.data]
    return [packed(value)]


def _is_shown(array: Any) -> bool:
    """Whether something of NumPy's is an array of numbers whose bytes can be taken as they lie there."""
    if not isinstance(array, sys.modules["numpy"].ndarray):
        return False
    return bool(array.ndim and array.flags.c_contiguous and array.dtype.kind in "biufc")


def plain_arguments(error: BaseException) -> bytes:
    """Return in msgpack what an exception was made with; nothing where that is not a few plain values.

    A file's name, which an OSError takes as an argument and keeps elsewhere, is one of them.
    """
    try:
        arguments = tuple(cast("tuple[object, ...]", error.args))
        if isinstance(error, OSError) and len(arguments) == 2 and error.filename is not None:
            arguments += (cast("object", error.filename),)
        content = packed(arguments) if _PLAIN.issuperset(map(type, arguments)) else b""
    except Exception:
        return b""  # its class has something else by these names
    return content if len(content) <= _MOST_ARGUMENTS else b""


def _sendable(value: Any, plain: frozenset[type]) -> Any:
    kind = cast("Any", type(value))
    if kind in plain:
        return value
    if kind is list or kind is tuple:
        return value if plain.issuperset(map(type, value)) else _list_of(value, plain)
    if kind is dict:
        just_plain = plain.issuperset(map(type, value)) and plain.issuperset(map(type, value.values()))
        return value if just_plain else _dict_of(value, plain)
    if kind is int:
        return value if fits(value) else _ext(Code.INT, f"{value:x}")
    made = _MAKERS.get(kind)
    return made(value) if made is not None else _of_another_type(value)


def _list_of(items: Any, plain: frozenset[type] = _PLAIN) -> list[Any]:
    made: list[Any] = []
    for index, each in enumerate(items):
        try:
            made.append(_sendable(each, plain))
        except UnsendableError as error:
            raise error.within(index) from None
    return made


def _dict_of(table: Mapping[Any, Any], plain: frozenset[type] = _PLAIN) -> Any:
    made: dict[Any, Any] = {}
    for key, each in table.items():
        try:
            made[key] = _sendable(each, plain)
        except UnsendableError as error:
            raise error.within(key) from None
    if all(type(key) in _PLAIN_BUT_INT or (type(key) is int and fits(key)) for key in made):
        return made
    return _ext(Code.DICT, [[_sendable(key, _PLAIN_BUT_INT), each] for key, each in made.items()])


def fits(number: int) -> bool:
    """Whether msgpack has a form for a number: from -(2**63) to 2**64 - 1."""
    return _SMALLEST <= number <= _LARGEST


def _ext(code: int, content: Any) -> Any:
    return Ext(code, _pack(content))


def _of_datetime(value: dt.datetime) -> Any:
    zone = getattr(value.tzinfo, "key", None)  # of a ZoneInfo; its module costs an idle worker too much
    return _ext(Code.DATETIME, [value.isoformat(), value.fold, zone])


def _of_numpy(value: Any) -> Any:
    """Return an array or a scalar of NumPy's as an extension, without importing NumPy to find out."""
    numpy = sys.modules["numpy"]
    name = value.dtype.str
    if not _ARRAY.fullmatch(name):
        raise UnsendableError(value, f"arrays of {value.dtype} are no plain numbers or text")
    if isinstance(value, numpy.ndarray):
        content = value.data if _is_shown(value) else value.tobytes()
        return _ext(Code.ARRAY, [name, list(value.shape), content])
    return _ext(Code.NUMPY_SCALAR, [name, value.tobytes()])


def _elements(value: Any) -> list[Any]:
    return _list_of(
        value, _PLAIN_BUT_INT
    )  # the encoder is at work within the value, where nobody could try again


_MAKERS: dict[type, Callable[[Any], Any]] = {
    dt.datetime: _of_datetime,
    dt.date: lambda value: _ext(Code.DATE, value.isoformat()),
    dt.time: lambda value: _ext(Code.TIME, [value.isoformat(), value.fold]),
    dt.timedelta: lambda value: _ext(Code.TIMEDELTA, [value.days, value.seconds, value.microseconds]),
    decimal.Decimal: lambda value: _ext(Code.DECIMAL, str(value)),
    uuid.UUID: lambda value: Ext(Code.UUID, value.bytes),
    complex: lambda value: _ext(Code.COMPLEX, [value.real, value.imag]),
    set: lambda value: _ext(Code.SET, _elements(value)),
    frozenset: lambda value: _ext(Code.FROZENSET, _elements(value)),
}


def _of_another_type(value: Any) -> Any:
    """Return what stands for a value of a type that is found by what it is derived from."""
    kind = cast("Any", type(value))
    if isinstance(value, enum.Enum) and value.name:
        return _ext(Code.ENUM, [kind.__module__, kind.__qualname__, value.name])
    if (paths := sys.modules.get("pathlib")) is not None and isinstance(value, paths.PurePath):
        name = "Path" if isinstance(value, paths.Path) else kind.__name__
        return _ext(Code.PATH, [name, str(value)])
    if kind.__module__.partition(".")[0] == "numpy" and hasattr(value, "dtype"):
        return _of_numpy(value)
    if hasattr(kind, "__dataclass_fields__"):
        import dataclasses

        return _dict_of(
            {each.name: getattr(value, each.name) for each in dataclasses.fields(cast("Any", value))}
        )
    if isinstance(value, msgspec.Struct):
        return _dict_of({name: getattr(value, name) for name in value.__struct_fields__})
    for base, convert in _BASES:
        if isinstance(value, base):
            return sendable(convert(value))
    try:
        return msgspec.Raw(_pack(value))  # a bytearray, a memoryview, an attrs class
    except (TypeError, ValueError, OverflowError) as error:
        raise UnsendableError(value, f"it has no form on the wire ({error})") from None


_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (bool, bool),
    (int, int),
    (float, float),
    (str, str),
    (bytes, bytes),
    (dict, dict),
    (list, list),
    (tuple, list),
    (set, set),
    (frozenset, frozenset),
)
"""Subclasses travel as what they are derived from: a Counter as a dict, a named tuple as a list."""

# ------------------------------------------------------------------ the other way


def reader(
    *, imports: bool, decode: Callable[[memoryview], Any] | None = None
) -> Callable[[int, memoryview], Any]:
    """Return the ``ext_hook`` of a msgpack decoder.

    Args:
        imports: Whether the module of an Enum is imported. If not, an Enum of a module that is not here is the name of
            its member.
        decode: What makes the content of a set or dict into a list, and may refuse it.

    The hook raises ``ValueError`` for an extension that is not one of ours, or whose bytes are not as they should be.
    """

    def read(code: int, content: memoryview) -> Any:
        try:
            if code == Code.UUID:
                return uuid.UUID(bytes=bytes(content))
            if code == Code.ARRAY:
                return _array_of(*_array_parts(content))
            if decode is not None and code in _CONTAINERS:
                return _READERS[code](decode(content))
            decoded = msgspec.msgpack.decode(content, ext_hook=read)
            if code == Code.ENUM:
                return _enum_of(decoded, imports=imports)
            return _READERS[code](decoded)
        except RecursionError:
            raise
        except Exception as error:
            raise ValueError(f"extension {code} cannot be read: {error or type(error).__name__}") from None

    return read


def _datetime_of(parts: Any) -> dt.datetime:
    text, fold, zone = parts
    made = dt.datetime.fromisoformat(text).replace(fold=int(fold))
    if zone is None:
        return made
    import zoneinfo

    return made.replace(tzinfo=zoneinfo.ZoneInfo(zone))


def _path_of(parts: Any) -> Any:
    import pathlib

    name, text = parts
    if name != "Path" and name not in _PURE_PATHS:
        raise ValueError(f"{name!r} is no kind of path")
    return getattr(pathlib, name)(text)


def _enum_of(parts: Any, *, imports: bool) -> Any:
    module, qualified, member = parts
    if not (isinstance(module, str) and isinstance(qualified, str) and isinstance(member, str)):
        raise ValueError("an Enum is three names")  # noqa: TRY004 - as every other content that is wrong
    if imports:
        importlib.import_module(module)
    found: Any = sys.modules.get(module)
    for part in qualified.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    if isinstance(found, type) and issubclass(found, enum.Enum):
        return found[member]
    return member


def _array_of(name: str, shape: list[int], content: memoryview) -> Any:
    return _numpy_values(name, content).reshape(shape).copy()


def _numpy_scalar_of(parts: Any) -> Any:
    name, content = parts
    return _numpy_values(name, content)[0]


def _numpy_values(name: Any, content: Any) -> Any:
    if not _ARRAY.fullmatch(name):
        raise ValueError(f"{name!r} is no type of plain values")
    numpy = importlib.import_module("numpy")
    if not content:
        return numpy.empty(0, numpy.dtype(name))
    return numpy.frombuffer(content, numpy.dtype(name))


def array_type(name: Any) -> Any:
    """Return the NumPy type of the items of an array, for whoever reads its content elsewhere.

    Raises:
        ValueError, TypeError: There is none that is a value.
    """
    if not isinstance(name, str) or not _ARRAY.fullmatch(name):
        raise ValueError(f"{name!r} is no type of plain values")
    return importlib.import_module("numpy").dtype(name)


def _dict_from(pairs: Any) -> dict[Any, Any]:
    return {_hashable(key): value for key, value in pairs}


def _hashable(key: Any) -> Any:
    return tuple(map(_hashable, key)) if isinstance(key, list) else key  # pyright: ignore[reportUnknownArgumentType]


_CONTAINERS = {Code.SET, Code.FROZENSET, Code.DICT}
_READERS: dict[int, Callable[[Any], Any]] = {
    Code.DATETIME: _datetime_of,
    Code.DATE: dt.date.fromisoformat,
    Code.TIME: lambda parts: dt.time.fromisoformat(parts[0]).replace(fold=int(parts[1])),
    Code.TIMEDELTA: lambda parts: dt.timedelta(*map(int, parts)),
    Code.DECIMAL: decimal.Decimal,
    Code.PATH: _path_of,
    Code.SET: lambda items: set(map(_hashable, items)),
    Code.FROZENSET: lambda items: frozenset(map(_hashable, items)),
    Code.INT: lambda text: int(text, 16),
    Code.NUMPY_SCALAR: _numpy_scalar_of,
    Code.COMPLEX: lambda parts: complex(*parts),
    Code.DICT: _dict_from,
}
