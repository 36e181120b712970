"""Crossbars with resistive wires against hand formulas, the full nodal equation and ngspice; laws; bad input."""

import numpy as np
import pytest

from circuits import wires
from circuits.wires import WireSolver, column_currents, effective_conductance
from tests.oracles.resistive_grid import Grid, has_ngspice, ngspice_currents


def array_of(rows, columns, kind="uniform", seed=1):
    """Return conductances: uniform 10 to 100 µS, log-uniform 1 to 100 µS, or 100 µS everywhere."""
    draw = np.random.default_rng(seed)
    if kind == "log-uniform":
        return 10 ** draw.uniform(-6, -4, (rows, columns))
    return draw.uniform(1e-5, 1e-4, (rows, columns)) if kind == "uniform" else np.full((rows, columns), 1e-4)


def inputs_of(batch, rows, seed=2):
    return np.random.default_rng(seed).uniform(-1, 1, (batch, rows))


def error_of(currents, expected):
    """Return the largest error over the largest current, of the worst input."""
    return (np.abs(currents - expected).max(axis=1) / np.abs(expected).max(axis=1)).max()


def ladder_currents(conductance_s, segment_ohm):
    """Return the column currents of a single row at 1 V: a ladder of branches that end at 0 V, by hand."""
    branches = 1 / (1 / conductance_s + segment_ohm)
    seen = np.zeros(branches.size + 1)
    for column in reversed(range(branches.size)):
        seen[column] = branches[column] + seen[column + 1] / (1 + segment_ohm * seen[column + 1])
    voltage, currents = 1.0, []
    for column, branch in enumerate(branches):
        voltage /= 1 + segment_ohm * seen[column]
        currents.append(voltage * branch)
    return np.array(currents)


@pytest.mark.parametrize("segment_ohm", [1e-9, 1.0, 1e4])
def test_one_cell_is_three_resistors(segment_ohm):
    expected = 0.5 / (1 / 2e-5 + 2 * segment_ohm)
    currents = column_currents([[2e-5]], [[0.5]], segment_ohm, tolerance=1e-14)
    np.testing.assert_allclose(currents, [[expected]], rtol=1e-14)
    np.testing.assert_allclose(effective_conductance([[2e-5]], segment_ohm), [[2 * expected]], rtol=1e-14)


@pytest.mark.parametrize("segment_ohm", [1e-9, 1.0, 1e3])
@pytest.mark.parametrize("length", [2, 7, 300])
def test_one_line_is_a_ladder(length, segment_ohm):
    cells = array_of(1, length, "log-uniform")[0]
    expected = ladder_currents(cells, segment_ohm)
    np.testing.assert_allclose(effective_conductance(cells[None], segment_ohm)[0], expected, rtol=1e-12)
    currents = column_currents(cells[None], [[1.0]], segment_ohm, tolerance=1e-12)
    assert error_of(currents, expected[None]) < 1e-12
    # A single column is the same ladder, seen from its sense node.
    np.testing.assert_allclose(effective_conductance(cells[::-1, None], segment_ohm)[:, 0], expected[::-1], rtol=1e-12)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 9, 12])
@pytest.mark.parametrize("columns", [1, 2, 4, 7, 8, 13])
def test_every_small_shape_solves_the_nodal_equation(rows, columns):
    conductance, voltages = array_of(rows, columns), inputs_of(3, rows)
    for segment_ohm in (1.0, 3e3):
        expected = Grid(conductance, segment_ohm).column_currents(np.eye(rows))
        np.testing.assert_allclose(effective_conductance(conductance, segment_ohm), expected, rtol=1e-12)
        currents = column_currents(conductance, voltages, segment_ohm, tolerance=1e-10)
        assert error_of(currents, voltages @ expected) < 1e-10
        followed = WireSolver(conductance, segment_ohm, tolerance=1e-5).effective_conductance_s
        assert np.abs(followed - expected).max() < 1e-5 * expected.max()


@pytest.mark.parametrize(
    ("rows", "columns", "kind", "loss"),
    [
        (25, 16, "uniform", 0.02),
        (100, 32, "log-uniform", 0.08),
        (60, 200, "uniform", 0.5),
        (128, 128, "uniform", 0.4),
        (256, 256, "log-uniform", 0.5),
        (256, 256, "highest", 0.8),
    ],
)
def test_large_arrays_solve_the_nodal_equation(rows, columns, kind, loss):
    conductance, voltages = array_of(rows, columns, kind), inputs_of(5, rows)
    voltages[0] = 1.0
    grid = Grid(conductance, 1.0)
    expected = grid.column_currents(voltages)
    assert 1 - (expected[0] / conductance.sum(axis=0)).min() > loss
    for tolerance in (1e-3, 1e-6, 1e-10):
        currents = column_currents(conductance, voltages, 1.0, tolerance=tolerance)
        assert error_of(currents, expected) < tolerance
    matrix = effective_conductance(conductance, 1.0)
    assert error_of(voltages @ matrix, expected) < 1e-11
    # The backward read, with a solution of its own.
    backward = inputs_of(2, columns)
    assert error_of(backward @ matrix.T, grid.row_currents(backward)) < 1e-11


