"""Energy, delay and area of each component, as charges per counted action.

A preset lists charges: a component, the operations it takes part in, the count that it is paid per, and a price.
A price is a value of the preset or the name of a model below; a model is a formula over the preset's values and
the calibration table, so its result is `derived` (or passed on unchanged from the table).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cost_model.hardware import Hardware, HardwareError
from cost_model.operations import COUNTS, KINDS
from device_models.quantity import Quantity

Model = Callable[[Hardware], Quantity]


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
    energy_j: Quantity | None
    latency_s: Quantity | None
    algorithms: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Where the price comes from, as one line of text."""
        parts = [quantity.describe() for quantity in (self.energy_j, self.latency_s) if quantity is not None]
        return " | ".join(dict.fromkeys(parts))


@dataclass(frozen=True)
class AreaCharge:
    """Area of one component per instance of the floorplan."""

    component: str
    per: str
    area_m2: Quantity


def charges(hardware: Hardware, algorithm: str) -> list[Charge]:
    """Return the price list of a design for one algorithm.

    Raises
    ------
    HardwareError
        If the preset names an unknown operation, count, value or model.
    """
    lines = [_charge(hardware, entry) for entry in hardware.table["charge"]]
    return [line for line in lines if not line.algorithms or algorithm in line.algorithms]


def area_charges(hardware: Hardware) -> list[AreaCharge]:
    """Return the areas per instance of a design."""
    return [
        AreaCharge(entry["component"], entry["per"], _price(hardware, entry["area"], "m2"))
        for entry in hardware.table["area"]
    ]


def _charge(hardware: Hardware, entry: dict[str, Any]) -> Charge:
    unknown = set(entry["operations"]) - set(KINDS)
    if unknown or entry["per"] not in COUNTS:
        raise HardwareError(f"hardware {hardware.preset}: charge {entry} names an unknown operation or count")
    energy = _price(hardware, entry["energy"], "J") if "energy" in entry else None
    latency = _price(hardware, entry["latency"], "s") if "latency" in entry else None
    algorithms = tuple(entry.get("algorithms", ()))
    return Charge(entry["component"], tuple(entry["operations"]), entry["per"], energy, latency, algorithms)


def _price(hardware: Hardware, name: str, unit: str) -> Quantity:
    if name in hardware.table["values"]:
        price = hardware.value(name)
    elif name in MODELS:
        price = MODELS[name](hardware)
    else:
        raise HardwareError(f"hardware {hardware.preset}: no value or model is called {name!r}")
    if price.unit != unit or price.value < 0:
        raise HardwareError(f"hardware {hardware.preset}: {name} = {price.value} {price.unit}, expected {unit}, >= 0")
    return price


def _derived(value: float, unit: str, formula: str, *origins: Quantity) -> Quantity:
    notes = "; ".join(dict.fromkeys(f"{origin.kind} {origin.source or origin.note}" for origin in origins))
    return Quantity(value, unit, "derived", "", f"{formula} from {notes}")


def _calibrated(cell: str, quantity: str, bits: Callable[[Hardware], int] | None = None) -> Model:
    def model(hardware: Hardware) -> Quantity:
        return hardware.calibration.quantity(cell, quantity, bits(hardware) if bits else None)

    return model


def tia_energy(hardware: Hardware) -> Quantity:
    """Energy of one TIA for one read: power times (longest input pulse + settling)."""
    power = hardware.calibration.quantity("tia", "power_w")
    settling = hardware.calibration.quantity("tia", "latency_s")
    window = hardware.calibration.quantity("pulse_width_dac", "latency_s", hardware.dac_bits)
    energy = power.value * (window.value + settling.value)
    return _derived(energy, "J", "power x (longest input pulse + settling)", power, settling, window)


def cell_read_energy(hardware: Hardware) -> Quantity:
    """Energy of one cross-point for the longest read pulse: cells per weight x V² G t."""
    voltage, conductance = hardware.value("read_voltage_v"), hardware.value("mean_conductance_s")
    pair = hardware.value("cells_per_weight")
    window = hardware.calibration.quantity("pulse_width_dac", "latency_s", hardware.dac_bits)
    energy = pair.value * voltage.value**2 * conductance.value * window.value
    return _derived(energy, "J", "cells per weight x V^2 G t", pair, voltage, conductance, window)


