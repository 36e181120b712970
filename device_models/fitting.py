"""A measured pulse response becomes a device: parameters with their uncertainty, and how well they describe it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import tomli_w
from scipy.stats import chi2

from device_models.families import FAMILIES
from device_models.measurement import FitError, PulseTrain, read_measurement
from device_models.names import unknown_name
from device_models.parameters import DeviceError, FloatArray, PulsedDevice
from device_models.quantity import OWN_MEASUREMENT
from device_models.step_regression import Estimate, StepCurve, log_likelihood, regress

__all__ = ["Fit", "FitError", "fit_device"]

BoolArray = npt.NDArray[np.bool_]
Values = dict[str, Any]

# Families whose steps end at a bound of their own, which can therefore be fitted.
WITH_BOUNDS = (
    *("soft_bounds", "soft_bounds_reference", "generic_linear"),
    *("power_response", "exponential_response", "power_step"),
)
TABLES = {"piecewise_step": ("piecewise_up", "piecewise_down"), "measured_table": ("up_mean", "down_mean")}
SPREADS = ("up_std", "down_std")
# Spreads over devices that a record has, the value that spreads, and whether the spread is relative to it.
SPREAD_FIELDS = {
    "dw_min_dtod": ("gain", True),
    "up_down_dtod": ("tilt", False),
    "w_max_dtod": ("w_max", True),
    "w_min_dtod": ("w_min", True),
    "gamma_up_dtod": ("gamma_up", False),
    "gamma_down_dtod": ("gamma_down", False),
    "pow_gamma_dtod": ("pow_gamma", True),
    "pow_up_down_dtod": ("pow_tilt", False),
}
PULSES_PER_NODE, PULSES_PER_BIN, NODES_LEAST, NODES_MOST = 25, 10, 3, 21
FEWEST_PULSES = 8  # in each direction
DRAWS = 4000
R_SQUARED_LEAST = 0.5
UNLIKELY = 1e-3
NO_RESPONSE = 1e-4
NOISE_GAIN = 5.0  # log-likelihood by which the other kind of noise must be better
WIDE_BOUND = 0.5  # of the range


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A device fitted to a measurement.

    Parameters
    ----------
    device
        The nominal device with its spreads.
    parameters
        Columns parameter, value, low_95, high_95, unit, spread: every fitted number with its 95 % interval and the
        standard deviation over the devices, without the error of estimation (nan for one device).
    residuals
        One row per pulse: device, pulse (from 1), up, conductance (smoothed, before the pulse), measured (after),
        trajectory (fitted, starting anew at each reversal), step, fitted_step, noise (standard deviation of one step),
        noise_read (the same with the noise of both readings), used; in the unit of the conductance.
    unit
        Of the conductance, ``"S"`` or ``"1"``.
    conductance_zero, conductance_per_weight
        The mapping: conductance = conductance_zero + conductance_per_weight × weight.
    warnings
        What a person should know before using the device.
    """

    device: PulsedDevice
    parameters: pd.DataFrame
    residuals: pd.DataFrame
    unit: str
    conductance_zero: float
    conductance_per_weight: float
    warnings: tuple[str, ...]

    def preset_toml(self, source: str) -> str:
        """Return the device as the text of a preset that `load_device` reads.

        Parameters
        ----------
        source
            Name of the file that was measured.
        """
        rows = self.parameters.set_index("parameter")
        values = {}
        for name in dict.fromkeys(name.partition("[")[0] for name in rows.index):
            if name in {field.name for field in fields(self.device)}:
                value = getattr(self.device, name)
                numbers = list(value) if isinstance(value, tuple) else float(value)
                values[name] = {"value": numbers, "note": _interval_note(rows, name)}
        if hasattr(self.device, "mult_noise"):
            values["mult_noise"] = {"value": float(self.device.mult_noise), "note": "the likelier kind of noise"}
        if self.device.family == "exponential_step":
            values["a"] = {"value": self.device.a, "note": "fixed; γ takes it up"}  # type: ignore[attr-defined]
            values["b"] = {"value": self.device.b, "note": "fixed; A takes it up"}  # type: ignore[attr-defined]
        unit = " S" if self.unit == "S" else ""
        summary = (
            f"{self.device.family} fitted to {source}; conductance = {self.conductance_zero:.6g}{unit} +"
            f" {self.conductance_per_weight:.6g}{unit} × weight"
        )
        common = {"unit": "1", "kind": "fitted", "source": OWN_MEASUREMENT + source}
        table = {"schema": 1, "family": self.device.family, "summary": summary, "provenance": common, "values": values}
        return tomli_w.dumps(table)


def _interval_note(rows: pd.DataFrame, name: str) -> str:
    if name not in rows.index:
        return "one value per node from w_min to w_max; 95 % intervals in parameters.csv"
    low, high = float(rows.loc[name, "low_95"]), float(rows.loc[name, "high_95"])  # type: ignore[arg-type]
    if np.isnan(low):
        return "unknown: one device was measured"
    return "by definition of the mapping" if low == high else f"95 % interval {low:.5g} to {high:.5g}"


