"""The digital matrix of mixed precision: whole granularities leave it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.kernels.digital import take_multiples
from tests.oracles import transfer_rules as oracle


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
