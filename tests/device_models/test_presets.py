"""Devices by name or file: sources of every value, published numbers, overrides, what is said about bad input."""

import math
import re
from dataclasses import fields
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from device_models import FAMILIES, DeviceError, list_devices, load_device
from device_models.presets import device_preset
from device_models.quantity import KINDS, ProvenanceError, sources

ROOT = Path(__file__).parents[2]
PUBLISHED = {
    "reram_es", "reram_sb", "capacitor", "ecram", "ecram_mo", "idealized", "gokmen_vlasov", "pcm", "reram_array_om",
    "reram_array_hfo2",
}  # fmt: skip
RESPONSE_PAPER = {"generic_linear", "power_response", "exponential_response"}


def test_there_is_one_preset_per_family_and_the_published_devices():
    assert list_devices() == sorted(set(FAMILIES) | PUBLISHED)
    assert all(device_preset(family).family == family for family in FAMILIES)


@pytest.mark.parametrize("name", list_devices())
def test_every_value_says_where_it_comes_from(name):
    preset = device_preset(name)
    assert preset.summary
    for key, quantity in preset.values.items():
        assert quantity.unit == "1", key
        assert quantity.kind in KINDS, key
        assert quantity.note, key
        assert quantity.source in sources() or quantity.kind == "assumed", key


@pytest.mark.parametrize("name", list_devices())
def test_every_preset_is_a_device_of_its_family(name):
    preset, device = device_preset(name), load_device(name)
    assert type(device) is FAMILIES[preset.family]
    for field in fields(device):
        value = getattr(device, field.name)
        if field.name in preset.values:
            quantity = preset.values[field.name]
            expected = (quantity.value, *quantity.further)
            assert value == expected if isinstance(value, tuple) else (value,) == expected, field.name
        else:
            assert value == field.default, field.name


@pytest.mark.parametrize("name", list_devices())
def test_the_summary_tells_the_number_of_states(name):
    (told,) = re.findall(r"; (\d+) states(?: per device)?$", device_preset(name).summary)
    assert int(told) == round(load_device(name).states, 0)


def test_every_source_is_used():
    tables = [path for folder in ("device_models", "circuits", "cost_model") for path in (ROOT / folder).rglob("*.*")]
    texts = [path.read_text() for path in tables if path.suffix in (".toml", ".csv") and path.name != "sources.toml"]
    unused = {key for key in sources() if not any(re.search(rf"\b{key}\b", text) for text in texts)}
    assert unused == set()


def test_no_source_is_written_twice():
    text = (files("device_models") / "sources.toml").read_text(encoding="utf-8")
    keys = re.findall(r"^(\w+) =", text, flags=re.MULTILINE)
    assert len(keys) == len(set(keys)) == len(sources())


# Nominal device, from the table of published presets: q+ and q- at w_min, 0, w_max; symmetric point; R' there;
# range / dw_min; 1 / (dw_min G') in pulses.
DERIVED = {
    "reram_es": ((2.184, 1.097, 1.008), (0.801, 1.475, 9.689), -0.2172, 0.636, 1481, 998),
    "reram_sb": ((1.6, 1, 0), (0, 1, 2.667), 0, 1.067, 1000, 469),
    "capacitor": ((1.05, 1, 0.95), (0.95, 1, 1.05), 0, 0.05, 400, 4000),
    "ecram": ((1.081, 1, 0.885), (0.492, 1, 1.720), 0, 0.356, 1000, 1403),
    "ecram_mo": ((1.294, 1, 0.585), (0.266, 1, 2.038), 0, 0.620, 7089, 5714),
    "reram_array_hfo2": ((2, 1, 0), (0, 1, 2), 0, 1, 4, 2),
    "reram_array_om": ((2, 1, 0), (0, 1, 2), 0, 1, 21, 11),
}


@pytest.mark.parametrize("name", DERIVED)
def test_steps_of_published_devices_at_zero_and_at_the_bounds(name):
    device, (up, down, *_) = load_device(name), DERIVED[name]
    weights = [device.w_min, 0.0, device.w_max]
    np.testing.assert_allclose(device.q_up(weights), up, atol=5.1e-4)
    np.testing.assert_allclose(device.q_down(weights), down, atol=5.1e-4)


@pytest.mark.parametrize("name", DERIVED)
def test_symmetric_point_and_penalty_of_published_devices(name):
    device, (_, _, point, slope, steps, relaxation) = load_device(name), DERIVED[name]
    assert device.symmetric_point() == pytest.approx(point, abs=5e-5)
    assert device.asymmetry_slope() == pytest.approx(slope, abs=5e-4)
    assert round((device.w_max - device.w_min) / device.dw_min) == steps
    symmetric = float(device.symmetric_part(device.device_symmetric_point()))
    assert round(1 / (device.dw_min * device.asymmetry_slope() * symmetric)) == relaxation


