"""The accuracy axis: linear, or spread out at the top where small differences matter."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.scale import FuncScale
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

SMALLEST_ERROR_PERCENT = 0.05
LINEAR_UP_TO_RATIO = 6.0
TICKS_PERCENT = (0, 20, 40, 60, 70, 80, 85, 90, 93, 95, 97, 98, 99, 99.5, 99.8, 99.9)


def set_accuracy_axis(axes: Axes, low_percent: float, high_percent: float, *, spacing: float = 0.05) -> str:
    """Set scale, limits and ticks of the vertical axis.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Whose vertical axis is in percent of test accuracy.
    low_percent, high_percent : float
        Lowest and highest accuracy drawn, spread included.
    spacing : float
        Least distance of two numbers on the axis, as a fraction of its height.

    Returns
    -------
    str
        Label of the axis. Where the largest error is more than six times the smallest the axis is
        logarithmic in the error, so that 95 % and 98 % stand apart beside a run that failed.
    """
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if _error(low_percent) <= LINEAR_UP_TO_RATIO * _error(high_percent):
        margin = max(0.06 * (high_percent - low_percent), 0.5)
        axes.set_ylim(low_percent - margin, high_percent + margin)
        axes.yaxis.set_major_locator(MaxNLocator(6))
        return "test accuracy (%)"
    _set_error_scale(axes, low_percent, high_percent, spacing)
    return "test accuracy (%, log error scale)"


def _set_error_scale(axes: Axes, low_percent: float, high_percent: float, spacing: float) -> None:
    scale = FuncScale(axes.yaxis, functions=(_compress, _expand))
    axes.set_yscale(scale)
    bottom, top = _compress([low_percent, high_percent])
    margin = 0.06 * (top - bottom)
    low, high = (float(limit) for limit in _expand([bottom - margin, top + margin]))
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator(_spaced_ticks(low, high, spacing)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _spaced_ticks(low_percent: float, high_percent: float, spacing: float) -> list[float]:
    """Ticks within the limits that leave room for their numbers."""
    bottom, top = _compress([low_percent, high_percent])
    ticks: list[float] = []
    for tick in (tick for tick in TICKS_PERCENT if low_percent <= tick <= high_percent):
        place, last = _compress([tick, ticks[-1] if ticks else -1e9])
        if place - last >= spacing * (top - bottom):
            ticks.append(tick)
    return ticks


def _error(percent: float) -> float:
    return max(100.0 - percent, SMALLEST_ERROR_PERCENT)


def _compress(percent: ArrayLike) -> NDArray[np.float64]:
    error = 100.0 - np.asarray(percent, dtype=float)
    return -np.log10(np.maximum(error, SMALLEST_ERROR_PERCENT))


def _expand(place: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(100.0 - 10.0 ** -np.asarray(place, dtype=float), dtype=float)
