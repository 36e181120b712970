"""A device record and a seed become an array of devices, each with its own parameters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from device_models.parameters import PulsedDevice

PARAMETER_NAMES = ("step_up", "step_down", "bound_max", "bound_min")


def populate(device: PulsedDevice, shape: tuple[int, int], *, seed: int, stream: int) -> npt.NDArray[np.float32]:
    """Draw the parameters of every device of an array.

    One common gain serves both directions of a device; the up-down imbalance is one-sided, as in the
    reference simulator (rasch2021): up = dw_min (gain + min(up_down, 0) + r),
    down = dw_min (gain - max(up_down, 0) - r).
    Steps and bounds are made positive by taking magnitudes.

    Parameters
    ----------
    device
        Mean parameters and their device-to-device spreads.
    shape
        (rows, columns) of the array.
    seed, stream
        Non-negative integers; the same pair gives the same devices.

    Returns
    -------
    ndarray, shape (rows, columns, 4), float32
        Per device: step up, step down, upper bound, lower bound (the order of `PARAMETER_NAMES`), weight units.
    """
    normal = np.random.Generator(np.random.Philox(key=[seed, stream])).standard_normal
    gain = 1 + device.dw_min_dtod * normal(shape)
    imbalance = device.up_down_dtod * normal(shape)
    parameters = np.empty((*shape, len(PARAMETER_NAMES)), dtype=np.float32)
    parameters[..., 0] = np.abs(device.dw_min * (gain + min(device.up_down, 0.0) + imbalance))
    parameters[..., 1] = np.abs(device.dw_min * (gain - max(device.up_down, 0.0) - imbalance))
    parameters[..., 2] = np.abs(device.w_max * (1 + device.w_max_dtod * normal(shape)))
    parameters[..., 3] = -np.abs(device.w_min * (1 + device.w_min_dtod * normal(shape)))
    return parameters
