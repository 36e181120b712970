"""Rank-1 updates by pulse coincidence: moments, counts, bounds, activity."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cosim.kernels.ageing import age_devices, expose
from cosim.kernels.trains import DETERMINISTIC, MEAN_COUNT, STOCHASTIC, draw_side, draw_slot, train_settings
from cosim.kernels.update import ACTIVITY
from cosim.tile import SLOTS_MAX
from device_models import FAMILIES
from device_models.families import ConstantStep, GenericLinear, LinearStep, SoftBounds
from device_models.kernels.random_numbers import make_key
from device_models.population import populate
from tests.cosim.kernels.kernel_cases import device_of
from tests.cosim.kernels.rank_one import Devices, float32
from tests.device_models.family_cases import CASES as FAMILY_CASES
from tests.oracles import pulse_update as oracle
from tests.oracles.reference_simulator import section

MANAGEMENTS = [(True, True), (True, False), (False, False)]
BALANCED = (True, False)
COUNTED = {"mean count": MEAN_COUNT, "deterministic": DETERMINISTIC}


def equal_devices(shape: tuple[int, int], dw_min: float, noise: float = 0.0, one_by_one: bool = False) -> Devices:
    device = ConstantStep(dw_min=dw_min, w_max=100.0, w_min=-100.0, dw_min_std=noise)
    return Devices(device, shape, one_by_one=one_by_one)


def repeated_changes(x, d, rate, dw_min, repeats, *, noise=0.0, one_by_one=False, **options) -> np.ndarray:
    """Return the weight changes of many independent updates from zero, (repeats, outputs, inputs)."""
    array = equal_devices((len(d), len(x)), dw_min, noise, one_by_one)
    inputs, errors = float32(x), float32(d)
    changes = np.zeros((repeats, *array.shape))
    for repeat in range(repeats):
        array.weights[:] = 0
        array.update(inputs, errors, rate, key=make_key(17, options.get("longest", 31), repeat), **options)
        changes[repeat] = array.weights
    return changes


# Trains


@pytest.mark.parametrize("slots", [1, 30, 31, 32, 62, 63, 64, 93, 1000, SLOTS_MAX])
def test_a_certain_line_fires_in_every_slot(slots):
    array = equal_devices((1, 1), 2.0**-6)
    activity = array.update([[1.0]], [[-1.0]], slots * 2.0**-6, longest=slots)
    assert set(list(activity.values())[1:5]) == {slots}
    assert array.weights.item() == slots * 2.0**-6


@pytest.mark.parametrize("slots", [31, 200])
def test_a_line_fires_as_often_as_its_probability_says(slots):
    # Without management both sides fire with sqrt(rate / (dw_min slots)) times their value: 1 and 0.2 here.
    draws = repeated_changes([0.2], [1.0], slots * 1.0, 1.0, 5000, longest=slots, managements=(False, False))
    fired = -draws.ravel().astype(int)
    sigma = math.sqrt(slots * 0.16)
    assert abs(fired.mean() - 0.2 * slots) < 4 * sigma / math.sqrt(5000)
    low, high = int(0.2 * slots - 1.5 * sigma), int(0.2 * slots + 1.5 * sigma)
    counts = np.bincount(fired.clip(low, high), minlength=high + 1)[low:]
    chances = stats.binom.pmf(np.arange(low, high + 1), slots, 0.2)
    chances[0], chances[-1] = stats.binom.cdf(low, slots, 0.2), stats.binom.sf(high - 1, slots, 0.2)
    assert stats.chisquare(counts, 5000 * chances).pvalue > 1e-4


@pytest.mark.parametrize("managements", MANAGEMENTS)
@pytest.mark.parametrize("rate", [1e-6, 0.01, 0.1, 1.0, 30.0])
@pytest.mark.parametrize(("x_max", "d_max"), [(1.0, 0.2), (0.01, 3.0), (5.0, 5.0)])
@pytest.mark.parametrize("error_share", [1.0, 0.25])
def test_train_settings_equal_the_reference_rules(rate, x_max, d_max, managements, error_share):
    ours = train_settings(rate, x_max, d_max, 0.01, 31, *managements, error_share)
    theirs = oracle.train(rate, x_max, d_max, 0.01, 31, *managements, error_share)
    assert ours[0] == theirs[0]
    assert ours[1:] == pytest.approx(theirs[1:])


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 31, 64, 500])
@pytest.mark.parametrize("dw_min", [0.001, 0.01, 0.125, 0.2, 0.3])
def test_a_whole_number_of_steps_takes_exactly_as_many_slots(steps, dw_min):
    # rate x error is a whole number of steps but for the rounding of float32
    error = float(np.float32(steps * 0.2))
    assert train_settings(dw_min / 0.2, 1.0, error, dw_min, SLOTS_MAX, True, True, 1.0)[0] == steps


def test_trains_of_one_slot_are_the_same_both_ways():
    values = np.random.Generator(np.random.PCG64(4)).normal(size=(3, 40)).astype(np.float32)
    values[1, 5] = 0
    rules = (31, True, True, STOCHASTIC, 1.0, 0.0, False)
    words = np.zeros((2, 3, 1, 40), dtype=np.uint32)
    for vector in range(3):
        short = draw_slot(values, vector, 0.3, np.uint64(vector), words[0], vector)
        assert short == draw_side(values, vector, 0.3, 1, rules, np.uint64(vector), words[1], vector) > 0
    np.testing.assert_array_equal(*words)
    np.testing.assert_array_equal(words[0, :, 0] >> np.uint32(31), values < 0)


# Moments


@pytest.mark.parametrize("managements", MANAGEMENTS)
@pytest.mark.parametrize(
    ("rate", "dw_min", "longest"),
    [(0.02, 0.001, 31), (0.1, 0.01, 31), (0.1, 0.2, 5), (0.05, 0.02, 63), (0.2, 0.001, 200)],
)
def test_mean_and_variance_of_lemma_1(rate, dw_min, longest, managements):
    # arXiv:2510.02516, Lemma 1: E = rate |x d|, Var = rate |x d| dw (1 - rate |x d| / (BL dw)).
    x, d, repeats = np.array([1.0, -0.5, 0.25]), np.array([0.6, -0.3]), 4000
    slots, _, _ = oracle.train(rate, 1.0, 0.6, dw_min, longest, *managements)
    changes = repeated_changes(x, d, rate, dw_min, repeats, longest=longest, managements=managements)
    expected = -rate * np.outer(d, x)
    chance = np.abs(expected) / (slots * dw_min)
    assert np.all(chance <= 1 + 1e-6)
    variance = np.abs(expected) * dw_min * (1 - chance).clip(0)
    # 4.5 sigma, 6 elements and 15 cases: chance of a failure 1e-3 in all. The fourth moment is that of a binomial.
    # Trains of more than a word are done pulse by pulse in float32: half a unit in the last place of 0.12 each.
    rounding = 1e-8 if slots <= 31 else slots * 2.0**-28
    assert np.all(np.abs(changes.mean(axis=0) - expected) <= 4.5 * np.sqrt(variance / repeats) + rounding)
    fourth = variance * dw_min**2 * (1 + (3 * slots - 6) * chance * (1 - chance).clip(0))
    spread = np.sqrt((fourth - variance**2).clip(0) / repeats)
    assert np.all(np.abs(changes.var(axis=0) - variance) <= 4.5 * spread + 1e-4 * dw_min**2)


@pytest.mark.parametrize(
    ("managements", "error_share"), [*((one, 1.0) for one in MANAGEMENTS), ((True, True), 0.4), ((True, False), 0.4)]
)
@pytest.mark.parametrize("one_by_one", [False, True])
def test_counts_are_distributed_as_in_a_separate_simulation(managements, error_share, one_by_one):
    x, d, rate, dw_min, repeats = np.array([1.0, -0.75, 0.2]), np.array([0.2, -0.1]), 0.1, 0.002, 4000
    options = {"managements": managements, "error_share": error_share, "one_by_one": one_by_one}
    ours = np.rint(repeated_changes(x, d, rate, dw_min, repeats, **options) / dw_min)
    generator = np.random.Generator(np.random.PCG64(3))
    theirs = oracle.update_counts(x, d, rate, dw_min, 31, *managements, repeats, generator, error_share)
    for row in range(2):
        for column in range(3):
            assert same_counts(ours[:, row, column], theirs[:, row, column]) > 1e-5
    # Trains are shared along a line: counts correlate there, and nowhere else.
    one, other = ours.reshape(repeats, -1), theirs.reshape(repeats, -1)
    spread = np.sqrt(np.outer(other.var(axis=0), other.var(axis=0)) * 2 / repeats)
    difference = np.cov(one.T) - np.cov(other.T)
    assert np.all(np.abs(difference) <= 5 * np.sqrt(2) * spread + 1e-9)


def test_errors_above_their_share_count_as_that():
    # The largest error and one at half of it act alike with a share of a half, and take half the slots.
    array = equal_devices((3, 1), 0.01)
    activity = array.update([[1.0]], [[1.0, 0.5, 0.0]], 0.08, error_share=0.5)
    assert activity["slots"] == 4
    np.testing.assert_allclose(array.weights.ravel(), [-0.04, -0.04, 0], atol=1e-7)


def same_counts(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the p-value of two samples of integers coming from one distribution."""
    values = np.union1d(ours, theirs)
    table = np.array([[np.sum(sample == value) for value in values] for sample in (ours, theirs)])
    return same_histogram(table)


