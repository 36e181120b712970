"""A device record and a seed become an array of devices, each with its own parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device_models.families import GenericLinear, LinearStep, PowerStep, SoftBoundsReference
from device_models.kernels.pulse import FAMILY_CODES, symmetric_points
from device_models.parameters import PulsedDevice

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
Normal = Callable[..., Any]

PARAMETER_NAMES = ("step_up", "step_down", "bound_max", "bound_min")


@dataclass(frozen=True)
class Population:
    """The devices of an array.

    Parameters
    ----------
    parameters
        float32 (n, rows, columns): step up, step down, upper bound, lower bound (`PARAMETER_NAMES`), then what the
        family adds (`PulsedDevice.extra_parameters`); weight units.
    reference
        float32 (rows, columns): what the reference device holds; None where there is none.
    decay, diffusion
        float32 (rows, columns): factor of the decay per mini-batch, spread of the random walk per mini-batch; None
        where there is no such thing.
    reset
        float32 (rows, columns): the value after a reset, without its spread.
    """

    parameters: Float32Array
    reference: Float32Array | None
    decay: Float32Array | None
    diffusion: Float32Array | None
    reset: Float32Array


def parameter_names(device: PulsedDevice) -> tuple[str, ...]:
    """Return the names of the per-device parameters of a family, in the order of `Population.parameters`."""
    return (*PARAMETER_NAMES, *device.extra_parameters)


def populate(device: PulsedDevice, shape: tuple[int, int], *, seed: int, stream: int, side: int = 0) -> Population:
    """Draw the parameters of every device of an array.

    One common gain serves both directions of a device; the up-down imbalance is one-sided, as in the
    reference simulator (rasch2021): up = dw_min (gain + min(up_down, 0) + r),
    down = dw_min (gain - max(up_down, 0) - r).
    Steps and bounds are made positive by taking magnitudes. A stuck device has both bounds at its value and no steps.

    Parameters
    ----------
    device
        Mean parameters and their device-to-device spreads.
    shape
        (rows, columns) of the array.
    seed, stream
        Non-negative integers; the same pair gives the same devices.
    side
        0, or 1 for the second devices of one-sided pairs.
    """
    normal = np.random.Generator(np.random.Philox(key=[seed, stream], counter=[0, 0, 0, side])).standard_normal
    spread = device.dw_min_dtod * normal(shape)
    gain = np.exp(spread) if device.dw_min_dtod_log_normal else 1 + spread
    imbalance = device.up_down_dtod * normal(shape)
    step_up = np.abs(device.dw_min * (gain + min(device.up_down, 0.0) + imbalance))
    step_down = np.abs(device.dw_min * (gain - max(device.up_down, 0.0) - imbalance))
    bound_max = np.abs(device.w_max * (1 + device.w_max_dtod * normal(shape)))
    bound_min = -np.abs(device.w_min * (1 + device.w_min_dtod * normal(shape)))
    extra: list[FloatArray] = []
    match device:
        case GenericLinear():
            step_up, step_down = step_up * (1 + device.c_lin), step_down * (1 - device.c_lin)
        case SoftBoundsReference():
            bound_max = bound_max / np.abs(1 + device.slope_up_dtod * normal(shape))
            bound_min = bound_min / np.abs(1 + device.slope_down_dtod * normal(shape))
        case LinearStep():
            extra = _linear_slopes(device, step_up, step_down, bound_max, bound_min, normal)
        case PowerStep():
            gain = 1 + device.pow_gamma_dtod * normal(shape)
            tilt = device.pow_up_down_dtod * normal(shape)
            extra = [
                np.abs(device.pow_gamma * (gain + min(device.pow_up_down, 0.0) + tilt)),
                np.abs(device.pow_gamma * (gain - max(device.pow_up_down, 0.0) - tilt)),
            ]
    if device.corrupt_devices_prob:
        uniform = np.random.Generator(np.random.Philox(key=[seed, stream], counter=[0, 0, 1, side])).uniform
        stuck = uniform(size=shape) < device.corrupt_devices_prob
        value = uniform(-device.corrupt_devices_range, device.corrupt_devices_range, shape)
        bound_max, bound_min = np.where(stuck, value, bound_max), np.where(stuck, value, bound_min)
        step_up, step_down = np.where(stuck, 0.0, step_up), np.where(stuck, 0.0, step_down)
        if isinstance(device, LinearStep):
            extra = [np.where(stuck, 0.0, slope) for slope in extra]
    parameters = np.stack([step_up, step_down, bound_max, bound_min, *extra]).astype(np.float32)
    reset_spread = device.reset_dtod * normal(shape)
    reference = _references(device, parameters, normal)
    # No memory where all devices are alike.
    reset: npt.NDArray[np.floating] = np.broadcast_to(np.float32(device.reset), shape)
    if device.reset_dtod:
        reset = device.reset + reset_spread
    if device.subtract_symmetry_point and reference is not None:
        reset = reset + reference - device.reference_mean
    return Population(
        parameters,
        None if reference is None else reference.astype(np.float32),
        _decay_factors(device, shape, normal),
        _diffusion_rates(device, shape, normal),
        reset.astype(np.float32, copy=False),
    )


def _linear_slopes(
    device: LinearStep,
    step_up: FloatArray,
    step_down: FloatArray,
    bound_max: FloatArray,
    bound_min: FloatArray,
    normal: Normal,
) -> list[FloatArray]:
    """Return the fall of both steps per weight; it never turns into a rise."""
    shape = step_up.shape
    fall_up = np.abs(device.gamma_up + device.gamma_up_dtod * normal(shape))
    fall_down = np.abs(device.gamma_down + device.gamma_down_dtod * normal(shape))
    over_up = device.w_max if device.mean_bound_reference else bound_max
    over_down = device.w_min if device.mean_bound_reference else bound_min
    with np.errstate(divide="ignore", invalid="ignore"):
        return [
            np.nan_to_num(-fall_up * step_up / over_up, posinf=0.0, neginf=0.0),
            np.nan_to_num(-fall_down * step_down / over_down, posinf=0.0, neginf=0.0),
        ]


def _references(device: PulsedDevice, parameters: Float32Array, normal: Normal) -> FloatArray | None:
    """Return what the reference devices hold; None without any."""
    if not (device.reference_mean or device.reference_std or device.subtract_symmetry_point):
        return None
    shape = parameters.shape[1:]
    reference: FloatArray = device.reference_mean + device.reference_std * normal(shape)
    if device.subtract_symmetry_point:
        points = np.empty(shape)
        symmetric_points(FAMILY_CODES[device.family], parameters, device.curve(), device.tables(), points)
        reference = reference + points
    return reference


def _decay_factors(device: PulsedDevice, shape: tuple[int, int], normal: Normal) -> Float32Array | None:
    """Return the factor by which the distance to the reset value shrinks per mini-batch."""
    if not device.lifetime:
        return None
    lifetime = np.abs(device.lifetime * (1 + device.lifetime_dtod * normal(shape)))
    return np.asarray(1 - 1 / np.maximum(lifetime, 1.0), dtype=np.float32)


def _diffusion_rates(device: PulsedDevice, shape: tuple[int, int], normal: Normal) -> Float32Array | None:
    """Return the spread of the random walk per mini-batch."""
    if not device.diffusion:
        return None
    return np.asarray(np.abs(device.diffusion * (1 + device.diffusion_dtod * normal(shape))), dtype=np.float32)
