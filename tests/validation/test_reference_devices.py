"""Devices of the reference simulator: how they are drawn, and what they do pulse by pulse.

Their normal numbers come from a table of 32768, whose mean and spread are off by a fixed amount: every comparison
allows 4 sigma of that table on top of 4 sigma of both samples (chance of a failure below 1e-4 each).
"""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from device_models import FAMILIES, PulsedDevice
from device_models.population import populate
from tests.device_models.kernels.pulses import row, trained
from tests.oracles.reference_simulator import section

TABLE = 32768
NAMES = {
    "ConstantStep": "constant_step",
    "LinearStep": "linear_step",
    "LinearStep_additive": "linear_step",
    "SoftBounds": "soft_bounds",
    "SoftBoundsReference": "soft_bounds_reference",
    "SoftBoundsReference_subSP": "soft_bounds_reference",
    "ExpStep": "exponential_step",
    "PowStep": "power_step",
    "PiecewiseStep": "piecewise_step",
    "ConstantStep_lognormal_corrupt10": "constant_step",
}


def ours(name: str, parameters: dict[str, Any], **changes: Any) -> PulsedDevice:
    """Return our record of one of their devices."""
    record = FAMILIES[NAMES[name]]
    known = {field.name for field in fields(record)} & set(parameters)
    given = {key: tuple(value) if isinstance(value := parameters[key], list) else value for key in known}
    return record(**(given | changes))


def errors(values: np.ndarray) -> tuple[float, float]:
    """Return the standard errors of mean and standard deviation, from the second and fourth moment."""
    spread = values.std()
    fourth = ((values - values.mean()) ** 4).mean()
    return spread / np.sqrt(values.size), np.sqrt(max(fourth - spread**4, 0.0) / (4 * spread**2 * values.size))


@pytest.mark.parametrize(
    "name", ["ConstantStep", "SoftBounds", "SoftBoundsReference", "ExpStep", "ConstantStep_lognormal_corrupt10"]
)
def test_devices_are_drawn_from_the_same_distributions(name):
    reference = section("hidden_parameter_distributions", name)
    people = populate(ours(name, reference["parameters"]), (256, 256), seed=7, stream=0)
    quantities = ("dwmin_up", "dwmin_down", "max_bound", "min_bound")
    drawn = dict(zip(quantities, people.parameters, strict=True))
    if "reference" in reference["stats"]:
        drawn["reference"] = people.reference
    if "slope_up" in reference["stats"]:
        drawn["slope_up"] = -drawn["dwmin_up"] / drawn["max_bound"]
        drawn["slope_down"] = -drawn["dwmin_down"] / drawn["min_bound"]
    for quantity, array in drawn.items():
        values, theirs = array.astype(float).ravel(), reference["stats"][quantity]
        if not quantity.startswith("slope"):  # 1/bound has no mean
            of_mean, of_spread = errors(values)
            table = 4 * values.std() / np.sqrt(TABLE)
            assert abs(values.mean() - theirs["mean"]) < 4 * np.sqrt(2) * of_mean + table, quantity
            assert abs(values.std() - theirs["std"]) < 4 * np.sqrt(2) * of_spread + table, quantity
        for quantile in {"q05", "q50", "q95"} & set(theirs):
            level = int(quantile[1:]) / 100
            error = np.sqrt(level * (1 - level))
            below = (values < theirs[quantile]).mean()
            assert abs(below - level) < 4 * error * np.sqrt(2 / values.size) + 4 * error / np.sqrt(TABLE), quantity


@pytest.mark.parametrize("name", ["ConstantStep", "SoftBounds", "SoftBoundsReference", "ExpStep"])
def test_parameters_of_one_device_are_correlated_as_there(name):
    reference = section("hidden_parameter_distributions", name)
    people = populate(ours(name, reference["parameters"]), (256, 256), seed=7, stream=0)
    up, down, high, low = people.parameters[:4].reshape(4, -1).astype(float)
    count = up.size
    expected = reference["corr"]["dwmin_up~dwmin_down"]
    assert abs(np.corrcoef(up, down)[0, 1] - expected) < 4 * (1 - expected**2) * np.sqrt(2 / count + 1 / TABLE)
    for pair, (a, b) in {"max_bound~min_bound": (high, low), "max_bound~dwmin_up": (high, up)}.items():
        assert abs(np.corrcoef(a, b)[0, 1] - reference["corr"][pair]) < 4 * np.sqrt(2 / count + 1 / TABLE), pair


