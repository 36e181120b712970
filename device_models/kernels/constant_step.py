"""Constant step: the same change at every weight."""

from device_models.kernels.compile import scalar
from device_models.kernels.intrinsics import choose


@scalar
def constant_step_change(up, step_up, step_down):
    """Return the mean change of one pulse: up, step_up; down, -step_down."""
    return choose(up, step_up, -step_down)
