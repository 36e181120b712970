"""One pulse on one device: formulas, bounds, noise, the stationary state."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from device_models.kernels.compile import subkey
from device_models.kernels.pulse import FAMILY_CODES, pulse
from device_models.parameters import FAMILIES
from tests.oracles import devices

KEY = np.uint64(5)


@njit
def random_walk(family, parameters, cycle_noise, ups, weights, sums):
    for device in range(weights.size):
        for step in range(ups.shape[1]):
            weights[device] = pulse(
                family, weights[device], ups[device, step], parameters, cycle_noise, subkey(np.uint64(3), device), step
            )
            if step >= ups.shape[1] // 2:
                sums[0] += weights[device]
                sums[1] += weights[device] ** 2


def one(up_step: float, down_step: float, high: float, low: float) -> np.ndarray:
    return np.array([up_step, down_step, high, low], dtype=np.float32)


def test_every_family_has_a_record_and_a_code():
    assert set(FAMILY_CODES) == set(FAMILIES)
    assert len(set(FAMILY_CODES.values())) == len(FAMILY_CODES)


@pytest.mark.parametrize("family", FAMILY_CODES)
@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("weight", [-0.7, -0.65, -0.2, 0.0, 0.4, 0.55, 0.6])
def test_one_pulse_follows_the_formula(family, up, weight):
    parameters = one(0.11, 0.13, 0.6, -0.7)
    expected = devices.pulse(family, weight, up, 0.11 if up else 0.13, 0.6, -0.7)
    assert pulse(FAMILY_CODES[family], weight, up, parameters, 0.0, KEY, 0) == pytest.approx(expected, abs=2e-7)


@pytest.mark.parametrize(("up", "bound"), [(True, 0.6), (False, -0.7)])
def test_soft_bounds_approach_the_bound_geometrically(up, bound):
    parameters = one(0.05, 0.05, 0.6, -0.7)
    weight = 0.1
    for count in range(1, 40):
        weight = pulse(FAMILY_CODES["soft_bounds"], weight, up, parameters, 0.0, KEY, 0)
        assert weight == pytest.approx(devices.soft_bounds_after(count, 0.1, 0.05, bound), abs=1e-6)


def test_constant_steps_count_up_to_the_bound():
    parameters = one(0.1, 0.2, 1.0, -1.0)
    weight = 0.0
    seen = []
    for up in [True] * 12 + [False] * 12:
        weight = pulse(FAMILY_CODES["constant_step"], weight, up, parameters, 0.0, KEY, 0)
        seen.append(weight)
    up_part = [min(0.1 * k, 1.0) for k in range(1, 13)]
    down_part = [max(1.0 - 0.2 * k, -1.0) for k in range(1, 13)]
    np.testing.assert_allclose(seen, up_part + down_part, atol=1e-6)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    family=st.sampled_from(sorted(FAMILY_CODES)),
    step=st.floats(0, 10, width=32),
    high=st.floats(0, 2, width=32),
    low=st.floats(-2, 0, width=32),
    place=st.floats(0, 1),
    noise=st.floats(0, 5),
    up=st.booleans(),
    counter=st.integers(0, 2**31),
)
def test_no_pulse_leaves_the_bounds(family, step, high, low, place, noise, up, counter):
    parameters = one(step, step, high, low)
    weight = float(parameters[3]) + place * (float(parameters[2]) - float(parameters[3]))
    after = pulse(FAMILY_CODES[family], weight, up, parameters, noise, KEY, counter)
    assert parameters[3] <= after <= parameters[2]
    if noise == 0:
        assert after >= weight - 1e-12 if up else after <= weight + 1e-12


def test_a_device_without_range_stays_at_zero():
    for family in FAMILY_CODES.values():
        for up in (True, False):
            assert pulse(family, 0.0, up, one(0.1, 0.1, 0.0, 0.0), 0.3, KEY, 1) == 0.0


@pytest.mark.parametrize("family", FAMILY_CODES)
def test_cycle_noise_multiplies_the_step(family):
    parameters = one(0.01, 0.01, 10.0, -10.0)
    count, weight = 20_000, 5.0
    changes = np.array(
        [pulse(FAMILY_CODES[family], weight, True, parameters, 0.3, KEY, number) - weight for number in range(count)]
    )
    mean = 0.01 * devices.response_factor(family, weight, True, 10.0, -10.0)
    # 4 sigma each: mean of n numbers, and standard deviation of n normal numbers.
    assert abs(changes.mean() - mean) < 4 * 0.3 * mean / math.sqrt(count)
    assert abs(changes.std() - 0.3 * mean) < 4 * 0.3 * mean / math.sqrt(2 * count)


def test_the_same_address_gives_the_same_pulse_and_another_one_not():
    parameters = one(0.1, 0.1, 1.0, -1.0)

    def after(key: int, counter: int) -> float:
        return pulse(0, 0.0, True, parameters, 0.3, np.uint64(key), counter)

    assert after(1, 2) == after(1, 2)
    assert len({after(1, 2), after(1, 3), after(2, 2)}) == 3


@pytest.mark.parametrize(("step", "published"), [(0.2, 0.333), (0.5, 0.577)])
def test_stationary_spread_under_random_pulses(step, published):
    # tau sqrt(dw / (2 tau - dw)) with tau = 1: 0.333 at 10 states, 0.577 at 4 (arXiv:2510.02516, Eq. 9 at rest).
    walkers, steps = 400, 1000
    ups = np.random.Generator(np.random.PCG64(1)).random((walkers, steps)) < 0.5
    weights, sums = np.zeros(walkers), np.zeros(2)
    random_walk(FAMILY_CODES["soft_bounds"], one(step, step, 1.0, -1.0), 0.0, ups, weights, sums)
    count = walkers * (steps - steps // 2)
    spread = math.sqrt(sums[1] / count)
    # Neighbouring weights of one walker correlate as (1 - dw)^k, squares somewhat less: about n dw / 2 independent.
    sigma = 1 / math.sqrt(2 * count * step / 2)
    assert devices.stationary_spread(step, 1.0) == pytest.approx(published, abs=5e-4)
    assert spread == pytest.approx(published, rel=4 * sigma)
    assert abs(sums[0] / count) < 4 * published * math.sqrt(2 / (count * step))


def test_symmetric_point_of_unequal_steps():
    # Up and down in turn settle around (up - down) / (up / b + down / b): 0.0667 for steps 0.01 and 0.008, b = 0.6.
    parameters = one(0.01, 0.008, 0.6, -0.6)
    for start in (-0.4, 0.0, 0.4):
        weight = start
        for _ in range(2000):
            high = pulse(FAMILY_CODES["soft_bounds"], weight, True, parameters, 0.0, KEY, 0)
            weight = pulse(FAMILY_CODES["soft_bounds"], high, False, parameters, 0.0, KEY, 0)
        # the reference simulator (release 1.2.0) settles at a mid value of 0.0672
        assert (high + weight) / 2 == pytest.approx(0.0672, abs=1e-4)
