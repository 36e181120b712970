"""Linear step: the change falls linearly with the weight."""

from device_models.kernels.compile import scalar
from device_models.kernels.intrinsics import choose


@scalar
def linear_step_change(weight, up, step_up, step_down, slope_up, slope_down):
    """Return the mean change of one pulse: up, step_up + slope_up w; down, -(step_down + slope_down w)."""
    return choose(up, step_up + slope_up * weight, -(step_down + slope_down * weight))
