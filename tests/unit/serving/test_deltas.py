"""Text that was sent cannot be taken back: the deltas put together are the text of the document."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("starlette", reason="needs the extra 'serve'")

from orchestrator.pipeline import Document, PartialText, Segment
from orchestrator.pool.stream import Chunk
from orchestrator.serving.events import Deltas
from orchestrator.text.chinese import ChineseText, write_chinese


def sent(pieces: list[list[Chunk]], wholes: list[str], chinese: ChineseText = "zh-TW") -> list[str]:
    deltas = Deltas(None, chinese)
    found: list[str] = []
    for chunks, whole in zip(pieces, wholes, strict=True):
        found += [deltas.take(PartialText(0, chunk)) for chunk in chunks]
        found.append(deltas.take(PartialText(0, Chunk(whole, final=True), done=True)))
    return [delta for delta in found if delta]


def document_text(wholes: list[str]) -> str:
    """Return the text as a document joins its segments."""
    segments = []
    for whole in wholes:
        written = write_chinese(whole.strip(), None, "zh-TW")
        text = whole.strip() if written is None else written.itn
        segments += [Segment(0, 1, text, text)] if text else []
    return Document("x", 1, segments).text


@given(st.lists(st.text("ab .我內存三五", max_size=8), max_size=5), st.data())
def test_the_deltas_are_the_text(wholes: list[str], data: st.DataObject) -> None:
    pieces = []
    for whole in wholes:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=3)))
        edges = [0, *cuts, len(whole)]
        pieces.append([Chunk(whole[a:b]) for a, b in pairwise(edges)])
    assert "".join(sent(pieces, wholes)) == document_text(wholes)


def test_latin_text_goes_out_as_it_comes() -> None:
    assert sent([[Chunk("one "), Chunk("two")]], ["one two"]) == ["one", " two"]


def test_text_that_is_revised_waits_until_it_is_whole() -> None:
    revised = [Chunk("one too"), Chunk("wo", replaces=2), Chunk(" three")]
    assert sent([[revised[0]], revised[1:]], ["one too", "three"])[0] == "one too"
    assert sent([[Chunk("t", replaces=1), Chunk("wo")]], ["two"]) == ["two"]


def test_pieces_are_joined_as_in_the_document() -> None:
    assert sent([[Chunk("one")], [Chunk("two")]], ["one", "two"]) == ["one", " two"]
    assert sent([[], []], ["我", "你"], "off") == ["我", "你"]
