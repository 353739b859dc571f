"""The flags that ``transcribe``, ``align`` and ``batch`` share: what each takes, and what ``--help`` says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from orchestrator.pipeline import ReadingSpeed

ChineseName = Literal["zh-TW", "itn", "off"]

Formats = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        help="txt, json, srt, vtt, tsv; several with commas, or all. Default: by the ending of --out.",
    ),
]
MaxLineWidth = Annotated[
    int,
    typer.Option(
        "--max-line-width", min=8, help="Columns of a subtitle's line; a Chinese character takes two."
    ),
]
MaxLines = Annotated[int, typer.Option("--max-lines", min=1, help="Lines of a subtitle.")]
MaxCps = Annotated[
    float | None,
    typer.Option(
        "--max-cps",
        min=1.0,
        help="Characters a second: subtitles stay, where there is room, until they can be read.",
    ),
]
HighlightWords = Annotated[
    bool, typer.Option("--highlight-words", help="WebVTT shows the words as they are said.")
]
Profile = Annotated[str, typer.Option(help="auto, qwen3, embedded, or another profile.")]
Config = Annotated[
    Path | None, typer.Option(help="File with the models; default: experiments.toml, else our own.")
]
TranscribingModel = Annotated[str, typer.Option("--model", help="The model or role that transcribes.")]
AligningModel = Annotated[
    str, typer.Option("--aligner", help="The model or role that aligns words with the audio.")
]
Language = Annotated[str | None, typer.Option(help="Overrides the model's.")]
WordTimes = Annotated[
    bool | None,
    typer.Option("--align/--no-align", help="Word times; default: for formats that have times."),
]
Chinese = Annotated[
    ChineseName,
    typer.Option(help="Chinese as Taiwan writes it and numbers in digits; digits only; or as heard."),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes; default: by cores.")]
MemoryBudget = Annotated[
    str | None,
    typer.Option(help='Of all workers together, such as "4GiB" or "50%"; default: by the machine.'),
]
Recycling = Annotated[
    str | None,
    typer.Option(
        metavar="auto|off|N",
        help="When workers are replaced: before they break the memory budget, never, or after N jobs; "
        "default: as [recycle] in the file says, else auto.",
    ),
]
Exclusive = Annotated[bool, typer.Option("--exclusive", help="One model in memory at a time.")]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Keep no converted copies, and nothing to go on from.")
]
TimeoutS = Annotated[float | None, typer.Option("--timeout-s", min=0.001, help="Seconds a job may take.")]


@dataclass(frozen=True, slots=True)
class Layout:
    """How subtitles are to be laid out, as the flags say."""

    max_line_width: int = 42
    max_lines: int = 2
    max_cps: float | None = None
    highlight_words: bool = False

    def reading_speed(self) -> ReadingSpeed:
        """Return it as the library takes it."""
        from orchestrator.pipeline import ReadingSpeed

        return ReadingSpeed(
            columns=self.max_line_width,
            most_lines=self.max_lines,
            characters_per_s=self.max_cps,
            highlight_words=self.highlight_words,
        )
