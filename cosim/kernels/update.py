"""Rank-1 updates of a tile by coincidences of stochastic pulse trains."""

import math

import numpy as np

from cosim.kernels.magnitude import largest_magnitude
from device_models.kernels.compile import array, bernoulli, scalar, subkey
from device_models.kernels.pulse import pulse_times

# Sub-streams of one vector: trains of the input lines, trains of the output lines, cycle-to-cycle noise.
INPUT_TRAINS, OUTPUT_TRAINS, CYCLE_NOISE = 0, 1, 2
SLOTS_MAX = 63
SLOTS_COUNTED = 64  # numbers set aside for each line
# Relative error of float32 inputs and errors: a whole number of steps must not take one slot more because of it.
ROUNDING = 1e-6

# Order of the activity returned by `pulsed_update`.
ACTIVITY = ("vectors", "slots", "input_pulses", "output_pulses", "coincidences", "cells_touched")


@scalar
def train_settings(rate, input_max, error_max, granularity, max_length, update_management, length_management):
    """Return train length, input scale and error scale of one rank-1 update.

    A line fires in a slot with probability scale x |value|. With k = rate |x|max |d|max / granularity, length
    management takes min(ceil(k), max_length) slots and switches update management on, which balances the two
    sides so that neither saturates first (Gokmen and Vlasov 2016; Rasch et al. 2021). Without it the length is
    fixed, and a probability above 1 counts as 1.
    """
    strength = rate * input_max * error_max / granularity
    length = max_length
    if length_management:
        length = int(min(math.ceil(strength * (1.0 - ROUNDING)), max_length))
    input_scale = math.sqrt(rate / (granularity * length))
    error_scale = input_scale
    if update_management or length_management:
        balanced = error_max * min(1.0, max_length / strength)
        input_scale *= math.sqrt(balanced / input_max)
        error_scale *= math.sqrt(input_max / balanced)
    return length, input_scale, error_scale


@scalar
def draw_train(key, line, length, probability):
    """Return the pulses of one line as bits, and their number."""
    train = np.uint64(0)
    fired = 0
    first = line * SLOTS_COUNTED
    for slot in range(length):
        if bernoulli(key, first + slot, probability):
            train |= np.uint64(1) << np.uint64(slot)
            fired += 1
    return train, fired


@scalar
def count_bits(train):
    """Return the number of pulses in a train."""
    fired = 0
    while train:
        train &= train - np.uint64(1)
        fired += 1
    return fired


