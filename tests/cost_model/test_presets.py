"""Every number of the hardware presets and calibration tables: unit, kind, source, formula, and that it matters."""

import math
from functools import cache

import numpy as np
import pytest

from circuits.calibration import CalibrationError, list_calibrations, load_calibration
from cosim.algorithms import ALGORITHMS
from cost_model import parts
from cost_model.adc import ADC_MODELS
from cost_model.components import area_charges, charges, check_prices, leakage_charges
from cost_model.floorplan import MatrixShape
from cost_model.hardware import FRACTIONS, WHOLE_NUMBERS, Hardware, HardwareError, hardware_preset, list_hardware
from cost_model.models import MODELS
from cost_model.technology import digital_area_ratio, digital_energy_ratio
from device_models.quantity import KINDS, quantity_from_table, sources
from tests.cost_model.designs import assumed_bill, hardware

NUMBERS = [(preset, name) for preset in list_hardware() for name in hardware_preset(preset)["values"]]
UNITS = {
    **{"_j": "J", "_conductance_s": "S", "_v_per_s": "V/s", "_s": "s", "_m2": "m2", "_v": "V", "_f": "F", "_w": "W"},
    **{"_ohm": "ohm", "_hz": "Hz", "_a": "A", "_f_per_m": "F/m"},
}
WITHOUT_SIMULATION = [name for name in list_hardware() if "calibration" not in hardware_preset(name)]
SHAPES = [MatrixShape("dense1", 20, 150, backward=False), MatrixShape("dense2", 10, 20)]

