"""The nearest integer."""

import numpy as np

from device_models.kernels.compile import scalar

# Adding and subtracting 1.5 x 2^52 leaves no fraction bits: the nearest integer, ties to even, for |x| < 2^51.
ROUND_SHIFT = 1.5 * 2.0**52
ROUND_SHIFT_SMALL = np.float32(1.5 * 2.0**23)


@scalar
def nearest(value):
    """Return the nearest integer as a float, ties to even; several times faster than a call of rint."""
    return (value + ROUND_SHIFT) - ROUND_SHIFT


@scalar
def nearest_small(value):
    """Do what `nearest` does in float32, for |x| < 2^22."""
    return np.float32(value + ROUND_SHIFT_SMALL) - ROUND_SHIFT_SMALL
