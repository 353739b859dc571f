"""When each word of a recording is said, and what is done where that was not found.

In reading order:

- ``speech``: where somebody speaks, and times shared out over that alone
- ``word_times``: the words of a piece, all of them: found, or interpolated
- ``summary``: how much of a document was aligned
- ``anchors``: which part of a given text is said in which piece
- ``given_text``: the step that takes a text as known
- ``align_words``: the step that gives every word its time
"""

from orchestrator.pipeline.alignment.align_words import AlignWords
from orchestrator.pipeline.alignment.given_text import GivenText
from orchestrator.pipeline.alignment.speech import FindSpeech

__all__ = ["AlignWords", "FindSpeech", "GivenText"]
