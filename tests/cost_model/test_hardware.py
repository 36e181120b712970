"""A design: preset, settings and overrides, and every complaint about them."""

import numpy as np
import pytest

from circuits.calibration import CalibrationError
from cost_model.floorplan import MatrixShape
from cost_model.hardware import Hardware, HardwareError, hardware_preset, list_hardware
from device_models.quantity import ProvenanceError
from tests.cost_model.designs import PRESETS, assumed_bill, hardware

SHAPES = [MatrixShape("dense1", 20, 64, backward=False), MatrixShape("dense2", 10, 20)]


def test_presets_are_listed_by_name():
    assert set(PRESETS) <= set(list_hardware())
    assert list_hardware() == sorted(list_hardware())


@pytest.mark.parametrize(("given", "nearest"), [("sar_45", "; nearest: 'sar_45nm'"), ("zzz", "")])
def test_an_unknown_preset_names_the_nearest_and_all(given, nearest):
    with pytest.raises(HardwareError) as caught:
        hardware_preset(given)
    assert str(caught.value) == f"hardware.preset = {given!r} is unknown{nearest}; known: {', '.join(list_hardware())}"


def test_a_preset_holds_for_its_node_only():
    with pytest.raises(HardwareError, match="node_nm = 22 is not priced by preset 'sar_45nm'; it holds for 45 nm"):
        hardware(node_nm=22)


@pytest.mark.parametrize(
    ("setting", "cell", "key"), [("adc_bits", "sar_adc", "adc"), ("dac_bits", "pulse_width_dac", "dac")]
)
def test_bits_outside_the_calibration_table_are_refused(setting, cell, key):
    known = hardware().calibration.bits(cell)
    for bits in (known[0] - 1, known[-1] + 1, 0):
        with pytest.raises(HardwareError) as caught:
            hardware(**{setting: bits})
        message = str(caught.value)
        assert message.startswith(f"hardware.{key}.bits = {bits} is not in calibration table ")
        assert message.endswith(f"allowed: {known[0]} to {known[-1]}")
    for bits in known:
        assert getattr(hardware(**{setting: bits}), setting) == bits


def test_an_unknown_override_names_the_nearest_and_all():
    with pytest.raises(HardwareError) as caught:
        hardware(overrides={"flop_energy": 0.3})
    message = str(caught.value)
    assert message.startswith("hardware.values.flop_energy is unknown; nearest: 'flop_energy_j'; known: ")
    assert all(name in message for name in hardware_preset("sar_45nm")["values"])


@pytest.mark.parametrize("name", ["vector_bytes", "buffer_bytes", "bias_bytes", "outer_product_vectors"])
@pytest.mark.parametrize("number", [1.5, float("nan"), float("inf")])
def test_an_override_that_counts_things_is_a_whole_number(name, number):
    with pytest.raises(HardwareError, match=f"hardware.values.{name} = {number} .* whole number"):
        hardware(overrides={name: number})


@pytest.mark.parametrize("name", ["activity_pulse_probability", "activity_input_density", "activity_drive"])
@pytest.mark.parametrize("number", [-0.1, 1.1, float("nan")])
def test_an_override_of_a_fraction_lies_between_zero_and_one(name, number):
    with pytest.raises(HardwareError, match=f"hardware.values.{name} = {number} .* between 0 and 1"):
        hardware(overrides={name: number})


def test_an_override_is_assumed_and_says_that_the_study_gave_it():
    plain, changed = hardware(), hardware(overrides={"flop_energy_j": 1e-12})
    assert plain.value("flop_energy_j").kind == "derived"
    assert plain.value("flop_energy_j").source == "horowitz2014"
    value = changed.value("flop_energy_j")
    assert (value.value, value.unit, value.kind, value.source) == (1e-12, "J", "assumed", "")
    assert value.note == "flop_energy_j as given in the study"
    assert changed.number("flop_energy_j") == 1e-12


def test_an_override_changes_the_bill_and_its_source():
    plain = assumed_bill("analog_sgd", SHAPES, hardware())
    changed = assumed_bill("analog_sgd", SHAPES, hardware(overrides={"flop_energy_j": 0.0}))
    assert changed.energy_per_sample_j < plain.energy_per_sample_j
    digital = changed.lines[(changed.lines["component"] == "digital") & (changed.lines["operation"] == "update")]
    assert digital["energy_j"].eq(0).all()
    assert digital["source"].str.contains("flop_energy_j as given in the study").all()
    assert not plain.lines["source"].str.contains("as given in the study").any()


def test_an_override_that_is_not_finite_is_refused():
    with pytest.raises(ProvenanceError, match="not finite"):
        hardware(overrides={"flop_energy_j": float("nan")}).value("flop_energy_j")


def test_conventions_come_from_the_preset_and_its_overrides():
    paper = hardware("multi_tile_paper").conventions
    assert (paper.vector_length, paper.buffer_bytes, paper.bias_bytes) == ("fan_in", 1, 0)
    ours = hardware(overrides={"buffer_bytes": 2.0}).conventions
    assert (ours.vector_length, ours.buffer_bytes, ours.bias_bytes) == ("both_sides", 2, 4)


