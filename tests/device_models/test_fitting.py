"""A measured pulse response becomes a device: known devices are found again, hopeless data are refused."""

import numpy as np
import pandas as pd
import pytest

from device_models import FAMILIES, load_device
from device_models.fitting import FitError, fit_device
from tests.device_models.pulse_trains import CASES, CENTRE_S, PER_WEIGHT_S, measure, measure_case, table

ENDS_S = {"conductance_min_s": CENTRE_S - PER_WEIGHT_S, "conductance_max_s": CENTRE_S + PER_WEIGHT_S}


def rows_of(fit):
    return fit.parameters.set_index("parameter")


def distances(fit, truth):
    """How far each true value is from the fitted one, in half widths of the 95 % interval."""
    rows = rows_of(fit)
    found = {}
    for name, value in truth.items():
        estimate, low, high = rows.loc[name, ["value", "low_95", "high_95"]].astype(float)
        assert low <= estimate <= high, name
        half = high - estimate if value > estimate else estimate - low
        found[name] = abs(value - estimate) / half if abs(value - estimate) > 1e-9 * abs(value) else 0.0
    return found


# Known devices.


@pytest.mark.parametrize("family", CASES)
def test_a_known_device_is_found_again(family):
    fit = fit_device(measure_case(family, seed=2), family)

    *_, noise, multiplicative, truth = CASES[family]
    assert fit.device.family == family
    assert getattr(fit.device, "mult_noise", multiplicative) == multiplicative
    # Several values at once: a miss of one by a little is what 5 % are for, a miss by half as much again is not.
    far = distances(fit, truth | {"dw_min_std": noise} | ENDS_S)
    assert {name: value for name, value in far.items() if value > 1.5} == {}
    assert fit.conductance_per_weight == pytest.approx(PER_WEIGHT_S, rel=0.2)
    assert fit.conductance_zero == pytest.approx(CENTRE_S, rel=0.1)


UP, DOWN = (1.5, 1.2, 1.0, 0.8, 0.1), (0.1, 0.5, 1.0, 1.4, 1.6)


def measure_table(**options):
    up, down = table(UP), table(DOWN)
    return measure(lambda w: 0.03 * up(w), lambda w: 0.03 * down(w), 0.3, True, **options)


@pytest.mark.parametrize(
    ("family", "read"), [("piecewise_step", 0.0), ("measured_table", 0.0), ("measured_table", 0.005)]
)
def test_a_tabulated_device_is_found_again(family, read):
    device = fit_device(measure_table(seed=3, cycles=20, read=read), family).device

    weights = np.linspace(-0.8, 0.8, 9)
    for curve, nodes in ((device.q_up, UP), (device.q_down, DOWN)):
        np.testing.assert_allclose(
            device.dw_min * curve(weights), 0.03 * table_at(nodes, weights), rtol=0.12, atol=1e-3
        )
    if family == "piecewise_step":
        assert device.dw_min_std == pytest.approx(0.3, abs=0.03)
    else:
        assert device.dw_min_std == 1.0
        places = np.linspace(-1, 1, len(device.up_std))[3:-3]
        spread = device.dw_min * np.array(device.up_std[3:-3])
        assert np.median(spread / (0.3 * 0.03 * table_at(UP, places))) == pytest.approx(1.0, abs=0.2)


def table_at(nodes, weights):
    return np.interp(weights, np.linspace(-1, 1, len(nodes)), nodes)


def test_every_family_can_be_fitted():
    assert set(CASES) | {"piecewise_step", "measured_table"} == set(FAMILIES)


# Intervals.


@pytest.mark.parametrize(("family", "read", "sets"), [("soft_bounds", 0.02, 100), ("linear_step", 0.0, 40)])
def test_intervals_hold_the_truth_as_often_as_they_say(family, read, sets):
    truth = CASES[family][4] | {"dw_min_std": CASES[family][2]} | ENDS_S
    inside = []
    for seed in range(sets):
        fit = fit_device(measure_case(family, seed=1000 + seed, read=read, cycles=3, pulses=60), family)
        inside.append({name: far <= 1.0 for name, far in distances(fit, truth).items()})
    share = pd.DataFrame(inside).mean()
    known = ["dw_min", "dw_min_std", *(name for name in truth if name.startswith("gamma"))]
    assert share[known].between(0.87, 1.0).all(), share
    assert 0.90 <= share[known].to_numpy().mean() <= 0.99, share


