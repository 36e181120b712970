"""Crossbars with resistive wires, solved iteratively.

Voltages of row nodes r and column nodes c obey A r = G c + driver and B c = G r: A and B are tridiagonal, one matrix
per wire. Row wires end at a driver, column wires at a sense node at 0 V, both beyond the last index; the other ends
are open. Conductances are in units of that of a wire segment, so a sense node's current is the voltage of the last
column node.

A sweep solves all rows at the present column voltages, then all columns. It multiplies the error by X = B⁻¹GA⁻¹G,
in which no element is negative and no row sums to more than (1 − h)(1 − k): h and k are the smallest shares of
a terminal's voltage that reach the open end of a row or of a column while all wires across are at 0 V.
"""

import math

import numpy as np

from device_models.kernels.compile import array, scalar

GAIN_MAX = 10.0  # of an error over the change that tells it; beyond, rounding would be mistaken for convergence
SMALLEST_REMAINDER = 1e-30
NEGLIGIBLE = 1e-28  # a share of the energy of the first residual: nothing but rounding is left


@array
def factor_wires(conductance):
    """Factor the tridiagonal matrices of parallel wires, without a subtraction.

    Parameters
    ----------
    conductance
        (cells, wires), from the open ends to the terminals, > 0, in units of a wire segment.

    Returns
    -------
    ((cells, wires), float)
        Factors: the conductance of a segment over that of the segment and of all that is beyond it, in parallel;
        and the smallest share of a terminal's voltage that reaches an open end.
    """
    cells, wires = conductance.shape
    one = conductance.dtype.type(1)
    factors = np.empty_like(conductance)
    beyond, reaching = np.zeros_like(conductance[0]), np.ones_like(conductance[0])
    for cell in range(cells):
        for wire in range(wires):
            beyond[wire] += conductance[cell, wire]
            factors[cell, wire] = one / (one + beyond[wire])
            beyond[wire] *= factors[cell, wire]
            reaching[wire] *= factors[cell, wire]
    smallest = 1.0
    for wire in range(wires):
        smallest = min(smallest, float(reaching[wire]))
    return factors, smallest


@scalar
def gain_of(row_reach, column_reach):
    """Return |X| / (1 − |X|), the largest error that a sweep leaves over the largest change that it makes.

    |X| is the bound (1 − h)(1 − k) of this module's text, from what `factor_wires` returns for rows and columns.
    """
    remainder = row_reach + column_reach - row_reach * column_reach
    return (1.0 - row_reach) * (1.0 - column_reach) / max(remainder, SMALLEST_REMAINDER)


@array
def solve_columns(factors, values):
    """Turn currents into the nodes of columns, whose terminals are at 0 V, into the voltages of the nodes, in place.

    Parameters
    ----------
    factors
        What `factor_wires` returns.
    values
        float64 (rows, columns): currents, then voltages.
    """
    rows, columns = values.shape
    for row in range(1, rows):
        for column in range(columns):
            values[row, column] += factors[row - 1, column] * values[row - 1, column]
    for column in range(columns):
        values[rows - 1, column] *= factors[rows - 1, column]
    for row in range(rows - 2, -1, -1):
        for column in range(columns):
            values[row, column] = factors[row, column] * (values[row, column] + values[row + 1, column])


