"""Counter-based random numbers: published values, distribution, independence of keys and counters."""

import math
from itertools import product

import numpy as np
import pytest
from numba import njit
from scipy import stats

from device_models.kernels.random_numbers import (
    BLOCK,
    GOLDEN_32,
    PAIRS,
    _angle,
    _cosine_of,
    _radius,
    _sine_of,
    fill_normals,
    fires,
    high_half,
    low_half,
    make_key,
    mix,
    normal,
    subkey,
    threshold,
    uniform,
    word,
)

COUNT = 100_000
ALL_WORDS = 2**32
KEYS = [1, 2**63, int(make_key(3, 1, 4)), int(make_key(3, 1, 5))]


@njit
def draw_uniforms(key, out):
    for counter in range(out.size):
        out[counter] = uniform(key, counter)


@njit
def draw_over_keys(key, out):
    for number in range(out.size):
        out[number] = uniform(subkey(key, number), 0)


@njit
def draw_words(key, first, out):
    low, high = low_half(key), high_half(key)
    for place in range(out.size):
        out[place] = word(low, high, first + place)


@njit
def draw_words_over_keys(key, counter, out):
    for number in range(out.size):
        own = subkey(key, number)
        out[number] = word(low_half(own), high_half(own), counter)


@njit
def draw_words_at(key, counters, out):
    low, high = low_half(key), high_half(key)
    for place in range(out.size):
        out[place] = word(low, high, counters[place])


@njit
def count_events(key, limit, count):
    low, high, happened = low_half(key), high_half(key), 0
    for counter in range(count):
        happened += fires(low, high, counter, limit)
    return happened


@njit
def draw_normals_singly(key, first, out):
    for place in range(out.size):
        out[place] = normal(key, first + place)


@njit
def polar(bits, out):
    for place in range(bits.size):
        radius, angle = _radius(bits[place]), _angle(bits[place])
        out[0, place], out[1, place], out[2, place], out[3, place] = radius, angle, _cosine_of(angle), _sine_of(angle)


@njit(fastmath=True)
def tally(key, rounds, sums, histogram, far):
    """Add up powers, count in bins of 1/128 from -8 on, and keep what is beyond 4, of `rounds` x 2^14 numbers."""
    numbers, kept = np.empty(1 << 14, dtype=np.float32), 0
    for number in range(rounds):
        fill_normals(key, number << 14, numbers)
        first, second, third, fourth, fifth, sixth = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for place in range(numbers.size):
            value = np.float64(numbers[place])
            square = value * value
            first += value
            second += square
            third += value * square
            fourth += square * square
            fifth += value * square * square
            sixth += square * square * square
        sums += np.array((first, second, third, fourth, fifth, sixth))
        for place in range(numbers.size):
            histogram[np.int64(np.floor(numbers[place] * np.float32(128.0))) + 1024] += 1
            if abs(numbers[place]) > 4.0:
                far[kept] = numbers[place]
                kept += 1
    return kept


def uniforms(key: int, count: int = COUNT, draw=draw_uniforms) -> np.ndarray:
    out = np.empty(count)
    draw(np.uint64(key), out)
    return out


def words(key: int, count: int = COUNT, first: int = 0) -> np.ndarray:
    out = np.empty(count, dtype=np.uint32)
    draw_words(np.uint64(key), first, out)
    return out


def words_over_keys(key: int, count: int = COUNT) -> np.ndarray:
    out = np.empty(count, dtype=np.uint32)
    draw_words_over_keys(np.uint64(key), 5, out)
    return out


def normals(key: int, count: int = COUNT, first: int = 0) -> np.ndarray:
    out = np.empty(count, dtype=np.float32)
    fill_normals(np.uint64(key), first, out)
    return out.astype(float)


def of_halves(low: int, high: int) -> int:
    return (high % ALL_WORDS) << 32 | low % ALL_WORDS


# Keys


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


def test_halves_of_a_key():
    for key in (0, 2**64 - 1, 0x123456789ABCDEF0):
        assert (int(high_half(np.uint64(key))) << 32) + int(low_half(np.uint64(key))) == key


