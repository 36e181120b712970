"""From one record to an array of devices: values without spread, statistics with it, the reference simulator."""

from dataclasses import fields

import numpy as np
import pytest
from scipy import stats

from device_models import ConstantStep, SoftBounds, load_device
from device_models.population import PARAMETER_NAMES, populate
from tests.oracles import devices
from tests.oracles.reference_simulator import section

SHAPE = (200, 200)
SPREAD = {"dw_min_dtod": 0.3, "up_down_dtod": 0.05, "w_max_dtod": 0.3, "w_min_dtod": 0.3}


def test_without_spread_all_devices_are_the_mean_device():
    parameters = populate(SoftBounds(dw_min=0.01, w_max=0.6, w_min=-0.5), (3, 4), seed=1, stream=0)
    assert parameters.dtype == np.float32
    expected = np.broadcast_to(np.array([0.01, 0.01, 0.6, -0.5], dtype=np.float32), (3, 4, 4))
    np.testing.assert_array_equal(parameters, expected)


@pytest.mark.parametrize(("up_down", "up", "down"), [(0.2, 0.01, 0.008), (-0.3, 0.007, 0.01), (0.0, 0.01, 0.01)])
def test_imbalance_is_one_sided(up_down, up, down):
    parameters = populate(ConstantStep(dw_min=0.01, up_down=up_down), (1, 1), seed=0, stream=0)
    np.testing.assert_allclose(parameters[0, 0, :2], [up, down], rtol=1e-6)


def test_same_seed_and_stream_same_devices_otherwise_others():
    device = load_device("soft_bounds")
    first = populate(device, (5, 6), seed=3, stream=2)
    np.testing.assert_array_equal(first, populate(device, (5, 6), seed=3, stream=2))
    for seed, stream in ((4, 2), (3, 3), (2, 3)):
        assert not np.any(first[..., 0] == populate(device, (5, 6), seed=seed, stream=stream)[..., 0])


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_small_and_empty_arrays(shape):
    assert populate(load_device("soft_bounds"), shape, seed=0, stream=0).shape == (*shape, len(PARAMETER_NAMES))


def test_wide_spreads_keep_signs():
    device = SoftBounds(dw_min=0.1, dw_min_dtod=2.0, up_down_dtod=1.0, w_max_dtod=2.0, w_min_dtod=2.0)
    parameters = populate(device, (50, 50), seed=1, stream=0)
    assert np.all(parameters[..., :3] >= 0)
    assert np.all(parameters[..., 3] <= 0)


@pytest.mark.parametrize("up_down", [0.0, 0.1])
def test_distributions_equal_those_of_a_separate_draw(up_down):
    device = SoftBounds(dw_min=0.01, up_down=up_down, w_max=0.6, w_min=-0.6, **SPREAD)
    ours = populate(device, SHAPE, seed=5, stream=1)
    oracle = devices.population(device, 40_000, np.random.Generator(np.random.PCG64(2)))
    for place, name in enumerate(PARAMETER_NAMES):  # chance of a failure 1e-4 each
        assert stats.ks_2samp(ours[..., place].ravel(), oracle[name]).pvalue > 1e-4, name


def test_neighbouring_devices_and_different_parameters_are_independent():
    device = SoftBounds(dw_min=0.01, **SPREAD)
    step, _, high, low = np.moveaxis(populate(device, SHAPE, seed=6, stream=1).astype(float), -1, 0)
    for a, b in ((step[:, 1:], step[:, :-1]), (step[1:], step[:-1]), (step, high), (step, low), (high, low)):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(a.size)


@pytest.mark.parametrize("family", [ConstantStep, SoftBounds])
def test_population_of_the_reference_simulator(family):
    name = family.__name__
    reference = section("hidden_parameter_distributions", name)
    known = {field.name: reference["parameters"][field.name] for field in fields(family)}
    count = reference["n"]
    parameters = populate(family(**known), (256, 256), seed=7, stream=0).astype(float)
    assert parameters[..., 0].size == count
    for place, other in enumerate(("dwmin_up", "dwmin_down", "max_bound", "min_bound")):
        values, theirs = parameters[..., place].ravel(), reference["stats"][other]
        sigma = theirs["std"]
        # 4 sigma of the difference of two samples; the reference draws from a table of 32768 normals with its own bias.
        bias = sigma * 4 / np.sqrt(32768)
        assert abs(values.mean() - theirs["mean"]) < 4 * sigma * np.sqrt(2 / count) + bias, other
        assert abs(values.std() - sigma) < 4 * sigma * np.sqrt(1 / count) + bias / np.sqrt(2), other
        for quantile in (5, 50, 95):
            level = quantile / 100
            density = stats.norm.pdf(stats.norm.ppf(level)) / sigma
            error = np.sqrt(2 * level * (1 - level) / count) / density
            assert abs(np.quantile(values, level) - theirs[f"q{quantile:02d}"]) < 4 * error + bias, (other, quantile)
    up, down = parameters[..., 0].ravel(), parameters[..., 1].ravel()
    correlation = reference["corr"]["dwmin_up~dwmin_down"]
    assert abs(np.corrcoef(up, down)[0, 1] - correlation) < 4 * (1 - correlation**2) * np.sqrt(2 / count) + 1e-3
