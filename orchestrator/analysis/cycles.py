"""Recognise a movement that repeats and take it out of the trend.

A collector that runs every few jobs, a cache that fills and empties, two buffers used in turn: they move
memory by far more than a leak does, but the movement repeats, so that it can be fitted beside the line
and its noise does not hide the slope. Four forms are known: a sawtooth (rises, then falls back), which
upside down beside a rising line is a block lost every so many iterations; the same at uneven
distances; two levels taken in turn; and a wave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from orchestrator.analysis.series import FloatArray
from orchestrator.analysis.slope import line_residuals

_FEWEST_READINGS = 12
_SHARE = {"sawtooth": 0.6, "uneven sawtooth": 0.75, "wave": 0.6, "two levels": 0.93, "blocks": 0.85}
"""Part of what a line leaves that a form must explain before it counts."""

_FEWEST_TEETH = 2.0
_FEWEST_BLOCKS = 4.0
_FEWEST_SWITCHES = 2
_FEWEST_WAVES = 3.0
_REFINEMENTS = 3
_FINE_TURNS = 12


@dataclass(frozen=True, slots=True)
class Cycle:
    """A repeating movement.

    Attributes:
        form: ``"sawtooth"``, ``"uneven sawtooth"``, ``"blocks"``, ``"two levels"`` or ``"wave"``.
        size: From its lowest to its highest point, unit of the series.
        turns: How often it repeats in the record.
        rest: The series without it, of the same level and length.
        slope_error: Standard error that the slope of ``rest`` has beyond its noise, per iteration: a tooth
            falls somewhere between two readings, and shifting every fall by a part of an
            iteration tilts the floor.
        level: The cycle alone, without any slope beside it, fits as well.
    """

    form: str
    size: float
    turns: float
    rest: FloatArray
    slope_error: float = 0.0
    level: bool = False


def find_cycle(tail: FloatArray) -> Cycle | None:
    """Return the repeating movement that explains most of what a line leaves, or None."""
    if tail.size < _FEWEST_READINGS:
        return None
    residual = line_residuals(tail)
    power = float(residual @ residual)
    if power <= 1e-18 * (1.0 + float(tail @ tail)):
        return None
    forms = (_two_levels(tail, residual), _uneven_sawtooth(tail), _sawtooth(tail, residual), _wave(tail, residual))
    best: Cycle | None = None
    least = power
    for form in forms:
        if form is None:
            continue
        left = line_residuals(form.rest)
        squares = float(left @ left)
        if squares <= (1 - _SHARE[form.form]) * power and squares < least:
            best, least = form, squares
    return best


def _taken_out(tail: FloatArray, form: str, turns: float, columns: FloatArray) -> tuple[Cycle, FloatArray]:
    """Fit ``columns`` beside a line; return the cycle they make and their weights."""
    design = np.column_stack((np.ones(tail.size), np.arange(tail.size) / tail.size, columns))
    solution = np.linalg.lstsq(design, tail, rcond=None)[0]
    part = design[:, 2:] @ solution[2:]
    part = part - part.mean()
    return Cycle(form, float(np.ptp(part)), turns, tail - part), solution[2:]


def _uneven_sawtooth(tail: FloatArray) -> Cycle | None:
    """Fit "so much per iteration since the last fall" beside a line; the first tooth starts anywhere."""
    step = np.diff(tail)
    spread = float(np.percentile(tail, 90) - np.percentile(tail, 10))
    rising = step[step > 0]
    typical = float(np.median(rising)) if rising.size else 0.0
    resets = np.flatnonzero(step < -max(0.35 * spread, 1.2 * typical)) + 1
    if resets.size < _FEWEST_TEETH or resets.size > 0.5 * tail.size:
        return None
    position = np.arange(tail.size)
    owner = np.searchsorted(resets, position, side="right")
    age = position - np.concatenate(([0], resets))[owner]
    first = (owner == 0).astype(np.float64)
    cycle, weight = _taken_out(tail, "uneven sawtooth", float(resets.size), np.column_stack((age, first)))
    climb = float(weight[0]) * tail.size / (resets.size + 1)
    if climb < -0.4 * float(np.median(step[resets - 1])):
        return None  # mere steps down
    return Cycle(cycle.form, cycle.size, cycle.turns, cycle.rest, 0.5 * float(weight[0]) / tail.size)


def _two_levels(tail: FloatArray, residual: FloatArray) -> Cycle | None:
    """Fit two levels taken in turn beside a line, the readings sorted to the nearer level."""
    upper = residual > 0.5 * float(residual.max() + residual.min())
    cycle: Cycle | None = None
    for _ in range(3):
        if upper.all() or not upper.any():
            return None
        cycle, _ = _taken_out(tail, "two levels", 0.0, upper.astype(np.float64)[:, None])
        detrended = line_residuals(cycle.rest) + tail - cycle.rest
        upper = detrended > 0.5 * float(detrended[upper].mean() + detrended[~upper].mean())
    switches = np.flatnonzero(np.diff(upper.astype(int)))
    late = int(np.sum(switches >= tail.size // 2))
    if cycle is None or min(late, switches.size - late) < _FEWEST_SWITCHES:
        return None
    return Cycle(cycle.form, cycle.size, float(switches.size), cycle.rest)


def _off_line(columns: FloatArray) -> FloatArray:
    """Return the columns (readings x forms) freed from constant and line."""
    count = columns.shape[0]
    line = np.column_stack((np.ones(count), np.arange(count) - (count - 1) / 2))
    line /= np.sqrt((line**2).sum(axis=0))
    return columns - line @ (line.T @ columns)


def _teeth(count: int, turns: FloatArray, phase: FloatArray) -> FloatArray:
    """Return sawteeth rising from 0 to 1, one column per pair of turns in the record and phase (0 to 1)."""
    return np.asarray((np.outer(np.arange(count), turns) / count + phase) % 1.0)


@lru_cache(maxsize=64)
def _tooth_grid(count: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    turns = np.unique(np.concatenate((np.arange(_FEWEST_TEETH, _FINE_TURNS, 0.25), np.geomspace(_FINE_TURNS, 0.45 * count, 40))))
    turns = turns[turns <= max(0.45 * count, _FEWEST_TEETH)]
    turns, phase = (a.ravel() for a in np.meshgrid(turns, np.arange(0, 1, 0.1), indexing="ij"))
    columns = _off_line(_teeth(count, turns, phase))
    return turns, phase, columns, np.maximum(np.einsum("ij,ij->j", columns, columns), 1e-9)


def _sawtooth(tail: FloatArray, residual: FloatArray) -> Cycle | None:
    """Fit an even sawtooth, upright or upside down, beside a line, or beside nothing if that does as well."""
    count = tail.size
    turns, phase, columns, power = _tooth_grid(count)
    explained = (residual @ columns) ** 2 / power
    best = int(np.argmax(explained))
    if explained[best] < 0.3 * float(residual @ residual):
        return None
    start = float(turns[best]), float(phase[best])
    turn, shift = _refined(residual, start, _off_line)
    cycle, weight = _taken_out(tail, "sawtooth", turn, _teeth(count, np.array([turn]), np.array([shift])))
    error = 0.5 * abs(float(weight[0])) * turn / count**2  # height / period is what a tooth moves in one iteration
    if weight[0] < 0:
        return Cycle("blocks", cycle.size, turn, cycle.rest, error) if turn >= _FEWEST_BLOCKS else None
    left = line_residuals(cycle.rest)
    turn, shift = _refined(tail - tail.mean(), start, _centred)
    tooth = _centred(_teeth(count, np.array([turn]), np.array([shift])))[:, 0]
    level = tail - tooth * float(tooth @ tail) / max(float(tooth @ tooth), 1e-9)
    spread = level - level.mean()
    rounding = count * (1e-3 * cycle.size / max(count / turn, 1.0)) ** 2
    if float(spread @ spread) + rounding < (float(left @ left) + rounding) * count ** (1.0 / count):
        return Cycle("sawtooth", cycle.size, turn, level, error, True)
    return Cycle("sawtooth", cycle.size, turn, cycle.rest, error)


def _centred(columns: FloatArray) -> FloatArray:
    return columns - columns.mean(axis=0)


def _refined(
    target: FloatArray, start: tuple[float, float], freed: Callable[[FloatArray], FloatArray]
) -> tuple[float, float]:
    """Return turns and phase of the tooth near ``start`` that explains most of ``target``."""
    turn, shift = start
    width, slack = 0.25 if turn < _FINE_TURNS else 0.03 * turn, 0.1
    for _ in range(_REFINEMENTS):
        near, moved = (
            a.ravel()
            for a in np.meshgrid(
                turn + width * np.linspace(-1, 1, 9), shift + slack * np.linspace(-1, 1, 9), indexing="ij"
            )
        )
        columns = freed(_teeth(target.size, near, moved))
        gain = (target @ columns) ** 2 / np.maximum(np.einsum("ij,ij->j", columns, columns), 1e-9)
        best = int(np.argmax(gain))
        turn, shift = float(near[best]), float(moved[best])
        width, slack = width / 3, slack / 3
    return turn, shift


@lru_cache(maxsize=64)
def _waves(count: int) -> tuple[FloatArray, FloatArray]:
    """Return the numbers of waves tried, and their sines and cosines side by side."""
    turns = np.arange(_FEWEST_WAVES, 0.42 * count, 0.25)
    return turns, _off_line(_sines(count, turns))


def _sines(count: int, turns: FloatArray) -> FloatArray:
    angle = 2 * np.pi * np.outer(np.arange(count), turns) / count
    return np.concatenate((np.sin(angle), np.cos(angle)), axis=1)


def _explained_by_waves(residual: FloatArray, both: FloatArray) -> FloatArray:
    half = both.shape[1] // 2
    sine, cosine = both[:, :half], both[:, half:]
    ss = np.einsum("ij,ij->j", sine, sine)
    cc = np.einsum("ij,ij->j", cosine, cosine)
    sc = np.einsum("ij,ij->j", sine, cosine)
    sy, cy = residual @ sine, residual @ cosine
    return np.asarray((cc * sy**2 - 2 * sc * sy * cy + ss * cy**2) / np.maximum(ss * cc - sc**2, 1e-9))


def _wave(tail: FloatArray, residual: FloatArray) -> Cycle | None:
    turns, both = _waves(tail.size)
    if not turns.size:
        return None
    explained = _explained_by_waves(residual, both)
    turn = float(turns[int(np.argmax(explained))])
    if explained.max() < 0.3 * float(residual @ residual):
        return None
    width = 0.25
    for _ in range(_REFINEMENTS - 1):
        near = turn + width * np.linspace(-1, 1, 11)
        turn = float(near[int(np.argmax(_explained_by_waves(residual, _off_line(_sines(tail.size, near)))))])
        width /= 5
    return _taken_out(tail, "wave", turn, _sines(tail.size, np.array([turn])))[0]


