"""Tiki-Taka version 2: a fast tile takes the gradient, a digital buffer filters it, pulses reach the weight."""

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

SLOW, FAST = 0, 1


def due_pulses(level: Values, threshold: float, momentum: float, forget: bool) -> tuple[Values, Values]:
    """Return the pulses that a buffer owes, -1, 0 or 1, and what it keeps.

    One pulse where |level| reaches the threshold. Then the buffer keeps momentum x level if it forgets, else it is
    lowered by (1 - momentum) thresholds.
    """
    due = np.sign(level) * (np.abs(level) >= threshold)
    kept = momentum * level if forget else level - (1 - momentum) * threshold * due
    return due.astype(np.float32), np.where(due != 0, kept, level).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class BufferedTransfer(ColumnTransfer):
    """H <- H + rate x column; one pulse to the target where |H| reaches `threshold` of its granularities."""

    rate: float
    threshold: float
    momentum: float
    forget: bool
    # Per value a product, a sum and a comparison; the buffer is read and written (Rasch et al. 2024, Table 1).
    work: ClassVar[TransferWork] = TransferWork(operations=2, accesses=2, comparisons=1)

    def write(self, group: TileGroup, columns: Columns, values: Values) -> PulseActivity:
        """Filter the columns through the buffer."""
        buffer = group.digital_matrix("buffer")
        threshold = self.threshold * group.tiles[self.target].device.granularity
        level = buffer[:, columns].T + np.float32(self.rate) * values
        due, kept = due_pulses(level, threshold, self.momentum, self.forget)
        buffer[:, columns] = kept.T
        return group.pulse_columns(self.target, columns, due)


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
    forget_buffer: bool = Field(True, description="keep momentum x buffer after a pulse, or take the pulse out of it")
    zero_shift_pulses: int = Field(0, ge=0, description="pulses that find the fast tile's symmetric point; 0: none")


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

    @property
    def zero_symmetric_tiles(self) -> tuple[int, ...]:
        """The fast tile: its rest value would be transferred as a gradient."""
        return (FAST,)

    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Forward, backward, pulsed update of the fast tile, buffered transfer of its next columns."""
        own = self.parameters
        return (
            Forward(),
            Backward(),
            Update(target=FAST, rate=own.fast_rate),
            BufferedTransfer(
                source=FAST,
                target=SLOW,
                rate=own.transfer_rate * learning_rate,
                columns=min(own.transfer_columns, shape.inputs),
                threshold=own.threshold,
                momentum=own.momentum,
                forget=own.forget_buffer,
                every=own.transfer_every,
            ),
        )

    def storage(self, batch_size: int) -> StorageNeeds:
        """Keep one digital buffer of the size of the weight."""
        return StorageNeeds(matrices=1)