@array
def pulsed_update(
    family,
    weights,
    parameters,
    cycle_noise,
    inputs,
    errors,
    rate,
    granularity,
    max_length,
    update_management,
    length_management,
    key,
    composite,
    significance,
):
    """Change a tile by -rate x error x input for one vector after the other, by pulse coincidences.

    The error trains are drawn first; where none of them fires, the input drivers stay idle. A cross-point gets
    one device pulse per slot in which both of its lines fire.

    Parameters
    ----------
    family, parameters, cycle_noise
        The devices, see `device_models.kernels.pulse.pulse_times`; parameters are float32 (rows, columns, 4).
    weights
        float32 (rows, columns), changed in place.
    inputs, errors
        float32 (vectors, columns) and (vectors, rows), finite.
    rate
        Learning rate, >= 0.
    granularity
        Mean step at zero weight that the controller assumes, > 0.
    max_length
        Longest train, 1 to 63 slots.
    update_management, length_management
        See `train_settings`.
    key
        Address of the random numbers of this call.
    composite, significance
        float32 (rows, columns) that changes by significance times the change of the weight.

    Returns
    -------
    float64[6]
        Activity in the order of `ACTIVITY`.
    """
    vectors, columns = inputs.shape
    rows = errors.shape[1]
    activity = np.zeros(6)
    row_trains = np.zeros(rows, dtype=np.uint64)
    column_trains = np.zeros(columns, dtype=np.uint64)
    active_rows = np.zeros(rows, dtype=np.int64)
    active_columns = np.zeros(columns, dtype=np.int64)
    largest_bits = np.zeros(1, dtype=np.int32)
    largest = largest_bits.view(np.float32)
    input_bits, error_bits = inputs.view(np.int32), errors.view(np.int32)
    activity[0] = vectors
    for vector in range(vectors):
        error_max = largest_magnitude(error_bits, vector, largest_bits, largest)
        if error_max == 0.0 or rate == 0.0:
            continue
        input_max = largest_magnitude(input_bits, vector, largest_bits, largest)
        if input_max == 0.0:
            continue
        length, input_scale, error_scale = train_settings(
            rate, input_max, error_max, granularity, max_length, update_management, length_management
        )
        activity[1] += length
        vector_key = subkey(key, vector)
        error_key = subkey(vector_key, OUTPUT_TRAINS)
        row_count = 0
        for row in range(rows):
            error = float(errors[vector, row])
            if error != 0.0:
                train, fired = draw_train(error_key, row, length, error_scale * abs(error))
                if fired > 0:
                    row_trains[row_count] = train
                    active_rows[row_count] = row
                    row_count += 1
                    activity[3] += fired
        if row_count == 0:
            continue
        input_key = subkey(vector_key, INPUT_TRAINS)
        column_count = 0
        for column in range(columns):
            value = float(inputs[vector, column])
            if value != 0.0:
                train, fired = draw_train(input_key, column, length, input_scale * abs(value))
                if fired > 0:
                    column_trains[column_count] = train
                    active_columns[column_count] = column
                    column_count += 1
                    activity[2] += fired
        noise_key = subkey(vector_key, CYCLE_NOISE)
        for row_index in range(row_count):
            row = active_rows[row_index]
            error_positive = errors[vector, row] > 0.0
            for column_index in range(column_count):
                pulses = count_bits(row_trains[row_index] & column_trains[column_index])
                if pulses == 0:
                    continue
                column = active_columns[column_index]
                up = (inputs[vector, column] > 0.0) != error_positive
                cell_key = subkey(noise_key, row * columns + column)
                before = np.float64(weights[row, column])  # compiled, float() would leave it in 32 bits
                weights[row, column] = pulse_times(
                    family,
                    before,
                    up,
                    parameters[row, column, 0],
                    parameters[row, column, 1],
                    parameters[row, column, 2],
                    parameters[row, column, 3],
                    cycle_noise,
                    cell_key,
                    0,
                    pulses,
                )
                change = np.float64(weights[row, column]) - before
                composite[row, column] = np.float64(composite[row, column]) + significance * change
                activity[4] += pulses
                activity[5] += 1
    return activity


@array
def pulse_all(family, weights, parameters, cycle_noise, up, count, key):
    """Give every device of a tile `count` pulses of one direction; weights change in place."""
    rows, columns = weights.shape
    for row in range(rows):
        for column in range(columns):
            cell_key = subkey(key, row * columns + column)
            weights[row, column] = pulse_times(
                family,
                weights[row, column],
                up,
                parameters[row, column, 0],
                parameters[row, column, 1],
                parameters[row, column, 2],
                parameters[row, column, 3],
                cycle_noise,
                cell_key,
                0,
                count,
            )


@array
def threshold_columns(buffer, columns, values, rate, threshold, momentum, counts):
    """Add column reads to a digital buffer and take one pulse from each element beyond the threshold.

    H <- H + rate x value; where |H| >= threshold one pulse of its sign is due and H <- momentum x H, as in
    Tiki-Taka version 2 with a forgetting buffer.

    Parameters
    ----------
    buffer
        float32 (rows, columns), changed in place.
    columns
        int64 (reads,), the columns that were read.
    values
        float32 (reads, rows), what was read.
    rate, threshold, momentum
        Step of the buffer, > 0 threshold in weight units, and what is kept after a pulse, in [0, 1].
    counts
        float32 (reads, rows), set to -1, 0 or 1: the pulses that are due.
    """
    reads, rows = values.shape
    for read in range(reads):
        column = columns[read]
        for row in range(rows):
            level = float(buffer[row, column]) + rate * float(values[read, row])
            due = 0.0
            if abs(level) >= threshold:
                due = 1.0 if level > 0.0 else -1.0
                level *= momentum
            buffer[row, column] = level
            counts[read, row] = due


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
