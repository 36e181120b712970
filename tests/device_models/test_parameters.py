"""Device records: what is allowed, what is said about the rest."""

import math

import pytest

from device_models import FAMILIES, DeviceError
from device_models.families import (
    ConstantStep,
    ExponentialResponse,
    ExponentialStep,
    GenericLinear,
    LinearStep,
    MeasuredTable,
    PiecewiseStep,
    PowerResponse,
    PowerStep,
    SoftBounds,
    SoftBoundsReference,
)


@pytest.mark.parametrize(("dw_min", "states"), [(0.5, 4), (0.2, 10), (0.125, 16), (0.02, 100)])
def test_number_of_states(dw_min, states):
    assert SoftBounds(dw_min=dw_min).states == pytest.approx(states)


def test_the_smallest_device_has_one_state():
    assert ConstantStep(dw_min=2.0).states == 1


def test_only_pairs_may_have_a_lowest_weight_of_zero():
    assert LinearStep(dw_min=0.1, w_min=0.0, one_sided=True).states == pytest.approx(10)


ANY_FAMILY = [
    ({"dw_min": math.nan}, "device.dw_min = nan is not allowed; it must be a finite number"),
    ({"w_max": math.inf}, "device.w_max = inf is not allowed; it must be a finite number"),
    ({"w_max": 1e10}, "device.w_max = 10000000000.0 is not allowed; at most 1e.09 in magnitude"),
    ({"dw_min": "small"}, "device.dw_min = 'small' is not allowed; it must be a finite number"),
    ({"dw_min_dtod": -0.1}, "device.dw_min_dtod = -0.1 is negative; a spread is at least 0"),
    ({"dw_min_std": -1.0}, "device.dw_min_std = -1.0 is negative; a spread is at least 0"),
    ({"write_noise_std": -1.0}, "device.write_noise_std = -1.0 is negative; a spread is at least 0"),
    ({"corrupt_devices_range": -0.1}, "device.corrupt_devices_range = -0.1 is negative; a spread is at least 0"),
    ({"dw_min": 0.0}, "device.dw_min = 0.0 is not allowed; the granularity must be above 0"),
    ({"dw_min": -0.2}, "device.dw_min = -0.2 is not allowed; the granularity must be above 0"),
    ({"w_min": 0.0}, "device.w_min = 0.0, device.w_max = 1.0: bounds must satisfy w_min < 0 < w_max"),
    ({"w_max": -0.5}, "device.w_min = -1.0, device.w_max = -0.5: bounds must satisfy w_min < 0 < w_max"),
    ({"w_max": -2.0}, "device.w_min = -1.0, device.w_max = -2.0: bounds must satisfy w_min < 0 < w_max"),
    ({"up_down": 1.0}, r"device.up_down = 1.0 is outside \(-1, 1\)"),
    ({"up_down": -1.5}, r"device.up_down = -1.5 is outside \(-1, 1\)"),
    ({"corrupt_devices_prob": 1.2}, r"device.corrupt_devices_prob = 1.2 is outside \[0, 1\]"),
    ({"refresh_upper_threshold": -0.1}, r"device.refresh_upper_threshold = -0.1 is outside \[0, 1\]"),
    ({"lifetime": 0.5}, "device.lifetime = 0.5 is not allowed; at least 1 mini-batch, or 0 for no decay"),
    ({"diffusion": -0.1}, "device.diffusion = -0.1 is negative; it is at least 0"),
    ({"refresh_every": -1}, "device.refresh_every = -1 is negative; it is at least 0"),
    ({"one_sided": True, "reference_mean": 0.1}, "device.one_sided: the second device of a pair leaves no place"),
    ({"one_sided": True, "subtract_symmetry_point": True}, "leaves no place for a reference"),
]


@pytest.mark.parametrize(("given", "message"), ANY_FAMILY)
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_impossible_devices_are_refused(family, given, message):
    with pytest.raises(DeviceError, match=message):
        family(**({"dw_min": 0.1} | given))


@pytest.mark.parametrize("family", [ConstantStep, SoftBounds, PowerResponse, PiecewiseStep])
def test_less_than_one_state_is_refused(family):
    with pytest.raises(DeviceError, match=r"device.dw_min = 2.5 exceeds the weight range 2.0: less than one state"):
        family(dw_min=2.5)


