"""Power step of the reference simulator: the step is a power of the way left to the bound, over the whole range."""

from device_models.kernels.compile import scalar


@scalar
def power_step_change(weight, up, step_up, step_down, bound_max, bound_min, gamma_up, gamma_down):
    """Return the mean change of one pulse: up, step_up ((bound_max - w)/range)^γ_up; down with w - bound_min."""
    width = bound_max - bound_min
    if width <= 0.0:
        return 0.0
    if up:
        return step_up * (max(bound_max - weight, 0.0) / width) ** gamma_up
    return -step_down * (max(weight - bound_min, 0.0) / width) ** gamma_down