def same_histogram(table: np.ndarray) -> float:
    """Return the p-value of two histograms coming from one distribution; rare values are counted together."""
    rare = table.sum(axis=0) < 20
    merged = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    merged = merged[:, merged.sum(axis=0) > 0]
    return stats.chi2_contingency(merged).pvalue if merged.shape[1] > 1 else 1.0


CASES = {
    "lr=0.01,UM+UBLM": ((True, True), STOCHASTIC),
    "lr=0.1,UM+UBLM": ((True, True), STOCHASTIC),
    "lr=0.1,UM_only": ((True, False), STOCHASTIC),
    "lr=0.1,none": ((False, False), STOCHASTIC),
    "lr=0.1,UM+UBLM,c2c0.3": ((True, True), STOCHASTIC),
}


def reference_changes(reference, case, repeats, managements, pulse_type, one_by_one=False) -> np.ndarray:
    return repeated_changes(
        reference["x"], reference["d"], case["lr"], reference["dw_min"], repeats, noise=case["dw_min_std"],
        longest=case["update"]["desired_bl"], managements=managements, pulse_type=pulse_type, one_by_one=one_by_one,
    )  # fmt: skip


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_updates_of_the_reference_simulator(name, one_by_one):
    reference = section("stochastic_compressed_update")
    case, dw_min, repeats = reference["cases"][name], reference["dw_min"], 6000
    changes = reference_changes(reference, case, repeats, *CASES[name], one_by_one)
    share = 1 / repeats + 1 / case["n_trials"]
    mean, std = changes.mean(axis=0), changes.std(axis=0)
    their_mean, their_std = np.array(case["mean_dw"]), np.array(case["std_dw"])
    # 5 sigma over 48 elements: chance 3e-5. With noise the reference has the bias of its table, 0.6 % of sigma.
    bias = 0.006 * case["dw_min_std"] * np.abs(their_mean)
    assert np.all(np.abs(mean - their_mean) <= 5 * their_std * math.sqrt(share) + bias + 1e-8)
    fourth = np.mean((changes - mean) ** 4, axis=0)
    spread = np.sqrt((fourth - std**4).clip(0) * share) / (2 * std).clip(1e-9)
    assert np.all(np.abs(std - their_std) <= 5 * spread + 0.004 * case["dw_min_std"] * their_std + 1e-8)
    counts = changes / dw_min
    for (row, column), key in (((0, 1), "cov_same_row"), ((1, 0), "cov_same_col"), ((1, 1), "cov_diag")):
        one, other = counts[:, 0, 0], counts[:, row, column]
        sigma = math.sqrt((one.var() * other.var() + case[key] ** 2) * share)
        assert abs(np.cov(one, other)[0, 1] - case[key]) <= 4.5 * sigma + 1e-6, key
    for key in ("hist_00", "hist_12", "hist_33"):
        if case[key] is not None:
            place = int(key[-2]), int(key[-1])
            ours = np.bincount(np.rint(np.abs(counts[:, *place])).astype(int), minlength=len(case[key]))
            theirs = np.pad(case[key], (0, len(ours) - len(case[key])))
            assert same_histogram(np.array([ours, theirs])) > 1e-4, key


