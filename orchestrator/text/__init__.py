"""Text in the parent: comparing, converting and laying out what engines found. No engine, no process.

In reading order:

- ``metrics``: compare a transcript with its reference: word and character error rate, in per cent
- ``opencc_dictionaries``: what OpenCC knows of characters, phrases and Taiwan's words
- ``segmentation``: where words begin and end in Chinese
- ``word_senses``: which of Taiwan's own words stands for a word here: 支援 or 支持
- ``zh_tw``: chinese as it is written in Taiwan, from simplified Chinese
- ``word_times``: the times of words stay theirs when their text is rewritten
- ``chinese``: what is done with a transcript in Chinese
"""

from orchestrator.text.itn import inverse_normalize
from orchestrator.text.zh_tw import ZhTwStream, to_zh_tw

__all__ = ["ZhTwStream", "inverse_normalize", "to_zh_tw"]
