"""Runs of the product that the response paper's statements are held against (Wu et al., arXiv:2502.06309)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from cosim.algorithms.tiki_taka_v2 import BufferedTransfer
from cosim.periphery import Periphery
from cosim.plan import Update
from device_models import FAMILIES, GenericLinear, SoftBounds
from tests.validation.copies import Averages, Copies, matched_normal
from tests.validation.response_theory import GRADIENT_NOISE, MIXING, RATE, TAU, WEIGHTS, Quadratic, least_squares

SLOTS = 31


def settle(row: Quadratic, *, copies: int, rate: float, burn_in: int, keep: int) -> float:
    """Return where Analog SGD settles on average; it starts at the optimum."""
    # 31 slots carry a gradient of 3.5 standard deviations.
    device = FAMILIES[row.family](dw_min=3.5 * row.noise * rate / SLOTS, **row.parameters)
    draw = np.random.default_rng(2)

    def gradient(weights: np.ndarray) -> np.ndarray:
        return weights - row.optimum + row.noise * matched_normal(draw, copies)

    runs = Copies.make(copies, device, "analog_sgd", learning_rate=rate)
    runs.start(row.optimum)
    return float(runs.descend(gradient, burn_in + keep, keep_after=burn_in).mean.mean())


def descend_without_noise(
    row: Quadratic, marks: Sequence[int], *, copies: int, dw_min: float, rate: float
) -> np.ndarray:
    """Return the weights of all copies after some numbers of steps with exact gradients, from a start at 0."""
    runs = Copies.make(copies, FAMILIES[row.family](dw_min=dw_min, **row.parameters), "analog_sgd", learning_rate=rate)
    found = []
    for before, mark in pairwise([0, *marks]):
        runs.descend(lambda weights: weights - row.optimum, mark - before, keep_after=mark - before - 1)
        found.append(runs.group.weights[:, 0].astype(float))
    return np.array(found)


@dataclass(frozen=True)
class LowerBound:
    """The instance on which no rate helps: a weight of 0.2 on a linear device, gradient noise of two values.

    The positive value comes with probability (1 - w) / 2; mean 0, standard deviation `noise`.
    """

    optimum: float = 0.2
    noise: float = 0.1

    def floor(self, *, rate: float, copies: int, times: float) -> tuple[float, float]:
        """Return the mean squared gradient and σ² S after `times` / rate steps, from the last 70 % of them."""
        draw = np.random.default_rng(3)

        def gradient(weights: np.ndarray) -> np.ndarray:
            odds = np.sqrt((1 - weights) / (1 + weights))
            positive = draw.random(copies) < (1 - weights) / 2
            return weights - self.optimum + self.noise * np.where(positive, 1 / odds, -odds)

        runs = Copies.make(copies, SoftBounds(dw_min=rate * 1.6 * self.noise / SLOTS), "analog_sgd", learning_rate=rate)
        runs.start(self.optimum)
        steps = int(times / rate)
        averages = runs.descend(gradient, steps, keep_after=int(0.3 * steps))
        saturation = averages.mean_square / (1 - averages.mean_square)
        return float(averages.error(self.optimum).mean()), float(self.noise**2 * saturation.mean())


# Label: algorithm and parameters; both tiles have the same rate.
SWEEP: dict[str, tuple[str, dict[str, Any]]] = {
    "Analog SGD": ("analog_sgd", {}),
    **{
        label: ("tiki_taka_v1", {"fast_rate": RATE, "transfer_rate": 1.0, "gamma": gamma})
        for label, gamma in MIXING.items()
    },
}


def least_squares_bias(label: str, c_lin: float, *, steps: int, seed: int, copies: int = 4) -> float:
    """Return what `response_theory.least_squares_bias` does, of pulsed tiles.

    Every copy has a row for each weight; the last 40 % of the steps count.
    """
    curvature, optimum = least_squares(seed)
    draw, shape = np.random.default_rng(7), (copies, WEIGHTS)

    def gradient(weights: np.ndarray) -> np.ndarray:
        noise = GRADIENT_NOISE * matched_normal(draw, weights.size).reshape(shape)
        return ((weights.reshape(shape) - optimum) @ curvature + noise).ravel()

    name, given = SWEEP[label]
    device = GenericLinear(dw_min=0.002, w_max=TAU, w_min=-TAU, c_lin=c_lin)
    runs = Copies.make(copies * WEIGHTS, device, name, learning_rate=RATE, **given)
    runs.start(np.tile(optimum, copies))
    averages = runs.descend(gradient, steps, keep_after=int(0.6 * steps))
    return float(((averages.mean.reshape(shape).mean(axis=0) - optimum) ** 2).mean())


COARSE = ("Analog SGD", "Residual learning", "Integrating buffer", "Residual learning v2")
COARSE_OPTIMUM = 0.3


def coarse(name: str, dw_min: float, *, copies: int, steps: int) -> Averages:
    """Train a weight of 0.3 on a coarse device: rates 0.05, gamma 0.4, gradient noise 0.3, read noise 0.06.

    "Integrating buffer" is residual learning v2 with the buffer of Tiki-Taka v2, which does not leak.
    """
    rates = {"fast_rate": 0.05, "transfer_rate": 0.05, "gamma": 0.4}
    algorithm, learning_rate, given = {
        "Analog SGD": ("analog_sgd", 0.05, {}),
        "Residual learning": ("tiki_taka_v1", 1.0, rates),
    }.get(name, ("residual_learning_v2", 1.0, rates))
    periphery = Periphery(output_noise=0.06)  # of transfer reads alone: the driver looks at the weights themselves
    device = SoftBounds(dw_min=dw_min)
    runs = Copies.make(copies, device, algorithm, learning_rate=learning_rate, periphery=periphery, **given)
    if name == "Integrating buffer":
        transfer = BufferedTransfer(source=1, target=0, rate=0.05, columns=1, threshold=1.0, momentum=0.0, forget=False)
        runs.plan = [Update(target=1, rate=0.05), transfer]
    draw = np.random.default_rng(3)

    def gradient(weights: np.ndarray) -> np.ndarray:
        return weights - COARSE_OPTIMUM + 0.3 * draw.standard_normal(copies)

    return runs.descend(gradient, steps, keep_after=steps // 2)
