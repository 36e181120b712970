"""Linear step: the change falls linearly with the weight."""

from device_models.kernels.compile import scalar


@scalar
def linear_step_change(weight, up, step_up, step_down, slope_up, slope_down):
    """Return the mean change of one pulse: up, step_up + slope_up w; down, -(step_down + slope_down w)."""
    if up:
        return step_up + slope_up * weight
    return -(step_down + slope_down * weight)
