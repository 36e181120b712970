"""Formulas for the prices of components: over the preset's values, the calibration table, converters and cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from circuits.frame import CELL_CAPACITANCE_F, WRITE_SUPPLY_V
from cost_model import cells, parts
from cost_model.adc import AdcError, AdcFigures
from cost_model.bands import with_corners
from cost_model.hardware import SIMULATED_ADC, SIMULATED_DACS, Hardware, HardwareError, given_quantity
from cost_model.numbers import Number, first_where, over_distinct
from cost_model.price import Price, derived, price_of
from device_models.quantity import Quantity

Model = Callable[[Hardware], Price]
PAIR = 2  # devices of a weight on a simulated line


def calibrated(hardware: Hardware, cell: str, quantity: str, *, tiles: int | None = None) -> Price:
    """Return a number of the calibration table under the conditions of a design.

    Lines shorter than the shortest characterised one count as that one; a TIA counts as that of the coarsest tile, a
    summing stage as that with the most tiles where `tiles` does not say how many it adds, and where it adds more: the
    weight of the finest ones is small.

    Raises
    ------
    HardwareError
        If the lines are longer than what the cell was characterised for.
    CalibrationError
        If the preset has no calibration table.
    """
    remembered = (cell, quantity, tiles)
    if remembered in hardware.prices:
        return hardware.prices[remembered]
    table = hardware.simulated
    asked: dict[str, Number] = {}
    names = table.conditions_of(cell, quantity)
    if "bits" in names:
        asked["bits"] = hardware.dac_bits if cell.endswith("_dac") else hardware.adc_bits
    if "cells" in names:
        asked["cells"] = _line_cells(hardware, cell, quantity)
    if "gamma" in names:
        asked["gamma"] = 1.0
    if "tiles" in names:
        most = int(table.range_of(cell, quantity, "tiles")[1])
        asked["tiles"] = min(tiles or most, most)

    def look_up(*conditions: float) -> float:
        return table.quantity(cell, quantity, **_conditions(asked, conditions)).value

    name = f"{cell} {quantity}"
    first = [np.reshape(setting, -1)[0].item() for setting in asked.values()]
    number = with_corners(table, cell, quantity, table.quantity(cell, quantity, **_conditions(asked, first)))
    value = over_distinct(look_up, *asked.values()) if asked else number.value
    price = replace(price_of(number, name), value=value * hardware.factors.get(name, 1.0))
    hardware.prices[remembered] = price
    return price


def _conditions(asked: dict[str, Number], values: Any) -> dict[str, Any]:
    """Return conditions of the table as it takes them: whole numbers but for gamma."""
    return {name: float(value) if name == "gamma" else int(value) for name, value in zip(asked, values, strict=True)}


def _line_cells(hardware: Hardware, cell: str, quantity: str) -> Number:
    """Return the cross-points of the longer side of an array, as the table knows lines."""
    table = hardware.simulated
    low, high = table.range_of(cell, quantity, "cells")
    for key in ("array_rows", "array_cols"):
        lines = getattr(hardware, key)
        if found := first_where(np.greater(lines, high), lines):
            raise HardwareError(
                f"hardware.{key} = {found[0]} is beyond calibration table {table.name!r}: {cell} {quantity} is known "
                f"for lines of {low:g} to {high:g} cross-points; use smaller arrays"
            )
    return np.maximum(np.maximum(hardware.array_rows, hardware.array_cols), int(low))


def _from_table(cell: str, quantity: str) -> Model:
    def model(hardware: Hardware) -> Price:
        return calibrated(hardware, cell, quantity)

    return model


# Converters of the sensed lines.


def _adc(figure: str) -> Model:
    """Return the model of one figure of the converter: simulated, or published."""

    def model(hardware: Hardware) -> Price:
        if hardware.adc_model == SIMULATED_ADC:
            return calibrated(hardware, "sar_adc", figure)
        return published_adc(hardware, figure)

    return model


def published_adc(hardware: Hardware, figure: str) -> Price:
    """Return energy_j, latency_s, area_m2 or leakage_w of a converter that was not simulated.

    Raises
    ------
    HardwareError
        If the node, the resolution or the rate is outside the model.
    """
    source = hardware.adc_source
    assert source is not None
    column = hardware.value("column_resistance_ohm") if "column_resistance_ohm" in hardware.table["values"] else None
    name = f"{hardware.adc_model} adc {figure}"

    def figures(bits: float, rate: float, resistance: float) -> AdcFigures:
        try:
            return source.figures(
                int(bits),
                hardware.node_nm,
                rate_hz=rate or None,
                column_resistance_ohm=resistance or None,
            )
        except AdcError as error:
            raise HardwareError(str(error)) from None

    rate = 0.0 if hardware.adc_rate_hz is None else hardware.adc_rate_hz
    settings = (hardware.adc_bits, rate, 0.0 if column is None else column.value)
    first = getattr(figures(*(np.reshape(setting, -1)[0].item() for setting in settings)), figure)
    value = over_distinct(lambda *point: getattr(figures(*point), figure).value, *settings)
    price = price_of(first, name)
    resting = (
        price.assumptions if column is None or figure != "energy_j" else {**price.assumptions, **column.assumptions}
    )
    return replace(price, value=value * hardware.factors.get(name, 1.0), assumptions=resting)


def adc_leakage(hardware: Hardware) -> Price:
    """Return the leakage of a converter; the simulated one's is in the energy of its conversions."""
    if hardware.adc_model == SIMULATED_ADC:
        return derived(0.0, "W", "a simulated converter draws what its conversions draw")
    return published_adc(hardware, "leakage_w")