def test_read_noise_is_told_from_the_noise_of_pulses():
    noisy = fit_device(measure_case("soft_bounds", seed=5, read=0.03, cycles=8), "soft_bounds")

    rows = rows_of(noisy)
    assert rows.loc["read_noise_s", "value"] == pytest.approx(0.03 * PER_WEIGHT_S, rel=0.1)
    assert noisy.device.dw_min_std == pytest.approx(0.3, abs=0.08)
    assert noisy.device.dw_min == pytest.approx(0.05, rel=0.05)
    assert noisy.device.write_noise_std == 0


def test_intervals_shrink_with_more_cycles():
    short, long = (fit_device(measure_case("soft_bounds", seed=6, cycles=n), "soft_bounds") for n in (2, 18))

    widths = [rows_of(fit).loc["dw_min", "high_95"] - rows_of(fit).loc["dw_min", "low_95"] for fit in (short, long)]
    assert widths[0] / widths[1] == pytest.approx(3, rel=0.4)


def test_without_noise_the_device_is_exact():
    up, down, *_ = CASES["soft_bounds"]
    device = fit_device(measure(up, down, 0.0, True, seed=0), "soft_bounds").device

    assert device.dw_min == pytest.approx(0.05, rel=1e-4)
    assert device.up_down == pytest.approx(-0.2, rel=1e-3)
    assert device.dw_min_std < 1e-3


# Several devices.


@pytest.fixture(scope="module")
def several():
    random = np.random.default_rng(4)
    parts = []
    for number in range(12):
        gain, high, low = 1 + 0.2 * random.standard_normal(), 1 + 0.1 * random.standard_normal(), -1.0
        part = measure(
            lambda w, gain=gain, high=high: 0.05 * gain * (1 - w / high),
            lambda w, gain=gain, low=low: 0.05 * gain * (1 - w / low),
            0.2,
            True,
            seed=number,
            cycles=2,
            low=low,
            high=high,
        )
        parts.append(part.assign(device=f"D{number}"))
    return pd.concat(parts, ignore_index=True)


def test_several_devices_give_means_and_spreads(several):
    fit = fit_device(several, "soft_bounds")

    rows = rows_of(fit)
    truth = {"dw_min": 0.05, "dw_min_std": 0.2, "dw_min_dtod": 0.2, "w_max_dtod": 0.1}
    for name, value in truth.items():
        low, high = rows.loc[name, ["low_95", "high_95"]].astype(float)
        assert low <= value <= high, name
        assert getattr(fit.device, name) == rows.loc[name, "value"]
    assert abs(fit.device.up_down) < 0.08  # the middle of these twelve is not quite weight 0
    assert fit.device.w_min_dtod < 0.02
    assert fit.device.up_down_dtod < 0.03
    assert (fit.device.w_min, fit.device.w_max) == (-1.0, 1.0)
    assert rows.loc["dw_min", "spread"] == pytest.approx(0.2 * 0.05, rel=0.7)
    assert fit.warnings == ()


def test_devices_may_be_mixed_row_by_row(several):
    mixed = several.assign(order=several.groupby("device").cumcount()).sort_values("order", kind="stable")

    assert fit_device(mixed, "soft_bounds").device == fit_device(several, "soft_bounds").device


def test_one_device_leaves_spreads_unknown():
    fit = fit_device(measure_case("soft_bounds", seed=1), "soft_bounds")

    assert fit.device.dw_min_dtod == 0
    assert np.isnan(rows_of(fit).loc["dw_min_dtod", "low_95"])
    assert any("one device" in warning for warning in fit.warnings)


# Input.


