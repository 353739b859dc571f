"""Inverse text normalisation of Chinese: what was said becomes what one writes.

::

    text ─ fold ─ keep words ─ runs of numerals ─ rules, in order ─ rewrites ─ text

A :class:`~.scene.Scene` has the text and its runs; a rule looks at a run and its surroundings and returns what it
makes of it. :mod:`.normalizer` has the order of the rules.
"""

from orchestrator.text.itn.normalizer import inverse_normalize

__all__ = ["inverse_normalize"]
