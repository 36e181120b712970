"""Conversion in and out of the analog world: levels, clipping, noise."""

import math

import numpy as np
import pytest
from scipy import stats

from cosim.converters import capacitor_weights, in_pieces
from cosim.kernels.convert import (
    add_noise,
    all_finite,
    bend_columns,
    convert_bit_by_bit,
    convert_columns,
    drive_lines,
    lengthen_pulses,
    scale_rows,
    shift_levels,
)
from tests.oracles.conversion import capacitive_level, capacitors_of, nearest_level, successive_approximation

KEY = np.uint64(42)


def drive(values, levels):
    values = np.asarray(values, dtype=np.float32)
    driven, scales = np.full_like(values, np.nan), np.full(len(values), np.nan)
    active, duration = drive_lines(values, levels, driven, scales)
    return driven, scales, active, duration


def convert(voltages, levels, full_scale, noise=0.0, key=KEY, first=0):
    voltages = np.asarray(voltages, dtype=np.float32)
    total = np.full_like(voltages, np.nan)
    convert_columns(voltages, levels, full_scale, noise, key, first, total, False)
    return total


@pytest.mark.parametrize("bits", [2, 3, 7, 10])
def test_lines_are_driven_at_the_nearest_level(bits):
    values = np.random.Generator(np.random.PCG64(1)).normal(size=(6, 9))
    driven, scales, active, duration = drive(values, 2 ** (bits - 1) - 1)
    np.testing.assert_allclose(scales, np.abs(values).max(axis=1), rtol=1e-6)
    expected = [[nearest_level(v / np.abs(vector).max(), 1.0, bits) for v in vector] for vector in values]
    np.testing.assert_allclose(driven, expected, atol=1e-6)
    assert active == np.count_nonzero(driven)
    assert duration == pytest.approx(np.abs(driven.astype(float)).sum())
    assert np.abs(driven).max() == 1


def test_an_ideal_dac_keeps_the_values():
    values = np.random.Generator(np.random.PCG64(2)).normal(size=(6, 9)).astype(np.float32)
    driven, scales, active, _ = drive(values, 0)
    np.testing.assert_allclose(driven * scales[:, None], values, rtol=3e-7)
    assert active == values.size


def test_a_zero_vector_drives_nothing():
    driven, scales, active, duration = drive([[0, 0], [0, -2]], 7)
    np.testing.assert_array_equal(driven, [[0, 0], [0, -1]])
    np.testing.assert_array_equal(scales, [0, 2])
    assert (active, duration) == (1, 1.0)


def test_each_vector_is_scaled_on_its_own():
    driven, _, _, _ = drive([[1, 0.5], [1000, 500], [1e-30, 5e-31]], 0)
    np.testing.assert_allclose(driven, [[1, 0.5]] * 3, rtol=1e-6)


@pytest.mark.parametrize("levels", [0, 1, 63])
def test_chosen_vectors_are_driven_at_given_scales_and_clip(levels):
    values = np.random.Generator(np.random.PCG64(5)).normal(size=(6, 9)).astype(np.float32)
    rows, scales = np.array([5, 0, 2]), np.array([0.5, np.nan, 0.0, np.nan, np.nan, 20.0])
    driven = np.full((3, 9), np.nan, np.float32)
    active, duration = drive_lines(values, levels, driven, scales, rows)
    wanted = np.array([values[5] / 20, np.clip(values[0] / 0.5, -1, 1), 0 * values[2]])
    np.testing.assert_allclose(driven, np.rint(wanted * levels) / levels if levels else wanted, rtol=1e-6)
    assert active == np.count_nonzero(driven)
    assert duration == pytest.approx(np.abs(driven.astype(float)).sum())
    assert np.isnan(scales[[1, 3, 4]]).all()