@pytest.mark.skipif(not has_ngspice(), reason="ngspice is not installed (apt-get install ngspice)")
@pytest.mark.parametrize(
    ("rows", "columns", "kind", "segment_ohm"),
    [(1, 1, "uniform", 1.0), (5, 3, "uniform", 100.0), (16, 16, "log-uniform", 1.0), (32, 32, "highest", 5.0)],
)
def test_ngspice_agrees(rows, columns, kind, segment_ohm, tmp_path):
    conductance, voltages = array_of(rows, columns, kind), inputs_of(1, rows)
    expected = ngspice_currents(conductance, voltages[0], segment_ohm, tmp_path)[None]
    assert error_of(column_currents(conductance, voltages, segment_ohm, tolerance=1e-12), expected) < 1e-11
    assert error_of(voltages @ effective_conductance(conductance, segment_ohm), expected) < 1e-11


@pytest.mark.parametrize("shape", [(3, 5), (30, 20)])
def test_wires_without_loss_leave_the_ideal_product(shape):
    conductance = array_of(*shape)
    matrix = effective_conductance(conductance, 1e-12)
    np.testing.assert_allclose(matrix, conductance, rtol=1e-11)
    # To first order the loss is that of the ideal currents in the segments on the way.
    rows, columns = np.indices(shape)
    to_driver = np.minimum(columns[..., None], columns[0]) + 1  # segments that two columns share on their way
    to_sense = np.minimum((shape[0] - rows)[..., None], shape[0] - rows[:, 0])
    shared_rows = np.einsum("ijk,ik->ij", to_driver, conductance)
    shared_columns = np.einsum("ijk,kj->ij", to_sense, conductance)
    first_order = conductance * (shared_rows + shared_columns)
    small = 1e-4
    np.testing.assert_allclose(
        (conductance - effective_conductance(conductance, small)) / small, first_order, rtol=1e-3
    )


def test_currents_are_linear_in_the_voltages():
    conductance, (one, other) = array_of(40, 30), inputs_of(2, 40)
    sums = column_currents(conductance, [2 * one - 3 * other], 2.0, tolerance=1e-12)
    parts = column_currents(conductance, [one, other], 2.0, tolerance=1e-12)
    np.testing.assert_allclose(sums[0], 2 * parts[0] - 3 * parts[1], rtol=0, atol=1e-11 * np.abs(parts).max())


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_inputs_of_any_size_are_solved(scale):
    conductance = array_of(12, 9)
    voltages = inputs_of(4, 12)
    voltages[2] = 0
    expected = column_currents(conductance, voltages, 1.0)
    voltages[1] *= scale
    expected[1] *= scale
    currents = column_currents(conductance, voltages, 1.0)
    np.testing.assert_allclose(currents, expected, rtol=1e-12)
    assert not currents[2].any()


def test_input_that_leaves_no_current_is_solved():
    (conductance,) = effective_conductance([[1e-5], [4e-5]], 1.0).T
    currents = column_currents([[1e-5], [4e-5]], [[1 / conductance[0], -1 / conductance[1]]], 1.0)
    assert abs(currents[0, 0]) < 1e-14


def test_more_wire_resistance_never_gives_more_current():
    conductance, ones = array_of(20, 30), np.ones((1, 20))
    before = ones @ conductance
    for segment_ohm in (0.1, 1.0, 10.0, 1e3):
        currents = column_currents(conductance, ones, segment_ohm)
        assert (currents < before).all()
        before = currents


def test_current_falls_with_the_distance_from_driver_and_sense_node():
    matrix = effective_conductance(array_of(30, 20, "highest"), 3.0)
    assert (np.diff(matrix, axis=1) < 0).all()
    assert (np.diff(matrix, axis=0) > 0).all()


def test_single_inputs_and_the_matrix_agree():
    conductance = array_of(20, 33)
    voltages = inputs_of(wires.INPUTS_MAX + 1, 20)
    many = column_currents(conductance, voltages, 1.0)
    few = column_currents(conductance, voltages[:-1], 1.0, tolerance=1e-12)
    np.testing.assert_array_equal(many, voltages @ effective_conductance(conductance, 1.0))
    assert error_of(few, many[:-1]) < 1e-11


