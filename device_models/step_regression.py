"""Least squares on the steps of a pulse train whose states were read with noise.

A reading is the state plus read noise, so that one reading enters two steps with opposite signs, and the state at
which a step happened is itself known with noise only. Both are in the covariance of the steps: with the state moving as
G' = G + f(G) + n and read as M = G + r, the residual M' - M - f(M) is n + r' - (1 + f'(M)) r. Its covariance is
tridiagonal; for linear f its likelihood is that of the readings. For other f the line is laid at the smoothed state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg.lapack import dpbtrf, dpbtrs, dtbtrs
from scipy.optimize import OptimizeResult, brentq, least_squares, lsq_linear, minimize, minimize_scalar

from device_models.measurement import FitError, PulseTrain

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

ROUNDS = 12
SMALLEST_VARIANCE = 1e-14  # of a state in a range of 2: what rounding leaves
CHI_SQUARE_HALF = 1.92  # by which the log-likelihood falls at the ends of a 95 % interval
CLIPPING = 2.5  # standard deviations: a pulse that may end at a bound this often says little about the step
LARGEST_SLOPE = 1.0  # of a step over the state; beyond, one pulse would jump over the bound


@dataclass(frozen=True, kw_only=True)
class StepCurve:
    """A family of curves: the mean change of one pulse at a state.

    Parameters
    ----------
    change
        (theta, states, up) to the mean signed change and its derivative, arrays of the shape of `states`.
    noise_scale
        (theta, changes, up) to what the cycle-to-cycle noise is relative to, > 0.
    starts
        Values of theta from which to search.
    low, high
        Limits of theta.
    bounds
        theta to the lowest and the highest state, at which changes are cut; infinite where nothing is cut.
    read_noise_matters
        Whether a reading beyond `bounds` may come from read noise alone.
    linear
        Whether changes are linear in theta.
    """

    change: Callable[[FloatArray, FloatArray, BoolArray], tuple[FloatArray, FloatArray]]
    noise_scale: Callable[[FloatArray, FloatArray, BoolArray], FloatArray]
    starts: Sequence[FloatArray]
    low: FloatArray
    high: FloatArray
    bounds: Callable[[FloatArray], tuple[float, float]] = lambda theta: (-np.inf, np.inf)
    read_noise_matters: bool = False
    linear: bool = False


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What fits best.

    Parameters
    ----------
    theta, covariance
        The curve, and the covariance of its estimate.
    sigma, sigma_low, sigma_high
        Cycle-to-cycle noise relative to its scale, and its 95 % interval.
    read_noise
        Standard deviation of one reading.
    log_likelihood
        Of the steps used.
    state, change, spread
        (pulses,): smoothed state before each pulse, mean change there, standard deviation of its noise.
    used
        (pulses,): whether a pulse counts, see `CLIPPING`.
    whitened
        (used pulses,): residuals that are independent and of variance 1 where the model holds.
    whitened_null
        (used pulses,): the same without any change.
    """

    theta: FloatArray
    covariance: FloatArray
    sigma: float
    sigma_low: float
    sigma_high: float
    read_noise: float
    log_likelihood: float
    state: FloatArray
    change: FloatArray
    spread: FloatArray
    used: BoolArray
    whitened: FloatArray
    whitened_null: FloatArray = field(repr=False)


@dataclass(frozen=True)
class _Covariance:
    """Covariance of the residuals of the used pulses: process noise on the diagonal, read noise on both sides."""

    train: PulseTrain
    used: BoolArray
    memory: FloatArray  # 1 + f': what is left of a deviation after one pulse
    variance: FloatArray  # of the process
    read_variance: float

    def factor(self) -> FloatArray:
        rows = np.flatnonzero(self.used)
        linked = self.train.follows[rows[1:]] & (np.diff(rows) == 1)
        banded = np.zeros((2, rows.size))
        banded[0] = self.variance[rows] + self.read_variance * (1 + self.memory[rows] ** 2) + SMALLEST_VARIANCE
        banded[1, :-1] = -self.read_variance * self.memory[rows[1:]] * linked
        factor, failed = dpbtrf(banded, lower=1)
        if failed:
            raise np.linalg.LinAlgError("the noise of the steps has no positive variance")
        return np.asarray(factor)

    def read_errors(self, residuals: FloatArray) -> FloatArray:
        """Return the expected error of the reading before each pulse."""
        solved = np.zeros(self.used.size)
        solved[self.used] = dpbtrs(self.factor(), residuals[self.used], lower=1)[0]
        earlier = np.where(self.train.follows, np.concatenate([[0.0], solved[:-1]]), 0.0)
        return self.read_variance * (earlier - self.memory * solved)