def test_chosen_vectors_at_their_own_scales_are_driven_as_all_are():
    values = np.random.Generator(np.random.PCG64(6)).normal(size=(6, 9)).astype(np.float32)
    for levels in (0, 63):
        driven, scales, active, duration = drive(values, levels)
        again = np.empty_like(driven)
        assert drive_lines(values, levels, again, scales, np.arange(6)) == (active, duration)
        np.testing.assert_array_equal(again, driven)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("full_scale", [0.3, 4.0])
def test_columns_become_the_nearest_code(bits, full_scale):
    voltages = np.random.Generator(np.random.PCG64(3)).uniform(-1.3 * full_scale, 1.3 * full_scale, (20, 15))
    converted = convert(voltages, 2 ** (bits - 1) - 1, full_scale)
    expected = [[nearest_level(float(np.float32(v)), full_scale, bits) for v in row] for row in voltages]
    np.testing.assert_allclose(converted, expected, rtol=1e-6, atol=1e-7)


def test_halves_round_to_the_even_code():
    np.testing.assert_array_equal(convert([[0.5, 1.5, 2.5, -0.5, -1.5]], 8, 8.0), [[0, 2, 2, 0, -2]])


def test_the_error_is_at_most_half_an_lsb_inside_the_range_and_clips_outside():
    voltages = np.linspace(-2, 2, 4001).reshape(1, -1)
    converted = convert(voltages, 31, 1.0)
    inside = np.abs(voltages) <= 1
    assert np.abs(converted - voltages)[inside].max() <= 0.5 / 31 + 1e-6
    np.testing.assert_array_equal(converted[~inside], np.sign(voltages[~inside]))
    np.testing.assert_array_equal(converted, -convert(-voltages, 31, 1.0))


def test_results_are_added_where_asked():
    voltages = np.array([[0.1, -0.7]], dtype=np.float32)
    total = np.array([[10.0, 20.0]], dtype=np.float32)
    convert_columns(voltages, 127, 1.0, 0.0, KEY, 0, total, True)
    np.testing.assert_allclose(total, np.array([[10.0, 20.0]]) + convert(voltages, 127, 1.0), rtol=1e-6)


def test_codes_beyond_the_last_one_are_noted():
    # Full scale is code 3: 3.49 rounds to it, 3.51 does not.
    voltages = np.array([[0, 3, -3], [0, 3.49, -3.49], [3.51, 0, 0], [0, 0, -3.51], [9, -9, 0], [0, 0, 0]], np.float32)
    total, clipped = np.full((6, 3), np.nan, np.float32), np.array([False] * 5 + [True])
    convert_columns(voltages, 3, 3.0, 0.0, KEY, 0, total, False, np.arange(6), clipped)
    np.testing.assert_array_equal(clipped, [False, False, True, True, True, True])
    np.testing.assert_array_equal(total, np.clip(np.rint(voltages), -3, 3))


def test_chosen_vectors_are_converted_into_their_places_with_their_noise():
    voltages = np.random.Generator(np.random.PCG64(7)).normal(size=(6, 5)).astype(np.float32)
    rows, clipped = np.array([4, 1]), np.zeros(2, bool)
    everything = convert(voltages, 127, 4.0, 2.0)
    total = np.full((6, 5), 7.0, np.float32)
    convert_columns(voltages[rows], 127, 4.0, 2.0, KEY, 0, total, False, rows, clipped)
    np.testing.assert_array_equal(total[rows], everything[rows])
    np.testing.assert_array_equal(total[[0, 2, 3, 5]], 7)
    convert_columns(voltages[rows], 127, 4.0, 2.0, KEY, 0, total, True, rows, clipped)
    np.testing.assert_allclose(total[rows], 2 * everything[rows], rtol=1e-6)
    assert not clipped.any()


def test_added_noise_is_normal_with_the_spread_of_its_vector():
    values = np.zeros((3, 20_000), np.float32)
    add_noise(values, np.array([2, 0, 1]), np.array([0.0, 1.0, 3.0]), KEY, 0)
    np.testing.assert_array_equal(values[0], 0)
    for vector, spread in zip(values[1:], (1, 3), strict=True):
        # Wrong once in 10,000.
        assert stats.kstest(vector, stats.norm(scale=spread).cdf).pvalue > 1e-4