def test_elimination_takes_over_where_iterations_do_not_converge(monkeypatch):
    conductance, voltages = array_of(20, 30), inputs_of(2, 20)
    matrix = effective_conductance(conductance, 1.0)
    monkeypatch.setattr(wires, "ITERATIONS_MAX", 0)
    monkeypatch.setattr(wires, "SWEEPS_MAX", 0)
    np.testing.assert_array_equal(column_currents(conductance, voltages, 1.0), voltages @ matrix)
    np.testing.assert_array_equal(WireSolver(conductance, 1.0).effective_conductance_s, matrix)


@pytest.mark.parametrize("segment_ohm", [1e3, 1e6])
@pytest.mark.parametrize("rows", [40, 3])
def test_wires_that_let_little_through_are_solved(rows, segment_ohm):
    conductance, voltages = array_of(rows, 40, "highest"), inputs_of(2, rows)
    expected = Grid(conductance, segment_ohm).column_currents(voltages)
    assert error_of(column_currents(conductance, voltages, segment_ohm), expected) < 1e-6
    assert error_of(WireSolver(conductance, segment_ohm).currents(voltages), expected) < 1e-3


def test_cells_that_are_hardly_there_leave_a_grid_of_wires():
    conductance = array_of(9, 14)
    grid = 1e12 * effective_conductance(conductance, 1e12)
    np.testing.assert_allclose(1e30 * effective_conductance(conductance, 1e30), grid, rtol=1e-6)


def test_wires_that_are_hardly_there_are_solved():
    conductance, voltages = array_of(9, 14), inputs_of(2, 9)
    for segment_ohm in (1e-3, 1e-12, 1e-24):
        assert error_of(column_currents(conductance, voltages, segment_ohm), voltages @ conductance) < 1e-5
        assert error_of(WireSolver(conductance, segment_ohm).currents(voltages), voltages @ conductance) < 1e-5


@pytest.mark.parametrize("tolerance", [1e-5, 1e-4, 1e-3])
@pytest.mark.parametrize(("shape", "segment_ohm"), [((25, 16), 1.0), ((16, 70), 5.0), ((70, 90), 2.0), ((5, 1), 1.0)])
def test_solver_follows_changes(shape, segment_ohm, tolerance):
    draw = np.random.default_rng(3)
    conductance = array_of(*shape, "log-uniform")
    solver = WireSolver(conductance, segment_ohm, tolerance=tolerance)
    for change in (0, 1e-3, 1e-3, 1e-2, 0.5, 0):
        conductance = np.clip(conductance * draw.uniform(1 - change, 1 + change, shape), 1e-6, 1e-4)
        expected = effective_conductance(conductance, segment_ohm)
        matrix = solver.refresh(conductance)
        assert matrix.dtype == np.float64
        assert np.abs(matrix - expected).max() <= tolerance * expected.max()
        voltages = inputs_of(3, shape[0])
        np.testing.assert_array_equal(solver.currents(voltages), voltages @ matrix)


def test_same_call_same_bits():
    conductance, voltages = array_of(50, 40), inputs_of(4, 50)
    np.testing.assert_array_equal(
        column_currents(conductance, voltages, 1.0), column_currents(conductance, voltages, 1.0)
    )
    np.testing.assert_array_equal(effective_conductance(conductance, 1.0), effective_conductance(conductance, 1.0))


def test_arrays_in_any_form_are_taken():
    conductance, voltages = array_of(8, 6), inputs_of(2, 8)
    expected = column_currents(conductance, voltages, 1.0)
    strided = np.repeat(conductance, 2, axis=1)[:, ::2]
    backward = np.ascontiguousarray(voltages[:, ::-1])[:, ::-1]
    for given, inputs in [
        (strided, backward),
        (np.asfortranarray(conductance), np.asfortranarray(voltages)),
        (conductance.tolist(), voltages.tolist()),
    ]:
        np.testing.assert_array_equal(column_currents(given, inputs, 1), expected)
        np.testing.assert_array_equal(effective_conductance(given, 1), effective_conductance(conductance, 1.0))
    single = conductance.astype(np.float32)
    currents = column_currents(single, voltages.astype(np.float32), np.float32(1))
    assert currents.dtype == np.float64
    assert error_of(currents, expected) < 1e-6
    whole = column_currents(np.ones((2, 2), int), [[1, 0]], 1)
    np.testing.assert_array_equal(whole, column_currents(np.ones((2, 2)), [[1.0, 0.0]], 1.0))


def test_arguments_are_left_as_they_are():
    conductance, voltages = array_of(8, 6), inputs_of(2, 8)
    kept = conductance.copy(), voltages.copy()
    column_currents(conductance, voltages, 1.0)
    WireSolver(conductance, 1.0).refresh(conductance)
    np.testing.assert_array_equal(conductance, kept[0])
    np.testing.assert_array_equal(voltages, kept[1])


