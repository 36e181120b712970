"""Price lists: every price has a unit, a source and a formula, and what is missing or wrong raises."""

from dataclasses import replace

import numpy as np
import pytest

from circuits.calibration import Calibration, CalibrationError
from cosim.algorithms import ALGORITHMS
from cost_model import models, parts
from cost_model.adc import ADC_MODELS
from cost_model.cells import list_cells, load_cell
from cost_model.components import Charge, area_charges, charges, check_prices, leakage_charges
from cost_model.hardware import Hardware, HardwareError, hardware_preset
from cost_model.models import MODELS
from cost_model.operations import COUNTS, KINDS
from cost_model.price import RESTS_ON_ASSUMED, derived, price_of
from device_models.quantity import Quantity
from tests.cost_model.designs import PRESETS, hardware

# The longer of the cell's pulse and its driver counts.
HIDDEN_BY_THE_SLOWER = {"pulse_slot_latency"}


@pytest.fixture
def edited(monkeypatch):
    """Return a design whose preset has one entry changed."""

    def edit(change):
        table = dict(hardware_preset("sar_45nm"))
        table["charge"] = [dict(entry) for entry in table["charge"]]
        change(table)
        monkeypatch.setattr(Hardware, "table", property(lambda self: table))
        return hardware()

    return edit


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_kind_of_operation_has_a_price_and_every_price_a_source(preset, algorithm):
    price_list = charges(hardware(preset), algorithm)
    assert {kind for charge in price_list for kind in charge.operations} == set(KINDS)
    for charge in price_list:
        assert charge.energy_j is not None or charge.latency_s is not None
        assert charge.per in COUNTS
        assert charge.source.split(":")[0] in ("measured", "fitted", "derived", RESTS_ON_ASSUMED, "assumed")
        assert charge.source.split(":", 1)[1].strip()


@pytest.mark.parametrize("preset", PRESETS)
def test_prices_have_the_units_of_a_bill(preset):
    for charge in charges(hardware(preset), "residual_learning"):
        assert charge.energy_j is None or (charge.energy_j.unit == "J" and charge.energy_j.value >= 0)
        assert charge.latency_s is None or (charge.latency_s.unit == "s" and charge.latency_s.value >= 0)
    for charge in area_charges(hardware(preset)):
        assert charge.area_m2.unit == "m2"
        assert charge.area_m2.value > 0
        assert charge.area_m2.describe().strip()
    for charge in leakage_charges(hardware(preset)):
        assert charge.power_w.unit == "W"
        assert charge.power_w.value >= 0
        assert charge.source == charge.power_w.describe()


def test_a_published_price_for_one_algorithm_is_charged_to_it_alone():
    digital = [
        {(charge.component, charge.operations, charge.per) for charge in charges(hardware("multi_tile_paper"), name)}
        for name in ("mixed_precision", "residual_learning")
    ]
    assert ("digital", ("forward",), "cell_reads") in digital[0] - digital[1]
    pulsed = ("update", "transfer", "refresh", "program", "calibrate")
    assert ("pulse_generators", pulsed, "line_slots") in digital[1] - digital[0]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_gives_a_number_with_a_text(name):
    price = MODELS[name](hardware())
    assert price.value > 0 or name == "adc_leakage"  # that of a simulated converter is in its conversions
    assert price.describe().strip()


@pytest.mark.parametrize("setting", [{}, {"dac_model": "r2r"}, {"adc_model": "survey"}, {"cell_model": "reram"}])
@pytest.mark.parametrize("name", MODELS)
def test_every_price_names_the_numbers_that_it_was_made_from(name, setting):
    """A factor on a number that is named moves the price, and one on any other number does not."""
    design = hardware(**setting)
    price = MODELS[name](design)
    assert price.assumptions or price.value == 0
    others = {
        assumption
        for other in MODELS.values()
        for assumption in other(design).assumptions
        if assumption not in price.assumptions
    }
    unmoved = MODELS[name](replace(design, factors=dict.fromkeys(others, 1.25)))
    assert unmoved.value == price.value
    for assumption, quantity in price.assumptions.items():
        moved = MODELS[name](replace(design, factors={assumption: 1.25}))
        slower = name in HIDDEN_BY_THE_SLOWER and moved.value == price.value
        assert moved.value != price.value or not quantity.value or slower, assumption


