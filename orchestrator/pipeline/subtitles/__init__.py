"""Subtitles by sense: timed tokens, grouped into cues, laid out in lines, written as SRT, WebVTT, TSV. Pure.

Reading order: :mod:`.tokens` (which words of the text were heard when), :mod:`.cues` (where one subtitle ends and the
next begins), :mod:`.lines` (one or two lines of readable width), :mod:`.formats` (the bytes).
"""

from orchestrator.pipeline.subtitles.cues import Cue, ReadingSpeed, cues
from orchestrator.pipeline.subtitles.formats import FORMATS, render

__all__ = ["FORMATS", "Cue", "ReadingSpeed", "cues", "render"]