@pytest.mark.parametrize(
    ("name", "pulse_type"), [("lr=0.1,MeanCount", MEAN_COUNT), ("lr=0.1,DeterministicImplicit", DETERMINISTIC)]
)
def test_updates_without_chance_of_the_reference_simulator(name, pulse_type):
    reference = section("stochastic_compressed_update")
    case, dw_min = reference["cases"][name], reference["dw_min"]
    (first, *others) = reference_changes(reference, case, 3, (True, True), pulse_type) / dw_min
    assert all(np.array_equal(first, other) for other in others)
    wanted = np.array(case["mean_dw"]) / dw_min
    unrounded = oracle.counts_without_chance(
        np.array(reference["x"]), np.array(reference["d"]), case["lr"], dw_min, 31, True, True,
        mean_count=pulse_type == MEAN_COUNT,
    )  # fmt: skip
    # Halves round by chance of the last digit of float32: both neighbours are right there.
    halves = np.abs(np.abs(unrounded) % 1 - 0.5) < 1e-5
    assert halves.sum() <= 12
    np.testing.assert_allclose(first[~halves], wanted[~halves], atol=1e-4)
    assert np.abs(first - wanted).max() < 1.01
    for key in ("cov_same_row", "cov_same_col", "cov_diag", "var_00"):
        assert case[key] == 0


