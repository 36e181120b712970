"""The same inputs for every kernel; run as a module it writes the results of plain Python to a file.

NUMBA_DISABLE_JIT=1 python -m tests.circuits.kernels.kernel_cases RESULTS.npz
"""

import sys

import numpy as np

from circuits.kernels import star_mesh, wires
from circuits.star_mesh import couple_terminals


def mesh(rows: int, columns: int, largest: float = 0.05) -> np.ndarray:
    """Return conductances in units of a wire segment, the same in every run."""
    return np.random.Generator(np.random.PCG64(rows * 1000 + columns)).uniform(largest / 10, largest, (rows, columns))


def star_mesh_results() -> dict[str, np.ndarray]:
    couplings = np.triu(mesh(16, 16, 1.0), 1)
    star_mesh.eliminate(couplings, 8)
    blocks = np.zeros((6, star_mesh.PORTS, star_mesh.PORTS))
    star_mesh.smallest_blocks(mesh(8, 12), blocks)
    results = {"couplings eliminated": np.triu(couplings[8:, 8:], 1), "couplings of blocks": blocks}
    for rows, columns in ((1, 1), (3, 9), (13, 6), (8, 8)):
        results[f"couplings {rows} {columns}"] = couple_terminals(mesh(rows, columns))
    return results


def input_results() -> dict[str, np.ndarray]:
    results = {}
    for rows, columns, largest in ((4, 1, 0.05), (4, 5, 0.05), (8, 7, 0.3)):
        array = mesh(rows, columns, largest)
        voltages = np.random.Generator(np.random.PCG64(rows)).uniform(-1, 1, (3, rows))
        voltages[1] = 0
        for tolerance, most in ((1e-3, 50), (1e-12, 50), (1e-12, 2)):
            name = f"currents {rows} {columns} {tolerance} {most}"
            currents = np.zeros((3, columns))
            iterations = wires.solve_inputs(array, array.T.copy(), voltages, tolerance, most, currents)
            results |= {name: currents, f"{name} iterations": np.array(iterations)}
    return results


def sweep_results() -> dict[str, np.ndarray]:
    results = {}
    for dtype in (np.float64, np.float32):
        array = mesh(5, 7).astype(dtype)
        nodes, couplings = np.zeros((2, 5, 7, 3), dtype), np.zeros((5, 7), dtype)
        for tolerance, most in ((1e-2, 10), (1e-6, 10), (1e-6, 0)):
            sweeps = wires.follow_couplings(array, array.T.copy(), nodes, tolerance, most, couplings)
            name = f"sweeps {dtype.__name__} {tolerance} {most}"
            results |= {name: np.array(sweeps), f"{name} nodes": nodes.copy(), f"{name} couplings": couplings.copy()}
    return results


def all_results() -> dict[str, np.ndarray]:
    return star_mesh_results() | input_results() | sweep_results()


if __name__ == "__main__":
    np.savez(sys.argv[1], **all_results())