# Numbers of 53 bits. Each p-value below 1e-4 fails: at a fixed seed the chance to have drawn one is 1e-4 per case.


def test_uniforms_lie_above_zero_and_reach_at_most_one():
    values = uniforms(1)
    assert values.min() > 0
    assert values.max() <= 1
    # The extremes of 10^5 draws, each missed with chance e^-20.
    assert values.min() < 2e-4
    assert values.max() > 1 - 2e-4


@pytest.mark.parametrize("key", [0, *KEYS])
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


# Words of 32 bits

MILLION = 1_000_000
DRAWS = {"of a key": words, "over keys": words_over_keys}


def test_a_word_is_a_hash_of_its_counter_and_both_halves_of_the_key():
    def hashed(low: int, high: int, counter: int) -> int:
        value = (counter * 0x9E3779B9 + low) % ALL_WORDS ^ high
        value = (value ^ value >> 16) * 0x21F0AAAD % ALL_WORDS ^ high
        value = (value ^ value >> 15) * 0x735A2D97 % ALL_WORDS
        return value ^ value >> 15

    for key, counter in product([0, 2**64 - 1, *KEYS], [0, 1, 77, 2**31, 2**32 - 1]):
        low, high = key % ALL_WORDS, key >> 32
        assert word(np.uint32(low), np.uint32(high), counter) == hashed(low, high, counter)


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("key", KEYS)
def test_words_are_uniform_in_their_high_low_and_middle_bits(key, draw):
    # 3 p-values in each of 8 cases, each above 1e-4: chance of a failure 2e-3.
    drawn = DRAWS[draw](key, MILLION)
    for shift in (22, 11, 0):
        counts = np.bincount((drawn >> np.uint32(shift)) & np.uint32(1023), minlength=1024)
        assert stats.chisquare(counts).pvalue > 1e-4, shift


@pytest.mark.parametrize("draw", DRAWS)
def test_each_bit_of_a_word_is_set_half_the_time_and_apart_from_the_others(draw):
    drawn = DRAWS[draw](KEYS[2], MILLION)
    bits = np.array([(drawn >> np.uint32(bit)) & np.uint32(1) for bit in range(32)], dtype=np.float32)
    # 32 shares within 4.5 sigma, 496 correlations within 5: chance of a failure 5e-4.
    assert np.abs(bits.mean(axis=1) - 0.5).max() < 4.5 * 0.5 / math.sqrt(MILLION)
    assert np.abs(np.corrcoef(bits)[np.triu_indices(32, 1)]).max() < 5 / math.sqrt(MILLION)