def test_phase_change_memory_is_a_refreshed_pair():
    device = load_device("pcm")
    np.testing.assert_allclose(device.q_up([0, 1, 2]), [28.2, 3.24, 1.18], rtol=4e-3)
    assert device.symmetric_point() is None
    assert device.states == pytest.approx(200)
    assert (device.one_sided, device.refresh_every) == (True, 1)


@pytest.mark.parametrize(
    ("name", "noise"),
    [("reram_es", 0.101), ("reram_sb", 0.112), ("reram_array_om", 0.134), ("reram_array_hfo2", 0.270)],
)
def test_write_noise_of_published_devices(name, noise):
    device = load_device(name)
    assert device.write_noise_std * device.dw_min == pytest.approx(noise, abs=5.1e-4)


@pytest.mark.parametrize("name", ["reram_array_om", "reram_array_hfo2"])
def test_arrays_of_resistive_memory_subtract_their_symmetric_point(name):
    device = load_device(name)
    assert device.subtract_symmetry_point is True
    assert device.dw_min_dtod_log_normal is True
    assert device.reference_std == 0.05


@pytest.mark.parametrize("name", sorted(RESPONSE_PAPER))
def test_response_paper_has_1200_states(name):
    device = load_device(name)
    assert device.states == pytest.approx(1200)
    assert device.dw_min == pytest.approx(2 * device.w_max / 1200)


def test_example_of_a_table_is_the_curve_of_its_origin():
    table, origin = load_device("measured_table"), load_device("reram_es")
    weights = np.linspace(-1, 1, len(table.up_mean))
    for given, steps in ((table.up_mean, origin.q_up(weights)), (table.down_mean, origin.q_down(weights))):
        np.testing.assert_allclose(given, steps, atol=5.1e-4)
    for given, steps in ((table.up_std, origin.q_up(weights)), (table.down_std, origin.q_down(weights))):
        np.testing.assert_allclose(given, origin.dw_min_std * steps, atol=5.1e-4)


def test_defaults_of_the_papers():
    device = load_device("soft_bounds")
    assert (device.dw_min, device.w_min, device.w_max, device.states) == (0.2, -1.0, 1.0, 10)
    assert (device.dw_min_dtod, device.dw_min_std, device.up_down_dtod) == (0.3, 0.3, 0.01)


@pytest.mark.parametrize("spelling", ["reram_es", "ReRamES", "reRamES", "RERAM_ES"])
def test_capitals_and_underscores_make_no_difference(spelling):
    assert device_preset(spelling) == device_preset("reram_es")


@pytest.mark.parametrize("name", list_devices())
@pytest.mark.parametrize("states", [2, 4, 10, 1200])
def test_states_set_the_granularity(name, states):
    device = load_device(name, states=states)
    assert device.states == pytest.approx(states)
    assert device.granularity == pytest.approx((device.w_max - device.w_min) / states)


def test_states_follow_the_overridden_range():
    assert load_device("soft_bounds", states=4, w_max=0.5, w_min=-0.5).dw_min == pytest.approx(0.25)


def test_any_parameter_can_be_overridden():
    device = load_device("soft_bounds", dw_min=0.01, w_min=-0.6, w_max=0.6, dw_min_dtod=0.0)
    assert (device.dw_min, device.w_min, device.w_max, device.dw_min_dtod) == (0.01, -0.6, 0.6, 0.0)
    assert device.dw_min_std == 0.3


def test_a_list_can_be_overridden():
    assert load_device("piecewise_step", piecewise_up=[1, 2, 3, 4, 5]).piecewise_up == (1.0, 2.0, 3.0, 4.0, 5.0)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("soft_bound", {}, "device.preset = 'soft_bound' is unknown; nearest: 'soft_bounds'; known .*constant_step"),
        ("xyzzy", {}, "device.preset = 'xyzzy' is unknown; known "),
        ("nowhere.toml", {}, "device.preset = 'nowhere.toml': there is no such file"),
        ("soft_bounds", {"dw_mim": 0.1}, "device.dw_mim is unknown; nearest: 'dw_min'; known: states, dw_min"),
        ("soft_bounds", {"gamma_r": 1.0}, "device.gamma_r is unknown; .*known: states"),
        ("soft_bounds", {"states": 1.5}, "device.states = 1.5 is not allowed; a device needs at least 2 states"),
        ("soft_bounds", {"states": 4, "dw_min": 0.1}, "device.states and device.dw_min are both given; give one of"),
        ("soft_bounds", {"dw_min": -1.0}, "device.dw_min = -1.0 is not allowed"),
        ("soft_bounds", {"dw_min": "tiny"}, "device.dw_min = 'tiny' is not allowed; it must be a number"),
        ("soft_bounds", {"dw_min": [0.1, 0.2]}, r"device.dw_min = \[0.1, 0.2\] is not allowed; it must be one number"),
        ("soft_bounds", {"mult_noise": 2}, "device.mult_noise = 2 is not allowed; true or false"),
        ("soft_bounds", {"states": math.nan}, "device.states = nan is not allowed; a device needs at least 2 states"),
        ("soft_bounds", {"states": math.inf}, "device.states = inf is not allowed; a device needs at least 2 states"),
        ("soft_bounds", {"states": 4, "w_max": -2.0}, "device.w_max = -2.0: bounds must satisfy w_min < 0 < w_max"),
        ("soft_bounds", {"states": 4, "w_max": -1.0}, "device.w_max = -1.0: bounds must satisfy w_min < 0 < w_max"),
        ("measured_table", {"up_std": []}, "device.up_std has 0 nodes; 2 to 4096 are allowed"),
        ("pcm", {"refresh_every": math.nan}, "device.refresh_every = nan is not allowed; it must be a whole number"),
        ("pcm", {"refresh_every": 1.5}, "device.refresh_every = 1.5 is not allowed; it must be a whole number"),
    ],
)
def test_what_is_wrong_is_named(name, given, message):
    with pytest.raises(DeviceError, match=message):
        load_device(name, **given)


