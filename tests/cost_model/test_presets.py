"""Every number of the hardware presets and calibration tables: unit, kind, source, formula, and that it matters."""

import math
from functools import cache

import pytest

from circuits.calibration import list_calibrations, load_calibration
from cosim.algorithms import ALGORITHMS
from cost_model.floorplan import MatrixShape
from cost_model.hardware import Hardware, hardware_preset, list_hardware
from device_models.quantity import KINDS, quantity_from_table, sources
from tests.cost_model.designs import assumed_bill, hardware

NUMBERS = [(preset, name) for preset in list_hardware() for name in hardware_preset(preset)["values"]]
UNITS = {
    **{"_j": "J", "_conductance_s": "S", "_v_per_s": "V/s", "_s": "s", "_m2": "m2", "_v": "V", "_f": "F", "_w": "W"},
    **{"_ohm": "ohm", "_hz": "Hz", "_a": "A"},
}
SHAPES = [MatrixShape("dense1", 20, 150, backward=False), MatrixShape("dense2", 10, 20)]

# Nothing else may be called derived without a formula here.
MLP_WEIGHTS = 785 * 250 + 251 * 10
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
}
# Assumed values whose note gives the arithmetic, to the digits that the preset has.
ARITHMETIC = {
    ("sar_45nm", "cell_area_m2"): (16 * 45e-9**2, 1e-3),
    ("sar_45nm", "accumulator_energy_j"): (32.5e-15 * 1.52, 2e-2),
    ("sar_45nm", "register_energy_per_byte_j"): (38e-15 * 1.52, 1e-2),
    ("sar_45nm", "digital_unit_area_m2"): (8 * (4184 + 7700) * 1e-12, 1e-3),
    ("sar_45nm", "flop_time_s"): (1 / (8 * 2 * 1e9), 1e-12),
    ("sar_45nm", "sram_area_per_byte_m2"): (8 * 0.35e-12 * 1.25, 1e-12),
}


def unit_of(name):
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "1")


@pytest.mark.parametrize("preset", list_hardware())
def test_a_preset_says_what_it_is(preset):
    table = hardware_preset(preset)
    assert table["schema"] == 1
    assert table["summary"].strip()
    assert table["calibration"] in list_calibrations()
    assert table["vector_length"] in ("both_sides", "fan_in")
    assert set(table) == {
        *("schema", "summary", "node_nm", "calibration", "vector_length", "defaults", "values", "charge", "area"),
    }
    assert isinstance(hardware(preset), Hardware)


@pytest.mark.parametrize(("preset", "name"), NUMBERS)
def test_a_number_has_its_unit_kind_and_source(preset, name):
    entry = hardware_preset(preset)["values"][name]
    quantity = quantity_from_table(entry, name)
    assert quantity.unit == unit_of(name)
    assert quantity.kind in KINDS
    assert quantity.note.strip()
    assert quantity.value >= 0
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


# The paper's constants price reads and rank-1 updates as a whole, whatever the lines did.
WITHOUT_EFFECT = {
    ("multi_tile_paper", "activity_pulse_probability"),
    ("multi_tile_paper", "activity_input_density"),
    ("multi_tile_paper", "activity_drive"),
}


@cache
def plain_figures(preset, dac_model):
    return figures(hardware(preset, dac_model=dac_model))


@pytest.mark.parametrize(("preset", "name"), NUMBERS)
def test_every_number_moves_some_bill(preset, name):
    value = hardware_preset(preset)["values"][name]["value"]
    changed = value + 1 if isinstance(value, int) else 1.25 * value or 1e-9
    dac_model = "capacitive" if name == "amplitude_window_s" else "pulse_width"
    design = hardware(preset, overrides={name: float(changed)}, dac_model=dac_model)
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
