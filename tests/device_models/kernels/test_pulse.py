"""One pulse on one device: formulas, bounds, noise, composition of pulses, the stationary state."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models import FAMILIES
from device_models.families import (
    ConstantStep,
    ExponentialResponse,
    ExponentialStep,
    LinearStep,
    MeasuredTable,
    PowerResponse,
    SoftBounds,
    SoftBoundsReference,
)
from device_models.kernels.pulse import FAMILY_CODES
from tests.device_models.family_cases import CASES, inside
from tests.device_models.kernels.pulses import after, compiled_symmetric_points, mean_step, numbers, row, trained
from tests.oracles import devices


def test_every_family_has_a_record_and_a_code():
    assert set(FAMILY_CODES) == set(FAMILIES)


@pytest.mark.parametrize("name", CASES)
def test_mean_change_is_the_step_of_the_record(name):
    device, up, down = CASES[name]
    for weight in inside(device, 9):
        # parameters are stored as float32
        assert mean_step(device, weight, True) == pytest.approx(device.dw_min * up(weight), rel=3e-6, abs=1e-9)
        assert mean_step(device, weight, False) == pytest.approx(-device.dw_min * down(weight), rel=3e-6, abs=1e-9)


@pytest.mark.parametrize(("up", "bound"), [(True, 0.6), (False, -0.7)])
def test_soft_bounds_approach_the_bound_geometrically(up, bound):
    device = SoftBounds(dw_min=0.05, w_max=0.6, w_min=-0.7)
    seen = trained(device, row(device), 0.1, [up] * 39)[:, 0]
    expected = [devices.soft_bounds_after(count, 0.1, 0.05, bound) for count in range(1, 40)]
    np.testing.assert_allclose(seen, expected, atol=1e-6)


def test_constant_steps_count_up_to_the_bound():
    device = ConstantStep(dw_min=0.1)
    seen = trained(device, row(device), 0.0, [True] * 12 + [False] * 12)[:, 0]
    up_part = [min(0.1 * k, 1.0) for k in range(1, 13)]
    down_part = [max(1.0 - 0.1 * k, -1.0) for k in range(1, 13)]
    np.testing.assert_allclose(seen, up_part + down_part, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("up", [True, False])
def test_a_pulse_moves_in_proportion_to_noise_times_its_number(name, up):
    device, start = CASES[name][0], 0.05
    (one,) = numbers(row(device))
    quiet = after(device, one, start, up, 0.0, 1.7)
    assert after(device, one, start, up, 0.3, 0.0) == quiet
    moves = [after(device, one, start, up, noise, number) - quiet for noise, number in ((0.3, 1.0), (0.6, -1.0))]
    assert moves[1] == pytest.approx(-2 * moves[0], abs=1e-15)
    assert moves[0] > 0


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(sorted(CASES)),
    place=st.floats(0, 1),
    noise=st.floats(0, 50),
    up=st.booleans(),
    number=st.floats(-7, 7),
)
def test_no_pulse_leaves_the_bounds(name, place, noise, up, number):
    device = CASES[name][0]
    (one,) = numbers(row(device))
    high, low = one[2], one[3]
    weight = min(max(low + place * (high - low), low), high)
    moved = after(device, one, weight, up, noise, number)
    assert low <= moved <= high
    if noise == 0:
        assert moved >= weight - 1e-12 if up else moved <= weight + 1e-12


@pytest.mark.parametrize(
    "device",
    [
        PowerResponse(dw_min=0.01, gamma_r=100.0, mult_noise=True),
        ExponentialResponse(dw_min=0.01, gamma_r=4.0, mult_noise=True),
    ],
    ids=lambda device: device.family,
)
@pytest.mark.parametrize("up", [True, False])
def test_a_device_with_a_bound_next_to_zero_jumps_to_a_bound(device, up):
    # far beyond such a bound the response overflows; with variation of the bounds some device has one
    one = np.array([0.01, 0.01, 1e-6, -1.0, 0, 0] if up else [0.01, 0.01, 1.0, -1e-6, 0, 0])
    for number in np.linspace(-7, 7, 20):
        moved = after(device, one, -0.9 if up else 0.9, up, 0.3, number)
        assert moved in (one[2], one[3])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("value", [0.0, 0.07])
def test_a_stuck_device_stays(name, value):
    device = CASES[name][0]
    (one,) = numbers(row(replace(device, corrupt_devices_prob=1.0)))
    held = np.array([*one[:2], value, value, *one[4:]])
    for up, number in product((True, False), (-5.0, 0.1, 5.0)):
        assert after(device, held, value, up, 0.3, number) == value


# Noise of one pulse: device, weight, direction, mean change, standard deviation; each with dw_min 0.01.
NOISE = {
    "multiplicative": (SoftBounds(dw_min=0.01, dw_min_std=0.3), 0.5, True, 0.005, 0.3 * 0.005),
    "multiplicative, down": (SoftBounds(dw_min=0.01, dw_min_std=0.3), 0.5, False, -0.015, 0.3 * 0.015),
    "constant": (ConstantStep(dw_min=0.01, dw_min_std=2.0), 0.0, True, 0.01, 2 * 0.01),
    "additive": (SoftBoundsReference(dw_min=0.01, dw_min_std=0.3), 0.5, True, 0.005, 0.3 * 0.01),
    "additive, weaker down": (
        LinearStep(dw_min=0.01, dw_min_std=0.3, gamma_down=0.5, mult_noise=False, up_down=0.2),
        0.4,
        False,
        -0.008 * 1.2,
        0.3 * 0.008,
    ),
    "additive, power": (PowerResponse(dw_min=0.01, dw_min_std=0.5, gamma_r=2.0), -0.5, True, 0.0225, 0.5 * 0.01),
    "complex": (
        ExponentialStep(dw_min=0.01, dw_min_std=0.6, dw_min_std_add=0.042, dw_min_std_slope=0.108, A_up=0.1, b=0.0),
        -0.25,
        True,
        0.01 * (1 - 0.1 * math.exp(-12.44625 * 0.061)),
        0.6 * (0.01 * (1 - 0.1 * math.exp(-12.44625 * 0.061)) + 0.042 + 0.108 * 0.25),
    ),
    "table": (
        MeasuredTable(dw_min=0.01, dw_min_std=0.5, up_mean=(2.0, 1.0, 0.0), up_std=(1.0, 3.0, 5.0),
                      down_mean=(1.0, 1.0, 1.0), down_std=(0.0, 0.0, 0.0)),
        0.25, True, 0.0075, 0.5 * 0.035,
    ),
    "table without spread": (MeasuredTable(dw_min=0.01, up_mean=(2.0, 1.0)), 0.0, True, 0.015, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("name", NOISE)
def test_mean_and_spread_of_one_pulse(name):
    device, weight, up, mean, spread = NOISE[name]
    count = 40_000
    changes = trained(device, row(device, count), weight, [up])[0] - weight
    # A normal number leaves 4 sigma with a chance of 6e-5: two such checks per case, at a fixed seed.
    assert abs(changes.mean() - mean) <= 4 * spread / math.sqrt(count) + 1e-8
    assert abs(changes.std() - spread) <= 4 * spread / math.sqrt(2 * count) + 1e-8


# Pulses in a row against the first-order map w + change q(w), tau = 1 (Wu et al., arXiv:2406.12774, Eq. 20).
def composition_error(change: float, dw_min: float, weight: float = 0.3) -> float:
    """Return composed weight minus w + change (1 - w)."""
    device = SoftBounds(dw_min=dw_min)
    composed = trained(device, row(device), weight, [True] * round(change / dw_min))[-1, 0]
    return composed - (weight + change * (1 - weight))


@pytest.mark.parametrize(("change", "error"), [(0.1, -3.38e-3), (0.02, -1.38e-4)])
def test_composition_error_of_the_papers_example(change, error):
    found = composition_error(change, 1e-4)
    assert found == pytest.approx(error, abs=5e-6 if change > 0.05 else 5e-7)
    assert abs(found) <= 1e-4 + change**2 / 2


def test_composition_error_falls_with_the_square_of_the_change():
    errors = [composition_error(change, 1e-5) for change in (0.04, 0.02, 0.01)]
    # error = -(1 - w) (change²/2 - change³/6 + …): ratios of 4 (1 - change/6) up to the granularity's own part
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize("tau", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("dw_min", [0.003, 0.05])
@pytest.mark.parametrize("change", [0.01, 0.1, 0.4])
def test_composition_error_keeps_its_bound_also_with_a_part_of_a_pulse(tau, dw_min, change):
    device = SoftBounds(dw_min=dw_min, w_max=tau, w_min=-tau)
    for weight, sign in ((0.3, 1), (0.3, -1), (-0.5, 1), (0.0, -1)):
        pulses = math.ceil(change / dw_min - 1e-9)
        composed = trained(device, row(device), weight, [sign > 0] * pulses)[-1, 0]
        first_order = weight + sign * change * (1 - sign * weight / tau)
        # Eq. 20 measures the granularity at q = 1; toward the symmetric point q is up to 1 + |w| / tau
        assert abs(composed - first_order) <= (dw_min + change**2 / (2 * tau)) * (1 + abs(weight) / tau) + 1e-6


def test_cycle_noise_of_composed_pulses_grows_with_the_root_of_the_change():
    count, noise = 20_000, 0.6
    for dw_min, pulses in ((0.01, 4), (0.01, 16), (0.0025, 16)):
        device = ConstantStep(dw_min=dw_min, dw_min_std=noise)
        spread = trained(device, row(device, count), 0.0, [True] * pulses)[-1].std()
        expected = noise * math.sqrt(dw_min * dw_min * pulses)  # sigma_c sqrt(dw_min |change|)
        assert spread == pytest.approx(expected, rel=4 / math.sqrt(2 * count))  # 4 sigma: 6e-5


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    tau=st.floats(0.1, 3), step=st.floats(0, 1), place=st.floats(-1, 1), up=st.booleans()
)  # fmt: skip
def test_soft_bounds_hold_steps_up_to_tau_without_clipping(tau, step, place, up):
    # Theorem 1 of arXiv:2406.12774: |w| <= tau and a step of at most tau leave |w| <= tau.
    device = SoftBounds(dw_min=max(step, 1e-3) * tau, w_max=tau, w_min=-tau)
    moved = place * tau + mean_step(device, place * tau, up)
    assert abs(moved) <= tau * (1 + 1e-6)


@pytest.mark.parametrize(("step", "published"), [(0.2, 0.333), (0.5, 0.577)])
def test_stationary_spread_under_random_pulses(step, published):
    # tau sqrt(dw / (2 tau - dw)) with tau = 1: 0.333 at 10 states, 0.577 at 4 (arXiv:2510.02516, Eq. 9 at rest).
    device, pulses, walkers = SoftBounds(dw_min=step), 60, 4000
    generator = np.random.Generator(np.random.PCG64(1))
    weights = trained(device, row(device, walkers), 0.0, generator.random((pulses, walkers)) < 0.5)[-1]
    # Weights after 60 pulses have forgotten their start (0.8^60 = 1.5e-6) and are independent: 4 sigma each.
    assert devices.stationary_spread(step, 1.0) == pytest.approx(published, abs=5e-4)
    assert weights.std() == pytest.approx(published, rel=4 / math.sqrt(2 * walkers))
    assert abs(weights.mean()) < 4 * published / math.sqrt(walkers)


def test_random_pulses_drag_the_weight_to_the_symmetric_point():
    # Rate dw_min G' per pulse about c tau = 0.2: half way after ln 2 / (dw_min G') pulses (Rasch et al. 2024, Eq. 7).
    device = CASES["generic linear"][0]
    pulses, walkers = round(math.log(2) * 0.7 / 0.01), 4000
    ups = np.random.Generator(np.random.PCG64(2)).random((pulses, walkers)) < 0.5
    weights = trained(device, row(device, walkers), 0.0, ups)[-1]
    expected = 0.21 * (1 - (1 - 0.01 / 0.7) ** pulses)
    assert abs(weights.mean() - expected) < 4 * weights.std() / math.sqrt(walkers)


SYMMETRIC = [name for name, case in CASES.items() if case[0].device_symmetric_point() is not None]


@pytest.mark.parametrize("name", SYMMETRIC)
def test_compiled_symmetric_point_is_that_of_the_record(name):
    device = CASES[name][0]
    (point,) = compiled_symmetric_points(device, row(device))
    assert point == pytest.approx(device.device_symmetric_point(), abs=1e-6)


def test_compiled_symmetric_point_of_unequal_devices():
    device = SoftBounds(dw_min=0.01, dw_min_dtod=0.3, up_down_dtod=0.1, w_max_dtod=0.3, w_min_dtod=0.3)
    people = row(device, 200)
    expected = [devices.soft_bounds_symmetric_point(*map(float, one)) for one in people.parameters[:, 0].T]
    np.testing.assert_allclose(compiled_symmetric_points(device, people), expected, atol=1e-9)


@pytest.mark.parametrize(("up_down", "end"), [(0.2, 1.0), (-0.2, -1.0)])
def test_without_a_symmetric_point_the_stronger_direction_wins(up_down, end):
    device = ConstantStep(dw_min=0.01, up_down=up_down)
    assert compiled_symmetric_points(device, row(device)) == pytest.approx([end], abs=1e-9)
