import math

import numpy as np
import pytest

from cosim.reporting.pareto import pareto_front


def by_definition(cost, accuracy):
    """Every pair compared: the definition, slowly."""
    front = []
    for c, a in zip(cost, accuracy, strict=True):
        dominated = any(
            other_c <= c and other_a >= a and (other_c < c or other_a > a)
            for other_c, other_a in zip(cost, accuracy, strict=True)
        )
        front.append(bool(np.isfinite(c) and np.isfinite(a) and not dominated))
    return front


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("values", [4, 1000])  # few values: many ties
def test_agrees_with_the_definition(seed, values):
    rng = np.random.default_rng(seed)
    cost, accuracy = rng.integers(0, values, (2, 40)).astype(float)
    accuracy[rng.random(40) < 0.1] = math.nan
    cost[rng.random(40) < 0.1] = math.nan
    assert pareto_front(cost, accuracy).tolist() == by_definition(cost, accuracy)


def test_dearer_and_worse_is_off_the_front():
    assert pareto_front([1, 2, 3], [0.5, 0.4, 0.9]).tolist() == [True, False, True]


def test_equal_points_are_all_kept():
    assert pareto_front([1, 1, 1], [0.5, 0.5, 0.4]).tolist() == [True, True, False]


def test_no_points():
    assert pareto_front([], []).tolist() == []


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"cost \(2,\) and accuracy \(1,\) need the same length"):
        pareto_front([1, 2], [1])
