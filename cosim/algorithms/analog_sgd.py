"""Analog SGD: every sample's gradient goes straight to the one tile by pulse coincidence."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from cosim.algorithms.algorithm import Algorithm, Parameters
from cosim.plan import Backward, Forward, Plan, Update
from cost_model.floorplan import MatrixShape


class AnalogSGDParameters(Parameters):
    """Parameters of Analog SGD."""

    name: Literal["analog_sgd"] = "analog_sgd"
    weight_scale: float = Field(
        1.0,
        gt=0,
        le=10,
        description="logical weight of a device weight of 1 (kappa); the rate acts on the device",
    )


class AnalogSGD(Algorithm):
    """W <- W - rate x gradient by pulses (Wu et al., arXiv:2502.06309, Eq. 2)."""

    name: ClassVar[str] = "analog_sgd"
    parameters_type: ClassVar[type[Parameters]] = AnalogSGDParameters
    summary: ClassVar[str] = "pulsed SGD on one tile"

    @property
    def significances(self) -> tuple[float, ...]:
        """One tile."""
        return (self.parameters.weight_scale,)

    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Forward, backward, pulsed update of the one tile."""
        return Forward(), Backward(), Update(target=0, rate=learning_rate)
