"""Rank-1 updates of a tile: coinciding pulses change devices.

A cross-point depends on itself alone, so the rows of a tile are done one after the other, each with the whole batch in
the order of its vectors: a row stays in the processor's cache, and rows can be shared among threads. Where few columns
fire, the coinciding pulses of a row are listed and then done one by one, by any family. Where many do, all columns of
the row are done at once on vector registers, with the pulses of a vector on a cross-point taken together.
"""

import math

import numpy as np

from cosim.kernels.rounding import nearest
from cosim.kernels.trains import (
    PULSES,
    STOCHASTIC,
    draw_trains,
    gather_events,
    share_of,
    words_of,
)
from device_models.kernels.compile import array, scalar
from device_models.kernels.intrinsics import choose, count_bits, fused
from device_models.kernels.pulse import FIRST_TABULATED, pulse, tabulated_pulse
from device_models.kernels.random_numbers import BLOCK, fill_normals, subkey

# Sub-streams of an update, beside its vectors: cycle-to-cycle noise and write noise, each with one stream a row.
CYCLE_NOISE, WRITE_NOISE = (1 << 40), (1 << 40) + 1

# Order of the activity returned by `pulsed_update`.
ACTIVITY = ("vectors", "slots", "input_pulses", "output_pulses", "coincidences", "cells_touched")

VISITS = 512  # listed pulses before they are done
WORDS_MAX = 1 << 20  # words of trains held at a time
# A row is done as a whole where one column in so many fires, without and with cycle-to-cycle noise.
QUIET_SHARE, NOISY_SHARE = 8, 4
# Pulses are taken together where the response is a straight line (a family with a code of at most 1), nearly flat and
# not too noisy; devices that are steeper are left to the list, up to one in so many.
LAST_LINEAR, SLOPE_MAX, CYCLE_NOISE_MAX = 1, 1 / 64, 0.5
STEEP_SHARE = 8

