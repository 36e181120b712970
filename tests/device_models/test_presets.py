"""Devices by name: sources of every value, overrides, unknown names."""

from dataclasses import MISSING, fields

import pytest

from device_models import DeviceError, list_devices, load_device
from device_models.parameters import FAMILIES
from device_models.presets import device_preset
from device_models.quantity import KINDS, sources


def test_the_list_is_sorted_and_holds_the_published_devices():
    assert list_devices() == sorted(list_devices())
    assert {"constant_step", "soft_bounds"} <= set(list_devices())


@pytest.mark.parametrize("name", list_devices())
def test_every_value_says_where_it_comes_from(name):
    family, summary, values = device_preset(name)
    known = {field.name for field in fields(FAMILIES[family])}
    assert summary
    assert set(values) <= known
    for key, quantity in values.items():
        assert quantity.unit == "1", key
        assert quantity.kind in KINDS, key
        assert quantity.note, key
        if quantity.kind in ("measured", "fitted"):
            assert quantity.source in sources(), key


@pytest.mark.parametrize("name", list_devices())
def test_every_preset_is_a_device_of_its_family(name):
    family, _, values = device_preset(name)
    device = load_device(name)
    assert type(device) is FAMILIES[family]
    for field in fields(device):
        expected = values[field.name].value if field.name in values else field.default
        assert expected is not MISSING
        assert getattr(device, field.name) == expected


def test_defaults_of_the_papers():
    device = load_device("soft_bounds")
    assert (device.dw_min, device.w_min, device.w_max, device.states) == (0.2, -1.0, 1.0, 10)
    assert (device.dw_min_dtod, device.dw_min_std, device.up_down_dtod) == (0.3, 0.3, 0.01)


@pytest.mark.parametrize("name", list_devices())
@pytest.mark.parametrize("states", [2, 4, 10, 1200])
def test_states_set_the_granularity(name, states):
    device = load_device(name, states=states)
    assert device.states == pytest.approx(states)
    assert device.dw_min == pytest.approx((device.w_max - device.w_min) / states)


def test_states_follow_the_overridden_range():
    assert load_device("soft_bounds", states=4, w_max=0.5, w_min=-0.5).dw_min == pytest.approx(0.25)


def test_any_parameter_can_be_overridden():
    device = load_device("soft_bounds", dw_min=0.01, w_min=-0.6, w_max=0.6, dw_min_dtod=0.0)
    assert (device.dw_min, device.w_min, device.w_max, device.dw_min_dtod) == (0.01, -0.6, 0.6, 0.0)
    assert device.dw_min_std == 0.3


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("soft_bound", {}, "device.preset = 'soft_bound' is unknown; nearest: 'soft_bounds'; known: .*constant_step"),
        ("xyzzy", {}, "device.preset = 'xyzzy' is unknown; known: "),
        ("soft_bounds", {"dw_mim": 0.1}, "device.dw_mim is unknown; nearest: 'dw_min'; known: states, dw_min"),
        ("soft_bounds", {"qqqq": 0.1}, "device.qqqq is unknown; known: states"),
        ("soft_bounds", {"states": 1.5}, "device.states = 1.5 is not allowed; a device needs at least 2 states"),
        ("soft_bounds", {"states": 4, "dw_min": 0.1}, "device.states and device.dw_min are both given; give one of"),
        ("soft_bounds", {"dw_min": -1.0}, "device.dw_min = -1.0 is not allowed"),
    ],
)
def test_what_is_wrong_is_named(name, given, message):
    with pytest.raises(DeviceError, match=message):
        load_device(name, **given)
