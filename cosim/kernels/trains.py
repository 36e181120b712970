"""Pulse trains of the lines of a tile: how long they are, how often a line fires in them, and in which slots."""

import math

import numpy as np

from cosim.kernels.magnitude import largest_magnitude
from cosim.kernels.rounding import nearest
from device_models.kernels.compile import array, scalar
from device_models.kernels.intrinsics import bits_float, count_bits, float_bits
from device_models.kernels.random_numbers import fires, high_half, low_half, subkey, threshold, uniform

# Sub-streams of one vector: trains of the input lines, trains of the output lines.
INPUT_TRAINS, OUTPUT_TRAINS = 0, 1
# Relative error of float32 inputs and errors: a whole number of steps must not take one slot more because of it.
ROUNDING = 1e-6
# Numbers of a side's key far from those of its trains.
ROUNDING_NUMBERS = 1 << 40
# How trains become device pulses.
STOCHASTIC, MEAN_COUNT, DETERMINISTIC = 0, 1, 2

# A word of a train: 31 slots, and the sign of the line's value above them.
WORD_SLOTS = 31
SIGN, PULSES = np.uint32(1 << 31), np.uint32((1 << 31) - 1)


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
def resolve(chances, lines, resolution, stochastic_rounding, key):
    """Round the probabilities of the first lines to steps of `resolution`, to the nearest one or at random."""
    for line in range(lines):
        steps = chances[line] / resolution
        if stochastic_rounding:
            steps = math.floor(steps + uniform(key, ROUNDING_NUMBERS + line))
        else:
            steps = nearest(steps)
        chances[line] = steps * resolution


@scalar
def words_of(length, pulse_type):
    """Return how many words a train takes."""
    return (length + WORD_SLOTS - 1) // WORD_SLOTS if pulse_type == STOCHASTIC else 1


@scalar
def sign_of(value):
    """Return the sign bit of a word."""
    return SIGN if value < np.float32(0.0) else np.uint32(0)


@scalar
def draw_slot(values, vector, scale, key, words, place):
    """Draw trains of one slot for all lines of a vector, and return their pulses; see `draw_side`.

    Most trains of devices with few states are that short. Loops over lines are inside and have no branches, so that
    they run on vector registers.
    """
    low, high = low_half(key), high_half(key)
    for line in range(values.shape[1]):
        value = values[vector, line]
        limit = threshold(scale * abs(np.float64(value)))
        words[place, 0, line] = sign_of(value) | np.uint32(fires(low, high, line, limit))
    pulses = np.uint32(0)
    for line in range(values.shape[1]):
        pulses = np.uint32(pulses + (words[place, 0, line] & PULSES))
    return np.float64(pulses)


@array
def draw_side(values, vector, scale, length, rules, key, words, place):
    """Draw the trains of all lines of a vector, and return their pulses.

    Parameters
    ----------
    values, vector
        float32 (vectors, lines), and which of them.
    scale, length
        See `train_settings`.
    rules
        See `draw_trains`. Trains that are not stochastic are a number of pulses, as the bits of a float32.
    key
        Address of the random numbers.
    words, place
        uint32 (vectors, words, lines) with 31 slots in a word, and the vector's place in it, set.
    """
    pulse_type, resolution, stochastic_rounding = rules[3], rules[5], rules[6]
    lines = values.shape[1]
    chances, limits = np.empty(lines), np.empty(lines, dtype=np.int32)
    for line in range(lines):
        chances[line] = scale * abs(np.float64(values[vector, line]))
    if resolution > 0.0:
        resolve(chances, lines, resolution, stochastic_rounding, key)
    pulses = 0.0
    if pulse_type != STOCHASTIC:
        for line in range(lines):
            share = length * min(chances[line], 1.0)
            if pulse_type == MEAN_COUNT:
                share = nearest(share)
            words[place, 0, line] = sign_of(values[vector, line]) | np.uint32(float_bits(np.float32(share)))
            pulses += share
        return pulses
    low, high = low_half(key), high_half(key)
    for line in range(lines):
        limits[line] = threshold(chances[line])
    for number in range(words_of(length, pulse_type)):
        first = number * WORD_SLOTS
        for line in range(lines):
            words[place, number, line] = sign_of(values[vector, line])
        for slot in range(min(WORD_SLOTS, length - first)):
            start, shift = (first + slot) * lines, np.uint32(slot)
            for line in range(lines):
                fired = np.uint32(fires(low, high, start + line, limits[line]))
                words[place, number, line] |= np.uint32(fired << shift)
        fired_in_all = np.uint32(0)
        for line in range(lines):
            fired_in_all = np.uint32(fired_in_all + count_bits(np.uint32(words[place, number, line] & PULSES)))
        pulses += fired_in_all
    return pulses


@scalar
def share_of(word):
    """Return the pulses of a line whose word holds them as a float32."""
    return np.float64(bits_float(np.int32(word & PULSES)))


