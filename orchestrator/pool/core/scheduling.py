"""Which worker gets which model's next job, and who must go for it. Pure: views in, one step out.

The caller applies a step and asks again until there is none. Rules, in the order in which they bind:

1. Priorities: a model's head with a higher priority is served before any other. But a worker is not evicted for
   it, while jobs of its own model wait, before it has worked as long as its start took: else jobs of mixed priorities
   for more models than there are slots would have every worker loaded for a single job. The higher
   priority waits for at most so long, and for at most :data:`MOST_OVERTAKEN` jobs.
2. Affinity: an idle worker takes the next job of the model it holds, even past an older job of another model
   of the *same* priority, but at most :data:`MOST_OVERTAKEN` in a row.
3. A free slot starts a model whose jobs wait and for which not enough workers are on their way.
4. Else the least recently used idle worker of another model is evicted; a reserve (a loaded successor) first.
5. Nothing is started above the memory budget. A model that waits for room keeps those that rank below it from
   taking that room.
6. ``exclusive``: nothing is started while a worker of another model is not yet gone.

Within one model and priority jobs are first in, first out; the queue sees to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

MOST_OVERTAKEN = 16
"""Jobs a worker may do of its own model while an older one of another model waits for its slot."""
KEEP_WARM_PRIORITY = -(1 << 62)
"""Below every job: a model that is wanted loaded although nothing waits for it."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A model with work. ``sequence`` is the age of its oldest job of the highest priority, less is older.

    No more than ``most_workers`` of it are loaded at a time.
    """

    model: str
    priority: int
    sequence: int
    waiting: int
    need_bytes: int
    most_workers: int = 1 << 62

    @property
    def rank(self) -> tuple[int, int]:
        """Smaller is served first."""
        return (-self.priority, self.sequence)


@dataclass(frozen=True, slots=True)
class SlotView:
    """One slot. ``model`` is None when it is free; ``arriving`` workers still load, ``idle`` ones can be given a job.

    ``overtaken`` counts the jobs done in a row past an older one, ``earned`` says whether it has worked as long as its
    start took. ``reserve`` is the state of its successor.
    """

    index: int
    model: str | None = None
    state: Literal["free", "arriving", "idle", "working"] = "free"
    last_used: float = 0.0
    overtaken: int = 0
    earned: bool = True
    reserve: Literal["none", "arriving", "idle"] = "none"


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that may still be reserved, and bytes held by workers that are on their way out."""

    room_bytes: int
    leaving_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Give:
    """Give the idle worker of ``slot`` its model's next job; ``overtakes`` an older one of another model."""

    slot: int
    overtakes: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Start a worker with ``model`` in the free ``slot``."""

    slot: int
    model: str


@dataclass(frozen=True, slots=True)
class Evict:
    """Tell the idle worker of ``slot``, or its ``reserve``, to go."""

    slot: int
    reserve: bool = False


Step = Give | Start | Evict


def next_step(
    demands: Sequence[Demand],
    slots: Sequence[SlotView],
    memory: Memory,
    *,
    exclusive: bool = False,
    leaving_models: frozenset[str] = frozenset(),
    may_give: bool = True,
    starts_put_off: bool = False,
) -> Step | None:
    """Return the one thing to do now, or None when nothing can be done until something happens.

    ``leaving_models`` are those of workers told to go and not yet gone. Without ``may_give`` as many workers are at
    work as may be. ``starts_put_off``: the host has nothing left for one more process, so there are no more slots than
    workers; what an evicted one gives back is enough for another.
    """
    ranked = sorted(demands, key=lambda demand: demand.rank)
    place = _Place(slots, memory, leaving_models, exclusive, starts_put_off)
    if not may_give:
        # Idle workers will take jobs as soon as they may, so only what is left behind them asks for a place now:
        # else a worker would be evicted, or one started, for a job that is about to have one.
        return _make_place([_less_idle(demand, slots) for demand in ranked], place)
    return _give(ranked, place) or _make_place(ranked, place)


@dataclass(frozen=True, slots=True)
class _Place:
    """Everything there is to put a model into."""

    slots: Sequence[SlotView]
    memory: Memory
    leaving_models: frozenset[str]
    exclusive: bool
    starts_put_off: bool = False

    @property
    def free(self) -> SlotView | None:
        if self.starts_put_off:
            return None
        return next((slot for slot in self.slots if slot.state == "free"), None)

    def barred(self, model: str) -> bool:
        """Whether ``exclusive`` forbids to start ``model`` now."""
        # A worker of the same model that leaves bars nothing: exclusive is about two models in memory at a time.
        return self.exclusive and (
            bool(self.leaving_models - {model}) or any(slot.model not in {None, model} for slot in self.slots)
        )

    def can_start(self, demand: Demand) -> bool:
        return (
            self.free is not None
            and demand.need_bytes <= self.memory.room_bytes
            and not self.barred(demand.model)
        )

    def strangers(self, model: str) -> list[SlotView]:
        """Slots of another model that could be told to go, as a whole or with their reserve."""
        return [
            slot
            for slot in self.slots
            if slot.model not in {None, model} and (slot.state == "idle" or slot.reserve == "idle")
        ]

    def own_reserves(self, model: str) -> list[SlotView]:
        """For memory the model's own reserves go too: a second worker is worth more than a spare of the first."""
        own = [slot for slot in self.slots if slot.model == model and slot.reserve == "idle"]
        # As if working, so that _evict takes the reserve and never the worker, which is of the wanted model.
        return [replace(slot, state="working") for slot in own]


