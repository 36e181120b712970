"""The configurations that no other beats in both accuracy and cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosim.pareto import undominated


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
    front[finite] = undominated(np.column_stack([costs[finite], -accuracies[finite]]))
    return front
