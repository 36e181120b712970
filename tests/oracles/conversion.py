"""Converters and reads by their definition: the nearest of a list of levels, one number after the other."""

import math

import numpy as np


def nearest_level(value: float, largest: float, bits: int) -> float:
    """Return the nearest of the 2^bits - 1 levels that are symmetric around zero; of two, the even one."""
    levels = np.linspace(-largest, largest, 2**bits - 1)
    gaps = np.abs(levels - value)
    nearest = np.flatnonzero(gaps <= gaps.min() + 1e-9 * largest / 2**bits)
    return float(levels[max(nearest, key=lambda place: (place - len(levels) // 2) % 2 == 0)])


def read(
    weights: np.ndarray,
    inputs: np.ndarray,
    dac_bits: int | None,
    adc_bits: int | None,
    full_scale: float,
    block: int | None = None,
) -> np.ndarray:
    """Return what a noiseless read gives, vector after vector, block after block of input lines."""
    settings = {"dac_bits": dac_bits, "adc_bits": adc_bits, "full_scale": full_scale, "block": block}
    return np.array([read_once(weights, values, scale_of(values), **settings)[0] for values in inputs])


def read_once(
    weights: np.ndarray,
    values: np.ndarray,
    scale: float,
    *,
    dac_bits: int | None = None,
    adc_bits: int | None = None,
    full_scale: float = 4.0,
    block: int | None = None,
    bend: float = 0.0,
) -> tuple[np.ndarray, bool, list[float]]:
    """Return the outputs of one vector, whether a converter clips, and the driven levels."""
    outputs, lines = weights.shape
    block = block or lines
    driven = [min(max(float(value) / scale, -1.0), 1.0) if scale else 0.0 for value in values]
    if dac_bits is not None:
        driven = [nearest_level(level, 1.0, dac_bits) for level in driven]
    result, clips = np.zeros(outputs), False
    for output in range(outputs):
        for start in range(0, lines, block):
            stop = min(start + block, lines)
            column = sum(float(weights[output, line]) * driven[line] for line in range(start, stop))
            column /= 1 + bend * abs(column) / full_scale
            if adc_bits is not None:
                half_step = full_scale / (2**adc_bits - 2)
                clips = clips or abs(column) > full_scale + half_step
                column = nearest_level(column, full_scale, adc_bits)
            result[output] += column * scale
    return result, clips, driven


def scale_of(
    values: np.ndarray,
    rule: str = "abs_max",
    *,
    threshold: float = math.inf,
    column_weight: float = 0.0,
    most: float = math.inf,
) -> float:
    """Return what a vector is divided by; `column_weight` is the assumed weight over the full scale."""
    numbers = [float(value) for value in values]
    if rule == "max":
        return min(max([0.0, *numbers]), threshold)
    largest = min(max([0.0, *(abs(number) for number in numbers)]), threshold)
    if rule == "abs_max":
        return largest
    above = sum(number for number in numbers if number > 0)
    below = sum(-number for number in numbers if number < 0)
    return max(largest, min(column_weight * max(above, below), most * largest))


def read_until_in_range(
    weights: np.ndarray, values: np.ndarray, scales: list[float], **settings: float
) -> tuple[np.ndarray, int, list[float]]:
    """Return the outputs of the first read that does not clip, or of the last; the reads; all driven levels."""
    result, clips, reads, driven = np.zeros(len(weights)), True, 0, []
    while clips and reads < len(scales):
        result, clips, levels = read_once(weights, values, scales[reads], **settings)
        reads, driven = reads + 1, driven + levels
    return result, reads, driven
