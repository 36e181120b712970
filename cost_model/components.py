"""Energy, delay, area and leakage of each component, as charges per counted action or per instance.

A preset lists charges: a component, the operations it takes part in, the count that it is paid per, and a price.
A price is a value of the preset or the name of a model below; a model is a formula over the preset's values, the
calibration table, published converters and cells, so its result is `derived` (or passed on unchanged).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cost_model.hardware import Hardware, HardwareError
from cost_model.models import BUS, MODELS, bus_energy_per_byte
from cost_model.numbers import Number, first_where
from cost_model.operations import COUNTS, KINDS
from cost_model.price import Price


@dataclass(frozen=True)
class Charge:
    """One line of a price list.

    Parameters
    ----------
    component
        Name as it stands in the bill.
    operations
        Kinds of operation it is charged for.
    per
        Count that the price multiplies.
    energy_j, latency_s
        Price per unit of the count; None where this line charges none.
    algorithms
        Algorithms that it is charged to; empty for all.
    """

    component: str
    operations: tuple[str, ...]
    per: str
    energy_j: Price | None
    latency_s: Price | None
    algorithms: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Where the price comes from, as one line of text."""
        described = [price.describe() for price in (self.energy_j, self.latency_s) if price is not None]
        return " | ".join(dict.fromkeys(described))


@dataclass(frozen=True)
class AreaCharge:
    """Area of one component per instance of the floorplan."""

    component: str
    per: str
    area_m2: Price

    @property
    def source(self) -> str:
        """Where the area comes from, as one line of text."""
        return self.area_m2.describe()


@dataclass(frozen=True)
class LeakageCharge:
    """Power that one instance of the floorplan takes all the time."""

    component: str
    per: str
    power_w: Price

    @property
    def source(self) -> str:
        """Where the power comes from, as one line of text."""
        return self.power_w.describe()


def charges(hardware: Hardware, algorithm: str, *, area_m2: Number = 0.0) -> list[Charge]:
    """Return the price list of a design for one algorithm.

    Parameters
    ----------
    hardware
        The design.
    algorithm
        Name of the algorithm.
    area_m2
        Area of the chip, which wires between layers have to cross.

    Raises
    ------
    HardwareError
        If the preset names an unknown operation, count, value or model.
    """
    lines = [_charge(hardware, entry, area_m2) for entry in hardware.table["charge"]]
    return [line for line in lines if not line.algorithms or algorithm in line.algorithms]


def area_charges(hardware: Hardware) -> list[AreaCharge]:
    """Return the areas per instance of a design."""
    return [
        AreaCharge(entry["component"], entry["per"], _price(hardware, entry["area"], "m2"))
        for entry in hardware.table["area"]
    ]


def leakage_charges(hardware: Hardware) -> list[LeakageCharge]:
    """Return the leakage per instance of a design."""
    return [
        LeakageCharge(entry["component"], entry["per"], _price(hardware, entry["power"], "W"))
        for entry in hardware.table.get("leakage", ())
    ]


def check_prices(hardware: Hardware, algorithm: str) -> None:
    """Make every price of a design once.

    Raises
    ------
    HardwareError, CalibrationError
        If one is outside what its model knows.
    """
    all_prices(hardware, algorithm)


def all_prices(hardware: Hardware, algorithm: str, *, area_m2: Number = 0.0) -> list[Price]:
    """Return every price of a design for one algorithm."""
    lines = charges(hardware, algorithm, area_m2=area_m2)
    per_count = [price for line in lines for price in (line.energy_j, line.latency_s) if price is not None]
    return [
        *per_count,
        *(charge.area_m2 for charge in area_charges(hardware)),
        *(charge.power_w for charge in leakage_charges(hardware)),
    ]


def _charge(hardware: Hardware, entry: dict[str, Any], area_m2: Number) -> Charge:
    unknown = set(entry["operations"]) - set(KINDS)
    if unknown or entry["per"] not in COUNTS:
        raise HardwareError(f"hardware {hardware.preset}: charge {entry} names an unknown operation or count")
    energy = _price(hardware, entry["energy"], "J", area_m2) if "energy" in entry else None
    latency = _price(hardware, entry["latency"], "s") if "latency" in entry else None
    algorithms = tuple(entry.get("algorithms", ()))
    return Charge(entry["component"], tuple(entry["operations"]), entry["per"], energy, latency, algorithms)


def _price(hardware: Hardware, name: str, unit: str, area_m2: Number = 0.0) -> Price:
    if name == BUS:
        price = bus_energy_per_byte(hardware, area_m2)
    elif name in hardware.prices:
        price = hardware.prices[name]
    elif name in hardware.table["values"]:
        price = hardware.value(name)
    elif name in MODELS:
        price = MODELS[name](hardware)
    else:
        raise HardwareError(f"hardware {hardware.preset}: no value or model is called {name!r}")
    negative = first_where(np.less(price.value, 0), price.value)
    if price.unit != unit or negative:
        value = negative[0] if negative else price.value
        raise HardwareError(f"hardware {hardware.preset}: {name} = {value} {price.unit}, expected {unit}, >= 0")
    if name != BUS:
        hardware.prices[name] = price
    return price