@pytest.mark.parametrize("kind", COUNTED)
@pytest.mark.parametrize("managements", MANAGEMENTS)
@pytest.mark.parametrize(("rate", "longest"), [(0.13, 31), (0.7, 200), (9.0, 31)])
@pytest.mark.parametrize("resolution", [0.0, 0.07])
def test_counts_without_chance_follow_their_rule(kind, managements, rate, longest, resolution):
    draw = np.random.Generator(np.random.PCG64(5))
    x, d, dw_min = draw.normal(size=6), draw.normal(size=5), 2.0**-7
    x, d = x.astype(np.float32).astype(float), d.astype(np.float32).astype(float)
    array = equal_devices((5, 6), dw_min)
    options = {"longest": longest, "managements": managements, "pulse_type": COUNTED[kind], "resolution": resolution}
    activity = array.update(x, d, rate, **options)
    unrounded = oracle.counts_without_chance(
        x, d, rate, dw_min, longest, *managements, mean_count=kind == "mean count", resolution=resolution
    )
    seen = array.weights / dw_min
    clear = np.abs(np.abs(unrounded) % 1 - 0.5) > 1e-4
    assert clear.sum() > 20
    np.testing.assert_array_equal(seen[clear], np.rint(unrounded)[clear])
    assert activity["coincidences"] == np.abs(seen).sum() > 0
    assert activity["cells_touched"] == np.count_nonzero(seen)


def test_deterministic_pulses_are_those_of_one_slot_without_management():
    array = equal_devices((1, 3), 0.1)
    array.update([[1.0, 0.6, 0.4]], [[1.0]], 0.1, longest=1, managements=(False, False), pulse_type=DETERMINISTIC)
    np.testing.assert_allclose(array.weights, [[-0.1, -0.1, 0]], atol=1e-7)


# Resolution of the pulse generator


def test_probabilities_are_rounded_to_the_nearest_step():
    # Steps of 0.25: 0.3 fires like 0.25, 0.1 never, 0.4 like 0.5.
    x, repeats = [1.0, 0.3, 0.1, 0.4], 3000
    options = {"longest": 20, "managements": (False, False), "resolution": 0.25}
    draws = repeated_changes(x, [1.0], 20.0, 1.0, repeats, **options)[:, 0]
    np.testing.assert_array_equal(draws[:, [0, 2]], np.tile([-20.0, 0.0], (repeats, 1)))
    for column, chance in ((1, 0.25), (3, 0.5)):
        sigma = math.sqrt(20 * chance * (1 - chance))
        assert abs(-draws[:, column].mean() - 20 * chance) < 4 * sigma / math.sqrt(repeats)
        assert draws[:, column].std() == pytest.approx(sigma, rel=4 / math.sqrt(2 * repeats) + 0.01)


def test_stochastic_rounding_keeps_the_mean_and_adds_the_variance_of_the_rounding():
    # 0.3 in steps of 0.25 is 0.25 or 0.5, the latter with a chance of 0.2, for a whole train of 20 slots.
    repeats, chances, weights = 6000, np.array([0.25, 0.5]), np.array([0.8, 0.2])
    options = {"longest": 20, "managements": (False, False), "resolution": 0.25, "stochastic_rounding": True}
    draws = -repeated_changes([0.3], [1.0], 20.0, 1.0, repeats, **options).ravel()
    variance = weights @ (20 * chances * (1 - chances)) + 400 * (weights @ chances**2 - 0.3**2)
    assert abs(draws.mean() - 6) < 4 * math.sqrt(variance / repeats)
    assert draws.var() == pytest.approx(variance, rel=4.5 * math.sqrt(3 / repeats))


def test_stochastic_rounding_differs_from_line_to_line_and_from_key_to_key():
    # Deterministic pulses show the rounded probability itself: 1 or 2 steps of 0.25 in 4 slots.
    seen = []
    for key in range(40):
        array = equal_devices((1, 30), 1.0)
        array.update(
            np.full(30, 0.3), [1.0], 4.0, longest=4, managements=(False, False), pulse_type=DETERMINISTIC,
            resolution=0.25, stochastic_rounding=True, key=key,
        )  # fmt: skip
        seen.append(-array.weights.ravel())
    counts = np.array(seen)
    assert set(np.unique(counts)) == {1.0, 2.0}
    assert abs((counts == 2).mean() - 0.2) < 4 * math.sqrt(0.16 / counts.size)
    assert np.all((counts == 2).any(axis=0))
    assert np.all((counts == 2).any(axis=1))


# What must always hold

