"""Outer products on a digital matrix: each of the ways that they are computed against double precision."""

import numpy as np
import pytest

from cosim.digital_matrix import DigitalMatrix


def draws(seed, *shape):
    return np.random.Generator(np.random.PCG64(seed)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("share", [0.1, 1.0])
@pytest.mark.parametrize(("vectors", "inputs"), [(40, 9), (5, 70), (40, 70)])
def test_outer_products_are_subtracted(vectors, inputs, share):
    matrix, weights, values = DigitalMatrix((6, inputs)), draws(1, 6, inputs), draws(2, vectors, inputs)
    matrix.set_weights(weights)
    chosen = np.random.Generator(np.random.PCG64(4)).random((vectors, 6)) < share
    errors = np.where(chosen, draws(3, vectors, 6), np.float32(0))
    matrix.add_outer_products(values, errors, 0.3)
    expected = weights.astype(float) - 0.3 * (errors.T.astype(float) @ values)
    np.testing.assert_allclose(matrix.weights, expected, atol=1e-5)