def read_line_energy(hardware: Hardware) -> Quantity:
    """Energy of one read pulse on one line of a pair of arrays: driver + C V² of the line."""
    driver = hardware.calibration.quantity("line_driver", "energy_j")
    pair, cell = hardware.value("cells_per_weight"), hardware.value("line_capacitance_per_cell_f")
    voltage = hardware.value("read_voltage_v")
    energy = pair.value * (driver.value + cell.value * hardware.array_cols * voltage.value**2)
    return _derived(energy, "J", "cells per weight x (driver + C V^2)", driver, pair, cell, voltage)


def pulse_line_energy(hardware: Hardware) -> Quantity:
    """Energy of one update pulse on one line: driver + C V² of the line."""
    driver = hardware.calibration.quantity("pulse_driver", "energy_j")
    cell, voltage = hardware.value("line_capacitance_per_cell_f"), hardware.value("write_voltage_v")
    energy = driver.value + cell.value * hardware.array_cols * (voltage.value / 2) ** 2
    return _derived(energy, "J", "driver + C (V/2)^2", driver, cell, voltage)


def device_pulse_energy(hardware: Hardware) -> Quantity:
    """Energy of one device pulse: V² G t at the full write voltage."""
    voltage, conductance = hardware.value("write_voltage_v"), hardware.value("mean_conductance_s")
    slot = hardware.calibration.quantity("pulse_driver", "latency_s")
    energy = voltage.value**2 * conductance.value * slot.value
    return _derived(energy, "J", "V^2 G t", voltage, conductance, slot)


def half_select_energy(hardware: Hardware) -> Quantity:
    """Energy of one half-selected cross-point: V² G t at half the write voltage."""
    full = device_pulse_energy(hardware)
    return Quantity(full.value / 4, "J", "derived", "", f"half the voltage: a quarter of {full.note}")


def cross_point_area(hardware: Hardware) -> Quantity:
    """Area of one weight: cells per weight x area of a cell."""
    pair, cell = hardware.value("cells_per_weight"), hardware.value("cell_area_m2")
    return _derived(pair.value * cell.value, "m2", "cells per weight x area of a cell", pair, cell)


def _adc_bits(hardware: Hardware) -> int:
    return hardware.adc_bits


def _dac_bits(hardware: Hardware) -> int:
    return hardware.dac_bits


MODELS: dict[str, Model] = {
    "sar_adc_energy": _calibrated("sar_adc", "energy_j", _adc_bits),
    "sar_adc_latency": _calibrated("sar_adc", "latency_s", _adc_bits),
    "sar_adc_area": _calibrated("sar_adc", "area_m2", _adc_bits),
    "pulse_width_dac_energy": _calibrated("pulse_width_dac", "energy_j", _dac_bits),
    "pulse_width_dac_latency": _calibrated("pulse_width_dac", "latency_s", _dac_bits),
    "pulse_width_dac_area": _calibrated("pulse_width_dac", "area_m2", _dac_bits),
    "tia_energy": tia_energy,
    "tia_latency": _calibrated("tia", "latency_s"),
    "tia_area": _calibrated("tia", "area_m2"),
    "summing_stage_energy": _calibrated("summing_stage", "energy_j"),
    "summing_stage_latency": _calibrated("summing_stage", "latency_s"),
    "summing_stage_area": _calibrated("summing_stage", "area_m2"),
    "sample_hold_energy": _calibrated("sample_hold", "energy_j"),
    "sample_hold_area": _calibrated("sample_hold", "area_m2"),
    "pulse_slot_latency": _calibrated("pulse_driver", "latency_s"),
    "pulse_driver_area": _calibrated("pulse_driver", "area_m2"),
    "cell_read_energy": cell_read_energy,
    "read_line_energy": read_line_energy,
    "pulse_line_energy": pulse_line_energy,
    "device_pulse_energy": device_pulse_energy,
    "half_select_energy": half_select_energy,
    "cross_point_area": cross_point_area,
}