HEAD = 'schema = 1\nfamily = "constant_step"\nsummary = "Mine"\n'
STEP = '[values]\ndw_min = { value = 0.1, unit = "1", kind = "assumed", note = "mine" }\n'


def own_file(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_ones_own_is_a_preset(tmp_path):
    path = own_file(tmp_path, HEAD + STEP)
    assert device_preset(path).name == "mine"
    assert load_device(str(path), up_down=0.1).dw_min == 0.1


def test_a_value_takes_from_provenance_what_it_does_not_say(tmp_path):
    common = '[provenance]\nunit = "1"\nkind = "measured"\nsource = "file:mine.csv"\nnote = "device 7"\n'
    text = HEAD + common + '[values]\ndw_min = { value = 0.1 }\nw_max = { value = 1.0, kind = "assumed" }\n'
    values = device_preset(own_file(tmp_path, text)).values
    assert (values["dw_min"].kind, values["dw_min"].source) == ("measured", "file:mine.csv")
    assert (values["w_max"].kind, values["w_max"].note) == ("assumed", "device 7")


def test_a_file_without_granularity_needs_a_number_of_states(tmp_path):
    path = own_file(tmp_path, HEAD + STEP.replace("dw_min", "w_max"))
    assert load_device(path, states=10).states == pytest.approx(10)
    with pytest.raises(DeviceError, match=r"mine.toml: values.dw_min is missing; give it, or device.states"):
        load_device(path)


BAD_FILES = {
    "not TOML": ("schema = = 1", "cannot be read as TOML"),
    "no family": ('schema = 1\nsummary = "x"\n' + STEP, r"missing \['family'\]"),
    "wrong schema": (HEAD.replace("1", "2", 1) + STEP, "schema must be 1"),
    "values that are no table": (HEAD + "values = 1\n", "values = 1 is not a table"),
    "provenance that is no table": (HEAD + 'provenance = "me"\n' + STEP, "provenance = 'me' is not a table"),
    "unknown key of the file": (HEAD + 'colour = "red"\n' + STEP, r"unknown keys \['colour'\]"),
    "unknown family": (HEAD.replace("constant_step", "constant_stop") + STEP, "'constant_stop' is unknown; nearest:"),
    "unknown value": (HEAD + STEP.replace("dw_min", "dw_mim"), "values.dw_mim is unknown; nearest: 'dw_min'"),
    "value of another family": (HEAD + STEP.replace("dw_min", "gamma_r"), "values.gamma_r is unknown"),
    "bare number": (HEAD + "[values]\ndw_min = 0.1\n", "values.dw_min = 0.1 is not a table with value, unit, kind"),
    "no source": (
        HEAD + STEP.replace("assumed", "measured"),
        r"dw_min: a measured value needs a source: 0.1 \[1\] mine",
    ),
    "no kind": (HEAD + '[values]\ndw_min = { value = 0.1, unit = "1" }\n', r"dw_min: .*missing keys \['kind'\]"),
    "unknown kind": (HEAD + STEP.replace("assumed", "guessed"), "kind 'guessed' is unknown; known: measured, fitted"),
    "unknown source": (HEAD + STEP.replace('note = "', 'note = "x", source = "'), "source 'mine' is not listed in"),
    "assumed without a reason": (HEAD + STEP.replace(', note = "mine"', ""), "an assumed value needs a note"),
    "text": (HEAD + STEP.replace("0.1", '"much"'), "value = 'much' is not a number or a list of numbers"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_with_its_place(tmp_path, name):
    text, message = BAD_FILES[name]
    with pytest.raises((DeviceError, ProvenanceError), match=message) as caught:
        device_preset(own_file(tmp_path, text))
    assert "mine.toml" in str(caught.value)