# Converters of the driven lines: simulated, or of `cost_model.parts`.


def _of_dac(figure: str) -> Model:
    """Return the model of one figure of a DAC."""

    def model(hardware: Hardware) -> Price:
        if hardware.dac_model in SIMULATED_DACS:
            return calibrated(hardware, hardware.dac_cell, figure)
        if hardware.dac_model == "bit_serial":
            return part_price(hardware, figure, parts.bit_serial_dac)
        if figure != "energy_j":
            return part_price(hardware, figure, lambda bits: parts.r2r_dac(int(bits)), hardware.dac_bits)
        window = read_window(hardware)
        price = part_price(
            hardware,
            figure,
            lambda bits, held: parts.r2r_dac(int(bits), window_s=held),
            hardware.dac_bits,
            window.value,
        )
        return replace(price, assumptions={**price.assumptions, **window.assumptions})

    return model


def part_price(hardware: Hardware, figure: str, make: Callable[..., parts.Part], *settings: Number) -> Price:
    """Return a figure of a part of `cost_model.parts`, made for each distinct setting.

    Raises
    ------
    HardwareError
        If a setting is outside what the part is known for.
    """

    def number(*point: float) -> Quantity:
        try:
            quantity: Quantity = getattr(make(*point), figure)
        except parts.PartError as error:
            raise HardwareError(str(error)) from None
        return quantity

    first = [np.reshape(setting, -1)[0].item() for setting in settings]
    name = f"{make(*first).name} {figure}"
    price = price_of(number(*first), name)
    value = over_distinct(lambda *point: number(*point).value, *settings) if settings else price.value
    return replace(price, value=value * hardware.factors.get(name, 1.0))


def dac_leakage(hardware: Hardware) -> Price:
    """Return what a DAC takes while it waits."""
    figure = "static_power_w" if hardware.dac_model in SIMULATED_DACS else "leakage_w"
    return _of_dac(figure)(hardware)


def read_window(hardware: Hardware) -> Price:
    """Time for which the lines are driven: the longest pulse, or settling and integration of a held amplitude."""
    longest = _of_dac("latency_s")(hardware)
    if hardware.dac_model in ("pulse_width", "bit_serial"):
        return longest
    held = hardware.value("amplitude_window_s")
    return derived(
        longest.value + held.value, "s", "settling of the DAC + time that the amplitude is held", longest, held
    )


def driven_time(hardware: Hardware) -> Price:
    """Time for which cells conduct and lines are buffered: amplitudes are held while the TIA settles, too."""
    window = read_window(hardware)
    if hardware.dac_model in ("pulse_width", "bit_serial"):
        return window
    settling = calibrated(hardware, "tia", "latency_s")
    return derived(window.value + settling.value, "s", "read window + settling of the TIA", window, settling)


def dac_counter_energy(hardware: Hardware) -> Price:
    """Energy of the counter that all pulse-width DACs of a read share; a capacitive DAC needs none."""
    if hardware.dac_model != "pulse_width":
        return derived(0.0, "J", "only pulses of different length need a counter")
    tick, ticks = calibrated(hardware, "pulse_width_dac", "counter_energy_j"), 2 ** (hardware.dac_bits - 1)
    return derived(ticks * tick.value, "J", "the counter's ticks of the longest pulse", tick)


