"""Response and population of devices, from the formulas of the references, one device at a time."""

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


def soft_bounds_symmetric_point(step_up: float, step_down: float, bound_max: float, bound_min: float) -> float:
    """Closed form for devices with unequal steps (Rasch et al., Nat. Commun. 15:7133, Eq. 8)."""
    return (step_up - step_down) / (step_up / bound_max - step_down / bound_min)


def stationary_spread(step: float, bound: float) -> float:
    """RMS weight of a soft-bounds device under random pulses, up or down with equal chance.

    From E[w'^2] = E[w^2]: w' = w + s step (1 - s w / bound), s = +1 or -1, so
    E[w'^2] = (1 - step/bound)^2 E[w^2] + step^2.
    """
    return bound * math.sqrt(step / (2.0 * bound - step))


def population(device: PulsedDevice, count: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the parameters of many devices, as the reference simulator draws them."""
    drawn = [_one_device(device, generator.standard_normal(8), generator.random(2)) for _ in range(count)]
    return {name: np.array([one[name] for one in drawn]) for name in drawn[0]}


def _one_device(device: PulsedDevice, normal: np.ndarray, uniform: np.ndarray) -> dict[str, float]:
    gain = device.dw_min_dtod * normal[0]
    gain = math.exp(gain) if device.dw_min_dtod_log_normal else 1.0 + gain
    ratio = device.up_down_dtod * normal[1]
    one = {
        "step_up": abs(device.dw_min * (min(device.up_down, 0.0) + gain + ratio)),
        "step_down": abs(device.dw_min * (-max(device.up_down, 0.0) + gain - ratio)),
        "bound_max": abs(device.w_max * (1.0 + device.w_max_dtod * normal[2])),
        "bound_min": -abs(device.w_min * (1.0 + device.w_min_dtod * normal[3])),
    }
    if device.family == "generic_linear":
        one["step_up"] *= 1 + device.c_lin
        one["step_down"] *= 1 - device.c_lin
    if device.family == "soft_bounds_reference":
        one["bound_max"] /= abs(1 + device.slope_up_dtod * normal[4])
        one["bound_min"] /= abs(1 + device.slope_down_dtod * normal[5])
    if device.family == "linear_step":
        high = device.w_max if device.mean_bound_reference else one["bound_max"]
        low = device.w_min if device.mean_bound_reference else one["bound_min"]
        one["slope_up"] = -abs(device.gamma_up + device.gamma_up_dtod * normal[4]) * one["step_up"] / high
        one["slope_down"] = -abs(device.gamma_down + device.gamma_down_dtod * normal[5]) * one["step_down"] / low
    if device.family == "power_step":
        gain, tilt = 1 + device.pow_gamma_dtod * normal[4], device.pow_up_down_dtod * normal[5]
        one["gamma_up"] = abs(device.pow_gamma * (gain + min(device.pow_up_down, 0.0) + tilt))
        one["gamma_down"] = abs(device.pow_gamma * (gain - max(device.pow_up_down, 0.0) - tilt))
    if uniform[0] < device.corrupt_devices_prob:
        value = device.corrupt_devices_range * (2 * uniform[1] - 1)
        one |= {"step_up": 0.0, "step_down": 0.0, "bound_max": value, "bound_min": value}
    return one
