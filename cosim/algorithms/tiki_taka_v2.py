"""Tiki-Taka version 2: a fast tile takes the gradient, a digital buffer filters it, pulses reach the weight."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from cosim.algorithms.algorithm import Algorithm, Parameters
from cosim.plan import Backward, BufferedTransfer, Forward, Plan, Update
from cost_model.floorplan import MatrixShape, StorageNeeds

SLOW, FAST = 0, 1


class TikiTakaV2Parameters(Parameters):
    """Parameters of Tiki-Taka v2; the defaults are those of the papers' baseline."""

    name: Literal["tiki_taka_v2"] = "tiki_taka_v2"
    weight_scale: float = Field(1.0, gt=0, le=10, description="kappa: logical weight of a device weight of 1")
    fast_rate: float = Field(0.1, ge=0, description="rate of the fast tile, constant")
    transfer_rate: float = Field(1.0, ge=0, description="rate of the buffer, times the learning rate")
    transfer_every: int = Field(1, ge=1, description="period in mini-batches")
    transfer_columns: int = Field(1, ge=1, description="columns per transfer")
    threshold: float = Field(1.0, gt=0, description="of the buffer, in granularities of the slow tile")
    momentum: float = Field(0.1, ge=0, le=1, description="what the buffer keeps after a pulse")


class TikiTakaV2(Algorithm):
    """The fast tile is hidden from reads; H <- H + rate x column, one pulse where |H| passes the threshold.

    References
    ----------
    T. Gokmen, Front. Artif. Intell. 4 (2021); buffered transfer with a forgetting buffer.
    """

    name: ClassVar[str] = "tiki_taka_v2"
    parameters_type: ClassVar[type[Parameters]] = TikiTakaV2Parameters
    summary: ClassVar[str] = "fast tile, digital buffer, thresholded transfer to the slow tile"

    @property
    def significances(self) -> tuple[float, ...]:
        """The slow tile carries the weight, the fast one is not read with it."""
        return self.parameters.weight_scale, 0.0

    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Forward, backward, pulsed update of the fast tile, buffered transfer of its next columns."""
        own = self.parameters
        return (
            Forward(),
            Backward(),
            Update(tile=FAST, rate=own.fast_rate),
            BufferedTransfer(
                source=FAST,
                target=SLOW,
                rate=own.transfer_rate * learning_rate,
                columns=min(own.transfer_columns, shape.inputs),
                threshold=own.threshold,
                momentum=own.momentum,
                every=own.transfer_every,
            ),
        )

    def storage(self, batch_size: int) -> StorageNeeds:
        """Keep one digital buffer of the size of the weight."""
        return StorageNeeds(matrices=1)
