"""One pulse on one device of any family."""

from device_models.kernels.compile import normal, scalar
from device_models.kernels.constant_step import constant_step_step
from device_models.kernels.soft_bounds import soft_bounds_step

FAMILY_CODES = {"constant_step": 0, "soft_bounds": 1}


@scalar
def pulse(family, weight, up, parameters, cycle_noise, key, counter):
    """Return the weight after one pulse.

    Parameters
    ----------
    family
        Code of the response family, see `FAMILY_CODES`.
    weight
        Weight before the pulse, within the bounds of the device.
    up
        Direction of the pulse.
    parameters
        The device: step up, step down, upper bound, lower bound, float32[4].
    cycle_noise
        Relative cycle-to-cycle spread; the change is multiplied by 1 + cycle_noise * normal.
    key, counter
        Address of the random number.
    """
    step_up = float(parameters[0])
    step_down = float(parameters[1])
    bound_max = float(parameters[2])
    bound_min = float(parameters[3])
    if family == 0:
        change = constant_step_step(weight, up, step_up, step_down, bound_max, bound_min)
    else:
        change = soft_bounds_step(weight, up, step_up, step_down, bound_max, bound_min)
    if cycle_noise > 0.0:
        change *= 1.0 + cycle_noise * normal(key, counter)
    return min(max(weight + change, bound_min), bound_max)