values = st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=3)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    family=st.sampled_from(sorted(FAMILIES)),
    inputs=st.lists(values, min_size=1, max_size=3),
    errors=st.lists(values, min_size=1, max_size=3),
    rate=st.floats(0, 1e3),
    dw_min=st.floats(1e-3, 0.3),
    noise=st.floats(0, 3),
    longest=st.integers(1, SLOTS_MAX),
    managements=st.sampled_from(MANAGEMENTS),
    pulse_type=st.sampled_from([STOCHASTIC, MEAN_COUNT, DETERMINISTIC]),
    resolution=st.sampled_from([0.0, 0.03]),
    rounding=st.booleans(),
    error_share=st.floats(0.01, 1),
    seed=st.integers(0, 100),
)
def test_weights_stay_in_bounds_for_any_input(
    family,
    inputs,
    errors,
    rate,
    dw_min,
    noise,
    longest,
    managements,
    pulse_type,
    resolution,
    rounding,
    error_share,
    seed,
):
    vectors = min(len(inputs), len(errors))
    array = Devices(device_of(family, dw_min=dw_min, dw_min_std=noise, w_max_dtod=0.5), (3, 3), seed=seed)
    low, high = array.parameters[0, 3], array.parameters[0, 2]
    array.weights[:] = np.clip(np.float32(0.3) * np.eye(3, dtype=np.float32), low, high)
    array.composite[:] = array.weights
    activity = array.update(
        inputs[:vectors], errors[:vectors], rate, longest=longest, managements=managements, pulse_type=pulse_type,
        resolution=resolution, stochastic_rounding=rounding, error_share=error_share, key=seed, significance=1.0,
    )  # fmt: skip
    assert np.all((array.weights >= low) & (array.weights <= high))
    np.testing.assert_allclose(array.composite, array.weights, atol=1e-5)
    assert activity["vectors"] == vectors
    assert activity["slots"] <= vectors * longest
    assert activity["cells_touched"] <= activity["coincidences"]
    assert activity["coincidences"] <= 9 * activity["slots"]
    assert activity["input_pulses"] <= 3 * activity["slots"]
    assert activity["output_pulses"] <= 3 * activity["slots"]


@pytest.mark.parametrize("pulse_type", [STOCHASTIC, MEAN_COUNT, DETERMINISTIC])
@pytest.mark.parametrize("managements", MANAGEMENTS)
@pytest.mark.parametrize(
    ("inputs", "errors", "rate"), [([0, 0], [1, 2, 3], 0.1), ([1, 2], [0, 0, 0], 0.1), ([1, 2], [1, 2, 3], 0.0)]
)
def test_without_input_error_or_rate_nothing_happens(inputs, errors, rate, managements, pulse_type):
    array = equal_devices((3, 2), 0.01)
    array.weights[:] = 0.25
    activity = array.update(inputs, errors, rate, managements=managements, pulse_type=pulse_type)
    assert np.all(array.weights == np.float32(0.25))
    assert activity == dict.fromkeys(ACTIVITY, 0.0) | {"vectors": 1.0}


@pytest.mark.parametrize(("rows", "columns", "vectors"), [(0, 3, 2), (3, 0, 2), (0, 0, 2), (2, 3, 0), (1, 1, 1)])
def test_small_and_empty_shapes(rows, columns, vectors):
    array = equal_devices((rows, columns), 0.1)
    activity = array.update(np.ones((vectors, columns), np.float32), np.ones((vectors, rows), np.float32), 0.1)
    assert activity["vectors"] == vectors
    np.testing.assert_allclose(array.weights, -0.1 * min(vectors, 1), rtol=1e-6)


def test_zero_lines_stay_untouched():
    array = equal_devices((3, 4), 0.1)
    activity = array.update([1, 0, -1, 0], [0, 1, 0], 1.0)
    assert np.count_nonzero(array.weights) == activity["cells_touched"] == 2
    assert array.weights[1, 0] < 0 < array.weights[1, 2]


# Activity against an observer who sees the weights only


def test_coincidences_are_what_the_weights_show():
    # Constant step without noise, all products positive: every pulse moves its weight down by dw_min.
    draw = np.random.Generator(np.random.PCG64(8))
    dw_min, total = 2.0**-10, 0.0
    array = equal_devices((5, 6), dw_min)
    for number in range(50):
        inputs, errors = draw.random((3, 6)), draw.random((3, 5))
        before = array.weights.copy()
        activity = array.update(inputs, errors, 0.01, key=number)
        seen = (before - array.weights) / dw_min
        assert activity["coincidences"] == seen.sum()
        total += seen.sum()
    assert total > 1000


def test_touched_cells_are_those_that_moved():
    draw = np.random.Generator(np.random.PCG64(9))
    for number in range(20):
        array = equal_devices((5, 6), 0.01)
        activity = array.update(draw.normal(size=6), draw.normal(size=5), 0.02, key=number)
        assert activity["cells_touched"] == np.count_nonzero(array.weights)


def test_pulses_and_slots_are_those_of_certain_trains():
    # |x| = |d| = 1 and rate = 7 dw: seven slots, all lines fire in all of them.
    array = equal_devices((2, 3), 0.5)
    activity = array.update([[1, -1, 1]] * 4, [[1, -1]] * 4, 3.5)
    assert activity == {
        "vectors": 4.0,
        "slots": 28.0,
        "input_pulses": 84.0,
        "output_pulses": 56.0,
        "coincidences": 168.0,
        "cells_touched": 24.0,
    }
    np.testing.assert_allclose(array.weights, -14 * np.outer([1, -1], [1, -1, 1]))


