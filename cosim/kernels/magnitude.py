"""The largest magnitude of a vector."""

import numpy as np

from device_models.kernels.compile import scalar

SIGN_BIT_OFF = 0x7FFFFFFF


@scalar
def largest_magnitude(bits, row, largest_bits, largest):
    """Return the largest magnitude in one row, 0 where it is empty.

    Without their sign bit, finite float32 numbers order like the integers of their bits, and a maximum of integers
    runs on vector registers where one of floats does not.

    Parameters
    ----------
    bits
        int32 (rows, columns): a view of float32 numbers, finite.
    row
        Which row.
    largest_bits, largest
        int32[1] as scratch, and its float32 view.
    """
    top = 0
    for column in range(bits.shape[1]):
        top = max(top, bits[row, column] & SIGN_BIT_OFF)
    largest_bits[0] = top
    return np.float64(largest[0])
