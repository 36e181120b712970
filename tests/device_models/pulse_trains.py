"""Measurements made up pulse by pulse in plain Python, apart from the compiled physics and the records."""

import math

import numpy as np
import pandas as pd

CENTRE_S, PER_WEIGHT_S = 10e-6, 8e-6


def table(nodes, low=-1.0, high=1.0):
    places = np.linspace(low, high, len(nodes))
    return lambda w: float(np.interp(w, places, nodes))


def exponential(g):
    return lambda x: (math.exp(g * (1 - x)) - 1) / (math.exp(g) - 1)


# Mean step up, mean step down, cycle noise, whether it is multiplicative, what the fit should find.
CASES = {
    "constant_step": (lambda w: 0.05, lambda w: 0.04, 0.3, True, {"dw_min": 0.05, "up_down": 0.2}),
    "linear_step": (
        lambda w: 0.05 * (1 - 0.5 * w),
        lambda w: 0.04 * (1 + 0.3 * w),
        0.3,
        True,
        {"dw_min": 0.05, "up_down": 0.2, "gamma_up": 0.5, "gamma_down": 0.3},
    ),
    "soft_bounds": (
        lambda w: 0.04 * (1 - w),
        lambda w: 0.05 * (1 + w),
        0.3,
        True,
        {"dw_min": 0.05, "up_down": -0.2},
    ),
    "soft_bounds_reference": (
        lambda w: 0.05 * (1 - w),
        lambda w: 0.04 * (1 + w),
        0.3,
        False,
        {"dw_min": 0.05, "up_down": 0.2},
    ),
    "generic_linear": (
        lambda w: 0.05 * 1.2 * (1 - w),
        lambda w: 0.05 * 0.8 * (1 + w),
        0.2,
        False,
        {"dw_min": 0.05, "c_lin": 0.2},
    ),
    "power_response": (
        lambda w: 0.05 * (1 - w) ** 2,
        lambda w: 0.04 * (1 + w) ** 2,
        0.1,
        False,
        {"dw_min": 0.05, "up_down": 0.2, "gamma_r": 2.0},
    ),
    "exponential_response": (
        lambda w: 0.05 * exponential(1.5)(w),
        lambda w: 0.04 * exponential(1.5)(-w),
        0.2,
        False,
        {"dw_min": 0.05, "up_down": 0.2, "gamma_r": 1.5},
    ),
    "power_step": (
        lambda w: 0.1 * ((1 - w) / 2) ** 1.5,
        lambda w: 0.08 * ((1 + w) / 2) ** 1.2,
        0.3,
        True,
        {"dw_min": 0.1, "up_down": 0.2, "pow_gamma": 1.5, "pow_up_down": 0.2},
    ),
    "exponential_step": (
        lambda w: 0.05 * max(1 - 0.10 * math.exp(2.0 * w), 0),
        lambda w: 0.04 * max(1 - 0.15 * math.exp(-1.5 * w), 0),
        0.2,
        True,
        {"dw_min": 0.05, "up_down": 0.2, "A_up": 0.1, "A_down": 0.15, "gamma_up": 2.0, "gamma_down": 1.5},
    ),
}


def measure(
    up, down, noise, multiplicative, *, seed, cycles=4, pulses=100, read=0.0, low=-1.0, high=1.0, scale=(0.0, 0.0)
):
    """Return a measurement in siemens: trains up and down from weight 0, cut at the bounds, read with noise.

    `scale` is what additive noise is relative to, up and down; the steps at weight 0 where not given.
    """
    random = np.random.default_rng(seed)
    scale = scale if any(scale) else (up(0.0), down(0.0))
    weight, rows = 0.0, [(0, "", 0.0)]
    for _ in range(cycles):
        for name in ("up", "down"):
            for _ in range(pulses):
                step = up(weight) if name == "up" else -down(weight)
                relative_to = abs(step) if multiplicative else scale[name == "down"]
                weight = min(max(weight + step + noise * relative_to * random.standard_normal(), low), high)
                rows.append((len(rows), name, weight))
    frame = pd.DataFrame(rows, columns=["pulse", "direction", "weight"])
    readings = frame.pop("weight") + read * random.standard_normal(len(frame))
    frame["conductance_s"] = CENTRE_S + PER_WEIGHT_S * readings
    return frame


def measure_case(family, **options):
    up, down, noise, multiplicative, _ = CASES[family]
    return measure(up, down, noise, multiplicative, **options)
