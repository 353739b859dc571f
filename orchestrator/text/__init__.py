"""Text in the parent: comparing, converting and laying out what engines found. No engine, no process.

In reading order:

- ``metrics``: compare a transcript with its reference: word and character error rate, in per cent
- ``phrase_matching``: replace dictionary phrases in text that still grows
- ``zh_tw``: chinese as it is written in Taiwan, from simplified Chinese
- ``chinese``: what is done with a transcript in Chinese
"""

from orchestrator.text.itn import inverse_normalize
from orchestrator.text.zh_tw import ZhTwStream, to_zh_tw

__all__ = ["ZhTwStream", "inverse_normalize", "to_zh_tw"]
