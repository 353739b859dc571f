"""The messages: each survives the wire, and whatever is not exactly a message is refused."""

import string
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_worker import protocol
from orchestrator_worker.protocol import Command, Message, Reply

TEXT = st.text(alphabet=string.printable + "零九é", max_size=12)
ALL_MESSAGES = (*get_args(Command), *get_args(Reply))


def _strategy(annotation: Any) -> st.SearchStrategy[Any]:
    """Build instances of an annotation by walking msgspec's own view of it, so that a new field is covered at once."""
    return _from_info(msgspec.inspect.type_info(annotation))


def _from_info(info: Any) -> st.SearchStrategy[Any]:
    i = msgspec.inspect
    simple = {
        i.StrType: TEXT,
        i.BoolType: st.booleans(),
        i.NoneType: st.none(),
        i.BytesType: st.binary(max_size=12),
        i.AnyType: st.one_of(st.none(), TEXT, st.integers(-5, 5)),
        i.IntType: st.integers(-(2**62), 2**62),
        i.FloatType: st.floats(allow_nan=False, allow_infinity=False),
    }
    if type(info) in simple:
        return simple[type(info)]
    if isinstance(info, i.LiteralType):
        return st.sampled_from(info.values)
    if isinstance(info, i.ListType):
        return st.lists(_from_info(info.item_type), max_size=2)
    if isinstance(info, i.DictType):
        return st.dictionaries(_from_info(info.key_type), _from_info(info.value_type), max_size=2)
    if isinstance(info, i.UnionType):
        return st.one_of([_from_info(item) for item in info.types])
    if isinstance(info, i.StructType):
        return st.builds(info.cls, **{field.name: _from_info(field.type) for field in info.fields})
    raise AssertionError(f"no strategy for {info}")


def test_every_message_class_is_in_a_union() -> None:
    declared = {
        thing for thing in vars(protocol).values() if isinstance(thing, type) and issubclass(thing, Message)
    } - {Message}
    assert declared == set(ALL_MESSAGES)


@pytest.mark.parametrize("message_type", ALL_MESSAGES, ids=lambda cls: cls.__name__)
@settings(deadline=None)  # no time is asserted, and a busy machine is slow
@given(data=st.data())
def test_round_trip(message_type: type[Message], data: st.DataObject) -> None:
    message = data.draw(_strategy(message_type))
    side = Command if message_type in get_args(Command) else Reply
    encoded = msgspec.msgpack.encode(message)
    assert msgspec.msgpack.decode(encoded, type=side) == message
    assert msgspec.msgpack.decode(encoded)["type"] == message_type.__name__


@pytest.mark.parametrize(
    "document",
    [
        {"type": "Unload"},
        {"type": "Unload", "id": "1"},
        {"type": "Unload", "id": 1, "more": 2},
        {"type": "Nonsense", "id": 1},
        {"id": 1},
        [],
        None,
        {"type": "Run", "id": 1, "job": {"task": 3}},
        {"type": "Load", "id": 1, "model": {"engine": "x"}},
    ],
)
def test_whatever_is_not_exactly_a_command_is_refused(document: object) -> None:
    encoded = msgspec.msgpack.encode(document)
    with pytest.raises(msgspec.DecodeError):
        msgspec.msgpack.decode(encoded, type=Command)
