"""Digital values to read pulses and column voltages to digital values."""

import math

import numpy as np

from cosim.kernels.magnitude import largest_magnitude
from cosim.kernels.rounding import nearest, nearest_small
from device_models.kernels.compile import array, scalar
from device_models.kernels.intrinsics import choose, fused
from device_models.kernels.random_numbers import BLOCK, fill_normals

DURATION_STEPS = 65536.0
NUMBERS = 1024  # normal numbers drawn at a time
ZERO, ONE = np.float32(0.0), np.float32(1.0)
HALF, QUARTER, EIGHTH = np.float32(0.5), np.float32(0.25), np.float32(0.125)
# Lines that are converted bit by bit at a time, and how many of their bits; a row of numbers for each of these bits.
PIECE, BITS_TOGETHER = 512, 4
SECOND, THIRD, FOURTH = (np.uint64(PIECE * number) for number in (1, 2, 3))


@array
def drive_lines(values, levels, driven, scales, rows=None):
    """Scale vectors to full scale and quantise them as the DAC does.

    Parameters
    ----------
    values
        float32 (vectors, lines), finite.
    levels
        Positive levels of the DAC, 2^(bits-1) - 1; 0 for an ideal one.
    driven
        float32 (driven vectors, lines), set to the read pulses in [-1, 1].
    scales
        float64 (vectors,), the value that full scale stands for: without `rows` set to the largest magnitudes,
        with `rows` given, >= 0. Larger values clip; where it is 0 nothing is driven.
    rows
        int64 (driven vectors,), which vectors to drive; all where not given.

    Returns
    -------
    (int, float)
        Lines with a non-zero pulse, and the sum of the pulse durations over the longest.
    """
    lines = values.shape[1]
    largest_bits = np.zeros(1, dtype=np.int32)
    largest, bits = largest_bits.view(np.float32), values.view(np.int32)
    active = 0
    drive = 0.0
    codes = 0
    for place in range(driven.shape[0]):
        vector = place
        if rows is None:
            scales[vector] = largest_magnitude(bits, vector, largest_bits, largest)
        else:
            vector = rows[place]
        inverse = 1.0 / scales[vector] if scales[vector] > 0.0 else 0.0
        if levels > 0:
            # Codes add up as integers, which runs on vector registers where a sum of floats does not.
            for line in range(lines):
                code = nearest(values[vector, line] * inverse * levels)
                if rows is not None:
                    code = min(max(code, -float(levels)), float(levels))
                driven[place, line] = code / levels
                size = int(abs(code))
                codes += size
                active += min(size, 1)
        else:
            for line in range(lines):
                level = values[vector, line] * inverse
                if rows is not None:
                    level = min(max(level, -1.0), 1.0)
                driven[place, line] = level
                active += level != 0.0
                drive += abs(level)
    return active, drive + codes / max(levels, 1)


@array
def lengthen_pulses(driven, change):
    """Make every read pulse longer by the same time, in place; a line without a pulse stays as it is.

    Parameters
    ----------
    driven
        float32 (vectors, lines), signed durations over the longest.
    change
        Added to every duration, same unit.
    """
    longer = np.float32(change)
    flat = driven.reshape(driven.size)
    for place in range(len(flat)):
        pulse = flat[place]
        flat[place] = pulse + choose(pulse > ZERO, longer, choose(pulse < ZERO, -longer, ZERO))


