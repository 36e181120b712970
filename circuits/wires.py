"""Exact currents of a crossbar whose wires have resistance.

Rows are driven at their left ends; columns are sensed at their bottom ends, at 0 V. Between the driver and the first
cell of a row, between neighbours, and between the last cell of a column and its sense node is one wire segment each.
The network is linear: currents are row voltages times a matrix, the effective conductance. By reciprocity a backward
read, columns driven at the bottom and rows sensed at the left, multiplies with its transpose.
"""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
import numpy.typing as npt

from circuits.kernels.wires import follow_couplings, solve_inputs
from circuits.star_mesh import couple_terminals

DoubleArray = npt.NDArray[np.float64]

# The effective conductance costs as much as 16 to 35 inputs one by one, from 16 x 16 to 256 x 256 cells.
INPUTS_MAX = 16
# Where more steps are needed, elimination is faster.
ITERATIONS_MAX = 100
SWEEPS_MAX = 4
# Sweeps only add and multiply positive numbers, so single precision, which is twice as fast, is good to this.
CLOSEST_TOLERANCE = 1e-5
LANES = 32  # inputs that a sweep takes side by side, a multiple of the width of a vector register
REGISTER = 8
EXTREME = 1e30  # of what a cell conducts beside a wire segment, so that single precision holds it
ROWS = 4  # that `solve_inputs` takes side by side


def column_currents(
    conductance_s: npt.ArrayLike,
    row_voltage_v: npt.ArrayLike,
    segment_resistance_ohm: float,
    *,
    tolerance: float = 1e-6,
) -> DoubleArray:
    """Return the column currents for row voltages.

    Parameters
    ----------
    conductance_s
        (rows, columns), finite and above 0, in siemens; either may be 0 long.
    row_voltage_v
        (batch, rows), finite, in volts.
    segment_resistance_ohm
        Resistance of each wire segment, above 0, in ohms.
    tolerance
        Largest error of a current over the largest current of the same input, in (0, 1).

    Returns
    -------
    float64 (batch, columns), in amperes.

    Raises
    ------
    ValueError
        For shapes, types or values that are not allowed.
    """
    conductance, resistance = checked_array(conductance_s, segment_resistance_ohm)
    voltages = checked_voltages(row_voltage_v, conductance.shape[0])
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance = {tolerance} is not allowed; above 0 and below 1")
    if len(voltages) > INPUTS_MAX or not conductance.size:
        return voltages @ effective_conductance(conductance, resistance)
    rows, columns = conductance.shape
    # Rows without cells beyond the open ends of the columns change nothing.
    mesh = np.zeros((rows + -rows % ROWS, columns))
    mesh[-rows:] = (conductance * resistance)[:, ::-1]
    # Inputs of about 1 keep the squares that the solver adds up in range.
    scales = np.abs(voltages).max(axis=1, keepdims=True)
    scales[scales == 0] = 1.0
    inputs = np.zeros((len(voltages), len(mesh)))
    inputs[:, -rows:] = voltages / scales
    currents = np.empty((len(voltages), columns))
    transposed = np.ascontiguousarray(mesh.T)
    if solve_inputs(mesh, transposed, inputs, tolerance, ITERATIONS_MAX, currents) < 0:
        return voltages @ effective_conductance(conductance, resistance)
    solved: DoubleArray = currents[:, ::-1] / resistance * scales
    return solved


def effective_conductance(conductance_s: npt.ArrayLike, segment_resistance_ohm: float) -> DoubleArray:
    """Return the matrix that row voltages are multiplied with: currents = voltages @ matrix.

    It is exact but for rounding. For a backward read (columns driven at the bottom, rows sensed at the left) the
    matrix is exactly the transpose.

    Parameters
    ----------
    conductance_s
        (rows, columns), finite and above 0, in siemens; either may be 0 long.
    segment_resistance_ohm
        Resistance of each wire segment, above 0, in ohms.

    Returns
    -------
    float64 (rows, columns), in siemens.

    Raises
    ------
    ValueError
        For shapes, types or values that are not allowed.
    """
    conductance, resistance = checked_array(conductance_s, segment_resistance_ohm)
    if not conductance.size:
        return np.zeros_like(conductance)
    return couple_terminals((conductance * resistance)[:, ::-1])[:, ::-1] / resistance


