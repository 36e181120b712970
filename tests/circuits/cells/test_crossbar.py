"""Arrays in SPICE against the exact wire solver, hand formulas and the device model; bad input."""

import numpy as np
import pytest

from circuits import analytic, frame
from circuits.cells import crossbar
from circuits.cells.crossbar import Trains, Wires
from circuits.simulator import has_ngspice, simulate
from circuits.wires import effective_conductance

needs_ngspice = pytest.mark.skipif(not has_ngspice(), reason="ngspice is not installed")


@needs_ngspice
@pytest.mark.parametrize(("rows", "columns", "segment_ohm"), [(1, 1, 1.0), (5, 3, 1.0), (16, 16, 1.0), (8, 12, 500.0)])
def test_reads_are_those_of_the_wire_solver(rows, columns, segment_ohm):
    draw = np.random.default_rng(rows)
    conductance = draw.uniform(frame.MIN_CONDUCTANCE_S, frame.MAX_CONDUCTANCE_S, (rows, columns))
    voltages = draw.uniform(-0.2, 0.2, rows)
    deck = crossbar.read_deck(conductance, voltages, Wires(segment_resistance_ohm=segment_ohm))
    found = crossbar.read_currents(simulate(deck), columns)
    expected = voltages @ effective_conductance(conductance, segment_ohm)
    assert np.abs(found - expected).max() < 1e-9 * np.abs(expected).max()
    # The wires make a difference that such an agreement could not hide.
    assert np.abs(found - voltages @ conductance).max() > 1e-6 * np.abs(expected).max()


def test_pairs_are_rows_side_by_side_with_opposite_voltages():
    main, reference = np.full((2, 3), 4e-6), np.full((2, 3), 3e-6)
    conductance, voltages = crossbar.pair_rows(main, reference), crossbar.pair_voltages([[0.5, -1.0]])
    np.testing.assert_allclose(conductance[:, 0], [4e-6, 3e-6, 4e-6, 3e-6])
    np.testing.assert_allclose(voltages, [[0.1, -0.1, -0.2, 0.2]])
    np.testing.assert_allclose(voltages @ conductance, [[-0.1e-6] * 3])  # sum of x V (G - G_ref)


@needs_ngspice
def test_far_cell_drop_is_that_of_the_nodal_equations_and_near_the_hand_formula():
    cells = 16
    uniform = np.full((cells, cells), frame.MEAN_CONDUCTANCE_S)
    found = simulate(crossbar.read_deck(uniform, np.full(cells, 0.2), Wires()))
    drop = 1 - (found.final(f"v(r0_{cells - 1})") - found.final(f"v(c0_{cells - 1})")) / 0.2
    assert drop == pytest.approx(crossbar.drop_of(cells), rel=1e-6)
    assert drop == pytest.approx(analytic.far_cell_drop(frame.MEAN_CONDUCTANCE_S, cells, 1.0), rel=0.01)


def test_cell_voltages_give_the_currents_of_the_wire_solver():
    draw = np.random.default_rng(4)
    conductance, voltages = draw.uniform(1e-6, 1e-5, (6, 9)), draw.uniform(-0.2, 0.2, 6)
    currents = (crossbar.cell_voltages(conductance, voltages, 300.0) * conductance).sum(axis=0)
    np.testing.assert_allclose(currents, voltages @ effective_conductance(conductance, 300.0), rtol=1e-9)


@needs_ngspice
def test_two_lines_settle_as_the_mesh_does():
    values = [
        crossbar._settling([simulate(crossbar.settling_deck(12, Wires(), mesh=mesh))], {"cells": 12})
        for mesh in (False, True)
    ]
    assert values[0]["latency_s"] == pytest.approx(values[1]["latency_s"], rel=0.01)
    assert values[0]["charge_energy_j"] == pytest.approx(values[1]["charge_energy_j"], rel=0.01)
    expected = analytic.capacitor_step_energy_j(12 * frame.CELL_CAPACITANCE_F, frame.READ_VOLTAGE_V)
    assert values[1]["charge_energy_j"] == pytest.approx(expected, rel=0.05)


@needs_ngspice
def test_pulsed_update_is_that_of_the_device_model():
    deck, (start, expected) = crossbar.update_case()
    found = crossbar.final_weights(simulate(deck), *start.shape)
    rms = np.sqrt(np.mean((found - expected) ** 2) / np.mean((expected - start) ** 2))
    assert np.abs(expected - start).max() > 0.05
    assert rms < 0.01


def test_signs_of_both_lines_need_four_phases_and_of_one_line_two():
    rows = np.array([[1, 0, -1], [0, 1, 0]], dtype=np.int8)
    columns = np.array([[1, -1], [0, 1]], dtype=np.int8)
    assert Trains(rows, columns).phases == [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    assert Trains(abs(rows), columns).phases == [(1, 1), (1, -1)]
    assert crossbar.coincidences(Trains(rows, columns), 2, 0) == [False]
    assert crossbar.coincidences(Trains(rows, columns), 0, 0) == [True]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Wires(segment_resistance_ohm=0.0), "above 0"),
        (lambda: crossbar.pair_rows(np.ones((2, 2)), np.ones((3, 2))), r"reference \(3, 2\)"),
        (lambda: Trains(np.full((2, 2), 2, dtype=np.int8), np.ones((2, 2), dtype=np.int8)), "-1, 0 and 1"),
        (lambda: Trains(np.ones((2, 2), dtype=np.int8), np.ones((3, 2), dtype=np.int8)), "3 on the columns"),
    ],
)
def test_arrays_that_cannot_be_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_update_of_another_size_is_refused():
    from circuits.cells.memristor import Memristor

    cell = Memristor(weights=(-1.0, 1.0), steps_up=(0.2, 0.0), steps_down=(0.0, 0.2))
    trains = Trains(np.ones((1, 2), dtype=np.int8), np.ones((1, 1), dtype=np.int8))
    with pytest.raises(ValueError, match="the array has 1 x 1"):
        crossbar.update_deck([[cell]], [[0.0]], trains, Wires())
