"""How sure a bill is: the range of every number that it rests on, what they do together, and which decide.

Every number has a range: its own where one is given, that of the corners of the circuit simulation, or else one that
stands for its kind. A range holds nine cases in ten. Monte Carlo draws all numbers independently from log-normal halves
around their nominal values, and puts what falls outside of a range at its end; the tornado moves them one at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuits.calibration import Calibration
from cost_model.bill import FIGURES
from cost_model.numbers import Number
from device_models.quantity import Quantity

if TYPE_CHECKING:
    from cost_model.hardware import Hardware
    from cost_model.price import Price
    from cost_model.pricing import Totals

# Factors on numbers that come without a range of their own, by kind.
KIND_RANGES: Mapping[str, tuple[float, float]] = {
    "measured": (0.9, 1.1),
    "fitted": (0.85, 1.18),
    "derived": (0.7, 1.5),
    "assumed": (0.5, 2.0),
}
# What layout adds to a netlist: NeuroSim's silicon calibration finds 1.22 in energy and 1.44 in wiring area.
LAYOUT: Mapping[str, float] = {"J": 1.22, "W": 1.22, "m2": 1.44}
QUANTILE_5 = 1.6448536269514722  # standard deviations from the median to the 5th and the 95th percentile
DRAWS = 2000


@dataclass(frozen=True)
class Assumption:
    """A number that a bill rests on.

    Parameters
    ----------
    name
        As `Hardware.factors` calls it.
    quantity
        Its nominal value, kind and source.
    low, high
        Its range as factors on the nominal value, 0 < low <= 1 <= high.
    """

    name: str
    quantity: Quantity
    low: float
    high: float


def assumption(name: str, quantity: Quantity) -> Assumption:
    """Return a number with its range: that of the quantity, or that of its kind."""
    if quantity.low is None or quantity.high is None or quantity.value == 0:
        return Assumption(name, quantity, *KIND_RANGES[quantity.kind])
    floor = 1e-3  # a range that begins at zero has no logarithm
    return Assumption(name, quantity, max(quantity.low / quantity.value, floor), quantity.high / quantity.value)


def assumptions_of(prices: Sequence[Price]) -> list[Assumption]:
    """Return the numbers that prices were made from, each once, in order of first appearance.

    A number that is zero, or whose range is a single value, is left out: it moves nothing.
    """
    found: dict[str, Quantity] = {}
    for price in prices:
        for name, quantity in price.assumptions.items():
            found.setdefault(name, quantity)
    known = [assumption(name, quantity) for name, quantity in found.items() if quantity.value]
    return [one for one in known if one.low < 1 or one.high > 1]


def with_corners(table: Calibration, cell: str, quantity: str, number: Quantity) -> Quantity:
    """Return a number of the calibration table with the range of its corners and temperatures.

    The range is that of fast and slow transistors and of the temperatures that were simulated, and of what layout adds
    to energy and area; where the cell has no corners, that of its kind. A time that was not simulated is a number of
    clock periods, and exact.
    """
    spread = table.spread(cell, quantity)
    if spread is None and number.unit == "s" and number.kind == "derived":
        return replace(number, low=number.value, high=number.value)
    low, high = spread or KIND_RANGES[number.kind]
    low, high = low * number.value, high * number.value * LAYOUT.get(number.unit, 1.0)
    if not low <= number.value <= high:  # a number that may have either sign
        return number
    return replace(number, low=low, high=high)


def monte_carlo(
    evaluate: Callable[[Hardware], Totals],
    hardware: Hardware,
    assumptions: Sequence[Assumption],
    *,
    draws: int = DRAWS,
    seed: int = 1,
) -> pd.DataFrame:
    """Return the band of each figure of a bill.

    Parameters
    ----------
    evaluate
        Prices a hardware, of many designs at once.
    hardware
        The design.
    assumptions
        What is drawn; every one independently of the others, by a stream of its own.
    draws
        Number of draws, >= 20.
    seed
        Of the draws.

    Returns
    -------
    DataFrame
        Columns figure, low, nominal, high, draws; low and high are the 5th and 95th percentiles.
    """
    if draws < 20:
        raise ValueError(f"draws = {draws} is not allowed; percentiles need at least 20")
    factors = {}
    for place, one in enumerate(assumptions):
        normal = np.random.Generator(np.random.Philox(key=[seed, place])).standard_normal(draws)
        spread = np.where(normal < 0, -math.log(one.low), math.log(one.high)) / QUANTILE_5
        factors[one.name] = np.clip(np.exp(spread * normal), one.low, one.high)
    totals, nominal = evaluate(_multiplied(hardware, factors)), evaluate(hardware)
    rows = []
    for figure in FIGURES:
        drawn = np.broadcast_to(getattr(totals, figure), (draws,))
        low, high = np.percentile(drawn, [5, 95])
        rows.append((figure, float(low), float(getattr(nominal, figure)), float(high), draws))
    return pd.DataFrame(rows, columns=["figure", "low", "nominal", "high", "draws"])


def tornado(
    evaluate: Callable[[Hardware], Totals], hardware: Hardware, assumptions: Sequence[Assumption]
) -> pd.DataFrame:
    """Return what each figure of a bill becomes when one number after the other takes either end of its range.

    Returns
    -------
    DataFrame
        Columns figure, assumption, nominal, assumption_low, assumption_high, unit, kind, source, low, high; per figure
        the largest swing first. `low` and `high` are the figure at the low and the high end of the assumption.
    """
    count = len(assumptions)
    if not count:
        return pd.DataFrame(columns=list(TORNADO_COLUMNS))
    factors: dict[str, Number] = {}
    for place, one in enumerate(assumptions):
        column = np.ones(2 * count)
        column[2 * place], column[2 * place + 1] = one.low, one.high
        factors[one.name] = column
    totals = evaluate(_multiplied(hardware, factors))
    rows = []
    for figure in FIGURES:
        values = np.broadcast_to(getattr(totals, figure), (2 * count,)).reshape(count, 2)
        order = np.argsort(-np.abs(values[:, 1] - values[:, 0]), kind="stable")
        for place in order:
            one, (low, high) = assumptions[place], values[place]
            number = one.quantity
            ends = (number.value * one.low, number.value * one.high)
            where = number.source or number.note
            rows.append((figure, one.name, number.value, *ends, number.unit, number.kind, where, low, high))
    return pd.DataFrame(rows, columns=list(TORNADO_COLUMNS))


TORNADO_COLUMNS = (
    *("figure", "assumption", "nominal", "assumption_low", "assumption_high", "unit", "kind", "source", "low", "high"),
)


def _multiplied(hardware: Hardware, factors: Mapping[str, Number]) -> Hardware:
    own = hardware.factors
    return replace(hardware, factors={**own, **{name: own.get(name, 1.0) * factor for name, factor in factors.items()}})
