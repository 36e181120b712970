"""Counter-based random numbers: published values, distribution, independence of keys and counters."""

import numpy as np
import pytest
from numba import njit
from scipy import stats

from device_models.kernels.compile import bernoulli, bernoulli_threshold, make_key, mix, normal, subkey, uniform

COUNT = 100_000


@njit
def draw_uniforms(key, out):
    for counter in range(out.size):
        out[counter] = uniform(key, counter)


@njit
def draw_normals(key, out):
    for counter in range(out.size):
        out[counter] = normal(key, counter)


@njit
def draw_over_keys(key, out):
    for number in range(out.size):
        out[number] = uniform(subkey(key, number), 0)


def uniforms(key: int, count: int = COUNT, draw=draw_uniforms) -> np.ndarray:
    out = np.empty(count)
    draw(np.uint64(key), out)
    return out


def normals(key: int, count: int = COUNT) -> np.ndarray:
    return uniforms(key, count, draw_normals)


def test_known_answers_of_splitmix64():
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]
    assert [int(subkey(np.uint64(0), counter)) for counter in range(4)] == published


def test_mix_is_the_finaliser_of_splitmix64():
    def finalise(value: int) -> int:
        wrap = (1 << 64) - 1
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & wrap
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB & wrap
        return value ^ (value >> 31)

    for value in (0, 1, 12345, 2**31, 2**63, 2**64 - 1):
        assert int(mix(np.uint64(value))) == finalise(value)


def test_a_key_depends_on_seed_stream_and_step_and_on_their_order():
    numbers = (0, 1, 2, 63, 2**31, 2**40)
    keys = {int(make_key(seed, stream, step)) for seed in numbers for stream in numbers for step in numbers}
    assert len(keys) == len(numbers) ** 3


def test_uniforms_lie_above_zero_and_reach_at_most_one():
    values = uniforms(1)
    assert values.min() > 0
    assert values.max() <= 1
    # The extremes of 10^5 draws, each missed with chance e^-20.
    assert values.min() < 2e-4
    assert values.max() > 1 - 2e-4


# Each p-value below 1e-4 fails: at a fixed seed the chance to have drawn one is 1e-4 per case.
@pytest.mark.parametrize("key", [0, 1, 2**63, int(make_key(3, 1, 4))])
@pytest.mark.parametrize("draw", [draw_uniforms, draw_over_keys])
def test_uniforms_are_uniform(draw, key):
    values = uniforms(key, draw=draw)
    assert stats.kstest(values, "uniform").pvalue > 1e-4
    counts = np.bincount((values * 256).astype(int).clip(0, 255), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_pairs_of_neighbours_are_uniform_in_the_square():
    values = uniforms(5, 2 * COUNT).reshape(-1, 2)
    counts, _, _ = np.histogram2d(values[:, 0], values[:, 1], bins=16, range=[(0, 1), (0, 1)])
    assert stats.chisquare(counts.ravel()).pvalue > 1e-4


def test_each_bit_of_a_number_is_set_half_the_time():
    codes = (uniforms(6) * 2**53 - 1).astype(np.uint64)
    for bit in range(53):
        share = np.mean((codes >> np.uint64(bit)) & np.uint64(1))
        assert abs(share - 0.5) < 4.5 * 0.5 / np.sqrt(COUNT)  # 4.5 sigma: chance 4e-4 over all bits


@pytest.mark.parametrize("lag", [1, 2, 3, 64, 1000])
def test_counters_are_uncorrelated(lag):
    values = uniforms(7)
    assert abs(np.corrcoef(values[:-lag], values[lag:])[0, 1]) < 4 / np.sqrt(COUNT)


@pytest.mark.parametrize(("first", "second"), [((0, 0, 0), (1, 0, 0)), ((0, 0, 0), (0, 1, 0)), ((0, 0, 0), (0, 0, 1))])
def test_neighbouring_keys_give_independent_numbers(first, second):
    one, other = uniforms(int(make_key(*first))), uniforms(int(make_key(*second)))
    assert not np.intersect1d(one, other).size > 1
    for lag in range(-2, 3):
        assert abs(np.corrcoef(one, np.roll(other, lag))[0, 1]) < 4.5 / np.sqrt(COUNT)


def test_moments_of_the_normal_numbers():
    values = normals(8, 400_000)
    # Variances of the sample moments of a normal: 1, 2, 15, 96 over n; 4 sigma each, chance 2.5e-4 in total.
    for power, expected, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(np.mean(values**power) - expected) < 4 * np.sqrt(variance / values.size), power


def test_normal_numbers_are_normal_up_to_the_tail():
    values = normals(9, 2_000_000)
    chances = stats.norm.cdf(values)
    assert stats.kstest(chances[:200_000], "uniform").pvalue > 1e-4
    counts = np.bincount((chances * 1000).astype(int).clip(0, 999), minlength=1000)
    assert stats.chisquare(counts).pvalue > 1e-4
    for edge in (2.5, 3.0, 3.5, 4.0):
        expected = values.size * stats.norm.sf(edge)
        for side in (values, -values):  # 4.5 sigma, eight cases: chance 6e-5
            assert abs(np.sum(side > edge) - expected) < 4.5 * np.sqrt(expected), edge
    beyond = np.abs(values[np.abs(values) > 3.5])
    assert stats.kstest(stats.norm.sf(beyond) / stats.norm.sf(3.5), "uniform").pvalue > 1e-4


def test_normal_numbers_of_neighbouring_counters_and_keys_are_uncorrelated():
    one, other = normals(int(make_key(1, 2, 3))), normals(int(make_key(1, 2, 4)))
    for a, b in ((one[:-1], one[1:]), (one, other), (one**2, other**2), (one[:-1] ** 2, one[1:] ** 2)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(COUNT)


@pytest.mark.parametrize("probability", [0.0, 0.01, 0.3, 0.999])
def test_events_happen_as_often_as_asked(probability):
    happened = sum(bernoulli(np.uint64(10), counter, bernoulli_threshold(probability)) for counter in range(20_000))
    assert abs(happened - 20_000 * probability) <= 4 * np.sqrt(20_000 * probability * (1 - probability))


@pytest.mark.parametrize("probability", [1.0, 1.5, np.inf])
def test_a_probability_of_one_or_more_is_certain(probability):
    assert all(bernoulli(np.uint64(11), counter, bernoulli_threshold(probability)) for counter in range(2000))
