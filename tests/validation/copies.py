"""Many copies of a scalar problem, one in each row of a matrix with one column, trained by the product's steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from cosim.algorithms import ALGORITHMS
from cosim.periphery import Periphery
from cosim.plan import Forward, Step
from cosim.tile import PulsedUpdate
from cosim.tile_group import TileGroup
from cost_model.floorplan import MatrixShape
from device_models import PulsedDevice

Gradient = Callable[[np.ndarray], np.ndarray]


@dataclass
class Copies:
    """A matrix of copies and what an algorithm does to it in one step."""

    group: TileGroup
    plan: list[Step]

    @classmethod
    def make(
        cls,
        count: int,
        device: PulsedDevice,
        name: str,
        *,
        learning_rate: float = 1.0,
        update: PulsedUpdate | None = None,
        periphery: Periphery | None = None,
        **parameters: Any,
    ) -> Copies:
        """Return copies that are trained by an algorithm of the product."""
        algorithm = ALGORITHMS[name]
        rules = algorithm(algorithm.parameters_type(name=name, **parameters))
        group = TileGroup(
            (count, 1), device, significances=rules.significances, seed=1, update=update, periphery=periphery
        )
        plan = rules.plan(MatrixShape("copies", count, 1), learning_rate)
        return cls(group, [step for step in plan if not isinstance(step, Forward)])

    def start(self, weights: float | np.ndarray) -> None:
        """Program the weights, float or (copies,)."""
        self.group.set_weights(np.full(self.group.shape, np.reshape(weights, (-1, 1))))

    def descend(self, gradient: Gradient, steps: int, *, keep_after: int) -> Averages:
        """Train, with the exact composite weight and input 1, and average over the steps after some."""
        layer: Any = SimpleNamespace(matrix=self.group, inputs=np.ones((1, 1), dtype=np.float32), errors=None)
        total, squares = np.zeros(self.group.shape[0]), np.zeros(self.group.shape[0])
        pulses = 0.0
        for number in range(1, steps + 1):
            weights = self.group.weights[:, 0].astype(float)
            layer.errors = np.ascontiguousarray(gradient(weights)[None], dtype=np.float32)
            activities = perform(self.plan, layer, number)
            if number > keep_after:
                weights = self.group.weights[:, 0].astype(float)
                total += weights
                squares += weights**2
                pulses += sum(activity.coincidences for kind, activity in activities if kind == "transfer")
        kept = steps - keep_after
        return Averages(total / kept, squares / kept, pulses / kept / len(total))


@dataclass(frozen=True)
class Averages:
    """Time averages of w and w², each (copies,), and transfer pulses per step and copy."""

    mean: np.ndarray
    mean_square: np.ndarray
    transfer_pulses: float

    def error(self, optimum: float | np.ndarray) -> np.ndarray:
        """Return the time average of (w - w*)² of every copy."""
        return self.mean_square - 2 * optimum * self.mean + optimum**2


def perform(plan: Iterable[Step], layer: Any, number: int) -> list[tuple[str, Any]]:
    """Do the steps of one mini-batch in order, as the scheduler does, and return what they did."""
    return [(step.kind, step.perform(layer)) for step in plan if number % step.every == 0]


def matched_normal(draw: np.random.Generator, count: int) -> np.ndarray:
    """Return normal numbers in antithetic pairs: their mean is exactly 0, which quietens every average."""
    half = draw.standard_normal(count // 2)
    return np.concatenate([half, -half])
