"""The configurations that no other beats in both accuracy and cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(cost: ArrayLike, accuracy: ArrayLike) -> NDArray[np.bool_]:
    """Mark the points on the Pareto front: cost as low, accuracy as high as possible.

    Parameters
    ----------
    cost, accuracy : array_like, shape (n,)
        Values in any unit; a point with a value that is not finite is never on the front.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
        True where no other point is at least as good in both and better in one. Equal points are all kept.
    """
    costs, accuracies = np.asarray(cost, dtype=float), np.asarray(accuracy, dtype=float)
    if costs.shape != accuracies.shape or costs.ndim != 1:
        raise ValueError(f"cost {costs.shape} and accuracy {accuracies.shape} need the same length in one dimension")
    finite = np.isfinite(costs) & np.isfinite(accuracies)
    front = np.zeros(costs.shape, dtype=bool)
    front[finite] = _undominated(costs[finite], accuracies[finite])
    return front


def _undominated(cost: NDArray[np.float64], accuracy: NDArray[np.float64]) -> NDArray[np.bool_]:
    order = np.lexsort((-accuracy, cost))
    ascending = accuracy[order]
    best_before = np.concatenate(([-np.inf], np.maximum.accumulate(ascending)[:-1]))
    kept = ascending > best_before
    equal = np.zeros_like(kept)
    equal[1:] = (cost[order][1:] == cost[order][:-1]) & (ascending[1:] == ascending[:-1])
    for place in np.flatnonzero(equal):
        kept[place] = kept[place - 1]
    front = np.empty_like(kept)
    front[order] = kept
    return front
