"""Converters and reads by their definition: the nearest of a list of levels, one number after the other."""

import math
from collections.abc import Sequence

import numpy as np

# Capacitors of a binary array, the largest first, and its dummy unit at the end.
Capacitors = Sequence[float]


def nearest_level(value: float, largest: float, bits: int) -> float:
    """Return the nearest of the 2^bits - 1 levels that are symmetric around zero; of two, the even one."""
    levels = np.linspace(-largest, largest, 2**bits - 1)
    gaps = np.abs(levels - value)
    nearest = np.flatnonzero(gaps <= gaps.min() + 1e-9 * largest / 2**bits)
    return float(levels[max(nearest, key=lambda place: (place - len(levels) // 2) % 2 == 0)])


def level_of(code: int, capacitors: Capacitors) -> float:
    """Return the share of the reference that an array makes of a code, 0 to 2^bits - 1."""
    bits = len(capacitors) - 1
    switched = [capacitors[place] for place in range(bits) if code & 2 ** (bits - 1 - place)]
    return math.fsum(switched) / math.fsum(capacitors)


def successive_approximation(value: float, capacitors: Capacitors, offset: float = 0.0) -> tuple[int, float]:
    """Return the signed code of a value in LSB, and the smallest distance of a comparison in LSB.

    The array is off by half a step, so that an ideal one gives the nearest code. The lowest code is not used.
    """
    bits = len(capacitors) - 1
    middle = 2 ** (bits - 1)
    sampled = value - offset + middle + 0.5
    code, closest = 0, math.inf
    for place in range(bits):
        trial = code + 2 ** (bits - 1 - place)
        distance = sampled - 2**bits * level_of(trial, capacitors)
        closest = min(closest, abs(distance))
        if distance >= 0:
            code = trial
    return max(code - middle, 1 - middle), closest


def capacitive_level(code: int, capacitors: Capacitors) -> float:
    """Return what a bipolar DAC makes of a signed code, in its steps; at code 0 it is off."""
    bits = len(capacitors) - 1
    return 2**bits * level_of(code + 2 ** (bits - 1), capacitors) - 2 ** (bits - 1) if code else 0.0


def capacitors_of(weights: np.ndarray) -> Capacitors:
    """Return an array of capacitors whose bits are worth `weights`, in steps; the dummy is what is left."""
    return [*map(float, weights), 2.0 ** len(weights) - math.fsum(map(float, weights))]


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
    pulse_error: float = 0.0,
    dacs: Sequence[Capacitors] = (),
    adcs: Sequence[Sequence[tuple[Capacitors, float]]] = (),
) -> tuple[np.ndarray, bool, list[float]]:
    """Return the outputs of one vector, whether a converter clips, and the driven levels.

    Errors of converters: of the duration of each pulse in steps, `pulse_error`; the capacitors of each line's DAC; the
    capacitors and the offset of the converter of each output, block after block.
    """
    outputs, lines = weights.shape
    block = block or lines
    driven = [min(max(float(value) / scale, -1.0), 1.0) if scale else 0.0 for value in values]
    if dac_bits is not None:
        driven = [nearest_level(level, 1.0, dac_bits) for level in driven]
        steps = 2 ** (dac_bits - 1) - 1
        driven = [level + pulse_error / steps * float(np.sign(level)) for level in driven]
        if dacs:
            codes = [round(level * steps) for level in driven]
            driven = [capacitive_level(code, dac) / steps for code, dac in zip(codes, dacs, strict=True)]
    result, clips = np.zeros(outputs), False
    for output in range(outputs):
        for start in range(0, lines, block):
            stop = min(start + block, lines)
            column = sum(float(weights[output, line]) * driven[line] for line in range(start, stop))
            column /= 1 + bend * abs(column) / full_scale
            if adc_bits is not None:
                step = full_scale / (2 ** (adc_bits - 1) - 1)
                capacitors, offset = adcs[start // block][output] if adcs else ((), 0.0)
                clips = clips or abs(column / step - offset) > full_scale / step + 0.5
                if adcs:
                    column = step * successive_approximation(column / step, capacitors, offset)[0]
                else:
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