def test_trains_have_full_length_without_length_management():
    for managements in ((True, False), (False, False)):
        inputs, errors = [[1, 0.1, 0.2], [0, 0, 0], [0.5, 1, 0]], [[1, 0], [1, 1], [0.1, 0.2]]
        assert equal_devices((2, 3), 0.1).update(inputs, errors, 50.0, managements=managements)["slots"] == 2 * 31


@pytest.mark.parametrize("longest", [31, 100])
def test_mean_number_of_pulses_on_the_lines(longest):
    x, d, rate, dw_min = np.array([1.0, -0.5, 0.25]), np.array([0.5, 0.4]), 0.1, 0.01
    slots, x_factor, d_factor = oracle.train(rate, 1.0, 0.5, dw_min, longest, *BALANCED)
    repeats, sums, array = 2000, {"input_pulses": 0.0, "output_pulses": 0.0}, equal_devices((2, 3), dw_min)
    for number in range(repeats):
        activity = array.update(x, d, rate, managements=BALANCED, longest=longest, key=number)
        for name in sums:
            sums[name] += activity[name]
    # Input trains are drawn only where an error train fires at all: (1 - p)^slots of the cases are missing.
    idle = np.prod((1 - d_factor * np.abs(d)) ** slots)
    for name, chances in (("input_pulses", x_factor * np.abs(x)), ("output_pulses", d_factor * np.abs(d))):
        expected = slots * chances.sum() * ((1 - idle) if name == "input_pulses" else 1)
        sigma = math.sqrt(slots * np.sum(chances * (1 - chances)) / repeats)
        assert idle < 1e-3
        assert abs(sums[name] / repeats - expected) < 4 * sigma


# The devices


@pytest.mark.parametrize("family", ["constant_step", "soft_bounds"])
def test_pulses_of_an_update_follow_each_device(family):
    # rate x |x| |d| = 3 steps with |x| = |d| = 1: exactly three pulses on every device, up or down.
    device = FAMILIES[family](dw_min=0.1, dw_min_dtod=0.3, up_down_dtod=0.1, w_max_dtod=0.3, w_min_dtod=0.3)
    array = Devices(device, (4, 5))
    named = array.named()
    draw = np.random.Generator(np.random.PCG64(10))
    array.weights[:] = np.clip(draw.uniform(-0.3, 0.3, (4, 5)), named["bound_min"], named["bound_max"])
    x, d = np.sign(draw.normal(size=5)), np.sign(draw.normal(size=4))
    expected = oracle.apply_counts(array.weights, -3 * np.outer(d, x), family, named)
    array.update(x, d, 0.3)
    np.testing.assert_allclose(array.weights, expected, atol=1e-6)


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_pulses_of_an_update_are_the_steps_of_the_family(name):
    # Three certain pulses up and three down, one after the other, against the formulas of the papers.
    device, up, down = FAMILY_CASES[name]
    device = replace(device, dw_min_std=0.0)
    array = Devices(device, (2, 1))
    start = device.w_min + 0.4 * (device.w_max - device.w_min)
    array.stored[0] = start
    array.weights[:] = start
    if device.one_sided:
        array.stored[1] = 0
    errors = [-3.0, 3.0]
    array.update([1.0], errors, device.granularity)
    high, low = start, 0.0 if device.one_sided else start
    for _ in range(3):
        high += device.dw_min * up(high)
        low += device.dw_min * up(low) if device.one_sided else -device.dw_min * down(low)
    expected = [high, start - low] if device.one_sided else [high, low]
    np.testing.assert_allclose(array.weights.ravel(), expected, atol=2e-6)


def test_samples_act_one_after_the_other():
    # Up and down do not commute on soft bounds: 0.5 up then down is not down then up.
    results = []
    for errors in ([[-1], [1]], [[1], [-1]]):
        array = Devices(SoftBounds(dw_min=0.5), (1, 1))
        array.update([[1], [1]], errors, 0.5)
        results.append(array.weights.item())
    assert results == pytest.approx([0.5 - 0.5 * 1.5, -0.5 + 0.5 * 1.5])


@pytest.mark.parametrize("one_by_one", [False, True])
def test_vectors_of_a_batch_have_trains_and_noise_of_their_own(one_by_one):
    # Variances of independent vectors add up: 20 equal ones have 20 times the variance of Lemma 1, plus the noise.
    vectors, rate, dw_min, repeats = 20, 0.1, 0.01, 1500
    inputs, errors = np.tile(np.float32([1.0, 0.5]), (vectors, 1)), np.tile(np.float32([0.5]), (vectors, 1))
    for noise in (0.0, 0.5):
        array, sums = equal_devices((1, 2), dw_min, noise, one_by_one), np.zeros((repeats, 2))
        for repeat in range(repeats):
            array.weights[:] = 0
            array.update(inputs, errors, rate, managements=BALANCED, key=repeat)
            sums[repeat] = array.weights
        expected = vectors * rate * 0.5 * np.array([1.0, 0.5])
        variance = expected * dw_min * (1 - expected / vectors / (31 * dw_min) + noise**2)
        assert np.all(np.abs(sums.mean(axis=0) + expected) < 4 * np.sqrt(variance / repeats))
        np.testing.assert_allclose(sums.var(axis=0), variance, rtol=4.5 * math.sqrt(2 / repeats))


