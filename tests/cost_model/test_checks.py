"""Checks of a design: each of them on either side of its limit, with the numbers worked by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from circuits import frame
from circuits.cells.crossbar import cell_voltages, pair_rows
from circuits.wires import effective_conductance
from cosim.algorithms import ALGORITHMS
from cost_model import checks
from cost_model.bill import Line, make_bill
from cost_model.cells import list_cells
from cost_model.checks import cells_within, check_design, findings_frame, line_loss
from cost_model.floorplan import MatrixShape
from cost_model.hardware import HardwareError, hardware_preset, list_hardware
from cost_model.models import read_window
from cost_model.operations import Operation, ReadActivity, counts, read_counts
from cost_model.technology import wire_resistance_ohm_per_cell
from cost_model.trace import Trace
from tests.cost_model.designs import assumed_bill, bill_of, hardware, schedule

READ_CHECKS = {"ir_drop", "settling", "adc_range"}
BILL = make_bill([Line("net", "all", "forward", "adc", 1.0, energy_j=2e-9, latency_s=1e-6, area_m2=4e-8)], 0)


def reads(plan, *, forward=(1.0, 1.0), backward=None, vectors=10):
    """Return a trace of reads; a direction is the part of its lines that are on, and the mean height of those."""
    trace = Trace()
    for kind, given in (("forward", forward), ("backward", backward)):
        if given is not None:
            lines = vectors * plan.sides(kind == "forward")[0].lines * given[0]
            activity = ReadActivity(vectors, lines, lines * given[1])
            done = read_counts(plan, activity, tiles=plan.tiles, forward=kind == "forward")
            trace.append(Operation(kind, plan.shape.name, "all", done))
    return trace


def found(check, design, plan, trace=None, *, samples=1, bill=BILL, **given):
    """Return the one finding of a check on one layer."""
    trace = reads(plan) if trace is None else trace
    (finding,) = [
        one for one in check_design(design, [plan], bill, trace, samples=samples, **given) if one.check == check
    ]
    return finding


def layer(design, outputs, inputs, *, tiles=1):
    return design.floorplan(MatrixShape("a", outputs, inputs), tiles)


# ---- wires


@pytest.mark.parametrize("cells", [1, 2, 16, 64])
def test_the_loss_of_a_line_begins_as_the_hand_formula(cells):
    assert line_loss(cells, 1e-3, 3e-6) == pytest.approx(cells * (cells + 1) / 2 * 3e-9, rel=1e-4, abs=0)


def test_the_loss_of_two_cells_is_that_of_the_nodal_equations():
    # r = 1, G = 1: 2 (u1 - 1) ... node 1: 1 - u1 = u1 + (u1 - u2), node 2: u1 - u2 = u2; u2 = 1/5.
    assert line_loss(2, 1.0, 1.0) == pytest.approx(4 / 5, rel=1e-14, abs=0)
    assert line_loss(1, 1.0, 1.0) == pytest.approx(1 / 2, rel=1e-14, abs=0)


def test_the_longest_lines_lose_everything_and_no_more():
    assert line_loss(10**7, 100.0, 1e-3) == 1.0


@pytest.mark.parametrize(("loss", "ohm", "siemens"), [(0.05, 1.0, 3e-6), (0.05, 1.86, 1e-5), (0.9, 1.0, 1e-4)])
def test_the_cells_within_a_loss_are_the_most(loss, ohm, siemens):
    most = cells_within(loss, ohm, siemens)
    assert line_loss(most, ohm, siemens) <= loss < line_loss(most + 1, ohm, siemens)


def test_the_lengths_of_lines_are_those_of_the_published_table():
    """N for 5 % at 22 nm: 18, 73, 232 cells of 6 kOhm, 100 kOhm, 1 MOhm, to first order, which ends 2 % earlier."""
    ohm = wire_resistance_ohm_per_cell(22)
    for published, resistance in ((18, 6e3), (73, 1e5), (232, 1e6)):
        assert cells_within(0.05, ohm, 1 / resistance) == pytest.approx(published, rel=0.03, abs=1)


@pytest.mark.parametrize("ohm", [1.0, 8.0])
def test_a_backward_read_loses_what_the_exact_solver_says(ohm):
    """16 inputs are 32 cells on an output line, which is driven at its end; the row of its far cell has one segment."""
    design = hardware()
    plan = layer(design, 8, 16)
    uniform = np.full((16, 8), frame.MEAN_CONDUCTANCE_S)
    exact = 1 - effective_conductance(pair_rows(uniform, uniform), ohm)[0, 0] / frame.MEAN_CONDUCTANCE_S
    finding = found("ir_drop", design, plan, reads(plan, forward=None, backward=(0.5, 0.5)), segment_resistance_ohm=ohm)
    assert finding.value == pytest.approx(exact, rel=0.1, abs=0)
    assert finding.value == pytest.approx(32 * 33 / 2 * ohm * 3e-6, rel=0.02, abs=0)
    assert "backward read" in finding.text
    assert "an output line that is driven (32 cells of 3 uS" in finding.text


@pytest.mark.parametrize("drive", [1.0, 0.25])
def test_a_forward_read_loses_what_the_nodal_equations_say(drive):
    """One column of 64 cells in which all currents have one sign, each row at the mean height."""
    design = hardware()
    plan = layer(design, 1, 32)
    ohm = 5.0
    across = cell_voltages(np.full((64, 1), frame.MEAN_CONDUCTANCE_S), np.full(64, drive), ohm)
    finding = found("ir_drop", design, plan, reads(plan, forward=(1.0, drive)), segment_resistance_ohm=ohm)
    assert finding.value == pytest.approx(drive - across[0, 0], rel=0.01, abs=0)
    assert "sensed" in finding.text
    assert ("25% of the lines on" in finding.text) == (drive == 0.25)


def test_a_driven_line_loses_the_same_whatever_the_activity():
    design = hardware()
    plan = layer(design, 100, 2)
    busy, quiet = (found("ir_drop", design, plan, reads(plan, forward=(part, part))) for part in (1.0, 0.1))
    assert busy.value == quiet.value == pytest.approx(100 * 101 / 2 * 3e-6, rel=0.02, abs=0)
    assert "an input line that is driven (100 cells" in busy.text


def test_the_ir_drop_of_a_read_on_either_side_of_its_limit():
    design = hardware()
    most = cells_within(0.05, 1.0, 3e-6) // 2  # cells of a pair lie on one output line
    assert most == 93  # 186 cells: 186 x 187 / 2 x 3e-6 = 5.2 %, less what the first cells no longer draw
    for inputs, holds in ((most, True), (most + 1, False)):
        plan = layer(design, 4, inputs)
        finding = found("ir_drop", design, plan, reads(plan, backward=(0.5, 0.5)))
        assert finding.holds is holds
        assert (finding.limit, finding.unit) == (0.05, "1")
        assert (f"set hardware.array_rows to {most} or less" in finding.text) is not holds


def test_the_advice_on_an_array_holds():
    findings = []
    for rows in (128, 93):
        design = hardware(array_rows=rows)
        plan = layer(design, 4, 128)
        findings.append(found("ir_drop", design, plan, reads(plan, backward=(1.0, 1.0))))
    assert "set hardware.array_rows to 93 or less" in findings[0].text
    assert [one.holds for one in findings] == [False, True]


def test_the_worst_case_is_in_the_text():
    design = hardware()
    plan = layer(design, 4, 50)
    finding = found("ir_drop", design, plan, segment_resistance_ohm=2.0)
    assert f"{100 * line_loss(100, 2.0, 1e-5):.3g}% with all cells at 10 uS and all lines on" in finding.text


def test_wires_that_carry_no_weight_are_refused_in_words():
    design = hardware()
    finding = found("ir_drop", design, layer(design, 4, 50), segment_resistance_ohm=1e5)
    assert not finding.holds
    assert "not even one weight fits" in finding.text


def test_conductances_of_a_published_cell_load_the_lines():
    design = hardware(cell_model="pcm", cell_values={"mean_conductance_s": 1.2e-5})
    plan = layer(design, 60, 10)
    assert found("ir_drop", design, plan).value == pytest.approx(60 * 61 / 2 * 1.2e-5, rel=0.03, abs=0)


def test_without_circuit_simulation_the_node_gives_the_wires_and_the_report_says_so():
    design = hardware("neurosim_22nm")
    plan = layer(design, 100, 2)
    finding = found("ir_drop", design, plan)
    ohm = wire_resistance_ohm_per_cell(22)
    assert finding.value == pytest.approx(line_loss(100, ohm, 3e-6), rel=1e-12, abs=0)
    assert f"{ohm:.3g} ohm each" in finding.text
    assert "the checks take the simulated cell of 45 nm" in found("extrapolation", design, plan).text
    assert "adc_range" not in {one.check for one in check_design(design, [plan], BILL, reads(plan), samples=1)}


def test_arrays_that_wires_do_not_allow_are_refused_by_name_or_warned_of():
    """Circuits that are simulated end at 256 lines; a list of prices without them takes any array, with a warning."""
    shape = MatrixShape("a", 2000, 2000)
    with pytest.raises(
        HardwareError, match=r"hardware.array_rows = 512 is beyond calibration table .* 16 to 256 cross"
    ):
        assumed_bill("analog_sgd", [shape], hardware(array_rows=512))
    design = hardware("multi_tile_paper")
    plan = design.floorplan(shape, 1)
    finding = found("ir_drop", design, plan, reads(plan, backward=(1.0, 0.4)))
    assert not finding.holds
    assert finding.value > 0.9
    assert "set hardware.array_rows to" in finding.text


# ---- time


def test_a_read_is_given_what_its_own_arrays_need():
    design = hardware(array_rows=128, array_cols=128)
    full = found("settling", design, layer(design, 10, 128))
    assert full.holds
    assert full.value == pytest.approx(full.limit, rel=1e-9, abs=0)
    small = found("settling", design, layer(design, 10, 16))
    table = design.calibration
    saved = table.quantity("tia", "latency_s", cells=128, gamma=1.0).value - 1.7391e-9  # 16 cells, as simulated
    assert small.limit == full.limit
    assert small.limit - small.value == pytest.approx(saved, rel=0.01, abs=0)


def test_lines_of_high_resistance_settle_too_late():
    design = hardware()
    plan = layer(design, 10, 128)
    ohm = 1e4
    finding = found("settling", design, plan, segment_resistance_ohm=ohm)
    elmore_s = 0.5 * ohm * 3.6e-17 * 256**2
    rest = found("settling", design, plan)
    line_s = design.calibration.quantity("crossbar", "latency_s", cells=128).value
    assert finding.value == pytest.approx(rest.value - line_s + elmore_s, rel=1e-9, abs=0)
    assert not finding.holds
    assert f"({elmore_s * 1e12:.3g} ps by r c N^2/2)" in finding.text


@pytest.mark.parametrize("dac", ["capacitive", "r2r"])
def test_amplitudes_are_held_while_dac_and_tia_settle_and_are_integrated(dac):
    design = hardware(dac_model=dac, overrides={"amplitude_window_s": 3e-9})
    finding = found("settling", design, layer(design, 3, 16))
    tia = design.calibration.quantity("tia", "latency_s", gamma=1.0, cells=16).value
    assert f"the op-amp of its TIA {tia * 1e9:.3g} ns" in finding.text
    assert finding.value >= read_window(design).value + tia
    assert read_window(design).value > 3e-9
    assert finding.holds
    slow = found("settling", design, layer(design, 3, 16), segment_resistance_ohm=1e6)
    assert not slow.holds
    assert "let a read take" in slow.text


def test_an_op_amp_is_not_extrapolated():
    design = hardware("multi_tile_paper")
    finding = found("settling", design, design.floorplan(MatrixShape("a", 10, 2000), 1))
    assert "no op-amp is counted, none is characterised on lines of 2000 weights" in finding.text
    assert finding.limit == 4e-8  # one matrix-vector product, as published


# ---- converters


def test_the_current_of_a_column_by_hand():
    """100 lines, all on, mean height 0.5: mean square 1/3; 0.2 V x 3 uS x sqrt(100/3) x 4 of 12 uA."""
    design = hardware()
    plan = layer(design, 10, 100)
    finding = found("adc_range", design, plan, reads(plan, forward=(1.0, 0.5)))
    sigma = 0.2 * 3e-6 * math.sqrt(100 / 3)
    assert finding.value == pytest.approx(4 * sigma, rel=1e-12, abs=0)
    assert finding.limit == pytest.approx(12e-6, rel=1e-12, abs=0)
    assert finding.unit == "A"
    assert not finding.holds
    assert f"{math.erfc(12e-6 / sigma / math.sqrt(2)):.2g} of the columns clip" in finding.text
    assert "30 uA if all had one sign" in finding.text
    assert "set hardware.adc.full_scale to about 4.6, not 4" in finding.text


def test_the_full_scale_is_that_of_the_circuit():
    span_s = frame.MAX_CONDUCTANCE_S - frame.MIN_CONDUCTANCE_S
    by_hand = frame.FULL_SCALE_CURRENT_A / (frame.READ_VOLTAGE_V * span_s / 0.6)
    assert by_hand == pytest.approx(checks.FULL_SCALE.value, rel=1e-12, abs=0)


@pytest.mark.parametrize(("full_scale", "holds"), [(4.5, False), (4.7, True), (18.4, True), (18.6, False)])
def test_the_range_of_a_converter_is_used_and_not_exceeded(full_scale, holds):
    """The column of the test above reaches 13.86 uA: full scale from 13.86 to 55.4 uA, 3 uA per unit."""
    design = hardware(adc_full_scale=full_scale)
    plan = layer(design, 10, 100)
    finding = found("adc_range", design, plan, reads(plan, forward=(1.0, 0.5)))
    assert finding.holds is holds
    if full_scale == 18.6:
        assert (
            "2 of 8 bits are spare; for this layer set hardware.adc.full_scale to about 4.6, not 18.6" in finding.text
        )


def test_the_direction_with_the_larger_sum_decides():
    design = hardware()
    plan = layer(design, 100, 10)
    finding = found("adc_range", design, plan, reads(plan, forward=(1.0, 0.1), backward=(0.5, 0.4)))
    assert "a backward read" in finding.text
    assert "of 100 lines" in finding.text
    assert finding.value == pytest.approx(4 * 0.2 * 3e-6 * math.sqrt(100 * 4 / 3 * 0.2**2 / 0.5), rel=1e-12, abs=0)


def test_only_the_lines_of_one_array_meet_before_a_converter():
    design = hardware()
    whole, half = (found("adc_range", design, layer(design, 10, inputs)) for inputs in (256, 128))
    assert whole.value == half.value


def test_arrays_side_by_side_share_their_inputs():
    """Three blocks of outputs: a line that is on drives three arrays, and is on only once."""
    design = hardware()
    wide, narrow = (layer(design, outputs, 100, tiles=2) for outputs in (300, 100))
    currents = [found("adc_range", design, plan, reads(plan, forward=(0.5, 0.4))).value for plan in (wide, narrow)]
    assert currents[0] == pytest.approx(currents[1], rel=1e-12, abs=0)


def test_a_column_never_exceeds_all_its_cells():
    design = hardware(adc_full_scale=0.5)
    finding = found("adc_range", design, layer(design, 1, 1))
    assert finding.value == pytest.approx(0.2 * 1e-5, rel=1e-12, abs=0)
    design = hardware(adc_full_scale=0.7)  # 2.1 uA
    assert "0 of the columns clip" in found("adc_range", design, layer(design, 1, 1)).text


def test_bit_serial_inputs_are_on_or_off():
    """Their mean square is the part of the lines that is on."""
    design = hardware()
    plan = replace(layer(design, 10, 64), input_cycles=8, bit_density=0.25, bit_serial=True)
    finding = found("adc_range", design, plan, reads(plan, forward=(0.8, 0.5)))
    assert finding.value == pytest.approx(4 * 0.2 * 3e-6 * math.sqrt(64 * 0.8 * 0.25), rel=1e-12, abs=0)


# ---- cells


@pytest.mark.parametrize(("area_f2", "holds"), [(178.0, True), (177.0, False)])
def test_the_access_transistor_beside_the_cell(area_f2, holds):
    """PCM: 1.5 V x 0.2 mS = 0.3 mA; 500 A/m pass it in 600 nm, 13.33 F at 45 nm: 177.8 F2."""
    design = hardware(cell_model="pcm", cell_values={"cell_area_f2": area_f2})
    finding = found("access_transistor", design, layer(design, 2, 2))
    assert finding.value == pytest.approx(600e-9, rel=1e-12, abs=0)
    assert finding.limit == pytest.approx(math.sqrt(area_f2) * 45e-9, rel=1e-12, abs=0)
    assert (finding.layer, finding.unit, finding.holds) == ("network", "m", holds)
    assert (design.cell.access_misfit(45, design.cell_values) is None) is holds
    assert ("take a cell of 178 F2 or more" in finding.text) is not holds


@pytest.mark.parametrize(("area_m2", "holds"), [(3.24e-14, True), (41e-9**2, True), (39e-9**2, False)])
def test_the_access_transistor_of_the_simulated_cell(area_m2, holds):
    """2 V x 10 uS = 20 uA; 500 A/m pass it in 40 nm."""
    design = hardware(overrides={"cell_area_m2": area_m2})
    finding = found("access_transistor", design, layer(design, 2, 2))
    assert finding.value == pytest.approx(40e-9, rel=1e-12, abs=0)
    assert finding.limit == pytest.approx(math.sqrt(area_m2), rel=1e-9, abs=0)
    assert finding.holds is holds


def pulsed():
    """Return a trace on a layer of 20 weights: tile 1 gets 60 + 300 pulses, tile 0 40; a refresh gives each tile 20."""
    trace = Trace()
    for kind, tile, done in (
        ("program", "0", 40.0),
        ("update", "1", 60.0),
        ("transfer", "0>1", 300.0),
        ("refresh", "all", 40.0),
    ):
        trace.append(Operation(kind, "a", tile, counts(coincidences=done, half_selects=1e9)))
    trace.append(Operation("update", "b", "0", counts(coincidences=1e9)))
    return trace


def test_the_life_of_the_tile_that_is_pulsed_most():
    design = hardware()
    plan = layer(design, 4, 5, tiles=2)
    finding = found("endurance", design, plan, pulsed(), samples=50, epoch_samples=25, device_endurance=190.0)
    assert finding.value == (60 + 300 + 20) / 20
    assert finding.limit == 190.0
    assert finding.holds
    # Ten times this training of 50 samples, two epochs.
    assert "tile 1: 19 pulses per cell on average in 50 samples" in finding.text
    assert "last for 500 samples, 20 epochs or 10 times this training" in finding.text


@pytest.mark.parametrize(("endurance", "holds"), [(19.0, True), (18.9, False)])
def test_a_training_that_wears_its_devices_out(endurance, holds):
    design = hardware()
    plan = layer(design, 4, 5, tiles=2)
    finding = found("endurance", design, plan, pulsed(), device_endurance=endurance)
    assert finding.holds is holds
    assert ("take a device that stands more" in finding.text) is not holds
    assert "epochs" not in finding.text


@pytest.mark.parametrize(
    ("settings", "pulses"),
    [({}, 1e6), ({"cell_model": "ecram"}, 1e7), ({"cell_model": "pcm", "cell_values": {"endurance_pulses": 5.0}}, 5.0)],
)
def test_the_endurance_is_that_of_the_cell(settings, pulses):
    design = hardware(**settings)
    finding = found("endurance", design, layer(design, 4, 5, tiles=2), pulsed())
    assert finding.limit == pulses
    assert finding.holds is (pulses > 19)


def test_a_device_that_is_never_pulsed_lives():
    design = hardware()
    finding = found("endurance", design, layer(design, 4, 5))
    assert (finding.value, finding.holds) == (0.0, True)


@pytest.mark.parametrize(("volts", "count"), [(0.2, 0), (0.9, 1)])
def test_numbers_of_a_cell_beyond_their_range(volts, count):
    design = hardware(cell_model="pcm", cell_values={"read_voltage_v": volts, "cell_area_f2": 20.0})
    finding = found("extrapolation", design, layer(design, 2, 2))
    assert (finding.value, finding.limit, finding.holds) == (count, 0.0, count == 0)
    assert finding.text == (
        "cell 'pcm': read_voltage_v = 0.9 V is outside what is known, 0.1 to 0.5 V: the result is an extrapolation"
        if count
        else "cell pcm: 2 numbers of the study are all within what is published"
    )


# ---- heat


@pytest.mark.parametrize(("energy_j", "holds"), [(0.039e-6, True), (0.041e-6, False)])
def test_the_power_of_an_area(energy_j, holds):
    """1 us per sample and 0.04 mm2: 0.04 uJ are 1 W/mm2."""
    line = Line("net", "all", "forward", "adc", 1.0, energy_j=energy_j, latency_s=1e-6, area_m2=4e-8)
    design = hardware()
    finding = found("power_density", design, layer(design, 2, 2), bill=make_bill([line], 0))
    assert finding.value == pytest.approx(energy_j / 1e-6 / 4e-8, rel=1e-12, abs=0)
    assert (finding.limit, finding.unit, finding.holds) == (1e6, "W/m2", holds)
    assert ("spread it over 0.041 mm2" in finding.text) is not holds


def test_a_bill_without_time_or_area_has_no_power_density():
    design = hardware()
    findings = check_design(design, [layer(design, 2, 2)], make_bill([], 0), Trace(), samples=1)
    assert "power_density" not in {one.check for one in findings}


# ---- all of them


def all_findings(algorithm, shapes, design, samples=8, **parameters):
    scheduler = schedule(algorithm, shapes, design, samples=samples, mini_batches=samples, **parameters)
    bill = bill_of(scheduler, samples=samples)
    return check_design(design, scheduler.floorplans, bill, scheduler.trace, samples=samples)


def check_finite(findings):
    for one in findings:
        assert math.isfinite(one.value), one
        assert math.isfinite(one.limit), one
        assert one.value >= 0, one
        assert isinstance(one.holds, bool), one
        assert not {"nan", "inf"} & set(one.text.replace(",", " ").replace(")", " ").split()), one


MLP = [MatrixShape("dense1", 256, 784, backward=False), MatrixShape("dense2", 10, 256)]


@pytest.mark.parametrize("shapes", [MLP, [MatrixShape("one", 1, 1, backward=False)]], ids=["mlp", "one"])
@pytest.mark.parametrize("preset", list_hardware())
def test_every_preset_has_finite_findings(preset, shapes):
    findings = all_findings("residual_learning", shapes, hardware(preset), tiles=3)
    check_finite(findings)
    known = {one.check for one in findings}
    assert {"ir_drop", "endurance", "extrapolation", "power_density"} <= known
    # A published macro does not say which transistor stands in its cell.
    assert ("access_transistor" in known) == ("cell" in hardware_preset(preset)["components"])


@pytest.mark.parametrize("dac", ["pulse_width", "capacitive", "r2r"])
@pytest.mark.parametrize("cell", ["spice_reram", *list_cells()])
def test_every_cell_and_input_has_every_check_once_per_layer(cell, dac):
    findings = all_findings("analog_sgd", MLP, hardware(cell_model=cell, dac_model=dac))
    check_finite(findings)
    per_layer = ["ir_drop", "settling", "adc_range", "endurance"]
    expected = [(check, shape.name) for shape in MLP for check in per_layer]
    expected += [(check, "network") for check in ("access_transistor", "extrapolation", "power_density")]
    assert [(one.check, one.layer) for one in findings] == expected


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_digital_network_has_no_analog_findings(algorithm):
    findings = all_findings(algorithm, MLP, hardware())
    check_finite(findings)
    analog = {one.check for one in findings} - {"power_density"}
    assert (not analog) == (algorithm == "digital_sgd")


def test_a_layer_that_is_not_read_has_no_findings_about_reads():
    design = hardware()
    findings = check_design(design, [layer(design, 4, 5)], BILL, pulsed(), samples=1)
    assert not READ_CHECKS & {one.check for one in findings}


def test_the_table():
    design = hardware()
    plan = layer(design, 4, 5)
    findings = check_design(design, [plan], BILL, reads(plan), samples=1)
    table = findings_frame(findings)
    assert list(table.columns) == ["check", "layer", "value", "limit", "unit", "holds", "text"]
    assert table["check"].tolist() == [one.check for one in findings]
    assert table["holds"].tolist() == [one.holds for one in findings]
    assert list(findings_frame([]).columns) == list(table.columns)


def test_many_designs_are_refused():
    with pytest.raises(HardwareError, match="3 designs are given at once; check one at a time"):
        check_design(hardware(adc_bits=np.array([6, 7, 8])), [], BILL, Trace(), samples=1)


@pytest.mark.parametrize("name", ["samples", "device_endurance", "segment_resistance_ohm", "epoch_samples"])
@pytest.mark.parametrize("number", [0, -1.0, math.nan, math.inf])
def test_numbers_that_are_not_above_0_are_refused(name, number):
    with pytest.raises(HardwareError, match=f"checks: {name} = {number} is not allowed; finite and above 0"):
        check_design(hardware(), [], BILL, Trace(), **{"samples": 1, name: number})
