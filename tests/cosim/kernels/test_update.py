"""Rank-1 updates by pulse coincidence: moments, counts, bounds, activity."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cosim.kernels.update import ACTIVITY, SLOTS_MAX, count_bits, draw_train, pulse_all, pulsed_update, train_settings
from device_models.kernels.compile import make_key
from device_models.kernels.pulse import FAMILY_CODES
from device_models.parameters import FAMILIES
from device_models.population import PARAMETER_NAMES, populate
from tests.oracles import pulse_update as oracle
from tests.oracles.reference_simulator import section

CONSTANT = FAMILY_CODES["constant_step"]
MANAGEMENTS = [(True, True), (True, False), (False, False)]


def equal_devices(shape: tuple[int, int], dw_min: float, bound: float = 100.0) -> np.ndarray:
    return np.broadcast_to(np.array([dw_min, dw_min, bound, -bound], dtype=np.float32), (*shape, 4)).copy()


def float32(values) -> np.ndarray:
    return np.atleast_2d(np.asarray(values, dtype=np.float32))


def update(
    weights,
    parameters,
    inputs,
    errors,
    rate,
    dw_min,
    *,
    family=CONSTANT,
    noise=0.0,
    longest=31,
    managements=(True, True),
    key=1,
    composite=None,
    significance=0.0,
):
    """Update weights in place and return the activity by name."""
    composite = np.zeros_like(weights) if composite is None else composite
    activity = pulsed_update(
        family,
        weights,
        parameters,
        noise,
        float32(inputs),
        float32(errors),
        rate,
        dw_min,
        longest,
        *managements,
        np.uint64(key),
        composite,
        significance,
    )
    return dict(zip(ACTIVITY, activity.tolist(), strict=True))


def repeated_changes(x, d, rate, dw_min, repeats, *, noise=0.0, longest=31, managements=(True, True)) -> np.ndarray:
    """Return the weight changes of many independent updates from zero, (repeats, outputs, inputs)."""
    shape = (len(d), len(x))
    parameters, composite = equal_devices(shape, dw_min), np.zeros(shape, dtype=np.float32)
    inputs, errors = float32(x), float32(d)
    changes = np.zeros((repeats, *shape), dtype=np.float32)
    for repeat in range(repeats):
        key = np.uint64(make_key(17, longest, repeat))
        pulsed_update(
            CONSTANT, changes[repeat], parameters, noise, inputs, errors, rate, dw_min, longest, *managements, key,
            composite, 0.0,
        )  # fmt: skip
    return changes.astype(np.float64)


# Trains


@pytest.mark.parametrize("length", [1, 31, 63])
def test_a_certain_line_fires_in_every_slot(length):
    train, fired = draw_train(np.uint64(1), 0, length, 1.0)
    assert int(train) == 2**length - 1
    assert fired == length == count_bits(train)


def test_a_line_fires_as_often_as_its_probability_says():
    fired = np.array([draw_train(np.uint64(2), line, 31, 0.2)[1] for line in range(5000)])
    assert abs(fired.mean() - 6.2) < 4 * math.sqrt(31 * 0.16 / 5000)
    counts = np.bincount(fired.clip(2, 11), minlength=12)[2:]
    chances = stats.binom.pmf(np.arange(2, 12), 31, 0.2)
    chances[0], chances[-1] = stats.binom.cdf(2, 31, 0.2), stats.binom.sf(10, 31, 0.2)
    assert stats.chisquare(counts, 5000 * chances).pvalue > 1e-4


@pytest.mark.parametrize("managements", MANAGEMENTS)
@pytest.mark.parametrize("rate", [1e-6, 0.01, 0.1, 1.0, 30.0])
@pytest.mark.parametrize(("x_max", "d_max"), [(1.0, 0.2), (0.01, 3.0), (5.0, 5.0)])
def test_train_settings_equal_the_reference_rules(rate, x_max, d_max, managements):
    ours = train_settings(rate, x_max, d_max, 0.01, 31, *managements)
    theirs = oracle.train(rate, x_max, d_max, 0.01, 31, *managements)
    assert ours[0] == theirs[0]
    assert ours[1:] == pytest.approx(theirs[1:])


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 31])
@pytest.mark.parametrize("dw_min", [0.001, 0.01, 0.125, 0.2, 0.3])
def test_a_whole_number_of_steps_takes_exactly_as_many_slots(steps, dw_min):
    # rate x error is a whole number of steps but for the rounding of float32
    error = float(np.float32(steps * 0.2))
    assert train_settings(dw_min / 0.2, 1.0, error, dw_min, 31, True, True)[0] == steps


# Moments


@pytest.mark.parametrize("managements", MANAGEMENTS)
@pytest.mark.parametrize(
    ("rate", "dw_min", "longest"), [(0.02, 0.001, 31), (0.1, 0.01, 31), (0.1, 0.2, 5), (0.05, 0.02, 63)]
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
    # 4.5 sigma, 6 elements and 12 cases: chance of a failure 1e-3 in all. The fourth moment is that of a binomial.
    assert np.all(np.abs(changes.mean(axis=0) - expected) <= 4.5 * np.sqrt(variance / repeats) + 1e-6 * dw_min)
    fourth = variance * dw_min**2 * (1 + (3 * slots - 6) * chance * (1 - chance).clip(0))
    spread = np.sqrt((fourth - variance**2).clip(0) / repeats)
    assert np.all(np.abs(changes.var(axis=0) - variance) <= 4.5 * spread + 1e-4 * dw_min**2)


@pytest.mark.parametrize("managements", MANAGEMENTS)
def test_counts_are_distributed_as_in_a_separate_simulation(managements):
    x, d, rate, dw_min, repeats = np.array([1.0, -0.75, 0.2]), np.array([0.2, -0.1]), 0.1, 0.002, 4000
    ours = np.rint(repeated_changes(x, d, rate, dw_min, repeats, managements=managements) / dw_min)
    generator = np.random.Generator(np.random.PCG64(3))
    theirs = oracle.update_counts(x, d, rate, dw_min, 31, *managements, repeats, generator)
    for row in range(2):
        for column in range(3):
            assert same_counts(ours[:, row, column], theirs[:, row, column]) > 1e-5
    # Trains are shared along a line: counts correlate there, and nowhere else.
    one, other = ours.reshape(repeats, -1), theirs.reshape(repeats, -1)
    spread = np.sqrt(np.outer(other.var(axis=0), other.var(axis=0)) * 2 / repeats)
    difference = np.cov(one.T) - np.cov(other.T)
    assert np.all(np.abs(difference) <= 5 * np.sqrt(2) * spread + 1e-9)


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
    "lr=0.01,UM+UBLM": (True, True),
    "lr=0.1,UM+UBLM": (True, True),
    "lr=0.1,UM_only": (True, False),
    "lr=0.1,none": (False, False),
    "lr=0.1,UM+UBLM,c2c0.3": (True, True),
}


@pytest.mark.parametrize("name", CASES)
def test_updates_of_the_reference_simulator(name):
    reference = section("stochastic_compressed_update")
    case, dw_min = reference["cases"][name], reference["dw_min"]
    repeats = 6000
    changes = repeated_changes(
        reference["x"],
        reference["d"],
        case["lr"],
        dw_min,
        repeats,
        noise=case["dw_min_std"],
        longest=case["update"]["desired_bl"],
        managements=CASES[name],
    )
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


# What must always hold

values = st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=3)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    family=st.sampled_from(sorted(FAMILY_CODES)),
    inputs=st.lists(values, min_size=1, max_size=3),
    errors=st.lists(values, min_size=1, max_size=3),
    rate=st.floats(0, 1e3),
    dw_min=st.floats(1e-3, 1),
    noise=st.floats(0, 3),
    longest=st.integers(1, SLOTS_MAX),
    managements=st.sampled_from(MANAGEMENTS),
    seed=st.integers(0, 100),
)
def test_weights_stay_in_bounds_for_any_input(family, inputs, errors, rate, dw_min, noise, longest, managements, seed):
    vectors = min(len(inputs), len(errors))
    device = FAMILIES[family](dw_min=dw_min, dw_min_dtod=0.3, w_max_dtod=0.5, w_min_dtod=0.5)
    parameters = populate(device, (3, 3), seed=seed, stream=0)
    low, high = parameters[..., 3], parameters[..., 2]
    weights = np.clip(np.float32(0.3) * np.eye(3, dtype=np.float32), low, high)
    composite = weights.copy()
    activity = update(
        weights, parameters, inputs[:vectors], errors[:vectors], rate, dw_min, family=FAMILY_CODES[family],
        noise=noise, longest=longest, managements=managements, key=seed, composite=composite, significance=1.0,
    )  # fmt: skip
    assert np.all((weights >= low) & (weights <= high))
    np.testing.assert_allclose(composite, weights, atol=1e-5)
    assert activity["vectors"] == vectors
    assert activity["slots"] <= vectors * longest
    assert activity["cells_touched"] <= activity["coincidences"]
    assert activity["coincidences"] <= 9 * activity["slots"]
    assert activity["input_pulses"] <= 3 * activity["slots"]
    assert activity["output_pulses"] <= 3 * activity["slots"]


@pytest.mark.parametrize("managements", MANAGEMENTS)
@pytest.mark.parametrize(
    ("inputs", "errors", "rate"), [([0, 0], [1, 2, 3], 0.1), ([1, 2], [0, 0, 0], 0.1), ([1, 2], [1, 2, 3], 0.0)]
)
def test_without_input_error_or_rate_nothing_happens(inputs, errors, rate, managements):
    weights = np.full((3, 2), 0.25, dtype=np.float32)
    activity = update(weights, equal_devices((3, 2), 0.01), inputs, errors, rate, 0.01, managements=managements)
    assert np.all(weights == np.float32(0.25))
    assert activity == dict.fromkeys(ACTIVITY, 0.0) | {"vectors": 1.0}


@pytest.mark.parametrize(("rows", "columns", "vectors"), [(0, 3, 2), (3, 0, 2), (0, 0, 2), (2, 3, 0), (1, 1, 1)])
def test_small_and_empty_shapes(rows, columns, vectors):
    weights = np.zeros((rows, columns), dtype=np.float32)
    inputs, errors = np.ones((vectors, columns), np.float32), np.ones((vectors, rows), np.float32)
    activity = update(weights, equal_devices((rows, columns), 0.1), inputs, errors, 0.1, 0.1)
    assert activity["vectors"] == vectors
    np.testing.assert_allclose(weights, -0.1 * min(vectors, 1), rtol=1e-6)


def test_zero_lines_stay_untouched():
    weights = np.zeros((3, 4), dtype=np.float32)
    activity = update(weights, equal_devices((3, 4), 0.1), [1, 0, -1, 0], [0, 1, 0], 1.0, 0.1)
    assert np.count_nonzero(weights) == activity["cells_touched"] == 2
    assert weights[1, 0] < 0 < weights[1, 2]


# Activity against an observer who sees the weights only


def test_coincidences_are_what_the_weights_show():
    # Constant step without noise, all products positive: every pulse moves its weight down by dw_min.
    draw = np.random.Generator(np.random.PCG64(8))
    dw_min, total = 2.0**-10, 0.0
    weights = np.zeros((5, 6), dtype=np.float32)
    for number in range(50):
        inputs, errors = draw.random((3, 6)), draw.random((3, 5))
        before = weights.copy()
        activity = update(weights, equal_devices((5, 6), dw_min), inputs, errors, 0.01, dw_min, key=number)
        seen = (before - weights) / dw_min
        assert activity["coincidences"] == seen.sum()
        total += seen.sum()
    assert total > 1000


def test_touched_cells_are_those_that_moved():
    draw = np.random.Generator(np.random.PCG64(9))
    for number in range(20):
        weights = np.zeros((5, 6), dtype=np.float32)
        inputs, errors = draw.normal(size=6), draw.normal(size=5)
        activity = update(weights, equal_devices((5, 6), 0.01), inputs, errors, 0.02, 0.01, key=number)
        assert activity["cells_touched"] == np.count_nonzero(weights)


def test_pulses_and_slots_are_those_of_certain_trains():
    # |x| = |d| = 1 and rate = 7 dw: seven slots, all lines fire in all of them.
    weights = np.zeros((2, 3), dtype=np.float32)
    activity = update(weights, equal_devices((2, 3), 0.5), [[1, -1, 1]] * 4, [[1, -1]] * 4, 3.5, 0.5)
    assert activity == {
        "vectors": 4.0,
        "slots": 28.0,
        "input_pulses": 84.0,
        "output_pulses": 56.0,
        "coincidences": 168.0,
        "cells_touched": 24.0,
    }
    np.testing.assert_allclose(weights, -14 * np.outer([1, -1], [1, -1, 1]))


def test_trains_have_full_length_without_length_management():
    for managements in ((True, False), (False, False)):
        weights = np.zeros((2, 3), dtype=np.float32)
        inputs, errors = [[1, 0.1, 0.2], [0, 0, 0], [0.5, 1, 0]], [[1, 0], [1, 1], [0.1, 0.2]]
        activity = update(weights, equal_devices((2, 3), 0.1), inputs, errors, 50.0, 0.1, managements=managements)
        assert activity["slots"] == 2 * 31


def test_mean_number_of_pulses_on_the_lines():
    x, d, rate, dw_min = np.array([1.0, -0.5, 0.25]), np.array([0.5, 0.4]), 0.1, 0.01
    slots, x_factor, d_factor = oracle.train(rate, 1.0, 0.5, dw_min, 31, True, False)
    repeats, sums = 2000, {"input_pulses": 0.0, "output_pulses": 0.0}
    for number in range(repeats):
        activity = update(
            np.zeros((2, 3), np.float32), equal_devices((2, 3), dw_min), x, d, rate, dw_min, managements=(True, False),
            key=number,
        )  # fmt: skip
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


@pytest.mark.parametrize("family", FAMILY_CODES)
def test_pulses_of_an_update_follow_the_device(family):
    # rate x |x| |d| = 3 steps with |x| = |d| = 1: exactly three pulses on every device, up or down.
    device = FAMILIES[family](dw_min=0.1, dw_min_dtod=0.3, up_down_dtod=0.1, w_max_dtod=0.3, w_min_dtod=0.3)
    parameters = populate(device, (4, 5), seed=2, stream=0)
    named = {name: parameters[..., place].astype(float) for place, name in enumerate(PARAMETER_NAMES)}
    draw = np.random.Generator(np.random.PCG64(10))
    weights = np.clip(draw.uniform(-0.3, 0.3, (4, 5)), named["bound_min"], named["bound_max"]).astype(np.float32)
    x, d = np.sign(draw.normal(size=5)), np.sign(draw.normal(size=4))
    expected = oracle.apply_counts(weights, -3 * np.outer(d, x), family, named)
    update(weights, parameters, x, d, 0.3, 0.1, family=FAMILY_CODES[family])
    np.testing.assert_allclose(weights, expected, atol=1e-6)


def test_samples_act_one_after_the_other():
    # Up and down do not commute on soft bounds: 0.5 up then down is not down then up.
    parameters = equal_devices((1, 1), 0.5, bound=1.0)
    results = []
    for errors in ([[-1], [1]], [[1], [-1]]):
        weights = np.zeros((1, 1), dtype=np.float32)
        update(weights, parameters, [[1], [1]], errors, 0.5, 0.5, family=FAMILY_CODES["soft_bounds"])
        results.append(float(weights[0, 0]))
    assert results == pytest.approx([0.5 - 0.5 * 1.5, -0.5 + 0.5 * 1.5])


def test_vectors_of_a_batch_have_trains_and_noise_of_their_own():
    # Variances of independent vectors add up: 20 equal ones have 20 times the variance of Lemma 1, plus the noise.
    vectors, rate, dw_min, repeats = 20, 0.1, 0.01, 1500
    inputs, errors = np.tile(np.float32([1.0, 0.5]), (vectors, 1)), np.tile(np.float32([0.5]), (vectors, 1))
    for noise in (0.0, 0.5):
        sums = np.zeros((repeats, 1, 2), dtype=np.float32)
        for repeat in range(repeats):
            update(
                sums[repeat], equal_devices((1, 2), dw_min), inputs, errors, rate, dw_min, noise=noise,
                managements=(True, False), key=repeat,
            )  # fmt: skip
        expected = vectors * rate * 0.5 * np.array([1.0, 0.5])
        variance = expected * dw_min * (1 - expected / vectors / (31 * dw_min) + noise**2)
        assert np.all(np.abs(sums.mean(axis=0)[0] + expected) < 4 * np.sqrt(variance / repeats))
        np.testing.assert_allclose(sums.var(axis=0)[0], variance, rtol=4.5 * math.sqrt(2 / repeats))


def test_cycle_noise_of_each_pulse_is_independent():
    # Four certain pulses of 0.01 (1 + 0.3 n): variance 4 x 0.003^2 on every device, no correlation between devices.
    draws = repeated_changes([1.0, -1.0], [1.0, 1.0], 0.04, 0.01, 4000, noise=0.3)
    flat = draws.reshape(4000, 4)
    np.testing.assert_allclose(np.abs(flat.mean(axis=0)), 0.04, atol=4 * 0.006 / math.sqrt(4000))
    np.testing.assert_allclose(flat.std(axis=0), 0.006, rtol=4 / math.sqrt(8000))
    correlations = np.corrcoef(flat.T)[np.triu_indices(4, 1)]
    assert np.all(np.abs(correlations) < 4 / math.sqrt(4000))


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_pulses_on_all_devices_follow_the_device(noise):
    parameters = populate(FAMILIES["soft_bounds"](dw_min=0.1, w_max_dtod=0.3), (3, 4), seed=1, stream=1)
    named = {name: parameters[..., place].astype(float) for place, name in enumerate(PARAMETER_NAMES)}
    weights = np.zeros((3, 4), dtype=np.float32)
    pulse_all(FAMILY_CODES["soft_bounds"], weights, parameters, noise, True, 5, np.uint64(3))
    expected = oracle.apply_counts(np.zeros((3, 4)), np.full((3, 4), 5), "soft_bounds", named)
    if noise:
        assert not np.any(weights == expected)
        np.testing.assert_allclose(weights, expected, atol=0.3)
    else:
        np.testing.assert_allclose(weights, expected, atol=1e-6)


def test_the_composite_moves_by_significance_times_change():
    draw = np.random.Generator(np.random.PCG64(12))
    weights = np.zeros((4, 5), dtype=np.float32)
    composite = draw.normal(size=(4, 5)).astype(np.float32)
    start = composite.copy()
    update(
        weights, equal_devices((4, 5), 0.05, bound=0.2), draw.normal(size=(30, 5)), draw.normal(size=(30, 4)), 0.1,
        0.05, noise=0.3, composite=composite, significance=0.125,
    )  # fmt: skip
    assert np.abs(weights).max() > 0.1
    np.testing.assert_allclose(composite - start, 0.125 * weights, atol=2e-6)
