"""Mixed precision: gradients add up in a digital matrix, whole granularities of it are pulsed onto the tile."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from cosim.algorithms.algorithm import Algorithm, Parameters
from cosim.plan import Accumulate, Backward, Forward, Plan, WriteBuffer
from cost_model.floorplan import MatrixShape, StorageNeeds


class MixedPrecisionParameters(Parameters):
    """Parameters of mixed precision."""

    name: Literal["mixed_precision"] = "mixed_precision"
    weight_scale: float = Field(1.0, gt=0, le=10, description="kappa: logical weight of a device weight of 1")
    write_every: int = Field(1, ge=1, description="period of the write in mini-batches")


class MixedPrecision(Algorithm):
    """X <- X - rate x gradient digitally; n = trunc(X / dw_min) pulses to the tile, X <- X - n dw_min.

    References
    ----------
    S. Nandakumar et al., Front. Neurosci. 14:406 (2020).
    """

    name: ClassVar[str] = "mixed_precision"
    parameters_type: ClassVar[type[Parameters]] = MixedPrecisionParameters
    summary: ClassVar[str] = "digital gradient matrix, thresholded writes to one tile"

    @property
    def significances(self) -> tuple[float, ...]:
        """One tile."""
        return (self.parameters.weight_scale,)

    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Forward, backward, digital outer products, thresholded write of the whole matrix."""
        return (
            Forward(),
            Backward(),
            Accumulate(rate=learning_rate),
            WriteBuffer(target=0, every=self.parameters.write_every),
        )

    def storage(self, batch_size: int) -> StorageNeeds:
        """Keep the digital matrix, and the vectors of the whole mini-batch (Li et al., Table 5: D² + 2DB)."""
        return StorageNeeds(matrices=1, stored_samples=batch_size)
