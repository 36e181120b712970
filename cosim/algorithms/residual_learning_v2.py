"""Residual learning version 2: a leaking digital buffer stands between the residual tile and the weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from cosim.algorithms.algorithm import Algorithm, Parameters
from cosim.plan import Backward, Columns, ColumnTransfer, Forward, Plan, Update, Values
from cost_model.floorplan import MatrixShape, StorageNeeds
from cost_model.operations import PulseActivity, TransferWork

if TYPE_CHECKING:  # the pricing path stays free of compiled kernels
    from cosim.tile_group import TileGroup

MAIN, RESIDUAL = 0, 1


@dataclass(frozen=True, kw_only=True)
class LeakyTransfer(ColumnTransfer):
    """H <- (1 - rate) H + rate x column; where |H| reaches the threshold one pulse, which is taken out of H."""

    rate: float
    threshold: float
    # Two products and a sum, and the pulse taken out again; the buffer is read and written.
    work: ClassVar[TransferWork] = TransferWork(operations=4, accesses=2, comparisons=1)

    def write(self, group: TileGroup, columns: Columns, values: Values) -> PulseActivity:
        """Filter the columns through the leaking buffer."""
        buffer = group.digital_matrix("buffer")
        threshold = np.float32(self.threshold * group.tiles[self.target].device.granularity)
        rate = np.float32(self.rate)
        level = (1 - rate) * buffer[:, columns].T + rate * values
        due = np.sign(level) * (np.abs(level) >= threshold)
        buffer[:, columns] = (level - due * threshold).T
        return group.pulse_columns(self.target, columns, due.astype(np.float32))


class ResidualLearningV2Parameters(Parameters):
    """Parameters of residual learning v2."""

    name: Literal["residual_learning_v2"] = "residual_learning_v2"
    weight_scale: float = Field(1.0, gt=0, le=10, description="kappa: logical weight of a device weight of 1")
    gamma: float = Field(0.4, ge=0, lt=1, description="weight of the residual tile in reads")
    fast_rate: float = Field(0.1, ge=0, description="rate of the residual tile, constant")
    transfer_rate: float = Field(0.1, gt=0, le=1, description="beta: share of a column that enters the buffer")
    transfer_every: int = Field(1, ge=1, description="period in mini-batches")
    transfer_columns: int = Field(1, ge=1, description="columns per transfer")
    threshold: float = Field(1.0, gt=0, description="of the buffer, in granularities of the main tile")
    zero_shift_pulses: int = Field(0, ge=0, description="pulses that find the residual tile's symmetric point; 0: none")


class ResidualLearningV2(Algorithm):
    """W̄ = W + gamma P; P takes the gradient at W̄; W follows P through a leaking buffer with threshold.

    References
    ----------
    Wu et al., arXiv:2502.06309, Eqs. 14 and 15 with the threshold rule of its section 5.
    """

    name: ClassVar[str] = "residual_learning_v2"
    parameters_type: ClassVar[type[Parameters]] = ResidualLearningV2Parameters
    summary: ClassVar[str] = "residual learning on two tiles with a leaking digital buffer and thresholded transfer"

    @property
    def significances(self) -> tuple[float, ...]:
        """The main tile carries the weight, the residual one gamma of it."""
        return self.parameters.weight_scale, self.parameters.weight_scale * self.parameters.gamma

    @property
    def zero_symmetric_tiles(self) -> tuple[int, ...]:
        """The residual tile (Assumption 4)."""
        return (RESIDUAL,)

    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Forward, backward, pulsed update of the residual tile, buffered transfer of its next columns."""
        own = self.parameters
        return (
            Forward(),
            Backward(),
            Update(target=RESIDUAL, rate=own.fast_rate),
            LeakyTransfer(
                source=RESIDUAL,
                target=MAIN,
                rate=own.transfer_rate,
                columns=min(own.transfer_columns, shape.inputs),
                threshold=own.threshold,
                every=own.transfer_every,
            ),
        )

    def storage(self, batch_size: int) -> StorageNeeds:
        """Keep one digital buffer of the size of the weight."""
        return StorageNeeds(matrices=1)
