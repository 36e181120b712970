"""One array of devices behind its converters: reads, updates, programming, random behaviour, messages."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cosim
from cosim.periphery import Periphery
from cosim.tile import PulsedUpdate, Tile, checked, read_matrices
from device_models import ConstantStep, SoftBounds, load_device
from tests.oracles import conversion, devices
from tests.oracles.reference_simulator import section

WIDE = ConstantStep(dw_min=0.01, w_max=10.0, w_min=-10.0)
KEY = np.uint64(3)


def draws(seed: int, *shape: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).normal(size=shape).astype(np.float32)


def programmed(shape: tuple[int, int], *, seed: int = 1, device=WIDE, **kwargs) -> Tile:
    tile = Tile(shape, device, seed=seed, **kwargs)
    tile.set_weights(0.3 * draws(seed, *shape))
    return tile


def test_the_package_offers_the_tile():
    assert cosim.Tile is Tile
    assert cosim.PulsedUpdate is PulsedUpdate
    assert cosim.Periphery is Periphery


# Reads


def test_an_ideal_forward_read_is_a_product():
    tile, inputs = programmed((6, 9)), draws(2, 20, 9)
    result = tile.forward(inputs)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, inputs.astype(float) @ tile.weights.T.astype(float), rtol=1e-5, atol=1e-5)


def test_the_backward_read_is_that_of_the_transpose():
    tile, errors = programmed((6, 9)), draws(3, 20, 6)
    other = Tile((9, 6), WIDE)
    other.set_weights(tile.weights.T)
    np.testing.assert_allclose(tile.backward(errors), errors @ tile.weights, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(tile.backward(errors), other.forward(errors), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("dac_bits", "adc_bits"), [(7, 9), (7, None), (None, 6), (3, 4)])
def test_a_quantised_read_follows_the_definition_of_the_converters(dac_bits, adc_bits):
    tile = programmed((5, 8), periphery=Periphery(dac_bits=dac_bits, adc_bits=adc_bits, full_scale=2.5))
    inputs, errors = draws(4, 6, 8), draws(5, 6, 5)
    for result, matrix, values in (
        (tile.forward(inputs), tile.weights, inputs),
        (tile.backward(errors), tile.weights.T, errors),
    ):
        expected = conversion.read(matrix, values, dac_bits, adc_bits, 2.5)
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bits", [3, 6, 9])
def test_the_error_of_one_conversion_is_at_most_half_an_lsb(bits):
    periphery = Periphery(adc_bits=bits, full_scale=12.0)
    tile, inputs = programmed((20, 10), periphery=periphery), draws(6, 50, 10)
    error = tile.forward(inputs) - inputs.astype(float) @ tile.weights.T.astype(float)
    lsb = 12.0 / periphery.adc_levels * np.abs(inputs).max(axis=1, keepdims=True)
    assert np.all(np.abs(error) <= 0.5 * lsb * (1 + 1e-5) + 1e-6)
    assert np.abs(error / lsb).max() > 0.45


def test_outputs_clip_at_full_scale():
    tile = Tile((2, 40), WIDE, periphery=Periphery(adc_bits=9, full_scale=12.0))
    tile.set_weights(np.vstack([np.full(40, 0.9), np.full(40, -0.9)]))
    np.testing.assert_allclose(tile.forward(np.full((1, 40), 2.0)), [[24, -24]], rtol=1e-6)


@pytest.mark.parametrize("noise", [0.1, 0.8])
def test_read_noise_has_the_rms_of_the_converter(noise):
    # Noise is in LSB at the converter, so after scaling back it is noise x LSB x |x|max.
    tile = programmed((50, 10), periphery=Periphery(adc_bits=8, full_scale=12.7, noise_lsb=noise))
    inputs = draws(7, 400, 10)
    exact = inputs.astype(float) @ tile.weights.T.astype(float)
    error = (tile.forward(inputs) - exact) / (0.1 * np.abs(inputs).max(axis=1, keepdims=True))
    rms = math.sqrt(noise**2 + 1 / 12)
    assert abs(error.mean()) < 4 * rms / math.sqrt(error.size)
    assert error.std() == pytest.approx(rms, rel=4 / math.sqrt(2 * error.size) + 1e-3)


def test_every_read_draws_new_noise():
    tile = programmed((4, 4), periphery=Periphery(adc_bits=10, noise_lsb=20.0))
    inputs = draws(8, 3, 4)
    results = [tile.forward(inputs), tile.forward(inputs), tile.backward(inputs), tile.backward(inputs)]
    assert len({result.tobytes() for result in results}) == 4


REFERENCE_READS = {
    "perfect": Periphery(),
    "dac_only": Periphery(dac_bits=7),
    "adc_only": Periphery(adc_bits=9, full_scale=12.0),
    "dac_adc_default_nonoise": Periphery(dac_bits=7, adc_bits=9, full_scale=12.0),
    "sat_no_bm": Periphery(dac_bits=7, adc_bits=9, full_scale=12.0),
}


@pytest.mark.parametrize("name", REFERENCE_READS)
def test_noiseless_reads_of_the_reference_simulator(name):
    reference = section("mvm")
    saturating = name == "sat_no_bm"
    weights, inputs = (np.array(reference[key]) for key in (("W_sat", "x_sat") if saturating else ("W", "x")))
    tile = Tile(weights.shape, ConstantStep(dw_min=0.01), periphery=REFERENCE_READS[name])
    tile.set_weights(weights)
    case = reference["cases"][name]
    # The file holds weights and inputs to seven digits.
    np.testing.assert_allclose(tile.forward(np.atleast_2d(inputs))[0], case["forward"], atol=3e-6, rtol=1e-6)
    if "backward" in case:
        errors = np.atleast_2d(reference["d"])
        np.testing.assert_allclose(tile.backward(errors)[0], case["backward"], atol=3e-6, rtol=1e-6)


def test_noisy_reads_of_the_reference_simulator():
    # Output noise 0.06 at an LSB of 24/510, before the converter: 1.275 LSB.
    reference = section("mvm")
    case = reference["cases"]["default"]
    weights, repeats = np.array(reference["W"]), 20_000
    periphery = Periphery(dac_bits=7, adc_bits=9, full_scale=12.0, noise_lsb=0.06 / (24 / 510))
    tile = Tile(weights.shape, ConstantStep(dw_min=0.01), periphery=periphery)
    tile.set_weights(weights)
    for name, act, values in (("forward", tile.forward, reference["x"]), ("backward", tile.backward, reference["d"])):
        results = act(np.tile(np.float32(values), (repeats, 1))).astype(float)
        mean, std = np.array(case[f"{name}_mean"]), np.array(case[f"{name}_std"])
        # 4.5 sigma of both samples; the normals of the reference are off by 1/181 sigma, their spread by 0.4 %.
        assert np.all(np.abs(results.mean(axis=0) - mean) < (4.5 * math.sqrt(1.2 / repeats) + 4 / 181) * std)
        np.testing.assert_allclose(results.std(axis=0), std, rtol=4.5 * math.sqrt(0.6 / repeats) + 0.01)


# Blocks of a split matrix


def test_an_ideal_read_does_not_depend_on_the_split():
    weights, inputs = 0.3 * draws(1, 6, 10), draws(2, 8, 10)
    whole, _ = read_matrices([weights], inputs, Periphery(), 10, KEY)
    for block in (1, 3, 5, 20):
        np.testing.assert_array_equal(read_matrices([weights], inputs, Periphery(), block, KEY)[0], whole)


@pytest.mark.parametrize("block", [1, 3, 4, 10])
def test_every_block_of_a_split_matrix_is_converted_on_its_own(block):
    weights, inputs, periphery = 0.3 * draws(1, 6, 10), draws(2, 8, 10), Periphery(dac_bits=6, adc_bits=5)
    result, _ = read_matrices([weights], inputs, periphery, block, KEY)
    expected = conversion.read(weights, inputs, 6, 5, periphery.full_scale, block)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
    whole, _ = read_matrices([weights], inputs, periphery, 10, KEY)
    assert np.array_equal(result, whole) == (block == 10)


def test_noise_adds_up_over_the_blocks():
    periphery = Periphery(adc_bits=16, full_scale=4.0, noise_lsb=50.0)
    weights, inputs = np.zeros((40, 12), np.float32), np.ones((500, 12), np.float32)
    lsb = 4.0 / periphery.adc_levels
    for block, conversions in ((12, 1), (4, 3), (1, 12)):
        result, _ = read_matrices([weights], inputs, periphery, block, KEY)
        assert result.std() / lsb == pytest.approx(50 * math.sqrt(conversions), rel=4 / math.sqrt(2 * result.size))


def test_activity_of_a_read_is_what_the_lines_do():
    inputs = np.array([[1, 0, -0.5, 0.001], [0, 0, 0, 0], [2, 2, 2, 2]], dtype=np.float32)
    weights = np.zeros((3, 4), np.float32)
    _, ideal = read_matrices([weights], inputs, Periphery(), 4, KEY)
    assert (ideal.vectors, ideal.lines) == (3, 7)
    assert ideal.drive == pytest.approx(1 + 0.5 + 0.001 + 4)
    _, coarse = read_matrices([weights, weights], inputs, Periphery(dac_bits=3, adc_bits=8), 2, KEY)
    # At 3 bits 0.5 is driven at 2/3 (ties to even: 1.5 levels become 2), and 0.001 not at all.
    assert (coarse.vectors, coarse.lines) == (3, 6)
    assert coarse.drive == pytest.approx(1 + 2 / 3 + 4)


# Programming and pulses


def test_programming_clips_to_the_bounds_of_each_device():
    tile = Tile((20, 30), load_device("soft_bounds"), seed=5)
    parameters = tile.device_parameters
    wanted = 2 * draws(9, 20, 30)
    tile.set_weights(wanted)
    np.testing.assert_array_equal(tile.weights, np.clip(wanted, parameters["bound_min"], parameters["bound_max"]))
    for extreme, bound in ((1e9, "bound_max"), (-1e9, "bound_min")):
        tile.set_weights(np.full((20, 30), extreme))
        np.testing.assert_array_equal(tile.weights, parameters[bound])


def test_weights_are_a_read_only_view():
    tile = programmed((2, 3))
    with pytest.raises(ValueError, match="read-only"):
        tile.weights[0, 0] = 1.0
    parameters = tile.device_parameters
    parameters["bound_max"][:] = 0
    assert np.all(tile.device_parameters["bound_max"] == 10)


def test_pulses_go_up_and_down():
    tile = Tile((3, 4), SoftBounds(dw_min=0.1))
    tile.pulse(up=True, count=5)
    np.testing.assert_allclose(tile.weights, devices.soft_bounds_after(5, 0.0, 0.1, 1.0), rtol=1e-6)
    tile.pulse(up=False)
    np.testing.assert_allclose(tile.weights, 0.40951 - 0.1 * 1.40951, rtol=1e-5)
    before = tile.weights.copy()
    tile.pulse(up=True, count=0)
    np.testing.assert_array_equal(tile.weights, before)


@pytest.mark.parametrize("variation", ["no_variation", "d2d_and_c2c"])
@pytest.mark.parametrize("family", [ConstantStep, SoftBounds])
def test_pulse_trajectories_of_the_reference_simulator(family, variation):
    reference = section("trajectories", variation, family.__name__)
    names = (
        "dw_min",
        "dw_min_dtod",
        "dw_min_std",
        "up_down",
        "up_down_dtod",
        "w_max",
        "w_min",
        "w_max_dtod",
        "w_min_dtod",
    )
    tile = Tile((64, 64), family(**{name: reference["parameters"][name] for name in names}), seed=4)
    wanted = dict(zip(reference["pulse_index"], zip(reference["mean"], reference["std"], strict=True), strict=True))
    # Two samples of 4096 devices, 4.5 sigma. The normals of the reference come from a table whose mean is off by
    # 1/181 sigma: 0.6 % of sigma in each of its parameters, 0.2 % of the way in the noise.
    for pulse in range(2001):
        if pulse:
            tile.pulse(up=pulse <= 1000)
        if pulse not in wanted:
            continue
        mean, std = wanted[pulse]
        way = min(pulse if pulse <= 1000 else pulse - 1000, 120) * 0.01 * tile.device.dw_min_std
        slack = 2e-6 + 4.5 * std * math.sqrt(2 / 4096) + 0.006 * (std + way)
        assert abs(float(tile.weights.mean(dtype=float)) - mean) <= slack, pulse
        assert abs(float(tile.weights.std(dtype=float)) - std) <= 2e-6 + 0.08 * std, pulse


# Updates


def test_an_update_moves_the_weights_against_the_gradient():
    inputs, errors = draws(10, 400, 6), draws(11, 400, 5)
    rate, dw_min = 0.002, 0.001
    # No update needs more than the 31 slots that there are, so none is cut short.
    assert np.max(rate * np.abs(errors).max(axis=1) * np.abs(inputs).max(axis=1)) < 31 * dw_min
    tile = Tile((5, 6), ConstantStep(dw_min=dw_min, w_max=50, w_min=-50), seed=2)
    activity = tile.update(inputs, errors, rate)
    expected = -rate * errors.T.astype(float) @ inputs.astype(float)
    # Lemma 1 bounds the variance of each sample by rate |x d| dw_min: 4.5 sigma over 30 elements.
    sigma = np.sqrt(rate * dw_min * np.abs(errors).T @ np.abs(inputs))
    assert np.all(np.abs(tile.weights - expected) <= 4.5 * sigma)
    assert np.abs(expected).max() > 3 * sigma.max()
    assert activity.vectors == 400
    assert activity.coincidences > 0


def test_updates_count_what_an_observer_counts():
    dw_min = 2.0**-8
    tile = Tile((5, 6), ConstantStep(dw_min=dw_min, w_max=100, w_min=-100), seed=3)
    inputs, errors = np.abs(draws(12, 30, 6)), np.abs(draws(13, 30, 5))
    activity = tile.update(inputs, errors, 0.005)
    assert activity.coincidences == -tile.weights.sum() / dw_min > 50
    assert activity.slots >= 30


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(["constant_step", "soft_bounds"]),
    rates=st.lists(st.floats(0, 100), min_size=1, max_size=4),
    scale=st.floats(1e-6, 1e6),
    seed=st.integers(0, 1000),
)
def test_weights_stay_in_bounds_whatever_is_asked(name, rates, scale, seed):
    tile = Tile((4, 3), load_device(name), seed=seed)
    low, high = tile.device_parameters["bound_min"], tile.device_parameters["bound_max"]
    for number, rate in enumerate(rates):
        tile.update(scale * draws(seed + number, 2, 3), draws(seed + 50 + number, 2, 4), rate)
        tile.pulse(up=number % 2 == 0, count=3)
        assert np.all((tile.weights >= low) & (tile.weights <= high))


def test_management_off_is_allowed_for_any_rate():
    plain = PulsedUpdate(max_train_length=5, update_management=False, train_length_management=False)
    tile = Tile((1, 1), ConstantStep(dw_min=0.01, w_max=10, w_min=-10), update=plain)
    activity = tile.update([[1.0]], [[1.0]], 1000.0)
    assert activity.coincidences == activity.slots == 5
    assert tile.weights.item() == pytest.approx(-0.05)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)])
@pytest.mark.parametrize("periphery", [None, Periphery(dac_bits=7, adc_bits=8, noise_lsb=0.2)])
def test_empty_and_single_tiles_work(shape, periphery):
    tile = Tile(shape, load_device("soft_bounds"), periphery=periphery)
    tile.set_weights(np.full(shape, 0.5))
    for vectors in (0, 1, 2):
        inputs, errors = np.ones((vectors, shape[1])), np.ones((vectors, shape[0]))
        assert tile.forward(inputs).shape == (vectors, shape[0])
        assert tile.backward(errors).shape == (vectors, shape[1])
        assert tile.update(inputs, errors, 0.1).vectors == vectors
    tile.pulse(up=True, count=2)
    assert tile.weights.shape == shape


# Seeds and states


def exercise(tile: Tile) -> list[np.ndarray]:
    results = []
    for number in range(3):
        tile.update(draws(20 + number, 4, 5), draws(30 + number, 4, 3), 0.2)
        tile.pulse(up=number == 1)
        results += [tile.forward(draws(40, 2, 5)), tile.backward(draws(41, 2, 3)), tile.weights.copy()]
    return results


def noisy_tile(**kwargs) -> Tile:
    periphery = Periphery(dac_bits=7, adc_bits=8, noise_lsb=0.5)
    return Tile((3, 5), load_device("soft_bounds"), periphery=periphery, **kwargs)


def test_same_seed_same_result_other_seed_other_result():
    first = exercise(noisy_tile(seed=7, stream=1))
    for one, other in zip(first, exercise(noisy_tile(seed=7, stream=1)), strict=True):
        np.testing.assert_array_equal(one, other)
    for seed, stream in ((8, 1), (7, 2)):
        assert not np.array_equal(first[-1], exercise(noisy_tile(seed=seed, stream=stream))[-1])


def test_a_restored_tile_continues_bit_for_bit():
    tile = noisy_tile(seed=9)
    exercise(tile)
    state = tile.state()
    expected = exercise(tile)
    other = noisy_tile(seed=9)
    other.restore(state)
    for one, again in zip(expected, exercise(other), strict=True):
        np.testing.assert_array_equal(one, again)
    assert state["actions"] < tile.actions


# Messages

DEVICE = ConstantStep(dw_min=0.1)


@pytest.mark.parametrize("length", [0, -1, 64])
def test_train_lengths_that_do_not_exist(length):
    with pytest.raises(ValueError, match=f"max_train_length = {length} is not allowed; 1 to 63 slots"):
        PulsedUpdate(max_train_length=length)


@pytest.mark.parametrize("shape", [(2,), (2, 3, 4), (-1, 2)])
def test_shapes_that_do_not_exist(shape):
    with pytest.raises(ValueError, match=r"tile shape \(.*\) is not allowed; expected \(outputs, inputs\), each at"):
        Tile(shape, DEVICE)


@pytest.mark.parametrize(("seed", "stream"), [(-1, 0), (0, -2)])
def test_negative_seeds(seed, stream):
    with pytest.raises(ValueError, match=f"seed = {seed}, stream = {stream}: both must be at least 0"):
        Tile((1, 1), DEVICE, seed=seed, stream=stream)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 3)), r"inputs has shape \(2, 3\); expected \(batch, 4\)"),
        (np.zeros(4), r"inputs has shape \(4,\); expected \(batch, 4\)"),
        (np.zeros((1, 4), dtype=complex), "inputs has dtype complex128; real numbers are allowed"),
        ([["a", "b", "c", "d"]], "inputs has dtype <U1; real numbers are allowed"),
        ([[True] * 4], "inputs has dtype bool; real numbers are allowed"),
        ([[0, 0, np.nan, 0]], "inputs holds NaN or infinity; only finite numbers are allowed"),
        ([[0, 0, np.inf, 0]], "inputs holds NaN or infinity"),
    ],
)
def test_inputs_that_cannot_be_read(values, message):
    tile = Tile((3, 4), DEVICE)
    for act in (tile.forward, lambda given: tile.update(given, np.zeros((len(given), 3)), 0.1)):
        with pytest.raises(ValueError, match=message):
            act(values)


def test_the_wrong_side_is_named():
    with pytest.raises(ValueError, match=r"errors has shape \(1, 4\); expected \(batch, 3\)"):
        Tile((3, 4), DEVICE).backward(np.zeros((1, 4)))


def test_integers_and_other_layouts_are_taken():
    array = checked("inputs", np.asfortranarray(np.arange(6).reshape(2, 3)), 3)
    assert array.dtype == np.float32
    assert array.flags.c_contiguous


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros((4, 3)), r"weights have shape \(4, 3\); this tile has \(3, 4\)"),
        (np.zeros(4), r"weights have shape \(4,\); this tile has \(3, 4\)"),
        (np.full((3, 4), np.nan), "weights holds NaN or infinity"),
    ],
)
def test_weights_that_cannot_be_programmed(weights, message):
    with pytest.raises(ValueError, match=message):
        Tile((3, 4), DEVICE).set_weights(weights)


def test_inputs_and_errors_must_be_as_many():
    with pytest.raises(ValueError, match="inputs hold 2 vectors, errors 3; expected as many"):
        Tile((3, 4), DEVICE).update(np.zeros((2, 4)), np.zeros((3, 3)), 0.1)


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf])
def test_rates_that_are_not_allowed(rate):
    message = f"learning_rate = {rate} is not allowed; it must be finite and at least 0"
    with pytest.raises(ValueError, match=message):
        Tile((3, 4), DEVICE).update(np.zeros((1, 4)), np.zeros((1, 3)), rate)


def test_a_negative_number_of_pulses():
    with pytest.raises(ValueError, match="count = -1 is not allowed; it must be at least 0"):
        Tile((1, 1), DEVICE).pulse(up=True, count=-1)
