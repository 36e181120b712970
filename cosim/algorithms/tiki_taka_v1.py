"""Tiki-Taka version 1: a fast tile takes the gradient, its columns are added to the weight.

With gamma above 0 the fast tile is read with the weight, W̄ = W + gamma P: residual learning with two tiles.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from cosim.algorithms.algorithm import Algorithm, Parameters
from cosim.plan import Backward, Forward, Plan, Transfer, Update
from cost_model.floorplan import MatrixShape

SLOW, FAST = 0, 1


class TikiTakaV1Parameters(Parameters):
    """Parameters of Tiki-Taka v1; the defaults are those of the papers' baseline."""

    name: Literal["tiki_taka_v1"] = "tiki_taka_v1"
    weight_scale: float = Field(1.0, gt=0, le=10, description="kappa: logical weight of a device weight of 1")
    gamma: float = Field(0.0, ge=0, lt=1, description="weight of the fast tile in reads; 0 hides it")
    fast_rate: float = Field(0.01, ge=0, description="rate of the fast tile, constant")
    transfer_rate: float = Field(0.1, ge=0, description="rate of the transfer, times the learning rate")
    transfer_every: int = Field(1, ge=1, description="period in mini-batches")
    transfer_columns: int = Field(1, ge=1, description="columns per transfer")
    zero_shift_pulses: int = Field(0, ge=0, description="pulses that find the fast tile's symmetric point; 0: none")


class TikiTakaV1(Algorithm):
    """P <- P - rate x gradient by pulses; W <- W + rate x column of P by pulses.

    References
    ----------
    T. Gokmen, W. Haensch, Front. Neurosci. 14:103 (2020); with gamma: Wu et al., arXiv:2502.06309, Eqs. 9 to 11.
    """

    name: ClassVar[str] = "tiki_taka_v1"
    parameters_type: ClassVar[type[Parameters]] = TikiTakaV1Parameters
    summary: ClassVar[str] = "fast tile, its columns added to the slow one; with gamma, residual learning on two tiles"

    @property
    def significances(self) -> tuple[float, ...]:
        """The slow tile carries the weight, the fast one gamma of it."""
        return self.parameters.weight_scale, self.parameters.weight_scale * self.parameters.gamma

    @property
    def zero_symmetric_tiles(self) -> tuple[int, ...]:
        """The fast tile (Wu et al., Assumption 4)."""
        return (FAST,)

    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Forward, backward, pulsed update of the fast tile, transfer of its next columns."""
        own = self.parameters
        return (
            Forward(),
            Backward(),
            Update(target=FAST, rate=own.fast_rate),
            Transfer(
                source=FAST,
                target=SLOW,
                rate=own.transfer_rate * learning_rate,
                columns=min(own.transfer_columns, shape.inputs),
                every=own.transfer_every,
            ),
        )
