"""Analog SGD on a scalar quadratic, from the formulas of the papers alone: no tile, no device record, no pulses.

A device is two functions q₊ and q₋; F = (q₋ + q₊) / 2 and G = (q₋ - q₊) / 2. The loss is (w - w*)² / 2 and its
gradient has Gaussian noise. Wu et al., arXiv:2502.06309, sections 1 and 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import erf

Response = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Quadratic:
    """One row of the study: a device, its optimum and the noise of the gradient.

    `family` and `parameters` name the product's device; `up` and `down` are the formulas of the paper.
    """

    name: str
    family: str
    parameters: dict[str, float]
    up: Response
    down: Response
    optimum: float
    noise: float
    elsewhere: float  # where an independent simulation of 4000 copies settled

    def symmetric(self, weight: np.ndarray) -> np.ndarray:
        """Return F."""
        return (self.down(weight) + self.up(weight)) / 2

    def asymmetric(self, weight: np.ndarray) -> np.ndarray:
        """Return G."""
        return (self.down(weight) - self.up(weight)) / 2

    def step(self, weight: np.ndarray, change: np.ndarray) -> np.ndarray:
        """Return w + Δ F(w) - |Δ| G(w) (Wu et al., Eq. 5)."""
        return weight + change * self.symmetric(weight) - np.abs(change) * self.asymmetric(weight)

    def descend_without_noise(self, marks: Sequence[int], *, rate: float) -> np.ndarray:
        """Return the weight after some numbers of steps with exact gradients, from a start at 0; (marks, 1)."""
        weight, found = np.zeros(1), []
        for number in range(1, max(marks) + 1):
            weight = self.step(weight, -rate * (weight - self.optimum))
            if number in marks:
                found.append(weight)
        return np.array(found)

    def root(self) -> float:
        """Return where T(w) = E g + E|g| G / F vanishes: Analog SGD stays there on average."""

        def drift(weight: float) -> float:
            slope = weight - self.optimum
            ratio = float(self.asymmetric(np.array(weight)) / self.symmetric(np.array(weight)))
            return slope + mean_magnitude(slope, self.noise) * ratio

        bound = self.parameters["w_max"]
        return float(brentq(drift, -0.999 * bound, 0.999 * bound, xtol=1e-14))

    def linearised(self) -> float:
        """Return the root for a symmetric point close to the optimum (Eq. 43)."""
        bound = self.parameters["w_max"]
        point = float(brentq(lambda weight: float(self.asymmetric(np.array(weight))), -0.9 * bound, 0.9 * bound))
        around = point + 1e-5 * bound * np.array([-1.0, 1.0])
        ratios = self.asymmetric(around) / self.symmetric(around)
        pull = mean_magnitude(0.0, self.noise) * float(ratios[1] - ratios[0]) / float(around[1] - around[0])
        return (self.optimum + pull * point) / (1 + pull)


def mean_magnitude(mean: float, deviation: float) -> float:
    """Return E|m + σ ξ| for a standard normal ξ."""
    ratio = mean / deviation
    return deviation * math.sqrt(2 / math.pi) * math.exp(-(ratio**2) / 2) + mean * float(erf(ratio / math.sqrt(2)))


def _row(family: str, tau: float, optimum: float, noise: float, elsewhere: float, shape: float = 0.0) -> Quadratic:
    bounds = {"w_max": tau, "w_min": -tau}
    if family == "power_response":
        up, down = (lambda w: (1 - w / tau) ** shape), (lambda w: (1 + w / tau) ** shape)
        extra, name = {"gamma_r": shape}, f"power, γ {shape:g}"
    elif family == "exponential_response":
        scale = math.exp(shape) - 1
        up, down = (
            (lambda w: (np.exp(shape * (1 - w / tau)) - 1) / scale),
            (lambda w: (np.exp(shape * (1 + w / tau)) - 1) / scale),
        )
        extra, name = {"gamma_r": shape}, f"exponential, γ {shape:g}"
    else:
        up, down = (lambda w: (1 + shape) * (1 - w / tau)), (lambda w: (1 - shape) * (1 + w / tau))
        extra, name = ({"c_lin": shape}, f"linear, c {shape:g}") if shape else ({}, "linear")
    return Quadratic(f"{name}, τ {tau:g}, σ {noise:g}", family, bounds | extra, up, down, optimum, noise, elsewhere)


ROWS = (
    _row("soft_bounds", 1.0, 0.3, 0.3, 0.2414),
    _row("soft_bounds", 1.0, 0.3, 1.0, 0.1660),
    _row("generic_linear", 1.0, 0.5, 0.5, 0.4084, 0.2),
    _row("soft_bounds", 3.5, 0.5, 1.0, 0.4067),
    _row("power_response", 0.6, 0.3, 0.5, 0.2224, 0.5),
    _row("power_response", 0.6, 0.3, 0.5, 0.1279, 2.0),
    _row("exponential_response", 0.6, 0.3, 0.5, 0.1453, 1.0),
    _row("exponential_response", 0.1, 0.03, 0.05, 0.01145, 4.0),
)


# Two-tile methods on a least-squares problem, section 4.3: generic linear devices, F = 1 - c w/τ, G = w/τ - c.

TAU, RATE, GRADIENT_NOISE, SAMPLES, WEIGHTS = 3.5, 0.02, 0.5, 100, 50
MIXING = {"Tiki-Taka v1": 0.0, "Residual learning": 0.4}  # gamma


def least_squares(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return curvature and optimum of one draw of the problem."""
    draw = np.random.default_rng(seed)
    samples = draw.standard_normal((SAMPLES, WEIGHTS))
    return samples.T @ samples / SAMPLES, draw.normal(0, 0.5, WEIGHTS)


def least_squares_bias(label: str, c_lin: float, *, steps: int, seed: int, copies: int = 4) -> float:
    """Return |E w - w*|² / D of Analog SGD or a two-tile method from a start at the optimum, from the last half."""
    curvature, optimum = least_squares(seed)
    draw = np.random.default_rng(1)
    weight, residual = np.tile(optimum, (copies, 1)), np.zeros((copies, WEIGHTS))
    gamma, total = MIXING.get(label, 0.0), np.zeros(WEIGHTS)

    def step(weights: np.ndarray, change: np.ndarray) -> np.ndarray:
        return weights + change * (1 - c_lin * weights / TAU) - np.abs(change) * (weights / TAU - c_lin)

    for number in range(steps):
        noise = GRADIENT_NOISE * draw.standard_normal((copies // 2, WEIGHTS))
        read = weight + gamma * residual
        change = -RATE * ((read - optimum) @ curvature + np.concatenate([noise, -noise]))
        if label in MIXING:
            residual = step(residual, change)
            weight = step(weight, RATE * residual)
        else:
            weight = step(weight, change)
        if number >= steps // 2:
            total += (weight + gamma * residual).mean(axis=0)
    return float(((total / (steps - steps // 2) - optimum) ** 2).mean())
