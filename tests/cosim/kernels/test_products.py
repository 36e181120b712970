"""Outer products that leave zeros out, against the dense product in double precision."""

import numpy as np
import pytest

from cosim.kernels.products import BLOCK, TOGETHER, subtract_outer_products


def draws(seed, *shape):
    return np.random.Generator(np.random.PCG64(seed)).normal(size=shape).astype(np.float32)


def sparse(seed, share, *shape):
    """Return errors of which about a share is not zero."""
    chosen = np.random.Generator(np.random.PCG64(seed + 100)).random(shape) < share
    return np.where(chosen, draws(seed, *shape), np.float32(0))


@pytest.mark.parametrize("share", [0.0, 0.03, 0.25, 1.0])
@pytest.mark.parametrize("count", [0, 1, TOGETHER, BLOCK - 1, BLOCK, 2 * BLOCK + TOGETHER + 1])
@pytest.mark.parametrize(("outputs", "inputs"), [(1, 1), (3, 400), (5, 33)])
def test_it_is_the_dense_product(outputs, inputs, count, share):
    weights, rate = draws(1, outputs, inputs), np.float32(0.3)
    vectors, errors = draws(2, count, inputs), sparse(3, share, count, outputs)
    expected = weights.astype(float) - 0.3 * (errors.T.astype(float) @ vectors)
    subtract_outer_products(weights, vectors, errors, rate)
    np.testing.assert_allclose(weights, expected, atol=1e-5)


def test_what_has_no_error_is_left_out():
    vectors, errors = draws(4, BLOCK + 3, 20), sparse(5, 0.2, BLOCK + 3, 6)
    weights, errors[:, 4] = draws(6, 6, 20), 0
    idle = ~errors.any(axis=1)
    assert idle.any()
    vectors[idle] = np.nan
    before = weights.copy()
    subtract_outer_products(weights, vectors, errors, np.float32(1.0))
    assert np.isfinite(weights).all()
    np.testing.assert_array_equal(weights[4], before[4])
    assert np.count_nonzero((weights != before).all(axis=1)) == 5


def test_inputs_and_errors_stay_as_they_are():
    vectors, errors, weights = draws(7, 40, 12), sparse(8, 0.5, 40, 3), draws(9, 3, 12)
    kept = vectors.copy(), errors.copy()
    subtract_outer_products(weights, vectors, errors, np.float32(0.1))
    np.testing.assert_array_equal(vectors, kept[0])
    np.testing.assert_array_equal(errors, kept[1])