def test_a_floorplan_takes_the_settings_of_the_design():
    design = hardware(array_rows=16, array_cols=32, columns_per_adc=4, shared_by_tiles=False)
    floor = design.floorplan(SHAPES[0], 3)
    assert (floor.array_rows, floor.array_cols, floor.columns_per_adc, floor.tiles) == (16, 32, 4, 3)
    assert not floor.shared_by_tiles
    assert floor.shape is SHAPES[0]
    assert floor.conventions == design.conventions


# ---- converters and cells outside the calibration table


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"adc_model": "survy"}, "hardware.adc.model = 'survy' is unknown; nearest: 'survey'; known: spice_sar"),
        ({"dac_model": "r2"}, "hardware.dac.model = 'r2' is unknown; nearest: 'r2r'; known: "),
        ({"cell_model": "rram"}, "hardware.cell.model = 'rram' is unknown; nearest: 'reram'; known: spice_reram, "),
        ({"adc_model": "table"}, "hardware.adc.model = 'table': hardware.adc.table names a CSV"),
        ({"cell_values": {"write_pulse_s": 1e-8}}, "hardware.cell.write_pulse_s: the numbers of 'spice_reram' come"),
        (
            {"cell_model": "pcm", "cell_values": {"write_puls_s": 1e-8}},
            "hardware.cell.write_puls_s is unknown; nearest: 'write_pulse_s'",
        ),
        ({"cell_model": "pcm", "cell_values": {"write_pulse_s": -1.0}}, "hardware.cell: "),
        ({"adc_model": "survey", "adc_bits": 11}, "hardware.adc.bits = 11 is outside model 'survey'; allowed: 4 to 10"),
        ({"dac_model": "r2r", "dac_bits": 1}, "hardware.dac.bits = 1 is outside model 'r2r'; allowed: 2 to 10"),
        (
            {"preset": "neurosim_22nm", "dac_bits": 17},
            "hardware.dac.bits = 17 is outside model 'bit_serial'; allowed: 1 to 16",
        ),
        ({"dac_model": "bit_serial"}, "hardware.dac.model = 'bit_serial' is not priced by preset 'sar_45nm', which"),
    ],
)
def test_a_component_that_does_not_exist_is_refused(settings, said):
    with pytest.raises(HardwareError) as caught:
        hardware(**settings)
    assert str(caught.value).startswith(said)


@pytest.fixture
def without_simulation(monkeypatch):
    table = {name: value for name, value in hardware_preset("sar_45nm").items() if name != "calibration"}
    monkeypatch.setattr(Hardware, "table", property(lambda self: table))


PUBLISHED = {"adc_model": "survey", "dac_model": "r2r", "cell_model": "reram"}


@pytest.mark.usefixtures("without_simulation")
@pytest.mark.parametrize("key", ["adc", "dac", "cell"])
def test_a_preset_without_simulation_has_published_components_alone(key):
    settings = {name: value for name, value in PUBLISHED.items() if name != f"{key}_model"}
    with pytest.raises(HardwareError, match=rf"hardware.{key}.model = .* is known for 45 nm .*: take a published"):
        hardware(**settings)


@pytest.mark.usefixtures("without_simulation")
def test_a_preset_without_simulation_says_so_where_one_is_asked_for():
    design = hardware(**PUBLISHED)
    assert design.calibration is None
    with pytest.raises(CalibrationError, match=r"'sar_45nm' has no circuit simulation behind it; set "):
        _ = design.simulated


def test_a_preset_with_simulation_has_it():
    assert hardware().simulated is hardware().calibration


def test_bit_serial_inputs_take_a_cycle_per_bit():
    assert hardware().input_cycles == 1
    design = hardware("neurosim_22nm", dac_bits=5, overrides={"input_bit_density": 0.25})
    floor = design.floorplan(SHAPES[0], 1)
    assert (design.input_cycles, floor.input_cycles, floor.bit_density, floor.bit_serial) == (5, 5, 0.25, True)


# ---- factors


def test_a_factor_multiplies_a_value_and_keeps_its_provenance():
    plain, moved = hardware(), hardware(factors={"flop_energy_j": 1.5})
    assert moved.number("flop_energy_j") == 1.5 * plain.number("flop_energy_j")
    assert moved.value("flop_energy_j").assumptions == plain.value("flop_energy_j").assumptions
    given = hardware(overrides={"flop_energy_j": 2.0}, factors={"flop_energy_j": np.array([1.5, 1.0])})
    assert given.number("flop_energy_j").tolist() == [3.0, 2.0]


def test_a_factor_leaves_a_fraction_a_fraction():
    moved = hardware(factors={"activity_input_density": np.array([1.2, 2.0])})
    assert moved.number("activity_input_density").tolist() == [0.7 * 1.2, 1.0]


def test_a_design_stands_for_as_many_designs_as_its_arrays_have_numbers():
    assert hardware().designs == ()
    assert hardware(adc_bits=np.array([6, 8])).designs == (2,)
    assert hardware(overrides={"flop_energy_j": np.ones(3)}, factors={"flop_time_s": 2.0}).designs == (3,)
    with pytest.raises(ValueError, match="shape"):
        _ = hardware(adc_bits=np.array([6, 8]), array_rows=np.array([1, 2, 3])).designs
