"""Reads through the periphery: blocks, scaling of inputs, reads after clipping, noise, activity."""

import math
from dataclasses import replace

import numpy as np
import pytest

from cosim.periphery import Periphery
from cosim.reading import input_scales, read_matrices
from tests.oracles import conversion

KEY = np.uint64(3)
COARSE = Periphery(dac_bits=6, adc_bits=7, full_scale=1.5)
SETTINGS = {"dac_bits": 6, "adc_bits": 7, "full_scale": 1.5}


def draws(seed: int, *shape: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).normal(size=shape).astype(np.float32)


def read(weights: np.ndarray, inputs: np.ndarray, periphery: Periphery, *, block: int = 0, **kwargs):
    return read_matrices([weights], inputs, periphery, block or weights.shape[1], KEY, **kwargs)


# Blocks of a split matrix


def test_an_ideal_read_does_not_depend_on_the_split():
    weights, inputs = 0.3 * draws(1, 6, 10), draws(2, 8, 10)
    whole, _ = read(weights, inputs, Periphery())
    for block in (1, 3, 5, 20):
        np.testing.assert_array_equal(read(weights, inputs, Periphery(), block=block)[0], whole)


@pytest.mark.parametrize("block", [1, 3, 4, 10])
def test_every_block_of_a_split_matrix_is_converted_on_its_own(block):
    weights, inputs, periphery = 0.3 * draws(1, 6, 10), draws(2, 8, 10), Periphery(dac_bits=6, adc_bits=5)
    result, _ = read(weights, inputs, periphery, block=block)
    expected = conversion.read(weights, inputs, 6, 5, periphery.full_scale, block)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
    whole, _ = read(weights, inputs, periphery)
    assert np.array_equal(result, whole) == (block == 10)


@pytest.mark.parametrize("bound_management", ["off", "iterative"])
def test_noise_adds_up_over_the_blocks(bound_management):
    periphery = Periphery(adc_bits=16, full_scale=4.0, noise_lsb=50.0, bound_management=bound_management)
    weights, inputs = np.zeros((40, 12), np.float32), np.ones((500, 12), np.float32)
    lsb = 4.0 / periphery.adc_levels
    for block, conversions in ((12, 1), (4, 3), (1, 12)):
        result, _ = read(weights, inputs, periphery, block=block)
        # Normal noise in 20,000 numbers: 4 sigma of their standard deviation, wrong once in 16,000.
        assert result.std() / lsb == pytest.approx(50 * math.sqrt(conversions), rel=4 / math.sqrt(2 * result.size))


# Activity


def test_activity_of_a_read_is_what_the_lines_do():
    inputs = np.array([[1, 0, -0.5, 0.001], [0, 0, 0, 0], [2, 2, 2, 2]], dtype=np.float32)
    weights = np.zeros((3, 4), np.float32)
    _, ideal = read(weights, inputs, Periphery())
    assert (ideal.vectors, ideal.lines) == (3, 7)
    assert ideal.drive == pytest.approx(1 + 0.5 + 0.001 + 4, abs=7 * 2**-16)  # in steps of 2^-16
    _, coarse = read_matrices([weights, weights], inputs, Periphery(dac_bits=3, adc_bits=8), 2, KEY)
    # At 3 bits 0.5 is driven at 2/3 (ties to even: 1.5 levels become 2), and 0.001 not at all.
    assert (coarse.vectors, coarse.lines) == (3, 6)
    assert coarse.drive == pytest.approx(1 + 2 / 3 + 4)


@pytest.mark.parametrize("dac_bits", [None, 7])
def test_noise_of_the_input_drives_no_line(dac_bits):
    weights, inputs = draws(1, 3, 4), np.array([[1, 0, -0.5, 0]], dtype=np.float32)
    quiet, noisy = Periphery(dac_bits=dac_bits), Periphery(dac_bits=dac_bits, input_noise=0.3)
    assert read(weights, inputs, noisy)[1] == read(weights, inputs, quiet)[1]


# Scaling of the input


