"""Published macros and simulators beside the presets that stand for them: which figures come out, and how close.

What is in a preset by construction says so; the other figures are out of sample. The cost tables of the multi-tile
paper, and of the papers with the same constants, are in `test_multi_tile_paper`; the points of the converter survey in
`tests/cost_model/test_adc`.
"""

import pytest

from cost_model.adc import ADC_MODELS
from cost_model.components import charges
from cost_model.floorplan import MatrixShape
from cost_model.operations import program_counts
from tests.cost_model.designs import assumed_bill, hardware

# DNN+NeuroSim V2.1, one layer of 784 x 512 at 22 nm, per image: bits of the SAR converter to ns, nJ and um2.
RECORDED = {
    5: {"latency_ns": 1045, "total_nj": 5.25, "adc_nj": 2.40, "accumulation_nj": 2.48, "adc_um2": 127_193},
    6: {"latency_ns": 1146, "total_nj": 5.91, "adc_nj": 2.87, "accumulation_nj": 2.68, "adc_um2": 146_388},
    8: {"latency_ns": 1349, "total_nj": 7.33, "adc_nj": 3.89, "accumulation_nj": 3.08, "adc_um2": 184_778},
}
RECORDED_ARRAY_NJ = 0.36
PEAK = ("adc", "accumulator", "array", "drivers")  # what the simulator calls the peak of a read: no buffers, no wires

# ISAAC, table of one in-situ multiply-accumulate unit: eight arrays of 128 x 128, in mW.
UNIT_MW = {
    "adc": 16.0,
    "dac": 4.0,
    "sample_hold": 0.01,
    "array": 2.4,
    "accumulator": 0.2,
    "registers": 1.24 + 0.23,
}
HERMES_J = (12.5e-9, 13.4e-9)


def one_sample(preset, inputs, outputs, *, backward=True, overrides=None, **settings):
    """Return the bill of one training sample on one layer."""
    design = hardware(preset, overrides=overrides or {}, **settings)
    return assumed_bill("analog_sgd", [MatrixShape("layer", outputs, inputs, backward=backward)], design, samples=1)


def by_component(bill, operation, figure):
    lines = bill.lines[bill.lines["operation"] == operation]
    return lines.groupby("component")[figure].sum()


def peak(bill, operation, figure):
    return by_component(bill, operation, figure).reindex(PEAK).sum()


# ---- NeuroSim ------------------------------------------------------------------------------------------------------


def test_a_read_of_neurosim_takes_what_the_simulator_says():
    """Built from component figures; only the column's resistance knows the layer. V1.5 gives 4.55 nJ, V2.1 5.25 nJ."""
    energies = by_component(one_sample("neurosim_22nm", 784, 512), "forward", "energy_j")
    recorded = RECORDED[5]
    assert 4.5e-9 <= energies.reindex(PEAK).sum() <= 5.3e-9
    assert energies["adc"] == pytest.approx(recorded["adc_nj"] * 1e-9, rel=0.05, abs=0)
    assert energies["accumulator"] == pytest.approx(recorded["accumulation_nj"] * 1e-9, rel=0.2, abs=0)
    # V1.5 without its silicon calibration.
    assert energies["accumulator"] == pytest.approx(2.13e-9, rel=0.05, abs=0)
    assert energies["array"] + energies["drivers"] == pytest.approx(RECORDED_ARRAY_NJ * 1e-9, rel=0.2, abs=0)


@pytest.mark.parametrize("bits", [6, 8])
def test_more_bits_of_neurosim_cost_what_the_simulator_says(bits):
    """Its shift-adds and adders grow with the bits, ours do not: 8 bits come out 12 % low."""
    bill, recorded = one_sample("neurosim_22nm", 784, 512, adc_bits=bits), RECORDED[bits]
    assert peak(bill, "forward", "energy_j") == pytest.approx(recorded["total_nj"] * 1e-9, rel=0.15, abs=0)
    adc = by_component(bill, "forward", "energy_j")["adc"]
    assert adc == pytest.approx(recorded["adc_nj"] * 1e-9, rel=0.06, abs=0)


@pytest.mark.parametrize(("bits", "printed_j"), [(5, 84e-15), (8, 136e-15)])
def test_a_conversion_of_neurosim(bits, printed_j):
    conversion = next(
        charge.energy_j
        for charge in charges(hardware("neurosim_22nm", adc_bits=bits), "analog_sgd")
        if charge.per == "adc_conversions"
    )
    assert conversion.value == pytest.approx(printed_j, rel=0.1, abs=0)
    assert {"column_resistance_ohm", "neurosim adc energy_j"} == set(conversion.assumptions)