@array
def shift_levels(driven, levels, weights):
    """Replace the levels of a DAC by those that its capacitors make, in place; a line at code 0 stays at 0.

    Parameters
    ----------
    driven
        float32 (vectors, lines), levels of an ideal DAC: whole multiples of 1 / levels.
    levels
        Positive levels of the DAC, 2^(bits-1) - 1.
    weights
        float32 (pieces, places for bits, PIECE), what each bit of each line is worth in steps, see
        `cosim.converters.in_pieces`.
    """
    count, lines = driven.shape
    pieces, bits, _ = weights.shape
    together = max(1, PIECE // max(lines, 1))
    flat, every_weight = driven.reshape(count * lines), weights.reshape(weights.size)
    state = np.empty(2 * PIECE, dtype=np.float32)  # what is left of each code, and the level so far
    steps, middle = np.float32(levels), np.float32(levels + 1)
    for begin in range(0, count, together):
        for piece in range(pieces):
            size = (min(begin + together, count) - begin) * lines if pieces == 1 else min(PIECE, lines - piece * PIECE)
            pulses = flat[begin * lines + piece * PIECE :][:size]
            for place in range(size):
                state[np.uint64(place)] = nearest_small(pulses[place] * steps) + middle
            for place in range(size):
                state[np.uint64(place) + SECOND] = -middle
            worth = middle
            for group in range(bits // BITS_TOGETHER):
                row = np.uint64((piece * bits + group * BITS_TOGETHER) * PIECE)
                half, quarter, eighth = worth * HALF, worth * QUARTER, worth * EIGHTH
                for place in range(size):
                    here = np.uint64(place)
                    left, level = state[here], state[here + SECOND]
                    kept = left >= worth
                    left -= choose(kept, worth, ZERO)
                    level += choose(kept, every_weight[row + here], ZERO)
                    kept = left >= half
                    left -= choose(kept, half, ZERO)
                    level += choose(kept, every_weight[row + here + SECOND], ZERO)
                    kept = left >= quarter
                    left -= choose(kept, quarter, ZERO)
                    level += choose(kept, every_weight[row + here + THIRD], ZERO)
                    kept = left >= eighth
                    left -= choose(kept, eighth, ZERO)
                    level += choose(kept, every_weight[row + here + FOURTH], ZERO)
                    state[here], state[here + SECOND] = left, level
                worth = eighth * HALF
            for place in range(size):
                pulses[place] = choose(pulses[place] == ZERO, ZERO, state[np.uint64(place) + SECOND] / steps)


@array
def bend_columns(voltages, bend):
    """Let columns saturate softly: y becomes y / (1 + bend |y|), in place.

    Parameters
    ----------
    voltages
        float32 (vectors, columns).
    bend
        float32, one over the voltage at which a column is half of what it should be.
    """
    flat = voltages.reshape(voltages.size)
    for place in range(len(flat)):
        flat[place] /= ONE + bend * abs(flat[place])


@array
def add_noise(values, rows, spreads, key, first):
    """Add normal noise to vectors, in place.

    Parameters
    ----------
    values
        float32 (chosen, columns).
    rows
        int64 (chosen,), numbers of the vectors; the noise depends on them, not on which others are chosen.
    spreads
        float64 (chosen,), rms of the noise of each vector.
    key, first
        Address of the random numbers; `first` is the number of values before this call.
    """
    columns = values.shape[1]
    numbers = np.empty(columns + 2 * BLOCK, dtype=np.float32)
    for place in range(rows.size):
        offset = draw_numbers(key, first + rows[place] * columns, columns, numbers)
        for column in range(columns):
            noise = spreads[place] * np.float64(numbers[offset + column])
            values[place, column] = float(values[place, column]) + noise


@scalar
def draw_numbers(key, first, count, numbers):
    """Draw normal numbers first, first + 1, … of a key into `numbers`; return where among others they stand there.

    Numbers are drawn in whole blocks: `numbers` is longer than `count` by two blocks.
    """
    offset = first % BLOCK
    fill_normals(key, first - offset, numbers[: (offset + count + BLOCK - 1) // BLOCK * BLOCK])
    return offset


@array
def line_activity(values):
    """Return how many lines an ideal read of vectors drives, and for how long: as fractions of the longest pulse.

    Pulse durations are taken in steps of 2^-16: whole numbers add up on vector registers, where floats do not.
    """
    vectors, lines = values.shape
    largest_bits = np.zeros(1, dtype=np.int32)
    largest, bits = largest_bits.view(np.float32), values.view(np.int32)
    active = 0
    steps = 0
    for vector in range(vectors):
        top = largest_magnitude(bits, vector, largest_bits, largest)
        inverse = np.float32(DURATION_STEPS / top) if top > 0.0 else np.float32(0.0)
        sum_of_vector = np.int32(0)
        for line in range(lines):
            sum_of_vector += np.int32(abs(values[vector, line]) * inverse)
            active += bits[vector, line] != 0
        steps += int(sum_of_vector)
    return active, steps / DURATION_STEPS


@array
def convert_columns(voltages, levels, full_scale, noise, key, first, total, accumulate, rows=None, clipped=None):
    """Add converter noise, quantise, clip, and add the result to the running sum.

    Parameters
    ----------
    voltages
        float32 (converted vectors, columns), in units of weight times full-scale input.
    levels
        Positive levels of the converter, 2^(bits-1) - 1.
    full_scale
        Largest converted value, same unit.
    noise
        Input-referred noise of the converter, rms, in LSB.
    key, first
        Address of the random numbers; `first` is the number of conversions before this call.
    total
        float32 (vectors, columns), set to (or raised by) the converted values.
    accumulate
        Whether to add to `total`.
    rows
        int64 (converted vectors,), their numbers among the vectors; as they come where not given.
    clipped
        bool (converted vectors,), set to True where a code is beyond the last one; given together with `rows`.
    """
    count, columns = voltages.shape
    # Vectors in order are neighbours in memory: they are done together, as many as fill the cache with numbers.
    together = max(1, NUMBERS // max(columns, 1)) if rows is None else 1
    numbers = np.zeros(together * columns + 2 * BLOCK, dtype=np.float32)
    flat_voltages, flat_total = voltages.reshape(count * columns), total.reshape(total.size)
    step, per_step = np.float32(full_scale / levels), np.float32(levels / full_scale)
    highest, spread = np.float32(levels), np.float32(noise)
    for begin in range(0, count, together):
        size = (min(begin + together, count) - begin) * columns
        target = (begin if rows is None else rows[begin]) * columns
        offset = draw_numbers(key, first + target, size, numbers) if noise > 0.0 else 0
        given, noises = flat_voltages[begin * columns :], numbers[offset:]
        sums = flat_total[target : target + size]
        for place in range(len(sums)):
            code = nearest_small(min(max(fused(spread, noises[place], given[place] * per_step), -highest), highest))
            sums[place] = code * step + (sums[place] if accumulate else ZERO)
        if clipped is not None:
            beyond = 0
            for place in range(len(sums)):
                beyond += abs(fused(spread, noises[place], given[place] * per_step)) >= highest + HALF
            clipped[begin] |= beyond > 0


@array
def convert_bit_by_bit(
    voltages, levels, full_scale, noise, key, first, total, accumulate, offsets, weights, rows=None, clipped=None
):
    """Do what `convert_columns` does, by successive approximation with the capacitors of every column's converter.

    Parameters
    ----------
    voltages, levels, full_scale, noise, key, first, total, accumulate, rows, clipped
        As of `convert_columns`; a code is beyond the last one where the voltage is, after the offset.
    offsets
        float32 (pieces, PIECE), what each column's converter reads too low, in LSB.
    weights
        float32 (pieces, places for bits, PIECE), what each of its bits is worth in LSB, the highest first. Both
        are laid out by `cosim.converters.in_pieces`.
    """
    count, columns = voltages.shape
    pieces, bits, _ = weights.shape
    together = max(1, PIECE // max(columns, 1)) if rows is None else 1
    numbers = np.zeros(PIECE + 2 * BLOCK, dtype=np.float32)
    flat_voltages, flat_total = voltages.reshape(count * columns), total.reshape(total.size)
    every_weight = weights.reshape(weights.size)
    state = np.empty(2 * PIECE, dtype=np.float32)  # what is left of each voltage, and the code so far
    step, per_step = np.float32(full_scale / levels), np.float32(levels / full_scale)
    highest, spread = np.float32(levels), np.float32(noise)
    middle, start = np.float32(levels + 1), np.float32(levels + 1.5)
    for begin in range(0, count, together):
        for piece in range(pieces):
            size = columns - piece * PIECE if pieces > 1 else (min(begin + together, count) - begin) * columns
            size = min(size, PIECE)
            target = (begin if rows is None else rows[begin]) * columns + piece * PIECE
            offset = draw_numbers(key, first + target, size, numbers) if noise > 0.0 else 0
            given, noises = flat_voltages[begin * columns + piece * PIECE :], numbers[offset:]
            sums, shifts = flat_total[target : target + size], offsets[piece]
            for place in range(size):
                state[np.uint64(place)] = fused(spread, noises[place], given[place] * per_step) - shifts[place]
            if clipped is not None:
                beyond = 0
                for place in range(size):
                    beyond += abs(state[np.uint64(place)]) >= highest + HALF
                clipped[begin] |= beyond > 0
            for place in range(size):
                state[np.uint64(place)] += start
            for place in range(size):
                state[np.uint64(place) + SECOND] = -middle
            worth = middle
            for group in range(bits // BITS_TOGETHER):
                row = np.uint64((piece * bits + group * BITS_TOGETHER) * PIECE)
                half, quarter, eighth = worth * HALF, worth * QUARTER, worth * EIGHTH
                # A few bits at a time stay in registers; a code is kept where the voltage is above its level.
                for place in range(size):
                    here = np.uint64(place)
                    left, code = state[here], state[here + SECOND]
                    weight = every_weight[row + here]
                    kept = left >= weight
                    left -= choose(kept, weight, ZERO)
                    code += choose(kept, worth, ZERO)
                    weight = every_weight[row + here + SECOND]
                    kept = left >= weight
                    left -= choose(kept, weight, ZERO)
                    code += choose(kept, half, ZERO)
                    weight = every_weight[row + here + THIRD]
                    kept = left >= weight
                    left -= choose(kept, weight, ZERO)
                    code += choose(kept, quarter, ZERO)
                    weight = every_weight[row + here + FOURTH]
                    kept = left >= weight
                    left -= choose(kept, weight, ZERO)
                    code += choose(kept, eighth, ZERO)
                    state[here], state[here + SECOND] = left, code
                worth = eighth * HALF
            for place in range(len(sums)):
                code = max(state[np.uint64(place) + SECOND], -highest)
                sums[place] = code * step + (sums[place] if accumulate else ZERO)


@array
def scale_rows(values, scales):
    """Multiply each vector by its scale, in place."""
    for vector in range(values.shape[0]):
        for column in range(values.shape[1]):
            values[vector, column] = float(values[vector, column]) * scales[vector]


@array
def all_finite(values):
    """Return whether a flat array holds neither NaN nor infinity."""
    for value in values:
        if not math.isfinite(value):
            return False
    return True
