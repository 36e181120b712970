"""One array of devices behind its converters: reads, updates, programming, random behaviour, messages."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cosim
from cosim.periphery import Periphery
from cosim.reading import checked
from cosim.tile import PulsedUpdate, Tile
from device_models import load_device
from device_models.families import ConstantStep, GenericLinear, LinearStep, SoftBounds
from tests.oracles import conversion, devices
from tests.oracles.reference_simulator import section

WIDE = ConstantStep(dw_min=0.01, w_max=10.0, w_min=-10.0)


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


# Write noise, references, pairs, ageing


NOISY = ConstantStep(dw_min=0.01, w_max=10, w_min=-10, write_noise_std=20.0)


def held(tile: Tile) -> np.ndarray:
    """Return what the devices hold, (1 or 2, outputs, inputs)."""
    return tile.state()["stored"].astype(float)


def test_what_is_read_is_what_is_stored_and_write_noise():
    tile, wanted = Tile((60, 50), NOISY, seed=1), 0.3 * draws(1, 60, 50)
    tile.set_weights(wanted)
    np.testing.assert_array_equal(held(tile)[0], wanted)
    noise = tile.weights.astype(float) - wanted
    assert abs(noise.mean()) < 4 * 0.2 / math.sqrt(3000)
    assert noise.std() == pytest.approx(0.2, rel=4 / math.sqrt(6000))
    inputs = draws(2, 5, 50)
    np.testing.assert_allclose(tile.forward(inputs), inputs @ tile.weights.T, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(tile.forward(inputs), tile.forward(inputs))


def test_write_noise_is_drawn_again_by_programming_and_where_devices_are_touched():
    tile = Tile((4, 6), NOISY, seed=1)
    tile.set_weights(np.zeros((4, 6)))
    first = tile.weights.copy()
    tile.set_weights(np.zeros((4, 6)))
    assert np.all(tile.weights != first)
    first = tile.weights.copy()
    tile.update([[1, 0, 0, 0, 0, 1]], [[1, 0, 0, -1]], 0.01)
    touched = np.outer([1, 0, 0, 1], [1, 0, 0, 0, 0, 1]) > 0
    np.testing.assert_array_equal(tile.weights != first, touched)
    first = tile.weights.copy()
    tile.reset([1, 4])
    np.testing.assert_array_equal((tile.weights != first).any(axis=0), [0, 1, 0, 0, 1, 0])


@pytest.mark.parametrize("family", [ConstantStep, SoftBounds])
def test_stuck_devices_never_move(family):
    device = family(
        dw_min=0.1, corrupt_devices_prob=0.3, corrupt_devices_range=0.5, dw_min_std=0.3, lifetime=3.0, reset=0.2
    )
    tile = Tile((20, 30), device, seed=4)
    stuck = tile.device_parameters["step_up"] == 0
    values = tile.device_parameters["bound_max"][stuck]
    assert abs(stuck.mean() - 0.3) < 4 * math.sqrt(0.21 / 600)
    assert np.abs(values).max() <= 0.5
    moves = (
        lambda: tile.pulse(up=True, count=3),
        lambda: tile.pulse(up=False, count=2),
        lambda: tile.update(draws(1, 4, 30), draws(2, 4, 20), 1.0),
        lambda: tile.set_weights(np.full((20, 30), 0.7)),
        lambda: tile.age(),
        lambda: tile.reset(),
    )
    for move in moves:
        before = tile.weights.copy()
        move()
        np.testing.assert_array_equal(tile.weights[stuck], values)
        assert np.any(tile.weights != before)


def test_a_reference_is_subtracted_from_every_read():
    device = SoftBounds(dw_min=0.01, reference_mean=0.1, reference_std=0.05)
    tile = Tile((30, 40), device, seed=2)
    reference = tile.device_parameters["reference"].astype(float)
    assert abs(reference.mean() - 0.1) < 4 * 0.05 / math.sqrt(1200)
    assert reference.std() == pytest.approx(0.05, rel=4 / math.sqrt(2400))
    tile.set_weights(0.2 * draws(3, 30, 40))
    np.testing.assert_allclose(tile.weights, 0.2 * draws(3, 30, 40), atol=1e-6)
    np.testing.assert_allclose(held(tile)[0], tile.weights + reference, atol=1e-6)
    before = tile.weights.astype(float)
    tile.pulse(up=True)
    np.testing.assert_allclose(tile.weights, before + 0.01 * (1 - before - reference), atol=1e-6)
    tile.set_weights(np.full((30, 40), 5.0))
    np.testing.assert_allclose(tile.weights, 1 - reference, atol=1e-6)


def test_a_subtracted_symmetric_point_reads_zero():
    device = GenericLinear(dw_min=0.002, c_lin=0.2, dw_min_dtod=0.3, w_max_dtod=0.2, subtract_symmetry_point=True)
    tile = Tile((5, 6), device, seed=3)
    own = {name: value.astype(float) for name, value in tile.device_parameters.items()}
    point = devices.soft_bounds_symmetric_point(own["step_up"], own["step_down"], own["bound_max"], own["bound_min"])
    np.testing.assert_allclose(own["reference"], point, atol=1e-6)
    for _ in range(4000):
        tile.pulse(up=True)
        tile.pulse(up=False)
    # Alternating pulses end within a step of it.
    assert np.abs(tile.weights).max() < 0.004


def pair_tile(**kwargs) -> Tile:
    own = {"dw_min": 0.01, "gamma_up": 0.5, "w_min": 0.0, "w_max": 1.0, "one_sided": True, "refresh_every": 1}
    return Tile((3, 4), LinearStep(**own | kwargs), seed=5)


def test_pairs_take_pulses_of_both_signs_upward():
    tile, seen = pair_tile(w_max_dtod=0.2), []
    for number in range(30):
        before = held(tile)
        tile.update(draws(number, 2, 4), draws(50 + number, 2, 3), 0.05)
        after = held(tile)
        assert np.all(after >= before)
        np.testing.assert_allclose(tile.weights, after[0] - after[1], atol=1e-6)
        seen.append((after - before).any(axis=(1, 2)))
    assert np.all(np.any(seen, axis=0))
    high = np.stack([tile.device_parameters[name] for name in ("bound_max", "bound_max_minus")])
    tile.pulse(up=True, count=600)
    tile.pulse(up=False, count=600)
    np.testing.assert_allclose(held(tile), high, rtol=0.02)
    assert np.all(held(tile) <= high)


def test_programming_a_pair_uses_one_device_of_it():
    tile, wanted = pair_tile(), np.linspace(-0.9, 0.9, 12).reshape(3, 4)
    tile.set_weights(wanted)
    np.testing.assert_allclose(tile.weights, wanted, atol=1e-6)
    np.testing.assert_allclose(held(tile), [np.maximum(wanted, 0), np.maximum(-wanted, 0)], atol=1e-6)


def test_pairs_are_worn_where_one_device_is_far_up_and_the_other_up_too():
    tile = pair_tile(gamma_up=0.0, dw_min=1 / 128)
    tile.pulse(up=True, count=97)  # above three quarters
    assert not tile.worn_pairs().any()
    tile.pulse(up=False, count=32)  # at a quarter
    assert not tile.worn_pairs().any()
    tile.update([[1, 0, 0, 0]], [[1, 0, 0]], 1 / 128)
    np.testing.assert_array_equal(np.argwhere(tile.worn_pairs()), [[0, 0]])


def test_a_refresh_keeps_weights_that_trains_can_write_and_frees_the_pairs():
    tile, composite = pair_tile(gamma_up=0.0), np.zeros((3, 4), np.float32)
    tile.pulse(up=True, count=90)
    tile.pulse(up=False, count=70)
    before = tile.weights.copy()
    activity = tile.refresh(composite, 0.5)
    np.testing.assert_allclose(tile.weights, before, atol=1e-5)
    np.testing.assert_allclose(held(tile)[0], 0.2, atol=1e-5)
    assert not held(tile)[1].any()
    assert activity.coincidences == 20 * 12 + 2 * 12  # both devices of 12 pairs are reset first
    np.testing.assert_allclose(composite, 0.5 * (tile.weights - before), atol=1e-6)
    assert tile.refresh(composite, 0.5).coincidences == 0


def test_a_refresh_writes_no_more_than_one_longest_train():
    tile, composite = pair_tile(gamma_up=0.0), np.zeros((3, 4), np.float32)
    tile.pulse(up=True, count=90)
    tile.pulse(up=False, count=30)
    activity = tile.refresh(composite, 1.0)
    np.testing.assert_allclose(tile.weights, 0.31, atol=1e-5)  # of 0.6
    assert activity.coincidences == 31 * 12 + 2 * 12


def test_a_refresh_touches_worn_pairs_only():
    tile = pair_tile(gamma_up=0.0)
    tile.pulse(up=True, count=80)
    tile.pulse(up=False, count=20)
    tile.update([[0, 1, 0, 0]] * 10, [[0, 1, 0]] * 10, 0.01)
    before = held(tile)
    composite = tile.weights.copy()
    tile.refresh(composite, 1.0)
    worn = np.zeros((3, 4), bool)
    worn[1, 1] = True
    np.testing.assert_array_equal((held(tile) != before).any(axis=0), worn)
    np.testing.assert_allclose(composite, tile.weights, atol=1e-6)


def test_a_reset_reaches_its_value_with_its_spread():
    device = ConstantStep(dw_min=0.01, w_max=9, w_min=-9, reset=0.3, reset_dtod=0.1, reset_std=0.05)
    tile = Tile((60, 50), device, seed=6)
    results = []
    for _ in range(2):
        tile.set_weights(np.ones((60, 50)))
        tile.reset()
        results.append(tile.weights.astype(float))
    one, other = results
    assert abs(one.mean() - 0.3) < 4 * math.hypot(0.1, 0.05) / math.sqrt(3000)
    assert one.std() == pytest.approx(math.hypot(0.1, 0.05), rel=4 / math.sqrt(6000))
    assert (one - other).std() == pytest.approx(0.05 * math.sqrt(2), rel=4 / math.sqrt(6000))


def test_a_reset_of_columns_leaves_the_others():
    tile = programmed((5, 6))
    before = tile.weights.copy()
    tile.reset(np.array([0, 4]))
    assert not tile.weights[:, [0, 4]].any()
    np.testing.assert_array_equal(tile.weights[:, [1, 2, 3, 5]], before[:, [1, 2, 3, 5]])


def test_resets_stay_within_the_bounds():
    tile = Tile((20, 20), SoftBounds(dw_min=0.1, w_max=0.2, w_min=-0.3, reset_std=5.0), seed=1)
    tile.reset()
    assert set(np.unique(tile.weights)) >= {np.float32(0.2), np.float32(-0.3)}
    assert np.all((tile.weights <= np.float32(0.2)) & (tile.weights >= np.float32(-0.3)))


def test_weights_decay_toward_the_reset_value_of_each_device():
    device = ConstantStep(dw_min=0.01, w_max=9, w_min=-9, lifetime=10.0, lifetime_dtod=0.2, reset=0.2, reset_dtod=0.1)
    tile = programmed((50, 60), device=device)
    start, rest = tile.weights.astype(float), tile.populations[0].reset.astype(float)
    for _ in range(8):
        tile.age()
    left = ((tile.weights - rest) / (start - rest)) ** (1 / 8)
    lifetime = 1 / (1 - left[np.abs(start - rest) > 0.1])
    # 1 / lifetime of a normal lifetime with a spread of 2 around 10: mean and spread within 4 sigma.
    assert abs(lifetime.mean() - 10) < 4 * 2 / math.sqrt(lifetime.size)
    assert lifetime.std() == pytest.approx(2, rel=4 / math.sqrt(2 * lifetime.size) + 0.01)


def test_diffusion_adds_a_random_walk():
    device = ConstantStep(dw_min=0.01, w_max=9, w_min=-9, diffusion=0.03)
    tile = Tile((60, 50), device, seed=7)
    for _ in range(16):
        tile.age()
    assert abs(tile.weights.mean(dtype=float)) < 4 * 0.12 / math.sqrt(3000)
    assert tile.weights.std(dtype=float) == pytest.approx(0.12, rel=4 / math.sqrt(6000))


def test_devices_that_do_not_fade_do_not_age():
    tile = programmed((3, 4))
    before, actions = tile.weights.copy(), tile.actions
    tile.age()
    np.testing.assert_array_equal(tile.weights, before)
    assert tile.actions == actions


# Zero shifting


def test_zero_shift_approaches_the_symmetric_point_at_the_known_rate():
    # Soft bounds with c = 0.2: the distance falls by a factor exp(-dw_min) per pulse, from 1 at -0.8 to 1 % of 0.2.
    tile = Tile((1, 1), GenericLinear(dw_min=1e-3, c_lin=0.2), reference=True)
    tile.set_weights([[-0.8]])
    pulses = 0
    while abs(tile.device_parameters["reference"].item() - 0.2) > 0.002:
        tile.zero_shift(20)
        pulses += 20
        assert tile.weights.item() == 0
    assert 6200 <= pulses <= 6500


@pytest.mark.parametrize("dw_min", [0.02, 0.005])
def test_zero_shift_finds_the_symmetric_point_of_every_device_within_a_step(dw_min):
    device = SoftBounds(dw_min=dw_min, up_down_dtod=0.1, dw_min_dtod=0.2, w_max_dtod=0.2, w_min_dtod=0.2)
    tile = Tile((8, 9), device, seed=8, reference=True)
    tile.zero_shift(round(20 / dw_min))
    own = {name: value.astype(float) for name, value in tile.device_parameters.items()}
    point = devices.soft_bounds_symmetric_point(own["step_up"], own["step_down"], own["bound_max"], own["bound_min"])
    step = np.maximum(own["step_up"], own["step_down"])
    assert np.all(np.abs(own["reference"] - point) <= step)
    assert np.abs(point).max() > 2 * dw_min
    assert not tile.weights.any()


def test_after_a_zero_shift_weights_are_programmed_about_the_reference():
    tile = Tile((4, 5), GenericLinear(dw_min=0.01, c_lin=0.3), reference=True)
    tile.zero_shift(2000)
    tile.set_weights(np.full((4, 5), 0.25))
    np.testing.assert_allclose(tile.weights, 0.25, atol=1e-6)
    np.testing.assert_allclose(held(tile)[0] - 0.25, tile.device_parameters["reference"], atol=1e-6)


def test_zero_shift_needs_a_reference_array_and_a_pulse():
    with pytest.raises(ValueError, match="zero_shift needs a reference array; make the tile with reference=True"):
        Tile((1, 1), WIDE).zero_shift(10)
    with pytest.raises(ValueError, match="pulses = 0 is not allowed; at least 1"):
        Tile((1, 1), WIDE, reference=True).zero_shift(0)
    with pytest.raises(ValueError, match="the second device of a one-sided pair leaves no place"):
        Tile((1, 1), LinearStep(dw_min=0.1, one_sided=True), reference=True)


# Seeds and states


ODD_TILES = {
    "write noise": lambda: Tile((3, 5), ConstantStep(dw_min=0.05, dw_min_std=0.3, write_noise_std=3.0), seed=9),
    "reference": lambda: Tile(
        (3, 5), SoftBounds(dw_min=0.05, reference_std=0.1, write_noise_std=2.0, diffusion=0.01, reset_std=0.1), seed=9
    ),
    "zero shift": lambda: Tile((3, 5), GenericLinear(dw_min=0.05, c_lin=0.2, dw_min_std=0.3), seed=9, reference=True),
    "pairs": lambda: Tile(
        (3, 5),
        LinearStep(
            dw_min=0.05,
            dw_min_std=0.3,
            w_min=0,
            one_sided=True,
            refresh_every=1,
            lifetime=9,
            reset_std=0.02,
            write_noise_std=0.5,
            refresh_upper_threshold=0.3,
            refresh_lower_threshold=0.1,
        ),
        seed=9,
    ),
}


def live(tile: Tile) -> list[np.ndarray]:
    """Put a tile through everything that changes it."""
    results, composite = [], np.zeros(tile.shape, np.float32)
    for number in range(3):
        tile.update(draws(20 + number, 4, 5), draws(30 + number, 4, 3), 0.4)
        tile.pulse(up=number == 1, count=2)
        if tile.has_reference:
            tile.zero_shift(7)
        tile.reset([number])
        tile.age()
        if tile.device.one_sided:
            tile.refresh(composite, 1.0)
        results += [tile.weights.copy(), held(tile), tile.forward(draws(40, 2, 5))]
    return results


@pytest.mark.parametrize("name", ODD_TILES)
def test_everything_that_changes_is_replayed_and_restored_bit_for_bit(name):
    tile, same = ODD_TILES[name](), ODD_TILES[name]()
    for one, other in zip(live(tile), live(same), strict=True):
        np.testing.assert_array_equal(one, other)
    state = {key: np.array(value) for key, value in tile.state().items()}
    expected = live(tile)
    fresh = ODD_TILES[name]()
    fresh.restore(state)
    np.testing.assert_array_equal(fresh.weights, same.weights)
    for one, again in zip(expected, live(fresh), strict=True):
        np.testing.assert_array_equal(one, again)


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


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pulse_type": "random"}, "pulse_type = 'random' is unknown; known: stochastic, mean_count, deterministic"),
        ({"error_share": 0.0}, "error_share = 0.0 is not allowed; above 0 and at most 1"),
        ({"resolution": 1.0}, "resolution = 1.0 is not allowed; at least 0 and below 1"),
    ],
)
def test_update_settings_that_do_not_exist(given, message):
    with pytest.raises(ValueError, match=message):
        PulsedUpdate(**given)


def test_the_settings_of_an_update_reach_the_pulses():
    counted = Tile((1, 2), WIDE, update=PulsedUpdate(pulse_type="mean_count", error_share=0.5))
    counted.update([[1.0, 0.5]], [[1.0]], 0.16)
    np.testing.assert_allclose(counted.weights, [[-0.08, -0.04]], atol=1e-6)
    coarse = Tile(
        (1, 2), WIDE, update=PulsedUpdate(pulse_type="deterministic", resolution=0.5, train_length_management=False)
    )
    coarse.update([[1.0, 0.2]], [[1.0]], 0.31)
    np.testing.assert_allclose(coarse.weights, [[-0.31, 0]], atol=1e-6)


# Messages

DEVICE = ConstantStep(dw_min=0.1)


@pytest.mark.parametrize("length", [0, -1, 1025])
def test_train_lengths_that_do_not_exist(length):
    with pytest.raises(ValueError, match=f"max_train_length = {length} is not allowed; 1 to 1024 slots"):
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
