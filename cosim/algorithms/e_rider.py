"""E-RIDER: residual learning that tracks the symmetric point of its residual tile while it trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from cosim.algorithms.algorithm import Algorithm, Parameters
from cosim.plan import (
    Activity,
    Backward,
    Columns,
    ColumnTransfer,
    Forward,
    Plan,
    Program,
    Update,
    ValueOf,
    Values,
    programming,
)
from cost_model import operations
from cost_model.floorplan import LayerFloorplan, MatrixShape, StorageNeeds
from cost_model.operations import Counts, PulseActivity, TransferWork

if TYPE_CHECKING:  # the pricing path stays free of compiled kernels
    from cosim.layers import Layer
    from cosim.tile_group import TileGroup

MAIN, RESIDUAL, TRACKER = 0, 1, 2


def chopper(group: TileGroup) -> Values:
    """Return the sign of the residual in the weight, +1 or -1, float32 (1,)."""
    return group.digital_array("chopper", (1,), 1.0)


@dataclass(frozen=True, kw_only=True)
class SignedUpdate(Update):
    """The pulsed update of the residual tile, with the sign of the chopper."""

    def perform(self, layer: Layer) -> Activity:
        """Pulse the tile with chopper x error."""
        group = layer.matrix
        errors = layer.errors * chopper(group)
        activity: PulseActivity = group.update(self.target, layer.inputs, errors, self.rate)
        return activity


@dataclass(frozen=True, kw_only=True)
class TrackedTransfer(ColumnTransfer):
    """W <- W + rate x chopper x (P - tracker) by pulses; the digital mean follows: Q <- (1 - share) Q + share P.

    Both tiles' columns are read; they are counted as twice the columns.
    """

    rate: float
    share: float
    # Difference and sign set the trains; the mean takes two products and a sum on a matrix that is read and written.
    work: ClassVar[TransferWork] = TransferWork(operations=2, accesses=1, comparisons=0)
    slots: ClassVar[str] = "activity_transfer_slots"

    def write(self, group: TileGroup, columns: Columns, values: Values) -> PulseActivity:
        """Move the main tile by the residual, and let the mean follow."""
        residual = values - group.read_columns(TRACKER, columns)
        mean = group.digital_matrix("mean")
        share = np.float32(self.share)
        mean[:, columns] = (1 - share) * mean[:, columns] + share * values.T
        return group.add_to_columns(self.target, columns, chopper(group) * residual, self.rate)

    def counts(self, floor: LayerFloorplan, activity: Activity, times: float) -> Counts:
        """Return the counts with the columns of both tiles."""
        assert isinstance(activity, PulseActivity)
        return operations.transfer_counts(floor, activity, reads=2 * times, work=self.work)


@dataclass(frozen=True, kw_only=True)
class Retrack(Program):
    """With some probability flip the chopper, and program the tracker tile with the digital mean."""

    target: int = TRACKER
    probability: float

    def perform(self, layer: Layer) -> Activity:
        """Flip or not; the counts are those of the pulses that the change of the tracker needs."""
        group = layer.matrix
        if group.uniform(1)[0] >= self.probability:
            return programming(0, 0, 0)
        sign = chopper(group)
        sign *= -1
        tracker = group.tiles[TRACKER]
        before = tracker.weights.copy()
        tracker.set_weights(group.digital_matrix("mean"))
        needed = np.ceil(np.abs(tracker.weights - before) / tracker.device.granularity)
        scale, gain, _ = group.nominal_significances
        group.set_significances((scale, float(sign[0]) * gain, -float(sign[0]) * gain))
        group.recombine()
        pulses, rows = float(needed.sum()), float(np.count_nonzero(needed.any(axis=1)))
        return programming(pulses, float(np.count_nonzero(needed)), rows)

    def assumed(self, floor: LayerFloorplan, number: ValueOf, vectors: float, times: float) -> Activity:
        """Return one pulse per cross-point and flip."""
        flips = times * self.probability
        cells = flips * floor.shape.cells
        return programming(cells, cells, flips * floor.shape.outputs)

    def describe(self) -> str:
        """Return the probability."""
        return f"flip of the chopper and program of the tracker (probability {self.probability:g})"


class ERiderParameters(Parameters):
    """Parameters of E-RIDER; the defaults are those that its authors used for convolutional networks."""

    name: Literal["e_rider"] = "e_rider"
    weight_scale: float = Field(1.0, gt=0, le=10, description="kappa: logical weight of a device weight of 1")
    gamma: float = Field(0.1, gt=0, lt=1, description="weight of the residual in reads")
    fast_rate: float = Field(0.5, ge=0, description="rate of the residual tile, constant")
    transfer_rate: float = Field(0.05, ge=0, description="rate of the transfer, constant")
    transfer_columns: int = Field(1, ge=1, description="columns per mini-batch")
    tracking_share: float = Field(0.05, gt=0, le=1, description="eta: share of a column that enters the digital mean")
    chop_probability: float = Field(0.05, ge=0, le=1, description="of the chopper, per mini-batch; 0 is RIDER")


class ERider(Algorithm):
    """W̄ = W + gamma c (P - Q̃); P takes c x gradient; Q follows P digitally; Q̃ takes Q over when c flips.

    Columns are transferred and tracked in turn, where the source moves whole matrices.

    References
    ----------
    Xiao et al., arXiv:2602.21321, Algorithms 2 and 3.
    """

    name: ClassVar[str] = "e_rider"
    parameters_type: ClassVar[type[Parameters]] = ERiderParameters
    summary: ClassVar[str] = "residual learning that tracks the symmetric point of its residual tile"

    @property
    def significances(self) -> tuple[float, ...]:
        """The main tile carries the weight; residual minus tracker count gamma of it."""
        scale, gamma = self.parameters.weight_scale, self.parameters.gamma
        return scale, scale * gamma, -scale * gamma

    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Forward, backward, signed update of the residual tile, tracked transfer, perhaps a flip."""
        own = self.parameters
        columns = min(own.transfer_columns, shape.inputs)
        return (
            Forward(),
            Backward(),
            SignedUpdate(target=RESIDUAL, rate=own.fast_rate),
            TrackedTransfer(
                source=RESIDUAL, target=MAIN, rate=own.transfer_rate, share=own.tracking_share, columns=columns
            ),
            Retrack(probability=own.chop_probability),
        )

    def storage(self, batch_size: int) -> StorageNeeds:
        """Keep the digital mean, of the size of the weight."""
        return StorageNeeds(matrices=1)
