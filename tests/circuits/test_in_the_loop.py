"""Arrays as circuits against matrix products, the mesh solver, hand formulas and the device model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from circuits import frame
from circuits.analytic import finite_gain_error, summing_stage_gain_error
from circuits.cells.memristor import array_of_memristors
from circuits.cells.opamp import DEFAULT as OPAMP
from circuits.in_the_loop import (
    ReadCircuit,
    pulse_reads,
    settling_s,
    sweep_reads,
    write_phases,
    written_weights,
)
from circuits.simulator import has_ngspice
from device_models import load_device
from device_models.population import populate

needs_ngspice = pytest.mark.skipif(not has_ngspice(), reason="ngspice is not installed")
TICKS, GAMMA = 63, 0.5


def circuit_of(tiles, inputs, outputs, *, seed=1, transposed=False, **given):
    """Return weights and their circuit: 0.2 µS below the lowest conductance nothing, 9 µS for a weight of 1."""
    weights = np.random.default_rng(seed).uniform(-1, 1, (tiles, inputs, outputs))
    sensed = inputs if transposed else outputs
    gains = GAMMA ** np.arange(tiles)[:, None]
    circuit = ReadCircuit(
        conductance_s=1e-6 + 9e-6 * np.stack([np.maximum(weights, 0), np.maximum(-weights, 0)], axis=1),
        feedback_ohm=np.tile(20e3 * gains, (1, sensed)),
        summing_ohm=np.full((tiles, sensed), 50e3),
        capacitance_f=0.4e-12,
        window_s=TICKS * frame.TICK_S,
        transposed=transposed,
        **given,
    )
    return weights, circuit


def composite_v(weights, circuit):
    """Return the voltage of the integrator for a full input, (inputs, outputs), by hand."""
    gains = circuit.feedback_ohm[:, :1, None] / 50e3 * circuit.window_s / circuit.capacitance_f
    return (weights * gains * 9e-6 * frame.READ_VOLTAGE_V).sum(axis=0)


def error_of(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@needs_ngspice
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 3), (3, 8, 8)])
def test_ideal_cells_are_the_weighted_sum_of_products(shape, transposed):
    weights, circuit = circuit_of(*shape, transposed=transposed)
    inputs = np.random.default_rng(2).uniform(-1, 1, (4, circuit.driven))
    product = composite_v(weights, circuit)
    assert error_of(sweep_reads(circuit, inputs), inputs @ (product.T if transposed else product)) < 1e-8


@needs_ngspice
@pytest.mark.parametrize("transposed", [False, True])
def test_wires_are_those_of_the_mesh_solver(transposed):
    _, circuit = circuit_of(2, 6, 5, transposed=transposed)
    wired = replace(circuit, segment_resistance_ohm=200.0)
    inputs = np.random.default_rng(3).uniform(-1, 1, (3, circuit.driven))
    with_wires, without = sweep_reads(wired, inputs), sweep_reads(circuit, inputs)
    assert error_of(sweep_reads(wired.without_wires(), inputs), with_wires) < 1e-7
    assert error_of(without, with_wires) > 1e-3


@needs_ngspice
def test_finite_gain_is_the_hand_formula():
    weights, circuit = circuit_of(1, 8, 4)
    opamp = replace(OPAMP, gain=100.0, output_ohm=1e-3)
    found = sweep_reads(replace(circuit, tia=(opamp,)), np.ones((1, 8)))
    loads_s = circuit.conductance_s[0].sum(axis=(0, 1))
    errors = [finite_gain_error(100.0, 20e3, load) for load in loads_s]
    assert error_of(found, composite_v(weights, circuit).sum(axis=0) * (1 + np.array(errors))) < 1e-6


@needs_ngspice
def test_pulses_integrate_to_what_amplitudes_give_but_for_the_bandwidth_of_the_integrator():
    _, circuit = circuit_of(2, 6, 4)
    real = replace(circuit, tia=(OPAMP, OPAMP), summing=OPAMP)
    codes = np.random.default_rng(4).integers(-TICKS, TICKS + 1, (2, 6)).astype(float)
    codes[1] = 0
    read = pulse_reads(real, codes, settle_s=settling_s(real))
    lost = 1 + summing_stage_gain_error(
        tiles=2,
        resistance_ohm=50e3,
        capacitance_f=circuit.capacitance_f,
        switch_ohm=0.0,
        opamp_gain=np.inf,
        bandwidth_hz=OPAMP.bandwidth_hz,
        window_s=0.0,
    )
    expected = sweep_reads(real, codes / TICKS) * lost
    # What is left is 0.1 % of an integrator of finite gain in a time-dependent circuit, and steps in time.
    assert error_of(read.output_v[0], expected[0]) < 2e-3
    assert error_of(read.output_v[0], expected[0] / lost) > 5e-3
    assert np.abs(read.output_v[1]).max() < 1e-3
    assert np.abs(read.drift_v).max() < 1e-3


@needs_ngspice
def test_slow_tia_still_moves_the_integrator_after_the_sample():
    _, circuit = circuit_of(1, 6, 3)
    codes = np.full((1, 6), float(TICKS))
    drifts = []
    for slowness in (1.0, 10.0):
        slow = replace(OPAMP, bandwidth_hz=OPAMP.bandwidth_hz / slowness)
        real = replace(circuit, tia=(slow,), summing=OPAMP)
        drifts.append(np.abs(pulse_reads(real, codes, settle_s=settling_s(circuit)).drift_v).max())
    assert drifts[1] > 10 * drifts[0]


def test_lines_of_a_circuit_are_its_columns():
    _, circuit = circuit_of(2, 4, 5)
    few = circuit.lines(np.array([3, 1]))
    np.testing.assert_array_equal(few.conductance_s, circuit.conductance_s[..., [3, 1]])
    with pytest.raises(ValueError, match="wires"):
        replace(circuit, segment_resistance_ohm=1.0).lines(np.array([0]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feedback_ohm": np.ones((1, 1))}, "feedback_ohm"),
        ({"conductance_s": np.zeros((2, 2, 4, 5))}, "conductance_s"),
        ({"tia": (OPAMP,)}, "op-amps"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    _, circuit = circuit_of(2, 4, 5)
    with pytest.raises(ValueError, match=message):
        replace(circuit, **change)


@pytest.mark.parametrize("inputs", [np.ones((1, 3)), np.ones(4), np.full((1, 4), np.nan), np.ones((0, 4))])
def test_inputs_that_do_not_fit_are_refused(inputs):
    _, circuit = circuit_of(2, 4, 5)
    with pytest.raises(ValueError, match="inputs have shape"):
        sweep_reads(circuit, inputs)
    with pytest.raises(ValueError, match="transient"):
        pulse_reads(circuit, np.ones((1, 4)), settle_s=1e-9)


def test_phases_move_every_coincidence_once_and_nothing_else():
    draw = np.random.default_rng(5)
    inputs, errors = draw.integers(-1, 2, (20, 4)), draw.integers(-1, 2, (20, 3))
    moved = np.zeros((4, 3), dtype=int)
    for phase in write_phases(inputs, errors):
        rows = np.array([frame.WRITE_SUPPLY_V / 2 if level is None else level for level in phase.row_v])
        columns = np.array([frame.WRITE_SUPPLY_V / 2 if level is None else level for level in phase.column_v])
        across = rows[:, None] - columns
        moved += (across > frame.THRESHOLD_VOLTAGE_V).astype(int) - (across < -frame.THRESHOLD_VOLTAGE_V)
    np.testing.assert_array_equal(moved, -(inputs.T @ errors))


@needs_ngspice
@pytest.mark.parametrize("name", ["soft_bounds", "constant_step"])
def test_writes_follow_the_device_model(name):
    size, slots = 4, 5
    device = load_device(name, states=10, dw_min_dtod=0.3, w_max_dtod=0.2, w_min_dtod=0.2)
    parameters = populate(device, (size, size), seed=3, stream=0).parameters
    step_up, step_down, high, low = parameters[:4].astype(float)
    draw = np.random.default_rng(6)
    start = np.clip(draw.uniform(-0.6, 0.6, (size, size)), low, high)
    inputs, errors = draw.integers(-1, 2, (slots, size)), draw.integers(-1, 2, (slots, size))
    expected = start.copy()
    for given, error in zip(inputs, errors, strict=True):
        sign = -np.outer(given, error)
        soft = name == "soft_bounds"
        up = step_up * (1 - expected / high if soft else 1)
        down = step_down * (1 - expected / low if soft else 1)
        expected = np.clip(expected + np.where(sign > 0, up, 0) - np.where(sign < 0, down, 0), low, high)
    cells = array_of_memristors(device, parameters)
    found, waveforms = written_weights(cells, start, write_phases(inputs, errors))
    assert waveforms is not None
    rms = np.sqrt(np.mean((found - expected) ** 2) / np.mean((expected - start) ** 2))
    assert rms < 0.01
    assert np.abs(found - start)[expected == start].max(initial=0.0) < 1e-3


def test_no_pulse_changes_nothing():
    cells = array_of_memristors(load_device("soft_bounds"), np.array([0.1, 0.1, 1.0, -1.0]).reshape(4, 1, 1))
    found, waveforms = written_weights(cells, [[0.25]], [])
    assert waveforms is None
    np.testing.assert_array_equal(found, [[0.25]])