def _whiten(factor: FloatArray, residuals: FloatArray) -> FloatArray:
    return np.asarray(dtbtrs(factor, residuals, uplo="L")[0]).reshape(-1)


def regress(train: PulseTrain, curve: StepCurve, first: Estimate | None = None, *, rounds: int = ROUNDS) -> Estimate:
    """Fit a curve to the steps of a train, with the noise of the pulses and that of the readings.

    Least squares for the curve and maximum likelihood for the two noises take turns until the curve rests.

    Parameters
    ----------
    train
        Readings scaled to a range of about -1 to 1.
    curve
        What to fit.
    first
        An estimate with another curve; its noise and states are the start.
    rounds
        Most turns of curve and noise.

    Raises
    ------
    FitError
        If too few pulses are left to count, or the search ends nowhere.
    """
    steps = train.after - train.before
    state = train.before if first is None else first.state
    size = float(np.mean(steps**2)) or 1.0
    covariance = _Covariance(
        train,
        np.ones(steps.size, dtype=bool),
        np.ones(steps.size),
        np.full(steps.size, size) if first is None else first.spread**2,
        0.1 * size if first is None else first.read_noise**2,
    )
    theta, noise = np.array([]), np.log([0.5, max(covariance.read_variance, 1e-3 * size)])

    def residuals(theta: FloatArray) -> FloatArray:
        change, slope = _limited(curve, theta, state, train.up)
        return steps - change - slope * (train.before - state)

    for number in range(rounds):
        factor, used = covariance.factor(), covariance.used
        starts = [theta] if number else curve.starts
        searches = [_search(residuals, start, curve, factor, used) for start in starts]
        found = min(searches, key=lambda search: float(search.cost))
        moved = _moved(theta, found) if number else np.inf
        theta = np.asarray(found.x)
        change, slope = _limited(curve, theta, state, train.up)
        scale = curve.noise_scale(theta, change, train.up)
        likelihood = _Likelihood(train, used, 1 + slope, scale**2, residuals(theta))
        noise = likelihood.best(noise, step=0.3 if number else 1.0)
        variances = np.exp(noise)
        covariance = _Covariance(train, used, 1 + slope, variances[0] * scale**2, float(variances[1]))
        if moved < 0.02 and number > 2:
            break
        state = train.before - covariance.read_errors(residuals(theta))
        spread = np.sqrt(covariance.variance)
        margin = CLIPPING * (np.hypot(spread, np.sqrt(variances[1])) if curve.read_noise_matters else spread)
        lowest, highest = curve.bounds(theta)
        next_used = (state + change + margin <= highest) & (state + change - margin >= lowest)
        _refuse_few(train, next_used, theta.size)
        # a pulse on the edge would otherwise enter and leave for ever
        covariance = _Covariance(
            train, next_used if number < 4 else used & next_used, 1 + slope, covariance.variance, float(variances[1])
        )
    if moved > 1 and rounds == ROUNDS:
        raise FitError(
            f"device {train.name!r}: the fit does not converge: its parameters still move after {rounds} rounds"
        )
    freedom = max(int(used.sum()) - theta.size, 1)
    low, high = likelihood.interval(noise)
    correction = np.sqrt(used.sum() / freedom)
    factor = likelihood.covariance(noise).factor()
    return Estimate(
        theta=theta,
        covariance=_inverse(found.jac),
        sigma=float(np.sqrt(variances[0])) * correction,
        sigma_low=low * correction,
        sigma_high=high * correction,
        read_noise=float(np.sqrt(variances[1])),
        log_likelihood=-likelihood(noise),
        state=state,
        change=change,
        spread=np.sqrt(variances[0]) * scale,
        used=used,
        whitened=_whiten(factor, residuals(theta)[used]),
        whitened_null=_whiten(factor, steps[used]),
    )


def log_likelihood(
    train: PulseTrain,
    curve: StepCurve,
    estimate: Estimate,
    noise_scale: Callable[[FloatArray, FloatArray, BoolArray], FloatArray],
) -> float:
    """Return the log-likelihood of an estimate with another kind of noise, at its best strength."""
    change, slope = _limited(curve, estimate.theta, estimate.state, train.up)
    residuals = train.after - train.before - change - slope * (train.before - estimate.state)
    scale = noise_scale(estimate.theta, change, train.up)
    likelihood = _Likelihood(train, estimate.used, 1 + slope, scale**2, residuals)
    relative = float(np.mean(estimate.spread**2) / np.mean(scale**2))
    start = np.log([max(relative, 1e-12), max(estimate.read_noise**2, 1e-12)])
    return -likelihood(likelihood.best(start))