def tia_energy(hardware: Hardware) -> Price:
    """Energy of one TIA for one read: power x (time that the lines are driven + settling)."""
    power, settling, window = (
        calibrated(hardware, "tia", "power_w"),
        calibrated(hardware, "tia", "latency_s"),
        read_window(hardware),
    )
    energy = power.value * (window.value + settling.value)
    return derived(energy, "J", "power x (read window + settling)", power, settling, window)


def summing_stage_energy(hardware: Hardware) -> Price:
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
    return derived(energy, "J", formula, power, settling, window, first)


def summing_input_energy(hardware: Hardware) -> Price:
    """Energy of the switches of one tile at a summing stage for one read."""
    first, second = _of_one_and_two_tiles(hardware, "switching_j")
    return derived(second.value - first.value, "J", "switches of two tiles less those of one", first)


def summing_stage_area(hardware: Hardware) -> Price:
    """Area of one summing stage without what each of its tiles adds."""
    first, second = _of_one_and_two_tiles(hardware, "area_m2")
    return derived(2 * first.value - second.value, "m2", "op-amp, capacitor and reset", first)


def summing_input_area(hardware: Hardware) -> Price:
    """Area of the resistor and switches of one tile at a summing stage."""
    first, second = _of_one_and_two_tiles(hardware, "area_m2")
    return derived(second.value - first.value, "m2", "two tiles less one", first)


def _of_one_and_two_tiles(hardware: Hardware, quantity: str) -> tuple[Price, Price]:
    one, two = (calibrated(hardware, "summing_stage", quantity, tiles=tiles) for tiles in (1, 2))
    return one, two


# Cells: simulated, or of `cost_model.cells`.


def cell_value(hardware: Hardware, name: str) -> Price:
    """Return a value of the storage cell, or the study's number in its place, times its factor."""
    cell = hardware.cell
    assert cell is not None
    quantity, assumption = cell.quantities()[name], f"{cell.name} {name}"
    factor = hardware.factors.get(assumption, 1.0)
    if name not in hardware.cell_values:
        return price_of(quantity, assumption, factor)
    given = cell.values({name: hardware.cell_values[name]})[name]
    exact = given_quantity(given, quantity.unit, assumption)
    return replace(price_of(exact, assumption), value=given * factor)


def _cell_price(hardware: Hardware, unit: str, formula: str, function: Callable[..., Number], *names: str) -> Price:
    values = [cell_value(hardware, name) for name in names]
    return derived(function(*(value.value for value in values)), unit, formula, *values)


def cell_read_energy(hardware: Hardware) -> Price:
    """Energy of the devices of one weight while their lines are driven: devices per weight x V² G t."""
    if hardware.cell is None:
        power = calibrated(hardware, "crossbar", "cell_power_w")
    else:
        names = ("read_voltage_v", "mean_conductance_s")
        power = _cell_price(hardware, "W", "V^2 G", cells.read_power_w, *names)
    pair, window = hardware.value("cells_per_weight"), driven_time(hardware)
    energy = pair.value * power.value * window.value
    return derived(energy, "J", "cells per weight x V^2 G t", pair, power, window)


def device_pulse_energy(hardware: Hardware) -> Price:
    """Energy of one update pulse in a selected cell: V² G t + C V²."""
    if hardware.cell is None:
        return calibrated(hardware, "memristor", "pulse_energy_j")
    names = ("write_voltage_v", "write_conductance_s", "write_pulse_s", "write_charge_f")
    return _cell_price(hardware, "J", "V^2 G t + C V^2", cells.pulse_energy_j, *names)


def half_select_energy(hardware: Hardware) -> Price:
    """Energy of one half-selected cross-point per pulse of a train, in all phases in which its line is driven."""
    phases = hardware.value("write_phases")
    if hardware.cell is None:
        cell = calibrated(hardware, "memristor", "half_select_energy_j")
    else:
        conducts = np.greater(cell_value(hardware, "write_conductance_s").value, 0)

        def energy(volt: Number, part: Number, stored: Number, pulse: Number, charge: Number) -> Number:
            return cells.half_select_energy_j(volt, part, np.where(conducts, stored, 0.0), pulse, charge)

        names = ("write_voltage_v", "half_select_fraction", "mean_conductance_s", "write_pulse_s", "write_charge_f")
        cell = _cell_price(hardware, "J", "(f V)^2 G t + C (f V)^2", energy, *names)
    return derived(phases.value / 2 * cell.value, "J", "half the write phases x cell", phases, cell)


