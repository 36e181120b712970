"""The shorter ways of the update kernel against pulses one by one.

Where the response is a straight line, the pulses of a vector on a cross-point are taken together if many columns fire,
and are listed and done in single precision if few do. Neither may differ from pulses one by one.
"""

import math

import numpy as np
import pytest

from cosim.kernels.trains import WORD_SLOTS
from cosim.kernels.update import CYCLE_NOISE_MAX, NOISY_SHARE, QUIET_SHARE, SLOPE_MAX, STEEP_SHARE, WORDS_MAX
from device_models import PulsedDevice
from device_models.families import ConstantStep, SoftBounds
from device_models.kernels.random_numbers import make_key
from tests.cosim.kernels.rank_one import Devices
from tests.oracles import pulse_update as oracle

# What part of the columns fires in each vector.
WAYS = {"together": 1.0, "listed": 0.5 / max(QUIET_SHARE, NOISY_SHARE)}
SPREAD = {"dw_min_dtod": 0.3, "up_down_dtod": 0.05, "w_max_dtod": 0.1, "w_min_dtod": 0.1, "w_max": 0.6, "w_min": -0.5}
DEVICES = {
    "constant step": ConstantStep(dw_min=0.004, **SPREAD),
    "constant step, weaker down": ConstantStep(dw_min=0.004, up_down=0.3, **SPREAD),
    "soft bounds": SoftBounds(dw_min=0.004, **SPREAD),
    "soft bounds, weaker up": SoftBounds(dw_min=0.004, up_down=-0.2, **SPREAD),
}
SHAPE, VECTORS = (6, 96), 60


def noisy(device: PulsedDevice, noise: float) -> PulsedDevice:
    return type(device)(**{**vars(device), "dw_min_std": noise})


