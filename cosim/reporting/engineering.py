"""Quantities written for people: three significant digits and an SI prefix."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

MISSING = "\N{EN DASH}"
UNIT_SYMBOLS = {"m2": "m²", "ohm": "Ω", "1": ""}
# Units that people write with a prefix; "0.3 bit" and "300 K" stay as they are.
PREFIXED = frozenset(("J", "s", "V", "A", "S", "F", "W", "Hz", "m", "Ω", "H", "C"))
PREFIXES = {
    -18: "a",
    -15: "f",
    -12: "p",
    -9: "n",
    -6: "µ",
    -3: "m",
    0: "",
    3: "k",
    6: "M",
    9: "G",
    12: "T",
    15: "P",
}


@dataclass(frozen=True)
class Scale:
    """A unit for an axis: a quantity in SI units times ``factor`` is a number of ``unit``."""

    factor: float
    unit: str


def engineering(value: float, unit: str) -> str:
    """Write a quantity with three significant digits and the SI prefix that suits it.

    Parameters
    ----------
    value : float
        Quantity in the SI unit.
    unit : str
        Symbol of the unit, such as ``J``.

    Returns
    -------
    str
        For example ``12.3 nJ``; a dash where the value is nan.
    """
    if math.isnan(value):
        return MISSING
    if value == 0 or math.isinf(value):
        return f"{value:.0f} {unit}"
    exponent = _prefix_exponent(value)
    return f"{three_digits(value / 10.0**exponent)} {PREFIXES[exponent]}{unit}"


def area(value_m2: float) -> str:
    """Write an area in mm², or in µm² below a thousandth of one."""
    if math.isnan(value_m2):
        return MISSING
    if value_m2 != 0 and abs(value_m2) < 1e-9:
        return f"{three_digits(value_m2 * 1e12)} µm²"
    return f"{three_digits(value_m2 * 1e6)} mm²"


def storage(size_byte: float) -> str:
    """Write a digital storage in byte, kB (1000 byte), MB."""
    if math.isnan(size_byte):
        return MISSING
    if abs(size_byte) < 999.5:
        return f"{size_byte:.0f} byte"
    return engineering(size_byte, "B")


def quantity(value: float, unit: str) -> str:
    """Write a value in whatever unit it has: prefixed, as an area, or with three digits alone.

    Parameters
    ----------
    value : float
        Quantity in `unit`.
    unit : str
        SI unit as a `Quantity` has it: ``J``, ``m2``, ``ohm``, ``F/m``; ``1`` and the empty text are dimensionless.

    Returns
    -------
    str
        For example ``1.20 pJ``, ``12.0 µm²``, ``0.05``; a dash where the value is nan.
    """
    if math.isnan(value):
        return MISSING
    symbol = UNIT_SYMBOLS.get(unit, unit)
    if symbol == "m²":
        return area(value)
    if symbol.split("/")[0] in PREFIXED:
        return engineering(value, symbol)
    return f"{value:.3g} {symbol}".strip()


def quantity_range(low: float, high: float, unit: str) -> str:
    """Write two values as one range, the unit once where both have the same: ``0.400–1.20 pJ``."""
    if UNIT_SYMBOLS.get(unit, unit) == "m²" and abs(low) < 1e-9 and abs(high) < 1e-7:
        first, second = (f"{three_digits(value * 1e12)} µm²" for value in (low, high))
    else:
        first, second = quantity(low, unit), quantity(high, unit)
    if first == second:
        return first
    number, _, symbol = first.partition(" ")
    if not symbol or symbol == second.partition(" ")[2]:
        first = number
    apart = " " in first or second.startswith("-")
    return f"{first} {MISSING} {second}" if apart else f"{first}{MISSING}{second}"


def percent(fraction: float, digits: int = 1) -> str:
    """Write a fraction as a percentage."""
    return MISSING if math.isnan(fraction) else f"{100 * fraction:.{digits}f} %"


def percent_spread(fraction: float, spread: float) -> str:
    """Write a fraction and its spread as percentages; the spread of a single sample is left out."""
    if math.isnan(fraction) or math.isnan(spread):
        return percent(fraction)
    return f"{100 * fraction:.1f} ± {100 * spread:.1f} %"


def axis_scale(values: Iterable[float], unit: str) -> Scale:
    """Choose the prefix for an axis: that of its largest value; areas are in mm²."""
    if unit == "m²":
        return Scale(1e6, "mm²")
    sizes = [abs(value) for value in values if math.isfinite(value) and value != 0]
    exponent = _prefix_exponent(max(sizes)) if sizes else 0
    return Scale(10.0**-exponent, f"{PREFIXES[exponent]}{unit}")


def _prefix_exponent(value: float) -> int:
    """Exponent of the prefix after rounding, so that 999.6 nJ becomes 1.00 µJ."""
    decade = int(f"{abs(value):.2e}".split("e")[1])
    return min(max(3 * (decade // 3), min(PREFIXES)), max(PREFIXES))


def three_digits(number: float) -> str:
    """Write three significant digits without an exponent."""
    if number == 0:
        return "0"
    decade = int(f"{abs(number):.2e}".split("e")[1])
    return f"{number:.{max(0, 2 - decade)}f}"
