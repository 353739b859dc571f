"""Text in the parent: comparing, converting and laying out what engines found. No engine, no process."""

from orchestrator.text.itn import inverse_normalize
from orchestrator.text.zh_tw import ZhTwStream, to_zh_tw

__all__ = ["ZhTwStream", "inverse_normalize", "to_zh_tw"]