def lines(way: str) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and errors of a batch."""
    draw = np.random.Generator(np.random.PCG64(1))
    inputs = draw.normal(size=(VECTORS, SHAPE[1])) * (draw.random((VECTORS, SHAPE[1])) < WAYS[way])
    errors = draw.normal(size=(VECTORS, SHAPE[0])) * (draw.random((VECTORS, SHAPE[0])) < 0.8)
    return inputs, errors


def both(device: PulsedDevice, inputs, errors, rate=0.3, *, prepare=None, reference=False, **options):
    """Return the devices after the same update on the shorter way and one by one, and both activities."""
    arrays = [Devices(device, SHAPE, reference=reference, one_by_one=slow) for slow in (False, True)]
    draw = np.random.Generator(np.random.PCG64(3))
    start, shift, composite = draw.uniform(-0.3, 0.3, (3, *SHAPE))
    activities = []
    for array in arrays:
        if prepare is not None:
            prepare(array.parameters[0])
        array.stored[0] = np.clip(start, array.parameters[0, 3], array.parameters[0, 2])
        if reference:
            array.stored[1] = shift
            array.weights[:] = array.stored[0] - array.stored[1]
        array.composite[:] = composite
        activities.append(array.update(inputs, errors, rate, key=make_key(1, 2, 3), significance=0.5, **options))
    return *arrays, *activities


def assert_same(fast: Devices, slow: Devices, activity, slow_activity) -> None:
    """Compare; each pulse one by one is rounded to single precision, 3e-8 at most, and several hundred add up."""
    assert activity == slow_activity
    assert activity["coincidences"] > 1000
    for name in ("stored", "weights", "composite"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), atol=1e-5, err_msg=name)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("reference", [False, True])
def test_without_noise_weights_and_activity_are_those_of_single_pulses(way, name, reference):
    fast, slow, *activities = both(DEVICES[name], *lines(way), reference=reference)
    assert_same(fast, slow, *activities)
    assert way == "listed" or np.any(fast.stored != slow.stored), "pulses taken together are rounded together"


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("noise", [0.3, CYCLE_NOISE_MAX, 2.0])
def test_listed_pulses_have_the_noise_of_single_pulses(name, noise):
    assert_same(*both(noisy(DEVICES[name], noise), *lines("listed")))


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("longest", [WORD_SLOTS + 1, 100])
def test_trains_of_several_words_are_taken_word_after_word(name, longest):
    inputs, errors = lines("together")
    options = {"longest": longest, "managements": (True, False)}
    assert_same(*both(DEVICES[name], inputs[:20], errors[:20], 0.05, **options))


@pytest.mark.parametrize("name", DEVICES)
def test_noise_beyond_what_may_be_taken_together_is_listed(name):
    assert_same(*both(noisy(DEVICES[name], 1.01 * CYCLE_NOISE_MAX), *lines("together")))


@pytest.mark.parametrize("name", DEVICES)
def test_noise_of_pulses_taken_together_comes_from_other_numbers(name):
    # Else the tests below would compare one way with itself.
    fast, slow, *_ = both(noisy(DEVICES[name], 0.3), *lines("together"))
    assert np.mean(np.abs(fast.weights - slow.weights) > 1e-4) > 0.8


# Order


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("idle", [0, 40])
def test_vectors_act_in_their_order(one_by_one, idle):
    # 31 certain pulses up and 31 down: soft bounds, and a constant step that ends at its bound.
    columns = 3 + idle * max(QUIET_SHARE, NOISY_SHARE)
    inputs = np.zeros((2, columns))
    inputs[:, :3] = 1
    step = SLOPE_MAX
    soft, hard = SoftBounds(dw_min=step), ConstantStep(dw_min=step, w_max=10 * step, w_min=-10 * step)
    left = (1 - step) ** 31
    for device, end in ((soft, -1 + (2 - left) * left), (hard, -10 * step)):
        for first, sign in (([[-1.0], [1.0]], 1), ([[1.0], [-1.0]], -1)):
            array = Devices(device, (1, columns), one_by_one=one_by_one)
            array.update(inputs, first, 31 * step, managements=(False, False))
            np.testing.assert_allclose(array.weights[0, :3], sign * end, atol=1e-6)
            assert not array.weights[0, 3:].any()


@pytest.mark.parametrize("way", WAYS)
def test_vectors_of_a_batch_and_of_its_parts_act_alike(way):
    # A vector at a time, with trains that are certain: nothing is drawn.
    inputs, errors = (np.sign(values) for values in lines(way))
    device, options = DEVICES["soft bounds"], {"longest": 5, "managements": (False, False)}
    batch, single = Devices(device, SHAPE), Devices(device, SHAPE)
    batch.update(inputs, errors, 5 * device.granularity, **options)
    for one, other in zip(inputs, errors, strict=True):
        single.update(one, other, 5 * device.granularity, **options)
    np.testing.assert_allclose(batch.weights, single.weights, atol=1e-6)


def test_a_batch_whose_trains_do_not_fit_at_once_comes_in_parts():
    # The words of the longest train decide how many vectors are drawn at a time, and nothing else here.
    device, shape = DEVICES["soft bounds"], (3, 29)
    words = 1024 // WORD_SLOTS + 1
    vectors = 2 * (WORDS_MAX // (words * sum(shape))) + 10
    draw = np.random.Generator(np.random.PCG64(4))
    inputs, errors = draw.normal(size=(vectors, shape[1])), draw.normal(size=(vectors, shape[0]))
    parts, whole = Devices(device, shape), Devices(device, shape)
    activities = [
        array.update(inputs, errors, 0.005, longest=longest) for array, longest in ((parts, 1024), (whole, WORD_SLOTS))
    ]
    assert activities[0] == activities[1]
    np.testing.assert_array_equal(parts.weights, whole.weights)


# Steep devices


def some_steep(parameters: np.ndarray) -> None:
    """Make one device in twelve of each row steep: in both directions, in one, or for want of a range."""
    parameters[:2, :, 5::24] = 0.1
    parameters[0, ::2, 7::48] = 0.05
    parameters[1, 1::2, 7::48] = 0.05
    parameters[2, ::3, 10::48] = 0.0
    parameters[3, 1::3, 10::48] = 0.0
    parameters[:, 2::3, 10::48] = np.array([0.0, 0.0, 0.0, 0.0], dtype=np.float32)[:, None, None]


def many_steep(parameters: np.ndarray) -> None:
    parameters[:2, ::2, : SHAPE[1] // STEEP_SHARE + 1] = 0.1


@pytest.mark.parametrize("prepare", [some_steep, many_steep])
@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_rows_with_steep_devices_are_those_of_single_pulses(prepare, reference, way):
    assert_same(*both(DEVICES["soft bounds"], *lines(way), prepare=prepare, reference=reference))


def test_a_row_with_too_many_steep_devices_is_listed_and_the_others_are_not():
    fast, slow, *activities = both(noisy(DEVICES["soft bounds"], 0.3), *lines("together"), prepare=many_steep)
    np.testing.assert_allclose(fast.weights[::2], slow.weights[::2], atol=4e-6)
    assert np.mean(np.abs(fast.weights - slow.weights)[1::2] > 1e-4) > 0.5
    assert activities[0] == activities[1]


def test_stuck_devices_stay_in_a_row_of_others():
    for name in DEVICES:
        device = type(DEVICES[name])(
            **{**vars(DEVICES[name]), "corrupt_devices_prob": 0.1, "corrupt_devices_range": 0.2, "dw_min_std": 0.3}
        )
        array = Devices(device, SHAPE)
        array.stored[0] = np.clip(0, array.parameters[0, 3], array.parameters[0, 2])
        start, stuck = array.stored[0].copy(), array.parameters[0, 2] == array.parameters[0, 3]
        array.update(*lines("together"), 0.3)
        assert 20 < stuck.sum() < 100
        np.testing.assert_array_equal(array.stored[0][stuck], start[stuck])
        assert np.all(array.stored[0][~stuck] != start[~stuck])


# Noise. Differences from pulses one by one, beside the errors of the samples: none for one pulse, and none of a
# constant step. For m pulses of soft bounds with slope B and noise s, far from where devices are clipped, none of the
# mean, (m - 1) (B s)^2 / 4 of the spread, 5e-4 at most, and 3 (m - 1) B s / sqrt(m) of the skew, 0.13 at most.


def changes_of(device: PulsedDevice, start: float, pulses: int, one_by_one: bool, rows: int = 200) -> np.ndarray:
    """Return the changes of devices by certain pulses, up in the first half of the rows and down in the second."""
    array = Devices(device, (rows, 1000), one_by_one=one_by_one)
    array.stored[0, : rows // 2], array.stored[0, rows // 2 :] = start, -start
    before = array.stored[0].astype(float)
    errors, rate = np.repeat([-1.0, 1.0], rows // 2), pulses * device.granularity
    options = {"longest": pulses, "managements": (False, False), "key": make_key(8, one_by_one, pulses)}
    activity = array.update(np.ones(1000), errors, rate, **options)
    assert activity["coincidences"] == pulses * array.weights.size
    return (array.stored[0] - before).reshape(2, -1) * np.array([[1], [-1]])


def skew_of(values: np.ndarray) -> float:
    return np.mean((values - values.mean()) ** 3) / values.std() ** 3


@pytest.mark.parametrize("one_by_one", [False, True], ids=["together", "one by one"])
@pytest.mark.parametrize("noise", [0.3, CYCLE_NOISE_MAX])
@pytest.mark.parametrize("pulses", [1, 5, 31])
@pytest.mark.parametrize(("slope", "start"), [(SLOPE_MAX, -0.4), (SLOPE_MAX, 0.95), (1 / 256, 0.0)])
def test_moments_of_noisy_pulses_on_soft_bounds(one_by_one, noise, pulses, slope, start):
    kept, spread, skew = oracle.shrinkage(pulses, slope, noise)
    distance = 1 - start
    device, rows = SoftBounds(dw_min=slope, dw_min_std=noise), 200 if one_by_one else 1000
    for changes in changes_of(device, start, pulses, one_by_one, rows):
        # 4.5 sigma, three moments, 72 cases: chance of a failure 1.5e-3.
        count = changes.size
        assert abs(changes.mean() - distance * (1 - kept)) < 4.5 * distance * spread / math.sqrt(count) + 1e-7
        apart = 0.0 if one_by_one else (pulses - 1) * (slope * noise) ** 2 / 4
        assert abs(changes.std() / (distance * spread) - 1) < 1.2 * apart + 4.5 / math.sqrt(2 * count) + 1e-5
        apart = 0.0 if one_by_one else 3 * (pulses - 1) / math.sqrt(pulses) * slope * noise
        assert abs(skew_of(changes) + skew) < 1.1 * apart + 4.5 * math.sqrt(6 / count)
        assert apart < 0.13


@pytest.mark.parametrize("one_by_one", [False, True], ids=["together", "one by one"])
@pytest.mark.parametrize("noise", [0.3, CYCLE_NOISE_MAX])
@pytest.mark.parametrize("pulses", [1, 2, 31])
def test_moments_of_noisy_pulses_of_a_constant_step(one_by_one, noise, pulses):
    # A sum of independent normal numbers is one. 4.5 sigma, three moments, 24 cases: chance of a failure 5e-4.
    for changes in changes_of(ConstantStep(dw_min=0.01, dw_min_std=noise), -0.3, pulses, one_by_one):
        spread, count = 0.01 * noise * math.sqrt(pulses), changes.size
        assert abs(changes.mean() - 0.01 * pulses) < 4.5 * spread / math.sqrt(count) + 1e-7
        assert abs(changes.std() / spread - 1) < 4.5 / math.sqrt(2 * count) + 1e-5
        assert abs(skew_of(changes)) < 4.5 * math.sqrt(6 / count)


# Where a device is clipped between two pulses, taking them together is no longer exact: at a bound that it leaves,
# and at one that it reaches in the middle of a train.
@pytest.mark.parametrize("family", [ConstantStep, SoftBounds])
@pytest.mark.parametrize("noise", [0.3, CYCLE_NOISE_MAX])
@pytest.mark.parametrize("pulses", [2, 31])
@pytest.mark.parametrize("place", ["leaving", "close behind", "close before"])
def test_moments_of_noisy_pulses_next_to_a_bound(family, noise, pulses, place):
    step = SLOPE_MAX
    start = {"leaving": -1.0, "close behind": -1 + step / 2, "close before": 1 - 3.5 * step}[place]
    device = family(dw_min=step, dw_min_std=noise)
    together, singly = (changes_of(device, start, pulses, slow) for slow in (False, True))
    for ours, theirs in zip(together, singly, strict=True):
        # 1 % of a step and 1 % of the spread or 4 % of a step, beside 4.5 sigma of two samples.
        sigma, count = theirs.std(), theirs.size
        assert abs(ours.mean() - theirs.mean()) < 0.01 * step + 4.5 * sigma * math.sqrt(2 / count)
        fourth = np.mean((theirs - theirs.mean()) ** 4)
        error = math.sqrt((fourth - sigma**4) / count) / (2 * sigma) if sigma else 0.0
        assert abs(ours.std() - sigma) < max(0.01 * sigma, 0.04 * step) + 4.5 * math.sqrt(2) * error


@pytest.mark.parametrize("noise", [0.3, CYCLE_NOISE_MAX])
def test_weights_of_steep_devices_in_a_row_have_the_moments_of_single_pulses(noise):
    slope, pulses, shape = 0.1, 7, (500, 960)
    array = Devices(SoftBounds(dw_min=0.01, dw_min_std=noise), shape)
    array.parameters[0, :2, :, ::12] = slope
    array.update(np.ones(shape[1]), np.full(shape[0], -1.0), 0.01 * pulses, longest=pulses, managements=(False, False))
    changes, (kept, spread, skew) = array.weights[:, ::12].astype(float).ravel(), oracle.shrinkage(pulses, slope, noise)
    # 4.5 sigma, three moments, two cases: chance of a failure 4e-5.
    assert abs(changes.mean() - (1 - kept)) < 4.5 * spread / math.sqrt(changes.size)
    assert abs(changes.std() / spread - 1) < 4.5 / math.sqrt(2 * changes.size)
    assert abs(skew_of(changes) + skew) < 4.5 * math.sqrt(6 / changes.size) * 1.1


@pytest.mark.parametrize("name", ["constant step", "soft bounds"])
def test_a_long_training_ends_in_the_same_distribution(name):
    # The trains are the same on both ways, so weights differ by noise alone: pairs of cells are independent.
    device = noisy(DEVICES[name], CYCLE_NOISE_MAX)
    weights = []
    for slow in (False, True):
        array, draw = Devices(device, (40, 200), one_by_one=slow), np.random.Generator(np.random.PCG64(6))
        for number in range(6):
            inputs, errors = draw.normal(size=(40, 200)), draw.normal(size=(40, 40))
            array.update(inputs, errors, 0.03, key=make_key(5, 0, number))
        weights.append(array.weights.astype(float))
    ours, theirs = weights
    apart, count = ours - theirs, ours.size
    assert theirs.std() > 0.1
    assert apart.std() > 0.01
    # 4 sigma each: 3 x 6e-5. The spread of a difference of squares is that of twice the weight times the difference.
    assert abs(apart.mean()) < 4 * apart.std() / math.sqrt(count)
    squares = (ours - ours.mean()) ** 2 - (theirs - theirs.mean()) ** 2
    assert abs(squares.mean()) < 4 * squares.std() / math.sqrt(count)
    cubes = (ours - ours.mean()) ** 3 - (theirs - theirs.mean()) ** 3
    assert abs(cubes.mean()) < 4 * cubes.std() / math.sqrt(count)


def test_noise_of_pulses_taken_together_is_independent_over_vectors_rows_and_columns():
    device, repeats, shape = ConstantStep(dw_min=0.001, dw_min_std=0.5), 400, (30, 33)
    changes = np.zeros((2, repeats, *shape))
    for repeat in range(repeats):
        one, two = Devices(device, shape), Devices(device, shape)
        for array, vectors in ((one, 1), (two, 2)):
            inputs, errors = np.ones((vectors, shape[1])), np.full((vectors, shape[0]), -1.0)
            array.update(inputs, errors, 0.004, longest=4, managements=(False, False), key=make_key(9, 9, repeat))
        # The first of two vectors takes the numbers of a vector alone.
        changes[:, repeat] = one.weights, two.weights - one.weights
    numbers = (changes - 0.004) / 0.001
    first, second = numbers
    for a, b in (
        (first, second),
        (first[1:], first[:-1]),
        (first[:, 1:], first[:, :-1]),
        (first[:, :, 1:], first[:, :, :-1]),
        (first[:, :, 16:], first[:, :, :-16]),
        (first[:, :, 1:], second[:, :, :-1]),
    ):
        # 4.5 sigma, twelve cases: chance of a failure 1e-4.
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4.5 / math.sqrt(a.size)
        assert abs(np.corrcoef(a.ravel() ** 2, b.ravel() ** 2)[0, 1]) < 4.5 / math.sqrt(a.size)
    assert numbers.std() == pytest.approx(1.0, rel=4 / math.sqrt(2 * numbers.size) + 1e-4)
