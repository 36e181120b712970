"""Rank-1 updates of a tile by coincidences of stochastic pulse trains."""

import math

import numpy as np

from cosim.kernels.convert import nearest
from cosim.kernels.magnitude import largest_magnitude
from device_models.kernels.compile import array, bernoulli, bernoulli_threshold, normal, scalar, subkey, uniform
from device_models.kernels.pulse import FIRST_TABULATED, pulse_times, tabulated_pulse_times

# Sub-streams of one vector: trains of the input lines, trains of the output lines, cycle-to-cycle noise.
INPUT_TRAINS, OUTPUT_TRAINS, CYCLE_NOISE = 0, 1, 2
WORD_SLOTS = 64  # slots in one word of a train
SLOTS_MAX = 1024
# Relative error of float32 inputs and errors: a whole number of steps must not take one slot more because of it.
ROUNDING = 1e-6
# Numbers of a side's key far from those of its trains.
ROUNDING_NUMBERS = 1 << 40
# How trains become device pulses.
STOCHASTIC, MEAN_COUNT, DETERMINISTIC = 0, 1, 2

# Order of the activity returned by `pulsed_update`.
ACTIVITY = ("vectors", "slots", "input_pulses", "output_pulses", "coincidences", "cells_touched")


@scalar
def train_settings(
    rate, input_max, error_max, granularity, max_length, update_management, length_management, error_share
):
    """Return train length, input scale and error scale of one rank-1 update.

    A line fires in a slot with probability scale x |value|. With k = rate |x|max |d|max / granularity, length
    management takes min(ceil(k), max_length) slots and switches update management on, which balances the two
    sides so that neither saturates first (Gokmen and Vlasov 2016; Rasch et al. 2021). Without it the length is
    fixed, and a probability above 1 counts as 1. Errors above `error_share` of the largest count as that.
    """
    error_max *= error_share
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
def draw_trains(values, vector, scale, length, key, thresholds, drawn):
    """Draw the trains of all lines of a vector as bits of `drawn` (words, lines); int64 `thresholds` are scratch.

    Two loops without branches over whole numbers, so that both run on vector registers: what probability a line
    has, and which lines fire in a slot.
    """
    words, lines = drawn.shape
    per_line = words * WORD_SLOTS
    magnitudes = values[vector]
    for line in range(lines):
        thresholds[line] = bernoulli_threshold(scale * abs(np.float64(magnitudes[line])))
    drawn[:] = 0
    for slot in range(length):
        trains, shift = drawn[slot // WORD_SLOTS], np.uint64(slot % WORD_SLOTS)
        for line in range(lines):
            trains[line] |= np.uint64(bernoulli(key, line * per_line + slot, thresholds[line])) << shift


@scalar
def count_bits(train):
    """Return the number of pulses in a word of a train."""
    fired = 0
    while train:
        train &= train - np.uint64(1)
        fired += 1
    return fired


@scalar
def active_lines(values, vector, scale, length, pulse_type, key, thresholds, drawn, trains, shares, active):
    """Find the lines of one vector that fire, and draw their trains.

    Returns
    -------
    (int, float)
        Number of such lines, whose places are in `active`, and their pulses; `trains` (lines, words) or `shares`
        (pulses over slots) are set in the same order. `thresholds` (lines,) and `drawn` (words, lines) are scratch.
    """
    count = 0
    total = 0.0
    words, lines = drawn.shape
    if pulse_type == STOCHASTIC:
        draw_trains(values, vector, scale, length, key, thresholds, drawn)
    for line in range(lines):
        pulses = 0.0
        if pulse_type == STOCHASTIC:
            for word in range(words):
                if drawn[word, line]:
                    pulses += count_bits(drawn[word, line])
        else:
            pulses = length * min(scale * abs(np.float64(values[vector, line])), 1.0)
            if pulse_type == MEAN_COUNT:
                pulses = nearest(pulses)
        if pulses > 0.0:
            for word in range(words):
                trains[count, word] = drawn[word, line]
            shares[count] = pulses / length
            active[count] = line
            count += 1
            total += pulses
    return count, total


@scalar
def resolve_lines(values, vector, scale, resolution, stochastic_rounding, key, resolved):
    """Set the magnitudes of one vector to what the generator resolves: probabilities in steps of `resolution`.

    They are rounded to the nearest step or at random, and divided by the scale again.
    """
    for line in range(values.shape[1]):
        steps = scale * abs(np.float64(values[vector, line])) / resolution
        if stochastic_rounding:
            steps = math.floor(steps + uniform(key, ROUNDING_NUMBERS + line))
        else:
            steps = nearest(steps)
        resolved[0, line] = steps * resolution / scale


@array
def pulsed_update(
    family,
    weights,
    stored,
    parameters,
    paired,
    curve,
    noise,
    tables,
    cycle_noise,
    write_noise,
    inputs,
    errors,
    rate,
    granularity,
    max_length,
    update_management,
    length_management,
    pulse_type,
    error_share,
    resolution,
    stochastic_rounding,
    key,
    composite,
    significance,
):
    """Change a tile by -rate x error x input for one vector after the other, by pulse coincidences.

    The error trains are drawn first; where none of them fires, the input drivers stay idle. A cross-point gets
    one device pulse per slot in which both of its lines fire.

    Parameters
    ----------
    family, curve, noise, tables, cycle_noise
        The devices, see `device_models.kernels.pulse.pulse_times` and `tabulated_pulse_times`.
    weights
        float32 (rows, columns): what is read, changed in place.
    stored
        float32 (1 or 2, rows, columns): what the devices hold, changed in place; the second is a reference or the
        second devices of pairs, and is subtracted. Without either, and without write noise, the memory of `weights`.
    parameters
        float32 (1, rows, columns, n), or (2, rows, columns, n) for pairs.
    paired
        Whether weights are pairs of one-sided devices.
    write_noise
        Spread of what is read about what is stored, in weight units.
    inputs, errors
        float32 (vectors, columns) and (vectors, rows), finite.
    rate
        Learning rate, >= 0.
    granularity
        Mean step at zero weight that the controller assumes, > 0.
    max_length
        Longest train, 1 to `SLOTS_MAX` slots.
    update_management, length_management, error_share
        See `train_settings`.
    pulse_type
        STOCHASTIC; MEAN_COUNT: round(slots p) pulses per line, round(pulses x pulses / slots) coincidences;
        DETERMINISTIC: round(slots p p) coincidences.
    resolution, stochastic_rounding
        See `resolve_lines`.
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
    words = (max_length + WORD_SLOTS - 1) // WORD_SLOTS
    has_extra, subtracts = parameters.shape[3] > 4, stored.shape[0] == 2
    # One index per cross-point: products of four strides would cost more than the pulse.
    cells = rows * columns
    cells_read, cells_composite = weights.reshape(cells), composite.reshape(cells)
    cells_stored = stored.reshape(stored.shape[0], cells)
    devices = parameters.reshape(parameters.shape[0], cells, parameters.shape[3])
    activity = np.zeros(6)
    row_trains = np.zeros((rows, words), dtype=np.uint64)
    column_trains = np.zeros((columns, words), dtype=np.uint64)
    thresholds = np.zeros(max(rows, columns), dtype=np.int64)
    drawn_rows = np.zeros((words, rows), dtype=np.uint64)
    drawn_columns = np.zeros((words, columns), dtype=np.uint64)
    resolved_errors = np.zeros((1, rows), dtype=np.float32)
    resolved_inputs = np.zeros((1, columns), dtype=np.float32)
    row_shares = np.zeros(rows)
    column_shares = np.zeros(columns)
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
            rate, input_max, error_max, granularity, max_length, update_management, length_management, error_share
        )
        activity[1] += length
        vector_key = subkey(key, vector)
        error_key, input_key = subkey(vector_key, OUTPUT_TRAINS), subkey(vector_key, INPUT_TRAINS)
        error_values, error_vector = errors, vector
        input_values, input_vector = inputs, vector
        if resolution > 0.0:
            resolve_lines(errors, vector, error_scale, resolution, stochastic_rounding, error_key, resolved_errors)
            resolve_lines(inputs, vector, input_scale, resolution, stochastic_rounding, input_key, resolved_inputs)
            error_values, error_vector = resolved_errors, 0
            input_values, input_vector = resolved_inputs, 0
        row_count, row_pulses = active_lines(
            error_values, error_vector, error_scale, length, pulse_type,
            error_key, thresholds, drawn_rows, row_trains, row_shares, active_rows,
        )  # fmt: skip
        if row_count == 0:
            continue
        column_count, column_pulses = active_lines(
            input_values, input_vector, input_scale, length, pulse_type,
            input_key, thresholds, drawn_columns, column_trains, column_shares, active_columns,
        )  # fmt: skip
        activity[2] += column_pulses
        activity[3] += row_pulses
        noise_key = subkey(vector_key, CYCLE_NOISE)
        for row_index in range(row_count):
            row = active_rows[row_index]
            error_positive = errors[vector, row] > 0.0
            for column_index in range(column_count):
                pulses = 0
                if pulse_type == STOCHASTIC:
                    for word in range(words):
                        pulses += count_bits(row_trains[row_index, word] & column_trains[column_index, word])
                else:
                    pulses = int(nearest(length * row_shares[row_index] * column_shares[column_index]))
                if pulses == 0:
                    continue
                column = active_columns[column_index]
                up = (inputs[vector, column] > 0.0) != error_positive
                # Of a pair the second device takes the down pulses, as up pulses; a reference is never pulsed.
                side = 1 if paired and not up else 0
                cell = row * columns + column
                cell_key = subkey(noise_key, cell)
                held = np.float64(cells_stored[side, cell])  # compiled, float() would leave it in 32 bits
                step_up, step_down = np.float64(devices[side, cell, 0]), np.float64(devices[side, cell, 1])
                highest, lowest = np.float64(devices[side, cell, 2]), np.float64(devices[side, cell, 3])
                if family >= FIRST_TABULATED:
                    held = tabulated_pulse_times(
                        family, held, up or paired, step_up, step_down, highest, lowest,
                        tables, cycle_noise, cell_key, pulses,
                    )  # fmt: skip
                else:
                    extra_up, extra_down = 0.0, 0.0
                    if has_extra:
                        extra_up, extra_down = np.float64(devices[side, cell, 4]), np.float64(devices[side, cell, 5])
                    held = pulse_times(
                        family, held, up or paired, step_up, step_down, highest, lowest, extra_up, extra_down,
                        curve, noise, cycle_noise, cell_key, pulses,
                    )  # fmt: skip
                before = np.float64(cells_read[cell])
                cells_stored[side, cell] = held
                visible = np.float64(cells_stored[0, cell])
                if subtracts:
                    visible -= np.float64(cells_stored[1, cell])
                if write_noise > 0.0:
                    visible += write_noise * normal(cell_key, pulses)
                cells_read[cell] = visible
                change = np.float64(cells_read[cell]) - before
                cells_composite[cell] = np.float64(cells_composite[cell]) + significance * change
                activity[4] += pulses
                activity[5] += 1
    return activity


@array
def age_devices(stored, side, parameters, decay, diffusion, reset, key):
    """Let the devices of one side age by one mini-batch: decay toward the reset value, then a random step.

    Parameters
    ----------
    stored, side
        float32 (1 or 2, rows, columns), changed in place, and which of them.
    parameters
        float32 (1 or 2, rows, columns, n): the devices, whose bounds hold.
    decay, diffusion, reset
        float32 (rows, columns): factor of the distance to the reset value, spread of the step, reset value.
    key
        Address of the random numbers.
    """
    rows, columns = decay.shape
    for row in range(rows):
        for column in range(columns):
            rest = np.float64(reset[row, column])
            value = (np.float64(stored[side, row, column]) - rest) * np.float64(decay[row, column]) + rest
            spread = np.float64(diffusion[row, column])
            if spread > 0.0:
                value += spread * normal(key, row * columns + column)
            highest = np.float64(parameters[side, row, column, 2])
            lowest = np.float64(parameters[side, row, column, 3])
            stored[side, row, column] = min(max(value, lowest), highest)


@array
def expose(weights, stored, write_noise, key):
    """Set what is read from what is stored: minus reference or second device, with write noise."""
    rows, columns = weights.shape
    for row in range(rows):
        for column in range(columns):
            value = np.float64(stored[0, row, column])
            if stored.shape[0] == 2:
                value -= np.float64(stored[1, row, column])
            if write_noise > 0.0:
                value += write_noise * normal(key, row * columns + column)
            weights[row, column] = value


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