@array
def cross_rows(conductance, factors, column_nodes, terminals, currents):
    """Find the currents that rows, driven by column nodes and terminals, send into grounded column nodes.

    A row is a chain of dependent steps, so four of them run side by side.

    Parameters
    ----------
    conductance, factors, column_nodes
        float64 (rows, columns), rows a multiple of 4; `factors` is the transpose of what `factor_wires` returns.
    terminals
        float64 (rows,), voltages.
    currents
        float64 (rows, columns), set.
    """
    rows, columns = conductance.shape
    for row in range(0, rows, 4):
        g_0, g_1, g_2, g_3 = conductance[row], conductance[row + 1], conductance[row + 2], conductance[row + 3]
        f_0, f_1, f_2, f_3 = factors[row], factors[row + 1], factors[row + 2], factors[row + 3]
        v_0, v_1, v_2, v_3 = column_nodes[row], column_nodes[row + 1], column_nodes[row + 2], column_nodes[row + 3]
        i_0, i_1, i_2, i_3 = currents[row], currents[row + 1], currents[row + 2], currents[row + 3]
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for column in range(columns):
            a += g_0[column] * v_0[column]
            b += g_1[column] * v_1[column]
            c += g_2[column] * v_2[column]
            d += g_3[column] * v_3[column]
            i_0[column], i_1[column], i_2[column], i_3[column] = a, b, c, d
            a *= f_0[column]
            b *= f_1[column]
            c *= f_2[column]
            d *= f_3[column]
        a, b, c, d = terminals[row], terminals[row + 1], terminals[row + 2], terminals[row + 3]
        for before in range(columns):
            column = columns - 1 - before
            a = (a + i_0[column]) * f_0[column]
            b = (b + i_1[column]) * f_1[column]
            c = (c + i_2[column]) * f_2[column]
            d = (d + i_3[column]) * f_3[column]
            i_0[column] = g_0[column] * a
            i_1[column] = g_1[column] * b
            i_2[column] = g_2[column] * c
            i_3[column] = g_3[column] * d


@array
def product(left, right, sums):
    """Return the sum of the products of two float64 (rows, columns); float64 (columns,) `sums` is scratch."""
    sums[:] = 0.0
    for row in range(left.shape[0]):
        for column in range(left.shape[1]):
            sums[column] += left[row, column] * right[row, column]
    total = 0.0
    for column in range(left.shape[1]):
        total += sums[column]
    return total


@array
def solve_inputs(conductance, across, voltages, tolerance, iterations_max, currents):
    """Find the currents of the columns of each input.

    Row nodes are eliminated; conjugate gradients solve for the column nodes, with the columns' own matrix B as
    preconditioner. A sweep more makes of the last residual r an error of at most gain √(r B⁻¹ r) in any current,
    with gain = |X| / (1 − |X|), because seen from its last node a column is at most one segment away from 0 V.

    Parameters
    ----------
    conductance, across
        float64 (rows, columns), rows a multiple of 4, >= 0, in units of a wire segment; and its transpose.
    voltages
        float64 (inputs, rows).
    tolerance
        Largest error of a current over the largest current of the input.
    iterations_max
        When to give up.
    currents
        float64 (inputs, columns), set, in the unit of the voltages.

    Returns
    -------
    Iterations of all inputs together; −1 where they would be too many.
    """
    rows, columns = conductance.shape
    row_factors, row_reach = factor_wires(across)
    column_factors, column_reach = factor_wires(conductance)
    gain = gain_of(row_reach, column_reach)
    if gain > GAIN_MAX:
        return -1
    row_factors = row_factors.T.copy()
    residual, image = np.empty((rows, columns)), np.empty((rows, columns))
    grounded, sums = np.zeros(rows), np.empty(columns)
    last = rows - 1
    total = 0
    for number in range(voltages.shape[0]):
        cross_rows(conductance, row_factors, np.zeros((rows, columns)), voltages[number], residual)
        correction = residual.copy()
        solve_columns(column_factors, correction)
        energy = product(residual, correction, sums)
        negligible = NEGLIGIBLE * energy
        direction, own = correction.copy(), residual.copy()
        currents[number] = 0.0
        iteration = 0
        while True:
            largest = 0.0
            for column in range(columns):
                largest = max(largest, abs(currents[number, column] + correction[last, column]))
            if gain * math.sqrt(energy) <= tolerance * largest or energy <= negligible:
                break
            if iteration == iterations_max:
                return -1
            iteration += 1
            cross_rows(conductance, row_factors, direction, grounded, image)
            for row in range(rows):
                for column in range(columns):
                    image[row, column] = own[row, column] - image[row, column]
            step = energy / product(direction, image, sums)
            for column in range(columns):
                currents[number, column] += step * direction[last, column]
            for row in range(rows):
                for column in range(columns):
                    residual[row, column] -= step * image[row, column]
                    correction[row, column] = residual[row, column]
            solve_columns(column_factors, correction)
            before = energy
            energy = product(residual, correction, sums)
            share = energy / before
            for row in range(rows):
                for column in range(columns):
                    direction[row, column] = correction[row, column] + share * direction[row, column]
                    own[row, column] = residual[row, column] + share * own[row, column]
        total += iteration
        for column in range(columns):
            currents[number, column] += correction[last, column]
    return total