# Nothing else may be called derived without a formula here.
MLP_WEIGHTS = 785 * 250 + 251 * 10
CYCLE_S = 100e-9
FORMULAS = {
    ("multi_tile_paper", "forward_cell_energy_j"): 7.29e-9 / MLP_WEIGHTS,
    ("multi_tile_paper", "backward_cell_energy_j"): 2.15e-9 / (251 * 10),
    ("multi_tile_paper", "mixed_precision_digital_energy_j"): (21.21e-9 - 7.29e-9 - 2.15e-9) / MLP_WEIGHTS,
    ("multi_tile_paper", "outer_product_energy_j"): 62.03e-9 / (2 * MLP_WEIGHTS),
    ("multi_tile_paper", "line_slot_energy_j"): 0.7 / (2 * 4096) * 5e-9,
    ("multi_tile_paper", "flop_time_s"): 4 / 0.7e12,
    ("multi_tile_paper", "cell_area_m2"): 400e-9**2,
    ("sar_45nm", "sram_energy_per_byte_j"): 10e-12 / 8,
    ("sar_45nm", "flop_energy_j"): (0.9e-12 + 3.7e-12) / 2,
    ("sar_45nm", "off_chip_energy_per_byte_j"): 8 * 3.9e-12,
    ("neurosim_22nm", "column_resistance_ohm"): 1 / (112 * 0.16 * (1e-5 + 1e-6) / 2),
    ("neurosim_22nm", "array_time_s"): 38e-9 / 8,
    ("neurosim_22nm", "accumulation_time_s"): 623e-9 / (8 * 8),
    ("neurosim_22nm", "column_mux_area_m2"): 8.8e-12 / 8,
    ("neurosim_22nm", "off_chip_energy_per_byte_j"): 8 * 3.9e-12,
    ("isaac_32nm", "adc_conversion_energy_j"): 16e-3 / 8 / 1.28e9,
    ("isaac_32nm", "adc_conversion_time_s"): 1 / 1.28e9,
    ("isaac_32nm", "input_bit_energy_j"): 4e-3 * CYCLE_S / 1024,
    ("isaac_32nm", "input_register_energy_j"): 1.24e-3 * CYCLE_S / 1024,
    ("isaac_32nm", "output_register_energy_j"): 0.23e-3 * CYCLE_S / 1024,
    ("isaac_32nm", "sample_hold_energy_j"): 10e-6 * CYCLE_S / 1024,
    ("isaac_32nm", "cell_read_energy_j"): 2.4e-3 * CYCLE_S / (8 * 128 * 128),
    ("isaac_32nm", "shift_add_energy_j"): 0.2e-3 * CYCLE_S / 1024,
    ("isaac_32nm", "edram_energy_per_byte_j"): 20.45e-12 / 32,
    ("isaac_32nm", "bus_byte_energy_j"): 8 * 54e-15,
    ("isaac_32nm", "router_byte_energy_j"): 20.7e-12 / 32,
    ("isaac_32nm", "off_chip_energy_per_byte_j"): 8 * 3.9e-12,
    ("isaac_32nm", "flop_energy_j"): (0.27e-12 + 0.57e-12) / 2,
    ("isaac_32nm", "cell_area_m2"): 0.0002e-6 / (8 * 128 * 128),
    ("isaac_32nm", "dac_area_m2"): 0.00017e-6 / 1024,
    ("isaac_32nm", "sample_hold_area_m2"): 0.00004e-6 / 1024,
    ("isaac_32nm", "shift_add_area_m2"): 0.00024e-6 / 8,
    ("isaac_32nm", "input_register_area_m2"): 0.0021e-6 / 1024,
    ("isaac_32nm", "output_register_area_m2"): 0.00077e-6 / 8,
    ("isaac_32nm", "interconnect_area_m2"): (0.09e-6 + 0.151e-6 / 4) / (12 * 8),
    ("isaac_32nm", "edram_area_per_byte_m2"): 0.083e-6 / 65536,
}
# Assumed values whose note gives the arithmetic, to the digits that the preset has.
ARITHMETIC = {
    ("sar_45nm", "cell_area_m2"): (16 * 45e-9**2, 1e-3),
    ("sar_45nm", "accumulator_energy_j"): (32.5e-15 * 1.52, 2e-2),
    ("sar_45nm", "register_energy_per_byte_j"): (38e-15 * 1.52, 1e-2),
    ("sar_45nm", "digital_unit_area_m2"): (8 * (4184 + 7700) * 1e-12, 1e-3),
    ("sar_45nm", "flop_time_s"): (1 / (8 * 2 * 1e9), 1e-12),
    ("sar_45nm", "sram_area_per_byte_m2"): (8 * 0.35e-12 * 1.25, 1e-12),
    # Where a part has the same figure, the part's.
    ("neurosim_22nm", "input_bit_energy_j"): (parts.row_driver(128).energy_j.value, 2e-2),
    ("neurosim_22nm", "row_write_energy_j"): (parts.row_driver(128, write=True).energy_j.value, 1e-12),
    ("neurosim_22nm", "row_driver_area_m2"): (parts.row_driver(128).area_m2.value, 1e-3),
    ("neurosim_22nm", "column_mux_energy_j"): (parts.column_mux().energy_j.value, 1e-12),
    ("neurosim_22nm", "shift_add_energy_j"): (parts.shift_add().energy_j.value, 1e-12),
    ("neurosim_22nm", "shift_add_area_m2"): (parts.shift_add().area_m2.value, 1e-12),
    ("neurosim_22nm", "addition_energy_j"): (parts.adder(16).energy_j.value, 2e-2),
    ("neurosim_22nm", "comparison_energy_j"): (parts.adder(32).energy_j.value, 2e-2),
    ("neurosim_22nm", "register_energy_per_byte_j"): (parts.register(8).energy_j.value, 1e-12),
    ("neurosim_22nm", "pulse_generator_energy_j"): (
        parts.register(8).energy_j.value + parts.adder(8).energy_j.value,
        2e-2,
    ),
    ("neurosim_22nm", "slot_time_s"): (4 * 50e-9, 1e-12),
    ("neurosim_22nm", "cell_area_m2"): (16 * 22e-9**2, 1e-12),
    ("neurosim_22nm", "sram_energy_per_byte_j"): (10e-12 / 8 * digital_energy_ratio(45, 22, 0.9), 2e-3),
    ("neurosim_22nm", "flop_energy_j"): (2.3e-12 * digital_energy_ratio(45, 22, 0.9), 2e-3),
    ("neurosim_22nm", "digital_unit_area_m2"): (9.507e-8 * digital_area_ratio(45, 22), 1e-3),
    ("neurosim_22nm", "sram_area_per_byte_m2"): (3.5e-12 * digital_area_ratio(45, 22), 2e-3),
    ("neurosim_22nm", "flop_time_s"): (1 / (8 * 2 * 1e9), 1e-12),
    ("isaac_32nm", "row_write_energy_j"): (parts.row_driver(128, write=True, node_nm=32).energy_j.value, 1e-12),
    ("isaac_32nm", "addition_energy_j"): (parts.adder(16, node_nm=32).energy_j.value, 2e-2),
    ("isaac_32nm", "pulse_generator_energy_j"): (38e-15 + 16.3e-15, 1e-3),
    ("isaac_32nm", "pulse_energy_j"): (2.0**2 * 1.5e-5 * 10e-9, 1e-12),
    ("isaac_32nm", "half_select_energy_j"): (1.0**2 * 3e-6 * 10e-9, 1e-12),
    ("isaac_32nm", "slot_time_s"): (4 * 10e-9, 1e-12),
    ("isaac_32nm", "digital_unit_area_m2"): (8 * (278 + 6350) * 1e-12 * digital_area_ratio(40, 32), 2e-3),
    ("isaac_32nm", "flop_time_s"): (1 / (8 * 2 * 1e9), 1e-12),
}


