"""Constant step: the same change at every weight."""

from device_models.kernels.compile import scalar


@scalar
def constant_step_change(up, step_up, step_down):
    """Return the mean change of one pulse: up, step_up; down, -step_down."""
    return step_up if up else -step_down