def test_as_many_devices_are_stuck():
    reference = section("hidden_parameter_distributions", "ConstantStep_lognormal_corrupt10")
    device = ours("ConstantStep_lognormal_corrupt10", reference["parameters"])
    stuck = populate(device, (256, 256), seed=7, stream=0).parameters[0] == 0
    assert abs(stuck.mean() - reference["frac_corrupt"]) < 4 * np.sqrt(0.1 * 0.9 * 2 / stuck.size)


UP_AND_DOWN = [True] * 1000 + [False] * 1000
TRAJECTORIES = (
    "ConstantStep", "LinearStep", "LinearStep_additive", "SoftBounds", "SoftBoundsReference",
    "SoftBoundsReference_subSP", "ExpStep", "PowStep", "PiecewiseStep",
)  # fmt: skip


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_a_device_without_variation_takes_the_same_path(name):
    reference = section("trajectories", "no_variation", name)
    device = ours(name, reference["parameters"])
    path = np.concatenate([[[0.0]], trained(device, row(device), 0.0, UP_AND_DOWN)])[:, 0]
    # they add up in float32: half a unit in the last place of 0.6 per pulse, 3e-8, partly of one sign
    np.testing.assert_allclose(path[reference["pulse_index"]], reference["mean"], atol=2e-6)


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_granularity_is_the_one_there(name):
    reference = section("trajectories", "no_variation", name)
    # for an exponential step they take the down step alone, which is 4e-6 below the mean of both
    assert ours(name, reference["parameters"]).granularity == pytest.approx(reference["granularity"], rel=5e-6)


@pytest.mark.parametrize("name", ["ConstantStep", "SoftBounds"])
def test_devices_with_variation_spread_as_there(name):
    reference = section("trajectories", "d2d_and_c2c", name)
    device, count = ours(name, reference["parameters"]), reference["n_devices"]
    paths = trained(device, row(device, count), 0.0, UP_AND_DOWN)
    for place, mean, spread in zip(*(reference[key] for key in ("pulse_index", "mean", "std")), strict=True):
        if place:
            weights = paths[place - 1]
            of_mean, of_spread = errors(weights)
            table = 4 * weights.std() / np.sqrt(TABLE)
            assert abs(weights.mean() - mean) < 4 * np.sqrt(2) * of_mean + table, place
            assert abs(weights.std() - spread) < 4 * np.sqrt(2) * of_spread + table, place


@pytest.mark.parametrize("up_down", [0.0, 0.2, -0.3])
@pytest.mark.parametrize("name", TRAJECTORIES)
def test_alternating_pulses_settle_at_the_same_symmetric_point(name, up_down):
    reference = section("trajectories", "symmetry_point", name, f"up_down={up_down:g}")
    parameters = section("trajectories", "no_variation", name, "parameters")
    device = ours(name, parameters, up_down=up_down)
    for start, ends in reference.items():
        path = trained(device, row(device), float(start), [True, False] * 1500)[:, 0]
        assert path[-2] == pytest.approx(ends["after_up"], abs=5e-6)
        assert path[-1] == pytest.approx(ends["after_down"], abs=5e-6)
        assert path[-2:].mean() == pytest.approx(ends["mid"], abs=5e-6)


@pytest.mark.parametrize("up_down", [0.2, -0.3])
@pytest.mark.parametrize("name", TRAJECTORIES[1:])
def test_they_settle_at_the_computed_symmetric_point(name, up_down):
    reference = section("trajectories", "symmetry_point", name, f"up_down={up_down:g}")
    parameters = section("trajectories", "no_variation", name, "parameters")
    device = ours(name, parameters, up_down=up_down)
    # the path ends after a down pulse and the one before it after an up pulse: within half a step
    assert device.symmetric_point() == pytest.approx(reference["0.0"]["mid"], abs=device.dw_min / 2)
