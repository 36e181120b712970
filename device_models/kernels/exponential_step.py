"""Exponential step of the reference simulator: an exponential taken off a constant step."""

import math

from device_models.kernels.compile import scalar


@scalar
def exponential_step_change(weight, up, step_up, step_down, bound_max, bound_min, curve):
    """Return the mean change of one pulse; `curve` is (A_up, A_down, γ_up, γ_down, a, b).

    z = 2 a w / range + b: up, step_up max(1 - A_up e^(γ_up z), 0); down, -step_down max(1 - A_down e^(-γ_down z), 0).
    """
    width = bound_max - bound_min
    if width <= 0.0:
        return 0.0
    place = 2.0 * curve[4] * weight / width + curve[5]
    if up:
        return step_up * max(1.0 - curve[0] * math.exp(curve[2] * place), 0.0)
    return -step_down * max(1.0 - curve[1] * math.exp(-curve[3] * place), 0.0)
