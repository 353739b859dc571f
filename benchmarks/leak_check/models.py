"""The models that the functions of pydantic validate."""

from collections.abc import Iterable

from pydantic import BaseModel, TypeAdapter

__all__ = ["Branch", "Leaf", "Trace", "TypeAdapter"]


class Leaf(BaseModel):
    """Nothing in it."""


class Branch(BaseModel):
    """Contains itself."""

    children: list["Branch"]
    leaf: Leaf


class Trace(BaseModel):
    """Has a lazy field."""

    elements: Iterable[int]
