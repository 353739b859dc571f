"""Inverse text normalisation of Chinese: what was said becomes what one writes.

::

    text ─ fold ─ keep words ─ runs of numerals ─ rules, in order ─ rewrites ─ text

A :class:`~.scene.Scene` has the text and its runs; a rule looks at a run and its surroundings and returns what it
makes of it. :mod:`.normalizer` has the order of the rules.

In reading order:

- ``characters``: the characters of spoken numbers, and one form of each for the rules to look at
- ``cardinals``: read a run of numerals as one number: 三百零五, 一百二 (120), 两万五 (25000), 一亿两千万
- ``kept_words``: words with numerals in them that are no numbers: they stay as they are
- ``word_borders``: numerals that belong to a word are no numbers: 统一零售价, 第一百货, 十月革命
- ``scene``: the text under work
- ``amounts``: numbers before anything else: 三十五个人 → 35个人, 十二块五 → 12块5, 五公里 → 5公里
- ``clock``: 下午三点十五分 → 下午3点15分, 三点半 → 3点半: times of day, their signs stay
- ``dates``: 二零二六年十一月二十一日 → 2026年11月21日: each part of a date by itself, its sign stays
- ``digit_strings``: 零九零零零七三三三一 → 0900073331: digits read one by one, of any length, with or without pauses
- ``ranges``: 三到五分钟 → 3到5分钟: both ends of a range
- ``ratios``: 百分之二十五 → 25%, 三分之一 → 1/3, 三点一四 → 3.14, 三比二 → 3:2
- ``normalizer``: put the rules in order and their rewrites into the text
"""

from orchestrator.text.itn.normalizer import inverse_normalize

__all__ = ["inverse_normalize"]
