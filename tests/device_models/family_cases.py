"""Devices of every family, each with its steps as the papers write them."""

import math
from collections.abc import Callable

import numpy as np

from device_models import PulsedDevice
from device_models.families import (
    ConstantStep,
    ExponentialResponse,
    ExponentialStep,
    GenericLinear,
    LinearStep,
    MeasuredTable,
    PiecewiseStep,
    PowerResponse,
    PowerStep,
    SoftBounds,
    SoftBoundsReference,
)

Step = Callable[[float], float]
UNEQUAL = {"w_max": 1.2, "w_min": -0.8}
RERAM = {"A_up": -1.18445, "A_down": -0.081404, "gamma_up": 5.0, "gamma_down": 5.0, "a": -0.5, "b": -0.5}


def inside(device: PulsedDevice, count: int = 21) -> np.ndarray:
    """Return weights between the bounds, clear of them and of the nodes of tables."""
    width = device.w_max - device.w_min
    return device.w_min + width * np.linspace(0.0123, 0.9872, count)


# Device, q+ and q-.
CASES: dict[str, tuple[PulsedDevice, Step, Step]] = {
    "constant": (ConstantStep(dw_min=0.01), lambda w: 1.0, lambda w: 1.0),
    "constant, weaker down": (ConstantStep(dw_min=0.01, up_down=0.2), lambda w: 1.0, lambda w: 0.8),
    "constant, weaker up": (ConstantStep(dw_min=0.01, up_down=-0.3), lambda w: 0.7, lambda w: 1.0),
    "linear": (
        LinearStep(dw_min=0.01, gamma_up=0.5, gamma_down=0.3, w_max=0.6, w_min=-0.6),
        lambda w: 1 - 0.5 * w / 0.6,
        lambda w: 1 + 0.3 * w / 0.6,
    ),
    "linear, unequal bounds, weaker down": (
        LinearStep(dw_min=0.01, gamma_up=1.0, gamma_down=0.4, up_down=0.1, **UNEQUAL),
        lambda w: 1 - w / 1.2,
        lambda w: 0.9 * (1 + 0.4 * w / 0.8),
    ),
    "linear, one-sided": (
        LinearStep(dw_min=0.01, gamma_up=0.4, w_max=1.0, w_min=0.0, one_sided=True),
        lambda w: 1 - 0.4 * w,
        lambda w: 1.0,
    ),
    "soft bounds": (SoftBounds(dw_min=0.01), lambda w: 1 - w, lambda w: 1 + w),
    "soft bounds, unequal, weaker up": (
        SoftBounds(dw_min=0.01, up_down=-0.3, **UNEQUAL),
        lambda w: 0.7 * (1 - w / 1.2),
        lambda w: 1 + w / 0.8,
    ),
    "soft bounds with reference": (
        SoftBoundsReference(dw_min=0.01, reference_mean=0.1, **UNEQUAL),
        lambda w: 1 - w / 1.2,
        lambda w: 1 + w / 0.8,
    ),
    "generic linear": (
        GenericLinear(dw_min=0.01, c_lin=0.3, w_max=0.7, w_min=-0.7),
        lambda w: 1.3 * (1 - w / 0.7),
        lambda w: 0.7 * (1 + w / 0.7),
    ),
    "power response 0.5": (
        PowerResponse(dw_min=0.01, gamma_r=0.5, w_max=0.6, w_min=-0.6),
        lambda w: math.sqrt(1 - w / 0.6),
        lambda w: math.sqrt(1 + w / 0.6),
    ),
    "power response 3, unequal bounds": (
        PowerResponse(dw_min=0.01, gamma_r=3.0, **UNEQUAL),
        lambda w: (1 - w / 1.2) ** 3,
        lambda w: (1 + w / 0.8) ** 3,
    ),
    "exponential response 1": (
        ExponentialResponse(dw_min=0.01, gamma_r=1.0),
        lambda w: (math.exp(1 - w) - 1) / (math.e - 1),
        lambda w: (math.exp(1 + w) - 1) / (math.e - 1),
    ),
    "exponential response 4, unequal bounds, weaker down": (
        ExponentialResponse(dw_min=0.01, gamma_r=4.0, up_down=0.25, **UNEQUAL),
        lambda w: (math.exp(4 * (1 - w / 1.2)) - 1) / (math.exp(4) - 1),
        lambda w: 0.75 * (math.exp(4 * (1 + w / 0.8)) - 1) / (math.exp(4) - 1),
    ),
    "power step 1.5": (
        PowerStep(dw_min=0.01, pow_gamma=1.5, **UNEQUAL),
        lambda w: ((1.2 - w) / 2) ** 1.5,
        lambda w: ((w + 0.8) / 2) ** 1.5,
    ),
    "power step, unequal exponents": (
        PowerStep(dw_min=0.01, pow_gamma=2.0, pow_up_down=0.25),
        lambda w: ((1 - w) / 2) ** 2,
        lambda w: ((w + 1) / 2) ** 1.5,
    ),
    "power step, weaker exponent up": (
        PowerStep(dw_min=0.01, pow_gamma=2.0, pow_up_down=-0.5),
        lambda w: (1 - w) / 2,
        lambda w: ((w + 1) / 2) ** 2,
    ),
    "exponential step": (
        ExponentialStep(dw_min=0.01, w_max=0.6, w_min=-0.6),
        lambda w: max(1 - 0.00081 * math.exp(12.44625 * (0.488 * w / 1.2 + 0.2425)), 0),
        lambda w: max(1 - 0.36833 * math.exp(-12.78785 * (0.488 * w / 1.2 + 0.2425)), 0),
    ),
    "exponential step of ReRAM": (
        ExponentialStep(dw_min=0.01, up_down=0.259359, **RERAM),
        lambda w: 1 + 1.18445 * math.exp(5 * (-0.5 * w - 0.5)),
        lambda w: 0.740641 * (1 + 0.081404 * math.exp(-5 * (-0.5 * w - 0.5))),
    ),
    "exponential step that stops": (
        ExponentialStep(dw_min=0.01, A_up=0.3, A_down=0.3, gamma_up=4.0, gamma_down=4.0, a=1.0, b=0.0),
        lambda w: max(1 - 0.3 * math.exp(4 * w), 0),
        lambda w: max(1 - 0.3 * math.exp(-4 * w), 0),
    ),
    "piecewise": (
        PiecewiseStep(dw_min=0.01, piecewise_up=(1.5, 1.0, 0.3), piecewise_down=(0.2, 1.0, 1.8)),
        lambda w: 1 - 0.5 * w if w < 0 else 1 - 0.7 * w,
        lambda w: 1 + 0.8 * w,
    ),
    "table, unequal bounds": (
        MeasuredTable(
            dw_min=0.01, up_mean=(2.0, 0.0), up_std=(1.0, 0.5), down_mean=(0.0, 1.0), down_std=(0.2, 0.4), **UNEQUAL
        ),
        lambda w: 1.2 - w,
        lambda w: (w + 0.8) / 2,
    ),
}
