"""What no other beats: the rows of a table of costs that are on the Pareto front."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def undominated(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the rows on the Pareto front.

    Parameters
    ----------
    costs : numpy.ndarray, shape (n, k)
        Finite; every column is better the lower it is.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
        True where no other row is at least as good in all columns and better in one. Equal rows are all kept.
    """
    distinct, inverse = np.unique(costs, axis=0, return_inverse=True)  # sorted: only earlier rows can beat one
    kept = np.ones(len(distinct), dtype=bool)
    left = np.arange(len(distinct))
    while len(left):
        beaten = (distinct[left] >= distinct[left[0]]).all(axis=1)
        beaten[0] = False
        kept[left[beaten]] = False
        left = left[1:][~beaten[1:]]
    front: NDArray[np.bool_] = kept[inverse.reshape(-1)]
    return front
