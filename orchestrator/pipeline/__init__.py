"""Recordings in, text and word times out: the steps people do with a pool, in order.

::

    from orchestrator import Pool
    from orchestrator.pipeline import AlignWords, Pipeline, Recognize, render

    with Pool("experiments.toml", profile="embedded", workers=2) as pool:
        pipeline = Pipeline([Recognize("asr-small"), AlignWords("aligner")], pool)
        print(render(pipeline.run("talk.mp4"), "srt"))

In reading order:

- ``scripts``: which scripts have no spaces, and where their lines may break
- ``recording``: one audio or video file, ready for workers: decoded once, read piece by piece
- ``piece_warnings``: what speaks against one piece of a recording
- ``document``: what a pipeline makes of one recording
- ``progress``: how far the recordings are that this process works on
- ``work``: the work on one recording
- ``kept_results``: what its jobs have given so far, on disk, for a command that was killed
- ``output``: where documents go
- ``steps``: what a pipeline does, one step at a time
- ``pipeline``: steps, one after the other, for one recording or for many
- ``assembly``: the steps and models that commands and the server share
- ``async_pipeline``: a pipeline for asyncio
"""

from orchestrator.pipeline.alignment import AlignWords, FindSpeech, GivenText
from orchestrator.pipeline.async_pipeline import AsyncPipeline
from orchestrator.pipeline.document import AlignmentSummary, Document, Segment
from orchestrator.pipeline.piece_warnings import PieceWarning
from orchestrator.pipeline.pipeline import Pipeline
from orchestrator.pipeline.recording import Recording
from orchestrator.pipeline.steps import Recognize, Rewrite, Step, WriteChinese
from orchestrator.pipeline.subtitles import FORMATS, Cue, ReadingSpeed, cues, render
from orchestrator.pipeline.work import JobRunner, PartialText, Work

__all__ = [
    "FORMATS",
    "AlignWords",
    "AlignmentSummary",
    "AsyncPipeline",
    "Cue",
    "Document",
    "FindSpeech",
    "GivenText",
    "JobRunner",
    "PartialText",
    "PieceWarning",
    "Pipeline",
    "ReadingSpeed",
    "Recognize",
    "Recording",
    "Rewrite",
    "Segment",
    "Step",
    "Work",
    "WriteChinese",
    "cues",
    "render",
]
