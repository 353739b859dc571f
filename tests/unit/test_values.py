"""Values that msgpack has no form for come back as what they were, and what is hostile is refused."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import http
import math
import pathlib
import sys
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_worker.extension_codes import Code
from orchestrator_worker.values import UnsendableError, packed, reader, sendable

_decode = msgspec.msgpack.Decoder(ext_hook=reader(imports=False)).decode
_decode_importing = msgspec.msgpack.Decoder(ext_hook=reader(imports=True)).decode


def back(value: Any) -> Any:
    return _decode(packed(value))


SAME = [
    dt.datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001 - naive ones are what it is about
    dt.datetime(2026, 3, 29, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"), fold=1),
    dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-5, minutes=-30))),
    dt.date(9999, 12, 31),
    dt.time(23, 59, 59, 999_999, tzinfo=dt.UTC),
    dt.timedelta(days=-3, microseconds=1),
    decimal.Decimal("1.1000"),
    decimal.Decimal("-Infinity"),
    uuid.UUID(int=2**127 + 5),
    pathlib.Path("/a/b c"),
    pathlib.PureWindowsPath("c:/x"),
    http.HTTPStatus.NOT_FOUND,
    {1, "a", None, b"x"},
    frozenset({(1, (2, 3)), 10**30}),
    2**64,
    -(2**63) - 1,
    [1, 2**64, [2**70]],
    {"a": {"b": {10**20}}},
    {dt.date(2026, 1, 1): 1, (1, (2, "x")): [dt.timedelta(1)], 2**65: None},
    {uuid.UUID(int=1): {uuid.UUID(int=2): dt.time(1)}},
    1 - 2j,
    np.float32(1.5),
    np.bool_(True),
    np.datetime64("2026-11-29"),
    np.str_("word"),
]


@pytest.mark.parametrize("value", SAME, ids=lambda value: type(value).__name__)
def test_it_comes_back_as_what_it_was(value: Any) -> None:
    came = back(value)
    assert came == value
    assert type(came) is type(value)
    for holder in ([value, 1], {"key": (value, "x")}, [[{"deep": [value]}]]):
        assert back(holder) == (holder if not isinstance(holder, dict) else {"key": [value, "x"]})


SECOND_TIMES = [dt.datetime(2026, 10, 25, 2, 30, fold=1), dt.time(2, fold=1)]  # noqa: DTZ001


@pytest.mark.parametrize("value", SECOND_TIMES, ids=lambda value: type(value).__name__)
def test_the_second_time_of_an_hour_stays_the_second(value: Any) -> None:
    assert back(value).fold == 1


def test_a_zone_stays_a_zone() -> None:
    zone = zoneinfo.ZoneInfo("America/New_York")
    assert back(dt.datetime(2026, 1, 1, tzinfo=zone)).tzinfo == zone


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12).reshape(3, 4),
        np.arange(24, dtype=">i2").reshape(2, 3, 4),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(10)[::3],
        np.array(3.5),
        np.empty((0, 3), np.float16),
        np.array(["a", "long text"]),
        np.array([b"x", b"yz"]),
        np.array(["2026-01-01", "NaT"], dtype="datetime64[ns]"),
        np.array([1 + 2j], dtype=np.complex64),
        np.array([], dtype=bool),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_comes_back_with_type_and_shape(array: Any) -> None:
    came = back({"array": array})["array"]
    assert came.dtype == array.dtype
    assert came.shape == array.shape
    np.testing.assert_array_equal(came, array)
    assert came.flags.writeable


class Named(NamedTuple):
    a: int
    b: Any


@dataclasses.dataclass
class Point:
    x: int
    when: Any


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Named(1, dt.date(2026, 1, 1)), [1, dt.date(2026, 1, 1)]),
        (Point(1, {2, 3}), {"x": 1, "when": {2, 3}}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        ((1, (2, 3)), [1, [2, 3]]),
        (bytearray(b"x"), b"x"),
        (type("Text", (str,), {})("x"), "x"),
        ({1: "a", 1.5: "b", None: "c", b"d": True}, {1: "a", 1.5: "b", None: "c", b"d": True}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_derived_comes_back_as_its_base(value: Any, expected: Any) -> None:
    assert back(value) == expected


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [0, 1, 2, object()]}, "['a'][3]"),
        ([[[lambda: None]]], "[0][0][0]"),
        (({"x": np.array([object()])},), "[0]['x']"),
        (np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), ""),
        (Point(1, [iter(())]), "['when'][0]"),
        ({dt.date(2026, 1, 1): sys}, "[datetime.date(2026, 1, 1)]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_travel_is_named_by_its_path(value: Any, path: str) -> None:
    with pytest.raises(UnsendableError) as caught:
        packed(value)
    assert caught.value.path == path


def test_what_holds_itself_is_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises((RecursionError, UnsendableError)):
        packed(ring)


def test_plain_values_are_not_walked_through() -> None:
    value = {"a": [1, 2.5, "x", None], "b": b"y"}
    assert sendable(value["a"]) is value["a"]
    assert sendable({"a": 1}) == {"a": 1}


Scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.dates(),
    st.datetimes(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.complex_numbers(allow_nan=False),
)


@given(
    st.recursive(
        Scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(Scalars, inner, max_size=4),
            st.frozensets(Scalars, max_size=4),
        ),
        max_leaves=12,
    )
)
def test_any_value_of_these_comes_back(value: Any) -> None:
    assert back(value) == value


# ------------------------------------------------------------------ hostile bytes


class Colour(enum.Enum):
    RED = 1


def ext(code: int, content: Any) -> bytes:
    return msgspec.msgpack.encode(msgspec.msgpack.Ext(code, msgspec.msgpack.encode(content)))


def test_no_module_is_imported_because_a_worker_names_it() -> None:
    module = "this"  # prints a poem when imported
    assert module not in sys.modules
    assert _decode(ext(Code.ENUM, [module, "Zen", "OF"])) == "OF"
    assert module not in sys.modules
    assert _decode(ext(Code.ENUM, [__name__, "Colour", "RED"])) is Colour.RED
    assert _decode(ext(Code.ENUM, ["os", "system", "RED"])) == "RED"


def test_a_worker_imports_what_its_caller_names() -> None:
    sys.modules.pop("colorsys", None)
    assert _decode_importing(ext(Code.ENUM, ["http", "HTTPStatus", "OK"])) is http.HTTPStatus.OK


@pytest.mark.parametrize(
    "content",
    [
        ext(Code.ARRAY, ["O", [1], b"12345678"]),
        ext(Code.ARRAY, ["|O8", [1], b"12345678"]),
        ext(Code.ARRAY, ["i8,O", [1], b"12345678"]),
        ext(Code.ARRAY, ["<f8", [10**9], b"12345678"]),
        ext(Code.ARRAY, ["<f8", [1, 2], b"1234567"]),
        ext(Code.ARRAY, ["<U999999999", [1], b"1234"]),
        ext(Code.ARRAY, [["O"], [1], b""]),
        ext(Code.NUMPY_SCALAR, ["<f8", b""]),
        ext(Code.DATETIME, ["yesterday", 0, None]),
        ext(Code.DATETIME, ["2026-01-01", 0, "../../etc/passwd"]),
        ext(Code.TIMEDELTA, [10**18, 0, 0]),
        ext(Code.DECIMAL, [1, 2]),
        ext(Code.PATH, ["os", "x"]),
        ext(Code.SET, [{}]),
        ext(Code.INT, "xyz"),
        ext(Code.ENUM, [1, 2, 3]),
        ext(Code.ENUM, [__name__, "Colour", "BLUE"]),
        ext(Code.DICT, [[1]]),
        ext(99, 1),
        msgspec.msgpack.encode(msgspec.msgpack.Ext(Code.UUID, b"short")),
        msgspec.msgpack.encode(msgspec.msgpack.Ext(Code.SET, b"\xc1")),
    ],
)
def test_an_extension_that_is_not_ours_is_an_error_of_the_value(content: bytes) -> None:
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        _decode(content)


def test_not_a_number_comes_back_too() -> None:
    assert math.isnan(back([math.nan])[0])
    assert back(decimal.Decimal("NaN")).is_nan()