def unit_of(name):
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "1")


@pytest.mark.parametrize("preset", list_hardware())
def test_a_preset_says_what_it_is(preset):
    table = hardware_preset(preset)
    needed = {
        *("schema", "summary", "node_nm", "vector_length", "components", "defaults", "values", "charge", "area"),
    }
    assert needed <= set(table) <= needed | {"calibration", "leakage", "array_lines"}
    assert table["schema"] == 1
    assert table["summary"].strip()
    assert table.get("calibration", list_calibrations()[0]) in list_calibrations()
    assert table["vector_length"] in ("both_sides", "fan_in")
    assert set(table["components"]) <= {"adc", "dac", "cell"}
    assert isinstance(hardware(preset), Hardware)


@pytest.mark.parametrize(("preset", "name"), NUMBERS)
def test_a_number_has_its_unit_kind_and_source(preset, name):
    entry = hardware_preset(preset)["values"][name]
    quantity = quantity_from_table(entry, name)
    assert quantity.unit == unit_of(name)
    assert quantity.kind in KINDS
    assert quantity.note.strip()
    assert quantity.value >= 0
    if quantity.low is not None:
        assert name not in WHOLE_NUMBERS
        assert 0 <= quantity.low <= quantity.value <= quantity.high
        assert quantity.high <= 1 or name not in FRACTIONS
    if quantity.source:
        assert sources()[quantity.source].strip()
    if quantity.kind in ("measured", "fitted"):
        assert quantity.source


def test_every_derived_number_has_its_formula():
    derived = {place for place in NUMBERS if hardware_preset(place[0])["values"][place[1]]["kind"] == "derived"}
    assert derived == set(FORMULAS)


@pytest.mark.parametrize("place", FORMULAS, ids=lambda place: ".".join(place))
def test_a_derived_number_is_what_its_formula_gives(place):
    preset, name = place
    assert hardware_preset(preset)["values"][name]["value"] == pytest.approx(FORMULAS[place], rel=1e-12, abs=0)


@pytest.mark.parametrize("place", ARITHMETIC, ids=lambda place: ".".join(place))
def test_an_assumed_number_is_what_its_note_computes(place):
    preset, name = place
    expected, tolerance = ARITHMETIC[place]
    assert hardware_preset(preset)["values"][name]["value"] == pytest.approx(expected, rel=tolerance, abs=0)


def figures(design):
    """Return what the bills of all algorithms say in total, for comparison."""
    parts = {"residual_learning": {"tiles": 2, "transfer_period": 1}}
    bills = [assumed_bill(name, SHAPES, design, samples=8, batch_size=2, **parts.get(name, {})) for name in ALGORITHMS]
    return [
        (bill.energy_per_sample_j, bill.latency_per_sample_s, bill.area_m2, bill.digital_storage_byte) for bill in bills
    ]


# Published figures price some operations as a whole, whatever the lines did.
WITHOUT_EFFECT = {
    ("multi_tile_paper", "activity_pulse_probability"),
    ("multi_tile_paper", "activity_input_density"),
    ("multi_tile_paper", "activity_drive"),
    ("neurosim_22nm", "activity_drive"),
    ("isaac_32nm", "input_bit_density"),
    ("isaac_32nm", "activity_input_density"),
    ("isaac_32nm", "activity_drive"),
}


