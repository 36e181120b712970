"""The only place that holds compiler flags, and the counter-based random numbers.

A random number is a function of a key and a counter; a key is a function of (seed, stream, step). Nothing is
stored between calls, so results do not depend on the order or the number of threads.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
TWO_POW_MINUS_53 = 2.0**-53
TWO_PI = 2.0 * math.pi


def scalar(function):
    """Compile a function of scalars that is called inside array kernels."""
    return njit(cache=True, nogil=True, error_model="numpy")(function)


def array(function):
    """Compile a loop over arrays."""
    return njit(cache=True, nogil=True, error_model="numpy")(function)


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
    return (float(subkey(key, counter) >> np.uint64(11)) + 1.0) * TWO_POW_MINUS_53


@scalar
def bernoulli(key, counter, probability):
    """Return whether an event of the given probability happens; probabilities above 1 count as 1."""
    return uniform(key, counter) <= probability


@scalar
def normal(key, counter):
    """Return a standard normal number (Box and Muller 1958); the tail reaches 8.5 sigma."""
    radius = math.sqrt(-2.0 * math.log(uniform(key, np.uint64(2) * np.uint64(counter))))
    return radius * math.cos(TWO_PI * uniform(key, np.uint64(2) * np.uint64(counter) + np.uint64(1)))