def test_the_formulas_of_the_derived_prices():
    design = hardware()
    table = design.calibration.quantity
    line, longest = {"cells": 128}, {"cells": 128, "gamma": 1.0}
    window = table("pulse_width_dac", "latency_s", bits=7).value
    tia = table("tia", "power_w", **longest).value * (window + table("tia", "latency_s", **longest).value)
    assert models.tia_energy(design).value == pytest.approx(tia, rel=1e-12, abs=0)
    most = {"tiles": 8, **longest}
    summing = table("summing_stage", "power_w", **most).value * (
        window + table("summing_stage", "latency_s", **most).value
    )
    one, two = (table("summing_stage", "switching_j", tiles=tiles).value for tiles in (1, 2))
    stage, each = models.summing_stage_energy(design).value, models.summing_input_energy(design).value
    assert stage + each == pytest.approx(summing + one, rel=1e-12, abs=0)
    assert stage + 2 * each == pytest.approx(summing + two, rel=1e-12, abs=0)
    one, two = (table("summing_stage", "area_m2", tiles=tiles).value for tiles in (1, 2))
    stage, each = models.summing_stage_area(design).value, models.summing_input_area(design).value
    assert (stage + each, stage + 2 * each) == pytest.approx((one, two), rel=1e-12, abs=0)
    cell = 2 * table("crossbar", "cell_power_w", **line).value * window
    assert models.cell_read_energy(design).value == pytest.approx(cell, rel=1e-12, abs=0)
    driven = table("pulse_width_dac", "drive_energy_j", **line)
    price = models.read_line_energy(design)
    assert (price.value, price.unit, price.kind) == (driven.value, driven.unit, driven.kind)
    assert price.describe() == driven.describe()
    counter = 64 * table("pulse_width_dac", "counter_energy_j", bits=7).value
    assert models.dac_counter_energy(design).value == pytest.approx(counter, rel=1e-12, abs=0)
    slot, driver = table("memristor", "latency_s").value, table("pulse_driver", "energy_j", **line).value
    assert models.pulse_slot_latency(design).value == pytest.approx(4 * slot, rel=1e-12, abs=0)
    assert models.pulse_line_energy(design).value == pytest.approx(2 * driver, rel=1e-12, abs=0)
    two = hardware(overrides={"write_phases": 2.0})
    assert models.pulse_line_energy(two).value == pytest.approx(driver, rel=1e-12, abs=0)
    half = 2 * table("memristor", "half_select_energy_j").value
    assert models.half_select_energy(design).value == pytest.approx(half, rel=1e-12, abs=0)
    area = 2 * design.number("cell_area_m2")
    assert models.cross_point_area(design).value == pytest.approx(area, rel=1e-12, abs=0)


def test_a_capacitive_dac_holds_amplitudes_by_buffers_and_needs_no_counter():
    design = hardware(dac_model="capacitive")
    table = design.calibration.quantity
    window = table("capacitive_dac", "latency_s", bits=7, cells=128).value + design.number("amplitude_window_s")
    assert models.read_window(design).value == pytest.approx(window, rel=1e-12, abs=0)
    held = window + table("tia", "latency_s", cells=128, gamma=1.0).value  # the TIA settles before the integration
    buffer = table("tia", "power_w", cells=128, gamma=1.0).value * held
    line = table("crossbar", "charge_energy_j", cells=128).value
    assert models.read_line_energy(design).value == pytest.approx(2 * (buffer + line), rel=1e-12, abs=0)
    assert models.dac_counter_energy(design).value == 0
    dac = table("capacitive_dac", "energy_j", bits=7, cells=128)
    assert (MODELS["dac_energy"](design).value, MODELS["dac_energy"](design).source) == (dac.value, dac.source)


def test_lines_count_as_the_shortest_characterised_one_and_are_never_extrapolated():
    low, high = hardware().calibration.range_of("tia", "latency_s", "cells")
    short, shortest = (hardware(array_rows=int(rows), array_cols=1) for rows in (1, low))
    assert models.calibrated(short, "tia", "latency_s") == models.calibrated(shortest, "tia", "latency_s")
    beyond = hardware(array_rows=int(high) + 1)
    with pytest.raises(HardwareError, match=r"hardware.array_rows = \d+ is beyond calibration table 'generic_45nm'"):
        models.calibrated(beyond, "tia", "latency_s")
    beyond = hardware(array_cols=int(high) + 1)
    with pytest.raises(HardwareError, match=rf"hardware.array_cols = .* of {low:g} to {high:g} cross-points; use"):
        charges(beyond, "analog_sgd")


