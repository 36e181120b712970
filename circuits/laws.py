"""Laws through simulated points: fitted on some, judged on the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Numbers = Mapping[str, float]
ERROR_MAX = 0.05


class LawError(ValueError):
    """A law that cannot be fitted: too few points, or none held out."""


@dataclass(frozen=True)
class Law:
    """How a quantity depends on conditions.

    Parameters
    ----------
    quantity
        Name in the table.
    formula
        As people read it, for example ``a + b n + c 2^n``.
    variables
        Conditions it depends on, for example ``bits``.
    start
        Coefficient to a first guess, whose size also scales the search; never 0.
    evaluate
        Conditions and coefficients to the value.
    held_out
        Whether the fit must not see a point with these conditions.
    """

    quantity: str
    formula: str
    variables: tuple[str, ...]
    start: Mapping[str, float]
    evaluate: Callable[[Numbers, Numbers], float]
    held_out: Callable[[Numbers], bool]


@dataclass(frozen=True)
class FittedLaw:
    """A law with its coefficients and what is known of its error.

    Parameters
    ----------
    law
        The law.
    coefficients
        Name to value.
    ranges
        Variable to the lowest and highest value among the points; a law holds between them.
    fitted_points, held_out_points
        How many points were used, and how many judged it.
    worst_fit_error, worst_held_out_error
        Largest relative errors.
    """

    law: Law
    coefficients: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    fitted_points: int
    held_out_points: int
    worst_fit_error: float
    worst_held_out_error: float

    @property
    def is_accurate(self) -> bool:
        """Whether it meets the points that it did not see within 5 %; else the table interpolates."""
        return self.worst_held_out_error <= ERROR_MAX

    def covers(self, conditions: Mapping[str, float]) -> bool:
        """Say whether all variables are given and within the range of the points."""
        return all(name in conditions and low <= conditions[name] <= high for name, (low, high) in self.ranges.items())

    def __call__(self, conditions: Numbers) -> float:
        """Return the value under conditions."""
        return self.law.evaluate(conditions, self.coefficients)


def fit_law(law: Law, points: Sequence[tuple[Numbers, float]]) -> FittedLaw:
    """Fit a law to (conditions, value) pairs by relative least squares, without those that it holds out.

    Raises
    ------
    LawError
        If fewer points remain than coefficients, none is held out, or a value is not above 0.
    """
    if any(not value > 0 for _, value in points):
        raise LawError(f"law {law.quantity} = {law.formula}: relative errors need values above 0")
    seen = [(conditions, value) for conditions, value in points if not law.held_out(conditions)]
    unseen = [(conditions, value) for conditions, value in points if law.held_out(conditions)]
    if len(seen) < len(law.start) or not unseen:
        raise LawError(
            f"law {law.quantity} = {law.formula}: {len(seen)} points for {len(law.start)} coefficients, and "
            f"{len(unseen)} held out; at least {len(law.start)} and 1 are needed"
        )
    from scipy.optimize import least_squares  # a second of start-up that only characterisation needs

    names = list(law.start)
    scale = np.array([law.start[name] for name in names])

    def errors(shares: np.ndarray, pairs: Sequence[tuple[Numbers, float]]) -> np.ndarray:
        coefficients = dict(zip(names, shares * scale, strict=True))
        return np.array([law.evaluate(conditions, coefficients) / value - 1 for conditions, value in pairs])

    found = least_squares(errors, np.ones(len(names)), args=(seen,), xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=5000)
    ranges = {
        name: (
            min(float(conditions[name]) for conditions, _ in points),
            max(float(conditions[name]) for conditions, _ in points),
        )
        for name in law.variables
    }
    return FittedLaw(
        law=law,
        coefficients={name: float(value) for name, value in zip(names, found.x * scale, strict=True)},
        ranges=ranges,
        fitted_points=len(seen),
        held_out_points=len(unseen),
        worst_fit_error=_worst(errors(found.x, seen)),
        worst_held_out_error=_worst(errors(found.x, unseen)),
    )


def _worst(errors: np.ndarray) -> float:
    worst = float(np.abs(errors).max())
    return worst if math.isfinite(worst) else math.inf
