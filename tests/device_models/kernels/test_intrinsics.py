"""Single instructions: what they return for chosen bits."""

import numpy as np
import pytest
from numba import njit

from device_models.kernels import intrinsics


@njit
def bits_and_back(value):
    bits = intrinsics.float_bits(value)
    return bits, intrinsics.bits_float(bits)


@njit
def counted(word):
    return intrinsics.count_bits(word)


@njit
def fused(factor, other, added):
    return intrinsics.fused(factor, other, added)


@njit
def chosen(condition, one, other):
    return intrinsics.choose(condition, one, other)


@pytest.mark.parametrize("word", [0, 1, 2**30, 2**31, 2**32 - 1, 0b1011])
def test_set_bits_are_counted(word):
    assert counted(np.uint32(word)) == word.bit_count()


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, -2.5, 1e-45, 3.4e38, np.inf, -np.inf])
def test_bits_of_a_number_and_back(value):
    number = np.float32(value)
    bits, back = bits_and_back(number)
    assert bits == number.view(np.int32)
    assert np.float32(back).tobytes() == number.tobytes()


def test_a_fused_product_is_rounded_once():
    # (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24, whose last part float32 would lose.
    factor = np.float32(1 + 2.0**-12)
    assert fused(factor, factor, np.float32(-1 - 2.0**-11)) == 2.0**-24


def test_fused_products_of_many_numbers():
    draw = np.random.Generator(np.random.PCG64(1))
    for factor, other, added in draw.normal(size=(1000, 3)).astype(np.float32):
        exact = float(factor) * float(other) + float(added)
        assert fused(factor, other, added) == np.float32(exact)


@pytest.mark.parametrize("make", [float, np.float32])
def test_one_of_two_numbers_is_chosen(make):
    assert chosen(True, make(2.5), make(np.nan)) == 2.5
    assert chosen(False, make(np.inf), make(-1.5)) == -1.5
