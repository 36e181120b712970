"""What happens to devices without pulses: decay, diffusion, and what a read sees of what they hold."""

import numpy as np

from device_models.kernels.compile import array
from device_models.kernels.random_numbers import fill_normals, subkey


@array
def age_devices(stored, side, parameters, decay, diffusion, reset, key):
    """Let the devices of one side age by one mini-batch: decay toward the reset value, then a random step.

    Parameters
    ----------
    stored, side
        float32 (1 or 2, rows, columns), changed in place, and which of them.
    parameters
        float32 (1 or 2, n, rows, columns): the devices, whose bounds hold.
    decay, diffusion, reset
        float32 (rows, columns): factor of the distance to the reset value, spread of the step, reset value.
    key
        Address of the random numbers.
    """
    rows, columns = decay.shape
    numbers = np.empty(columns, dtype=np.float32)
    for row in range(rows):
        fill_normals(subkey(key, row), 0, numbers)
        for column in range(columns):
            rest = np.float64(reset[row, column])
            value = (np.float64(stored[side, row, column]) - rest) * np.float64(decay[row, column]) + rest
            value += np.float64(diffusion[row, column]) * np.float64(numbers[column])
            highest = np.float64(parameters[side, 2, row, column])
            lowest = np.float64(parameters[side, 3, row, column])
            stored[side, row, column] = min(max(value, lowest), highest)


@array
def expose(weights, stored, write_noise, key):
    """Set what is read from what is stored: minus reference or second device, with write noise."""
    rows, columns = weights.shape
    numbers = np.zeros(columns, dtype=np.float32)
    for row in range(rows):
        if write_noise > 0.0:
            fill_normals(subkey(key, row), 0, numbers)
        for column in range(columns):
            value = np.float64(stored[0, row, column])
            if stored.shape[0] == 2:
                value -= np.float64(stored[1, row, column])
            weights[row, column] = value + write_noise * np.float64(numbers[column])
