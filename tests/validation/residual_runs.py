"""The scalar toy of the multi-tile paper: tiles of coarse devices together find a target that none of them can hold.

Targets are 16-bit numbers in [-1, 1], one for each copy; the loss is (w - b)². Li et al., arXiv:2510.02516, Appendix
K.3 and section 4. The error of a copy is its time average of (w - b)² over the last part of the steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.tile import PulsedUpdate
from device_models import SoftBounds
from tests.validation.copies import Copies

# The paper's toy sends full trains without managements.
PLAIN_TRAINS = PulsedUpdate(update_management=False, train_length_management=False)


@dataclass(frozen=True, kw_only=True)
class Cascade:
    """Devices and rates; `period` mini-batches pass between transfers of the finest tile, `ratio` times more above."""

    dw_min: float
    gamma: float
    period: int
    ratio: int
    rate: float
    noise: float
    update: PulsedUpdate | None = None


def long_loops(dw_min: float, *, rate: float = 0.05, ratio: int = 30) -> Cascade:
    """Return what the theory asks for: long inner loops, and finer tiles that reach over half a coarse step."""
    return Cascade(dw_min=dw_min, gamma=1.2 * dw_min / 2, period=100, ratio=ratio, rate=rate, noise=0.1)


# The settings of Appendix K.3: the finer tiles together reach over 0.11, a coarse step is 0.5.
LITERAL = Cascade(dw_min=0.5, gamma=0.1, period=2, ratio=2, rate=0.01, noise=0.0, update=PLAIN_TRAINS)


def floor(cascade: Cascade, tiles: int, *, steps: int, copies: int, part: float = 0.3) -> np.ndarray:
    """Return the error of every copy, (copies,), averaged over the last part of the steps."""
    draw = np.random.default_rng(11)
    targets = -1 + 2 * draw.integers(0, 2**16, copies) / (2**16 - 1)
    runs = Copies.make(
        copies,
        SoftBounds(dw_min=cascade.dw_min),
        "residual_learning",
        update=cascade.update,
        tiles=tiles,
        gamma=cascade.gamma,
        weight_scale=1.0,
        fast_rate=cascade.rate,
        transfer_rate=cascade.rate,
        transfer_rate_ratio=1.0,
        transfer_period=cascade.period,
        transfer_period_ratio=cascade.ratio,
        transfer_columns=1,
        warm_start="off",
    )
    averages = runs.descend(
        lambda weights: 2 * (weights - targets) + cascade.noise * draw.standard_normal(copies),
        steps,
        keep_after=int((1 - part) * steps),
    )
    return averages.error(targets)
