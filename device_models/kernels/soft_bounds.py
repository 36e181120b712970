"""Soft bounds: the step shrinks linearly to zero at the bound."""

from device_models.kernels.compile import scalar
from device_models.kernels.intrinsics import choose


@scalar
def soft_bounds_change(weight, up, step_up, step_down, bound_max, bound_min):
    """Return the mean change of one pulse: up, step_up (1 - w/bound_max); down, -step_down (1 - w/bound_min)."""
    step, bound = choose(up, step_up, -step_down), choose(up, bound_max, bound_min)
    stuck = bound == 0.0
    return choose(stuck, 0.0, step) * (1.0 - weight / choose(stuck, 1.0, bound))