def cell_area(hardware: Hardware) -> Price:
    """Area of one device with its access transistor."""
    if hardware.cell is None:
        return hardware.value("cell_area_m2")
    squares = cell_value(hardware, "cell_area_f2")
    area = cells.cell_area_m2(squares.value, hardware.node_nm)
    return derived(area, "m2", f"{hardware.cell.name}: F^2 at {hardware.node_nm:g} nm", squares)


def cross_point_area(hardware: Hardware) -> Price:
    """Area of one weight: cells per weight x area of a cell."""
    pair, cell = hardware.value("cells_per_weight"), cell_area(hardware)
    return derived(pair.value * cell.value, "m2", "cells per weight x area of a cell", pair, cell)


def pulse_slot_latency(hardware: Hardware) -> Price:
    """Time of one slot of a pulse train: as many write phases as signs need, each as long as cell and driver need."""
    phases = hardware.value("write_phases")
    if hardware.cell is None:
        cell = calibrated(hardware, "memristor", "latency_s")
    else:
        cell = cell_value(hardware, "write_pulse_s")
    if hardware.calibration is None:
        return derived(phases.value * cell.value, "s", "write phases x pulse", phases, cell)
    driver = calibrated(hardware, "pulse_driver", "latency_s")
    slowest = np.maximum(cell.value, driver.value)
    return derived(phases.value * slowest, "s", "write phases x the longer of cell and driver", phases, cell, driver)


def pulse_line_energy(hardware: Hardware) -> Price:
    """Energy of one pulse of a train on one line: it is driven in the phases of both signs of the other side.

    The driver was simulated at its own voltage with lines of the simulated cell: for other cells it grows with V^2, and
    what their lines have beyond those is charged by C V^2.
    """
    phases, driver = hardware.value("write_phases"), calibrated(hardware, "pulse_driver", "energy_j")
    if hardware.cell is None:
        return derived(phases.value / 2 * driver.value, "J", "half the write phases x driver and line", phases, driver)
    voltage = cell_value(hardware, "write_voltage_v")
    capacitance = cell_value(hardware, "line_capacitance_f_per_cell")
    relative = voltage.value / WRITE_SUPPLY_V
    devices = PAIR * np.maximum(hardware.array_rows, hardware.array_cols)
    beyond = devices * (capacitance.value - CELL_CAPACITANCE_F) * voltage.value * voltage.value
    energy = driver.value * relative * relative + np.maximum(beyond, 0.0)
    formula = "half the write phases x (driver and line at the write voltage + C V^2 of wider cells)"
    return derived(phases.value / 2 * energy, "J", formula, phases, driver, voltage, capacitance)


def read_line_energy(hardware: Hardware) -> Price:
    """Energy of driving the pair of lines of one input, beyond what the cells take."""
    if hardware.dac_model == "pulse_width":
        return calibrated(hardware, "pulse_width_dac", "drive_energy_j")
    pair = hardware.value("cells_per_weight")
    charge = calibrated(hardware, "crossbar", "charge_energy_j")
    power, window = calibrated(hardware, "tia", "power_w"), driven_time(hardware)
    energy = pair.value * (charge.value + power.value * window.value)
    formula = "cells per weight x (line + power of a TIA's op-amp as its buffer x time that it is held)"
    return derived(energy, "J", formula, pair, charge, power, window)


def sram_leakage(hardware: Hardware) -> Price:
    """Leakage of the memory of one byte: its area x leakage per area."""
    area, density = hardware.value("sram_area_per_byte_m2"), _leakage_density(hardware)
    return derived(area.value * density.value, "W", "area x leakage per area", area, density)


def digital_leakage(hardware: Hardware) -> Price:
    """Leakage of one digital unit: its area x leakage per area."""
    area, density = hardware.value("digital_unit_area_m2"), _leakage_density(hardware)
    return derived(area.value * density.value, "W", "area x leakage per area", area, density)


def _leakage_density(hardware: Hardware) -> Price:
    name = "leakage w_per_m2"
    return price_of(parts.leakage_density(), name, hardware.factors.get(name, 1.0))