@pytest.mark.parametrize("threshold", [0.0, 0.7])
@pytest.mark.parametrize("rule", ["abs_max", "max", "abs_max_np_sum"])
def test_inputs_are_scaled_by_the_rule(rule, threshold):
    periphery = replace(COARSE, noise_management=rule, noise_management_threshold=threshold)
    weights, inputs = 0.2 * draws(1, 5, 12), draws(2, 9, 12)
    inputs[1], inputs[2] = 0, -np.abs(inputs[2])
    inputs[3] = np.abs(inputs[3])
    given = {"threshold": threshold or math.inf, "column_weight": 0.6 / 1.5, "most": 0.25 * 31}
    scales = [conversion.scale_of(values, rule, **given) for values in inputs]
    np.testing.assert_allclose(input_scales(inputs, rule, periphery), scales, rtol=1e-6)
    assert scales[1] == 0
    assert (scales[2] == 0) == (rule == "max")
    expected = [conversion.read_once(weights, *pair, **SETTINGS)[0] for pair in zip(inputs, scales, strict=True)]
    np.testing.assert_allclose(read(weights, inputs, periphery)[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "scale"),
    [
        ({"noise_management": "constant", "noise_management_threshold": 0.8}, 0.8),
        ({"noise_management": "constant"}, 1.0),
        ({"noise_management": "off"}, 1.0),
        ({"noise_management": "off", "input_bound": 2.5}, 2.5),
    ],
)
def test_inputs_are_scaled_by_a_number(given, scale):
    weights, inputs = 0.2 * draws(1, 5, 12), draws(2, 9, 12)
    expected = [conversion.read_once(weights, values, scale, **SETTINGS)[0] for values in inputs]
    result, activity = read(weights, inputs, replace(COARSE, **given))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
    assert activity.vectors == 9


def test_the_scale_of_sums_keeps_the_resolution_that_is_asked_for():
    inputs = np.ones((1, 1000), np.float32)
    plain = Periphery(dac_bits=7, full_scale=12.0, noise_management="abs_max_np_sum")
    assert input_scales(inputs, "abs_max_np_sum", plain)[0] == pytest.approx(0.25 * 63)
    assert input_scales(inputs, "abs_max_np_sum", replace(plain, dac_bits=None))[0] == pytest.approx(0.6 * 1000 / 12)
    light = replace(plain, noise_management_w_max=0.1)
    assert input_scales(inputs, "abs_max_np_sum", light)[0] == pytest.approx(0.1 * 1000 / 12)


@pytest.mark.parametrize("bend", [0.1, 2.0])
def test_columns_bend_before_they_are_converted(bend):
    weights, inputs = 0.3 * draws(1, 5, 12), draws(2, 9, 12)
    periphery = replace(COARSE, output_nonlinearity=bend)
    scales = [conversion.scale_of(values) for values in inputs]
    for block in (12, 5):
        expected = [
            conversion.read_once(weights, *pair, **SETTINGS, block=block, bend=bend)[0]
            for pair in zip(inputs, scales, strict=True)
        ]
        result, _ = read(weights, inputs, periphery, block=block)
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


# Reads after clipping


def clipping() -> tuple[np.ndarray, np.ndarray]:
    """Return weights and vectors that clip the more often, the later they come.

    The largest input is a power of two: its half lies between two levels, and rounds to the even one.
    """
    weights, inputs = 0.2 * draws(1, 5, 12), 0.1 * draws(2, 9, 12)
    for number, vector in enumerate(inputs):
        vector[: number + 1] = 2 * np.sign(weights[2, : number + 1])
    inputs[1] = 0
    return weights, inputs


@pytest.mark.parametrize("block", [12, 4])
@pytest.mark.parametrize("bound_management", ["iterative", "iterative_worst_case"])
def test_vectors_that_clip_are_read_again(bound_management, block):
    weights, inputs = clipping()
    # A step of 1/31 may grow to 0.25: reads at 1, 2, 4 and 8; the first division above 7.75 is the last.
    periphery = replace(COARSE, full_scale=0.5, bound_management=bound_management)
    settings = SETTINGS | {"full_scale": 0.5, "block": block}
    results, reads, driven = [], [], []
    for values in inputs:
        first = conversion.scale_of(values)
        start = conversion.scale_of(values, "abs_max_np_sum", column_weight=0.6 / 0.5, most=0.25 * 31)
        scales = [first, *(start * 2**n for n in range(4))]
        if bound_management == "iterative":
            scales = [first * 2**n for n in range(4)]
        result, number, levels = conversion.read_until_in_range(weights, values, scales, **settings)
        results.append(result)
        reads.append(number)
        driven += levels
    assert len(set(reads)) >= (3 if bound_management == "iterative" else 2)
    result, activity = read(weights, inputs, periphery, block=block)
    np.testing.assert_allclose(result, results, rtol=1e-5, atol=1e-5)
    assert activity.vectors == sum(reads) > len(inputs)
    assert activity.lines == np.count_nonzero(driven)
    assert activity.drive == pytest.approx(np.abs(driven).sum())


def test_the_worst_case_is_not_read_twice():
    weights, inputs = clipping()
    scaled = replace(COARSE, full_scale=0.5, noise_management="abs_max_np_sum", noise_management_w_max=0.01)
    first, second = (
        read(weights, inputs, replace(scaled, bound_management=name)) for name in ("iterative", "iterative_worst_case")
    )
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1] == second[1]
    assert first[1].vectors > len(inputs)