ZERO, HALF, ONE = np.float32(0.0), np.float32(1 / 2), np.float32(1.0)
THIRD, FOURTH = np.float32(1 / 3), np.float32(1 / 4)
# Factors of the series of exp(y).
E3, E4, E5, E6 = np.float32(1 / 6), np.float32(1 / 24), np.float32(1 / 120), np.float32(1 / 720)


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
    gentle,
    inputs,
    errors,
    rate,
    granularity,
    rules,
    key,
    composite,
    significance,
):
    """Change a tile by -rate x error x input for one vector after the other, by pulse coincidences.

    A cross-point gets one device pulse per slot in which both of its lines fire.

    Parameters
    ----------
    family, weights, stored, parameters, paired, curve, noise, tables, cycle_noise, write_noise, gentle
        The devices, see `pulse_rows`.
    inputs, errors
        float32 (vectors, columns) and (vectors, rows), finite.
    rate
        Learning rate, >= 0.
    granularity
        Mean step at zero weight that the controller assumes, > 0.
    rules
        How trains are made, see `cosim.kernels.trains.draw_trains`.
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
    words = words_of(rules[0], rules[3])
    most = max(1, min(vectors, WORDS_MAX // max(words * (rows + columns), 1)))
    error_words = np.empty((most, words, rows), dtype=np.uint32)
    input_words = np.empty((most, words, columns), dtype=np.uint32)
    fired_rows, row_counts = np.empty((most, rows), dtype=np.int32), np.empty(most, dtype=np.int32)
    fired_columns, column_counts = np.empty((most, columns), dtype=np.int32), np.empty(most, dtype=np.int32)
    lengths = np.empty(most, dtype=np.int32)
    row_starts, events = np.empty(rows + 1, dtype=np.int64), np.empty(most * rows, dtype=np.int32)
    for begin in range(0, vectors, most):
        end = min(begin + most, vectors)
        draw_trains(
            inputs, errors, begin, end, rate, granularity, rules, key,
            error_words, input_words, fired_rows, row_counts, fired_columns, column_counts, lengths, activity,
        )  # fmt: skip
        gather_events(fired_rows, row_counts, lengths[: end - begin], row_starts, events)
        pulse_rows(
            0, rows, family, weights, stored, parameters, paired, curve, noise, tables, cycle_noise, write_noise,
            gentle, rules[3], error_words, input_words, fired_columns, column_counts, lengths[: end - begin],
            row_starts, events, key, begin, composite, significance, activity,
        )  # fmt: skip
    return activity


@array
def pulse_rows(
    first_row,
    last_row,
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
    gentle,
    pulse_type,
    error_words,
    input_words,
    fired_columns,
    column_counts,
    lengths,
    row_starts,
    events,
    key,
    first_vector,
    composite,
    significance,
    activity,
):
    """Pulse a range of rows of a tile.

    Parameters
    ----------
    first_row, last_row
        The rows, the last one not among them.
    family, curve, noise, tables, cycle_noise
        The devices, see `device_models.kernels.pulse.pulse` and `tabulated_pulse`.
    weights
        float32 (rows, columns): what is read, changed in place.
    stored
        float32 (1 or 2, rows, columns): what the devices hold, changed in place; the second is a reference or the
        second devices of pairs, and is subtracted. Without either, and without write noise, the memory of `weights`.
    parameters
        float32 (1, n, rows, columns), or (2, n, rows, columns) for pairs.
    paired
        Whether weights are pairs of one-sided devices.
    write_noise
        Spread of what is read about what is stored, in weight units.
    gentle
        Whether most slopes of a family that has them are at most `SLOPE_MAX`: else no row is done as a whole.
    pulse_type
        STOCHASTIC; MEAN_COUNT: round(slots p) pulses per line, round(pulses x pulses / slots) coincidences;
        DETERMINISTIC: round(slots p p) coincidences.
    error_words, input_words, fired_columns, column_counts, lengths
        The trains, see `cosim.kernels.trains.draw_trains`.
    row_starts, events
        The vectors that pulse each row, see `cosim.kernels.trains.gather_events`.
    key, first_vector
        Address of the random numbers of the update, and its first vector among these; each row has its own stream.
    composite, significance
        See `pulsed_update`.
    activity
        float64[6], raised at 4 and 5: device pulses, and how often a vector changed a cross-point.
    """
    columns = weights.shape[1]
    cells = weights.size
    # One index per cross-point: products of three strides would cost more than the pulse.
    cells_read, cells_composite = weights.reshape(cells), composite.reshape(cells)
    cells_stored = stored.reshape(stored.shape[0], cells)
    devices = parameters.reshape(parameters.shape[0], parameters.shape[1], cells)
    together = (
        (gentle or family == 0) and is_linear(family, noise, paired, write_noise)
        and cycle_noise <= CYCLE_NOISE_MAX and pulse_type == STOCHASTIC
        and many_fire(column_counts, lengths, columns, NOISY_SHARE if cycle_noise > 0.0 else QUIET_SHARE)
    )  # fmt: skip
    before, steep = np.empty(columns if together else 0, np.float32), np.empty(columns if together else 0, np.int32)
    visit_columns, visit_ups = np.empty(VISITS, dtype=np.int32), np.empty(VISITS, dtype=np.bool_)
    cycle_numbers, write_numbers = np.zeros(VISITS, dtype=np.float32), np.zeros(VISITS, dtype=np.float32)
    cycle_key, write_key = subkey(key, CYCLE_NOISE + 2 * first_vector), subkey(key, WRITE_NOISE + 2 * first_vector)
    pulses_done, cells_touched = np.int64(0), np.int64(0)
    for row in range(first_row, last_row):
        row_events = events[row_starts[row] : row_starts[row + 1]]
        if len(row_events) == 0:
            continue
        start, drawn, listed, steep_count = row * columns, 0, 0, -1
        cycle_row, write_row = subkey(cycle_key, row), subkey(write_key, row)
        if together:
            before[:] = cells_read[start : start + columns]
            drawn, steep_count = pulse_row(
                row, cells_stored[0], devices, family == 0, error_words, input_words, lengths, row_events, cycle_noise,
                cycle_row, steep, activity,
            )  # fmt: skip
        # What a row taken together does not change itself: everything, or its steep devices.
        row_significance = significance if steep_count < 0 else 0.0
        for place in range(len(row_events) if steep_count else 0):
            vector = np.uint64(row_events[place])
            word, length = error_words[vector, 0, row], lengths[vector]
            count = column_counts[vector] if steep_count < 0 else steep_count
            words = words_of(length, pulse_type)
            for candidate in range(count):
                column = np.uint64(fired_columns[vector, candidate] if steep_count < 0 else steep[candidate])
                given = input_words[vector, 0, column]
                both = np.int64(1)  # what fires in the only slot meets
                if pulse_type != STOCHASTIC:
                    both = np.int64(nearest(share_of(word) * share_of(given) / length))
                elif length > 1 or steep_count >= 0:
                    both = np.int64(count_bits(np.uint32(word & given & PULSES)))
                    for number in range(1, words):
                        meet = error_words[vector, number, row] & input_words[vector, number, column]
                        both += np.int64(count_bits(np.uint32(meet & PULSES)))
                up = np.uint32(word ^ given) > PULSES
                for _ in range(both):
                    if listed == VISITS:
                        drawn = pulse_listed(
                            family, cells_read, cells_stored, devices, paired, curve, noise, tables, cycle_noise,
                            write_noise, start, visit_columns, visit_ups, listed, cycle_numbers, cycle_row,
                            write_numbers, write_row, drawn, cells_composite, row_significance,
                        )  # fmt: skip
                        listed = 0
                    visit_columns[np.uint64(listed)], visit_ups[np.uint64(listed)] = column, up
                    listed += 1
                if steep_count < 0:  # `pulse_row` has counted its steep devices too
                    pulses_done += both
                    cells_touched += both > 0
        if listed:
            pulse_listed(
                family, cells_read, cells_stored, devices, paired, curve, noise, tables, cycle_noise,
                write_noise, start, visit_columns, visit_ups, listed, cycle_numbers, cycle_row,
                write_numbers, write_row, drawn, cells_composite, row_significance,
            )  # fmt: skip
        if steep_count >= 0:
            for cell in range(start, start + columns):
                if stored.shape[0] == 2:
                    cells_read[cell] = cells_stored[0, cell] - cells_stored[1, cell]
                change = np.float64(cells_read[cell]) - np.float64(before[cell - start])
                cells_composite[cell] = np.float64(cells_composite[cell]) + significance * change
    activity[4] += pulses_done
    activity[5] += cells_touched


@scalar
def is_linear(family, noise, paired, write_noise):
    """Return whether the response is a straight line, with noise in proportion to the step, and a read sees it bare."""
    return family <= LAST_LINEAR and noise[0] == 0.0 and not paired and write_noise == 0.0


@scalar
def many_fire(column_counts, lengths, columns, share):
    """Return whether one column in `share` fires in the mean."""
    fired, vectors = 0, 0
    for vector in range(len(lengths)):
        if lengths[vector] > 0:
            fired += column_counts[vector]
            vectors += 1
    return fired * share >= vectors * columns and vectors > 0


@array
def pulse_row(
    row, held_cells, devices, flat, error_words, input_words, lengths, row_events, cycle_noise, cycle_row, steep,
    activity,
):  # fmt: skip
    """Give a row of devices with linear response the pulses of all its vectors, those of a vector together.

    Parameters
    ----------
    row
        Which row.
    held_cells, devices
        What the devices hold, one index per cross-point, and their parameters, see `pulse_listed`.
    flat
        Constant step; else soft bounds.
    error_words, input_words, lengths, row_events
        The trains, and the vectors that pulse this row.
    cycle_noise, cycle_row
        Relative cycle-to-cycle spread, and the address of the normal numbers of the row.
    steep
        int32 (columns,), set to the devices that are left as they are, because their slope is above `SLOPE_MAX`.
    activity
        See `pulse_rows`.

    Returns
    -------
    int, int
        Normal numbers used, and number of steep devices; -1 where they are too many, and nothing was done.
    """
    columns = len(steep)
    start, end = row * columns, (row + 1) * columns
    held, steps_up, steps_down = held_cells[start:end], devices[0, 0, start:end], devices[0, 1, start:end]
    highest, lowest = devices[0, 2, start:end], devices[0, 3, start:end]
    numbers = np.zeros(columns, dtype=np.float32)
    logs_up, logs_down = np.empty(0 if flat else columns, np.float32), np.empty(0 if flat else columns, np.float32)
    steep_count = 0 if flat else slopes(steps_up, steps_down, highest, lowest, logs_up, logs_down, steep)
    if steep_count * STEEP_SHARE > columns:
        return 0, -1
    spread, drawn = np.float32(cycle_noise), 0
    pulses_done, cells_touched = np.int64(0), np.int64(0)
    for place in range(len(row_events)):
        vector = np.uint64(row_events[place])
        words = words_of(lengths[vector], STOCHASTIC)
        for number in range(words):
            word = error_words[vector, number, row]
            if cycle_noise > 0.0:
                fill_normals(cycle_row, drawn, numbers)
                drawn += (columns + BLOCK - 1) // BLOCK * BLOCK
            done = np.uint32(0)
            # Few arrays in a loop, and one of them written: with more the compiler gives up on vector instructions.
            if flat:
                for column in range(columns):
                    given = input_words[vector, number, column]
                    both = count_bits(np.uint32(word & given & PULSES))
                    pulses = np.float32(np.int32(both))
                    up, down = steps_up[column], -steps_down[column]
                    step = up if np.uint32(word ^ given) > PULSES else down
                    if cycle_noise > 0.0:
                        pulses = fused(spread * np.float32(math.sqrt(pulses)), numbers[column], pulses)
                    held[column] = min(max(fused(step, pulses, held[column]), lowest[column]), highest[column])
                    done = np.uint32(done + both)
            else:
                for column in range(columns):
                    given = input_words[vector, number, column]
                    both = count_bits(np.uint32(word & given & PULSES))
                    pulses = np.float32(np.int32(both))
                    up, down, high, low = logs_up[column], logs_down[column], highest[column], lowest[column]
                    rises = np.uint32(word ^ given) > PULSES
                    log_rest, bound = up if rises else down, high if rises else low
                    part = lost(log_rest * pulses)
                    if cycle_noise > 0.0:
                        part = fused(noise_of(part, log_rest, pulses) * spread, numbers[column], part)
                    before = held[column]
                    held[column] = min(max(fused(before - bound, part, before), low), high)
                    done = np.uint32(done + both)
            pulses_done += np.int64(done)
        cells_touched += count_touched(error_words, input_words, vector, row, words)
    activity[4] += pulses_done
    activity[5] += cells_touched
    return drawn, steep_count


@scalar
def count_touched(error_words, input_words, vector, row, words):
    """Return with how many columns a row of a vector meets in any slot."""
    touched = np.uint32(0)
    word = error_words[vector, 0, row]
    for column in range(input_words.shape[2]):
        meets = np.uint32(word & input_words[vector, 0, column] & PULSES) != np.uint32(0)
        touched = np.uint32(touched + np.uint32(meets))
    if words > 1:
        touched = np.uint32(0)
        for column in range(input_words.shape[2]):
            meet = np.uint32(0)
            for number in range(words):
                meet |= np.uint32(error_words[vector, number, row] & input_words[vector, number, column] & PULSES)
            touched = np.uint32(touched + np.uint32(meet != np.uint32(0)))
    return np.int64(touched)


@scalar
def lost(power):
    """Return exp(power) - 1, to 2e-6 of itself, for a power between -0.5 and 0.

    Without noise m pulses multiply the distance z of a soft-bounds device from the bound by (1 - B)^m, with B the step
    at zero over the bound: power is m ln(1 - B), and z changes by this part of itself.
    """
    tail = fused(fused(fused(E6, power, E5), power, E4), power, E3)
    return power * fused(fused(tail, power, HALF), power, ONE)


@scalar
def noise_of(part, log_rest, pulses):
    """Return the spread of `part`, that is of `lost`, for a cycle-to-cycle spread of 1; log_rest is ln(1 - B).

    The mean of z stays the same with noise. Its spread is z B (1 - B)^(m-1) sqrt(m) times that of a step, but for terms
    of the order m (B spread)^2; B / sqrt(1 - B) is -ln(1 - B) but for B^3 / 24.
    """
    return log_rest * (part + ONE) * fused(-HALF, log_rest, ONE) * np.float32(math.sqrt(pulses))


@scalar
def slopes(steps_up, steps_down, highest, lowest, logs_up, logs_down, steep):
    """Prepare a row of soft bounds: ln(1 - B) of both directions, with B the step at zero over the bound.

    A device with B above `SLOPE_MAX` in one of them is steep: it is listed, and gets 0. Returns how many there are.
    """
    count, limit = 0, np.float32(SLOPE_MAX)
    for column in range(len(steep)):
        logs_up[column] = log_of_rest(steps_up[column] / highest[column])
    for column in range(len(steep)):
        logs_down[column] = log_of_rest(-steps_down[column] / lowest[column])
    for column in range(len(steep)):
        up, down = steps_up[column] / highest[column], -steps_down[column] / lowest[column]
        # Written this way round, a slope that is no number is steep.
        if not (ZERO <= up <= limit and ZERO <= down <= limit):
            logs_up[column] = logs_down[column] = ZERO
            steep[count] = column
            count += 1
    return count


@scalar
def log_of_rest(slope):
    """Return ln(1 - slope) for a slope of at most `SLOPE_MAX`, to 1e-9."""
    return -slope * fused(slope, fused(slope, fused(slope, FOURTH, THIRD), HALF), ONE)


@array
def pulse_listed(
    family,
    cells_read,
    cells_stored,
    devices,
    paired,
    curve,
    noise,
    tables,
    cycle_noise,
    write_noise,
    start,
    visit_columns,
    visit_ups,
    listed,
    cycle_numbers,
    cycle_row,
    write_numbers,
    write_row,
    drawn,
    cells_composite,
    significance,
):
    """Do the listed pulses of a row, one after the other, and return the next free number of its noise.

    Parameters
    ----------
    family, paired, curve, noise, tables, cycle_noise, write_noise, significance
        See `pulse_rows`.
    cells_read, cells_stored, devices, cells_composite
        Its arrays `weights`, `stored`, `parameters` and `composite` with one index per cross-point.
    start
        Index of the first cross-point of the row.
    visit_columns, visit_ups, listed
        Column and direction of each pulse, and how many are listed.
    cycle_numbers, cycle_row, write_numbers, write_row, drawn
        Scratch for normal numbers, addresses of those of the row, and how many of them are used.
    """
    needed = (listed + BLOCK - 1) // BLOCK * BLOCK
    if cycle_noise > 0.0:
        fill_normals(cycle_row, drawn, cycle_numbers[:needed])
    if write_noise > 0.0:
        fill_normals(write_row, drawn, write_numbers[:needed])
    if is_linear(family, noise, paired, write_noise):
        pulse_listed_linear(
            cells_read, cells_stored, devices, family == 0, cycle_noise, start, visit_columns, visit_ups, listed,
            cycle_numbers, cells_composite, significance,
        )  # fmt: skip
        return drawn + needed
    has_extra, subtracts = devices.shape[1] > 4, cells_stored.shape[0] == 2
    for visit in range(listed):
        up = visit_ups[visit]
        # Of a pair the second device takes the down pulses, as up pulses; a reference is never pulsed.
        side = np.uint64(1 if paired and not up else 0)
        cell = np.uint64(start + visit_columns[visit])
        held = np.float64(cells_stored[side, cell])  # compiled, float() would leave it in 32 bits
        step_up, step_down = np.float64(devices[side, 0, cell]), np.float64(devices[side, 1, cell])
        highest, lowest = np.float64(devices[side, 2, cell]), np.float64(devices[side, 3, cell])
        number = np.float64(cycle_numbers[visit])
        if family >= FIRST_TABULATED:
            held = tabulated_pulse(
                family, held, up or paired, step_up, step_down, highest, lowest, tables, cycle_noise, number
            )
        else:
            extra_up, extra_down = 0.0, 0.0
            if has_extra:
                extra_up, extra_down = np.float64(devices[side, 4, cell]), np.float64(devices[side, 5, cell])
            held = pulse(
                family, held, up or paired, step_up, step_down, highest, lowest, extra_up, extra_down,
                curve, noise, cycle_noise, number,
            )  # fmt: skip
        before = np.float64(cells_read[cell])
        cells_stored[side, cell] = held
        visible = np.float64(cells_stored[0, cell])
        if subtracts:
            visible -= np.float64(cells_stored[1, cell])
        if write_noise > 0.0:
            visible += write_noise * np.float64(write_numbers[visit])
        cells_read[cell] = visible
        change = np.float64(cells_read[cell]) - before
        cells_composite[cell] = np.float64(cells_composite[cell]) + significance * change
    return drawn + needed


@scalar
def pulse_listed_linear(
    cells_read, cells_stored, devices, flat, cycle_noise, start, visit_columns, visit_ups, listed, cycle_numbers,
    cells_composite, significance,
):  # fmt: skip
    """Do the listed pulses of devices with constant step (`flat`) or soft bounds; see `pulse_listed`.

    In single precision and without a branch that depends on a pulse, which nobody can guess: several times faster.
    """
    spread, share, subtracts = np.float32(cycle_noise), np.float32(significance), cells_stored.shape[0] == 2
    for visit in range(listed):
        up, cell = visit_ups[visit], np.uint64(start + visit_columns[visit])
        held, high, low = cells_stored[0, cell], devices[0, 2, cell], devices[0, 3, cell]
        change = choose(up, devices[0, 0, cell], -devices[0, 1, cell])
        if not flat:
            bound = choose(up, high, low)
            stuck = bound == ZERO
            change = choose(stuck, ZERO, change) * (ONE - held / choose(stuck, ONE, bound))
        change = fused(spread * abs(change), cycle_numbers[visit], change)
        after = min(max(held + change, low), high)
        cells_stored[0, cell] = after
        if subtracts:
            cells_read[cell] = after - cells_stored[1, cell]
        cells_composite[cell] = fused(share, after - held, cells_composite[cell])