# Neighbours, the members of a pair and of a block, slots of a line in a tile of 100 or 512 lines.
@pytest.mark.parametrize("lag", [1, 2, 3, 16, 31, 32, 100, 512, 2**16])
def test_words_some_counters_apart_are_independent(lag):
    # 2 p-values above 1e-4, 2 correlations within 4.5 sigma; 9 cases: chance of a failure 2e-3.
    drawn = words(KEYS[3], MILLION)
    one, other = drawn[:-lag], drawn[lag:]
    for shift in (27, 0):
        fives = (drawn >> np.uint32(shift)) & np.uint32(31)
        pairs = np.bincount(fives[:-lag] * np.uint32(32) + fives[lag:], minlength=1024)
        assert stats.chisquare(pairs).pvalue > 1e-4
    for a, b in ((one, other), (one.astype(float) ** 2, other.astype(float) ** 2)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4.5 / math.sqrt(MILLION)


def test_no_word_of_a_key_comes_twice():
    # The hash of a key is a permutation of its counters.
    assert np.unique(words(KEYS[2], MILLION)).size == MILLION


def flips(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how often each of 32 bits differs."""
    return np.array([np.mean(((one ^ other) >> np.uint32(bit)) & np.uint32(1)) for bit in range(32)])


@pytest.mark.parametrize("bit", range(32))
def test_one_bit_of_the_counter_or_of_the_key_changes_half_of_the_word(bit):
    # Each of 32 bits with a chance of 0.49 to 0.51, but for 5 sigma; 96 x 32 shares: chance of a failure 1e-3 at most.
    key, counters = KEYS[2], np.random.Generator(np.random.PCG64(bit)).integers(0, 2**32, COUNT, dtype=np.uint32)
    drawn = np.empty((4, COUNT), dtype=np.uint32)
    draw_words_at(np.uint64(key), counters, drawn[0])
    draw_words_at(np.uint64(key), counters ^ np.uint32(1 << bit), drawn[1])
    draw_words_at(np.uint64(key ^ (1 << bit)), counters, drawn[2])
    draw_words_at(np.uint64(key ^ (1 << (32 + bit))), counters, drawn[3])
    for other in drawn[1:]:
        assert np.abs(flips(drawn[0], other) - 0.5).max() < 0.01 + 5 * 0.5 / math.sqrt(COUNT)


@pytest.mark.parametrize("number", range(20))
def test_upper_halves_that_differ_at_random_change_half_of_the_word(number):
    # 32 shares in 20 cases within 5 sigma: chance of a failure 4e-4.
    low, high, other = (int(make_key(number, half, 9)) % ALL_WORDS for half in range(3))
    drawn = [words(of_halves(low, upper)) for upper in (high, other)]
    assert np.abs(flips(*drawn) - 0.5).max() < 5 * 0.5 / math.sqrt(COUNT)


@pytest.mark.parametrize("shift", [1, 5, -3, 10**6])
def test_keys_with_one_upper_half_walk_through_one_sequence(shift):
    low, high = 0x12345678, 0x9ABCDEF0
    shifted = of_halves(low + shift * int(GOLDEN_32), high)
    np.testing.assert_array_equal(words(shifted, 1000, 10**7), words(of_halves(low, high), 1000, 10**7 + shift))


def test_upper_halves_of_keys_coincide_as_rarely_as_by_chance():
    # 4.7 pairs of 2 x 10^5 upper halves are equal in the mean; more than 20 with chance 1e-7.
    addresses = product(range(4), range(50), range(1000))
    halves = [int(make_key(*address)) >> 32 for address in addresses]
    assert len(halves) - len(set(halves)) <= 20


LOW, HIGH = 0x12345678, 0x9ABCDEF0
NEIGHBOURS = {
    "seed": (int(make_key(0, 0, 0)), int(make_key(1, 0, 0))),
    "stream": (int(make_key(0, 0, 0)), int(make_key(0, 1, 0))),
    "step": (int(make_key(0, 0, 0)), int(make_key(0, 0, 1))),
    "sub-stream": (int(subkey(np.uint64(7), 0)), int(subkey(np.uint64(7), 1))),
    "far sub-stream": (int(subkey(np.uint64(7), 0)), int(subkey(np.uint64(7), 1 << 40))),
    "lower half, next": (of_halves(LOW, HIGH), of_halves(LOW + 1, HIGH)),
    "lower half, top bit": (of_halves(LOW, HIGH), of_halves(LOW + 2**31, HIGH)),
    "upper half, next": (of_halves(LOW, HIGH), of_halves(LOW, HIGH + 1)),
    "upper half, top bit": (of_halves(LOW, HIGH), of_halves(LOW, HIGH + 2**31)),
    "both halves, next": (of_halves(LOW, HIGH), of_halves(LOW + 1, HIGH + 1)),
    "both halves, top bit": (of_halves(LOW, HIGH), of_halves(LOW + 2**31, HIGH + 2**31)),
    "halves exchanged": (of_halves(LOW, HIGH), of_halves(HIGH, LOW)),
    "shifted, other upper half": (of_halves(LOW, HIGH), of_halves(LOW + int(GOLDEN_32), HIGH + 1)),
    "shifted back, other upper half": (of_halves(LOW, HIGH), of_halves(LOW - 7 * int(GOLDEN_32), ~HIGH)),
}


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_streams_of_neighbouring_keys_do_not_meet(name):
    # 2.3 equal words in the mean among 10^5 and 10^5 different ones; more than 15 with chance 1e-8.
    one, other = (words(key) for key in NEIGHBOURS[name])
    assert np.intersect1d(one, other).size <= 15
    # Nowhere a run of equal words, whatever the shift.
    for lag in range(-20, 21):
        assert np.sum(one[20:-20] == other[20 + lag : COUNT - 20 + lag]) <= 1, lag


# Events


@pytest.mark.parametrize("key", KEYS[2:])
@pytest.mark.parametrize("probability", [1e-6, 1e-5, 1e-3, 0.03, 0.3, 0.5, 0.8, 0.999, 1 - 1e-5])
def test_events_happen_as_often_as_asked(probability, key):
    # A p-value below 1e-4 in one of 18 cases: chance 2e-3.
    count = 10_000_000
    happened = count_events(np.uint64(key), threshold(probability), count)
    assert stats.binomtest(happened, count, probability).pvalue > 1e-4


@pytest.mark.parametrize("probability", [1.0, 1.5, np.inf])
def test_a_probability_of_one_or_more_is_certain(probability):
    assert count_events(np.uint64(11), threshold(probability), 10_000_000) == 10_000_000


def test_a_probability_of_zero_never_happens_and_the_smallest_word_is_no_exception():
    assert count_events(np.uint64(11), threshold(0.0), 10_000_000) == 0
    # The word of key 0 and counter 0 is 0: the first to happen, and only at a probability above 0.
    assert word(np.uint32(0), np.uint32(0), 0) == 0
    assert not fires(np.uint32(0), np.uint32(0), 0, threshold(0.0))
    assert fires(np.uint32(0), np.uint32(0), 0, threshold(2.0**-31))


def test_events_of_neighbouring_keys_and_counters_are_uncorrelated():
    # 11 pairs of streams, 5 lags, 3 probabilities, each within 5 sigma: chance of a failure 1e-4.
    for name in NEIGHBOURS:
        if name.startswith("both halves"):
            continue  # there is a key or two among 2^64 whose difference from a given one cancels in the hash
        drawn = [words(key) >> np.uint32(1) for key in NEIGHBOURS[name]]
        for probability in (0.01, 0.3, 0.9):
            a, b = (stream <= threshold(probability) for stream in drawn)
            for lag in range(-2, 3):
                assert abs(np.corrcoef(a, np.roll(b, lag))[0, 1]) < 5 / math.sqrt(COUNT)


# Normal numbers


def test_numbers_in_bulk_are_those_drawn_singly():
    for count in (0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 1000):
        for first in (0, 32, 96, 2**20, 2**31 - 32, 2**31, 2**32 - 1024):
            singly = np.empty(count, dtype=np.float32)
            draw_normals_singly(np.uint64(KEYS[2]), first, singly)
            np.testing.assert_array_equal(normals(KEYS[2], count, first), singly)


def test_a_block_of_numbers_does_not_depend_on_where_the_others_begin():
    whole = normals(KEYS[3], 10 * BLOCK)
    for first in range(0, 10 * BLOCK, BLOCK):
        np.testing.assert_array_equal(normals(KEYS[3], 10 * BLOCK - first, first), whole[first:])


# Words of the whole range: steps of an odd number, and both ends.
RANGES = {
    "all": np.arange(0, ALL_WORDS, 4099, dtype=np.int64),
    "smallest": np.arange(0, MILLION),
    "largest": np.arange(ALL_WORDS - MILLION, ALL_WORDS),
}


@pytest.mark.parametrize("name", RANGES)
def test_radius_and_direction_are_those_of_box_and_muller(name):
    chosen = RANGES[name]
    found = np.empty((4, chosen.size), dtype=np.float32)
    polar(chosen.astype(np.uint32), found)
    radius, angle, cosine, sine = found.astype(float)
    squares = -2 * np.log((chosen + 0.5) / ALL_WORDS)
    # Twice the error of the logarithm, and the rounding of float32.
    np.testing.assert_allclose(radius**2, squares, rtol=5e-7, atol=2.4e-6)
    assert radius.max() < 6.8
    assert np.abs(angle).max() <= 1
    np.testing.assert_allclose(cosine, np.cos(np.pi * angle), atol=2.5e-6)
    np.testing.assert_allclose(sine, np.sin(np.pi * angle), atol=2.5e-6)


@pytest.mark.parametrize("count", [2**14, 2**18, 2**22])
def test_directions_are_spread_evenly_also_where_the_radius_is_large(count):
    # No draw but every word: those of the largest radii cover the angles more evenly than chance would.
    found = np.empty((4, count), dtype=np.float32)
    polar(np.arange(count, dtype=np.uint32), found)
    # Sixteen rings of equal chance, 64 directions.
    cells = np.arange(count) // (count // 16) * 64 + ((found[1] + 1) * 32).astype(int).clip(0, 63)
    counts, expected = np.bincount(cells, minlength=1024), count / 1024
    assert np.sum((counts - expected) ** 2) / expected < 1024
    assert stats.kstest((found[1].astype(float) + 1) / 2, "uniform").pvalue > 0.05


def test_tails_of_all_words_together_are_those_of_the_normal_distribution():
    # Every word below 2^23 counted once, so no chance: beyond 3.6 sigma there are no others.
    found = np.empty((4, 2**23), dtype=np.float32)
    polar(np.arange(2**23, dtype=np.uint32), found)
    for values in (found[0] * found[2], found[0] * found[3]):
        for edge in (3.6, 4.0, 4.5, 5.0, 5.5, 6.0):
            expected = ALL_WORDS * stats.norm.sf(edge)
            for count in (np.sum(values > edge), np.sum(values < -edge)):
                assert abs(count - expected) < 0.6 * math.sqrt(expected), edge


@pytest.fixture(scope="module")
def many():
    """Return sums of powers, counts in bins and numbers beyond 4 sigma of 2 x 10^8 numbers of four keys."""
    sums, histogram, far, kept = np.zeros(6), np.zeros(2048, dtype=np.int64), np.empty(40_000), 0
    for key in KEYS:
        kept += tally(np.uint64(key), 3052, sums, histogram, far[kept:])
    return sums, histogram, far[:kept]


def test_moments_to_the_sixth(many):
    sums, histogram, _ = many
    count = histogram.sum()
    assert count > 1.99e8
    # Variances of the powers of a normal number; 4 sigma each, chance of a failure 4e-4.
    moments = [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (5, 0, 945), (6, 15, 10170)]
    for power, expected, variance in moments:
        assert abs(sums[power - 1] / count - expected) < 4 * math.sqrt(variance / count), power


def test_counts_in_narrow_bins_are_those_of_the_normal_distribution(many):
    # Chance of a failure 1e-4.
    _, histogram, _ = many
    expected = histogram.sum() * np.diff(stats.norm.cdf(np.arange(-1024, 1025) / 128))
    clear = expected >= 20
    counts = np.append(histogram[clear], histogram[~clear].sum())
    chances = np.append(expected[clear], expected[~clear].sum())
    assert clear.sum() > 1100
    assert stats.chisquare(counts, chances, sum_check=False).pvalue > 1e-4


@pytest.mark.parametrize("edge", [3.0, 4.0, 4.5, 5.0, 5.5])
@pytest.mark.parametrize("side", [1, -1])
def test_as_many_numbers_as_there_should_be_are_beyond(edge, side, many):
    # A p-value below 1e-4 in one of ten cases: chance 1e-3.
    _, histogram, far = many
    if edge < 4:
        found = histogram[1024 + int(edge * 128) :].sum() if side > 0 else histogram[: 1024 - int(edge * 128)].sum()
    else:
        found = np.sum(side * far > edge)
    expected = histogram.sum() * stats.norm.sf(edge)
    assert stats.poisson.cdf(found, expected) > 5e-5
    assert stats.poisson.sf(found - 1, expected) > 5e-5


@pytest.mark.parametrize("side", [1, -1])
def test_numbers_beyond_four_sigma_fall_off_as_they_should(side, many):
    beyond = many[2][side * many[2] > 0] * side
    assert beyond.size > 6000
    assert stats.kstest(stats.norm.sf(beyond) / stats.norm.sf(4), "uniform").pvalue > 1e-4


@pytest.mark.parametrize("key", KEYS)
def test_normal_numbers_pass_the_test_of_kolmogorov(key):
    assert stats.kstest(normals(key, 200_000), stats.norm.cdf).pvalue > 1e-4


def cells_of(values: np.ndarray) -> np.ndarray:
    """Return in which of 16 parts of equal chance each number is."""
    return np.searchsorted(stats.norm.ppf(np.arange(1, 16) / 16), values)


# The other member of a pair, neighbours, rows of a tile with 100 or 512 columns.
@pytest.mark.parametrize("lag", [1, 2, PAIRS - 1, PAIRS, PAIRS + 1, BLOCK, 100, 512])
def test_normal_numbers_some_counters_apart_are_independent(lag):
    # 3 correlations within 4.5 sigma and a p-value above 1e-4 in 8 cases: chance of a failure 1e-3.
    values = normals(KEYS[2], MILLION)
    if lag == PAIRS:
        one, other = (part.ravel() for part in np.split(values[: MILLION // BLOCK * BLOCK].reshape(-1, 2, PAIRS), 2, 1))
    else:
        one, other = values[:-lag], values[lag:]
    for a, b in ((one, other), (one**2, other**2), (np.abs(one) > 2, np.abs(other) > 2)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4.5 / math.sqrt(one.size)
    table = np.bincount(cells_of(one) * 16 + cells_of(other), minlength=256).reshape(16, 16)
    assert stats.chi2_contingency(table).pvalue > 1e-4


def test_the_members_of_a_pair_are_independent_in_their_tails():
    # Both beyond 2: 518 of 10^6 pairs in each corner, within 4.5 sigma; chance of a failure 3e-5.
    pairs = normals(KEYS[3], 2 * MILLION).reshape(-1, 2, PAIRS)
    one, other = pairs[:, 0].ravel(), pairs[:, 1].ravel()
    expected = one.size * stats.norm.sf(2) ** 2
    for a in (one, -one):
        for b in (other, -other):
            assert abs(np.sum((a > 2) & (b > 2)) - expected) < 4.5 * math.sqrt(expected)


@pytest.mark.parametrize("name", ["seed", "stream", "step", "sub-stream", "far sub-stream"])
def test_normal_numbers_of_neighbouring_keys_are_independent(name):
    # 10 correlations within 4.5 sigma and 2 p-values above 1e-4 in 5 cases: chance of a failure 1.5e-3.
    one, other = (normals(key, 4 * COUNT) for key in NEIGHBOURS[name])
    for lag in (-PAIRS, -1, 0, 1, PAIRS):
        for a, b in ((one, np.roll(other, lag)), (one**2, np.roll(other, lag) ** 2)):
            assert abs(np.corrcoef(a, b)[0, 1]) < 4.5 / math.sqrt(one.size)
    for lag in (0, PAIRS):
        table = np.bincount(cells_of(one) * 16 + cells_of(np.roll(other, lag)), minlength=256).reshape(16, 16)
        assert stats.chi2_contingency(table).pvalue > 1e-4


def test_normal_numbers_over_rows_and_columns_are_independent():
    # A row of a tile has a key of its own: cells below each other share the counter. 4.5 sigma, chance 2e-5 in all.
    rows = np.array([normals(int(subkey(np.uint64(KEYS[3]), row)), 1000) for row in range(1000)])
    for a, b in ((rows[1:], rows[:-1]), (rows[:, 1:], rows[:, :-1]), (rows[1:, 1:], rows[:-1, :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4.5 / math.sqrt(a.size)
    assert stats.kstest(rows.mean(axis=0) * math.sqrt(1000), stats.norm.cdf).pvalue > 1e-4
    assert stats.kstest(rows.mean(axis=1) * math.sqrt(1000), stats.norm.cdf).pvalue > 1e-4