def test_directions_start_and_unit_may_be_written_otherwise():
    frame = measure_case("soft_bounds", seed=1)
    usual = fit_device(frame, "soft_bounds")
    signs = frame["direction"].map({"": 1, "up": 1, "down": -1})
    plain = {"pulse": frame["pulse"], "direction": signs, "conductance": frame["conductance_s"] / 18e-6}

    fit = fit_device(plain, "soft_bounds")

    assert fit.unit == "1"
    assert fit.device.dw_min == pytest.approx(usual.device.dw_min, rel=1e-6)
    assert fit.conductance_per_weight == pytest.approx(usual.conductance_per_weight / 18e-6, rel=1e-6)


def test_count_may_begin_anew_and_pulse_0_starts_anew():
    frame = measure_case("soft_bounds", seed=1)
    usual = fit_device(frame, "soft_bounds").device
    anew = frame.assign(pulse=[0, *(1 + np.arange(800) % 100)])
    assert fit_device(anew, "soft_bounds").device == usual

    again = pd.concat([frame, frame], ignore_index=True)  # the jump back to the start is no step
    assert fit_device(again, "soft_bounds").device.dw_min == pytest.approx(usual.dw_min, rel=0.01)


def test_weights_of_the_bounds_can_be_chosen():
    frame = measure_case("soft_bounds", seed=1)
    fit = fit_device(frame, "soft_bounds", w_min=-0.5, w_max=1.5)
    rows = rows_of(fit)

    assert (fit.device.w_min, fit.device.w_max) == (-0.5, 1.5)
    lowest = fit.conductance_zero - 0.5 * fit.conductance_per_weight
    assert lowest == pytest.approx(rows.loc["conductance_min_s", "value"])
    assert fit.conductance_per_weight == pytest.approx(rows.loc["conductance_per_weight_s", "value"])


@pytest.mark.parametrize("family", ["soft_bounds", "exponential_step", "piecewise_step"])
def test_the_preset_is_the_device(family, tmp_path):
    fit = fit_device(measure_case("soft_bounds", seed=1), family)
    path = tmp_path / "mine.toml"
    path.write_text(fit.preset_toml("mine.csv"))

    assert load_device(path) == fit.device
    assert 'source = "file:mine.csv"' in path.read_text()
    assert "95 %" in path.read_text()


def test_residuals_follow_the_measurement():
    frame = measure_case("soft_bounds", seed=1)
    residuals = fit_device(frame, "soft_bounds").residuals

    assert residuals["measured"].to_numpy() == pytest.approx(frame["conductance_s"].to_numpy()[1:])
    off = (residuals["trajectory"] - residuals["measured"]) / PER_WEIGHT_S
    assert off.std() < 0.1
    normal = (residuals["step"] - residuals["fitted_step"]) / residuals["noise_read"]
    assert normal[residuals["used"]].std() == pytest.approx(1, abs=0.1)


# Warnings.


def test_the_wrong_family_is_warned_of_with_its_chi_square():
    fit = fit_device(measure_case("soft_bounds", seed=1, cycles=8), "constant_step")

    assert any("reduced chi-square" in warning and "measured_table" in warning for warning in fit.warnings)


def test_bounds_that_were_only_driven_to_are_warned_of():
    fit = fit_device(measure(lambda w: 0.04, lambda w: 0.04, 0.1, True, seed=1, pulses=15), "constant_step")

    assert any("still moved at its highest value" in warning for warning in fit.warnings)


def test_states_without_pulses_are_filled_and_reported():
    frame = measure_case("constant_step", seed=1, pulses=18, cycles=8)
    up = frame["conductance_s"].between(CENTRE_S, CENTRE_S + 0.3 * PER_WEIGHT_S) & (frame["direction"] == "up")
    with_gap = cut_out(frame, up)

    fit = fit_device(with_gap, "measured_table")

    assert any("taken from their neighbours" in warning for warning in fit.warnings)
    step_s = fit.device.dw_min * fit.conductance_per_weight
    assert step_s == pytest.approx(0.045 * PER_WEIGHT_S, rel=0.3)


