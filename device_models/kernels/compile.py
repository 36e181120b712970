"""The only place that holds compiler flags, and the counter-based random numbers.

A random number is a function of a key and a counter; a key is a function of (seed, stream, step). Nothing is
stored between calls, so results do not depend on the order or the number of threads.
"""

from __future__ import annotations

import hashlib
import math
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numba.core import config as numba_config

# Numba sets its settings at import, where a type checker does not see them.
config: Any = numba_config
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
TWO_POW_53, TWO_POW_MINUS_53 = 2.0**53, 2.0**-53
TWO_POW_MINUS_52 = 2.0**-52
# Sixty-four rejections in a row have a probability below 1e-100.
REJECTIONS_MAX = 64
TAIL_EDGE = 3.6541528853610088
LAYER_AREA = 0.00492867323399
LAYERS = 256


def _ziggurat() -> tuple[np.ndarray, np.ndarray]:
    """Return right edges and heights of layers of equal area under exp(-x²/2), widest first."""
    edges, heights = np.zeros(LAYERS + 1), np.ones(LAYERS + 1)
    edges[1], heights[1] = TAIL_EDGE, math.exp(-0.5 * TAIL_EDGE**2)
    edges[0], heights[0] = LAYER_AREA / heights[1], heights[1]
    for layer in range(2, LAYERS):
        heights[layer] = heights[layer - 1] + LAYER_AREA / edges[layer - 1]
        edges[layer] = math.sqrt(-2.0 * math.log(heights[layer]))
    return edges, heights


EDGES, HEIGHTS = _ziggurat()


def scalar(function):
    """Compile a function of scalars that is called inside array kernels.

    Where it is called once per cross-point it takes no arrays: counting their references costs more than a pulse.
    """
    return _compile(function, forceinline=True)


def array(function):
    """Compile a loop over arrays."""
    return _compile(function)


def _compile(function, **options):
    """Compile, and keep the result in a folder that changes with the kernels' sources.

    Numba looks at the file of a function alone and would miss a change in a function that it has inlined.
    """
    kept = config.CACHE_DIR
    config.CACHE_DIR = _cache_folder(Path(function.__code__.co_filename).parent)
    try:
        return njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    finally:
        config.CACHE_DIR = kept


@cache
def _cache_folder(kernels):
    """Return where compiled kernels of a folder are kept; $NUMBA_CACHE_DIR moves it."""
    digest = hashlib.sha256(str(config.BOUNDSCHECK).encode())
    for folder in dict.fromkeys((Path(__file__).parent, kernels)):
        for source in sorted(folder.glob("*.py")):
            digest.update(source.name.encode() + source.read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cosim"
    return str(Path(os.environ.get("NUMBA_CACHE_DIR") or home) / f"kernels-{digest.hexdigest()[:16]}")


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
def bernoulli_threshold(probability):
    """Return a probability as `bernoulli` takes it, a whole number of 2^-53; probabilities above 1 count as 1."""
    return np.int64(min(probability, 1.0) * TWO_POW_53)


@scalar
def bernoulli(key, counter, threshold):
    """Return whether an event happens, that is `uniform` <= probability; see `bernoulli_threshold`."""
    return np.int64(subkey(key, counter) >> np.uint64(11)) < threshold


@scalar
def normal(key, counter):
    """Return a standard normal number: the ziggurat of Marsaglia and Tsang (2000), unbounded tail.

    Layer and place within it use different bits of one 64-bit number (Doornik 2005). One draw in a hundred is
    rejected and drawn again from a sub-key of its own bits, so the result depends on key and counter alone.
    """
    bits = subkey(key, counter)
    for attempt in range(REJECTIONS_MAX):
        layer = int(bits & np.uint64(255))
        place = float(np.int64(bits >> np.uint64(11))) * TWO_POW_MINUS_52 - 1.0
        value = place * EDGES[layer]
        if abs(value) < EDGES[layer + 1]:
            return value
        if layer == 0:
            return math.copysign(normal_tail(bits), place)
        height = HEIGHTS[layer] + uniform(bits, 0) * (HEIGHTS[layer + 1] - HEIGHTS[layer])
        if height < math.exp(-0.5 * value * value):
            return value
        bits = subkey(bits, attempt + 1)
    return 0.0


@scalar
def normal_tail(key):
    """Return a standard normal number above the last edge of the ziggurat (Marsaglia 1964)."""
    for attempt in range(REJECTIONS_MAX):
        beyond = -math.log(uniform(key, 2 * attempt + 1)) / TAIL_EDGE
        if -2.0 * math.log(uniform(key, 2 * attempt + 2)) > beyond * beyond:
            return TAIL_EDGE + beyond
    return TAIL_EDGE
