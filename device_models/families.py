"""The response families: how large a step is at each weight. One frozen record each.

q₊ and q₋ are written as in their source and hold for the nominal device; the compiled physics of the same name is
in `device_models.kernels`. x = w / bound is the weight as a fraction of the bound ahead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from device_models.parameters import (
    COMPLEX,
    MULTIPLICATIVE,
    DeviceError,
    FloatArray,
    PulsedDevice,
)


def _array(weight: npt.ArrayLike) -> FloatArray:
    return np.asarray(weight, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class ConstantStep(PulsedDevice):
    """Every pulse moves the weight by the same amount until a bound is met: q₊ = q₋ = 1.

    Noise is multiplicative: step (1 + dw_min_std ξ).
    """

    family: ClassVar[str] = "constant_step"

    def q_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return 1."""
        return np.full_like(_array(weight), self.up_scale)

    def q_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return 1."""
        return np.full_like(_array(weight), self.down_scale)

    def slope_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return 0."""
        return np.zeros_like(_array(weight))

    def slope_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return 0."""
        return np.zeros_like(_array(weight))


@dataclass(frozen=True, kw_only=True)
class LinearStep(PulsedDevice):
    """The step falls linearly with the weight: q₊ = 1 - gamma_up w/w_max, q₋ = 1 - gamma_down w/w_min.

    Parameters
    ----------
    gamma_up, gamma_down
        Fall of the step from weight 0 to the bound ahead, >= 0; 1 is soft bounds.
    gamma_up_dtod, gamma_down_dtod
        Their device-to-device spread, >= 0.
    mult_noise
        Whether cycle-to-cycle noise scales with the step at the weight, or with the step at weight 0.
    mean_bound_reference
        Whether the fall is measured on the mean bound, or on each device's own.

    References
    ----------
    Rasch et al., AICAS 2021.
    """

    family: ClassVar[str] = "linear_step"
    extra_parameters: ClassVar[tuple[str, ...]] = ("slope_up", "slope_down")

    gamma_up: float = 0.0
    gamma_down: float = 0.0
    gamma_up_dtod: float = 0.0
    gamma_down_dtod: float = 0.0
    mult_noise: bool = True
    mean_bound_reference: bool = True

    def check_family(self) -> None:
        """Refuse steps that grow with the weight."""
        for name in ("gamma_up", "gamma_down"):
            if getattr(self, name) < 0:
                raise DeviceError(f"device.{name} = {getattr(self, name)} is not allowed; it is at least 0")
        if self.w_min == 0 and self.gamma_down:
            raise DeviceError(f"device.gamma_down = {self.gamma_down} needs a bound w_min below 0")

    def q_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return 1 - gamma_up w / w_max."""
        return self.up_scale * (1 - self.gamma_up * _array(weight) / self.w_max)

    def q_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return 1 - gamma_down w / w_min."""
        return self.down_scale * (1 - (self.gamma_down / self.w_min if self.gamma_down else 0.0) * _array(weight))

    def slope_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return -gamma_up / w_max."""
        return np.full_like(_array(weight), -self.up_scale * self.gamma_up / self.w_max)

    def slope_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return -gamma_down / w_min."""
        slope = -self.down_scale * self.gamma_down / self.w_min if self.gamma_down else 0.0
        return np.full_like(_array(weight), slope)


@dataclass(frozen=True, kw_only=True)
class SoftBounds(PulsedDevice):
    """The step shrinks linearly to zero at the bound: q₊ = 1 - w/w_max, q₋ = 1 - w/w_min.

    Parameters
    ----------
    mult_noise
        Whether cycle-to-cycle noise scales with the step at the weight, or with the step at weight 0.

    References
    ----------
    Li et al., arXiv:2510.02516, Eq. 9; Wu et al., arXiv:2502.06309, Eq. 16.
    """

    family: ClassVar[str] = "soft_bounds"

    mult_noise: bool = True

    def check_family(self) -> None:
        """Refuse a bound at zero weight."""
        if self.w_min == 0:
            raise DeviceError("device.w_min = 0 is not allowed here: the down step would not be defined")

    def q_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return 1 - w / w_max."""
        return self.up_scale * (1 - _array(weight) / self.w_max)

    def q_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return 1 - w / w_min."""
        return self.down_scale * (1 - _array(weight) / self.w_min)

    def slope_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return -1 / w_max."""
        return np.full_like(_array(weight), -self.up_scale / self.w_max)

    def slope_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return -1 / w_min."""
        return np.full_like(_array(weight), -self.down_scale / self.w_min)


@dataclass(frozen=True, kw_only=True)
class SoftBoundsReference(SoftBounds):
    """Soft bounds beside a reference device: what is read is the device minus its reference.

    Any family takes a reference (see `PulsedDevice`); this one has the additive noise and the spread of slopes with
    which arrays of resistive memory have been described.

    Parameters
    ----------
    slope_up_dtod, slope_down_dtod
        Device-to-device spread of the slopes, >= 0: a bound becomes bound / (1 + spread ξ).

    References
    ----------
    Rasch et al., AICAS 2021; Gong et al., IEDM 2022.
    """

    family: ClassVar[str] = "soft_bounds_reference"

    mult_noise: bool = False
    slope_up_dtod: float = 0.0
    slope_down_dtod: float = 0.0


@dataclass(frozen=True, kw_only=True)
class GenericLinear(SoftBounds):
    """Soft bounds with a symmetric point at c_lin τ: q₊ = (1 + c)(1 - w/w_max), q₋ = (1 - c)(1 - w/w_min).

    Other than `up_down`, which lowers one direction alone. Noise is additive, dw_min dw_min_std ξ (Eq. 26).

    Parameters
    ----------
    c_lin
        Asymmetry, in (-1, 1).

    References
    ----------
    Wu et al., arXiv:2502.06309, section 1.1.
    """

    family: ClassVar[str] = "generic_linear"

    mult_noise: bool = False
    c_lin: float = 0.0

    def check_family(self) -> None:
        """Refuse an asymmetry with which one direction vanishes."""
        super().check_family()
        if not -1 < self.c_lin < 1:
            raise DeviceError(
                f"device.c_lin = {self.c_lin} is outside (-1, 1): the symmetric point c_lin w_max would leave the range"
            )

    @property
    def up_scale(self) -> float:
        """Nominal factor of up steps, 1 + c_lin."""
        return super().up_scale * (1 + self.c_lin)

    @property
    def down_scale(self) -> float:
        """Nominal factor of down steps, 1 - c_lin."""
        return super().down_scale * (1 - self.c_lin)


@dataclass(frozen=True, kw_only=True)
class PowerResponse(PulsedDevice):
    """The papers' power response: q₊ = (1 - w/w_max)^γ, q₋ = (1 - w/w_min)^γ; γ = 1 is soft bounds.

    Its steps at weight 0 are dw_min, other than those of `PowerStep`. Noise is additive, dw_min dw_min_std ξ.

    Parameters
    ----------
    gamma_r
        Exponent, > 0.

    References
    ----------
    Wu et al., arXiv:2502.06309, Eq. 148.
    """

    family: ClassVar[str] = "power_response"

    gamma_r: float = 1.0
    mult_noise: bool = False

    def check_family(self) -> None:
        """Refuse an exponent that is not positive."""
        _check_exponent(self.gamma_r, self.w_min)

    def q_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return (1 - w / w_max)^γ."""
        return self.up_scale * np.maximum(1 - _array(weight) / self.w_max, 0.0) ** self.gamma_r

    def q_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return (1 - w / w_min)^γ."""
        return self.down_scale * np.maximum(1 - _array(weight) / self.w_min, 0.0) ** self.gamma_r

    def slope_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return -γ / w_max (1 - w / w_max)^(γ-1)."""
        left = 1 - _array(weight) / self.w_max
        return -self.up_scale * self.gamma_r / self.w_max * left ** (self.gamma_r - 1)

    def slope_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return -γ / w_min (1 - w / w_min)^(γ-1)."""
        left = 1 - _array(weight) / self.w_min
        return -self.down_scale * self.gamma_r / self.w_min * left ** (self.gamma_r - 1)

    def curve(self) -> tuple[float, ...]:
        """Return the exponent."""
        return (self.gamma_r, 0.0, 0.0, 0.0, 0.0, 0.0)


def _check_exponent(gamma_r: float, w_min: float) -> None:
    if not 0 < gamma_r <= 100:
        raise DeviceError(f"device.gamma_r = {gamma_r} is not allowed; above 0 and at most 100")
    if w_min == 0:
        raise DeviceError("device.w_min = 0 is not allowed here: the down step would not be defined")


@dataclass(frozen=True, kw_only=True)
class ExponentialResponse(PulsedDevice):
    """The papers' exponential response: q₊ = (e^(γ(1 - w/w_max)) - 1) / (e^γ - 1), q₋ likewise with w_min.

    Not the `ExponentialStep` of the reference simulator. Noise is additive, dw_min dw_min_std ξ.

    Parameters
    ----------
    gamma_r
        Steepness, > 0; soft bounds where it goes to 0.

    References
    ----------
    Wu et al., arXiv:2502.06309, Eq. 149.
    """

    family: ClassVar[str] = "exponential_response"

    gamma_r: float = 1.0
    mult_noise: bool = False

    def check_family(self) -> None:
        """Refuse a steepness that is not positive."""
        _check_exponent(self.gamma_r, self.w_min)

    def q_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return (e^(γ(1 - w/w_max)) - 1) / (e^γ - 1)."""
        return self.up_scale * np.expm1(self.gamma_r * (1 - _array(weight) / self.w_max)) / math.expm1(self.gamma_r)

    def q_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return (e^(γ(1 - w/w_min)) - 1) / (e^γ - 1)."""
        return self.down_scale * np.expm1(self.gamma_r * (1 - _array(weight) / self.w_min)) / math.expm1(self.gamma_r)

    def slope_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return -(γ / w_max) e^(γ(1 - w/w_max)) / (e^γ - 1)."""
        rise = np.exp(self.gamma_r * (1 - _array(weight) / self.w_max)) / math.expm1(self.gamma_r)
        return -self.up_scale * self.gamma_r / self.w_max * rise

    def slope_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return -(γ / w_min) e^(γ(1 - w/w_min)) / (e^γ - 1)."""
        rise = np.exp(self.gamma_r * (1 - _array(weight) / self.w_min)) / math.expm1(self.gamma_r)
        return -self.down_scale * self.gamma_r / self.w_min * rise

    def curve(self) -> tuple[float, ...]:
        """Return the steepness and e^γ - 1."""
        return (self.gamma_r, math.expm1(self.gamma_r), 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class PowerStep(PulsedDevice):
    """The reference simulator's power step: q₊ = ((w_max - w) / range)^γ, q₋ = ((w - w_min) / range)^γ.

    Its step in the middle of the range is 2^-γ dw_min: that, and not dw_min, is its granularity. Noise is
    multiplicative.

    Parameters
    ----------
    pow_gamma
        Exponent, > 0.
    pow_gamma_dtod
        Relative device-to-device spread of the exponent, >= 0.
    pow_up_down, pow_up_down_dtod
        One-sided imbalance of the two exponents, as `up_down` is of the steps, and its spread.

    References
    ----------
    Rasch et al., AICAS 2021; Fusi and Abbott, Nat. Neurosci. 10 (2007); EX Eq. 24 of Wu et al., arXiv:2406.12774.
    """

    family: ClassVar[str] = "power_step"
    extra_parameters: ClassVar[tuple[str, ...]] = ("gamma_up", "gamma_down")

    pow_gamma: float = 1.0
    pow_gamma_dtod: float = 0.0
    pow_up_down: float = 0.0
    pow_up_down_dtod: float = 0.0

    def check_family(self) -> None:
        """Refuse an exponent that is not positive."""
        if not 0 < self.pow_gamma <= 100:
            raise DeviceError(f"device.pow_gamma = {self.pow_gamma} is not allowed; above 0 and at most 100")
        if not -1 < self.pow_up_down < 1:
            raise DeviceError(f"device.pow_up_down = {self.pow_up_down} is outside (-1, 1)")

    @property
    def gamma_up(self) -> float:
        """Nominal exponent of up steps."""
        return self.pow_gamma * (1 + min(self.pow_up_down, 0.0))

    @property
    def gamma_down(self) -> float:
        """Nominal exponent of down steps."""
        return self.pow_gamma * (1 - max(self.pow_up_down, 0.0))

    def _left(self, weight: npt.ArrayLike, up: bool) -> FloatArray:
        distance = self.w_max - _array(weight) if up else _array(weight) - self.w_min
        return np.asarray(np.maximum(distance, 0.0) / (self.w_max - self.w_min))

    def q_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return ((w_max - w) / range)^γ."""
        return self.up_scale * self._left(weight, True) ** self.gamma_up

    def q_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return ((w - w_min) / range)^γ."""
        return self.down_scale * self._left(weight, False) ** self.gamma_down

    def slope_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return -γ / range ((w_max - w) / range)^(γ-1)."""
        steep = self.gamma_up / (self.w_max - self.w_min)
        return -self.up_scale * steep * self._left(weight, True) ** (self.gamma_up - 1)

    def slope_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return γ / range ((w - w_min) / range)^(γ-1)."""
        steep = self.gamma_down / (self.w_max - self.w_min)
        return self.down_scale * steep * self._left(weight, False) ** (self.gamma_down - 1)

    @property
    def granularity(self) -> float:
        """dw_min 2^-γ, the step in the middle of the range."""
        return float(self.dw_min * 0.5**self.pow_gamma)


@dataclass(frozen=True, kw_only=True)
class ExponentialStep(PulsedDevice):
    """The reference simulator's exponential step: q₊ = max(1 - A_up e^(γ_up z), 0), q₋ = max(1 - A_down e^(-γ_down z), 0).

    z = 2 a w / (w_max - w_min) + b. Not the `ExponentialResponse` of the papers.

    Parameters
    ----------
    A_up, A_down, gamma_up, gamma_down, a, b
        Shape of the two curves, dimensionless.
    dw_min_std_add, dw_min_std_slope
        With either above 0 the noise of a pulse has the standard deviation
        dw_min_std (|step| + dw_min_std_add + dw_min_std_slope |w|), else dw_min_std |step|; both >= 0.

    References
    ----------
    Rasch et al., AICAS 2021; Gong et al., Nat. Commun. 9:2102 (2018).
    """  # noqa: E501 (the formula stays on one line)

    family: ClassVar[str] = "exponential_step"

    A_up: float = 0.00081
    A_down: float = 0.36833
    gamma_up: float = 12.44625
    gamma_down: float = 12.78785
    a: float = 0.244
    b: float = 0.2425
    dw_min_std_add: float = 0.0
    dw_min_std_slope: float = 0.0

    def check_family(self) -> None:
        """Refuse curves that allow no step at weight 0."""
        middle = (self.w_max + self.w_min) / 2 if self.one_sided else 0.0
        if not float(self.q_up(middle)) > 0 or not (self.one_sided or float(self.q_down(middle)) > 0):
            raise DeviceError(
                f"device.A_up = {self.A_up}, device.A_down = {self.A_down}: a pulse at weight {middle:g} has no effect;"
                " both steps must be above 0 there"
            )

    def _argument(self, weight: npt.ArrayLike) -> FloatArray:
        return 2 * self.a * _array(weight) / (self.w_max - self.w_min) + self.b

    def q_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return max(1 - A_up e^(γ_up z), 0)."""
        left = 1 - self.A_up * np.exp(self.gamma_up * self._argument(weight))
        return self.up_scale * np.maximum(left, 0.0)

    def q_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return max(1 - A_down e^(-γ_down z), 0)."""
        left = 1 - self.A_down * np.exp(-self.gamma_down * self._argument(weight))
        return self.down_scale * np.maximum(left, 0.0)

    def slope_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return the derivative of q₊; 0 where no step is left."""
        steep = self.gamma_up * 2 * self.a / (self.w_max - self.w_min)
        slope = -self.A_up * steep * np.exp(self.gamma_up * self._argument(weight))
        return np.where(self.q_up(weight) > 0, self.up_scale * slope, 0.0)

    def slope_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return the derivative of q₋; 0 where no step is left."""
        steep = self.gamma_down * 2 * self.a / (self.w_max - self.w_min)
        slope = self.A_down * steep * np.exp(-self.gamma_down * self._argument(weight))
        return np.where(self.q_down(weight) > 0, self.down_scale * slope, 0.0)

    @property
    def granularity(self) -> float:
        """Mean of both steps at weight 0; of the up step alone where devices work in pairs."""
        up, down = float(self.q_up(0.0)) / self.up_scale, float(self.q_down(0.0)) / self.down_scale
        return self.dw_min if self.one_sided else self.dw_min * (up + down) / 2

    def noise(self) -> tuple[float, float, float]:
        """Return the kind of noise with its additive part and its slope."""
        kind = COMPLEX if self.dw_min_std_add or self.dw_min_std_slope else MULTIPLICATIVE
        return (kind, self.dw_min_std_add, self.dw_min_std_slope)

    def curve(self) -> tuple[float, ...]:
        """Return the shape of the two curves."""
        return (self.A_up, self.A_down, self.gamma_up, self.gamma_down, self.a, self.b)


NODES_MIN, NODES_MAX = 2, 4096


def _check_nodes(name: str, nodes: tuple[float, ...], *, count: int | None = None) -> None:
    if not NODES_MIN <= len(nodes) <= NODES_MAX:
        raise DeviceError(f"device.{name} has {len(nodes)} nodes; {NODES_MIN} to {NODES_MAX} are allowed")
    if count is not None and len(nodes) != count:
        raise DeviceError(f"device.{name} has {len(nodes)} nodes; expected {count}, as the other lists have")
    if min(nodes) < 0:
        raise DeviceError(f"device.{name} holds {min(nodes)}; steps and spreads are at least 0")


def interpolated(device: PulsedDevice, nodes: tuple[float, ...], weight: npt.ArrayLike) -> FloatArray:
    """Return values at weights, linear between nodes that are equally spaced from w_min to w_max."""
    return np.asarray(np.interp(_array(weight), np.linspace(device.w_min, device.w_max, len(nodes)), nodes))


def slope_between(device: PulsedDevice, nodes: tuple[float, ...], weight: npt.ArrayLike) -> FloatArray:
    """Return the slope of the piece that begins at or below a weight."""
    places = np.linspace(device.w_min, device.w_max, len(nodes))
    slopes = np.diff(nodes) / np.diff(places)
    piece = np.clip(np.searchsorted(places, _array(weight), side="right") - 1, 0, len(slopes) - 1)
    return np.asarray(slopes[piece])


@dataclass(frozen=True, kw_only=True)
class PiecewiseStep(PulsedDevice):
    """Steps interpolated linearly between nodes that are equally spaced over the device's own range.

    Noise is multiplicative.

    Parameters
    ----------
    piecewise_up, piecewise_down
        q₊ and q₋ at the nodes from w_min to w_max; 2 to 4096 numbers, >= 0, as many up as down.

    References
    ----------
    Rasch et al., AICAS 2021.
    """

    family: ClassVar[str] = "piecewise_step"

    piecewise_up: tuple[float, ...] = (1.0, 1.0)
    piecewise_down: tuple[float, ...] = (1.0, 1.0)

    def check_family(self) -> None:
        """Refuse too few nodes, negative steps and a device that does not move."""
        _check_nodes("piecewise_up", self.piecewise_up)
        _check_nodes("piecewise_down", self.piecewise_down, count=len(self.piecewise_up))
        if not self.granularity > 0:
            raise DeviceError("device.piecewise_up, device.piecewise_down: the step at weight 0 must be above 0")

    def q_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return the interpolated step."""
        return self.up_scale * interpolated(self, self.piecewise_up, weight)

    def q_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return the interpolated step."""
        return self.down_scale * interpolated(self, self.piecewise_down, weight)

    def slope_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return the slope of the piece above the weight."""
        return self.up_scale * slope_between(self, self.piecewise_up, weight)

    def slope_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return the slope of the piece above the weight."""
        return self.down_scale * slope_between(self, self.piecewise_down, weight)

    @property
    def granularity(self) -> float:
        """dw_min times the mean of both interpolated steps at weight 0."""
        up = float(interpolated(self, self.piecewise_up, 0.0))
        return self.dw_min * (up + float(interpolated(self, self.piecewise_down, 0.0))) / 2

    def tables(self) -> FloatArray:
        """Return the nodes up and down."""
        return np.array([self.piecewise_up, self.piecewise_down])


@dataclass(frozen=True, kw_only=True)
class MeasuredTable(PulsedDevice):
    """A measured device: mean and spread of the step, tabulated over the state, for each direction.

    Between nodes, equally spaced over the device's own range, mean and spread are interpolated linearly. The spread
    of one pulse is dw_min_std times the tabulated one: 1 is as measured, 0 switches it off.

    Parameters
    ----------
    up_mean, down_mean
        Mean step from w_min to w_max in units of dw_min, >= 0; down steps as positive numbers.
    up_std, down_std
        Standard deviation of one step in units of dw_min, >= 0.
    """

    family: ClassVar[str] = "measured_table"

    dw_min_std: float = 1.0
    up_mean: tuple[float, ...] = (1.0, 1.0)
    up_std: tuple[float, ...] = (0.0, 0.0)
    down_mean: tuple[float, ...] = (1.0, 1.0)
    down_std: tuple[float, ...] = (0.0, 0.0)

    def check_family(self) -> None:
        """Refuse too few nodes, lists of different lengths, negative values and a device that does not move."""
        _check_nodes("up_mean", self.up_mean)
        for name in ("up_std", "down_mean", "down_std"):
            _check_nodes(name, getattr(self, name), count=len(self.up_mean))
        if not self.granularity > 0:
            raise DeviceError("device.up_mean, device.down_mean: the step at weight 0 must be above 0")

    def q_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return the interpolated mean step."""
        return self.up_scale * interpolated(self, self.up_mean, weight)

    def q_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return the interpolated mean step."""
        return self.down_scale * interpolated(self, self.down_mean, weight)

    def slope_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return the slope of the piece above the weight."""
        return self.up_scale * slope_between(self, self.up_mean, weight)

    def slope_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return the slope of the piece above the weight."""
        return self.down_scale * slope_between(self, self.down_mean, weight)

    @property
    def granularity(self) -> float:
        """dw_min times the mean of both tabulated steps at weight 0."""
        up = float(interpolated(self, self.up_mean, 0.0))
        return self.dw_min * (up + float(interpolated(self, self.down_mean, 0.0))) / 2

    def tables(self) -> FloatArray:
        """Return mean up, mean down, spread up, spread down."""
        return np.array([self.up_mean, self.down_mean, self.up_std, self.down_std])


FAMILIES: dict[str, type[PulsedDevice]] = {
    record.family: record
    for record in (
        ConstantStep,
        LinearStep,
        SoftBounds,
        SoftBoundsReference,
        GenericLinear,
        PowerResponse,
        ExponentialResponse,
        PowerStep,
        ExponentialStep,
        PiecewiseStep,
        MeasuredTable,
    )
}
