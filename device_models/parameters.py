"""One frozen record per response family: how a device answers one pulse."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar


class DeviceError(ValueError):
    """A device that cannot exist: what was given and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class PulsedDevice:
    """Parameters that every pulsed device has, in weight units (dimensionless).

    Parameters
    ----------
    dw_min
        Granularity: mean weight change of one pulse at zero weight, > 0.
    dw_min_dtod
        Relative device-to-device spread of the granularity, >= 0.
    dw_min_std
        Relative cycle-to-cycle spread of one pulse, >= 0.
    up_down
        One-sided imbalance of up and down steps: a positive value lowers the down step, a negative one the up
        step by that fraction, in (-1, 1).
    up_down_dtod
        Device-to-device spread of the imbalance, >= 0.
    w_max, w_min
        Mean bounds of the weight, w_min < 0 < w_max.
    w_max_dtod, w_min_dtod
        Relative device-to-device spread of the bounds, >= 0.

    Raises
    ------
    DeviceError
        If a value is outside its range.

    References
    ----------
    Wu et al., arXiv:2502.06309, Eq. 26; Li et al., arXiv:2510.02516, section 2.
    """

    family: ClassVar[str]

    dw_min: float
    dw_min_dtod: float = 0.0
    dw_min_std: float = 0.0
    up_down: float = 0.0
    up_down_dtod: float = 0.0
    w_max: float = 1.0
    w_min: float = -1.0
    w_max_dtod: float = 0.0
    w_min_dtod: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value):
                raise DeviceError(f"device.{field.name} = {value} is not a finite number")
            if field.name.endswith(("_dtod", "_std")) and value < 0:
                raise DeviceError(f"device.{field.name} = {value} is negative; a spread is at least 0")
        if self.dw_min <= 0:
            raise DeviceError(f"device.dw_min = {self.dw_min} is not allowed; the granularity must be above 0")
        if not self.w_min < 0 < self.w_max:
            raise DeviceError(
                f"device.w_min = {self.w_min}, device.w_max = {self.w_max}: bounds must satisfy w_min < 0 < w_max"
            )
        if not -1 < self.up_down < 1:
            raise DeviceError(f"device.up_down = {self.up_down} is outside (-1, 1)")
        if self.dw_min > self.w_max - self.w_min:
            raise DeviceError(
                f"device.dw_min = {self.dw_min} exceeds the weight range {self.w_max - self.w_min}: less than one state"
            )

    @property
    def states(self) -> float:
        """Number of conductance states, (w_max - w_min) / dw_min (Li et al., section 1)."""
        return (self.w_max - self.w_min) / self.dw_min


@dataclass(frozen=True, kw_only=True)
class ConstantStep(PulsedDevice):
    """Every pulse moves the weight by the same amount until a bound is met: q+ = q- = 1."""

    family: ClassVar[str] = "constant_step"


@dataclass(frozen=True, kw_only=True)
class SoftBounds(PulsedDevice):
    """The step shrinks linearly to zero at the bound: q+ = 1 - w/w_max, q- = 1 - w/w_min.

    References
    ----------
    Li et al., arXiv:2510.02516, Eq. 9; Wu et al., arXiv:2502.06309, Eq. 16.
    """

    family: ClassVar[str] = "soft_bounds"


FAMILIES: dict[str, type[PulsedDevice]] = {family.family: family for family in (ConstantStep, SoftBounds)}
