"""What every pulsed device has: granularity, bounds, imbalance, variation, ageing; and what follows from a response.

A response family adds its own q₊ and q₋, see `device_models.families`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# How cycle-to-cycle noise enters one pulse; the codes that the kernels know.
MULTIPLICATIVE, ADDITIVE, COMPLEX = 0.0, 1.0, 2.0
SCAN_POINTS = 2001
LARGEST = 1e9  # far above anything physical in weight units, far below where arithmetic overflows
NO_SYMMETRIC_POINT = "G has no isolated zero between the bounds"


class DeviceError(ValueError):
    """A device that cannot exist: what was given and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class PulsedDevice:
    """Parameters that every pulsed device has, in weight units (dimensionless).

    One pulse changes the weight by dw_min q₊(w) upward or by -dw_min q₋(w) downward, with noise; the q of a family
    are those of the nominal device, imbalance included. A spread ``…_dtod`` is drawn once per device, a spread
    ``…_std`` anew each time.

    Parameters
    ----------
    dw_min
        Scale of one pulse, > 0.
    dw_min_dtod
        Relative device-to-device spread of the steps, >= 0.
    dw_min_dtod_log_normal
        Whether that spread is log-normal, exp(dw_min_dtod ξ), instead of normal, 1 + dw_min_dtod ξ.
    dw_min_std
        Relative cycle-to-cycle spread of one pulse, >= 0; how it enters is the family's business.
    up_down
        One-sided imbalance of up and down steps: a positive value lowers the down step, a negative one the up
        step by that fraction, in (-1, 1).
    up_down_dtod
        Device-to-device spread of the imbalance, >= 0.
    w_max, w_min
        Mean bounds of the weight, w_min <= 0 < w_max; w_min = 0 for one-sided devices only.
    w_max_dtod, w_min_dtod
        Relative device-to-device spread of the bounds, >= 0.
    corrupt_devices_prob
        Probability of a stuck device, in [0, 1]; it holds one value and takes no pulse.
    corrupt_devices_range
        The values of stuck devices are uniform within ± this, >= 0.
    write_noise_std
        Spread of what is read about what is stored, in units of dw_min, >= 0; drawn anew where a device is pulsed.
    lifetime, lifetime_dtod
        Mini-batches in which the weight decays by 1/e toward its reset value, >= 1, or 0 for no decay; its
        relative spread.
    diffusion, diffusion_dtod
        Spread of the random walk per mini-batch, >= 0; its relative device-to-device spread.
    reset, reset_dtod, reset_std
        Mean value after a reset, its device-to-device spread and its spread from reset to reset.
    reference_mean, reference_std
        What a reference device beside each device holds; it is subtracted from every read. 0: no reference.
    subtract_symmetry_point
        Whether the reference holds the device's own symmetric point, on top of `reference_mean`.
    one_sided
        Whether a weight is a pair of such devices, each pulsed upward only: plus minus minus.
    refresh_every
        Mini-batches between refreshes of one-sided pairs: where the larger device is above refresh_upper_threshold
        and the smaller above refresh_lower_threshold (fractions of w_max), both are reset and their difference is
        written again. 0: never.

    Raises
    ------
    DeviceError
        If a value is outside its range.

    References
    ----------
    Wu et al., arXiv:2502.06309, Eq. 26; Li et al., arXiv:2510.02516, section 2; Rasch et al., AICAS 2021, for the
    terms of variation.
    """

    family: ClassVar[str]
    # Names of per-device parameters beside the steps and bounds, in the order of the arrays.
    extra_parameters: ClassVar[tuple[str, ...]] = ()

    dw_min: float
    dw_min_dtod: float = 0.0
    dw_min_dtod_log_normal: bool = False
    dw_min_std: float = 0.0
    up_down: float = 0.0
    up_down_dtod: float = 0.0
    w_max: float = 1.0
    w_min: float = -1.0
    w_max_dtod: float = 0.0
    w_min_dtod: float = 0.0
    corrupt_devices_prob: float = 0.0
    corrupt_devices_range: float = 0.1
    write_noise_std: float = 0.0
    lifetime: float = 0.0
    lifetime_dtod: float = 0.0
    diffusion: float = 0.0
    diffusion_dtod: float = 0.0
    reset: float = 0.0
    reset_dtod: float = 0.0
    reset_std: float = 0.0
    reference_mean: float = 0.0
    reference_std: float = 0.0
    subtract_symmetry_point: bool = False
    one_sided: bool = False
    refresh_every: int = 0
    refresh_upper_threshold: float = 0.75
    refresh_lower_threshold: float = 0.25

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            numbers = value if isinstance(value, tuple) else (value,)
            if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
                raise DeviceError(f"device.{field.name} = {value!r} is not allowed; it must be a finite number")
            if max(map(abs, numbers), default=0.0) > LARGEST:
                raise DeviceError(f"device.{field.name} = {value!r} is not allowed; at most {LARGEST:g} in magnitude")
            if (
                field.name.endswith(("_dtod", "_std", "_range", "_std_add", "_std_slope"))
                and min(numbers, default=0) < 0
            ):
                raise DeviceError(f"device.{field.name} = {value} is negative; a spread is at least 0")
        if self.dw_min <= 0:
            raise DeviceError(f"device.dw_min = {self.dw_min} is not allowed; the granularity must be above 0")
        lowest = self.w_min <= 0 if self.one_sided else self.w_min < 0
        if not (lowest and self.w_max > 0):
            raise DeviceError(
                f"device.w_min = {self.w_min}, device.w_max = {self.w_max}: bounds must satisfy w_min < 0 < w_max"
                " (w_min = 0 for one-sided devices)"
            )
        if not -1 < self.up_down < 1:
            raise DeviceError(f"device.up_down = {self.up_down} is outside (-1, 1)")
        for name in ("corrupt_devices_prob", "refresh_upper_threshold", "refresh_lower_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise DeviceError(f"device.{name} = {getattr(self, name)} is outside [0, 1]")
        for name in ("diffusion", "refresh_every"):
            if getattr(self, name) < 0:
                raise DeviceError(f"device.{name} = {getattr(self, name)} is negative; it is at least 0")
        if not (self.lifetime == 0 or self.lifetime >= 1):
            raise DeviceError(
                f"device.lifetime = {self.lifetime} is not allowed; at least 1 mini-batch, or 0 for no decay"
            )
        if self.one_sided and (self.reference_mean or self.reference_std or self.subtract_symmetry_point):
            raise DeviceError("device.one_sided: the second device of a pair leaves no place for a reference")
        self.check_family()
        if not self.states >= 1:
            raise DeviceError(
                f"device.dw_min = {self.dw_min} exceeds the weight range {self.w_max - self.w_min}: less than one state"
            )
        if self.subtract_symmetry_point and self.device_symmetric_point() is None:
            raise DeviceError(
                f"device.subtract_symmetry_point: {self.family!r} has no symmetric point between "
                f"{self.w_min} and {self.w_max} ({NO_SYMMETRIC_POINT}); remove it or change up_down"
            )

    def check_family(self) -> None:
        """Refuse parameters of the family that are outside their range."""

    # The response of the nominal device.

    def q_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return q₊ at weights of any shape: the mean change of an up pulse over dw_min."""
        raise NotImplementedError

    def q_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return q₋ at weights of any shape: minus the mean change of a down pulse over dw_min."""
        raise NotImplementedError

    def slope_up(self, weight: npt.ArrayLike) -> FloatArray:
        """Return the derivative of q₊."""
        raise NotImplementedError

    def slope_down(self, weight: npt.ArrayLike) -> FloatArray:
        """Return the derivative of q₋."""
        raise NotImplementedError

    def noise(self) -> tuple[float, float, float]:
        """Return how cycle-to-cycle noise enters a pulse: its kind, its additive part, its slope over the weight."""
        return (MULTIPLICATIVE if getattr(self, "mult_noise", True) else ADDITIVE, 0.0, 0.0)

    def curve(self) -> tuple[float, ...]:
        """Return six numbers of the response that all devices share; what they are is the family's business."""
        return (0.0,) * 6

    def tables(self) -> FloatArray:
        """Return the tables of a tabulated family, (lists, nodes)."""
        return np.zeros((1, 2))

    @property
    def up_scale(self) -> float:
        """Nominal factor of up steps: 1 + min(up_down, 0)."""
        return 1 + min(self.up_down, 0.0)

    @property
    def down_scale(self) -> float:
        """Nominal factor of down steps: 1 - max(up_down, 0)."""
        return 1 - max(self.up_down, 0.0)

    # What follows from it.

    def symmetric_part(self, weight: npt.ArrayLike) -> FloatArray:
        """Return F = (q₋ + q₊) / 2 (Wu et al., Eq. 4)."""
        return (self.q_down(weight) + self.q_up(weight)) / 2

    def asymmetric_part(self, weight: npt.ArrayLike) -> FloatArray:
        """Return G = (q₋ - q₊) / 2 (Wu et al., Eq. 4)."""
        return (self.q_down(weight) - self.q_up(weight)) / 2

    def device_symmetric_point(self) -> float | None:
        """Return where up and down steps of the device are equal, G(w) = 0, before any reference is subtracted.

        None where G vanishes nowhere between the bounds, or everywhere, or where devices work in pairs. Of several
        zeros the one next to 0 is returned; a weight that no pulse moves is none.
        """
        from scipy.optimize import brentq  # on demand: a study without such devices starts faster

        if self.one_sided:
            return None
        weights = np.linspace(self.w_min, self.w_max, SCAN_POINTS)
        values = self.asymmetric_part(weights)
        signs = np.sign(values)
        if not signs.any():
            return None
        zeros = list(weights[(signs == 0) & (self.symmetric_part(weights) > 0)])
        for place in np.flatnonzero(signs[:-1] * signs[1:] < 0):
            between = weights[place], weights[place + 1]
            zeros.append(brentq(lambda weight: float(self.asymmetric_part(weight)), *between, xtol=1e-15))
        return float(min(zeros, key=abs)) if zeros else None

    def symmetric_point(self) -> float | None:
        """Return the symmetric point in the weights that are read: the reference is subtracted.

        None where the device has none, see `device_symmetric_point`.
        """
        point = self.device_symmetric_point()
        return None if point is None else point - self.reference()

    def reference(self) -> float:
        """Return what the nominal reference device holds."""
        point = self.device_symmetric_point() if self.subtract_symmetry_point else 0.0
        return self.reference_mean + (point or 0.0)

    def asymmetry_slope(self) -> float | None:
        """Return R' = (G / F)' at the symmetric point, which sets the implicit penalty (Wu et al., Eq. 43)."""
        point = self.device_symmetric_point()
        if point is None:
            return None
        slope = float(self.slope_down(point) - self.slope_up(point)) / 2
        return slope / float(self.symmetric_part(point))

    @property
    def granularity(self) -> float:
        """Weight change of one pulse at weight 0 that a controller assumes: dw_min in most families."""
        return self.dw_min

    @property
    def states(self) -> float:
        """Number of conductance states, (w_max - w_min) / granularity (Li et al., section 1)."""
        return (self.w_max - self.w_min) / self.granularity

    @property
    def fades(self) -> bool:
        """Whether a device changes without pulses: decay or diffusion."""
        return bool(self.lifetime or self.diffusion)
