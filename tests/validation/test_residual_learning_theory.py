"""The error floor of multi-tile residual learning (Li et al., arXiv:2510.02516, section 4) on its scalar toy.

Lemma 1, the variance of pulse trains, is checked in tests/cosim/kernels/test_update.py. Longer versions of these runs
are a figure in reports/theory.
"""

from itertools import pairwise

import numpy as np
import pytest

from tests.validation.residual_runs import LITERAL, floor, long_loops

COPIES = 48


@pytest.fixture(scope="module")
def errors():
    # A high rate shortens what the coarsest tile needs to move over its range.
    setting = long_loops(0.2, rate=0.2, ratio=60)
    return [floor(setting, tiles, steps=steps, copies=COPIES) for tiles, steps in ((1, 4000), (2, 25_000), (3, 90_000))]


def test_every_further_tile_lowers_the_floor(errors):
    # Corollary 1. The same targets for every number of tiles: compared copy by copy.
    medians = [np.median(error) for error in errors]
    assert medians[0] == pytest.approx(1.2e-2, rel=0.15)  # of a separate simulation
    for coarse, fine in pairwise(medians):
        assert fine < 0.6 * coarse
    for coarse, fine in pairwise(errors):
        # A coin decides for 24 of 48 copies, with a standard deviation of 3.5.
        assert np.count_nonzero(fine < coarse) > COPIES / 2 + 3 * np.sqrt(COPIES) / 2


def test_more_tiles_are_worse_where_a_coarse_step_exceeds_the_finer_range():
    # The settings printed for the toy: a coarse step is 0.5, all finer tiles together reach over 0.11.
    assert LITERAL.dw_min / 2 > LITERAL.gamma / (1 - LITERAL.gamma)
    one, two, four = (np.median(floor(LITERAL, tiles, steps=12_000, copies=COPIES)) for tiles in (1, 2, 4))
    assert two > 2 * one
    assert four > 1.5 * two