def fit_device(
    measurement: pd.DataFrame | Mapping[str, Any], family: str, *, w_min: float = -1.0, w_max: float = 1.0
) -> Fit:
    """Fit a response family to a measured pulse response.

    The steps are fitted by weighted least squares, the noise of pulses and of readings by maximum likelihood, each
    device for itself; the device returned has their means and spreads. Weights are linear in the conductance: the
    mean lowest and highest conductance, fitted or, where the family has no bounds of its own, observed, become
    `w_min` and `w_max`.

    Parameters
    ----------
    measurement
        Columns as in `device_models.measurement.read_measurement`: a table, or a mapping of equally long arrays.
    family
        A key of `device_models.families.FAMILIES`.
    w_min, w_max
        Weights of the bounds, w_min < 0 < w_max.

    Raises
    ------
    FitError
        If the measurement is not one, shows no response, or the family does not describe it.
    """
    if family not in FAMILIES:
        raise FitError(f"family = {family!r} {unknown_name(family, FAMILIES)}")
    if not w_min < 0 < w_max:
        raise FitError(f"w_min = {w_min:g}, w_max = {w_max:g}: weights of the bounds must satisfy w_min < 0 < w_max")
    trains, unit = read_measurement(measurement)
    try:
        with np.errstate(all="ignore"):  # the search may try curves that overflow; it does not end there
            fitters, device, rows = _fitted(trains, family, (w_min, w_max), unit)
    except FitError:
        raise
    except (ValueError, np.linalg.LinAlgError) as error:
        raise FitError(f"the fit of {family} does not converge to a device: {error}") from None
    warnings = list(dict.fromkeys(warning for fitter in fitters for warning in fitter.warnings))
    if len(fitters) == 1:
        warnings.append("one device was measured: spreads over devices are unknown and left at 0")
    zero, scale = fitters[0].mapping
    return Fit(
        device=device,
        parameters=pd.DataFrame(rows),
        residuals=pd.concat([fitter.residuals() for fitter in fitters], ignore_index=True),
        unit=unit,
        conductance_zero=zero,
        conductance_per_weight=scale,
        warnings=tuple(warnings),
    )


def _fitted(
    trains: list[PulseTrain], family: str, weights: tuple[float, float], unit: str
) -> tuple[list[_Fitter], PulsedDevice, list[dict[str, Any]]]:
    fitters = [_Fitter(train, family, weights) for train in trains]
    for fitter in fitters:
        fitter.fit(None)
    if len(fitters) > 1:  # again, in weights that all devices share
        ends = np.mean([fitter.conductance_bounds for fitter in fitters], axis=0)
        kinds = [fitter.multiplicative for fitter in fitters]
        for fitter in fitters:
            fitter.multiplicative = max(set(kinds), key=kinds.count)  # one record, one kind of noise
            fitter.fit((float(ends[0]), float(ends[1])))
    return fitters, *_population(family, fitters, unit)


# One device.


