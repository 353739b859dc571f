"""What is wrong with the channels and the scale of a recording, found while it is mixed, and what is done about it.

A mix is the mean of the channels. Where one channel is the other's mirror image (a cable with two leads swapped),
the mean is silence, and nobody says so. Floats may be on the scale of integers, a converter may add a constant.
All of that is only known when the recording has been read; :func:`correction_of` then says how to read it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Block = npt.NDArray[np.float32]

SIGNIFICANT = 0.1
"""A channel with less than this part of the loudest one's energy is not missed when it cancels out."""
CANCELLED = 0.5
"""A channel of which the mix keeps less than this, compared with the other channels being silent, cancels out."""
CANCELLED_SHARE = 0.05
"""Of a recording's energy; more of it lost to cancellation is not mixed."""
SILENT = 1e-4
"""A channel with less than this part of the loudest one's energy has no sound (40 dB)."""
OFFSET = 0.02
"""A constant beyond this is taken away."""
CLIPPED_SHARE = 0.001
"""Of the values; so many beyond ±1 are more than a few peaks."""
_EXPONENTS = 1025
_MEAN_FRAMES = 4096
_SCALES = (1, 2, 3, 7, 15, 23, 31)
"""Full scale as a power of two: a hot mix, and integers of 8, 16, 24 and 32 bits."""


@dataclass(frozen=True, slots=True)
class Correction:
    """How to read a recording: the mean of ``channels`` (None: of all), less ``offset``, divided by ``full_scale``."""

    channels: tuple[int, ...] | None = None
    full_scale: float = 1.0
    offset: float = 0.0
    remarks: tuple[str, ...] = ()


AS_IT_IS = Correction()


class Levels:
    """Energy, offset and scale of each channel, block by block. A block is a second or so."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.frames = 0
        self._means: list[npt.NDArray[np.float64]] = []
        self._energy = np.zeros(channels)
        self._loudest = 0.0
        self._cancelled = 0.0
        self._beyond = np.zeros(_EXPONENTS, dtype=np.int64)

    def take(self, block: Block) -> None:
        """Add the next block, of shape (frames, channels), without a NaN or an infinity in it."""
        self.frames += len(block)
        starts = np.arange(0, len(block), _MEAN_FRAMES)
        counts = np.diff(starts, append=len(block))[:, np.newaxis]
        self._means.append(np.add.reduceat(block, starts, axis=0, dtype=np.float64) / counts)
        self._note_scale(block)
        if self.channels == 1:
            return
        centred = block - block.mean(axis=0, dtype=np.float32)
        products = np.asarray(centred.T @ centred, dtype=np.float64)
        energy = np.diagonal(products)
        self._energy += energy
        loudest = float(energy.max())
        self._loudest += loudest
        heard = (energy > 0) & (energy >= SIGNIFICANT * loudest)
        if heard.any() and float((products.sum(axis=1)[heard] / energy[heard]).min()) < CANCELLED:
            self._cancelled += loudest

    def _note_scale(self, block: Block) -> None:
        if float(np.abs(block).max()) <= 1:
            return
        beyond = np.abs(block[np.abs(block) > 1])
        exponents = np.frexp(beyond)[1]
        self._beyond += np.bincount(np.clip(exponents, 0, _EXPONENTS - 1), minlength=_EXPONENTS)

    @property
    def values(self) -> int:
        """How many there were."""
        return self.frames * self.channels

    @property
    def offset(self) -> npt.NDArray[np.float64]:
        """The constant part of each channel: the median of many means, which no single value can spoil."""
        return (
            np.asarray(np.median(np.concatenate(self._means), axis=0))
            if self._means
            else np.zeros(self.channels)
        )

    def cancels(self) -> bool:
        """Whether the mean of the channels loses sound."""
        return self._cancelled > CANCELLED_SHARE * self._loudest

    def best(self) -> int:
        """The first of the loud channels."""
        return int(np.argmax(self._energy >= 0.9 * self._energy.max()))

    def with_sound(self) -> tuple[int, ...]:
        """The channels that are not silent; all of them, if all are."""
        loudest = float(self._energy.max())
        return tuple(int(each) for each in np.flatnonzero(self._energy >= SILENT * loudest))

    def full_scale(self) -> float:
        """What the values have to be divided by."""
        total = int(self._beyond.sum())
        few = 16 + self.values // 1_000_000
        highest = 0
        while highest < _EXPONENTS - 1 and int(self._beyond[highest + 1 :].sum()) > few:
            highest += 1
        if highest <= 3 and total <= self.values * CLIPPED_SHARE:
            return 1.0
        return float(2.0 ** next((scale for scale in _SCALES if scale >= highest), highest))


def correction_of(levels: Levels) -> Correction:
    """Return how a recording with these levels has to be read; :data:`AS_IT_IS` when its plain mix is right."""
    remarks: list[str] = []
    channels: tuple[int, ...] | None = None
    if levels.channels > 1:
        channels, remark = _channels(levels)
        remarks += [remark] if remark else []
    full_scale = levels.full_scale()
    if full_scale > 1:
        remarks.append(f"its values go to ±{full_scale:,.0f} instead of ±1: they were divided by that")
    offset = float(levels.offset[list(channels) if channels is not None else slice(None)].mean()) / full_scale
    if not OFFSET < abs(offset) < 1:
        offset = 0.0
    else:
        remarks.append(f"a constant of {100 * offset:+.0f} % of full scale was taken away from it")
    if not remarks:
        return AS_IT_IS
    return Correction(channels, full_scale, offset, tuple(remarks))


def _channels(levels: Levels) -> tuple[tuple[int, ...] | None, str]:
    if levels.cancels():
        best = levels.best()
        said = f"its {levels.channels} channels cancel each other out (one is out of phase)"
        return (best,), f"{said}: channel {best + 1} alone was taken"
    sounding = levels.with_sound()
    if len(sounding) == levels.channels:
        return None, ""
    numbers = ", ".join(str(each + 1) for each in sounding)
    plural = "s" if len(sounding) > 1 else ""
    return (
        sounding,
        f"of its {levels.channels} channels only {numbers} ha{'ve' if plural else 's'} sound: taken alone",
    )


def mixed(block: Block, correction: Correction) -> Block:
    """Return one channel of a block."""
    chosen: Any = block if correction.channels is None else block[:, list(correction.channels)]
    mono = chosen.mean(axis=1, dtype=np.float32)
    if correction.full_scale != 1:
        mono = mono / np.float32(correction.full_scale)
    if correction.offset:
        mono = mono - np.float32(correction.offset)
    return np.asarray(mono, dtype=np.float32)