@cache
def plain_figures(preset, dac_model):
    return figures(hardware(preset, **({"dac_model": dac_model} if dac_model else {})))


@pytest.mark.parametrize(("preset", "name"), NUMBERS)
def test_every_number_moves_some_bill(preset, name):
    value = hardware_preset(preset)["values"][name]["value"]
    factor = 0.8 if name in FRACTIONS else 1.25
    changed = value + 1 if isinstance(value, int) else factor * value or 1e-9
    dac_model = "capacitive" if name == "amplitude_window_s" else None
    design = hardware(preset, overrides={name: float(changed)}, **({"dac_model": dac_model} if dac_model else {}))
    moved = figures(design) != plain_figures(preset, dac_model)
    assert moved == ((preset, name) not in WITHOUT_EFFECT)


@pytest.mark.parametrize("preset", list_hardware())
def test_charges_name_what_exists_and_stand_once(preset):
    table = hardware_preset(preset)
    seen = set()
    for entry in table["charge"]:
        assert set(entry) <= {"component", "operations", "per", "energy", "latency", "algorithms"}
        assert set(entry.get("algorithms", ())) <= set(ALGORITHMS)
        for operation in entry["operations"]:
            for algorithm in entry.get("algorithms", ALGORITHMS):
                for figure in {"energy", "latency"} & set(entry):
                    line = (entry["component"], operation, entry["per"], algorithm, figure)
                    assert line not in seen, f"charged twice: {line}"
                    seen.add(line)


@pytest.mark.parametrize("preset", list_hardware())
@pytest.mark.parametrize(("kind", "figure"), [("area", "area"), ("leakage", "power")])
def test_areas_and_leakages_stand_once_and_are_held_by_what_exists(preset, kind, figure):
    places = {*hardware(preset).floorplan(SHAPES[0], 1).instances(), "storage_bytes"}
    entries = hardware_preset(preset).get(kind, ())
    for entry in entries:
        assert set(entry) == {"component", "per", figure}
        assert entry["per"] in places
    names = [(entry["component"], entry["per"], entry[figure]) for entry in entries]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("preset", list_hardware())
def test_what_leaks_stands_on_area(preset):
    design = hardware(preset)
    stands = {(charge.component, charge.per) for charge in area_charges(design)}
    leaks = leakage_charges(design)
    assert {(charge.component, charge.per) for charge in leaks} <= stands
    assert all(charge.power_w.unit == "W" and np.all(charge.power_w.value >= 0) for charge in leaks)


def test_the_presets_without_simulation_are_the_published_macros():
    assert WITHOUT_SIMULATION == ["isaac_32nm", "neurosim_22nm"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("preset", WITHOUT_SIMULATION)
def test_a_preset_without_simulation_prices_every_algorithm(preset, algorithm):
    design = hardware(preset)
    assert design.calibration is None
    assert hardware_preset(preset)["defaults"]["ideal_io"] is True
    check_prices(design, algorithm)
    rests_on = {
        name
        for charge in charges(design, algorithm)
        for price in (charge.energy_j, charge.latency_s)
        if price
        for name in price.assumptions
    }
    values = set(hardware_preset(preset)["values"])
    assert all(name in values or name.split()[0] in ADC_MODELS for name in rests_on)
    with pytest.raises(CalibrationError, match=r"set hardware\.ideal_io = true"):
        design.simulated  # noqa: B018


@pytest.mark.parametrize("preset", WITHOUT_SIMULATION)
@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"adc_model": "spice_sar"}, "hardware.adc.model"),
        ({"dac_model": "pulse_width"}, "hardware.dac.model"),
        ({"dac_model": "r2r", "dac_bits": 8}, "hardware.dac.model"),
        ({"cell_model": "pcm"}, "hardware.cell.model"),
        ({"shared_by_tiles": True}, "hardware.adc.shared_by_tiles"),
        ({"adc_bits": 12}, "hardware.adc.bits"),
        ({"dac_bits": 17}, "hardware.dac.bits"),
        ({"node_nm": 45}, "hardware.node_nm"),
    ],
)
def test_a_published_macro_refuses_what_it_does_not_have(preset, settings, key):
    with pytest.raises(HardwareError) as caught:
        check_prices(hardware(preset, **settings), "analog_sgd")
    assert str(caught.value).startswith(key)