def test_a_vector_is_read_again_when_any_converter_clips():
    weights, zeros = np.full((2, 6), 0.5, np.float32), np.zeros((2, 6), np.float32)
    inputs, periphery = np.ones((1, 6), np.float32), Periphery(adc_bits=8, full_scale=2.0, bound_management="iterative")
    for matrices, block in (([weights], 6), ([zeros, weights], 6), ([weights, zeros], 6), ([weights, zeros], 5)):
        result, activity = read_matrices(matrices, inputs, periphery, block, KEY)
        np.testing.assert_allclose(result, 3, rtol=0.02)
        assert (activity.vectors, activity.lines, activity.drive) == (2, 12, 9)
    result, activity = read_matrices([weights, zeros], inputs, periphery, 4, KEY)
    assert activity.vectors == 1


@pytest.mark.parametrize("sign", [1, -1])
def test_both_ends_of_the_range_ask_for_another_read(sign):
    weights = sign * np.array([[1] * 8, [-1] * 8, [0.1] * 8], np.float32)
    periphery = Periphery(adc_bits=9, full_scale=2.0, bound_management="iterative")
    result, activity = read(weights, np.ones((1, 8), np.float32), periphery)
    np.testing.assert_allclose(result[0], weights.sum(axis=1), atol=0.5 * 2 / 255 * 4 + 1e-6)
    assert activity.vectors == 3


@pytest.mark.parametrize(
    ("given", "reads"),
    [
        ({}, 11),
        ({"bound_factor_max": 1}, 2),
        ({"bound_factor_max": 5}, 4),
        ({"dac_bits": 7}, 5),
        ({"dac_bits": 7, "bound_resolution_max": 0.1}, 4),
    ],
)
def test_reads_end_when_the_input_has_become_too_small(given, reads):
    weights = np.full((1, 10_000), 1.0, np.float32)
    periphery = Periphery(adc_bits=8, full_scale=1.0, bound_management="iterative", **given)
    result, activity = read(weights, np.ones((3, 10_000), np.float32), periphery)
    assert activity.vectors == 3 * reads
    np.testing.assert_allclose(result, 2.0 ** (reads - 1))


def test_backward_reads_leave_clipped_outputs_as_they_are():
    weights, inputs = clipping()
    managed = replace(COARSE, full_scale=0.5, bound_management="iterative")
    result, activity = read(weights, inputs, managed, forward=False)
    expected, expected_activity = read(weights, inputs, replace(managed, bound_management="off"))
    np.testing.assert_array_equal(result, expected)
    assert activity == expected_activity


@pytest.mark.parametrize("bound_management", ["iterative", "iterative_worst_case"])
@pytest.mark.parametrize("given", [{}, {"adc_bits": None}, {"noise_lsb": 0.3}, {"input_noise": 0.02}])
def test_vectors_that_do_not_clip_are_read_as_without_bound_management(given, bound_management):
    weights, inputs = clipping()
    for block in (12, 5):
        periphery = replace(COARSE, full_scale=1.0, **given)
        expected, _ = read(weights, inputs, periphery, block=block)
        result, activity = read(weights, inputs, replace(periphery, bound_management=bound_management), block=block)
        clips = (result != expected).any(axis=1)
        assert clips[-1] == (activity.vectors > len(inputs)) == (periphery.adc_bits is not None)
        assert not clips[:2].any()


def test_the_reads_of_a_vector_do_not_depend_on_its_neighbours():
    weights, inputs = clipping()
    noisy = replace(
        COARSE, full_scale=0.5, noise_lsb=0.4, input_noise=0.05, weight_noise=0.02, bound_management="iterative"
    )
    together, _ = read(weights, inputs, noisy)
    for number in range(len(inputs)):
        alone = np.zeros_like(inputs)
        alone[number] = inputs[number]
        np.testing.assert_allclose(read(weights, alone, noisy)[0][number], together[number], rtol=1e-6)


def test_noise_is_drawn_again_in_every_read():
    # The first column clips in the first read, whatever the noise; the others hold noise alone.
    weights = np.zeros((4001, 1), np.float32)
    weights[0] = 1.5
    periphery = Periphery(adc_bits=16, full_scale=1.0, noise_lsb=500.0, bound_management="iterative")
    first, once = read(weights, np.ones((1, 1), np.float32), replace(periphery, bound_management="off"))
    second, twice = read(weights, np.ones((1, 1), np.float32), periphery)
    assert (once.vectors, twice.vectors) == (1, 2)
    # 4 sigma: wrong once in 16,000.
    assert abs(np.corrcoef(first[0, 1:], second[0, 1:])[0, 1]) < 4 / math.sqrt(4000)
    assert second[0, 1:].std() / first[0, 1:].std() == pytest.approx(2, rel=4 / math.sqrt(4000))


