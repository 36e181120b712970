"""Power response of the papers: the step is a power of the way left to the bound, over the bound."""

from device_models.kernels.compile import scalar

LARGEST = 1e300  # where a device's own bound is next to 0; noise on an infinite step would be no number


@scalar
def power_response_change(weight, up, step_up, step_down, bound_max, bound_min, exponent):
    """Return the mean change of one pulse: up, step_up (1 - w/bound_max)^γ; down likewise with bound_min."""
    if up:
        return step_up * min(max(1.0 - weight / bound_max, 0.0) ** exponent, LARGEST) if bound_max > 0.0 else 0.0
    return -step_down * min(max(1.0 - weight / bound_min, 0.0) ** exponent, LARGEST) if bound_min < 0.0 else 0.0