class _Fitter:
    """Fits one device in its own scale, in which the readings go from -1 to 1."""

    def __init__(self, train: PulseTrain, family: str, weights: tuple[float, float]) -> None:
        self.name, self.family, self.weights = train.name, family, weights
        _check_train(train)
        readings = np.concatenate([train.before, train.after])
        self.centre, self.half = (readings.max() + readings.min()) / 2, (readings.max() - readings.min()) / 2
        before, after = (train.before - self.centre) / self.half, (train.after - self.centre) / self.half
        self.train = PulseTrain(train.name, before, after, train.up, train.follows)
        few = int(np.clip(min(train.up.sum(), (~train.up).sum()) // PULSES_PER_NODE, NODES_LEAST, 5))
        flat = regress(self.train, FLAT, rounds=6)
        _check_response(self.train, flat)
        self.first = regress(self.train, _table_curve(few, (-1.0, 1.0), signed=True), flat, rounds=4)
        self.extremes = self._observed(-1), self._observed(1)
        self.multiplicative = _default_noise(family)
        self.estimate = self.first
        self.curve: StepCurve | None = None
        self.frame: tuple[float, float] | None = None
        self.warnings: list[str] = []

    def _observed(self, sign: int) -> float:
        """Return the lowest (-1) or highest (1) state, averaged over readings that noise alone may tell apart."""
        states = sign * self.first.state
        return sign * float(states[states >= states.max() - 3 * self.first.read_noise].mean())

    def _nodes(self) -> int:
        """Return the most nodes with which nearly every bin has pulses of both directions."""
        places = (self.first.state - self.extremes[0]) / (self.extremes[1] - self.extremes[0])
        for nodes in range(NODES_MOST, NODES_LEAST, -1):
            bins = np.clip(np.rint(places * (nodes - 1)), 0, nodes - 1).astype(int)
            counts = np.concatenate(
                [np.bincount(bins[way], minlength=nodes) for way in (self.train.up, ~self.train.up)]
            )
            if np.mean(counts >= PULSES_PER_BIN) >= 0.9:
                return nodes
        return NODES_LEAST

    def fit(self, ends: tuple[float, float] | None) -> None:
        """Fit; `ends` are the conductances of w_min and w_max, the device's own bounds where not given."""
        self.warnings = []
        self.frame = (
            None if ends is None else ((ends[0] - self.centre) / self.half, (ends[1] - self.centre) / self.half)
        )
        if self.family == "measured_table":
            self.values, self.draws = self._table()
            return
        self.curve = self._curve()
        self.estimate = regress(self.train, self.curve, self.first)
        self._choose_noise()
        self._check_bounds()
        self._judge()
        self.values = self._values(self.estimate.theta) | {"sigma": self.estimate.sigma}
        self.draws = self._drawn_values() | {"sigma": self._drawn_sigma()}

    def _curve(self) -> StepCurve:
        if self.family in TABLES:
            return _table_curve(self._nodes(), self.extremes)
        steps = [abs(float(np.median(self.first.change[chosen]))) for chosen in (self.train.up, ~self.train.up)]
        unit = self._frame_of(*self.extremes)[1]
        logs = np.log(np.maximum(steps, 1e-4) / unit)
        return _family_curve(self.family, logs, self._values, self._frame_of, self.extremes, self.multiplicative)

    def _frame_of(self, lowest: Any, highest: Any) -> tuple[Any, Any]:
        """Return the state at weight 0 and the change of state per weight."""
        low, high = (lowest, highest) if self.frame is None else self.frame
        unit = (high - low) / (self.weights[1] - self.weights[0])
        return low - self.weights[0] * unit, unit

    def _values(self, theta: FloatArray) -> Values:
        """Return what theta stands for, in weights; theta (n,) or (n, draws)."""
        if self.family in TABLES:
            return self._table_values(theta, np.maximum(theta, 0.0))
        return _family_values(self.family, theta, self.extremes, self._frame_of)

    def _table_values(self, theta: FloatArray, nodes: FloatArray, spreads: FloatArray | None = None) -> Values:
        zero, unit = self._frame_of(*self.extremes)
        bounds = (np.asarray(self.extremes) - zero) / unit
        up, down = np.split(nodes / unit, 2)
        count, filled = len(up), np.ones(theta.shape[1:])
        place = float(np.clip(-bounds[0] / (bounds[1] - bounds[0]), 0, 1)) * (count - 1)
        left = min(int(place), count - 2)
        middle = [curve[left] * (left + 1 - place) + curve[left + 1] * (place - left) for curve in (up, down)]
        values = {
            "step_up": middle[0],
            "step_down": middle[1],
            "w_max": bounds[1] * filled,
            "w_min": bounds[0] * filled,
        }
        names = TABLES[self.family]
        values |= {names[0]: up, names[1]: down}
        if spreads is not None:
            values |= dict(zip(SPREADS, np.split(spreads / unit, 2), strict=True))
        return values

    def _choose_noise(self) -> None:
        """Fit again where the other kind of noise is clearly likelier and the record has a word for it."""
        if self.multiplicative is None or self.frame is not None:
            return
        curve, default = self.curve, self.multiplicative
        assert curve is not None
        self.multiplicative = not default
        other = self._curve()
        here = log_likelihood(self.train, curve, self.estimate, curve.noise_scale)
        there = log_likelihood(self.train, curve, self.estimate, other.noise_scale)
        if there < here + NOISE_GAIN:
            self.multiplicative = default
            return
        self.curve, self.estimate = other, regress(self.train, other, self.first)

    def _drawn_values(self) -> Values:
        """Return draws of the values; observed bounds are known to a reading, and steps are relative to them."""
        draws = self._values(_drawn(self.estimate.theta, self.estimate.covariance))
        if self.frame is None and self.family not in WITH_BOUNDS:
            ends = np.asarray(self.extremes)[:, None] + self.first.read_noise * _normal(2, key=2)
            factor = (self.extremes[1] - self.extremes[0]) / np.maximum(ends[1] - ends[0], 0.1)
            for name in {"step_up", "step_down", *TABLES.get(self.family, ())}:
                draws[name] = draws[name] * factor
        return draws

    def _drawn_sigma(self) -> FloatArray:
        """Return draws whose 2.5 % and 97.5 % quantiles are the ends of the interval of the noise."""
        estimate, normal = self.estimate, _normal(1, key=1)[0]
        side = np.where(normal < 0, estimate.sigma - estimate.sigma_low, estimate.sigma_high - estimate.sigma)
        return np.asarray(np.maximum(estimate.sigma + normal / 1.96 * side, 0.0))

    def _check_bounds(self) -> None:
        """Refuse bounds that the data leave open, warn of those that they hardly fix."""
        if self.family not in WITH_BOUNDS:
            self._check_reached()
            return
        theta, errors = self.estimate.theta, np.sqrt(np.diag(self.estimate.covariance))
        for place, side, sign in ((2, "upper", 1), (3, "lower", -1)):
            if theta[place] - 1.96 * errors[place] < 0.02:
                raise FitError(
                    f"device {self.name!r}: the {side} bound of {self.family} was never approached: the steps hardly"
                    " fall toward it, so that it could be anywhere; measure until the conductance saturates, or take"
                    " --family linear_step, constant_step or measured_table, whose bounds are the observed extremes"
                )
            width = 1 / (theta[place] - 1.96 * errors[place]) - 1 / (theta[place] + 1.96 * errors[place])
            if width > 2 * WIDE_BOUND or 1 / theta[place] > 2.0:
                best = self.centre + sign * self.half / theta[place]
                self.warnings.append(
                    f"device {self.name!r}: the {side} bound {best:.4g} was not approached; its 95 % interval spans"
                    f" {50 * width:.0f} % of the observed range"
                )

    def _check_reached(self) -> None:
        """Warn where the device still moved at the extremes, which then only say how far it was driven."""
        states = self.estimate.state
        for side, chosen, end in (("highest", self.train.up, 1), ("lowest", ~self.train.up, 0)):
            near = chosen & (np.abs(states - self.extremes[end]) < 0.1)
            typical = np.mean(np.abs(self.first.change[chosen]))
            steps = np.where(self.train.up, 1, -1) * (self.train.after - self.train.before)
            if near.sum() < 3 or np.mean(steps[near]) > 0.5 * typical:
                self.warnings.append(
                    f"device {self.name!r}: the conductance still moved at its {side} value, which is taken as the"
                    " bound; the true one may lie beyond"
                )

    def _judge(self) -> None:
        """Refuse a curve that explains nothing, warn of one that misses the shape of the steps."""
        estimate = self.estimate
        found, none, bins = _binned(self.train, estimate)
        explained = 1 - found / none if none else 0.0
        if explained < R_SQUARED_LEAST:
            raise FitError(
                f"device {self.name!r}: {self.family} explains {100 * max(explained, 0):.0f} % of the mean steps (R²),"
                f" less than {100 * R_SQUARED_LEAST:.0f} %; take another family, measured_table describes any shape"
            )
        freedom = max(bins - estimate.theta.size, 1)
        if chi2.sf(found, freedom) < UNLIKELY:
            self.warnings.append(
                f"device {self.name!r}: reduced chi-square {found / freedom:.1f} of the mean steps over the state; 1 is"
                f" expected, so {self.family} misses their shape; compare with measured_table"
            )

    def _table(self) -> tuple[Values, Values]:
        """Bin the steps by state: mean and spread per bin and direction, and draws of both."""
        train, first, nodes = self.train, self.first, self._nodes()
        self._check_reached()
        noisy = first.read_noise**2 > 0.1 * np.mean(first.spread**2)
        states, read_variance = train.before, 0.0
        if noisy:  # the reading in front of the step is part of it; the one before that is not
            predicted = np.concatenate([[0.0], train.before[:-1] + first.change[:-1]])
            states, read_variance = np.where(train.follows, predicted, states), 2 * first.read_noise**2
        places = (states - self.extremes[0]) / (self.extremes[1] - self.extremes[0]) * (nodes - 1)
        bins = np.clip(np.rint(places), 0, nodes - 1).astype(int)
        means, variances, counts = np.zeros((3, 2 * nodes))
        for number in range(2 * nodes):
            chosen = (bins == number % nodes) & (train.up == (number < nodes))
            steps = (train.after - train.before)[chosen] * (1 if number < nodes else -1)
            counts[number] = steps.size
            means[number] = steps.mean() if steps.size else np.nan
            variances[number] = steps.var(ddof=1) if steps.size > 1 else np.nan
        self._fill(means, nodes, "means")
        self._fill(variances, nodes, "spreads")
        degrees = np.maximum(counts - 1, 1)[:, None]
        chance = np.random.Generator(np.random.Philox(key=[7, 3])).chisquare(degrees, (2 * nodes, DRAWS))
        drawn_variances = variances[:, None] * degrees / chance
        drawn_means = means[:, None] + np.sqrt(drawn_variances / np.maximum(counts, 1)[:, None]) * _normal(2 * nodes)
        spread = np.sqrt(np.maximum(variances - read_variance, 0.0))
        drawn_spread = np.sqrt(np.maximum(drawn_variances - read_variance, 0.0))
        values = self._table_values(means, np.maximum(means, 0.0), spread)
        draws = self._table_values(drawn_means, np.maximum(drawn_means, 0.0), drawn_spread)
        one = {"sigma": 1.0}
        self.curve = _table_curve(nodes, self.extremes)
        change, _ = self.curve.change(np.maximum(means, 0.0), first.state, train.up)
        self.table_step = change, spread[bins + np.where(train.up, 0, nodes)]
        return values | one, draws | {"sigma": np.ones(DRAWS)}

    def _fill(self, values: FloatArray, nodes: int, what: str) -> None:
        """Fill bins without pulses from their neighbours, in place."""
        for direction, part in (("up", values[:nodes]), ("down", values[nodes:])):
            known = np.isfinite(part)
            if known.sum() < 2:
                raise FitError(f"device {self.name!r}: {direction} pulses reach too few states for a table")
            if not known.all():
                self.warnings.append(
                    f"device {self.name!r}: {int((~known).sum())} of {nodes} {direction} {what} had no pulses and were"
                    " taken from their neighbours"
                )
                part[:] = np.interp(np.arange(nodes), np.flatnonzero(known), part[known])

    # What it means in conductances.

    @property
    def conductance_bounds(self) -> tuple[float, float]:
        """Lowest and highest conductance that the device reaches."""
        low, high = _bounds_of(self.family, self.estimate.theta, self.extremes)
        return self.centre + self.half * float(low), self.centre + self.half * float(high)

    @property
    def drawn_bounds(self) -> FloatArray:
        """Draws of the same, (2, draws)."""
        if self.family in WITH_BOUNDS:
            theta = _drawn(self.estimate.theta, self.estimate.covariance)
            return np.asarray(self.centre + self.half * np.array(_bounds_of(self.family, theta, self.extremes)))
        ends = np.asarray(self.extremes)[:, None] + self.first.read_noise * _normal(2, key=2)
        return np.asarray(self.centre + self.half * ends)

    @property
    def mapping(self) -> tuple[float, float]:
        """Conductance at weight 0, and conductance per weight."""
        zero, unit = self._frame_of(*_bounds_of(self.family, self.estimate.theta, self.extremes))
        return self.centre + self.half * float(zero), self.half * float(unit)

    @property
    def read_noise(self) -> float:
        """Standard deviation of one reading, in the unit of the conductance."""
        return float(self.half * self.estimate.read_noise)

    def residuals(self) -> pd.DataFrame:
        """Return what `Fit.residuals` holds, for this device."""
        train, estimate = self.train, self.estimate
        change, noise = (estimate.change, estimate.spread) if self.family != "measured_table" else self.table_step
        return pd.DataFrame(
            {
                "device": self.name,
                "pulse": np.arange(1, train.up.size + 1),
                "up": train.up,
                "conductance": self.centre + self.half * estimate.state,
                "measured": self.centre + self.half * train.after,
                "trajectory": self.centre + self.half * self._trajectory(),
                "step": self.half * (train.after - train.before),
                "fitted_step": self.half * change,
                "noise": self.half * noise,
                "noise_read": self.half * np.hypot(noise, np.sqrt(2) * estimate.read_noise),
                "used": estimate.used,
            }
        )

    def _trajectory(self) -> FloatArray:
        """Return the states after each pulse without noise, starting anew at each reversal."""
        train, curve = self.train, self.curve
        assert curve is not None
        theta = self.estimate.theta
        if self.family == "measured_table":
            _, unit = self._frame_of(*self.extremes)
            theta = np.concatenate([self.values[name] for name in TABLES[self.family]]) * unit
        grid = np.linspace(-1.2, 1.2, 2001)
        up, down = (curve.change(theta, grid, np.full(grid.size, way))[0] for way in (True, False))
        low, high = _bounds_of(self.family, theta, self.extremes)
        states = np.empty(train.up.size)
        for number, way in enumerate(train.up):
            if number == 0 or not train.follows[number] or way != train.up[number - 1]:
                state = self.estimate.state[number]
            state = min(max(state + float(np.interp(state, grid, up if way else down)), float(low)), float(high))
            states[number] = state
        return states


def _normal(rows: int, key: int = 0) -> FloatArray:
    return np.random.Generator(np.random.Philox(key=[7, key])).standard_normal((rows, DRAWS))


def _drawn(theta: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return (n, draws) values of theta that are as likely as the data leave them."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(theta[:, None] + root @ _normal(theta.size))


def _default_noise(family: str) -> bool | None:
    """Return whether the noise of a family is multiplicative; None where it cannot be anything else."""
    return {field.name: field.default for field in fields(FAMILIES[family])}.get("mult_noise")  # type: ignore[return-value]


def _check_train(train: PulseTrain) -> None:
    counts = {"up": int(train.up.sum()), "down": int((~train.up).sum())}
    for direction, count in counts.items():
        if count < FEWEST_PULSES:
            one = "only one direction was measured; " if count == 0 else ""
            raise FitError(
                f"device {train.name!r}: {one}{count} {direction} pulses; at least {FEWEST_PULSES} are needed in each"
                " direction"
            )
    if np.ptp(np.concatenate([train.before, train.after])) == 0:
        raise FitError(f"device {train.name!r} shows no response: the conductance is {train.before[0]:g} throughout")


def _check_response(train: PulseTrain, flat: Estimate) -> None:
    gained = float(np.sum(flat.whitened_null**2) - np.sum(flat.whitened**2))
    if chi2.sf(gained, flat.theta.size) > NO_RESPONSE:
        raise FitError(
            f"device {train.name!r} shows no response: the conductance does not change with pulses beyond its noise;"
            " leave a dead device out (device.corrupt_devices_prob says how many there are)"
        )
    rises, falls = flat.theta
    if rises < 0 and falls < 0:
        raise FitError(
            f"device {train.name!r}: up pulses lower the conductance and down pulses raise it; the directions look"
            " swapped"
        )
    if rises <= 0 or falls <= 0:
        wrong = "up pulses do not raise" if rises <= 0 else "down pulses do not lower"
        raise FitError(f"device {train.name!r}: {wrong} the conductance")


def _binned(train: PulseTrain, estimate: Estimate) -> tuple[float, float, int]:
    """Return the chi-square of the residuals averaged over bins of the state, that of no response, and the bins."""
    up, states = train.up[estimate.used], estimate.state[estimate.used]
    found = none = 0.0
    count = 0
    for chosen in (np.flatnonzero(up), np.flatnonzero(~up)):
        ordered = chosen[np.argsort(states[chosen], kind="stable")]
        for rows in np.array_split(ordered, int(np.clip(chosen.size // PULSES_PER_NODE, 4, NODES_MOST))):
            found += float(estimate.whitened[rows].sum()) ** 2 / rows.size
            none += float(estimate.whitened_null[rows].sum()) ** 2 / rows.size
            count += 1
    return found, none, count


# Curves: theta is log steps at weight 0 (up, down), inverse distances of the bounds where they are fitted, shape.

SHAPES: dict[str, tuple[list[list[float]], list[float], list[float]]] = {  # starts, lower and upper limits
    "linear_step": ([[0.3, 0.3]], [0.0, 0.0], [5.0, 5.0]),
    "power_response": ([[0.0], [1.0], [-0.5]], [-4.0], [3.5]),
    "exponential_response": ([[0.0], [1.2]], [-5.0], [3.0]),
    "power_step": ([[0.0, 0.0], [1.0, 1.0]], [-4.0, -4.0], [3.5, 3.5]),
    "exponential_step": (
        [
            [0.5, 2.0, 0.5, 2.0],
            [0.5, -2.0, 0.5, -2.0],
            [0.1, 6.0, 0.1, 6.0],
            [0.5, -2.0, 0.5, 2.0],
            [0.5, 2.0, 0.5, -2.0],
        ],
        [-20.0, -30.0, -20.0, -30.0],
        [20.0, 30.0, 20.0, 30.0],
    ),
}
FrameOf = Callable[[Any, Any], tuple[Any, Any]]


def _bounds_of(family: str, theta: FloatArray, extremes: tuple[float, float]) -> tuple[Any, Any]:
    """Return the lowest and highest state."""
    if family not in WITH_BOUNDS:
        return extremes
    return -1 / np.maximum(theta[3], 1e-3), 1 / np.maximum(theta[2], 1e-3)


def _family_values(family: str, theta: FloatArray, extremes: tuple[float, float], frame_of: FrameOf) -> Values:
    """Return the parameters of a device in weights, with the steps of both directions in place of dw_min, up_down."""
    bounds = _bounds_of(family, theta, extremes)
    zero, unit = frame_of(*bounds)
    one = np.ones(theta.shape[1:])
    w_min, w_max = (bounds[0] - zero) / unit * one, (bounds[1] - zero) / unit * one
    up, down = np.exp(np.minimum(theta[0], 50.0)), np.exp(np.minimum(theta[1], 50.0))
    shape = theta[4:] if family in WITH_BOUNDS else theta[2:]
    values: Values = {}
    match family:
        case "linear_step":
            values = {"gamma_up": np.maximum(shape[0], 0.0), "gamma_down": np.maximum(shape[1], 0.0)}
        case "power_response" | "exponential_response":
            values = {"gamma_r": np.exp(shape[0])}
        case "power_step":
            values = {"gamma_up": np.exp(shape[0]), "gamma_down": np.exp(shape[1])}
            up = up / (w_max / (w_max - w_min)) ** values["gamma_up"]
            down = down / (-w_min / (w_max - w_min)) ** values["gamma_down"]
        case "exponential_step":
            fall_up, steep_up, fall_down, steep_down = shape
            values = {"A_up": fall_up / (steep_up + fall_up), "A_down": fall_down / (steep_down + fall_down)}
            values |= {"gamma_up": steep_up, "gamma_down": steep_down}
            up, down = up * (1 + fall_up / steep_up), down * (1 + fall_down / steep_down)
    return values | {"step_up": up, "step_down": down, "w_max": w_max, "w_min": w_min}


def _split(up: Any, down: Any) -> tuple[Any, Any]:
    """Return the common value and the one-sided imbalance of two values."""
    return np.maximum(up, down), np.where(up >= down, 1 - down / up, up / down - 1)


def _record_values(family: str, values: Values) -> Values:
    """Return the fields of a record, from numbers or from draws of them."""
    up, down = values["step_up"], values["step_down"]
    fields_: Values = {name: values[name] for name in values if not name.startswith("step_") and name != "sigma"}
    if family in TABLES:
        fields_["dw_min"] = (up + down) / 2
        for name in (*TABLES[family], *SPREADS):
            if name in values:
                fields_[name] = values[name] / fields_["dw_min"]
    elif family == "generic_linear":
        fields_ |= {"dw_min": (up + down) / 2, "c_lin": (up - down) / (up + down)}
    else:
        fields_["dw_min"], fields_["up_down"] = _split(up, down)
    if family == "power_step":
        fields_["pow_gamma"], fields_["pow_up_down"] = _split(fields_.pop("gamma_up"), fields_.pop("gamma_down"))
    return fields_ | {"dw_min_std": values["sigma"]}


def _record(family: str, fields_: Values, **others: Any) -> PulsedDevice:
    plain: Values = {
        key: tuple(map(float, value)) if np.ndim(value) else float(value) for key, value in fields_.items()
    }
    fixed: Values = {"a": 1.0, "b": 0.0} if family == "exponential_step" else {}
    return FAMILIES[family](**plain, **fixed, **others)


def _family_curve(
    family: str,
    logs: FloatArray,
    values_of: Callable[[FloatArray], Values],
    frame_of: FrameOf,
    extremes: tuple[float, float],
    multiplicative: bool | None,
) -> StepCurve:
    """Return the curve of a family; its closed forms do the work."""

    def change(theta: FloatArray, states: FloatArray, up: BoolArray) -> tuple[FloatArray, FloatArray]:
        try:
            device = _record(family, _record_values(family, values_of(theta) | {"sigma": 0.0}))
        except (DeviceError, ZeroDivisionError):
            return np.full(states.shape, 1e3), np.zeros(states.shape)
        zero, unit = frame_of(*_bounds_of(family, theta, extremes))
        edge = 1e-6 * (device.w_max - device.w_min)
        weights = np.clip((states - zero) / unit, device.w_min + edge, device.w_max - edge)
        steps = device.dw_min * unit * np.where(up, device.q_up(weights), -device.q_down(weights))
        slopes = device.dw_min * np.where(up, device.slope_up(weights), -device.slope_down(weights))
        return np.asarray(steps), np.asarray(slopes)

    def noise_scale(theta: FloatArray, changes: FloatArray, up: BoolArray) -> FloatArray:
        if multiplicative is False:
            values, unit = values_of(theta), frame_of(*_bounds_of(family, theta, extremes))[1]
            return np.asarray(np.where(up, unit * values["step_up"], unit * values["step_down"]))
        return np.asarray(np.maximum(np.abs(changes), 1e-7))

    starts, low, high = SHAPES.get(family, ([[]], [], []))
    distances = [[0.9, 0.9], [0.4, 0.4]] if family in WITH_BOUNDS else [[]]
    limits = [[1e-3] * 2, [1.3] * 2] if family in WITH_BOUNDS else [[], []]
    return StepCurve(
        change=change,
        noise_scale=noise_scale,
        starts=[np.array([*logs, *distance, *shape]) for distance in distances for shape in starts],
        low=np.array([-25.0, -25.0, *limits[0], *low]),
        high=np.array([5.0, 5.0, *limits[1], *high]),
        bounds=lambda theta: _bounds_of(family, theta, extremes),
        read_noise_matters=family not in WITH_BOUNDS,
    )


def _table_curve(nodes: int, extremes: tuple[float, float], *, signed: bool = False) -> StepCurve:
    """Return the curve that is linear between nodes; theta is the steps at the nodes, up and then down.

    With `signed`, steps may go the wrong way and the noise is the same at all states.
    """
    places = np.linspace(*extremes, nodes)

    def change(theta: FloatArray, states: FloatArray, up: BoolArray) -> tuple[FloatArray, FloatArray]:
        piece = np.clip(np.searchsorted(places, states, side="right") - 1, 0, nodes - 2)
        inside = (states >= places[0]) & (states <= places[-1])
        rise, fall = theta[:nodes], -theta[nodes:]
        slopes = np.where(up, np.diff(rise)[piece], np.diff(fall)[piece]) / (places[1] - places[0])
        return np.where(up, np.interp(states, places, rise), np.interp(states, places, fall)), slopes * inside

    return StepCurve(
        change=change,
        noise_scale=lambda theta, changes, up: np.ones(up.shape) if signed else np.maximum(np.abs(changes), 1e-7),
        starts=[np.full(2 * nodes, 0.01)],
        low=np.full(2 * nodes, -np.inf if signed else 0.0),
        high=np.full(2 * nodes, np.inf),
        bounds=lambda theta: (-np.inf, np.inf) if signed else extremes,
        linear=True,
    )


# One step up and one down, the same at all states: what tells a response from noise.
FLAT = StepCurve(
    change=lambda theta, states, up: (np.where(up, theta[0], -theta[1]), np.zeros(up.shape)),
    noise_scale=lambda theta, changes, up: np.ones(up.shape),
    starts=[np.zeros(2)],
    low=np.full(2, -np.inf),
    high=np.full(2, np.inf),
    linear=True,
)


# Several devices.


def _population(family: str, fitters: list[_Fitter], unit: str) -> tuple[PulsedDevice, list[dict[str, Any]]]:
    """Return the nominal device with its spreads, and a row for every number."""
    single = len(fitters) == 1
    mean = {key: np.mean([fitter.values[key] for fitter in fitters], axis=0) for key in fitters[0].values}
    draws = dict(fitters[0].draws) if single else _drawn_means([fitter.values for fitter in fitters])
    if family == "linear_step":  # falls are relative to the mean bound there
        for fitter in fitters:
            for name, bound in (("gamma_up", "w_max"), ("gamma_down", "w_min")):
                for values in (fitter.values, fitter.draws):
                    values[name] = values[name] * mean[bound] / values[bound]
    for name, weight in zip(("w_min", "w_max"), fitters[0].weights, strict=True):
        mean[name], draws[name] = weight, np.full(DRAWS, weight)  # what the mapping says, without rounding
    nominal, drawn = _record_values(family, mean), _record_values(family, draws)
    spreads = _spreads(fitters, nominal, mean)
    own = [_record_values(family, fitter.values) for fitter in fitters]
    rows = []
    for name, value in nominal.items():
        for place in range(np.size(value)):
            label, number = (f"{name}[{place}]", value[place]) if np.ndim(value) else (name, value)
            sample = drawn[name][place] if np.ndim(value) else drawn[name]
            over = [np.atleast_1d(fields_[name])[place] for fields_ in own]
            rows.append(_row(label, float(number), sample, np.nan if single else float(np.std(over, ddof=1)), "1"))
    for name, (value, low, high) in spreads.items():
        rows.append({"parameter": name, "value": value, "low_95": low, "high_95": high, "unit": "1", "spread": np.nan})
    device = _record(
        family,
        nominal | {name: value for name, (value, _, _) in spreads.items()},
        **({} if fitters[0].multiplicative is None else {"mult_noise": fitters[0].multiplicative}),
    )
    return device, [*rows, *_conductance_rows(fitters, unit)]


def _drawn_means(values: list[Values]) -> Values:
    """Return draws of means over devices, by the spread over devices."""
    count = len(values)
    random = np.random.Generator(np.random.Philox(key=[7, 5]))
    weights = random.standard_normal((DRAWS, count)) * np.sqrt((count - 1) / random.chisquare(count - 1, (DRAWS, 1)))
    drawn = {}
    for key in values[0]:
        stack = np.stack([np.asarray(one[key]) for one in values])
        off = np.tensordot(weights, stack - stack.mean(axis=0), axes=1) / np.sqrt(count * (count - 1))
        drawn[key] = np.moveaxis(stack.mean(axis=0) + off, 0, -1)
    return drawn


def _spreads(fitters: list[_Fitter], nominal: Values, mean: Values) -> dict[str, tuple[float, float, float]]:
    """Return the spreads over devices that the record of the family has, without the error of estimation."""
    known = {field.name for field in fields(FAMILIES[fitters[0].family])}
    chosen = {name: about for name, about in SPREAD_FIELDS.items() if name in known}
    if len(fitters) == 1:
        return {name: (0.0, np.nan, np.nan) for name in chosen}
    found = {}
    for name, (quantity, relative) in chosen.items():
        values = np.array([_spreading(quantity, fitter.values, nominal) for fitter in fitters])
        errors = np.array([np.std(_spreading(quantity, fitter.draws, nominal)) for fitter in fitters])
        scale = abs(float(mean[quantity])) if relative and quantity in mean else 1.0
        found[name] = _corrected(values / scale, errors / scale)
    return found


def _spreading(quantity: str, values: Values, nominal: Values) -> Any:
    """Return what differs between devices; gains and tilts as `populate` draws them."""
    asymmetry = nominal.get("c_lin", 0.0)
    up, down = values["step_up"] / (1 + asymmetry), values["step_down"] / (1 - asymmetry)
    match quantity:
        case "gain":
            return (up + down) / 2 / nominal["dw_min"]
        case "tilt":
            return (up - down) / 2 / nominal["dw_min"]
        case "pow_gamma":
            return (values["gamma_up"] + values["gamma_down"]) / 2 / nominal["pow_gamma"]
        case "pow_tilt":
            return (values["gamma_up"] - values["gamma_down"]) / 2 / nominal["pow_gamma"]
    return values[quantity]


def _corrected(values: FloatArray, errors: FloatArray) -> tuple[float, float, float]:
    """Return the standard deviation without that of the errors, and its 95 % interval."""
    total, error, freedom = float(np.var(values, ddof=1)), float(np.mean(errors**2)), values.size - 1
    ends = total, freedom * total / chi2.ppf(0.975, freedom), freedom * total / chi2.ppf(0.025, freedom)
    value, low, high = (float(np.sqrt(max(end - error, 0.0))) for end in ends)
    return value, low, high


def _row(name: str, value: float, draws: FloatArray, spread: float, unit: str) -> dict[str, Any]:
    low, high = np.quantile(draws, [0.025, 0.975], method="nearest")  # an end may be infinite
    if high - low < 1e-12 * max(abs(value), 1e-300):
        low = high = value
    return {"parameter": name, "value": value, "low_95": low, "high_95": high, "unit": unit, "spread": spread}


def _conductance_rows(fitters: list[_Fitter], unit: str) -> list[dict[str, Any]]:
    """Return bounds, mapping and read noise, in the unit of the conductance."""
    single = len(fitters) == 1
    suffix = "_s" if unit == "S" else ""
    ends = np.array([fitter.conductance_bounds for fitter in fitters])
    drawn = (
        fitters[0].drawn_bounds
        if single
        else _drawn_means([{"ends": fitter.conductance_bounds} for fitter in fitters])["ends"]
    )
    zero, scale = fitters[0].mapping
    weights = fitters[0].weights
    scales = (drawn[1] - drawn[0]) / (weights[1] - weights[0])
    over = np.full(2, np.nan) if single else ends.std(axis=0, ddof=1)
    noises = np.array([fitter.read_noise for fitter in fitters])
    return [
        _row(f"conductance_min{suffix}", float(ends[:, 0].mean()), drawn[0], float(over[0]), unit),
        _row(f"conductance_max{suffix}", float(ends[:, 1].mean()), drawn[1], float(over[1]), unit),
        _row(f"conductance_at_weight_0{suffix}", zero, drawn[0] - weights[0] * scales, np.nan, unit),
        _row(f"conductance_per_weight{suffix}", scale, scales, np.nan, unit),
        {
            "parameter": f"read_noise{suffix}",
            "value": float(noises.mean()),
            "low_95": np.nan,
            "high_95": np.nan,
            "unit": unit,
            "spread": np.nan if single else float(noises.std(ddof=1)),
        },
    ]