def test_the_converter_of_isaac_grows_with_its_bits_as_its_model_has_it():
    own = hardware_preset("isaac_32nm")["values"]["adc_conversion_energy_j"]["value"]
    law = {bits: ADC_MODELS["isaac"].figures(bits, 32).energy_j.value for bits in (4, 8, 10)}
    assert MODELS["macro_adc_energy"](hardware("isaac_32nm")).value == own
    many = MODELS["macro_adc_energy"](hardware("isaac_32nm", adc_bits=np.array([4, 8, 10]))).value
    np.testing.assert_allclose(many, [own * law[bits] / law[8] for bits in (4, 8, 10)], rtol=1e-14)
    doubled = hardware("isaac_32nm", adc_bits=10, factors={"adc_conversion_energy_j": 2.0, "isaac adc energy_j": 9.0})
    assert MODELS["macro_adc_energy"](doubled).value == pytest.approx(2 * own * law[10] / law[8], rel=1e-12, abs=0)
    survey = MODELS["macro_adc_energy"](hardware("isaac_32nm", adc_model="survey"))
    assert survey.value == ADC_MODELS["survey"].figures(8, 32).energy_j.value


def test_a_read_of_isaac_takes_its_cycle_or_the_time_of_its_conversions():
    def cycle_s(**settings):
        return MODELS["macro_read_cycle"](hardware("isaac_32nm", **settings)).value

    assert cycle_s() == pytest.approx(100e-9, rel=1e-12, abs=0)
    assert cycle_s(columns_per_adc=8) == pytest.approx(100e-9, rel=1e-12, abs=0)
    assert cycle_s(adc_model="survey") == pytest.approx(128 / 1e8, rel=1e-12, abs=0)
    many = cycle_s(columns_per_adc=np.array([8, 64, 128]), adc_model="survey")
    np.testing.assert_allclose(many, [100e-9, 64 / 1e8, 128 / 1e8], rtol=1e-12)


@pytest.mark.parametrize("preset", ["isaac_32nm", "neurosim_22nm"])
@pytest.mark.parametrize("setting", ["array_rows", "array_cols"])
def test_a_published_macro_holds_for_its_own_arrays(preset, setting):
    with pytest.raises(HardwareError, match=f"hardware.{setting} = 64 .* known with 128 to 128 lines"):
        hardware(preset, **{setting: 64})


@pytest.mark.parametrize(
    ("key", "settings"),
    [("adc", {"adc_model": "survey"}), ("dac", {"dac_model": "capacitive"}), ("cell", {"cell_model": "pcm"})],
)
def test_what_a_preset_does_not_price_is_refused_rather_than_ignored(key, settings):
    with pytest.raises(HardwareError, match=rf"hardware.{key}.model = .* prices no {key} by itself"):
        hardware("multi_tile_paper", **settings)


NEVER_NEGATIVE = ("energy_j", "latency_s", "area_m2", "power_w", "noise_lsb", "gain_mismatch")


@pytest.mark.parametrize("name", list_calibrations())
def test_every_row_of_a_calibration_table_has_its_unit_kind_and_source(name):
    table = load_calibration(name)
    assert table.rows
    for row in table.rows:
        number = row.quantity
        assert number.unit == unit_of(row.name), row
        assert math.isfinite(number.value), row
        assert number.value >= 0 or row.name not in NEVER_NEGATIVE, row
        assert number.kind in KINDS, row
        assert number.note.strip() or number.source, row
        assert not number.source or sources()[number.source].strip(), row


@pytest.mark.parametrize("name", list_calibrations())
def test_a_calibration_file_says_how_it_was_made(name):
    assert load_calibration(name).header


def test_every_source_key_has_a_citation_with_a_year():
    for key, citation in sources().items():
        assert any(str(year) in citation for year in range(1990, 2030)) or "V2.1" in citation, key
