"""Recognise a repeating movement and subtract it, so that the trend can be seen.

A collector that runs every few jobs, a cache that fills and empties, two buffers used in turn: they move
memory by far more than a leak does, but the movement repeats, so that it can be fitted beside the line
and its noise does not hide the slope. Four forms are known: a sawtooth (rises, then falls back), which
upside down beside a rising line is a block lost every so many iterations; the same at uneven
distances; two levels taken in turn; and a wave.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.fitting.slope import line_residuals
from orchestrator.analysis.series import FloatArray

_FEWEST_READINGS = 12
_SHARE = {"sawtooth": 0.6, "uneven sawtooth": 0.75, "wave": 0.6, "two levels": 0.93, "blocks": 0.85}
"""Part of what a line leaves that a form must explain before it counts."""

_FEWEST_TEETH = 2.0
_FEWEST_UNEVEN = 3
_FEWEST_BLOCKS = 4.0
_FEWEST_SWITCHES = 2
_FEWEST_WAVES = 3.0
_REFINEMENTS = 3
_WORTH_REFINING = 0.3
_WORTH_SORTING = 0.8
_FINE_TURNS = 12
_QUARTERS = 4  # of a turn: how finely waves are looked for


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
    forms = (
        _two_levels(tail, residual),
        _uneven_sawtooth(tail),
        _sawtooth(tail, residual),
        _wave(tail, residual),
    )
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
    weights: FloatArray = np.asarray(solution[2:], dtype=np.float64)
    return Cycle(form, float(np.ptp(part)), turns, tail - part), weights


def _uneven_sawtooth(tail: FloatArray) -> Cycle | None:
    """Fit "so much per iteration since the last fall" beside a line; the first tooth starts anywhere."""
    step = np.diff(tail)
    ordered = np.sort(tail)
    spread = float(ordered[(9 * tail.size) // 10] - ordered[tail.size // 10])
    rising = step[step > 0]
    typical = float(np.median(rising)) if rising.size else 0.0
    resets = np.flatnonzero(step < -max(0.35 * spread, 1.2 * typical)) + 1
    if resets.size < _FEWEST_UNEVEN or resets.size > 0.5 * tail.size:
        return None
    position = np.arange(tail.size, dtype=np.float64)
    owner = np.searchsorted(resets, position, side="right")
    began: FloatArray = np.concatenate((np.zeros(1), resets.astype(np.float64)))
    age = position - began[owner]
    first = (owner == 0).astype(np.float64)
    cycle, weight = _taken_out(tail, "uneven sawtooth", float(resets.size), np.column_stack((age, first)))
    climb = float(weight[0]) * tail.size / (resets.size + 1)
    if climb < -0.4 * float(np.median(step[resets - 1])):
        return None  # mere steps down
    return Cycle(cycle.form, cycle.size, cycle.turns, cycle.rest, 0.5 * float(weight[0]) / tail.size)


def _two_levels(tail: FloatArray, residual: FloatArray) -> Cycle | None:
    """Fit two levels taken in turn beside a line, the readings sorted to the nearer level."""
    upper = residual > 0.5 * float(residual.max() + residual.min())
    above = residual[upper]
    if not 0 < above.size < tail.size:
        return None
    explained = float(above.sum()) ** 2 * (1 / above.size + 1 / (tail.size - above.size))
    if explained < _WORTH_SORTING * float(residual @ residual):
        return None
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
    """Return the columns (readings x forms) with their least-squares lines subtracted."""
    count = columns.shape[0]
    line: FloatArray = np.column_stack((np.ones(count), np.arange(count, dtype=np.float64) - (count - 1) / 2))
    line /= np.sqrt((line**2).sum(axis=0))
    return columns - line @ (line.T @ columns)


def _teeth(count: int, turns: FloatArray, phase: FloatArray) -> FloatArray:
    """Return sawteeth rising from 0 to 1, one column per pair of turns in the record and phase (0 to 1)."""
    return np.asarray((np.outer(np.arange(count), turns) / count + phase) % 1.0)


def _tooth_grid(count: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    turns = np.unique(
        np.concatenate(
            (np.arange(_FEWEST_TEETH, _FINE_TURNS, 0.25), np.geomspace(_FINE_TURNS, 0.45 * count, 40))
        )
    )
    turns = turns[turns <= max(0.45 * count, _FEWEST_TEETH)]
    turns, phase = (a.ravel() for a in np.meshgrid(turns, np.arange(0, 1, 0.1), indexing="ij"))
    columns = _off_line(_teeth(count, turns, phase))
    return turns, phase, columns, np.maximum(np.einsum("ij,ij->j", columns, columns), 1e-9)


def _sawtooth(tail: FloatArray, residual: FloatArray) -> Cycle | None:
    """Fit an even sawtooth, upright or upside down, beside a line."""
    turns, phase, columns, power = _tooth_grid(tail.size)
    explained = (residual @ columns) ** 2 / power
    best = int(np.argmax(explained))
    if explained[best] < _WORTH_REFINING * float(residual @ residual):
        return None
    turn, shift = _refined(residual, float(turns[best]), float(phase[best]))
    falls = np.floor(np.arange(tail.size) * turn / tail.size + shift)
    return _even_teeth(tail, turn, falls - falls[0])


def _even_teeth(tail: FloatArray, turn: float, falls: FloatArray) -> Cycle | None:
    """Return the cycle whose number of falls so far is known for every reading.

    The readings are ``level + climb * t - height * falls(t)``, which is linear. The trend under the teeth is
    ``climb - height / period``, and the period is only known to lie between two bounds, since a
    tooth falls somewhere between two readings. For blocks that are lost (negative height) the
    same expression is the rate of the leak.
    """
    count = tail.size
    at = np.flatnonzero(np.diff(falls)) + 1
    if at.size < _FEWEST_TEETH:
        return None
    position = np.arange(count) - (count - 1) / 2
    design = np.column_stack((np.ones(count), position, -falls))
    gram = np.linalg.inv(design.T @ design)
    level, climb, height = gram @ (design.T @ tail)
    noise = tail - design @ np.array([level, climb, height])
    shortest, longest = _periods(at.astype(np.float64))
    period = 0.5 * (shortest + longest)
    tilt = np.array([0.0, 1.0, -1.0 / period])
    variance = float(noise @ noise) / (count - 3)
    trend = float(climb - height / period)
    own = variance * float(tilt @ gram @ tilt)
    between = abs(float(height)) * (1 / shortest - 1 / longest) / np.sqrt(12.0)
    error = float(np.sqrt(own + between**2))
    size = abs(float(height))
    if height < 0:
        if turn < _FEWEST_BLOCKS:
            return None
        return Cycle("blocks", size, turn, tail.mean() + noise + trend * position, error)
    if abs(trend) < 2.0 * np.sqrt(own) + np.sqrt(3.0) * between:
        return Cycle("sawtooth", size, turn, tail.mean() + noise, error, True)
    return Cycle("sawtooth", size, turn, tail.mean() + noise + trend * position, error)


def _periods(at: FloatArray) -> tuple[float, float]:
    """Return the shortest and the longest period that put the falls between the readings where they are."""
    number = np.arange(at.size)
    first, second = np.triu_indices(at.size, 1)
    turns = number[second] - number[first]
    distance = at[second] - at[first]
    shortest, longest = float(np.max((distance - 1) / turns)), float(np.min((distance + 1) / turns))
    if shortest < longest:
        return max(shortest, 1.0), longest
    middle = float(at[-1] - at[0]) / (at.size - 1)
    return max(middle - 1.0 / at.size, 1.0), middle + 1.0 / at.size


def _refined(target: FloatArray, turn: float, shift: float) -> tuple[float, float]:
    """Return turns and phase of the tooth nearby that explains most of ``target`` beside a line."""
    width, slack = 0.25 if turn < _FINE_TURNS else 0.03 * turn, 0.1
    steps = np.linspace(-1, 1, 9)
    for _ in range(_REFINEMENTS):
        near, moved = (
            a.ravel() for a in np.meshgrid(turn + width * steps, shift + slack * steps, indexing="ij")
        )
        columns = _off_line(_teeth(target.size, near, moved))
        gain = (target @ columns) ** 2 / np.maximum(np.einsum("ij,ij->j", columns, columns), 1e-9)
        best = int(np.argmax(gain))
        turn, shift = float(near[best]), float(moved[best])
        width, slack = width / 3, slack / 3
    return turn, shift


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


def _likely_turns(residual: FloatArray) -> FloatArray:
    """Return the numbers of waves, in quarters, where the periodogram is highest: its peak and what lies beside it.

    The Fourier transform of the residual, padded with zeros to four times its length, has them all at the cost of a
    sort; only the few that are left are fitted beside the line.
    """
    count = residual.size
    power = np.abs(np.fft.rfft(residual, _QUARTERS * count)) ** 2
    first, beyond = int(_QUARTERS * _FEWEST_WAVES), int(np.ceil(_QUARTERS * 0.42 * count))
    if beyond <= first:
        return np.empty(0)
    peak = first + int(np.argmax(power[first:beyond]))
    near = np.arange(max(first, peak - _QUARTERS), min(beyond, peak + _QUARTERS + 1))
    return np.asarray(near / _QUARTERS, dtype=np.float64)


def _wave(tail: FloatArray, residual: FloatArray) -> Cycle | None:
    turns = _likely_turns(residual)
    if not turns.size:
        return None
    explained = _explained_by_waves(residual, _off_line(_sines(tail.size, turns)))
    turn = float(turns[int(np.argmax(explained))])
    if explained.max() < _WORTH_REFINING * float(residual @ residual):
        return None
    width = 0.25
    for _ in range(_REFINEMENTS - 1):
        near = turn + width * np.linspace(-1, 1, 11)
        turn = float(near[int(np.argmax(_explained_by_waves(residual, _off_line(_sines(tail.size, near)))))])
        width /= 5
    if turn < _FEWEST_WAVES:
        return None
    return _taken_out(tail, "wave", turn, _sines(tail.size, np.array([turn])))[0]
