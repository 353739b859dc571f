"""What single values in an experiments.toml look like: names, sizes, variables; and each pattern in words."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
OUTPUT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*\.json$"
TEXT_PATTERN = r"^[^\x00]+$"
SIZE_PATTERN = r"^\s*[0-9]+(\.[0-9]+)?\s*([KMGkmg]?[iI]?[bB])?\s*$"
VARIABLE_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
VARIABLE_VALUE_PATTERN = r"^[^\x00]*$"
ALLOCATOR_PATTERN = r"^(jemalloc|mimalloc|[^\x00]*/[^\x00]+)$"
PATTERN_WORDS = {
    NAME_PATTERN: "letters, digits, '.', '_' and '-', a letter or digit first",
    OUTPUT_PATTERN: "a file name of letters, digits, '.', '_' and '-' that ends in .json",
    TEXT_PATTERN: "text without NUL characters",
    SIZE_PATTERN: 'bytes, or text such as "1.5GiB"',
    VARIABLE_NAME_PATTERN: "the name of an environment variable: letters, digits and '_', no digit first",
    VARIABLE_VALUE_PATTERN: "text without NUL characters",
    ALLOCATOR_PATTERN: '"jemalloc", "mimalloc", or the path of a shared library, with a "/" in it',
}
"""Every pattern used here, in words for people."""

StopRule = Literal["settled", "never"]
"""When a method may end before its last iteration: once its verdict is settled, or never."""
Positive = Annotated[int, Meta(ge=1)]
Text = Annotated[str, Meta(min_length=1, pattern=TEXT_PATTERN)]
Name = Annotated[str, Meta(pattern=NAME_PATTERN)]
VariableName = Annotated[str, Meta(pattern=VARIABLE_NAME_PATTERN)]
VariableValue = Annotated[str, Meta(pattern=VARIABLE_VALUE_PATTERN)]
Environment = dict[VariableName, VariableValue]
Size = Positive | Annotated[str, Meta(pattern=SIZE_PATTERN)]
"""Bytes, or text such as ``"1.5GiB"``; :mod:`.sizes` reads it."""
