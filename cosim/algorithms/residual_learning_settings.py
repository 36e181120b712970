"""Named settings of multi-tile residual learning: what is not given, from the tiles and what they are trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cosim.algorithms.residual_learning_health import HOP_RATIO_MIN

# Parameters of a transfer that are given one by one, or all derived from column_rate; where one is given, the others.
TRANSFER_DEFAULTS = {
    "transfer_rate": 0.02,
    "transfer_rate_ratio": 1.2,
    "transfer_period": 2,
    "transfer_period_ratio": 5,
    "transfer_columns": 32,
}
# The balanced setting.
BALANCED_SCALE, BALANCED_SCALE_FEW, FEW_TILES = 0.5, 0.25, 5
SCALE_STATES, SCALE_INPUTS = 10, 512  # what these scales were found with: LeNet-5
FINEST, GAMMA_MIN, GAMMA_MAX, GRADIENT_STEP = 1 / 128, 1 / 8, 0.5, 0.04
COLUMN_RATE, COLUMN_RATE_RATIO, SLOWING_MAX, LOOP_GAIN = 0.1, 6.0, 6.0**4, 0.4
COOLING, SHORT_MINI_BATCHES = 0.1, 12_500


@dataclass(frozen=True)
class SettingBasis:
    """What a setting may depend on beside the tiles.

    Parameters
    ----------
    mini_batches
        Length of the training.
    inputs
        Fan-in of the widest layer.
    states
        Conductance states of the devices.
    """

    mini_batches: int = SHORT_MINI_BATCHES
    inputs: int = SCALE_INPUTS
    states: float = SCALE_STATES


def paper_setting(tiles: int, given: Mapping[str, Any], basis: SettingBasis) -> dict[str, Any]:
    """Return the vectors of the released code: gamma 0.5, periods 2·5ᵏ, one column, rates 0.1·1.2ⁿ, fast rate 1."""
    transfers = {
        "transfer_rate": 0.1,
        "transfer_rate_ratio": 1.2,
        "transfer_period": 2,
        "transfer_period_ratio": 5,
        "transfer_columns": 1,
    }
    return {
        "gamma": 0.5,
        "weight_scale": 1.0,
        "fast_rate": 1.0,
        "warm_start": "epoch",
        **({"column_rate_ratio": COLUMN_RATE_RATIO} if "column_rate" in given else transfers),
    }


def balanced_setting(tiles: int, given: Mapping[str, Any], basis: SettingBasis) -> dict[str, Any]:
    """Return a setting that holds for any number of tiles: the finest one quiet, the gradient step the same.

    kappa leaves the coarse tiles enough range, but lets them add no more noise to the sums of the widest layer than
    with `SCALE_STATES` and `SCALE_INPUTS`: at random pulses a soft-bounds device of s states spreads over
    1 / sqrt(s - 1) of its bound, and the noise of n inputs adds up to sqrt(n) times that. gamma, within its limits,
    then brings the finest tile to `FINEST`, and the fast rate brings the gradient step in the composite weight to
    `GRADIENT_STEP`. Columns are taken over as fast as the finest tile of their layer turns over, and more rarely toward
    the end of the training, so that the noise of the transfers freezes out; the more so the longer it is.
    """
    scale = BALANCED_SCALE if tiles > FEW_TILES else BALANCED_SCALE_FEW
    noise = math.sqrt(basis.inputs / SCALE_INPUTS * (SCALE_STATES - 1) / (max(basis.states, 2) - 1))
    weight_scale = given.get("weight_scale", scale / max(noise, 1.0))
    finest = tiles - 1
    ratio = (FINEST / weight_scale) ** (1 / finest) if finest else GAMMA_MAX
    gamma = given.get("gamma", min(max(ratio, GAMMA_MIN), GAMMA_MAX))
    slowing = max(SLOWING_MAX ** (1 / max(finest - 1, 1)), HOP_RATIO_MIN)  # many tiles: the coarsest still move
    transfers = {
        "column_rate": COLUMN_RATE,
        "column_rate_ratio": min(COLUMN_RATE_RATIO, slowing),
        "loop_gain": LOOP_GAIN,
    }
    return {
        "gamma": gamma,
        "weight_scale": weight_scale,
        "fast_rate": GRADIENT_STEP / (weight_scale * gamma**finest),
        "warm_start": "off",
        "cooling": COOLING * math.sqrt(min(SHORT_MINI_BATCHES / basis.mini_batches, 1.0)),
        **({} if set(TRANSFER_DEFAULTS) & set(given) else transfers),
    }


SETTINGS: dict[str, Callable[[int, Mapping[str, Any], SettingBasis], dict[str, Any]]] = {
    "balanced": balanced_setting,
    "paper": paper_setting,
}
