"""Tabulated steps: linear between nodes that are equally spaced over the range of the device."""

from device_models.kernels.compile import scalar


@scalar
def interpolated(weight, bound_max, bound_min, table):
    """Return the value at a weight between the nodes of a table; 0 without a range."""
    width = bound_max - bound_min
    if width <= 0.0:
        return 0.0
    place = min(max((weight - bound_min) / width, 0.0), 1.0) * (len(table) - 1)
    left = min(int(place), len(table) - 2)
    part = place - left
    return table[left] * (1.0 - part) + table[left + 1] * part


@scalar
def piecewise_step_change(weight, up, step_up, step_down, bound_max, bound_min, tables):
    """Return the mean change of one pulse; `tables` are the nodes up and down, float64 (2, nodes)."""
    if up:
        return step_up * interpolated(weight, bound_max, bound_min, tables[0])
    return -step_down * interpolated(weight, bound_max, bound_min, tables[1])
