"""Pulse response of one device, from the formulas of the references, one pulse at a time."""

import math

import numpy as np

from device_models import PulsedDevice


def response_factor(family: str, weight: float, up: bool, bound_max: float, bound_min: float) -> float:
    """q+ and q-: 1 for a constant step (arXiv:2502.06309), 1 - w/bound for soft bounds (arXiv:2510.02516, Eq. 9)."""
    if family == "constant_step":
        return 1.0
    assert family == "soft_bounds"
    return 1.0 - weight / (bound_max if up else bound_min)


def pulse(family: str, weight: float, up: bool, step: float, bound_max: float, bound_min: float) -> float:
    """Return the weight after one pulse without noise, clipped to the bounds."""
    change = step * response_factor(family, weight, up, bound_max, bound_min)
    return max(bound_min, min(bound_max, weight + change if up else weight - change))


def soft_bounds_after(count: int, weight: float, step: float, bound: float) -> float:
    """Closed form: the distance to the bound shrinks by 1 - step/bound with every pulse."""
    return bound + (weight - bound) * (1.0 - step / abs(bound)) ** count


def stationary_spread(step: float, bound: float) -> float:
    """RMS weight of a soft-bounds device under random pulses, up or down with equal chance.

    From E[w'^2] = E[w^2]: w' = w + s step (1 - s w / bound), s = +1 or -1, so
    E[w'^2] = (1 - step/bound)^2 E[w^2] + step^2.
    """
    return bound * math.sqrt(step / (2.0 * bound - step))


def population(device: PulsedDevice, count: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Return steps and bounds of many devices, as the reference simulator draws them."""
    gain, ratio, high, low = generator.standard_normal((4, count))
    result: dict[str, list[float]] = {"step_up": [], "step_down": [], "bound_max": [], "bound_min": []}
    for place in range(count):
        g = 1.0 + device.dw_min_dtod * gain[place]
        r = device.up_down_dtod * ratio[place]
        result["step_up"].append(abs(device.dw_min * (min(device.up_down, 0.0) + g + r)))
        result["step_down"].append(abs(device.dw_min * (-max(device.up_down, 0.0) + g - r)))
        result["bound_max"].append(abs(device.w_max * (1.0 + device.w_max_dtod * high[place])))
        result["bound_min"].append(-abs(device.w_min * (1.0 + device.w_min_dtod * low[place])))
    return {name: np.array(values) for name, values in result.items()}
