"""A stochastic-compressed rank-1 update, slot after slot, with random numbers of its own.

Gokmen and Vlasov, Front. Neurosci. 10:333 (2016); Rasch et al., AICAS 2021.
"""

import math

import numpy as np

from tests.oracles.devices import pulse


def train(
    rate: float,
    x_max: float,
    d_max: float,
    dw_min: float,
    longest: int,
    balance: bool,
    shorten: bool,
    error_share: float = 1.0,
) -> tuple[int, float, float]:
    """Return slots, the factor of |x| and the factor of |d|; errors count up to `error_share` of the largest."""
    d_max = error_share * d_max
    k = rate * x_max * d_max / dw_min
    slots = longest
    if shorten:
        whole = round(k)
        needed = whole if abs(k - whole) < 1e-6 * max(k, 1.0) and whole > 0 else math.ceil(k)
        slots = min(needed, longest)
    both = math.sqrt(rate / (dw_min * slots))
    if not (balance or shorten):
        return slots, both, both
    d_effective = d_max * longest / k if k > longest else d_max
    return slots, both * math.sqrt(d_effective / x_max), both * math.sqrt(x_max / d_effective)


def update_counts(
    x: np.ndarray,
    d: np.ndarray,
    rate: float,
    dw_min: float,
    longest: int,
    balance: bool,
    shorten: bool,
    repeats: int,
    generator: np.random.Generator,
    error_share: float = 1.0,
) -> np.ndarray:
    """Return the signed number of pulses of every cross-point, (repeats, outputs, inputs)."""
    slots, x_factor, d_factor = train(
        rate, float(np.abs(x).max()), float(np.abs(d).max()), dw_min, longest, balance, shorten, error_share
    )
    counts = np.zeros((repeats, len(d), len(x)))
    for _ in range(slots):
        x_fires = generator.random((repeats, len(x))) < x_factor * np.abs(x)
        d_fires = generator.random((repeats, len(d))) < d_factor * np.abs(d)
        counts += d_fires[:, :, None] & x_fires[:, None, :]
    return -np.sign(np.outer(d, x)) * counts


def resolved(chance: float, resolution: float) -> float:
    """Return the nearest multiple of the resolution; of two, the even one."""
    return resolution * round(chance / resolution) if resolution else chance


def counts_without_chance(
    x: np.ndarray,
    d: np.ndarray,
    rate: float,
    dw_min: float,
    longest: int,
    balance: bool,
    shorten: bool,
    *,
    mean_count: bool,
    resolution: float = 0.0,
) -> np.ndarray:
    """Return the signed pulses of every cross-point, not yet rounded to whole ones.

    Mean count: round(slots p) pulses on a line, their product over slots; else slots times both probabilities.
    """
    slots, x_factor, d_factor = train(
        rate, float(np.abs(x).max()), float(np.abs(d).max()), dw_min, longest, balance, shorten
    )
    result = np.zeros((len(d), len(x)))
    for row, error in enumerate(d):
        for column, value in enumerate(x):
            x_pulses = slots * min(resolved(x_factor * abs(float(value)), resolution), 1.0)
            d_pulses = slots * min(resolved(d_factor * abs(float(error)), resolution), 1.0)
            if mean_count:
                x_pulses, d_pulses = round(x_pulses), round(d_pulses)
            result[row, column] = -np.sign(error * value) * x_pulses * d_pulses / slots
    return result


def apply_counts(weights: np.ndarray, counts: np.ndarray, family: str, parameters: dict[str, np.ndarray]) -> np.ndarray:
    """Return the weights after signed numbers of noiseless pulses."""
    result = weights.astype(np.float64).copy()
    for row in range(result.shape[0]):
        for column in range(result.shape[1]):
            number = int(counts[row, column])
            step = parameters["step_up" if number > 0 else "step_down"][row, column]
            for _ in range(abs(number)):
                result[row, column] = pulse(
                    family,
                    result[row, column],
                    number > 0,
                    step,
                    parameters["bound_max"][row, column],
                    parameters["bound_min"][row, column],
                )
    return result


def shrinkage(pulses: int, slope: float, noise: float) -> tuple[float, float, float]:
    """Return mean, spread and skew of the factor by which noisy pulses shrink the distance to a soft bound.

    It is a product of independent factors 1 - slope (1 + noise n) with normal n, without clipping.
    """
    kept, variance = 1 - slope, (slope * noise) ** 2
    first = kept**pulses
    second = (kept**2 + variance) ** pulses
    third = (kept**3 + 3 * kept * variance) ** pulses
    spread = math.sqrt(second - first**2)
    return first, spread, (third - 3 * first * second + 2 * first**3) / spread**3
