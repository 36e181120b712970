"""Digital values to read pulses and column voltages to digital values."""

import math

import numpy as np

from cosim.kernels.magnitude import largest_magnitude
from device_models.kernels.compile import array, normal, scalar

# Adding and subtracting 1.5 x 2^52 leaves no fraction bits: the nearest integer, ties to even, for |x| < 2^51.
ROUND_SHIFT = 1.5 * 2.0**52


@scalar
def nearest(value):
    """Return the nearest integer as a float, ties to even; several times faster than a call of rint."""
    return (value + ROUND_SHIFT) - ROUND_SHIFT


@array
def drive_lines(values, levels, driven, scales):
    """Scale vectors to full scale by their largest magnitude and quantise them as the DAC does.

    Parameters
    ----------
    values
        float32 (vectors, lines), finite.
    levels
        Positive levels of the DAC, 2^(bits-1) - 1; 0 for an ideal one.
    driven
        float32 (vectors, lines), set to the read pulses in [-1, 1].
    scales
        float64 (vectors,), set to the largest magnitudes.

    Returns
    -------
    (int, float)
        Lines with a non-zero pulse, and the sum of the pulse durations over the longest.
    """
    vectors, lines = values.shape
    largest_bits = np.zeros(1, dtype=np.int32)
    largest, bits = largest_bits.view(np.float32), values.view(np.int32)
    active = 0
    drive = 0.0
    codes = 0
    for vector in range(vectors):
        scales[vector] = largest_magnitude(bits, vector, largest_bits, largest)
        inverse = 1.0 / scales[vector] if scales[vector] > 0.0 else 0.0
        if levels > 0:
            # Codes add up as integers, which runs on vector registers where a sum of floats does not.
            for line in range(lines):
                code = nearest(values[vector, line] * inverse * levels)
                driven[vector, line] = code / levels
                size = int(abs(code))
                codes += size
                active += min(size, 1)
        else:
            for line in range(lines):
                level = values[vector, line] * inverse
                driven[vector, line] = level
                active += level != 0.0
                drive += abs(level)
    return active, drive + codes / max(levels, 1)


@array
def convert_columns(voltages, levels, full_scale, noise, key, first, total, accumulate):
    """Add converter noise, quantise, clip, and add the result to the running sum.

    Parameters
    ----------
    voltages
        float32 (vectors, columns), in units of weight times full-scale input.
    levels
        Positive levels of the converter, 2^(bits-1) - 1.
    full_scale
        Largest converted value, same unit.
    noise
        Input-referred noise of the converter, rms, in LSB.
    key, first
        Address of the random numbers; `first` is the number of conversions before this call.
    total
        float32 (vectors, columns), set to (or raised by) the converted values.
    accumulate
        Whether to add to `total`.
    """
    vectors, columns = voltages.shape
    step = full_scale / levels
    per_step = levels / full_scale
    highest = float(levels)
    for vector in range(vectors):
        for column in range(columns):
            code = float(voltages[vector, column]) * per_step
            if noise > 0.0:
                code += noise * normal(key, first + vector * columns + column)
            code = min(max(nearest(code), -highest), highest)
            if accumulate:
                total[vector, column] = np.float64(total[vector, column]) + code * step
            else:
                total[vector, column] = code * step


@array
def scale_rows(values, scales):
    """Multiply each vector by its scale, in place."""
    for vector in range(values.shape[0]):
        for column in range(values.shape[1]):
            values[vector, column] = float(values[vector, column]) * scales[vector]


@array
def all_finite(values):
    """Return whether a flat array holds neither NaN nor infinity."""
    for value in values:
        if not math.isfinite(value):
            return False
    return True