# Noise

NOISES = {"input_noise": 0.05, "weight_noise": 0.03, "output_noise": 0.2}


@pytest.mark.parametrize("adc_bits", [None, 16])
@pytest.mark.parametrize("on", [("input_noise",), ("weight_noise",), ("output_noise",), tuple(NOISES)])
def test_noise_has_the_moments_that_are_asked_for(on, adc_bits):
    weights, vector, repeats = 0.3 * draws(1, 6, 10), draws(2, 10), 20_000
    periphery = Periphery(adc_bits=adc_bits, full_scale=12.0, **{name: NOISES[name] for name in on})
    scale = float(np.abs(vector).max())
    variance = np.zeros(6)
    if "input_noise" in on:
        variance += 0.05**2 * (weights.astype(float) ** 2).sum(axis=1)
    if "weight_noise" in on:
        # Lines with input noise have a longer vector: |v|^2 grows by 0.05^2 per line.
        variance += 0.03**2 * (((vector / scale) ** 2).sum() + 10 * 0.05**2 * ("input_noise" in on))
    if "output_noise" in on:
        variance += 0.2**2
    expected = scale * np.sqrt(variance)
    error = (read(weights, np.tile(vector, (repeats, 1)), periphery)[0] - weights @ vector).astype(np.float64)
    # 5 sigma for each of 6 means, deviations and skewnesses, and 15 correlations: wrong once in 50,000 per case.
    assert np.all(np.abs(error.mean(axis=0)) < 5 * expected / math.sqrt(repeats))
    np.testing.assert_allclose(error.std(axis=0), expected, rtol=5 / math.sqrt(2 * repeats))
    assert np.all(np.abs((error**3).mean(axis=0)) < 5 * math.sqrt(15 / repeats) * expected**3)
    shared = 0.05**2 * scale**2 * (weights @ weights.T) * ("input_noise" in on)
    correlation = shared / np.outer(expected, expected)
    off_diagonal = ~np.eye(6, dtype=bool)
    assert np.all(np.abs(np.corrcoef(error.T) - correlation)[off_diagonal] < 5 / math.sqrt(repeats))


@pytest.mark.parametrize(
    ("name", "whole", "split"),
    [
        ("input_noise", math.sqrt(8), math.sqrt(8)),  # the matrices see the same inputs: amplitudes add up
        ("weight_noise", 2, 2),
        ("output_noise", math.sqrt(2), 2),
    ],
)
def test_matrices_and_blocks_have_noise_of_their_own(name, whole, split):
    weights, inputs = np.ones((1, 2), np.float32), np.ones((4000, 2), np.float32)
    for block, expected in ((2, whole), (1, split)):
        result, _ = read_matrices([weights, weights], inputs, Periphery(**{name: 0.1}), block, KEY)
        # 4 sigma of the deviation of 4,000 numbers: wrong once in 16,000.
        assert result.std() == pytest.approx(0.1 * expected, rel=4 / math.sqrt(8000))


def test_output_noise_and_noise_of_the_converter_add_in_quadrature():
    weights, inputs = 0.3 * draws(1, 6, 10), draws(2, 8, 10)
    both = replace(COARSE, noise_lsb=3.0, output_noise=4 * 1.5 / 63)
    np.testing.assert_array_equal(
        read(weights, inputs, both)[0], read(weights, inputs, replace(COARSE, noise_lsb=5.0))[0]
    )


NOISY = Periphery(dac_bits=7, adc_bits=8, noise_lsb=0.5, **NOISES, bound_management="iterative")


def test_noise_depends_on_the_key_alone():
    weights, inputs = 0.3 * draws(1, 6, 10), draws(2, 8, 10)
    first, again = (read_matrices([weights], inputs, NOISY, 10, KEY)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, read_matrices([weights], inputs, NOISY, 10, np.uint64(4))[0])


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)])
@pytest.mark.parametrize("rule", ["abs_max", "max", "constant", "abs_max_np_sum", "off"])
def test_empty_arrays(shape, rule):
    periphery = replace(NOISY, noise_management=rule, output_nonlinearity=0.1)
    for vectors in (0, 2):
        inputs = np.ones((vectors, shape[1]), np.float32)
        result, activity = read_matrices([np.ones(shape, np.float32)], inputs, periphery, max(shape[1], 1), KEY)
        assert result.shape == (vectors, shape[0])
        assert activity.vectors == vectors