@scalar
def list_fired(words, place, count, fired):
    """List the lines that fire in any of the first `count` words of a vector, and return their number."""
    found = 0
    for line in range(words.shape[2]):
        word = words[place, 0, line]
        for number in range(1, count):
            word |= words[place, number, line]
        # Written in any case and kept where it fires: no branch to guess.
        fired[place, found] = line
        found += (word & PULSES) != np.uint32(0)
    return found


@array
def draw_trains(
    inputs,
    errors,
    begin,
    end,
    rate,
    granularity,
    rules,
    key,
    error_words,
    input_words,
    rows,
    row_counts,
    columns,
    column_counts,
    lengths,
    activity,
):
    """Draw the trains of a range of vectors.

    The error trains are drawn first; where none of them fires, the input drivers stay idle.

    Parameters
    ----------
    inputs, errors
        float32 (vectors, columns) and (vectors, rows), finite.
    begin, end
        The vectors to draw; vector v stands at place v - `begin` of what is set.
    rate, granularity
        Learning rate, >= 0, and the mean step at zero weight that the controller assumes, > 0.
    rules
        Tuple: longest train in slots, update management, length management, pulse type, error share, resolution,
        stochastic rounding; see `cosim.tile.PulsedUpdate` and `train_settings`.
    key
        Address of the random numbers of the whole update.
    error_words, input_words
        uint32 (vectors, words, rows) and (vectors, words, columns), set where trains meet.
    rows, row_counts, columns, column_counts
        int32 (vectors, lines) and (vectors,), set likewise: the lines that fire, and how many there are.
    lengths
        int32 (vectors,), set: slots of the trains; 0 where no train meets another.
    activity
        float64[4], raised: vectors, slots, pulses on input lines, pulses on output lines.
    """
    max_length, update_management, length_management, pulse_type, error_share, resolution = rules[:6]
    plain = pulse_type == STOCHASTIC and resolution == 0.0
    largest_bits = np.zeros(1, dtype=np.int32)
    largest = largest_bits.view(np.float32)
    input_bits, error_bits = inputs.view(np.int32), errors.view(np.int32)
    scales = np.empty((end - begin, 2))
    # Two loops: the divisions and roots of one vector after the other overlap, if nothing waits for them at once.
    for vector in range(begin, end):
        place = vector - begin
        lengths[place] = 0
        error_max = largest_magnitude(error_bits, vector, largest_bits, largest)
        input_max = largest_magnitude(input_bits, vector, largest_bits, largest)
        if error_max > 0.0 and input_max > 0.0 and rate > 0.0:
            lengths[place], scales[place, 0], scales[place, 1] = train_settings(
                rate, input_max, error_max, granularity, max_length, update_management, length_management, error_share
            )
            activity[1] += lengths[place]
    activity[0] += end - begin
    for vector in range(begin, end):
        place = vector - begin
        length = lengths[place]
        if length == 0:
            continue
        vector_key = subkey(key, vector)
        error_key, input_key = subkey(vector_key, OUTPUT_TRAINS), subkey(vector_key, INPUT_TRAINS)
        input_scale, error_scale = scales[place, 0], scales[place, 1]
        if plain and length == 1:
            pulses = draw_slot(errors, vector, error_scale, error_key, error_words, place)
        else:
            pulses = draw_side(errors, vector, error_scale, length, rules, error_key, error_words, place)
        if pulses == 0.0:
            lengths[place] = 0
            continue
        activity[3] += pulses
        if plain and length == 1:
            activity[2] += draw_slot(inputs, vector, input_scale, input_key, input_words, place)
        else:
            activity[2] += draw_side(inputs, vector, input_scale, length, rules, input_key, input_words, place)
        words = words_of(length, pulse_type)
        row_counts[place] = list_fired(error_words, place, words, rows)
        column_counts[place] = list_fired(input_words, place, words, columns)
        if column_counts[place] == 0:
            lengths[place] = 0


@array
def gather_events(rows, row_counts, lengths, row_starts, events):
    """Sort what fires by rows.

    Parameters
    ----------
    rows, row_counts, lengths
        See `draw_trains`.
    row_starts
        int64 (rows + 1,), set: where the events of each row begin.
    events
        int32 (vectors x rows,), set: for each row the vectors whose error trains fire there, in order.
    """
    row_starts[:] = 0
    for vector in range(len(lengths)):
        if lengths[vector]:
            for place in range(row_counts[vector]):
                row_starts[rows[vector, place] + 1] += 1
    for row in range(1, len(row_starts)):
        row_starts[row] += row_starts[row - 1]
    free = row_starts[:-1].copy()
    for vector in range(len(lengths)):
        if lengths[vector]:
            for place in range(row_counts[vector]):
                row = rows[vector, place]
                events[free[row]] = vector
                free[row] += 1
