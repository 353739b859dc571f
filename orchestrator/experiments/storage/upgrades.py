"""Bring a document of an older schema up to the present one, or refuse it with a clear word.

Each kind of file has its own chain: from-version → function that makes the next version's document. Schema
1 is the first of every kind; whoever raises a schema number adds the step that leads to it, and a file of the schema
before to ``tests/data/earlier_schemas``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.errors import ResultsError

Document = dict[str, Any]
Chain = Mapping[int, Callable[[Document], Document]]
ERROR_WORDS = {"remedy": "how_to_get_it", "last_words": "stderr_tail"}
"""What runs of schema 1 and result files of schema 2 called facts of an error, and what the errors call them."""


def upgrade(document: Document, schema: object, *, current: int, chain: Chain, where: str) -> Document:
    """Return ``document``, written under ``schema``, as a document of schema ``current``.

    ``chain[n]`` turns a document of schema n into one of n + 1; it may change what it is given. ``where``
    names the file in errors.

    Raises:
        ResultsError: ``schema`` is no version number, newer than ours, or older than the chain reaches.
    """
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ResultsError(
            f"{where}: its schema is {schema!r}, which is no version number; is it a file of ours?"
        )
    if schema > current:
        raise ResultsError(
            f"{where}: written by a newer version of orchestrator (schema {schema}, this one knows up to "
            f"{current}); upgrade orchestrator to read it"
        )
    for version in range(schema, current):
        if version not in chain:
            raise ResultsError(
                f"{where}: schema {version} is too old to be read (this version writes {current}); "
                "measure again, or read it with the version of orchestrator that wrote it"
            )
        document = chain[version](document)
    return document