@pytest.mark.parametrize("batch", [0, 1, 40])
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (3, 2)])
def test_empty_arrays_and_batches(shape, batch):
    conductance, voltages = np.full(shape, 1e-5), np.ones((batch, shape[0]))
    currents = column_currents(conductance, voltages, 1.0)
    assert currents.shape == (batch, shape[1])
    assert effective_conductance(conductance, 1.0).shape == shape
    solver = WireSolver(conductance, 1.0)
    assert solver.refresh(conductance).shape == shape
    np.testing.assert_allclose(solver.currents(voltages), currents, rtol=1e-4)
    assert (currents > 0).all() if 0 not in shape else not currents.any()


GOOD = np.full((3, 2), 1e-5)


@pytest.mark.parametrize(
    ("conductance", "message"),
    [
        (GOOD[0], r"conductance_s has shape \(2,\); expected \(rows, columns\)"),
        (GOOD[None], r"conductance_s has shape \(1, 3, 2\)"),
        (GOOD.astype(complex), "conductance_s has dtype complex128; real numbers are allowed"),
        ([["a"]], "conductance_s has dtype <U1"),
        (GOOD > 0, "conductance_s has dtype bool"),
        (np.where(np.eye(3, 2), np.nan, GOOD), "conductance_s holds NaN or infinity; only finite"),
        (np.where(np.eye(3, 2), np.inf, GOOD), "conductance_s holds NaN or infinity; only finite"),
        (np.array([[1e-5, 0.0]]), r"conductance_s holds 0 at \(0, 1\); only values above 0"),
        (np.array([[1e-5], [-1e-6]]), r"conductance_s holds -1e-06 at \(1, 0\); only values above 0"),
    ],
)
def test_conductances_that_are_not_allowed(conductance, message):
    for call in (
        lambda: column_currents(conductance, np.ones((1, 3)), 1.0),
        lambda: effective_conductance(conductance, 1.0),
        lambda: WireSolver(conductance, 1.0),
        lambda: WireSolver(GOOD, 1.0).refresh(conductance),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("segment_ohm", [0, 0.0, -1.0, np.nan, np.inf, "much", None])
def test_wire_resistances_that_are_not_allowed(segment_ohm):
    for call in (
        lambda: column_currents(GOOD, np.ones((1, 3)), segment_ohm),
        lambda: effective_conductance(GOOD, segment_ohm),
        lambda: WireSolver(GOOD, segment_ohm),
    ):
        with pytest.raises(ValueError, match=r"segment_resistance_ohm = .* above 0.*row_voltage_v @ conductance_s"):
            call()


@pytest.mark.parametrize(
    ("voltages", "message"),
    [
        (np.ones(3), r"row_voltage_v has shape \(3,\); expected \(batch, 3\)"),
        (np.ones((3, 2)), r"row_voltage_v has shape \(3, 2\); expected \(batch, 3\)"),
        (np.ones((1, 3), complex), "row_voltage_v has dtype complex128"),
        (np.array([[0, np.nan, 0]]), "row_voltage_v holds NaN or infinity"),
    ],
)
def test_voltages_that_are_not_allowed(voltages, message):
    for call in (column_currents, lambda *arguments: WireSolver(GOOD, 1.0).currents(arguments[1])):
        with pytest.raises(ValueError, match=message):
            call(GOOD, voltages, 1.0)


@pytest.mark.parametrize("tolerance", [0, -1e-3, 1, np.nan])
def test_tolerances_that_are_not_allowed(tolerance):
    with pytest.raises(ValueError, match=r"tolerance = .* is not allowed; above 0 and below 1"):
        column_currents(GOOD, np.ones((1, 3)), 1.0, tolerance=tolerance)
    with pytest.raises(ValueError, match=r"tolerance = .* at least 1e-05 and below 1. effective_conductance is exact"):
        WireSolver(GOOD, 1.0, tolerance=tolerance)


@pytest.mark.parametrize(("siemens", "ohm"), [(1e200, 1e200), (1e-200, 1e-200), (1e-4, 1e-27)])
def test_cells_that_are_no_cells_beside_the_wires(siemens, ohm):
    with pytest.raises(ValueError, match=r"conductance_s times segment_resistance_ohm .* between 1e-30 and 1e\+30"):
        effective_conductance(np.full((2, 2), siemens), ohm)


def test_refresh_keeps_the_shape():
    with pytest.raises(ValueError, match=r"conductance_s has shape \(2, 3\); expected \(3, 2\), as before"):
        WireSolver(GOOD, 1.0).refresh(GOOD.T)
