"""Products that leave zeros out. BLAS does not, and is faster where few are zero."""

import numpy as np

from device_models.kernels.compile import array

ZERO = np.float32(0.0)
BLOCK = 32  # vectors; their inputs stay in the fastest cache while all outputs take them
TOGETHER = 8  # vectors that share one pass over a row of the weights


@array
def subtract_outer_products(weights, inputs, errors, rate):
    """Subtract rate x dᵀx from the weights, where the error is not zero.

    Parameters
    ----------
    weights
        float32 (outputs, inputs), changed.
    inputs, errors
        float32 (n, inputs) and (n, outputs).
    rate
        float32.
    """
    count, outputs = errors.shape
    places, factors = np.empty(BLOCK + TOGETHER, dtype=np.int64), np.empty(BLOCK + TOGETHER, dtype=np.float32)
    for first in range(0, count, BLOCK):
        for output in range(outputs):
            found = 0
            for place in range(first, min(first + BLOCK, count)):
                # Written always, and over what a zero wrote: a branch would be guessed wrong too often.
                error = errors[place, output]
                places[found] = place
                factors[found] = -rate * error
                found += int(error != ZERO)
            places[found : found + TOGETHER] = places[0]
            factors[found : found + TOGETHER] = ZERO
            row = weights[output]
            for k in range(0, found, TOGETHER):
                x0, x1, x2, x3 = inputs[places[k]], inputs[places[k + 1]], inputs[places[k + 2]], inputs[places[k + 3]]
                f0, f1, f2, f3 = factors[k], factors[k + 1], factors[k + 2], factors[k + 3]
                h = k + 4
                x4, x5, x6, x7 = inputs[places[h]], inputs[places[h + 1]], inputs[places[h + 2]], inputs[places[h + 3]]
                f4, f5, f6, f7 = factors[h], factors[h + 1], factors[h + 2], factors[h + 3]
                for i in range(len(row)):
                    change = (f0 * x0[i] + f1 * x1[i]) + (f2 * x2[i] + f3 * x3[i])
                    row[i] += change + ((f4 * x4[i] + f5 * x5[i]) + (f6 * x6[i] + f7 * x7[i]))
