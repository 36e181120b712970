"""From one record to an array of devices: values without spread, statistics with it, stuck devices, references."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from device_models import list_devices, load_device
from device_models.families import (
    ConstantStep,
    ExponentialStep,
    GenericLinear,
    LinearStep,
    PowerStep,
    SoftBounds,
    SoftBoundsReference,
)
from device_models.population import parameter_names, populate
from tests.device_models.family_cases import CASES
from tests.oracles import devices

SHAPE = (200, 200)
SPREAD = {"dw_min_dtod": 0.3, "up_down_dtod": 0.05, "w_max_dtod": 0.3, "w_min_dtod": 0.3}


def test_without_spread_all_devices_are_the_mean_device():
    people = populate(SoftBounds(dw_min=0.01, w_max=0.6, w_min=-0.5), (3, 4), seed=1, stream=0)
    assert people.parameters.dtype == np.float32
    expected = np.broadcast_to(np.array([0.01, 0.01, 0.6, -0.5], dtype=np.float32)[:, None, None], (4, 3, 4))
    np.testing.assert_array_equal(people.parameters, expected)
    assert people.reference is None
    assert people.decay is None
    assert people.diffusion is None
    assert not people.reset.any()


@pytest.mark.parametrize("name", CASES)
def test_every_parameter_has_a_name(name):
    device = CASES[name][0]
    assert populate(device, (2, 3), seed=0, stream=0).parameters.shape == (len(parameter_names(device)), 2, 3)


@pytest.mark.parametrize(("up_down", "up", "down"), [(0.2, 0.01, 0.008), (-0.3, 0.007, 0.01), (0.0, 0.01, 0.01)])
def test_imbalance_is_one_sided(up_down, up, down):
    parameters = populate(ConstantStep(dw_min=0.01, up_down=up_down), (1, 1), seed=0, stream=0).parameters
    np.testing.assert_allclose(parameters[:2, 0, 0], [up, down], rtol=1e-6)


def test_same_seed_and_stream_same_devices_otherwise_others():
    device = load_device("soft_bounds")
    first = populate(device, (5, 6), seed=3, stream=2).parameters
    np.testing.assert_array_equal(first, populate(device, (5, 6), seed=3, stream=2).parameters)
    for seed, stream in ((4, 2), (3, 3), (2, 3)):
        assert not np.any(first[0] == populate(device, (5, 6), seed=seed, stream=stream).parameters[0])


def test_second_devices_of_pairs_are_others():
    device = load_device("pcm")
    first, second = (populate(device, (5, 6), seed=3, stream=2, side=side) for side in (0, 1))
    assert not np.any(first.parameters[0] == second.parameters[0])


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)])
@pytest.mark.parametrize("name", list_devices())
def test_small_and_empty_arrays(name, shape):
    device = load_device(name)
    people = populate(device, shape, seed=0, stream=0)
    assert people.parameters.shape == (len(parameter_names(device)), *shape)
    assert people.reset.shape == shape


@pytest.mark.parametrize("name", list_devices())
def test_parameters_of_every_preset_are_finite(name):
    people = populate(load_device(name), SHAPE, seed=2, stream=0)
    for array in (people.parameters, people.reference, people.decay, people.diffusion, people.reset):
        assert array is None or np.isfinite(array).all()


def test_wide_spreads_keep_signs():
    device = SoftBounds(dw_min=0.1, dw_min_dtod=2.0, up_down_dtod=1.0, w_max_dtod=2.0, w_min_dtod=2.0)
    parameters = populate(device, (50, 50), seed=1, stream=0).parameters
    assert np.all(parameters[:3] >= 0)
    assert np.all(parameters[3] <= 0)


def test_falling_steps_stay_falling():
    device = LinearStep(dw_min=0.1, gamma_up=0.1, gamma_down=0.1, gamma_up_dtod=1.0, gamma_down_dtod=1.0)
    slopes = populate(device, (50, 50), seed=1, stream=0).parameters[4:]
    assert np.all(slopes[0] <= 0)
    assert np.all(slopes[1] >= 0)


BOUNDS = {"w_max": 0.6, "w_min": -0.6}
DRAWN = {
    "constant": ConstantStep(dw_min=0.01, **SPREAD),
    "imbalance": SoftBounds(dw_min=0.01, up_down=0.1, **BOUNDS, **SPREAD),
    "log-normal": ConstantStep(dw_min=0.01, **BOUNDS, **SPREAD | {"dw_min_dtod": 0.7}, dw_min_dtod_log_normal=True),
    "stuck": ConstantStep(dw_min=0.01, **SPREAD, corrupt_devices_prob=0.2, corrupt_devices_range=0.3),
    "generic linear": GenericLinear(dw_min=0.01, c_lin=0.3, **SPREAD),
    "slopes": SoftBoundsReference(dw_min=0.01, slope_up_dtod=0.2, slope_down_dtod=0.1, **SPREAD),
    "linear": LinearStep(dw_min=0.01, gamma_up=0.4, gamma_down=0.2, gamma_up_dtod=0.1, gamma_down_dtod=0.2, **SPREAD),
    "linear, own bounds": LinearStep(
        dw_min=0.01, gamma_up=0.4, gamma_down=0.2, gamma_up_dtod=0.1, mean_bound_reference=False, **SPREAD
    ),
    "power": PowerStep(
        dw_min=0.01, pow_gamma=1.5, pow_gamma_dtod=0.2, pow_up_down=0.1, pow_up_down_dtod=0.05, **SPREAD
    ),
    "exponential": ExponentialStep(dw_min=0.01, up_down=-0.1, **BOUNDS, **SPREAD),
}


@pytest.mark.parametrize("name", DRAWN)
def test_distributions_equal_those_of_a_separate_draw(name):
    device = DRAWN[name]
    ours = populate(device, SHAPE, seed=5, stream=1).parameters
    oracle = devices.population(device, 20_000, np.random.Generator(np.random.PCG64(2)))
    for place, parameter in enumerate(parameter_names(device)):  # chance of a failure 1e-4 each
        theirs = oracle[parameter].astype(np.float32)
        if np.ptp(theirs) <= 1e-6 * abs(theirs).max():
            np.testing.assert_allclose(ours[place], theirs[0], rtol=1e-5)
        else:
            assert stats.ks_2samp(ours[place].ravel(), theirs).pvalue > 1e-4, parameter


@pytest.mark.parametrize("name", DRAWN)
def test_rank_correlations_equal_those_of_a_separate_draw(name):
    device = DRAWN[name]
    count = SHAPE[0] * SHAPE[1]
    ours = populate(device, SHAPE, seed=5, stream=1).parameters.reshape(-1, count)
    oracle = devices.population(device, 20_000, np.random.Generator(np.random.PCG64(3)))
    found = stats.spearmanr(ours, axis=1).statistic
    expected = stats.spearmanr(np.stack([oracle[parameter] for parameter in parameter_names(device)], axis=1)).statistic
    # A rank correlation of n independent pairs has at most the standard error 1/sqrt(n): 4 sigma of the difference.
    assert np.abs(found - expected).max() < 4 * np.sqrt(1 / count + 1 / 20_000)


def test_neighbouring_devices_and_different_parameters_are_independent():
    device = SoftBounds(dw_min=0.01, **SPREAD)
    step, _, high, low = populate(device, SHAPE, seed=6, stream=1).parameters.astype(float)
    for a, b in ((step[:, 1:], step[:, :-1]), (step[1:], step[:-1]), (step, high), (step, low), (high, low)):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(a.size)


def test_a_stuck_device_has_no_steps_and_both_bounds_at_its_value():
    device = ConstantStep(dw_min=0.01, corrupt_devices_prob=0.3, corrupt_devices_range=0.2, **SPREAD)
    parameters = populate(device, SHAPE, seed=6, stream=1).parameters
    stuck = parameters[0] == 0
    assert abs(stuck.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / stuck.size)  # 4 sigma: 6e-5
    assert not parameters[1, stuck].any()
    np.testing.assert_array_equal(parameters[2, stuck], parameters[3, stuck])
    assert stats.kstest(parameters[2, stuck], stats.uniform(-0.2, 0.4).cdf).pvalue > 1e-4
    assert (parameters[2, ~stuck] > parameters[3, ~stuck]).all()


def test_stuck_devices_leave_the_others_as_they_are():
    device = SoftBounds(dw_min=0.01, **SPREAD)
    healthy = populate(device, SHAPE, seed=6, stream=1).parameters
    some = populate(replace(device, corrupt_devices_prob=0.1), SHAPE, seed=6, stream=1).parameters
    moving = some[0] > 0
    np.testing.assert_array_equal(some[:, moving], healthy[:, moving])


def test_reference_has_its_mean_and_spread():
    people = populate(SoftBounds(dw_min=0.01, reference_mean=0.1, reference_std=0.05), SHAPE, seed=1, stream=0)
    values = people.reference.astype(float)
    # 4 sigma each: 6e-5
    assert abs(values.mean() - 0.1) < 4 * 0.05 / np.sqrt(values.size)
    assert abs(values.std() - 0.05) < 4 * 0.05 / np.sqrt(2 * values.size)


def test_subtracted_reference_holds_the_symmetric_point_of_each_device():
    device = SoftBoundsReference(dw_min=0.01, up_down=0.1, subtract_symmetry_point=True, reference_mean=0.02, **SPREAD)
    people = populate(device, (30, 30), seed=1, stream=0)
    expected = [devices.soft_bounds_symmetric_point(*map(float, one)) for one in people.parameters.reshape(4, -1).T]
    np.testing.assert_allclose(people.reference.ravel() - 0.02, expected, atol=1e-6)


def test_decay_and_diffusion_vary_from_device_to_device():
    device = ConstantStep(dw_min=0.01, lifetime=100.0, lifetime_dtod=0.1, diffusion=0.02, diffusion_dtod=0.2)
    people = populate(device, SHAPE, seed=1, stream=0)
    lifetimes, rates = 1 / (1 - people.decay.astype(float)), people.diffusion.astype(float)
    count = rates.size
    # 4 sigma each: 6e-5; the float32 factor 0.99 leaves 6e-6 of the lifetime
    assert abs(lifetimes.mean() - 100) < 4 * 10 / np.sqrt(count) + 1e-2
    assert abs(lifetimes.std() - 10) < 4 * 10 / np.sqrt(2 * count) + 1e-2
    assert abs(rates.mean() - 0.02) < 4 * 0.004 / np.sqrt(count)
    assert abs(rates.std() - 0.004) < 4 * 0.004 / np.sqrt(2 * count)


def test_no_lifetime_is_below_one_mini_batch():
    people = populate(ConstantStep(dw_min=0.01, lifetime=1.0, lifetime_dtod=2.0), SHAPE, seed=1, stream=0)
    assert people.decay.min() == 0
    assert people.decay.max() < 1