def _limited(curve: StepCurve, theta: FloatArray, state: FloatArray, up: BoolArray) -> tuple[FloatArray, FloatArray]:
    change, slope = curve.change(theta, state, up)
    return change, np.clip(slope, -LARGEST_SLOPE, LARGEST_SLOPE)


def _search(
    residuals: Callable[[FloatArray], FloatArray],
    start: FloatArray,
    curve: StepCurve,
    factor: FloatArray,
    used: BoolArray,
) -> Any:
    """Return the least squares of the whitened residuals: theta, cost and Jacobian as scipy names them."""
    if curve.linear:
        base, unit = residuals(np.zeros(start.size)), np.eye(start.size)
        design = np.stack([base - residuals(row) for row in unit], axis=1)[used]
        whitened = dtbtrs(factor, design, uplo="L")[0]
        found = lsq_linear(whitened, _whiten(factor, base[used]), bounds=(curve.low, curve.high))
        return OptimizeResult(x=found.x, cost=found.cost, jac=whitened)
    inside = np.clip(start, curve.low + 1e-9, curve.high - 1e-9)
    return least_squares(
        lambda theta: _whiten(factor, residuals(theta)[used]),
        inside,
        bounds=(curve.low, curve.high),
        x_scale=np.maximum(np.abs(inside), 0.05),
        xtol=1e-10,
        ftol=1e-10,
        gtol=None,
        max_nfev=200,
    )


def _inverse(jacobian: FloatArray) -> FloatArray:
    """Return the covariance that belongs to a Jacobian of whitened residuals."""
    return np.asarray(np.linalg.pinv(jacobian.T @ jacobian, rcond=1e-14, hermitian=True))


def _moved(theta: FloatArray, found: Any) -> float:
    """Return the largest change of theta, in standard errors."""
    errors = np.sqrt(np.diag(_inverse(found.jac))) + 1e-9 * (1 + np.abs(theta))
    return float(np.max(np.abs(found.x - theta) / errors))


def _refuse_few(train: PulseTrain, used: BoolArray, parameters: int) -> None:
    needed = parameters // 2 + 3
    for direction, chosen in (("up", train.up), ("down", ~train.up)):
        count = int((used & chosen).sum())
        if count < needed:
            raise FitError(
                f"device {train.name!r}: {count} of {int(chosen.sum())} {direction} pulses end clear of the bounds, and"
                f" {needed} are needed; measure smaller steps or more cycles, or take --family measured_table"
            )


@dataclass(frozen=True)
class _Likelihood:
    """Minus the log-likelihood of the residuals, over the logarithms of both variances."""

    train: PulseTrain
    used: BoolArray
    memory: FloatArray
    scale: FloatArray  # squared
    residuals: FloatArray

    def covariance(self, noise: FloatArray) -> _Covariance:
        process, read = np.exp(np.clip(noise, -70.0, 20.0))
        return _Covariance(self.train, self.used, self.memory, process * self.scale, float(read))

    def __call__(self, noise: FloatArray) -> float:
        try:
            factor = self.covariance(noise).factor()
        except np.linalg.LinAlgError:
            return 1e30
        return float(np.sum(np.log(factor[0])) + 0.5 * np.sum(_whiten(factor, self.residuals[self.used]) ** 2))

    def best(self, noise: FloatArray, step: float = 1.0) -> FloatArray:
        corners = noise + step * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, -1.0]])
        options = {"xatol": 2e-3, "fatol": 1e-4, "maxfev": 150, "initial_simplex": corners}
        found = minimize(self, noise, method="Nelder-Mead", options=options)
        return np.asarray(np.clip(found.x, -40.0, 20.0))

    def profile(self, process: float, read: float) -> float:
        bracket = (read - 6.0, read + 6.0)
        found = minimize_scalar(
            lambda other: self(np.array([process, other])), bounds=bracket, method="bounded", options={"xatol": 1e-2}
        )
        return float(found.fun)

    def interval(self, noise: FloatArray) -> tuple[float, float]:
        """Return the 95 % interval of the relative noise of pulses, by its profile likelihood."""
        process, read = float(noise[0]), float(noise[1])
        most = min(self(noise), self.profile(process, read)) + CHI_SQUARE_HALF
        ends = []
        for direction, furthest in ((-1, 30.0), (1, 45.0)):
            near, far = process, process + direction * 0.05
            while abs(far - process) < furthest and self.profile(far, read) < most:
                near, far = far, process + 2 * (far - process)
            if abs(far - process) >= furthest:
                ends.append(0.0 if direction < 0 else np.inf)
                continue
            end = brentq(lambda value: self.profile(value, read) - most, near, far, xtol=1e-2)
            ends.append(float(np.exp(end / 2)))
        return ends[0], ends[1]
