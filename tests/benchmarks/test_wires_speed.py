"""Speed of the crossbar with resistive wires beside a sparse direct solver; `make bench` prints both.

The ratio of two rows is the number to read.
"""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from circuits.wires import WireSolver, column_currents, effective_conductance
from tests.oracles.resistive_grid import Grid, factored

LINES = 128
SEGMENT_OHM = 1.0
GROUP = "wires 128 x 128"


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(limits=1):
        yield


@pytest.fixture
def array():
    generator = np.random.default_rng(1)
    return generator.uniform(1e-5, 1e-4, (LINES, LINES)), generator.uniform(0, 1, (1, LINES))


@pytest.mark.benchmark(group=GROUP)
def test_sparse_direct_solver_baseline(benchmark, array):
    conductance, voltages = array
    grid = Grid(conductance, SEGMENT_OHM)
    currents = np.zeros(2 * LINES**2)
    currents[grid.row_nodes[:, 0]] = grid.wire_s * voltages[0]
    benchmark(lambda: factored(grid.matrix).solve(currents))


@pytest.mark.benchmark(group=GROUP)
def test_one_input(benchmark, array):
    benchmark(column_currents, *array, SEGMENT_OHM, tolerance=1e-6)


@pytest.mark.benchmark(group=GROUP)
def test_effective_conductance(benchmark, array):
    benchmark(effective_conductance, array[0], SEGMENT_OHM)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-3])
@pytest.mark.benchmark(group=GROUP)
def test_refresh_after_small_changes(benchmark, array, tolerance):
    conductance, _ = array
    solver = WireSolver(conductance, SEGMENT_OHM, tolerance=tolerance)
    generator = np.random.default_rng(2)

    def changed():
        return (conductance * generator.uniform(0.999, 1.001, conductance.shape),), {}

    benchmark.pedantic(solver.refresh, setup=changed, rounds=20, warmup_rounds=2)
