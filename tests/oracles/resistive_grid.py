"""A crossbar with resistive wires as one nodal equation of all its nodes, and the same crossbar in ngspice."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import SuperLU, splu


class Grid:
    """The sparse nodal matrix of a crossbar, factored.

    A driver or sense node is a voltage source behind one wire segment: a conductance to ground and a current.
    """

    def __init__(self, conductance_s: np.ndarray, segment_resistance_ohm: float):
        rows, columns = conductance_s.shape
        self.wire_s = 1 / segment_resistance_ohm
        self.row_nodes = np.arange(rows * columns).reshape(rows, columns)
        self.column_nodes = rows * columns + self.row_nodes
        links = [
            (self.row_nodes, self.column_nodes, conductance_s),
            (self.row_nodes[:, :-1], self.row_nodes[:, 1:], self.wire_s),
            (self.column_nodes[:-1], self.column_nodes[1:], self.wire_s),
        ]
        diagonal = np.zeros(2 * rows * columns)
        diagonal[self.row_nodes[:, 0]] += self.wire_s
        diagonal[self.column_nodes[-1]] += self.wire_s
        entries = []
        for one, other, value in links:
            values = np.broadcast_to(value, one.shape).ravel()
            entries += [(one.ravel(), other.ravel(), -values), (other.ravel(), one.ravel(), -values)]
            np.add.at(diagonal, one.ravel(), values)
            np.add.at(diagonal, other.ravel(), values)
        entries.append((np.arange(diagonal.size), np.arange(diagonal.size), diagonal))
        places, others, values = (np.concatenate(parts) for parts in zip(*entries, strict=True))
        self.matrix = scipy.sparse.csc_matrix((values, (places, others)))
        self.factors = factored(self.matrix)

    def column_currents(self, row_voltage_v: np.ndarray) -> np.ndarray:
        """Return currents into the sense nodes at the bottom, for (batch, rows) at the left."""
        return self._read(self.row_nodes[:, 0], self.column_nodes[-1], row_voltage_v)

    def row_currents(self, column_voltage_v: np.ndarray) -> np.ndarray:
        """Return currents into sense nodes at the left, for (batch, columns) at the bottom."""
        return self._read(self.column_nodes[-1], self.row_nodes[:, 0], column_voltage_v)

    def _read(self, driven: np.ndarray, sensed: np.ndarray, voltages: np.ndarray) -> np.ndarray:
        currents = np.zeros((len(self.matrix.indptr) - 1, len(voltages)))
        currents[driven] = self.wire_s * voltages.T
        return self.wire_s * self.factors.solve(currents)[sensed].T


def factored(matrix: scipy.sparse.csc_matrix) -> SuperLU:
    """Return the factors of a symmetric positive definite matrix, in the ordering that is fastest here."""
    return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options={"SymmetricMode": True})


def has_ngspice() -> bool:
    """Say whether ngspice is installed."""
    return shutil.which("ngspice") is not None


def ngspice_currents(
    conductance_s: np.ndarray, row_voltage_v: np.ndarray, segment_resistance_ohm: float, folder: Path
) -> np.ndarray:
    """Return the column currents for voltages (rows,), from an operating point of ngspice in its own process."""
    netlist = folder / "crossbar.cir"
    netlist.write_text("\n".join(crossbar_lines(conductance_s, row_voltage_v, segment_resistance_ohm)))
    run = subprocess.run(["ngspice", "-n", "-b", str(netlist)], capture_output=True, text=True, timeout=60, check=False)
    found = dict(re.findall(r"^i\(vsense(\d+)\) = (\S+)", run.stdout, flags=re.MULTILINE))
    log = run.stdout + run.stderr
    assert run.returncode == 0, log
    assert len(found) == conductance_s.shape[1], log
    assert not re.search("singular|no convergence|could not find|error on line|aborted", log, re.IGNORECASE), log
    return np.array([float(found[str(column)]) for column in range(len(found))])


def crossbar_lines(conductance_s: np.ndarray, row_voltage_v: np.ndarray, segment_resistance_ohm: float) -> list[str]:
    """Return the netlist, one resistor per cell and wire segment."""
    rows, columns = conductance_s.shape
    lines = ["crossbar"]
    for row in range(rows):
        lines.append(f"Vdrive{row} r{row}_0 0 {row_voltage_v[row]:.17g}")
        for column in range(columns):
            lines.append(f"Rrow{row}_{column} r{row}_{column} r{row}_{column + 1} {segment_resistance_ohm:.17g}")
            lines.append(
                f"Rcell{row}_{column} r{row}_{column + 1} c{row}_{column} {1 / conductance_s[row, column]:.17g}"
            )
            lines.append(f"Rcolumn{row}_{column} c{row}_{column} c{row + 1}_{column} {segment_resistance_ohm:.17g}")
    lines += [f"Vsense{column} c{rows}_{column} 0 0" for column in range(columns)]
    lines += [".control", "set num_threads=1", "set numdgt=16", "op"]
    lines += [f"print i(Vsense{column})" for column in range(columns)]
    return [*lines, "quit", ".endc", ".end"]
