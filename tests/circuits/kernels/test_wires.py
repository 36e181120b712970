"""The iterative kernels: laws of the nodes, and how many steps they take."""

import numpy as np
import pytest

from circuits.kernels.wires import follow_couplings, solve_inputs
from tests.oracles.resistive_grid import Grid


def mesh(rows, columns):
    """Return conductances in units of a wire segment, terminals beyond the last index."""
    return np.random.default_rng(rows).uniform(1e-5, 1e-4, (rows, columns))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 1e-5)])
def test_currents_into_a_node_add_up_to_zero(dtype, tolerance):
    rows, columns, lanes = 12, 20, 8
    conductance = mesh(rows, columns).astype(dtype)
    nodes, couplings = np.zeros((2, rows, columns, lanes), dtype), np.zeros((rows, columns), dtype)
    assert follow_couplings(conductance, conductance.T.copy(), nodes, tolerance, 20, couplings) > 0

    grid = Grid(conductance[:, ::-1].astype(float), 1.0)
    row_nodes, column_nodes = grid.row_nodes.ravel(), grid.column_nodes.ravel()
    matrix = grid.matrix.toarray()
    for driven in range(rows):
        source = np.zeros(2 * rows * columns)
        source[grid.row_nodes[driven, 0]] = 1.0
        voltages = np.empty(2 * rows * columns)
        voltages[column_nodes] = nodes[driven // lanes, :, ::-1, driven % lanes].ravel()
        across = matrix[np.ix_(row_nodes, column_nodes)] @ voltages[column_nodes]
        voltages[row_nodes] = np.linalg.solve(matrix[np.ix_(row_nodes, row_nodes)], source[row_nodes] - across)
        assert np.abs(matrix @ voltages - source).max() < tolerance * conductance.max()
        np.testing.assert_array_equal(couplings[driven], nodes[driven // lanes, -1, :, driven % lanes])


@pytest.mark.parametrize(("lines", "most"), [(16, 1), (64, 3), (128, 4), (256, 7)])
def test_few_iterations_solve_an_input(lines, most):
    conductance, currents = mesh(lines, lines), np.empty((1, lines))
    voltages = np.random.default_rng(1).uniform(0, 1, (1, lines))
    assert solve_inputs(conductance, conductance.T.copy(), voltages, 1e-6, 50, currents) <= most


def test_a_small_change_takes_a_sweep_or_two():
    conductance = mesh(16, 30)
    nodes, couplings = np.zeros((1, 16, 30, 16)), np.zeros((16, 30))
    for expected, change in ((2, 0), (2, 1e-2), (1, 1e-4), (1, 0)):
        conductance *= np.random.default_rng(2).uniform(1 - change, 1 + change, conductance.shape)
        sweeps = follow_couplings(conductance, conductance.T.copy(), nodes, 1e-6, 10, couplings)
        assert sweeps == expected
