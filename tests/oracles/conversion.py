"""Converters by their definition: the nearest of a list of levels."""

import numpy as np


def nearest_level(value: float, largest: float, bits: int) -> float:
    """Return the nearest of the 2^bits - 1 levels that are symmetric around zero."""
    levels = np.linspace(-largest, largest, 2**bits - 1)
    return float(levels[np.argmin(np.abs(levels - value))])


def read(
    weights: np.ndarray,
    inputs: np.ndarray,
    dac_bits: int | None,
    adc_bits: int | None,
    full_scale: float,
    block: int | None = None,
) -> np.ndarray:
    """Return what a noiseless read gives, vector after vector, block after block of input lines."""
    outputs, lines = weights.shape
    block = block or lines
    result = np.zeros((len(inputs), outputs))
    for vector, values in enumerate(inputs.astype(np.float64)):
        scale = np.abs(values).max() or 1.0
        driven = [
            value / scale if dac_bits is None else nearest_level(value / scale, 1.0, dac_bits) for value in values
        ]
        for output in range(outputs):
            for start in range(0, lines, block):
                stop = min(start + block, lines)
                column = sum(float(weights[output, line]) * driven[line] for line in range(start, stop))
                converted = column if adc_bits is None else nearest_level(column, full_scale, adc_bits)
                result[vector, output] += converted * scale
    return result