def test_a_read_of_neurosim_lasts_what_the_simulator_says():
    """384 ns of conversions come from the converter's model; 623 and 38 ns were taken from this very run."""
    times = by_component(one_sample("neurosim_22nm", 784, 512), "forward", "latency_s")
    assert times["adc"] == pytest.approx(384e-9, rel=1e-9, abs=0)
    assert times["accumulator"] == pytest.approx(623e-9, rel=1e-9, abs=0)
    assert times["array"] == pytest.approx(38e-9, rel=1e-9, abs=0)
    assert times.reindex(PEAK).sum() == pytest.approx(RECORDED[5]["latency_ns"] * 1e-9, rel=0.01, abs=0)


@pytest.mark.parametrize("bits", [6, 8])
def test_more_bits_of_neurosim_last_what_the_simulator_says(bits):
    bill = one_sample("neurosim_22nm", 784, 512, adc_bits=bits)
    assert peak(bill, "forward", "latency_s") == pytest.approx(RECORDED[bits]["latency_ns"] * 1e-9, rel=0.1, abs=0)


@pytest.mark.parametrize("bits", RECORDED)
def test_the_converters_of_neurosim_stand_on_both_sides_of_its_arrays(bits):
    """The simulator rounds 784 rows up to 1024, eight arrays of 128; we build seven of 112 rows."""
    recorded_m2 = RECORDED[bits]["adc_um2"] * 1e-12
    areas = by_component(one_sample("neurosim_22nm", 1024, 512, adc_bits=bits), "floorplan", "area_m2")
    assert areas["adc"] == pytest.approx(recorded_m2, rel=2e-3, abs=0)
    assert areas["array"] == pytest.approx(4060e-12, rel=1e-3, abs=0)
    ours = by_component(one_sample("neurosim_22nm", 784, 512, adc_bits=bits), "floorplan", "area_m2")
    converters = 7 * 4 * (16 + 14)  # of 128 columns and 112 rows, eight lines to a converter
    assert ours["adc"] == pytest.approx(recorded_m2 * converters / 1024, rel=2e-3, abs=0)


def test_a_backward_read_of_neurosim_costs_what_its_conversions_cost():
    """The recorded ratios of 1.05 to 1.14 need conversions of the rows that only padding adds: 1024 over 784 x 512."""
    exact = one_sample("neurosim_22nm", 784, 512)
    forward, backward = (peak(exact, operation, "energy_j") for operation in ("forward", "backward"))
    assert backward / forward == pytest.approx(784 * 4 / (512 * 7), rel=0.02, abs=0)
    padded = peak(one_sample("neurosim_22nm", 1024, 512), "backward", "energy_j")
    assert padded / forward == pytest.approx(1024 * 4 / (512 * 7), rel=0.02, abs=0)
    assert 1.05 < padded / forward < 1.16
    square = one_sample("neurosim_22nm", 512, 512)
    assert peak(square, "backward", "energy_j") == pytest.approx(peak(square, "forward", "energy_j"), rel=1e-12, abs=0)


def test_writing_neurosim_row_by_row_takes_24_pulses_of_50_ns_per_row():
    """940 us for 784 rows; our rank-1 updates pulse the whole array at once."""
    design = hardware("neurosim_22nm")
    rows, columns = 784, 512
    plan = design.floorplan(MatrixShape("layer", rows, columns), 1)
    counted = program_counts(plan, pulses=24 * rows * columns, cells=rows * columns)
    slot_s = next(
        charge.latency_s.value
        for charge in charges(design, "analog_sgd")
        if charge.per == "pulse_slots" and "program" in charge.operations and charge.latency_s
    )
    assert counted["performed"] == rows
    assert counted["pulse_slots"] * slot_s / rows == pytest.approx(1.20e-6, rel=1e-9, abs=0)
    assert counted["pulse_slots"] * slot_s == pytest.approx(940e-6, rel=0.01, abs=0)
    bill = one_sample("neurosim_22nm", 784, 512)
    assert bill.latency_of("update") < 1e-3 * 940e-6


# ---- ISAAC ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unit():
    """Return the bill of a layer that fills the eight arrays of one unit."""
    return one_sample("isaac_32nm", 8 * 128, 128, backward=False)


def test_a_unit_of_isaac_takes_its_published_power(unit):
    """By construction per component; that the counts of a layer add up to the table is not."""
    cycles = 16
    powers_mw = by_component(unit, "forward", "energy_j").reindex(UNIT_MW) / (cycles * 100e-9) * 1e3
    additions_mw = 7 * 128 * 32.5e-15 / (cycles * 100e-9) * 1e3  # of the arrays' results, which the table has not
    assert powers_mw["accumulator"] - additions_mw == pytest.approx(UNIT_MW["accumulator"], rel=1e-9, abs=0)
    for component in set(UNIT_MW) - {"accumulator"}:
        assert powers_mw[component] == pytest.approx(UNIT_MW[component], rel=1e-9, abs=0)
    assert powers_mw.sum() == pytest.approx(24.08, rel=0.01, abs=0)


