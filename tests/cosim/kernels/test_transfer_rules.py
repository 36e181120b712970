"""The digital side of transfers: the buffer of Tiki-Taka v2 and the matrix of mixed precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.kernels.update import take_multiples, threshold_columns
from tests.oracles import transfer_rules as oracle


@pytest.mark.parametrize(("rate", "threshold", "momentum"), [(1.0, 0.2, 0.1), (0.05, 0.01, 0.0), (0.3, 1.0, 1.0)])
def test_buffer_follows_the_rule_of_tiki_taka_v2(rate, threshold, momentum):
    draw = np.random.Generator(np.random.PCG64(1))
    buffer = draw.normal(scale=threshold / 2, size=(4, 6)).astype(np.float32)
    expected = buffer.astype(np.float64)
    columns = np.array([4, 5, 0, 4, 1])
    for _ in range(10):
        values = draw.normal(size=(5, 4)).astype(np.float32)
        counts = np.full((5, 4), np.nan, dtype=np.float32)
        threshold_columns(buffer, columns, values, rate, threshold, momentum, counts)
        for read, column in enumerate(columns):
            for row in range(4):
                level, number = oracle.buffer_rule(
                    float(np.float32(expected[row, column])), float(values[read, row]), rate, threshold, momentum
                )
                expected[row, column] = level
                assert counts[read, row] == number
    np.testing.assert_allclose(buffer, expected, rtol=1e-5, atol=1e-7)


def test_buffer_pulses_exactly_at_the_threshold():
    buffer = np.array([[0.5], [-0.5], [0.49]], dtype=np.float32)
    counts = np.empty((1, 3), dtype=np.float32)
    threshold_columns(buffer, np.array([0]), np.zeros((1, 3), np.float32), 1.0, 0.5, 0.5, counts)
    np.testing.assert_array_equal(counts, [[1, -1, 0]])
    np.testing.assert_allclose(buffer[:, 0], [0.25, -0.25, 0.49], rtol=1e-6)


def test_columns_that_are_not_read_keep_their_content():
    buffer = np.arange(12, dtype=np.float32).reshape(3, 4)
    before = buffer.copy()
    counts = np.empty((1, 3), dtype=np.float32)
    threshold_columns(buffer, np.array([2]), np.ones((1, 3), np.float32), 0.5, 1e9, 0.1, counts)
    np.testing.assert_array_equal(buffer[:, [0, 1, 3]], before[:, [0, 1, 3]])
    np.testing.assert_array_equal(buffer[:, 2], before[:, 2] + 0.5)
    assert not counts.any()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    levels=st.lists(st.floats(-100, 100, width=32), min_size=6, max_size=6),
    granularity=st.floats(0.01, 10),
)
def test_whole_multiples_leave_the_matrix(levels, granularity):
    buffer = np.array(levels, dtype=np.float32).reshape(2, 3)
    before = buffer.astype(np.float64)
    counts = np.full((2, 3), np.nan, dtype=np.float32)
    busy = take_multiples(buffer, granularity, counts)
    assert busy == np.count_nonzero(counts.any(axis=1))
    for place, level in np.ndenumerate(before):
        rest, number = oracle.mixed_precision_rule(float(level), granularity)
        assert counts[place] == number
        assert buffer[place] == pytest.approx(rest, abs=1e-6 * max(1, abs(level)))
    assert np.all(np.abs(buffer) <= granularity * (1 + 1e-6))


def test_empty_matrices():
    for shape in ((0, 3), (3, 0), (0, 0)):
        matrix = np.empty(shape, dtype=np.float32)
        assert take_multiples(matrix, 0.1, np.empty_like(matrix)) == 0
    threshold_columns(
        np.empty((0, 3), np.float32), np.array([1]), np.empty((1, 0), np.float32), 1.0, 1.0, 0.1,
        np.empty((1, 0), np.float32),
    )  # fmt: skip
