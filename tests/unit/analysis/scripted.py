"""Scripted series: every leak with its fixed twin, which does the same work and gives it back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Series = npt.NDArray[np.float64]

COUNT = 60


def _noise(seed: int, size: float, count: int = COUNT) -> Series:
    return size * np.random.default_rng(seed).standard_normal(count)


def _t(count: int = COUNT) -> Series:
    return np.arange(1, count + 1, dtype=np.float64)


def steady(leak: bool) -> Series:
    return 300 + 0.6 * _t() * leak + _noise(1, 0.5)


def after_warm_up(leak: bool) -> Series:
    return 200 + 400 * (1 - np.exp(-(_t() - 1) / 1.5)) + 0.8 * _t() * leak + _noise(2, 0.4)


def after_stepwise_warm_up(leak: bool) -> Series:
    t = _t()
    return 200 + 150 * (t >= 2) + 60 * (t >= 5) + 0.8 * t * leak + _noise(3, 0.3)


def in_even_blocks(leak: bool) -> Series:
    t = _t()
    blocks = np.floor(t / 6) if leak else np.minimum(np.floor(t / 6), 1)
    return 250 + 8.0 * blocks + _noise(4, 0.05)


def under_a_sawtooth(leak: bool) -> Series:
    t = _t()
    return 400 + 40 * ((t / 7.3) % 1.0) + 1.0 * t * leak + _noise(5, 0.5)


def under_two_levels(leak: bool) -> Series:
    high = np.random.default_rng(6).random(COUNT) < 0.5
    return 400 + 25.0 * high + 0.7 * _t() * leak + _noise(6, 0.2)


def under_a_wave(leak: bool) -> Series:
    t = _t()
    return 400 + 20 * np.sin(2 * np.pi * t / 8.6) + 0.8 * t * leak + _noise(7, 1.0)


def with_spikes(leak: bool) -> Series:
    series = 300 + 0.5 * _t() * leak + _noise(8, 0.4)
    series[[9, 23, 24, 47]] += (60, 200, 35, 500)
    return series


def with_a_spike_at_the_end(leak: bool) -> Series:
    series = 300 + 0.5 * _t() * leak + _noise(9, 0.4)
    series[-1] += 250
    return series


def setting_in_late(leak: bool) -> Series:
    return 300 + 1.5 * np.maximum(0, _t() - 30) * leak + _noise(10, 0.4)


def autocorrelated(leak: bool) -> Series:
    noise = _noise(11, 0.5)
    for i in range(1, COUNT):
        noise[i] += 0.6 * noise[i - 1]
    return 300 + 0.7 * _t() * leak + noise


def with_releases(leak: bool) -> Series:
    t = _t()
    return 500 - 12 * (t >= 20) - 8 * (t >= 41) + 1.2 * t * leak + _noise(12, 0.2)


TWINS: dict[str, Callable[[bool], Series]] = {
    make.__name__: make
    for make in (
        steady,
        after_warm_up,
        after_stepwise_warm_up,
        in_even_blocks,
        under_a_sawtooth,
        under_two_levels,
        under_a_wave,
        with_spikes,
        with_a_spike_at_the_end,
        setting_in_late,
        autocorrelated,
        with_releases,
    )
}