def test_a_vector_of_16_bits_takes_isaac_16_cycles(unit):
    times = by_component(unit, "forward", "latency_s")
    assert times["array"] == pytest.approx(16 * 100e-9, rel=1e-9, abs=0)


def test_a_unit_of_isaac_has_its_published_area(unit):
    areas_mm2 = by_component(unit, "floorplan", "area_m2") * 1e6
    table_mm2 = {
        "adc": 0.0096,
        "dac": 0.00017,
        "sample_hold": 0.00004,
        "array": 0.0002,
        "accumulator": 0.00024,
        "registers": 0.0021 + 0.00077,
    }
    for component, printed_mm2 in table_mm2.items():
        assert areas_mm2[component] == pytest.approx(printed_mm2, rel=1e-9, abs=0)
    # A tile of 12 units: 0.372 mm2 with its memory, bus and its share of a router; 0.0006 and 0.00024 are not priced.
    tile_mm2 = 12 * (sum(areas_mm2[component] for component in table_mm2) + areas_mm2["wires"]) + 0.083
    assert tile_mm2 == pytest.approx(0.372, rel=0.02, abs=0)


def test_a_128_by_128_product_on_isaac_by_component():
    energies = by_component(one_sample("isaac_32nm", 128, 128), "forward", "energy_j")
    assert energies["adc"] == pytest.approx(16 * 128 * 2e-3 / 1.28e9, rel=1e-9, abs=0)  # 3.2 nJ
    assert energies["dac"] == pytest.approx(16 * 0.5e-3 * 100e-9, rel=1e-9, abs=0)
    assert energies["array"] == pytest.approx(16 * 0.3e-3 * 100e-9, rel=1e-9, abs=0)


def test_the_two_energies_of_isaacs_converter_are_one_power_at_two_rates():
    """1.5625 pJ is 2 mW at the 1.28e9 Hz of ISAAC's table, 1.67 pJ the same 2 mW at the 1.2e9 Hz of the model."""
    own, model = 2e-3 / 1.28e9, ADC_MODELS["isaac"].figures(8, 32).energy_j.value
    assert hardware("isaac_32nm").number("adc_conversion_energy_j") == pytest.approx(own, rel=1e-12, abs=0)
    assert model / own == pytest.approx(1.28 / 1.2, rel=3e-3, abs=0)


# ---- other macros, beside which our own design has to look likely --------------------------------------------------


def test_a_256_by_256_product_of_8_bits_is_within_a_factor_two_of_hermes():
    """HERMES: 14 nm, phase-change memory, 12.5 to 13.4 nJ all in; ours is 45 nm, and its op-amps take most."""
    bill = one_sample("sar_45nm", 256, 256, array_rows=256, array_cols=256, adc_bits=8, dac_bits=8)
    energies = by_component(bill, "forward", "energy_j")
    assert HERMES_J[1] / 2 < energies.sum() < HERMES_J[0] * 2
    assert set(energies.nlargest(2).index) == {"tia", "summing_stage"}


# ---- times of the response-function paper, arXiv:2502.06309 (2025), Table 3: 512 lines, trains of 32 slots -----------

LONG_TRAINS = {"activity_update_slots": 32.0, "activity_transfer_slots": 32.0}
TWO_TILES = {
    **{"tiles": 2, "transfer_period": 1, "transfer_period_ratio": 1, "setting": "paper", "warm_start": "off"},
}


def paper_times_ns(algorithm, *, transfer_vectors=0.0, **parameters):
    design = hardware("multi_tile_paper", overrides={**LONG_TRAINS, "transfer_vectors": transfer_vectors})
    bill = assumed_bill(algorithm, [MatrixShape("square", 512, 512)], design, samples=1000, **parameters)
    operations = ("forward", "backward", "update", "transfer")
    return {operation: bill.latency_of(operation) * 1e9 for operation in operations}


def test_reads_and_updates_with_trains_of_32_slots():
    times = paper_times_ns("analog_sgd")
    assert round(times["forward"], 1) == round(times["backward"], 1) == 40.0
    assert round(times["update"], 1) == 165.9
    assert times["transfer"] == 0


def test_residual_learning_with_trains_of_32_slots():
    """The paper sets the trains of a transfer up digitally like those of an update, and adds up rounded parts."""
    times = paper_times_ns("residual_learning", transfer_vectors=1.0, **TWO_TILES)
    assert round(times["forward"], 1) == 40.0
    written = times["transfer"] - times["forward"]
    assert round(round(times["update"], 1) + round(written, 1) + round(times["forward"], 1), 1) == 371.8
    assert times["update"] + times["transfer"] == pytest.approx(371.8, abs=0.1)


def test_without_digital_set_up_of_transfers_the_multi_tile_paper_holds_instead():
    times = paper_times_ns("residual_learning", **TWO_TILES)
    assert round(times["update"] + times["transfer"], 1) == 365.9  # 371.7 less 2 x 512 operations at 0.175 TFLOPS
