"""Weights as a read sees them through wires with resistance."""

import numpy as np

from device_models.kernels.compile import array

ZERO, ONE = np.float32(0.0), np.float32(1.0)


@array
def cells_of(weights, minus, cells):
    """Set float32 (2, outputs, inputs) to what the cells of both arrays conduct above the floor, in weight units.

    See `effective_weights` for the parameters.
    """
    paired = minus.size > 0
    for output in range(weights.shape[0]):
        for line in range(weights.shape[1]):
            weight = weights[output, line]
            lower = minus[output, line] if paired else max(-weight, ZERO)
            cells[0, output, line] = weight + lower
            cells[1, output, line] = lower


@array
def effective_weights(
    weights, minus, attenuations, solved, floor, resistance, block_outputs, block_inputs, effective
):  # fmt: skip
    """Set a matrix to the effective weights of a tile.

    A weight is a pair of cells: `floor` plus its positive part conducts in one array, `floor` plus its negative part in
    the other. The wires weaken each cell by a factor of its own. That factor is known for the weights of the last exact
    solution; for changes d since then it follows to first order: a cell at the distances r and s from the ends of its
    lines loses resistance x (sum over its row of min(r, r') d' + sum over its column of min(s, s') d'), relatively.

    Parameters
    ----------
    weights
        float32 (outputs, inputs).
    minus
        float32 (outputs, inputs), what the second devices of one-sided pairs hold; shape (0, 0) where weights are not
        such pairs.
    attenuations, solved
        float32 (2, outputs, inputs): effective over real conductance in either array, and the cells (see `cells_of`)
        for which this is exact.
    floor
        Lowest conductance, in weight units.
    resistance
        Of a wire segment, over that of a cell with a weight of 1.
    block_outputs, block_inputs
        Lines of a physical array.
    effective
        float32 (outputs, inputs), set.
    """
    outputs, inputs = weights.shape
    cells = np.empty((2, outputs, inputs), dtype=np.float32)
    cells_of(weights, minus, cells)
    # Changes of the current of each cell, and of those from it to the end of its row.
    changes = np.empty((2, block_outputs, block_inputs), dtype=np.float32)
    beyond = np.empty((2, block_outputs, block_inputs), dtype=np.float32)
    row_drop = np.empty((2, block_inputs), dtype=np.float32)
    column_drop = np.empty((2, block_inputs), dtype=np.float32)
    lowest, ohms = np.float32(floor), np.float32(resistance)
    for first in range(0, outputs, block_outputs):
        height = min(block_outputs, outputs - first)
        for start in range(0, inputs, block_inputs):
            width = min(block_inputs, inputs - start)
            for side in range(2):
                below = row_drop[side, :width]
                below[:] = ZERO
                for place in range(height - 1, -1, -1):
                    now = cells[side, first + place, start : start + width]
                    then = solved[side, first + place, start : start + width]
                    weaker = attenuations[side, first + place, start : start + width]
                    change, kept = changes[side, place], beyond[side, place]
                    for line in range(width):
                        change[line] = (now[line] - then[line]) * weaker[line]
                    for line in range(width):
                        kept[line] = below[line] + change[line]
                    below[:] = kept[:width]
            row_drop[:, :width] = ZERO
            for place in range(height):
                output = first + place
                # Outputs are sensed behind the last input. Both arrays go together: neither sum waits for the other.
                above, other_above = ZERO, ZERO
                for line in range(width):
                    above += changes[0, place, line]
                    other_above += changes[1, place, line]
                    column_drop[0, line], column_drop[1, line] = above, other_above
                above, other_above = ZERO, ZERO
                for line in range(width - 1, -1, -1):
                    above += column_drop[0, line]
                    other_above += column_drop[1, line]
                    column_drop[0, line], column_drop[1, line] = above, other_above
                sums = effective[output, start : start + width]
                for side in range(2):
                    now = cells[side, output, start : start + width]
                    weaker = attenuations[side, output, start : start + width]
                    kept, drop, other_drop = beyond[side, place], row_drop[side], column_drop[side]
                    for line in range(width):
                        drop[line] += kept[line]
                    for line in range(width):
                        seen = weaker[line] * (ONE - ohms * (drop[line] + other_drop[line])) * (lowest + now[line])
                        sums[line] = seen if side == 0 else sums[line] - seen
