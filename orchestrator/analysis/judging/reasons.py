"""Why a verdict was given, as facts with numbers; the one place that puts those of a single series into words.

A fact is what the analysis found: its kind, and the numbers that belong to it. Words are made of it when they are
shown, so that no sentence can say anything that its numbers do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.analysis.judging.pace import Amount, Per, outlook_words, span_words

ReasonKind = Literal[
    "too-few",
    "grows",
    "sets-in-late",
    "grows-in-steps",
    "has-a-cycle",
    "grows-unseen-end",
    "grows-and-slows",
    "slowing",
    "given-back",
    "interval-holds-zero",
    "within-tolerance",
    "within-tolerance-slowing",
    "stays",
    "hardly-grows",
    "falls",
    "rose-and-rests",
    "rose-and-hardly-grows",
    "within-bounds",
    "growth-ahead-improbable",
    "keeps-its-largest",
    "rare-events-unseen",
    "few-steps",
    "may-be-coming-to-rest",
    "slows-down",
    "warm-up-not-over",
    "noise-hides",
    "growth-cannot-be-excluded",
]

_WORDS: Mapping[ReasonKind, str] = {
    "too-few": "only {count}: too few to tell a leak from a warm-up",
    "grows": "grows by {rate:.3g} {unit} per {per} {since} and does not slow down",
    "sets-in-late": "the growth sets in, or quickens, late in the record",
    "grows-in-steps": "the growth comes in steps that keep coming",
    "has-a-cycle": "a movement that repeats ({form}, {size:.3g} {unit}) was taken out of the trend",
    "grows-unseen-end": "a buffer or cache that is given back only after more than {span}"
    " would look the same",
    "grows-and-slows": "grows by {rate:.3g} {unit} per {per} and slows down, with {ahead:.3g}"
    " per {per} still to be expected ahead",
    "slowing": "grew by {before:.3g} {unit} per {per} before and by {after:.3g} since: it slows"
    " down, as a cache that fills does",
    "given-back": "{fall:.3g} of {range:.3g} {unit} were given back by {at}: what was"
    " freed once was not lost",
    "interval-holds-zero": "seems to grow by {rate:.3g} {unit} per {per}, but the interval of"
    " the rate includes 0",
    "within-tolerance": "grows by {rate:.3g} ± {half:.2g} {unit} per {per}, within the accepted"
    " {tolerance:.3g}: {outlook}",
    "within-tolerance-slowing": "grows by {rate:.3g} ± {half:.2g} {unit} per {per} and slows"
    " down, within the accepted {tolerance:.3g}",
    "stays": "stays at its first level: any growth is below {high:.2g} {unit} per {per}",
    "hardly-grows": "grows by less than {high:.2g} {unit} per {per}, far within the accepted {tolerance:.3g}",
    "falls": "falls by {rate:.3g} {unit} per {per}",
    "rose-and-rests": "rose by {rise:.3g} {unit} and then came to rest",
    "rose-and-hardly-grows": "rose by {rise:.3g} {unit}, and grows by less than {high:.2g} per"
    " {per} since, far within the accepted {tolerance:.3g}",
    "within-bounds": "moves up and down within bounds that do not rise",
    "growth-ahead-improbable": "further growth above {tolerance:.3g} {unit} per {per} is unlikely",
    "keeps-its-largest": "it keeps the largest size that it ever needed, last raised at {at}:"
    " within ten times as long it needs more with a probability of 90 %; plan for about"
    " {room:.3g} {unit} more",
    "rare-events-unseen": "events that are rarer than one in {span} may not be in this record",
    "few-steps": "growth comes in a few steps: a filling pool and a leak of large blocks look the"
    " same so far; if such steps went on at random it would be up to {bound:.3g} {unit} per {per}",
    "may-be-coming-to-rest": "grows by {rate:.3g} {unit} per {per} so far, but may be coming to rest",
    "slows-down": "the growth slows down, but is not seen to have come to rest",
    "warm-up-not-over": "the warm-up may not be over",
    "noise-hides": "the noise hides the slope: between {low:.3g} and {high:.3g} {unit} per {per}",
    "growth-cannot-be-excluded": "between {low:.3g} and {high:.3g} {unit} per {per} so far, but"
    " growth that set in late cannot be excluded",
}

SettleKind = Literal[
    "at-least",
    "as-many",
    "as-many-rest",
    "as-many-steps",
    "as-many-back",
    "until-slower",
    "about",
    "too-many",
    "tolerance",
]

_SETTLE: Mapping[SettleKind, str] = {
    "at-least": "at least {count}",
    "as-many": "{more}",
    "as-many-rest": "{more}, to see whether it comes to rest",
    "as-many-steps": "{more}: no further step would mean a pool, three more a leak",
    "as-many-back": "{more}: a leak rises above the {level:.4g} {unit} it came down from and stays there",
    "until-slower": "about {more}: if it goes on slowing down like this,"
    " it is then within the accepted {tolerance:.3g} {unit} per {per}",
    "about": "about {more}",
    "too-many": "over {times:.0f} times as many {per}s: with this much noise, another lever gives an answer sooner",
    "tolerance": "nothing more to measure: a smaller or larger tolerance says whether growth of this"
    " size matters",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One fact about a series.

    Attributes:
        kind: What was found.
        numbers: Its numbers by name; rates, and the amounts ``span``, ``at``, ``since`` and ``more``, count by
            iteration or by hour as the series does. Texts that belong to it are there too.
    """

    kind: ReasonKind
    numbers: Mapping[str, float | str] = field(default_factory=dict[str, "float | str"])

    def words(self, unit: str, per: Per = "iteration") -> str:
        """Return the fact as a sentence without a stop; ``unit`` is what the readings count."""
        return _WORDS[self.kind].format(unit=unit, per=per, **_said(self.numbers, unit, per))


@dataclass(frozen=True, slots=True)
class Settling:
    """What would settle an open verdict; fields as those of :class:`Reason`."""

    kind: SettleKind
    numbers: Mapping[str, float | str] = field(default_factory=dict[str, "float | str"])

    def words(self, unit: str, per: Per = "iteration") -> str:
        """Return it as words that can follow ``to settle it:``."""
        return _SETTLE[self.kind].format(unit=unit, per=per, **_said(self.numbers, unit, per))


def _said(numbers: Mapping[str, float | str], unit: str, per: Per) -> dict[str, Amount | str]:
    """Return the numbers with the amounts of iterations or time in words."""
    said = {name: value if isinstance(value, str) else Amount(value) for name, value in numbers.items()}
    for name, value in numbers.items():
        if isinstance(value, str):
            continue
        if name == "span":
            said[name] = span_words(value, per)
        elif name == "more":
            said[name] = span_words(value, per, " more")
        elif name == "at":
            said[name] = (
                f"iteration {value:.0f}" if per == "iteration" else f"{span_words(value, per)} of the record"
            )
        elif name == "since":
            said[name] = (
                f"after {span_words(value, per)} of warm-up" if value else f"from the first {_FIRST[per]} on"
            )
    if isinstance(rate := numbers.get("rate"), float):
        took = numbers.get("iteration_s")
        said["outlook"] = outlook_words(rate, unit, per, took if isinstance(took, float) else None)
    return said


_FIRST: Mapping[Per, str] = {"iteration": "iteration", "hour": "reading"}