def _give(ranked: Sequence[Demand], place: _Place) -> Give | None:
    stuck: Demand | None = None  # the first that needs the place of an idle worker of another model
    for demand in ranked:
        if demand.priority == KEEP_WARM_PRIORITY:
            continue
        slot = _idle_with(demand.model, place.slots)
        if slot is None:
            if stuck is None and _short_of_workers(demand, place.slots) and not place.can_start(demand):
                stuck = demand
        elif stuck is None:
            return Give(slot.index)
        # From here on an older or more urgent demand needs this very slot. Affinity may go before it for a while,
        # because a load costs many jobs; without the bound a busy model would starve all others.
        elif (demand.priority == stuck.priority or not slot.earned) and slot.overtaken < MOST_OVERTAKEN:
            return Give(slot.index, overtakes=True)
    return None


def _less_idle(demand: Demand, slots: Sequence[SlotView]) -> Demand:
    """Return the demand that is left when every idle worker of the model has taken a job, as soon as it may."""
    idle = sum(slot.state == "idle" and slot.model == demand.model for slot in slots)
    return replace(demand, waiting=demand.waiting - idle)


def _idle_with(model: str, slots: Sequence[SlotView]) -> SlotView | None:
    """The most recently used one, so that the others may become idle enough to leave."""
    idle = [slot for slot in slots if slot.state == "idle" and slot.model == model]
    return max(idle, key=lambda slot: slot.last_used, default=None)


def _short_of_workers(demand: Demand, slots: Sequence[SlotView]) -> bool:
    """Whether more of its jobs wait than workers of its model are on their way, and it may have another worker."""
    own = [slot for slot in slots if slot.model == demand.model]
    return len(own) < demand.most_workers and demand.waiting > sum(slot.state == "arriving" for slot in own)


def _make_place(ranked: Sequence[Demand], place: _Place) -> Start | Evict | None:
    free, memory = place.free, place.memory
    for demand in ranked:
        if not _short_of_workers(demand, place.slots):
            continue
        warming = demand.priority == KEEP_WARM_PRIORITY
        strangers = place.strangers(demand.model)
        # Each return below ends the search although demands of lower rank follow: they must not take the room, or the
        # slot, that this one waits for, or it would wait for ever.
        if place.barred(demand.model):
            return None if warming else _evict(strangers)
        if free is None:
            on_their_way = place.starts_put_off and place.leaving_models
            if not (warming or on_their_way) and (step := _evict(strangers, whole=True)):
                return step
        elif demand.need_bytes <= memory.room_bytes:
            return Start(free.index, demand.model)
        elif warming or demand.need_bytes <= memory.room_bytes + memory.leaving_bytes:
            # Enough is on its way out already: evicting one more would be for nothing.
            return None
        else:
            return _evict([*strangers, *place.own_reserves(demand.model)])
    return None


def _evict(candidates: Sequence[SlotView], *, whole: bool = False) -> Evict | None:
    """The least recently used; unless a ``whole`` slot is needed, a reserve before any worker in use."""
    # A reserve is the cheapest to lose: nobody's job is on it, and its slot goes on working.
    reserves = [] if whole else [slot for slot in candidates if slot.reserve == "idle"]
    if reserves:
        return Evict(min(reserves, key=lambda slot: slot.last_used).index, reserve=True)
    idle = [slot for slot in candidates if slot.state == "idle"]
    if not idle:
        return None
    return Evict(min(idle, key=lambda slot: slot.last_used).index)