def test_added_noise_depends_on_the_vector_not_on_its_neighbours():
    values, rows, spreads = np.ones((6, 5), np.float32), np.arange(6), np.linspace(0.5, 1, 6)
    add_noise(values, rows, spreads, KEY, 30)
    chosen = np.ones((2, 5), np.float32)
    add_noise(chosen, np.array([4, 1]), spreads[[4, 1]], KEY, 30)
    np.testing.assert_array_equal(chosen, values[[4, 1]])
    later = np.ones((6, 5), np.float32)
    add_noise(later, rows, spreads, KEY, 35)
    np.testing.assert_allclose((later[0] - 1) / 0.5, (values[1] - 1) / 0.6, rtol=1e-5)


@pytest.mark.parametrize("noise", [0.05, 0.2, 1.5])
def test_noise_has_the_rms_that_is_asked_for(noise):
    # Voltages spread evenly over an LSB: the error is noise plus an even quantisation error, noise^2 + 1/12 LSB^2.
    count, levels = 60_000, 127
    voltages = np.random.Generator(np.random.PCG64(4)).uniform(-60, 60, (count // 20, 20)).astype(np.float32)
    error = (convert(voltages, levels, float(levels), noise) - voltages).astype(np.float64).ravel()
    rms = math.sqrt(noise**2 + 1 / 12)
    assert abs(error.mean()) < 4 * rms / math.sqrt(count)
    assert abs(error.std() - rms) < 4 * rms / math.sqrt(2 * count)
    assert abs(np.corrcoef(error[:-1], error[1:])[0, 1]) < 4 / math.sqrt(count)


def test_noise_is_normal():
    codes = convert(np.zeros((200, 100)), 1000, 1000.0, 3.0).ravel()
    counts = np.bincount((codes.clip(-10, 10) + 10).astype(int), minlength=21)
    edges = np.arange(-9.5, 10)
    chances = np.diff(np.concatenate([[0], stats.norm.cdf(edges / 3), [1]]))
    assert stats.chisquare(counts, codes.size * chances).pvalue > 1e-4


def test_noise_depends_on_the_key_and_the_number_of_the_conversion():
    voltages = np.zeros((4, 5))
    first = convert(voltages, 1000, 1000.0, 50.0)
    np.testing.assert_array_equal(first, convert(voltages, 1000, 1000.0, 50.0))
    assert not np.array_equal(first, convert(voltages, 1000, 1000.0, 50.0, key=np.uint64(43)))
    later = convert(voltages, 1000, 1000.0, 50.0, first=5)
    np.testing.assert_array_equal(later[:3], first[1:])


def test_rows_are_scaled_in_place():
    values = np.ones((3, 2), dtype=np.float32)
    scale_rows(values, np.array([0.0, 2.0, -1.5]))
    np.testing.assert_array_equal(values, [[0, 0], [2, 2], [-1.5, -1.5]])


# Converters with errors of their own


def random_converters(bits: int, columns: int, mismatch: float, offset: float, seed: int = 9):
    """Return offsets and worths of bits, as float32 as the kernel sees them, and both as it takes them."""
    draw = np.random.Generator(np.random.PCG64(seed))
    weights = capacitor_weights(bits, mismatch, columns, draw).astype(np.float32)
    offsets = draw.uniform(-offset, offset, columns).astype(np.float32)
    return offsets, weights, in_pieces(offsets, weights)


def convert_with(banks, voltages, levels, full_scale, noise=0.0, key=KEY, first=0):
    voltages = np.asarray(voltages, dtype=np.float32)
    total = np.full_like(voltages, np.nan)
    convert_bit_by_bit(voltages, levels, full_scale, noise, key, first, total, False, *banks)
    return total


@pytest.mark.parametrize("mismatch", [0.0, 0.01, 0.3])
@pytest.mark.parametrize(("bits", "columns"), [(2, 3), (4, 7), (5, 700), (8, 20), (10, 11)])
def test_columns_are_converted_by_successive_approximation(bits, columns, mismatch):
    offsets, weights, banks = random_converters(bits, columns, mismatch, 1.2)
    levels = 2 ** (bits - 1) - 1
    voltages = np.random.Generator(np.random.PCG64(3)).uniform(-1.2 * levels, 1.2 * levels, (3000 // columns, columns))
    voltages = voltages.astype(np.float32)
    codes = convert_with(banks, voltages, levels, float(levels))
    close = 0
    for column in range(columns):
        capacitors = capacitors_of(weights[column])
        for value, code in zip(voltages[:, column], codes[:, column], strict=True):
            expected, distance = successive_approximation(float(value), capacitors, float(offsets[column]))
            # Single precision at 512 steps: a comparison closer than this may go either way.
            if distance < 2e-4:
                close += 1
            else:
                assert code == expected
    assert close < 0.02 * voltages.size


def test_equal_capacitors_give_the_nearest_code_with_the_same_noise():
    draw = np.random.Generator(np.random.PCG64(8))
    for columns in (1, 15, 512, 513, 1100):
        voltages = draw.uniform(-5, 5, (2000 // columns + 2, columns))
        for bits in (3, 8):
            offsets, _, banks = random_converters(bits, columns, 0.0, 0.0)
            assert not offsets.any()
            given = (voltages, 2 ** (bits - 1) - 1, 4.0, 0.4)
            np.testing.assert_array_equal(convert_with(banks, *given, first=columns), convert(*given, first=columns))


def test_an_offset_moves_the_code():
    banks = in_pieces(np.array([0.0, 0.3, -0.6, 2.0]), np.tile([8.0, 4.0, 2.0, 1.0], (4, 1)))
    np.testing.assert_array_equal(convert_with(banks, [[0.2] * 4, [-7.2] * 4, [7.4] * 4], 7, 7.0)[0], [0, 0, 1, -2])
    np.testing.assert_array_equal(convert_with(banks, [[-7.2] * 4], 7, 7.0), [[-7, -7, -7, -7]])
    np.testing.assert_array_equal(convert_with(banks, [[7.4] * 4], 7, 7.0), [[7, 7, 7, 5]])


def test_a_light_highest_capacitor_makes_the_middle_step_wide():
    # 7.5 + 4 + 2 + 1 units and a dummy of 1: level 8 of 16 is 8 x 7.5 / 7.75 steps; the middle lies below 0.
    capacitors = np.array([7.5, 4.0, 2.0, 1.0, 1.0])
    banks = in_pieces(np.zeros(1), 16 * capacitors[None, :4] / capacitors.sum())
    edge = 16 * 7.5 / 15.5 - 8.5
    np.testing.assert_array_equal(convert_with(banks, [[edge - 0.01], [edge + 0.01]], 7, 7.0), [[-1], [0]])
    assert edge == pytest.approx(-0.758, abs=1e-3)


def test_codes_beyond_the_last_one_are_noted_after_the_offset():
    banks = in_pieces(np.array([0.0, 0.4]), np.tile([4.0, 2.0, 1.0], (2, 1)))
    voltages = np.array([[3.49, 0], [3.51, 0], [0, 3.89], [0, 3.91], [0, -3.09], [0, -3.11], [0, 0]], np.float32)
    total, clipped = np.full((7, 2), np.nan, np.float32), np.array([False] * 6 + [True])
    convert_bit_by_bit(voltages, 3, 3.0, 0.0, KEY, 0, total, False, *banks, np.arange(7), clipped)
    np.testing.assert_array_equal(clipped, [False, True, False, True, False, True, True])
    np.testing.assert_array_equal(total[:, 0], [3, 3, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(total[:, 1], [0, 0, 3, 3, -3, -3, 0])


@pytest.mark.parametrize("columns", [5, 600])
def test_vectors_are_converted_alike_alone_chosen_and_added(columns):
    _, _, banks = random_converters(6, columns, 0.1, 1.0)
    voltages = np.random.Generator(np.random.PCG64(7)).normal(size=(6, columns)).astype(np.float32)
    everything = convert_with(banks, voltages, 31, 4.0, 2.0)
    for vector in range(6):
        alone = convert_with(banks, voltages[vector : vector + 1], 31, 4.0, 2.0, first=vector * columns)
        np.testing.assert_array_equal(alone[0], everything[vector])
    rows, clipped = np.array([4, 1]), np.zeros(2, bool)
    total = np.full((6, columns), 7.0, np.float32)
    given = (voltages[rows], 31, 4.0, 2.0, KEY, 0, total)
    convert_bit_by_bit(*given, False, *banks, rows, clipped)
    np.testing.assert_array_equal(total[rows], everything[rows])
    np.testing.assert_array_equal(total[[0, 2, 3, 5]], 7)
    convert_bit_by_bit(*given, True, *banks, rows, clipped)
    np.testing.assert_allclose(total[rows], 2 * everything[rows], rtol=1e-6)


@pytest.mark.parametrize("mismatch", [0.0, 0.01, 0.3])
@pytest.mark.parametrize(("bits", "lines"), [(2, 3), (7, 90), (5, 600)])
def test_levels_of_a_line_are_those_of_its_capacitors(bits, lines, mismatch):
    _, weights, (_, laid_out) = random_converters(bits, lines, mismatch, 0.0)
    levels = 2 ** (bits - 1) - 1
    codes = np.random.Generator(np.random.PCG64(3)).integers(-levels, levels + 1, (9, lines))
    driven = (codes / levels).astype(np.float32)
    shift_levels(driven, levels, laid_out)
    capacitors = [capacitors_of(line) for line in weights]
    expected = [[capacitive_level(int(c), array) for c, array in zip(row, capacitors, strict=True)] for row in codes]
    np.testing.assert_allclose(driven * levels, expected, rtol=1e-6, atol=1e-5 * levels)
    assert not driven[codes == 0].any()


def test_pulses_become_longer_whatever_their_sign():
    driven = np.array([[0, 1, -1], [0.25, -0.5, 0]], np.float32)
    lengthen_pulses(driven, -0.125)
    np.testing.assert_array_equal(driven, [[0, 0.875, -0.875], [0.125, -0.375, 0]])


def test_columns_bend_toward_a_bound():
    columns = np.array([[0, 1, -1], [3, -1000, 0.5]], np.float32)
    bend_columns(columns, np.float32(0.5))
    np.testing.assert_allclose(columns, [[0, 2 / 3, -2 / 3], [1.2, -1000 / 501, 0.4]], rtol=1e-6)


@pytest.mark.parametrize(("values", "finite"), [([], True), ([1, -2], True), ([1, np.nan], False), ([-np.inf], False)])
def test_finite_values_are_recognised(values, finite):
    assert all_finite(np.array(values, dtype=np.float32)) == finite


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_empty_arrays(shape):
    _, scales, active, duration = drive(np.empty(shape), 7)
    assert (active, duration) == (0, 0.0)
    assert convert(np.empty(shape), 7, 1.0, 0.1).shape == shape
    scale_rows(np.empty(shape, dtype=np.float32), scales)
    offsets, weights = in_pieces(np.zeros(shape[1]), np.ones((shape[1], 4)))
    assert convert_with((offsets, weights), np.empty(shape), 7, 1.0, 0.1).shape == shape
    driven = np.empty(shape, dtype=np.float32)
    shift_levels(driven, 7, weights)
    lengthen_pulses(driven, 0.1)
    bend_columns(driven, np.float32(1))
    add_noise(np.empty(shape, dtype=np.float32), np.arange(shape[0]), np.ones(shape[0]), KEY, 0)
