"""Numbers that stand for one design or for many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# A float, or a float64 array with one number per design; numpy's arithmetic gives both the same bits.
Number = Any
Designs = tuple[int, ...]


def designs_of(*settings: Number) -> Designs:
    """Return the shape that settings of one or many designs have together: () for one, (n,) for n designs.

    Raises
    ------
    ValueError
        If two settings stand for different numbers of designs.
    """
    return np.broadcast_shapes(*(np.shape(setting) for setting in settings))


def over_distinct(function: Callable[..., float], *settings: Number) -> Number:
    """Return `function(*settings)`, called once for each distinct combination of settings.

    So look-ups and transcendental functions of many designs have the bits that those of one design have.

    Parameters
    ----------
    function
        Takes as many floats as there are settings and returns one.
    settings
        Floats, or arrays of shape (n,).
    """
    shape = designs_of(*settings)
    if not shape:
        return function(*settings)
    code = np.zeros(shape, dtype=np.int64)
    axes = []
    for setting in settings:
        distinct, places = np.unique(setting, return_inverse=True)
        axes.append(distinct)
        code = code * len(distinct) + places.reshape(np.shape(setting))
    present, places = np.unique(code, return_inverse=True)
    combinations = np.unravel_index(present, [len(axis) for axis in axes])
    rows = zip(*(axis[chosen] for axis, chosen in zip(axes, combinations, strict=True)), strict=True)
    values = np.array([function(*(item.item() for item in row)) for row in rows], dtype=np.float64)
    return values[places]


def first_where(condition: Number, *settings: Number) -> tuple[Any, ...] | None:
    """Return the settings of the first design for which a condition holds; None where it holds for none."""
    found = np.flatnonzero(condition)
    if not len(found):
        return None
    shape = designs_of(condition, *settings)
    return tuple(np.broadcast_to(setting, shape).reshape(-1)[found[0]].item() for setting in settings)