@pytest.mark.parametrize("one_by_one", [False, True])
def test_cycle_noise_of_each_pulse_is_independent(one_by_one):
    # Four certain pulses of 0.01 (1 + 0.3 n): variance 4 x 0.003^2 on every device, no correlation between devices.
    draws = repeated_changes([1.0, -1.0], [1.0, 1.0], 0.04, 0.01, 4000, noise=0.3, one_by_one=one_by_one)
    flat = draws.reshape(4000, 4)
    np.testing.assert_allclose(np.abs(flat.mean(axis=0)), 0.04, atol=4 * 0.006 / math.sqrt(4000))
    np.testing.assert_allclose(flat.std(axis=0), 0.006, rtol=4 / math.sqrt(8000))
    correlations = np.corrcoef(flat.T)[np.triu_indices(4, 1)]
    assert np.all(np.abs(correlations) < 4 / math.sqrt(4000))


@pytest.mark.parametrize("dw_min", [0.001, 0.0949, 0.3])
def test_a_train_of_one_slot_is_one_certain_pulse(dw_min):
    # How a thresholded transfer writes: a one-hot input, errors of 0 and +-1, the granularity as rate.
    array = equal_devices((4, 3), dw_min)
    activity = array.update([[0, 1, 0]], [[1, -1, 0, 1]], dw_min, longest=1, managements=(False, False))
    np.testing.assert_allclose(array.weights[:, 1], dw_min * np.array([-1, 1, 0, -1]), rtol=1e-6)
    assert not array.weights[:, [0, 2]].any()
    assert list(activity.values()) == [1, 1, 1, 3, 3, 3]


# What is read and what is stored


def test_a_reference_is_subtracted_and_never_pulsed():
    array = Devices(SoftBounds(dw_min=0.1), (2, 3), reference=True)
    array.stored[1] = np.float32([[0.1, -0.2, 0.3], [0, 0.5, -0.4]])
    reference = array.stored[1].copy()
    array.stored[0] = reference
    array.update(np.ones(3), [-2.0, 2.0], 0.1)
    expected = reference.astype(float)
    for _ in range(2):
        expected += 0.1 * np.array([[1], [-1]]) * (1 - np.array([[1], [-1]]) * expected)
    np.testing.assert_allclose(array.stored[0], expected, atol=1e-6)
    np.testing.assert_allclose(array.weights, expected - reference, atol=1e-6)
    np.testing.assert_array_equal(array.stored[1], reference)


def test_pairs_are_pulsed_upward_only_on_the_side_of_the_change():
    array = Devices(LinearStep(dw_min=0.1, gamma_up=0.5, w_min=0.0, one_sided=True), (2, 1))
    array.update([1.0], [-3.0, 2.0], 0.1, pulse_type=MEAN_COUNT)
    three, two = 0.0, 0.0
    for _ in range(3):
        three += 0.1 * (1 - 0.5 * three)
    for _ in range(2):
        two += 0.1 * (1 - 0.5 * two)
    np.testing.assert_allclose(array.stored[:, :, 0], [[three, 0], [0, two]], atol=1e-7)
    np.testing.assert_allclose(array.weights[:, 0], [three, -two], atol=1e-7)


def test_write_noise_is_drawn_where_pulses_fall_and_nowhere_else():
    device, repeats = ConstantStep(dw_min=0.01, write_noise_std=30.0, w_max=9, w_min=-9), 3000
    array, errors = Devices(device, (1, 3)), np.zeros((repeats, 2))
    for repeat in range(repeats):
        before = array.weights.copy()
        array.update([1.0, 0.0, 1.0], [1.0], 0.02, key=repeat)
        assert array.weights[0, 1] == before[0, 1] == 0
        errors[repeat] = (array.weights - array.stored[0])[0, [0, 2]]
        array.stored[:] = 0
    # 30 x 0.01, normal, new for each update and device.
    assert np.all(np.abs(errors.mean(axis=0)) < 4 * 0.3 / math.sqrt(repeats))
    np.testing.assert_allclose(errors.std(axis=0), 0.3, rtol=4 / math.sqrt(2 * repeats))
    assert abs(np.corrcoef(errors.T)[0, 1]) < 4 / math.sqrt(repeats)
    assert abs(np.corrcoef(errors[1:, 0], errors[:-1, 0])[0, 1]) < 4 / math.sqrt(repeats)


