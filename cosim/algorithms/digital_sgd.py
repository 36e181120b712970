"""Stochastic gradient descent on a digital weight: the baseline without analog hardware."""

from __future__ import annotations

from typing import ClassVar, Literal

from cosim.algorithms.algorithm import Algorithm, Parameters
from cosim.plan import Backward, DigitalUpdate, Forward, Plan
from cost_model.floorplan import MatrixShape, StorageNeeds


class DigitalSGDParameters(Parameters):
    """Digital SGD has no parameters of its own; its rate is training.learning_rate."""

    name: Literal["digital_sgd"] = "digital_sgd"


class DigitalSGD(Algorithm):
    """W <- W - rate x gradient, in 32-bit floating point."""

    name: ClassVar[str] = "digital_sgd"
    parameters_type: ClassVar[type[Parameters]] = DigitalSGDParameters
    summary: ClassVar[str] = "SGD on a digital weight; no tiles, no device"

    @property
    def significances(self) -> tuple[float, ...]:
        """No tiles."""
        return ()

    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Forward, backward, digital update."""
        return Forward(), Backward(), DigitalUpdate(rate=learning_rate)

    def storage(self, batch_size: int) -> StorageNeeds:
        """Keep the weight, and the vectors of the whole mini-batch."""
        return StorageNeeds(matrices=1, stored_samples=batch_size)
