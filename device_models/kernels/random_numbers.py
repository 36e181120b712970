"""Counter-based random numbers: a number is a function of a key and a counter, a key of (seed, stream, step).

Nothing is stored between calls, so results do not depend on the order or the number of threads. Keys have 64 bits and
are made by SplitMix64. The numbers of a key come from a hash of 32 bits, which vector registers do many at a time; both
halves of the key enter it, the upper one twice: no two keys walk through the same sequence, and each bit of a key
changes half of a number.
"""

import math

import numpy as np

from device_models.kernels.compile import array, scalar
from device_models.kernels.intrinsics import bits_float, float_bits, fused

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
TWO_POW_MINUS_53 = 2.0**-53
# Thresholds of events: 31 bits, so that certainty is a number too.
CERTAIN = 2.0**31

# The 32-bit hash: two rounds of xor-shift and multiplication (constants of C. Wellons' search for low bias).
GOLDEN_32 = np.uint32(0x9E3779B9)
FIRST, SECOND, THIRD = np.uint32(0x21F0AAAD), np.uint32(0x735A2D97), np.uint32(0x31848BAB)
FIFTEEN, SIXTEEN = np.uint32(15), np.uint32(16)

# Normal numbers come in pairs; those of one block of 32 counters are 16 and 16, one of each pair.
PAIRS = 16
BLOCK = 2 * PAIRS

ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)
TWO_POW_MINUS_31, TWO_POW_MINUS_32 = np.float32(2.0**-31), np.float32(2.0**-32)
TWO_POW_MINUS_33 = np.float32(2.0**-33)
LOG_2 = np.float32(math.log(2))
EXPONENT, MANTISSA, BIAS = np.int32(23), np.int32(0x7FFFFF), np.int32(127)
BITS_OF_ONE = np.int32(0x3F800000)
# ln(1 + x) / x on [0, 1], and sin(pi y) / y in y^2 on [-1/2, 1/2]: least squares, errors 1.1e-6 and 1.6e-6.
L0, L1, L2, L3, L4, L5, L6 = (
    np.float32(value)
    for value in (1.0, -0.499902182, 0.331327886, -0.235740439, 0.150222299, -0.0670593261, 0.0142989425)
)
S0, S1, S2, S3 = (np.float32(value) for value in (3.14158474, -5.16724745, 2.54286864, -0.557139841))


@scalar
def mix(value):
    """Return a 64-bit integer that looks random: the SplitMix64 finaliser (Steele et al., OOPSLA 2014)."""
    value = np.uint64(value)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@scalar
def subkey(key, counter):
    """Return the key of a sub-stream: SplitMix64 output number `counter` of the sequence that starts at `key`."""
    return mix(np.uint64(key) + (np.uint64(counter) + np.uint64(1)) * GOLDEN)


@scalar
def make_key(seed, stream, step):
    """Return the key of (seed, stream, step), each a non-negative integer."""
    return subkey(subkey(subkey(np.uint64(0), seed), stream), step)


@scalar
def uniform(key, counter):
    """Return a double in (0, 1] with 53 random bits."""
    return (float(np.int64(subkey(key, counter) >> np.uint64(11))) + 1.0) * TWO_POW_MINUS_53


@scalar
def low_half(key):
    """Return the lower 32 bits of a key."""
    return np.uint32(np.uint64(key) & np.uint64(0xFFFFFFFF))


@scalar
def high_half(key):
    """Return the upper 32 bits of a key."""
    return np.uint32(np.uint64(key) >> np.uint64(32))


@scalar
def word(low, high, counter):
    """Return 32 random bits of a key, given as its halves, and a counter below 2^32."""
    # Every product is cut to 32 bits at once: the compiled language would go on in 64.
    value = np.uint32(np.uint32(np.uint32(np.uint32(counter) * GOLDEN_32) + low) ^ high)
    value = np.uint32(np.uint32(value ^ (value >> SIXTEEN)) * FIRST)
    value = np.uint32(value ^ high)
    value = np.uint32(np.uint32(value ^ (value >> FIFTEEN)) * SECOND)
    return np.uint32(value ^ (value >> FIFTEEN))


@scalar
def threshold(probability):
    """Return a probability as `fires` takes it, a whole number of 2^-31; probabilities above 1 count as 1."""
    return np.int32(min(probability, 1.0) * CERTAIN - 1.0)


@scalar
def fires(low, high, counter, limit):
    """Return whether an event of a probability happens; `limit` is its `threshold`."""
    return np.int32(word(low, high, counter) >> np.uint32(1)) <= limit


@scalar
def _radius(bits):
    """Return the length of a pair of normal numbers, sqrt(-2 ln u) with u = (bits + 1/2) / 2^32."""
    chance = float_bits(fused(np.float32(bits), TWO_POW_MINUS_32, TWO_POW_MINUS_33))
    power = np.float32((chance >> EXPONENT) - BIAS)
    part = bits_float((chance & MANTISSA) | BITS_OF_ONE) - ONE
    slope = fused(fused(fused(L6, part, L5), part, L4), part, L3)
    slope = fused(fused(fused(slope, part, L2), part, L1), part, L0)
    squared = np.float32(-2.0) * fused(part, slope, power * LOG_2)
    return np.float32(math.sqrt(max(squared, ZERO)))


@scalar
def _sine(half_turns):
    """Return sin(pi y) for -1/2 <= y <= 1/2."""
    square = half_turns * half_turns
    return half_turns * fused(square, fused(square, fused(square, S3, S2), S1), S0)


@scalar
def _angle(bits):
    """Return an angle in half turns, -1 to 1, from the bits that gave the radius."""
    bits = np.uint32(bits * THIRD)
    return np.float32(np.int32(bits ^ (bits >> FIFTEEN))) * TWO_POW_MINUS_31


@scalar
def _cosine_of(angle):
    return _sine(HALF - abs(angle))


@scalar
def _sine_of(angle):
    fold = HALF - abs(abs(angle) - HALF)
    return _sine(fold if angle > ZERO else -fold)


@scalar
def normal(key, counter):
    """Return a standard normal number, float32: one of a pair of Box and Muller (1958), up to 6.7 sigma.

    Parameters
    ----------
    key
        Address of the numbers.
    counter
        Below 2^32.
    """
    bits = word(low_half(key), high_half(key), (counter // BLOCK) * PAIRS + counter % PAIRS)
    radius, angle = _radius(bits), _angle(bits)
    return radius * (_sine_of(angle) if counter % BLOCK >= PAIRS else _cosine_of(angle))


@array
def fill_normals(key, first, numbers):
    """Set float32 `numbers` (n,) to `normal` of counters first, first + 1, ...; `first` is a multiple of `BLOCK`."""
    low, high = low_half(key), high_half(key)
    full = len(numbers) // BLOCK
    start = first // 2
    for block in range(full):
        base = block * BLOCK
        for place in range(PAIRS):
            bits = word(low, high, start + block * PAIRS + place)
            radius, angle = _radius(bits), _angle(bits)
            numbers[base + place] = radius * _cosine_of(angle)
            numbers[base + PAIRS + place] = radius * _sine_of(angle)
    for place in range(full * BLOCK, len(numbers)):
        numbers[place] = normal(key, first + place)
