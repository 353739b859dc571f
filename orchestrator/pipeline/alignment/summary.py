"""How much of a document was aligned, in numbers and in one sentence. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from orchestrator.pipeline.alignment.word_times import is_said
from orchestrator.pipeline.document import AlignmentSummary, Segment


def summary(segments: Sequence[Segment]) -> AlignmentSummary:
    """Count how the words of these segments came to their times."""
    timings = Counter(word.timing for segment in segments for word in segment.words)
    words = timings.total()
    skipped = sum(is_said(text) for segment in segments for text in segment.skipped)
    found = words - timings["interpolated"]
    return AlignmentSummary(
        words=words,
        aligned=timings[None],
        by_rule=timings["by-rule"],
        widened=timings["widened"],
        interpolated=timings["interpolated"],
        skipped=skipped,
        share=round(found / (words + skipped), 4) if words + skipped else 0.0,
    )


def sentence(found: AlignmentSummary) -> str:
    """Return the numbers in words: ``aligned 95 % of 850 words: 20 in a wider search, 38 interpolated``."""
    parts = [
        f"{count} {what}"
        for count, what in (
            (found.by_rule, "pronounced by rule"),
            (found.widened, "in a wider search"),
            (found.interpolated, "interpolated"),
            (found.skipped, "left out: not said, or without room in the recording"),
        )
        if count
    ]
    all_words = found.words + found.skipped
    percent = int(found.share * 100)  # 99.9 % is not all of them
    count = "1 word" if all_words == 1 else f"{all_words} words"
    return f"aligned {percent} % of {count}" + (f": {', '.join(parts)}" if parts else "")
