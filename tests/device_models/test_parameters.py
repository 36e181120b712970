"""Device records: what is allowed, what is said about the rest."""

import math

import pytest

from device_models import ConstantStep, DeviceError, SoftBounds
from device_models.parameters import FAMILIES


def test_families_know_their_own_name():
    assert FAMILIES == {"constant_step": ConstantStep, "soft_bounds": SoftBounds}


@pytest.mark.parametrize(("dw_min", "states"), [(0.5, 4), (0.2, 10), (0.125, 16), (0.02, 100)])
def test_number_of_states(dw_min, states):
    assert SoftBounds(dw_min=dw_min).states == pytest.approx(states)


def test_the_smallest_device_has_one_state():
    assert ConstantStep(dw_min=2.0).states == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dw_min": math.nan}, "device.dw_min = nan is not a finite number"),
        ({"w_max": math.inf}, "device.w_max = inf is not a finite number"),
        ({"dw_min_dtod": -0.1}, "device.dw_min_dtod = -0.1 is negative; a spread is at least 0"),
        ({"dw_min_std": -1.0}, "device.dw_min_std = -1.0 is negative; a spread is at least 0"),
        ({"dw_min": 0.0}, "device.dw_min = 0.0 is not allowed; the granularity must be above 0"),
        ({"dw_min": -0.2}, "device.dw_min = -0.2 is not allowed; the granularity must be above 0"),
        ({"w_min": 0.0}, "device.w_min = 0.0, device.w_max = 1.0: bounds must satisfy w_min < 0 < w_max"),
        ({"w_max": -0.5}, "bounds must satisfy w_min < 0 < w_max"),
        ({"up_down": 1.0}, r"device.up_down = 1.0 is outside \(-1, 1\)"),
        ({"up_down": -1.5}, r"device.up_down = -1.5 is outside \(-1, 1\)"),
        ({"dw_min": 2.5}, "device.dw_min = 2.5 exceeds the weight range 2.0: less than one state"),
    ],
)
@pytest.mark.parametrize("family", FAMILIES.values())
def test_impossible_devices_are_refused(family, given, message):
    with pytest.raises(DeviceError, match=message):
        family(**({"dw_min": 0.1} | given))


def test_a_record_does_not_change():
    device = SoftBounds(dw_min=0.1)
    with pytest.raises(AttributeError):
        device.dw_min = 0.2
