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


def calibrated(hardware: Hardware, cell: str, quantity: str, *, tiles: int | None = None) -> Quantity:
    """Return a number of the calibration table under the conditions of a design.

    Lines shorter than the shortest characterised one count as that one; a TIA counts as that of the coarsest tile, a
    summing stage as that with the most tiles where `tiles` does not say how many it adds, and where it adds more: the
    weight of the finest ones is small.

    Raises
    ------
    HardwareError
        If the lines are longer than what the cell was characterised for.
    """
    table = hardware.calibration
    asked: dict[str, Any] = {}
    names = table.conditions_of(cell, quantity)
    if "bits" in names:
        asked["bits"] = hardware.dac_bits if cell == hardware.dac_cell else hardware.adc_bits
    if "cells" in names:
        low, high = table.range_of(cell, quantity, "cells")
        key, cells = max(
            ("array_rows", hardware.array_rows), ("array_cols", hardware.array_cols), key=lambda pair: pair[1]
        )
        if cells > high:
            raise HardwareError(
                f"hardware.{key} = {cells} is beyond calibration table {table.name!r}: {cell} {quantity} is known for "
                f"lines of {low:g} to {high:g} cross-points; use smaller arrays"
            )
        asked["cells"] = max(cells, int(low))
    if "gamma" in names:
        asked["gamma"] = 1.0
    if "tiles" in names:
        most = int(table.range_of(cell, quantity, "tiles")[1])
        asked["tiles"] = min(tiles or most, most)
    return table.quantity(cell, quantity, **asked)


def _from_table(cell: str, quantity: str) -> Model:
    def model(hardware: Hardware) -> Quantity:
        return calibrated(hardware, cell, quantity)

    return model


def _of_dac(quantity: str) -> Model:
    def model(hardware: Hardware) -> Quantity:
        return calibrated(hardware, hardware.dac_cell, quantity)

    return model


def read_window(hardware: Hardware) -> Quantity:
    """Time for which the lines are driven: the longest pulse, or settling and integration of a held amplitude."""
    longest = calibrated(hardware, hardware.dac_cell, "latency_s")
    if hardware.dac_model == "pulse_width":
        return longest
    held = hardware.value("amplitude_window_s")
    return _derived(
        longest.value + held.value, "s", "settling of the DAC + time that the amplitude is held", longest, held
    )


def dac_counter_energy(hardware: Hardware) -> Quantity:
    """Energy of the counter that all pulse-width DACs of a read share; a capacitive DAC needs none."""
    if hardware.dac_model != "pulse_width":
        return Quantity(0.0, "J", "derived", "", "amplitudes need no counter")
    tick, ticks = calibrated(hardware, "pulse_width_dac", "counter_energy_j"), 2 ** (hardware.dac_bits - 1)
    return _derived(ticks * tick.value, "J", f"{ticks} ticks of the counter", tick)


def tia_energy(hardware: Hardware) -> Quantity:
    """Energy of one TIA for one read: power x (time that the lines are driven + settling)."""
    power, settling, window = (
        calibrated(hardware, "tia", "power_w"),
        calibrated(hardware, "tia", "latency_s"),
        read_window(hardware),
    )
    energy = power.value * (window.value + settling.value)
    return _derived(energy, "J", "power x (read window + settling)", power, settling, window)


def summing_stage_energy(hardware: Hardware) -> Quantity:
    """Energy of one summing stage for one read, without what each of its tiles adds.

    Power x (time that the lines are driven + reset and settling) + the switches that all tiles share.
    """
    power, settling, window = (
        calibrated(hardware, "summing_stage", "power_w"),
        calibrated(hardware, "summing_stage", "latency_s"),
        read_window(hardware),
    )
    first, second = _of_one_and_two_tiles(hardware, "switching_j")
    energy = power.value * (window.value + settling.value) + 2 * first.value - second.value
    formula = "power x (read window + reset and settling) + shared switches"
    return _derived(energy, "J", formula, power, settling, window, first)


def summing_input_energy(hardware: Hardware) -> Quantity:
    """Energy of the switches of one tile at a summing stage for one read."""
    first, second = _of_one_and_two_tiles(hardware, "switching_j")
    return _derived(second.value - first.value, "J", "switches of two tiles less those of one", first)


def summing_stage_area(hardware: Hardware) -> Quantity:
    """Area of one summing stage without what each of its tiles adds."""
    first, second = _of_one_and_two_tiles(hardware, "area_m2")
    return _derived(2 * first.value - second.value, "m2", "op-amp, capacitor and reset", first)


def summing_input_area(hardware: Hardware) -> Quantity:
    """Area of the resistor and switches of one tile at a summing stage."""
    first, second = _of_one_and_two_tiles(hardware, "area_m2")
    return _derived(second.value - first.value, "m2", "two tiles less one", first)