@array
def sweep(conductance, row_factors, column_factors, first, column_nodes, arriving, row_node):
    """Solve all rows at the present column voltages, then all columns, for many inputs side by side.

    Parameters
    ----------
    conductance, row_factors, column_factors
        float32 or float64 (rows, columns), (columns, rows) and (rows, columns).
    first
        Lane 0 has row `first` at 1 V and all others at 0 V, and so on.
    column_nodes
        Same type, (rows, columns, lanes): voltages, in place.
    arriving, row_node
        Scratch: same type, (rows, columns, lanes) and (lanes,).
    """
    rows, columns, lanes = column_nodes.shape
    none = conductance.dtype.type(0)
    for row in range(rows):
        for lane in range(lanes):
            arriving[row, 0, lane] = conductance[row, 0] * column_nodes[row, 0, lane]
        for column in range(1, columns):
            cell, factor = conductance[row, column], row_factors[column - 1, row]
            for lane in range(lanes):
                arriving[row, column, lane] = (
                    cell * column_nodes[row, column, lane] + factor * arriving[row, column - 1, lane]
                )
        row_node[:] = 0
        if first <= row < first + lanes:
            row_node[row - first] = 1
        above = max(row - 1, 0)
        for column in range(columns - 1, -1, -1):
            cell, factor = conductance[row, column], row_factors[column, row]
            column_factor = column_factors[above, column] if row > 0 else none
            for lane in range(lanes):
                row_node[lane] = factor * (arriving[row, column, lane] + row_node[lane])
                arriving[row, column, lane] = cell * row_node[lane] + column_factor * arriving[above, column, lane]
    for column in range(columns):
        factor = column_factors[rows - 1, column]
        for lane in range(lanes):
            column_nodes[rows - 1, column, lane] = factor * arriving[rows - 1, column, lane]
    for row in range(rows - 2, -1, -1):
        for column in range(columns):
            factor = column_factors[row, column]
            for lane in range(lanes):
                column_nodes[row, column, lane] = factor * (
                    arriving[row, column, lane] + column_nodes[row + 1, column, lane]
                )


@array
def follow_couplings(conductance, across, column_nodes, tolerance, sweeps_max, couplings):
    """Find the couplings of all drivers and sense nodes by sweeps that start at given column voltages.

    Parameters
    ----------
    conductance, across
        float32 or float64 (rows, columns), > 0, in units of a wire segment; and its transpose.
    column_nodes
        Same type, (groups, rows, columns, lanes): column voltages in volts when one row is at 1 V, for
        groups x lanes >= rows such rows; in place.
    tolerance
        Largest estimated error of a coupling over the largest coupling.
    sweeps_max
        When to give up.
    couplings
        Same type, (rows, columns), set.

    Returns
    -------
    Sweeps of the group that took most; −1 where they would be too many.
    """
    groups, rows, columns, lanes = column_nodes.shape
    row_factors, row_reach = factor_wires(across)
    column_factors, column_reach = factor_wires(conductance)
    gain = gain_of(row_reach, column_reach)
    if gain > GAIN_MAX:
        return -1
    arriving, row_node = np.empty_like(column_nodes[0]), np.empty_like(column_nodes[0, 0, 0])
    most = 0
    for group in range(groups):
        first = group * lanes
        count = min(lanes, rows - first)
        done = 0
        while True:
            if done == sweeps_max:
                return -1
            done += 1
            sweep(conductance, row_factors, column_factors, first, column_nodes[group], arriving, row_node)
            change, largest = 0.0, 0.0
            for lane in range(count):
                for column in range(columns):
                    coupling = float(column_nodes[group, rows - 1, column, lane])
                    change = max(change, abs(coupling - float(couplings[first + lane, column])))
                    largest = max(largest, coupling)
                    couplings[first + lane, column] = coupling
            if gain * change <= tolerance * largest:
                break
        most = max(most, done)
    return most
