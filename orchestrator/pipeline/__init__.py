"""Recordings in, text and word times out: the steps people do with a pool, in order.

::

    from orchestrator import Pool
    from orchestrator.pipeline import AlignWords, Pipeline, Recognize, render

    with Pool("experiments.toml", profile="embedded", workers=2) as pool:
        pipeline = Pipeline([Recognize("asr-small"), AlignWords("aligner")], pool)
        print(render(pipeline.run("talk.mp4"), "srt"))

Reading order: :mod:`.document` (what comes out), :mod:`.recording` (what goes in, cut into pieces when it is
long), :mod:`.work` (its jobs on the pool), :mod:`.steps` (what is done), :mod:`.pipeline` and
:mod:`.async_pipeline` (one step after the other), :mod:`.subtitles` (the document as files).
"""

from orchestrator.pipeline.async_pipeline import AsyncPipeline
from orchestrator.pipeline.document import Document, Segment
from orchestrator.pipeline.pipeline import Pipeline
from orchestrator.pipeline.recording import Recording
from orchestrator.pipeline.steps import AlignWords, GivenText, Recognize, Rewrite, Step, WriteChinese
from orchestrator.pipeline.subtitles import FORMATS, Cue, ReadingSpeed, cues, render
from orchestrator.pipeline.work import JobRunner, PartialText, Work

__all__ = [
    "FORMATS",
    "AlignWords",
    "AsyncPipeline",
    "Cue",
    "Document",
    "GivenText",
    "JobRunner",
    "PartialText",
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
