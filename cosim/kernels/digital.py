"""Digital matrices beside a tile."""

import math

from device_models.kernels.compile import array


@array
def take_multiples(buffer, granularity, counts):
    """Take whole multiples of the granularity out of a digital matrix.

    Parameters
    ----------
    buffer
        float32 (rows, columns), left with the remainders (truncation toward zero).
    granularity
        Weight change of one pulse, > 0.
    counts
        float32 (rows, columns), set to the signed number of pulses that are due.

    Returns
    -------
    int
        Rows in which at least one pulse is due.
    """
    rows, columns = buffer.shape
    busy = 0
    for row in range(rows):
        any_due = False
        for column in range(columns):
            value = float(buffer[row, column])
            due = math.trunc(value / granularity)
            counts[row, column] = due
            if due != 0:
                buffer[row, column] = value - due * granularity
                any_due = True
        busy += any_due
    return busy
