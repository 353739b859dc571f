"""Reservations of memory: what a worker may come to need, reserved before it is started. Pure.

The sum of reservations never exceeds the budget. A reservation is given back only when its process is
confirmed gone, because until then its pages are still there. What a process really uses above its
reservation is no reservation but an *overshoot*: measured, reported, and taken as the need next time.
"""

from __future__ import annotations

from collections.abc import Hashable

MIB = 1024 * 1024
BARE_WORKER_BYTES = 32 * MIB
"""A worker without a model, generously; the least that is ever reserved for one."""
UNKNOWN_MODEL_BYTES = 64 * MIB
"""First guess for a model without a file."""
GROWTH = 1.1
"""What a measured load is multiplied with: no two are the same to the page."""


def first_guess(file_bytes: int | None) -> int:
    """Return the need of a model that was never loaded here, from the size of its file."""
    return BARE_WORKER_BYTES + file_bytes if file_bytes else UNKNOWN_MODEL_BYTES


def learnt_need(measured_bytes: int, budget_bytes: int) -> int:
    """Return the need of a model whose load and first job took ``measured_bytes`` at most.

    Never more than the whole budget: what has once been loaded may be loaded again, alone.
    """
    return min(max(BARE_WORKER_BYTES, int(measured_bytes * GROWTH)), budget_bytes)


class Budget:
    """The reservations of one pool. Holders are the workers, by identity."""

    def __init__(self, limit_bytes: int) -> None:
        if limit_bytes < 1:
            raise ValueError(f"memory budget of {limit_bytes} bytes: at least 1")
        self.limit_bytes = limit_bytes
        self._reserved: dict[Hashable, int] = {}
        self._sum = 0

    @property
    def reserved_bytes(self) -> int:
        """The sum of all reservations."""
        return self._sum

    @property
    def room_bytes(self) -> int:
        """What may still be reserved."""
        return self.limit_bytes - self._sum

    def held_by(self, holder: Hashable) -> int:
        """Return the reservation of one worker, 0 without one."""
        return self._reserved.get(holder, 0)

    def reserve(self, holder: Hashable, need_bytes: int) -> bool:
        """Reserve for a worker about to be started; False, and nothing happens, when there is no room."""
        assert holder not in self._reserved
        if need_bytes > self.room_bytes:
            return False
        self._reserved[holder] = need_bytes
        self._sum += need_bytes
        return True

    def adjust(self, holder: Hashable, need_bytes: int) -> None:
        """Set a living worker's reservation to what is now known of it, as far as there is room."""
        # Capped, although the worker may use more: the sum is what starts are decided by, and it must not exceed the
        # limit.
        held = self._reserved[holder]
        wanted = min(need_bytes, held + self.room_bytes)
        self._reserved[holder] = wanted
        self._sum += wanted - held

    def release(self, holder: Hashable) -> None:
        """Give back the reservation of a worker that is confirmed gone."""
        self._sum -= self._reserved.pop(holder, 0)  # kept beside the dictionary: asked for with every plan

    def recount(self) -> None:
        """Add the reservations up anew, where an interrupt may have struck between one and their sum."""
        self._sum = sum(self._reserved.values())

    def overshoot_bytes(self, holder: Hashable, rss_bytes: int) -> int:
        """Return by how much a worker's RSS is above its reservation."""
        return max(0, rss_bytes - self.held_by(holder))
