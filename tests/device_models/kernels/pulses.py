"""Pulses on rows of devices, for tests: the compiled pulse in a loop, whatever the family."""

import numpy as np
from numba import njit

from device_models import PulsedDevice
from device_models.kernels.pulse import (
    FAMILY_CODES,
    FIRST_TABULATED,
    mean_change,
    pulse,
    symmetric_points,
    tabulated_change,
    tabulated_pulse,
)
from device_models.kernels.random_numbers import normal, subkey
from device_models.population import Population, populate


@njit
def _pulse_all(family, weights, ups, devices, curve, noise, tables, cycle_noise, key, seen):
    for column in range(weights.size):
        own = subkey(key, column)
        up_step, down_step, high, low, extra_up, extra_down = devices[column]
        for number in range(len(ups)):
            weight, up, one = weights[column], ups[number, column], np.float64(normal(own, number))
            if family >= FIRST_TABULATED:
                weight = tabulated_pulse(family, weight, up, up_step, down_step, high, low, tables, cycle_noise, one)
            else:
                weight = pulse(
                    family, weight, up, up_step, down_step, high, low, extra_up, extra_down,
                    curve, noise, cycle_noise, one,
                )  # fmt: skip
            weights[column] = seen[number, column] = weight


def row(device: PulsedDevice, count: int = 1, *, seed: int = 1) -> Population:
    """Return a row of devices."""
    return populate(device, (1, count), seed=seed, stream=0)


def numbers(people: Population) -> np.ndarray:
    """Return six numbers for each device of a row, (devices, 6); 0 for what its family does not have."""
    parameters = people.parameters[:, 0].T.astype(np.float64)
    return np.ascontiguousarray(np.pad(parameters, ((0, 0), (0, 6 - parameters.shape[1]))))


def trained(device: PulsedDevice, people: Population, start, ups, *, key: int = 1) -> np.ndarray:
    """Return the read weights of a row of devices after each pulse of a sequence, (pulses, devices).

    `start` are weights as read; with a reference, the devices hold that much more. `ups` is one sequence of directions
    for all, or (pulses, devices).
    """
    ups = np.asarray(ups, dtype=np.bool_)
    reference = 0.0 if people.reference is None else people.reference[0].astype(np.float64)
    parameters = people.parameters[:, 0].T.astype(np.float64)
    weights = np.clip(np.asarray(start, dtype=np.float64) + reference, parameters[:, 3], parameters[:, 2])
    ups = np.ascontiguousarray(np.broadcast_to(ups.reshape(len(ups), -1), (len(ups), weights.size)))
    seen = np.empty(ups.shape)
    shared = device.curve(), device.noise(), device.tables(), float(device.dw_min_std), np.uint64(key)
    _pulse_all(FAMILY_CODES[device.family], weights, ups, numbers(people), *shared, seen)
    return seen - reference


def after(device: PulsedDevice, one: np.ndarray, weight: float, up: bool, noise: float, number: float) -> float:
    """Return the weight of one device (see `numbers`) after one pulse, with a given normal number."""
    code = FAMILY_CODES[device.family]
    if code >= FIRST_TABULATED:
        return tabulated_pulse(code, weight, up, *one[:4], device.tables(), noise, number)
    return pulse(code, weight, up, *one, device.curve(), device.noise(), noise, number)


def mean_step(device: PulsedDevice, weight: float, up: bool) -> float:
    """Return the compiled mean change of one pulse on the nominal device, not clipped to its bounds."""
    (one,) = numbers(row(device))
    code = FAMILY_CODES[device.family]
    if code >= FIRST_TABULATED:
        return tabulated_change(code, float(weight), up, *one[:4], device.tables())
    return mean_change(code, float(weight), up, *one, device.curve())


def compiled_symmetric_points(device: PulsedDevice, people: Population) -> np.ndarray:
    """Return the symmetric point of every device of a row."""
    points = np.empty(people.parameters.shape[1:])
    symmetric_points(FAMILY_CODES[device.family], people.parameters, device.curve(), device.tables(), points)
    return points[0]
