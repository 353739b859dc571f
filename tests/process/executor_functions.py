"""What ``test_pool_executor`` has executors call: functions, methods, and an exception of its own."""

from __future__ import annotations

import builtins
import enum
from typing import Any

_remembered: list[Any] = []


class OwnError(Exception):
    def __init__(self, what: str, number: int) -> None:
        super().__init__(what, number)

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.args[1]}"


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Shape:
    @classmethod
    def named(cls, name: str) -> list[str]:
        return [cls.__name__, name]

    @staticmethod
    def doubled(number: int) -> int:
        return 2 * number


class Circle(Shape):
    """Has its class method from its base."""


def throw(name: str, *arguments: Any) -> None:
    kind = getattr(builtins, name)
    raise kind(*arguments)


def throw_own(what: str, number: int) -> None:
    raise OwnError(what, number)


def throw_imitation() -> None:
    raise type("ValueError", (Exception,), {"__module__": "elsewhere"})("imitated")


def look_at(value: Any, *_: Any, named: Any = None) -> list[Any]:
    return [f"{type(value).__name__} in {type(named).__name__}", value]


def doubled(number: int) -> int:
    return 2 * number


def transposed(array: Any) -> Any:
    return array.T


def first(array: Any) -> Any:
    return array[0, 0]


def unsendable() -> Any:
    return {"deep": [1, object()]}


def remember(value: Any) -> None:
    _remembered.append(value)


def remembered() -> list[Any]:
    return _remembered


def append(path: str, text: str) -> None:
    with open(path, "a") as file:
        file.write(text)
