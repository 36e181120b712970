"""One pulse on one device of any family."""

import numpy as np

from device_models.kernels.compile import array, scalar
from device_models.kernels.constant_step import constant_step_change
from device_models.kernels.exponential_response import exponential_response_change
from device_models.kernels.exponential_step import exponential_step_change
from device_models.kernels.linear_step import linear_step_change
from device_models.kernels.measured_table import measured_table_change, measured_table_spread
from device_models.kernels.piecewise_step import piecewise_step_change
from device_models.kernels.power_response import power_response_change
from device_models.kernels.power_step import power_step_change
from device_models.kernels.soft_bounds import soft_bounds_change

# Families that differ only in how their parameters are drawn share the physics of soft bounds.
FAMILY_CODES = {
    "constant_step": 0,
    "soft_bounds": 1,
    "soft_bounds_reference": 1,
    "generic_linear": 1,
    "linear_step": 2,
    "power_response": 3,
    "exponential_response": 4,
    "power_step": 5,
    "exponential_step": 6,
    "piecewise_step": 7,
    "measured_table": 8,
}
FIRST_TABULATED = 7
BISECTIONS = 40


@scalar
def mean_change(family, weight, up, step_up, step_down, bound_max, bound_min, extra_up, extra_down, curve):
    """Return the mean change of one pulse on a device of a family with a formula; arguments as in `pulse`."""
    if family == 0:
        return constant_step_change(up, step_up, step_down)
    if family == 1:
        return soft_bounds_change(weight, up, step_up, step_down, bound_max, bound_min)
    if family == 2:
        return linear_step_change(weight, up, step_up, step_down, extra_up, extra_down)
    if family == 3:
        return power_response_change(weight, up, step_up, step_down, bound_max, bound_min, curve[0])
    if family == 4:
        return exponential_response_change(weight, up, step_up, step_down, bound_max, bound_min, curve[0], curve[1])
    if family == 5:
        return power_step_change(weight, up, step_up, step_down, bound_max, bound_min, extra_up, extra_down)
    return exponential_step_change(weight, up, step_up, step_down, bound_max, bound_min, curve)


@scalar
def pulse(
    family, weight, up, step_up, step_down, bound_max, bound_min, extra_up, extra_down,
    curve, noise, cycle_noise, number,
):  # fmt: skip
    """Return the weight after one pulse.

    Parameters
    ----------
    family
        Code of a response family with a formula, see `FAMILY_CODES`.
    weight
        Weight before the pulse, within the bounds of the device.
    up
        Direction of the pulse.
    step_up, step_down, bound_max, bound_min, extra_up, extra_down
        The device, see `device_models.population`; 0 for what the family does not have.
    curve
        Tuple of six: what all devices of the family share, see `PulsedDevice.curve`.
    noise
        Tuple: kind of noise (multiplicative 0, additive 1, complex 2), its additive part, its slope.
    cycle_noise
        Relative cycle-to-cycle spread.
    number
        A standard normal number, for this pulse alone.
    """
    change = mean_change(family, weight, up, step_up, step_down, bound_max, bound_min, extra_up, extra_down, curve)
    spread = abs(change)
    if noise[0] == 1.0:
        spread = step_up if up else step_down
    elif noise[0] == 2.0:
        spread += noise[1] + noise[2] * abs(weight)
    change += cycle_noise * spread * number
    return min(max(weight + change, bound_min), bound_max)


@scalar
def tabulated_change(family, weight, up, step_up, step_down, bound_max, bound_min, tables):
    """Return the mean change of one pulse on a device of a tabulated family."""
    if family == FIRST_TABULATED:
        return piecewise_step_change(weight, up, step_up, step_down, bound_max, bound_min, tables)
    return measured_table_change(weight, up, step_up, step_down, bound_max, bound_min, tables)


@scalar
def tabulated_pulse(
    family, weight, up, step_up, step_down, bound_max, bound_min, tables, cycle_noise, number
):  # fmt: skip
    """Do what `pulse` does for a tabulated family; `tables` are float64 (lists, nodes)."""
    change = tabulated_change(family, weight, up, step_up, step_down, bound_max, bound_min, tables)
    spread = abs(change)
    if family > FIRST_TABULATED:
        spread = measured_table_spread(weight, up, step_up, step_down, bound_max, bound_min, tables)
    change += cycle_noise * spread * number
    return min(max(weight + change, bound_min), bound_max)


@array
def symmetric_points(family, parameters, curve, tables, points):
    """Find where up and down steps of each device are equal, by bisection between its bounds.

    Parameters
    ----------
    family, curve, tables
        The devices, see `pulse`.
    parameters
        float32 (4 or 6, rows, columns), see `device_models.population`.
    points
        float64 (rows, columns), set; the bound on the side of the stronger direction where there is no such weight.
    """
    rows, columns = points.shape
    device = np.zeros(6)
    for row in range(rows):
        for column in range(columns):
            device[: parameters.shape[0]] = parameters[:, row, column]
            left, right = device[3], device[2]
            for _ in range(BISECTIONS):
                middle = 0.5 * (left + right)
                net = 0.0
                for direction in range(2):
                    up = direction == 1
                    if family >= FIRST_TABULATED:
                        net += tabulated_change(family, middle, up, device[0], device[1], device[2], device[3], tables)
                    else:
                        net += mean_change(
                            family, middle, up, device[0], device[1], device[2], device[3], device[4], device[5], curve
                        )
                if net > 0.0:
                    left = middle
                else:
                    right = middle
            points[row, column] = 0.5 * (left + right)
