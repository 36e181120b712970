"""A measured device: mean and spread of the step, tabulated over its state."""

from device_models.kernels.compile import scalar
from device_models.kernels.piecewise_step import interpolated


@scalar
def measured_table_change(weight, up, step_up, step_down, bound_max, bound_min, tables):
    """Return the mean change of one pulse; `tables` are mean up, mean down, spread up, spread down, (4, nodes)."""
    if up:
        return step_up * interpolated(weight, bound_max, bound_min, tables[0])
    return -step_down * interpolated(weight, bound_max, bound_min, tables[1])


@scalar
def measured_table_spread(weight, up, step_up, step_down, bound_max, bound_min, tables):
    """Return the standard deviation of the change of one pulse."""
    if up:
        return step_up * interpolated(weight, bound_max, bound_min, tables[2])
    return step_down * interpolated(weight, bound_max, bound_min, tables[3])