ONE_FAMILY = {
    "rising steps": (LinearStep, {"gamma_up": -0.1}, "device.gamma_up = -0.1 is not allowed; it is at least 0"),
    "slope over no range": (
        LinearStep,
        {"gamma_down": 0.2, "w_min": 0.0, "one_sided": True},
        "device.gamma_down = 0.2 needs a bound w_min below 0",
    ),
    "soft bounds at zero": (
        SoftBounds,
        {"w_min": 0.0, "one_sided": True},
        "device.w_min = 0 is not allowed here: the down step would not be defined",
    ),
    "symmetric point at the bound": (
        GenericLinear,
        {"c_lin": 1.0},
        r"device.c_lin = 1.0 is outside \(-1, 1\): the symmetric point c_lin w_max would leave the range",
    ),
    "symmetric point beyond the bound": (GenericLinear, {"c_lin": -1.5}, r"device.c_lin = -1.5 is outside \(-1, 1\)"),
    "no exponent": (PowerResponse, {"gamma_r": 0.0}, "device.gamma_r = 0.0 is not allowed; above 0 and at most 100"),
    "no steepness": (
        ExponentialResponse,
        {"gamma_r": -1.0},
        "device.gamma_r = -1.0 is not allowed; above 0 and at most 100",
    ),
    "overflow": (ExponentialResponse, {"gamma_r": 1e3}, "device.gamma_r = 1000.0 is not allowed; above 0 and at most"),
    "power at zero": (PowerResponse, {"w_min": 0.0, "one_sided": True}, "device.w_min = 0 is not allowed here"),
    "no power": (PowerStep, {"pow_gamma": 0.0}, "device.pow_gamma = 0.0 is not allowed; above 0 and at most 100"),
    "power imbalance": (PowerStep, {"pow_up_down": 1.0}, r"device.pow_up_down = 1.0 is outside \(-1, 1\)"),
    "no step at zero": (
        ExponentialStep,
        {"A_up": 2.0, "b": 0.0},
        "device.A_up = 2.0, device.A_down = 0.36833: a pulse at weight 0 has no effect; both steps must be above 0",
    ),
    "one node": (PiecewiseStep, {"piecewise_up": (1.0,)}, "device.piecewise_up has 1 nodes; 2 to 4096 are allowed"),
    "too many nodes": (
        PiecewiseStep,
        {"piecewise_down": (1.0,) * 4097},
        "device.piecewise_down has 4097 nodes; 2 to 4096 are allowed",
    ),
    "unequal nodes": (
        PiecewiseStep,
        {"piecewise_up": (1.0, 1.0, 1.0)},
        "device.piecewise_down has 2 nodes; expected 3, as the other lists have",
    ),
    "negative node": (
        PiecewiseStep,
        {"piecewise_down": (1.0, -0.5)},
        "device.piecewise_down holds -0.5; steps and spreads are at least 0",
    ),
    "nodes without a step": (
        PiecewiseStep,
        {"piecewise_up": (1.0, 0.0, 1.0), "piecewise_down": (1.0, 0.0, 1.0)},
        "device.piecewise_up, device.piecewise_down: the step at weight 0 must be above 0",
    ),
    "node that is no number": (
        PiecewiseStep,
        {"piecewise_up": (1.0, math.nan)},
        r"device.piecewise_up = \(1.0, nan\) is not allowed; it must be a finite number",
    ),
    "unequal tables": (
        MeasuredTable,
        {"up_mean": (1.0, 1.0, 1.0)},
        "device.up_std has 2 nodes; expected 3, as the other lists have",
    ),
    "negative spread": (
        MeasuredTable,
        {"down_std": (0.1, -0.1)},
        r"device.down_std = \(0.1, -0.1\) is negative; a spread is at least 0",
    ),
    "negative mean": (MeasuredTable, {"up_mean": (-1.0, 1.0)}, "device.up_mean holds -1.0; steps and spreads are at"),
    "table without a step": (
        MeasuredTable,
        {"up_mean": (0.0, 0.0), "down_mean": (0.0, 0.0)},
        "device.up_mean, device.down_mean: the step at weight 0 must be above 0",
    ),
}


@pytest.mark.parametrize("name", ONE_FAMILY)
def test_impossible_responses_are_refused(name):
    family, given, message = ONE_FAMILY[name]
    with pytest.raises(DeviceError, match=message):
        family(**({"dw_min": 0.1} | given))


@pytest.mark.parametrize(
    ("family", "given"),
    [
        (ConstantStep, {}),
        (ConstantStep, {"up_down": 0.1}),
        (LinearStep, {"gamma_up": 0.1, "gamma_down": 0.1, "up_down": 0.5}),
    ],
    ids=["every point", "no point", "point beyond the bounds"],
)
def test_a_symmetric_point_that_is_not_there_cannot_be_subtracted(family, given):
    message = "device.subtract_symmetry_point: .* has no symmetric point between -1.0 and 1.0 .*; remove it or change"
    with pytest.raises(DeviceError, match=message):
        family(dw_min=0.1, subtract_symmetry_point=True, **given)


def test_references_are_open_to_every_family_with_a_symmetric_point():
    for family in (SoftBounds, SoftBoundsReference, PowerStep, PowerResponse, ExponentialStep):
        assert family(dw_min=0.01, subtract_symmetry_point=True).symmetric_point() == pytest.approx(0, abs=1e-12)


def test_a_record_does_not_change():
    device = SoftBounds(dw_min=0.1)
    with pytest.raises(AttributeError):
        device.dw_min = 0.2