def _of_one_and_two_tiles(hardware: Hardware, quantity: str) -> tuple[Quantity, Quantity]:
    one, two = (hardware.calibration.quantity("summing_stage", quantity, tiles=tiles) for tiles in (1, 2))
    return one, two


def cell_read_energy(hardware: Hardware) -> Quantity:
    """Energy of the devices of one weight while their lines are driven: devices per weight x V² G t."""
    power, pair, window = (
        calibrated(hardware, "crossbar", "cell_power_w"),
        hardware.value("cells_per_weight"),
        read_window(hardware),
    )
    energy = pair.value * power.value * window.value
    return _derived(energy, "J", "cells per weight x V^2 G t", pair, power, window)


def read_line_energy(hardware: Hardware) -> Quantity:
    """Energy of driving the pair of lines of one input, beyond what the cells take."""
    if hardware.dac_model == "pulse_width":
        return calibrated(hardware, "pulse_width_dac", "drive_energy_j")
    pair = hardware.value("cells_per_weight")
    charge = calibrated(hardware, "crossbar", "charge_energy_j")
    power, window = calibrated(hardware, "tia", "power_w"), read_window(hardware)
    energy = pair.value * (charge.value + power.value * window.value)
    formula = "cells per weight x (line + power of a TIA's op-amp as its buffer x read window)"
    return _derived(energy, "J", formula, pair, charge, power, window)


def pulse_slot_latency(hardware: Hardware) -> Quantity:
    """Time of one slot of a pulse train: as many write phases as signs need, each as long as cell and driver need."""
    phases = hardware.value("write_phases")
    cell, driver = calibrated(hardware, "memristor", "latency_s"), calibrated(hardware, "pulse_driver", "latency_s")
    slowest = max(cell, driver, key=lambda quantity: quantity.value)
    return _derived(
        phases.value * slowest.value, "s", "write phases x the longer of cell and driver", phases, cell, driver
    )


def pulse_line_energy(hardware: Hardware) -> Quantity:
    """Energy of one pulse of a train on one line: it is driven in the phases of both signs of the other side."""
    phases, driver = hardware.value("write_phases"), calibrated(hardware, "pulse_driver", "energy_j")
    return _derived(phases.value / 2 * driver.value, "J", "half the write phases x driver and line", phases, driver)


def half_select_energy(hardware: Hardware) -> Quantity:
    """Energy of one half-selected cross-point per pulse of a train, in all phases in which its line is driven."""
    phases, cell = hardware.value("write_phases"), calibrated(hardware, "memristor", "half_select_energy_j")
    return _derived(phases.value / 2 * cell.value, "J", "half the write phases x cell", phases, cell)


def cross_point_area(hardware: Hardware) -> Quantity:
    """Area of one weight: cells per weight x area of a cell."""
    pair, cell = hardware.value("cells_per_weight"), hardware.value("cell_area_m2")
    return _derived(pair.value * cell.value, "m2", "cells per weight x area of a cell", pair, cell)


MODELS: dict[str, Model] = {
    "sar_adc_energy": _from_table("sar_adc", "energy_j"),
    "sar_adc_latency": _from_table("sar_adc", "latency_s"),
    "sar_adc_area": _from_table("sar_adc", "area_m2"),
    "dac_energy": _of_dac("energy_j"),
    "dac_counter_energy": dac_counter_energy,
    "dac_area": _of_dac("area_m2"),
    "read_window": read_window,
    "array_latency": _from_table("crossbar", "latency_s"),
    "tia_energy": tia_energy,
    "tia_latency": _from_table("tia", "latency_s"),
    "tia_area": _from_table("tia", "area_m2"),
    "summing_stage_energy": summing_stage_energy,
    "summing_input_energy": summing_input_energy,
    "summing_stage_latency": _from_table("summing_stage", "latency_s"),
    "summing_stage_area": summing_stage_area,
    "summing_input_area": summing_input_area,
    "sample_hold_energy": _from_table("sample_hold", "energy_j"),
    "sample_hold_latency": _from_table("sample_hold", "latency_s"),
    "sample_hold_read_latency": _from_table("sample_hold", "read_latency_s"),
    "sample_hold_area": _from_table("sample_hold", "area_m2"),
    "sample_hold_buffer_area": _from_table("sample_hold", "buffer_area_m2"),
    "pulse_slot_latency": pulse_slot_latency,
    "pulse_line_energy": pulse_line_energy,
    "pulse_driver_area": _from_table("pulse_driver", "area_m2"),
    "cell_read_energy": cell_read_energy,
    "read_line_energy": read_line_energy,
    "device_pulse_energy": _from_table("memristor", "pulse_energy_j"),
    "half_select_energy": half_select_energy,
    "cross_point_area": cross_point_area,
}
