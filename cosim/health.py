"""Whether a setting can work: what its numbers say before training, and what its tiles say after each epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cost_model.floorplan import MatrixShape
from device_models.parameters import PulsedDevice

# Mean magnitudes of a tile, as fractions of its bound, that tell what it does.
UNUSED_BELOW, WINDUP_ABOVE = 0.05, 0.6
OFFSET_MAX = 0.02
NOISE_BAND = 0.25  # relative distance from the level of pure noise


@dataclass(frozen=True)
class Check:
    """One number that decides whether training works.

    Parameters
    ----------
    name
        What it is, in a few words.
    value
        The number.
    limit
        The rule, in words.
    advice
        What to change; empty where the rule is kept.
    """

    name: str
    value: float
    limit: str
    advice: str = ""

    @property
    def kept(self) -> bool:
        """Whether the rule is kept."""
        return not self.advice

    def text(self) -> str:
        """Return number and rule; of a broken rule also what to change."""
        number = f"{self.name} {self.value:.3g} ({self.limit})"
        return number if self.kept else f"{number}: {self.advice}"


@dataclass(frozen=True)
class Budget:
    """What the rules need to know about a training.

    Parameters
    ----------
    device
        The devices of the tiles.
    shapes
        The weight matrix of every layer.
    mini_batches
        Mini-batches of the whole training.
    products
        For each layer, Σ |input| |error| over the vectors of the first mini-batch, mean over the cross-points: what
        the pulses of its tile are proportional to. None where there is no data.
    """

    device: PulsedDevice
    shapes: Sequence[MatrixShape]
    mini_batches: int
    products: Mapping[str, float] | None = None


def symmetric_point_check(device: PulsedDevice) -> Check:
    """Return how far from 0 a device rests under alternating pulses, as a fraction of its range.

    What a tile reads at rest is taken for a gradient by algorithms that transfer its content (Wu et al.,
    arXiv:2502.06309, Assumption 4).
    """
    name = "symmetric point of the devices over their range"
    point = device.symmetric_point()
    if point is None:
        slope = device.asymmetric_part(0.0)
        rests = not device.one_sided and float(slope) == 0
        advice = "" if rests else "the device has none: take algorithm agad or e_rider, or another device"
        return Check(name, 0.0 if rests else math.inf, f"at most {OFFSET_MAX:g}", advice)
    offset = abs(point) / (device.w_max - device.w_min)
    advice = "set zero_shift_pulses to calibrate it, or subtract_symmetry_point, or take algorithm agad or e_rider"
    return Check(name, offset, f"at most {OFFSET_MAX:g}", "" if offset <= OFFSET_MAX else advice)


def noise_spread(device: PulsedDevice) -> float:
    """Return the standard deviation, in weight units, of a device that sees up and down pulses at random.

    Each pulse moves it by its step g at the symmetric point and pulls it there with the slope R': an autoregressive
    process with variance τ² g / (2τ - g), τ = 1 / R'. Without such a pull it wanders over its whole range, and it
    never does more.
    """
    widest = (device.w_max - device.w_min) / math.sqrt(12)
    slope, point = device.asymmetry_slope(), device.device_symmetric_point()
    if point is None or not slope or slope <= 0:
        return widest
    reach = 1 / slope
    step = min(device.dw_min * float(device.symmetric_part(point)), reach)
    spread = reach * math.sqrt(step / (2 * reach - step))
    return min(spread, widest) if reach > device.w_max else spread


def forgotten_share(device: PulsedDevice, pulses: float) -> float | None:
    """Return the share of its content that a tile forgets per mini-batch, at `pulses` per cross-point.

    One over its memory: each pulse pulls a device toward its symmetric point by granularity x R'. None for devices that
    do not forget.
    """
    slope = device.asymmetry_slope() or 0.0
    return device.granularity * slope * pulses if slope > 0 else None


def noise_level(device: PulsedDevice) -> float:
    """Return the mean magnitude of such a device as a fraction of its upper bound."""
    return math.sqrt(2 / math.pi) * noise_spread(device) / device.w_max


def verdict(mean_magnitude: float, noise: float) -> str:
    """Return what a tile does, from its mean |W| as a fraction of the bound: unused, noise, working or wind-up.

    A tile that only follows the noise of its pulses has the mean magnitude `noise`, whatever its rate.
    """
    if mean_magnitude < UNUSED_BELOW:
        return "unused"
    if mean_magnitude > max(WINDUP_ABOVE, noise * (1 + NOISE_BAND)):
        return "wind-up"
    return "noise" if abs(mean_magnitude / noise - 1) <= NOISE_BAND else "working"


def at_most(value: float) -> str:
    """Write a positive number with three digits, rounded down."""
    return _three_digits(value, math.floor)


def at_least(value: float) -> str:
    """Write a positive number with three digits, rounded up."""
    return _three_digits(value, math.ceil)


def _three_digits(value: float, rounded: Callable[[float], int]) -> str:
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{rounded(value / unit) * unit:.3g}"
