"""One pulse on one device of any family."""

import numpy as np

from device_models.kernels.compile import normal, scalar
from device_models.kernels.constant_step import constant_step_step
from device_models.kernels.soft_bounds import soft_bounds_step

FAMILY_CODES = {"constant_step": 0, "soft_bounds": 1}


@scalar
def pulse_times(family, weight, up, step_up, step_down, bound_max, bound_min, cycle_noise, key, first, count):
    """Return the weight after `count` pulses of one direction, each at the weight that the last one left.

    Parameters
    ----------
    family
        Code of the response family, see `FAMILY_CODES`.
    weight
        Weight before the pulses, within the bounds of the device.
    up
        Direction of the pulses.
    step_up, step_down, bound_max, bound_min
        The device, see `device_models.population`.
    cycle_noise
        Relative cycle-to-cycle spread; each change is multiplied by 1 + cycle_noise * normal.
    key, first
        Address of the random numbers; pulse n takes number first + n.
    count
        Number of pulses, >= 0.
    """
    weight = np.float64(weight)
    lowest, highest = np.float64(bound_min), np.float64(bound_max)
    up_step, down_step = np.float64(step_up), np.float64(step_down)
    for number in range(count):
        if family == 0:
            change = constant_step_step(weight, up, up_step, down_step, highest, lowest)
        else:
            change = soft_bounds_step(weight, up, up_step, down_step, highest, lowest)
        if cycle_noise > 0.0:
            change *= 1.0 + cycle_noise * normal(key, first + number)
        weight = min(max(weight + change, lowest), highest)
    return weight


@scalar
def pulse(family, weight, up, parameters, cycle_noise, key, counter):
    """Return the weight after one pulse on a device given as float32[4]; see `pulse_times`."""
    return pulse_times(
        family,
        weight,
        up,
        parameters[0],
        parameters[1],
        parameters[2],
        parameters[3],
        cycle_noise,
        key,
        counter,
        1,
    )