def test_write_noise_does_not_disturb_what_is_stored():
    stored = []
    for noise in (0.0, 0.1, 5.0):
        array = Devices(SoftBounds(dw_min=0.05, dw_min_std=0.3, write_noise_std=noise), (3, 4))
        array.update(np.ones((9, 4)), np.linspace(-1, 1, 27).reshape(9, 3), 0.2)
        stored.append(array.stored[0].copy())
    np.testing.assert_array_equal(stored[1], stored[2])
    # Without write noise such steep devices are pulsed in single precision.
    np.testing.assert_allclose(stored[0], stored[1], atol=1e-6)


def test_the_composite_moves_by_significance_times_what_is_read():
    draw = np.random.Generator(np.random.PCG64(12))
    for device in (
        ConstantStep(dw_min=0.05, dw_min_std=0.3, w_max=0.2, w_min=-0.2),
        ConstantStep(dw_min=0.05, write_noise_std=2.0, w_max=0.2, w_min=-0.2),
        LinearStep(dw_min=0.05, w_max=2.0, w_min=0.0, one_sided=True),
    ):
        array = Devices(device, (4, 5))
        array.composite[:] = draw.normal(size=(4, 5))
        start = array.composite.copy()
        array.update(draw.normal(size=(30, 5)), draw.normal(size=(30, 4)), 0.1, significance=0.125)
        assert np.abs(array.weights).max() > 0.1
        np.testing.assert_allclose(array.composite - start, 0.125 * array.weights, atol=2e-6)


def test_generic_linear_devices_settle_at_their_symmetric_point():
    # Alternating certain pulses: the fixed point of one pair is within a step of c_lin.
    array = Devices(GenericLinear(dw_min=0.002, c_lin=0.2), (1, 2))
    array.weights[:] = [[-0.8, 0.9]]
    array.update(np.ones((6000, 2)), np.tile([[-1.0], [1.0]], (3000, 1)), 0.002, longest=1, managements=(False, False))
    np.testing.assert_allclose(array.weights, 0.2, atol=0.002)


# Ageing


def aged(values, decay, diffusion, reset, *, key=1, bound=1.0, steps=1):
    stored = np.array(values, dtype=np.float32)[None].copy()
    parameters = populate(ConstantStep(dw_min=0.1, w_max=bound, w_min=-bound), stored.shape[1:], seed=1, stream=1)
    arrays = [np.full(stored.shape[1:], value, dtype=np.float32) for value in (decay, diffusion, reset)]
    for step in range(steps):
        age_devices(stored, 0, parameters.parameters[None], *arrays, np.uint64(make_key(key, 0, step)))
    return stored[0]


def test_devices_decay_toward_their_reset_value():
    values = np.linspace(-0.8, 0.8, 12).reshape(3, 4)
    expected = 0.1 + (values - 0.1) * 0.9**7
    np.testing.assert_allclose(aged(values, 0.9, 0.0, 0.1, steps=7), expected, atol=1e-6)


def test_diffusion_is_a_normal_random_walk():
    walked = aged(np.zeros((100, 100)), 1.0, 0.02, 0.0, steps=25, bound=10.0).astype(float)
    assert abs(walked.mean()) < 4 * 0.1 / 100
    assert walked.std() == pytest.approx(0.1, rel=4 / math.sqrt(2e4))
    assert stats.kstest(walked.ravel() / 0.1, stats.norm.cdf).pvalue > 1e-4


def test_ageing_stays_within_the_bounds_and_touches_one_side():
    walked = aged(np.zeros((20, 20)), 1.0, 0.5, 0.0, bound=0.3, steps=5)
    assert np.abs(walked).max() == np.float32(0.3)
    stored = np.full((2, 2, 2), 0.5, dtype=np.float32)
    parameters = np.stack([populate(ConstantStep(dw_min=0.1), (2, 2), seed=1, stream=1).parameters] * 2)
    halves, zeros = np.full((2, 2), 0.5, np.float32), np.zeros((2, 2), np.float32)
    age_devices(stored, 1, parameters, halves, zeros, zeros, np.uint64(1))
    np.testing.assert_array_equal(stored, np.stack([np.full((2, 2), 0.5), np.full((2, 2), 0.25)]))


def test_what_is_read_is_what_is_stored_less_the_second_array():
    stored = np.float32([[[0.5, -0.25]], [[0.125, 1.0]]])
    weights = np.empty((1, 2), dtype=np.float32)
    expose(weights, stored, 0.0, np.uint64(1))
    np.testing.assert_array_equal(weights, [[0.375, -1.25]])
    expose(weights, stored[:1], 0.0, np.uint64(1))
    np.testing.assert_array_equal(weights, [[0.5, -0.25]])