def cut_out(frame, rows):
    """Leave out pulses: the next reading is a new start."""
    frame = frame.assign(pulse=np.where(rows.shift(fill_value=False) & ~rows, 0, frame["pulse"]))
    frame = frame[~rows].reset_index(drop=True)
    starts = frame["pulse"] == 0
    return frame.assign(pulse=frame.groupby(starts.cumsum()).cumcount())


# Refusals.

GOOD = measure_case("soft_bounds", seed=1, cycles=2)


def changed(row, column, value):
    frame = GOOD.astype(object)
    frame.loc[row, column] = value
    return frame


def constant(noise):
    random = np.random.default_rng(0)
    return GOOD.assign(conductance_s=1e-6 * (1 + noise * random.standard_normal(len(GOOD))))


REFUSED = {
    "column": (GOOD.rename(columns={"direction": "directoin"}), ["'direction'", "nearest: 'directoin'", "pulse"]),
    "conductance": (GOOD.rename(columns={"conductance_s": "conduct"}), ["'conductance_s'", "nearest: 'conduct'"]),
    "empty": (GOOD.iloc[:0], ["no rows"]),
    "text": (changed(4, "conductance_s", "1,5"), ["row 5", "conductance_s = '1,5'"]),
    "nan": (changed(4, "conductance_s", float("nan")), ["row 5", "'nan'", "finite"]),
    "negative": (changed(4, "conductance_s", -1e-6), ["row 5", "-1e-06", "negative"]),
    "direction": (changed(4, "direction", "left"), ["row 5", "'left'", "up, down"]),
    "no direction": (changed(4, "direction", ""), ["row 5", "''"]),
    "left out": (GOOD.drop(index=[7]), ["row 8", "pulse 8 comes after pulse 6"]),
    "one direction": (GOOD.iloc[:101], ["only one direction", "0 down pulses"]),
    "few": (GOOD.iloc[97:105], ["up pulses", "8 are needed"]),
    "constant": (constant(0.0), ["no response", "1e-06 throughout"]),
    "noise": (constant(0.05), ["no response", "beyond its noise"]),
    "swapped": (GOOD.assign(direction=GOOD["direction"].map({"": "", "up": "down", "down": "up"})), ["look swapped"]),
    "one way": (
        measure(lambda w: 0.01, lambda w: -0.01, 0.1, True, seed=0, cycles=1, high=9.0),
        ["down pulses do not lower"],
    ),
    "bound never approached": (
        measure_case("constant_step", seed=1, pulses=10, cycles=6),
        ["bound of soft_bounds was never approached", "constant_step"],
    ),
}


@pytest.mark.parametrize(("frame", "parts"), REFUSED.values(), ids=REFUSED)
def test_hopeless_data_are_refused(frame, parts):
    with pytest.raises(FitError) as refusal:
        fit_device(frame, "soft_bounds")

    assert [part for part in parts if part not in str(refusal.value)] == []
    assert "\n" not in str(refusal.value)


def test_a_family_that_explains_nothing_is_refused():
    peak = table((0.02, 0.02, 3.0, 0.02, 0.02))
    frame = measure(lambda w: 0.03 * peak(w), lambda w: 0.03 * peak(w), 0.05, True, seed=0, cycles=4, pulses=600)

    with pytest.raises(FitError, match=r"explains \d+ % of the mean steps .* less than 50 %"):
        fit_device(frame, "constant_step")


def test_a_dead_device_among_others_is_named(several):
    dead = GOOD.assign(conductance_s=1e-6, device="D99")

    with pytest.raises(FitError, match="'D99' shows no response"):
        fit_device(pd.concat([several, dead], ignore_index=True), "soft_bounds")


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        ("soft_bound", {}, "family = 'soft_bound' is unknown; nearest: 'soft_bounds'"),
        ("soft_bounds", {"w_min": 0.5}, "w_min < 0 < w_max"),
    ],
)
def test_what_is_asked_wrongly_is_named(family, options, message):
    with pytest.raises(FitError, match=message):
        fit_device(GOOD, family, **options)
