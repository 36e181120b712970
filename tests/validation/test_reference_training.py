"""A linear regression trained by the reference simulator and by us: seven algorithms, with and without variation.

Their runs were made with aihwkit 1.2.0, six seeds each, 16 x 16 weights, 30 epochs of 64 mini-batches. Both sides are
samples of the same distribution if the semantics agree, so differences are judged by a t-test, written as a standard
normal score. Their normal numbers come from a table that is off by up to 0.6 % of a standard deviation.
"""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from tests.oracles.reference_simulator import section
from tests.validation.regression import FINAL, SETTINGS, Curves, curves, final_scores, score

WITH_CURVES = (
    "AnalogSGD|variation|default_io",
    *(f"{name}|no_variation|perfect_io" for name in SETTINGS if not name.endswith("ConstantStep")),
)


@cache
def ours(case: str) -> Curves:
    return curves(case, 4 if case in WITH_CURVES else 2)


@pytest.mark.parametrize("case", FINAL)
def test_training_ends_where_theirs_ends(case):
    # 56 scores: one beyond 3.5 has a chance of 2.6 % in all.
    assert np.all(np.abs(final_scores(case, ours(case))) < 3.5), final_scores(case, ours(case))


def test_all_ends_together_are_as_close_as_two_samples_of_one_simulator():
    for scores in zip(*(final_scores(case, ours(case)) for case in FINAL), strict=True):
        assert len(scores) == 28
        assert np.square(scores).sum() < stats.chi2.isf(1e-3, len(scores))
        assert abs(np.mean(scores)) < 3.3 / np.sqrt(len(scores))


def curve_scores(case: str) -> np.ndarray:
    """Return the scores of both curves, (2, epochs)."""
    reference = section("end_to_end", "cases", case)
    return np.array(
        [
            # given to seven decimals
            score(values, np.array(reference[f"{name}_mean"]), np.array(reference[f"{name}_std"]), 1e-7)
            for name, values in (("loss", ours(case).loss), ("werr", ours(case).weight_error))
        ]
    )


def test_no_curve_is_left_out():
    assert set(section("end_to_end", "cases")) == set(WITH_CURVES)


@pytest.mark.parametrize("case", WITH_CURVES)
def test_every_epoch_on_the_way_agrees(case):
    # Neighbouring epochs are correlated: the mean of 30 scores has a standard deviation of about 0.4, not 0.18.
    scores = curve_scores(case)
    assert np.all(np.abs(scores.mean(axis=1)) < 1.6), scores.mean(axis=1)
    assert np.abs(scores).max() < 4.5


def test_epochs_beyond_three_sigma_are_as_rare_as_expected():
    # 1.0 of 360 to 480 scores is expected; 6 leave room for their correlation.
    scores = np.array([curve_scores(case) for case in WITH_CURVES])
    assert np.count_nonzero(np.abs(scores) > 3) <= 6


def test_mixed_precision_in_our_order_learns_sooner_and_ends_the_same():
    # They write after the first sample of the next mini-batch, so each forward pass sees weights one write older.
    case = "MixedPrecision|no_variation|perfect_io"
    prompt, late = curves(case, 2, late_write=False), ours(case)
    assert prompt.loss[:, 0].max() < late.loss[:, 0].min()
    loss, spread, _, _ = FINAL[case]
    assert abs(score(prompt.loss[:, -1], loss, spread, 5e-6)) < 3.5
