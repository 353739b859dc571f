"""Where one subtitle ends and the next begins, by sense.

Every way to cut the tokens into cues that fit (width, lines, duration) has a cost; the cheapest is found by
dynamic programming over the tokens. A cue should end at the end of a sentence, else at a comma, else at a pause, and
it should be neither a word on its own nor cut in the middle of a phrase. A long pause always ends a cue: nobody
wants to read what is said three seconds later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from rich.cells import cell_len

from orchestrator.pipeline.document import Document
from orchestrator.pipeline.scripts import joint
from orchestrator.pipeline.subtitles.lines import lay_out
from orchestrator.pipeline.subtitles.tokens import Token, divided, tokens

SENTENCE_END = frozenset(".!?…。！？")
CLAUSE_END = frozenset(",;:，、；：—")
CLOSERS = "\"'”’»)]）」』】》"


@dataclass(frozen=True, slots=True)
class ReadingSpeed:
    """What a reader can take in, and how it is shown.

    Args:
        columns: Width of a line; a Chinese character takes two. 42 is what broadcasters use.
        most_lines: Lines of a cue.
        longest_s: A cue is not shown longer.
        shortest_s: A cue is shown at least so long where the next leaves room. Default: as long as its words are said.
        pause_s: Silence that always ends a cue.
        characters_per_s: Reading speed: texts are cut so that it is kept, and a cue stays longer than its words, where
            there is room, until it could be read. Default: no matter.
        highlight_words: WebVTT says when each word begins, and players show those to come in grey.
    """

    columns: int = 42
    most_lines: int = 2
    longest_s: float = 7.0
    shortest_s: float = 0.0
    pause_s: float = 1.2
    characters_per_s: float | None = None
    highlight_words: bool = False


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: its text, the same laid out in lines, and its words. Milliseconds from the recording's start."""

    start_ms: int
    end_ms: int
    text: str
    lines: tuple[str, ...]
    words: tuple[Token, ...] = field(default=(), compare=False, repr=False)


def cues(document: Document, speed: ReadingSpeed | None = None) -> list[Cue]:
    """Return the subtitles of a document, in order and without overlap.

    Each begins with its first word and ends with its last, unless ``speed`` asks for time to read.
    """
    speed = speed or ReadingSpeed()
    runs = _runs(_joined(document, speed), speed)
    found = [_cue(group, speed) for run in runs for group in _grouped(run, speed)]
    return _readable(found, document.duration_ms, speed)


def _joined(document: Document, speed: ReadingSpeed) -> list[Token]:
    """Return the tokens of all segments, with a space between segments where words have one."""
    spoken: list[Token] = []
    for segment in document.segments:
        found = [part for token in tokens(segment) for part in _handy(token, speed)]
        if spoken and found:
            space = joint(spoken[-1].text[-1], found[0].text[0])
            spoken[-1] = replace(spoken[-1], text=spoken[-1].text + space)
        spoken += found
    return spoken


def _handy(token: Token, speed: ReadingSpeed) -> Iterator[Token]:
    """Divide a word that is a whole sentence, as an aligner may make of Chinese; end one that swallowed a pause."""
    longest_ms = round(speed.longest_s * 1000)
    if cell_len(token.text.strip()) > speed.columns or token.end_ms - token.start_ms > longest_ms:
        parts = list(divided(token))
        if len(parts) > 1:
            yield from parts
            return
    yield replace(token, end_ms=min(token.end_ms, token.start_ms + longest_ms))


def _runs(spoken: Iterable[Token], speed: ReadingSpeed) -> list[list[Token]]:
    """Split where nobody speaks for long: no cue reaches over that."""
    runs: list[list[Token]] = []
    for token in spoken:
        if runs and token.start_ms - runs[-1][-1].end_ms < speed.pause_s * 1000:
            runs[-1].append(token)
        else:
            runs.append([token])
    return runs


def _grouped(run: Sequence[Token], speed: ReadingSpeed) -> list[Sequence[Token]]:
    """Return the cheapest grouping of the run's tokens."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(run) + 1):
        options: list[tuple[float, int]] = []
        for start in range(end - 1, -1, -1):
            group = run[start:end]
            if len(group) > 1 and not _fits(group, speed):
                break
            after = run[end] if end < len(run) else None
            options.append((best[start][0] + _cost(group, after, speed), start))
        best.append(min(options))
    groups: list[Sequence[Token]] = []
    end = len(run)
    while end:
        start = best[end][1]
        groups.append(run[start:end])
        end = start
    return groups[::-1]


def _fits(group: Sequence[Token], speed: ReadingSpeed) -> bool:
    short = group[-1].end_ms - group[0].start_ms <= speed.longest_s * 1000
    return short and lay_out(_text(group), speed.columns, speed.most_lines) is not None


def _cost(group: Sequence[Token], after: Token | None, speed: ReadingSpeed) -> float:
    """Say how bad this cue is: a fixed price, its end, its shortness, sentences that end inside it."""
    text = _text(group)
    fullness = min(1.0, len(text) / (speed.columns * speed.most_lines))
    inner = sum(_ends(token.text, SENTENCE_END) for token in group[:-1])
    hurry = _hurry(group, text, after, speed)
    return 1.0 + _end_cost(group[-1], after) + 1.5 * (1 - fullness) ** 2 + 0.8 * inner + 3.0 * hurry


def _hurry(group: Sequence[Token], text: str, after: Token | None, speed: ReadingSpeed) -> float:
    """Say by what share a cue is too quick to be read, the silence after it counted."""
    if speed.characters_per_s is None or after is None:
        return 0.0
    shown_s = max(0.001, (after.start_ms - group[0].start_ms) / 1000)
    return max(0.0, len(text) / shown_s / speed.characters_per_s - 1)


def _end_cost(last: Token, after: Token | None) -> float:
    if after is None or _ends(last.text, SENTENCE_END):
        return 0.0
    pause_s = (after.start_ms - last.end_ms) / 1000
    relief = min(1.5, 3.0 * max(0.0, pause_s))
    return (0.8 if _ends(last.text, CLAUSE_END) else 2.5) - min(
        relief, 0.7 if _ends(last.text, CLAUSE_END) else 1.5
    )


def _ends(text: str, marks: frozenset[str]) -> bool:
    bare = text.rstrip().rstrip(CLOSERS)
    return bool(bare) and bare[-1] in marks


def _cue(group: Sequence[Token], speed: ReadingSpeed) -> Cue:
    text = _text(group)
    lines = lay_out(text, speed.columns, speed.most_lines) or (text,)
    return Cue(group[0].start_ms, group[-1].end_ms, text, lines, tuple(group))


def _text(group: Sequence[Token]) -> str:
    return " ".join("".join(token.text for token in group).split())


def _readable(found: Sequence[Cue], duration_ms: int, speed: ReadingSpeed) -> list[Cue]:
    """Let each cue stand until it could be read, if that is wanted and the next one leaves room."""
    shown: list[Cue] = []
    for cue, after in zip_longest(found, found[1:]):
        to_read_s = len(cue.text) / speed.characters_per_s if speed.characters_per_s else 0.0
        wanted_s = max(speed.shortest_s, min(to_read_s, speed.longest_s))
        room_ms = after.start_ms if after else max(duration_ms, cue.end_ms)
        wanted_ms = max(cue.end_ms, cue.start_ms + round(wanted_s * 1000))
        start_ms = max(cue.start_ms, shown[-1].end_ms if shown else 0)
        shown.append(replace(cue, start_ms=start_ms, end_ms=max(start_ms + 1, min(wanted_ms, room_ms))))
    return shown
