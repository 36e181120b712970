"""Soft bounds: the step shrinks linearly to zero at the bound."""

from device_models.kernels.compile import scalar


@scalar
def soft_bounds_change(weight, up, step_up, step_down, bound_max, bound_min):
    """Return the mean change of one pulse: up, step_up (1 - w/bound_max); down, -step_down (1 - w/bound_min)."""
    if up:
        return step_up * (1.0 - weight / bound_max) if bound_max > 0.0 else 0.0
    return -step_down * (1.0 - weight / bound_min) if bound_min < 0.0 else 0.0
