"""Exponential response of the papers: the step grows exponentially with the way left to the bound."""

import math

from device_models.kernels.compile import scalar

# Where a device's own bound is next to 0; noise on an infinite step would be no number.
LARGEST_EXPONENT = 600.0


@scalar
def exponential_response_change(weight, up, step_up, step_down, bound_max, bound_min, steepness, scale):
    """Return the mean change of one pulse: up, step_up (e^(γ(1 - w/bound_max)) - 1) / scale; down with bound_min.

    `scale` is e^γ - 1, so that the step at weight 0 is step_up or step_down.
    """
    step, bound = (step_up, bound_max) if up else (-step_down, -bound_min)
    if bound <= 0.0:
        return 0.0
    way_left = 1.0 - weight / bound if up else 1.0 + weight / bound
    return step * math.expm1(min(steepness * way_left, LARGEST_EXPONENT)) / scale