BUS = "bus_energy_per_byte"


def bus_energy_per_byte(hardware: Hardware, area_m2: Number) -> Price:
    """Energy of a byte on its way to the next layer: half of its bits change, over a side of the chip."""
    voltage, capacitance = hardware.value("bus_voltage_v"), hardware.value("bus_capacitance_f_per_m")
    energy = 8 * 0.5 * capacitance.value * np.sqrt(area_m2) * voltage.value * voltage.value
    return derived(energy, "J", "half of 8 bits x C V^2 x side of the chip", capacitance, voltage)


# Published macros: their converters, drivers and read cycle as published, and nothing that they do not have.


def macro_adc_energy(hardware: Hardware) -> Price:
    """Energy of a conversion of a published macro, scaled with the bits as its converter's model has it.

    That of the model itself for a preset without a figure of its own, and where the study takes another model.
    """
    return _macro_adc(hardware, "adc_conversion_energy_j", "energy_j")


def _macro_adc(hardware: Hardware, name: str, figure: str) -> Price:
    default = hardware.table["defaults"]
    if name not in hardware.table["values"] or hardware.adc_model != default["adc_model"]:
        return _adc(figure)(hardware)
    own, plain = hardware.value(name), replace(hardware, factors={})
    law = published_adc(plain, figure).value / published_adc(replace(plain, adc_bits=default["adc_bits"]), figure).value
    formula = f"as published at {default['adc_bits']} bits x how model {hardware.adc_model!r} grows with bits"
    return derived(own.value * law, own.unit, formula, own)


def macro_read_cycle(hardware: Hardware) -> Price:
    """Time from one read of a published macro to the next: its cycle, or as long as the conversions of a read take.

    While they last, the lines are driven for the next read. A preset without a cycle waits for its inputs alone.
    """
    if "read_cycle_s" not in hardware.table["values"]:
        return read_window(hardware)
    cycle, conversion = hardware.value("read_cycle_s"), _macro_adc(hardware, "adc_conversion_time_s", "latency_s")
    turns = np.minimum(hardware.columns_per_adc, np.maximum(hardware.array_rows, hardware.array_cols))
    longest = np.maximum(cycle.value, turns * conversion.value)
    return derived(longest, "s", "the longer of read cycle and conversions of a converter", cycle, conversion)


def input_bit_energy(hardware: Hardware) -> Price:
    """Energy of driving one line of a published macro for one bit; other drivers for a preset without one.

    Raises
    ------
    HardwareError
        If the study asks the macro for inputs, cells or a summing stage that it does not have.
    """
    if "input_bit_energy_j" not in hardware.table["values"]:
        return read_line_energy(hardware)
    where = f"preset {hardware.preset!r} is a published macro"
    if hardware.dac_model != "bit_serial":
        raise HardwareError(f"hardware.dac.model = {hardware.dac_model!r}: {where}; its inputs are 'bit_serial'")
    if hardware.cell is not None:
        raise HardwareError(
            f"hardware.cell.model = {hardware.cell_model!r}: {where} with a cell of its own; leave the key out, or set "
            "hardware.values of its cell"
        )
    if np.any(hardware.shared_by_tiles):
        raise HardwareError(
            f"hardware.adc.shared_by_tiles = true: {where} without a stage that sums the columns of tiles; set false, "
            "and their converted values are added digitally"
        )
    return hardware.value("input_bit_energy_j")


MODELS: dict[str, Model] = {
    "adc_energy": _adc("energy_j"),
    "adc_latency": _adc("latency_s"),
    "adc_area": _adc("area_m2"),
    "adc_leakage": adc_leakage,
    "dac_energy": _of_dac("energy_j"),
    "dac_counter_energy": dac_counter_energy,
    "dac_area": _of_dac("area_m2"),
    "dac_leakage": dac_leakage,
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
    "pulse_driver_leakage": _from_table("pulse_driver", "static_power_w"),
    "cell_read_energy": cell_read_energy,
    "read_line_energy": read_line_energy,
    "device_pulse_energy": device_pulse_energy,
    "half_select_energy": half_select_energy,
    "cross_point_area": cross_point_area,
    "sram_leakage": sram_leakage,
    "digital_leakage": digital_leakage,
    "macro_adc_energy": macro_adc_energy,
    "macro_read_cycle": macro_read_cycle,
    "input_bit_energy": input_bit_energy,
}