def test_a_derived_price_names_its_formula_and_where_its_parts_come_from():
    text = models.tia_energy(hardware()).describe()
    assert text.startswith("derived: power x (read window + settling) from ")
    assert "measured simulation" in text


def test_a_charge_names_the_sources_of_both_its_prices_once():
    both = next(charge for charge in charges(hardware(), "analog_sgd") if charge.energy_j and charge.latency_s)
    assert both.source == f"{both.energy_j.describe()} | {both.latency_s.describe()}"
    same = Charge("adc", ("forward",), "reads", both.energy_j, both.energy_j)
    assert same.source == both.energy_j.describe()


@pytest.mark.parametrize(("key", "value"), [("operations", ["forward", "teleport"]), ("per", "wishes")])
def test_a_charge_with_an_unknown_operation_or_count_raises(edited, key, value):
    design = edited(lambda table: table["charge"][0].update({key: value}))
    with pytest.raises(HardwareError, match=r"hardware sar_45nm: charge .* names an unknown operation or count"):
        charges(design, "analog_sgd")


def test_a_missing_price_raises(edited):
    design = edited(lambda table: table["charge"][0].update(energy="no_such_price_j"))
    with pytest.raises(HardwareError, match="hardware sar_45nm: no value or model is called 'no_such_price_j'"):
        charges(design, "analog_sgd")


def test_a_price_in_the_wrong_unit_raises(edited):
    design = edited(lambda table: table["charge"][0].update(energy="flop_time_s"))
    with pytest.raises(HardwareError, match=r"flop_time_s = .* s, expected J, >= 0"):
        charges(design, "analog_sgd")


def test_a_negative_price_raises():
    with pytest.raises(HardwareError, match=r"flop_energy_j = -1.0 J, expected J, >= 0"):
        charges(hardware(overrides={"flop_energy_j": -1.0}), "analog_sgd")


def test_of_many_designs_the_first_with_a_negative_price_is_named():
    values = np.array([1e-12, 0.0, -2.0, -1.0])
    with pytest.raises(HardwareError, match=r"flop_energy_j = -2.0 J, expected J, >= 0"):
        charges(hardware(overrides={"flop_energy_j": values}), "analog_sgd")


def test_checking_makes_every_price(edited):
    check_prices(hardware(), "analog_sgd")
    for table, key in (("charge", "energy"), ("area", "area"), ("leakage", "power")):
        design = edited(lambda preset, table=table, key=key: preset.update({table: [preset[table][0] | {key: "none"}]}))
        with pytest.raises(HardwareError, match="no value or model is called 'none'"):
            check_prices(design, "analog_sgd")


def test_wires_between_layers_are_as_long_as_the_chip_is_wide():
    design = hardware()
    small, large = (
        next(charge for charge in charges(design, "analog_sgd", area_m2=area) if charge.component == "wires")
        for area in (1e-6, 4e-6)
    )
    assert small.per == "bus_bytes"
    assert small.energy_j.value == pytest.approx(8 / 2 * 2e-10 * 1e-3 * 1.0**2)  # 0.2 fF/um, 1 mm, 1 V
    assert large.energy_j.value == pytest.approx(2 * small.energy_j.value)
    assert set(small.energy_j.assumptions) == {"bus_voltage_v", "bus_capacitance_f_per_m"}


def test_published_converters_and_cells_have_the_prices_of_their_models():
    design = hardware(adc_model="survey", adc_bits=6, adc_rate_hz=2e8, dac_model="r2r", cell_model="ecram")
    adc = ADC_MODELS["survey"].figures(6, 45, 2e8)
    for name, figure in zip(("energy", "latency", "area", "leakage"), vars(adc).values(), strict=True):
        assert MODELS[f"adc_{name}"](design).value == figure.value
    window = parts.r2r_dac(7).latency_s.value + design.number("amplitude_window_s")
    assert models.read_window(design).value == window
    assert models.dac_counter_energy(design).value == 0
    cell = load_cell("ecram")
    assert models.device_pulse_energy(design).value == pytest.approx(cell.pulse_energy_j())
    assert models.half_select_energy(design).value == pytest.approx(2 * cell.half_select_energy_j())
    assert models.cross_point_area(design).value == pytest.approx(2 * cell.cell_area_m2(45))
    assert models.cell_read_energy(design).value == pytest.approx(2 * cell.read_power_w() * window)
    assert models.pulse_slot_latency(design).value == pytest.approx(4 * cell.write_pulse_s.value)