class WireSolver:
    """The effective conductance of an array that changes little by little, as in training.

    It starts from the node voltages of the last time and mostly takes one or two sweeps over the array, in single
    precision, where `effective_conductance` starts anew: several times faster up to about 100 lines. For that it
    keeps the voltages of all column nodes for every input: the number of cells times the shorter side.

    Parameters
    ----------
    conductance_s
        (rows, columns), finite and above 0, in siemens; either may be 0 long.
    segment_resistance_ohm
        Resistance of each wire segment, above 0, in ohms.
    tolerance
        Largest error of an effective conductance over the largest one, as the last change tells; from 1e-5 to 1.

    Attributes
    ----------
    effective_conductance_s
        float64 (rows, columns), in siemens.

    Raises
    ------
    ValueError
        For shapes, types or values that are not allowed.
    """

    def __init__(self, conductance_s: npt.ArrayLike, segment_resistance_ohm: float, *, tolerance: float = 1e-4) -> None:
        conductance, self._resistance = checked_array(conductance_s, segment_resistance_ohm)
        if not CLOSEST_TOLERANCE <= tolerance < 1:
            raise ValueError(
                f"tolerance = {tolerance} is not allowed; at least {CLOSEST_TOLERANCE:g} and below 1. "
                "effective_conductance is exact"
            )
        self._tolerance = tolerance
        inputs, outputs = min(conductance.shape), max(conductance.shape)
        groups = -(-inputs // LANES)
        lanes = REGISTER * -(-inputs // (REGISTER * max(groups, 1)))
        self._column_nodes = np.zeros((groups, inputs, outputs, lanes), np.float32)
        self._couplings = np.zeros((inputs, outputs), np.float32)
        self.effective_conductance_s = np.zeros_like(conductance)
        self.refresh(conductance)

    def currents(self, row_voltage_v: npt.ArrayLike) -> DoubleArray:
        """Return the column currents in amperes, float64 (batch, columns), for (batch, rows) in volts.

        Raises
        ------
        ValueError
            For shapes, types or values that are not allowed.
        """
        return checked_voltages(row_voltage_v, len(self.effective_conductance_s)) @ self.effective_conductance_s

    def refresh(self, conductance_s: npt.ArrayLike) -> DoubleArray:
        """Return the effective conductance for new conductances.

        Parameters
        ----------
        conductance_s
            Of the same shape as before, finite and above 0, in siemens.

        Returns
        -------
        float64 (rows, columns), in siemens.

        Raises
        ------
        ValueError
            For shapes, types or values that are not allowed.
        """
        conductance, resistance = checked_array(conductance_s, self._resistance)
        shape = self.effective_conductance_s.shape
        if conductance.shape != shape:
            raise ValueError(f"conductance_s has shape {conductance.shape}; expected {shape}, as before")
        if not conductance.size:
            return self.effective_conductance_s
        mesh = np.ascontiguousarray((conductance * resistance)[:, ::-1], dtype=np.float32)
        transposed = np.ascontiguousarray(mesh.T)
        # By reciprocity columns may drive and rows sense, so the shorter side drives.
        swapped = shape[0] > shape[1]
        driven, sensed = (transposed, mesh) if swapped else (mesh, transposed)
        sweeps = follow_couplings(driven, sensed, self._column_nodes, self._tolerance, SWEEPS_MAX, self._couplings)
        if sweeps < 0:
            self.effective_conductance_s = effective_conductance(conductance, resistance)
        else:
            couplings = self._couplings.T if swapped else self._couplings
            self.effective_conductance_s = couplings[:, ::-1].astype(np.float64) / resistance
        return self.effective_conductance_s


def checked_array(conductance_s: npt.ArrayLike, segment_resistance_ohm: float) -> tuple[DoubleArray, float]:
    """Return conductances as float64 (rows, columns) and the resistance, or say what is not allowed."""
    conductance = checked_numbers("conductance_s", conductance_s, "(rows, columns)")
    if conductance.size and conductance.min() <= 0:
        place = tuple(int(index) for index in np.unravel_index(conductance.argmin(), conductance.shape))
        raise ValueError(f"conductance_s holds {conductance.min():g} at {place}; only values above 0 are allowed")
    resistance = float(segment_resistance_ohm) if isinstance(segment_resistance_ohm, Real) else math.nan
    if not 0 < resistance < math.inf:
        raise ValueError(
            f"segment_resistance_ohm = {segment_resistance_ohm} is not allowed; finite and above 0. "
            "Without wire resistance the currents are row_voltage_v @ conductance_s"
        )
    for extreme in (conductance.min(), conductance.max()) if conductance.size else ():
        if not 1 / EXTREME < float(extreme) * resistance < EXTREME:
            raise ValueError(
                f"conductance_s times segment_resistance_ohm reaches {extreme:g} S × {resistance:g} ohm; "
                f"between {1 / EXTREME:g} and {EXTREME:g} is allowed"
            )
    return conductance, resistance


def checked_voltages(row_voltage_v: npt.ArrayLike, rows: int) -> DoubleArray:
    """Return voltages as float64 (batch, rows), or say what is not allowed."""
    voltages = checked_numbers("row_voltage_v", row_voltage_v, f"(batch, {rows})")
    if voltages.shape[1] != rows:
        raise ValueError(f"row_voltage_v has shape {voltages.shape}; expected (batch, {rows})")
    return voltages


def checked_numbers(name: str, values: npt.ArrayLike, expected: str) -> DoubleArray:
    """Return finite numbers as a contiguous float64 array with two dimensions, or say what is not allowed."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} has dtype {array.dtype}; real numbers are allowed")
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}; expected {expected}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity; only finite numbers are allowed")
    return np.ascontiguousarray(array, dtype=np.float64)
