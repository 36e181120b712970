"""A design: preset, settings and overrides, and every complaint about them."""

import pytest

from cost_model.floorplan import MatrixShape
from cost_model.hardware import HardwareError, hardware_preset, list_hardware
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