def test_a_bit_serial_dac_has_the_prices_of_its_part():
    design, dac = hardware("neurosim_22nm", dac_model="bit_serial"), parts.bit_serial_dac()
    assert MODELS["dac_energy"](design).value == dac.energy_j.value
    assert MODELS["dac_area"](design).value == dac.area_m2.value
    assert MODELS["dac_leakage"](design).value == dac.leakage_w.value
    assert models.read_window(design).value == dac.latency_s.value
    assert models.dac_counter_energy(design).value == 0


@pytest.mark.parametrize("bits", [2, 7, 10])
def test_an_r2r_dac_is_driven_for_its_settling_and_the_amplitude(bits):
    design = hardware(dac_model="r2r", dac_bits=bits)
    window = parts.r2r_dac(bits).latency_s.value + design.number("amplitude_window_s")
    assert models.read_window(design).value == window
    assert MODELS["dac_energy"](design).value == parts.r2r_dac(bits, window_s=window).energy_j.value
    assert MODELS["dac_area"](design).value == parts.r2r_dac(bits).area_m2.value


@pytest.mark.parametrize("cell", list_cells())
def test_a_half_selected_cell_of_the_study_conducts_if_a_written_one_does(cell):
    values = {"half_select_fraction": 0.5, "write_conductance_s": np.array([0.0, 1e-5, 0.0])}
    many = models.half_select_energy(hardware(cell_model=cell, cell_values=values)).value
    for place in range(3):
        own = {"half_select_fraction": 0.5, "write_conductance_s": float(values["write_conductance_s"][place])}
        one = models.half_select_energy(hardware(cell_model=cell, cell_values=own)).value
        assert one == many[place] == pytest.approx(2 * load_cell(cell).half_select_energy_j(own))


def test_a_price_that_the_calibration_table_lacks_raises(monkeypatch):
    design = hardware()
    table = design.calibration
    rows = [row for row in table.rows if (row.cell, row.name) != ("tia", "power_w")]
    monkeypatch.setattr(Hardware, "calibration", property(lambda self: Calibration(table.name, rows)))
    with pytest.raises(CalibrationError, match="tia has no 'power_w'"):
        charges(design, "analog_sgd")


def test_what_is_derived_from_a_guess_says_so():
    measured = price_of(Quantity(1.0, "J", "measured", "li2025", "one read"), "a")
    guess = price_of(Quantity(2.0, "1", "assumed", "", "a guess"), "b")
    assert derived(1.0, "J", "as it is", measured).describe().startswith("derived: as it is from measured")
    assert derived(2.0, "J", "twice", measured, guess).describe().startswith("derived from assumed numbers: twice")
    assert guess.describe() == "assumed: a guess"
    assert dict(derived(2.0, "J", "twice", measured, guess).assumptions) == {
        "a": Quantity(1.0, "J", "measured", "li2025", "one read"),
        "b": Quantity(2.0, "1", "assumed", "", "a guess"),
    }


def test_drivers_of_other_cells_pay_for_their_voltage_and_their_wider_lines():
    plain = models.pulse_line_energy(hardware()).value
    same = {"write_voltage_v": 2.0, "line_capacitance_f_per_cell": 3.6e-17}
    assert models.pulse_line_energy(hardware(cell_model="ecram", cell_values=same)).value == pytest.approx(plain)
    higher = hardware(cell_model="ecram", cell_values={**same, "write_voltage_v": 5.0})
    assert models.pulse_line_energy(higher).value == pytest.approx(2.5**2 * plain)
    wider = hardware(cell_model="ecram", cell_values={**same, "line_capacitance_f_per_cell": 1.036e-15})
    # Two phases of two, 2 x 128 cells with 1 fF more each at 2 V.
    assert models.pulse_line_energy(wider).value == pytest.approx(plain + 2 * 256 * 1e-15 * 4)
