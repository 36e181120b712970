"""AGAD: chopped Tiki-Taka whose reference is measured on the fly, so that no symmetric point has to be calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from cosim.algorithms.algorithm import Algorithm, Parameters
from cosim.algorithms.chopped_tiki_taka_v2 import (
    ChoppedUpdate,
    ChopperParameters,
    input_signs,
    next_visit,
    visits_per_period,
)
from cosim.algorithms.tiki_taka_v2 import FAST, SLOW, due_pulses
from cosim.plan import Backward, Columns, ColumnTransfer, Forward, Plan, Values
from cost_model.floorplan import MatrixShape, StorageNeeds
from cost_model.operations import PulseActivity, TransferWork

if TYPE_CHECKING:  # the pricing path stays free of compiled kernels
    from cosim.tile_group import TileGroup


@dataclass(frozen=True, kw_only=True)
class ReferencedTransfer(ColumnTransfer):
    """H <- H + rate / granularity x chopper x (column - past mean); one pulse where |H| reaches 1.

    A running mean of each column is kept; when the chopper flips, it becomes the reference of the next period: then
    the gradient has the other sign and the offset has not. Nothing is written in the first period.
    """

    rate: float
    momentum: float
    forget: bool
    probability: float
    random: bool
    tail_weight: float
    # Reference, sign and running mean make six operations on three matrices (Rasch et al. 2024, Table 1).
    work: ClassVar[TransferWork] = TransferWork(operations=6, accesses=6.25, comparisons=1)

    def write(self, group: TileGroup, columns: Columns, values: Values) -> PulseActivity:
        """Filter the columns through reference and buffer."""
        buffer, mean, past = (group.digital_matrix(name) for name in ("buffer", "running_mean", "past_mean"))
        signs = input_signs(group)
        flipped = group.digital_array("flipped", (group.shape[1],))
        period = visits_per_period(self.probability)
        before = next_visit(group, columns)
        fresh = columns[flipped[columns] > 0]
        past[:, fresh] = mean[:, fresh]
        rate = np.float32(self.rate / group.tiles[self.source].device.granularity)
        level = buffer[:, columns].T + rate * signs[columns, None] * (values - past[:, columns].T)
        due, kept = due_pulses(level, 1.0, self.momentum, self.forget)
        buffer[:, columns] = kept.T
        share = np.float32(min(self.tail_weight / period, 1.0))
        mean[:, columns] = (1 - share) * mean[:, columns] + share * values.T
        flips = before % period == period - 1
        if self.random:
            flips |= group.uniform(len(columns)) < self.probability
        signs[columns] = np.where(flips, -signs[columns], signs[columns])
        flipped[columns] = flips
        due[before <= period] = 0
        return group.pulse_columns(self.target, columns, due)


class AgadParameters(ChopperParameters):
    """Parameters of AGAD; the defaults are those of the reference simulator."""

    name: Literal["agad"] = "agad"
    chop_probability: float = Field(0.1, gt=0, le=1, description="of an input line, each time its column is read")
    chop_random: bool = Field(False, description="flip at random too, or only regularly with that frequency")
    tail_weight: float = Field(5.0, gt=0, description="the running mean covers 1/tail_weight of a chopper period")


class Agad(Algorithm):
    """Analog gradient accumulation with dynamic reference.

    References
    ----------
    M. Rasch et al., Nat. Commun. 15:7133 (2024), Eqs. 12 and 13.
    """

    name: ClassVar[str] = "agad"
    parameters_type: ClassVar[type[Parameters]] = AgadParameters
    summary: ClassVar[str] = "chopped fast tile with a reference measured on the fly; no calibration"

    @property
    def significances(self) -> tuple[float, ...]:
        """The slow tile carries the weight, the fast one is not read with it."""
        return self.parameters.weight_scale, 0.0

    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Forward, backward, chopped update of the fast tile, referenced transfer of its next columns."""
        own = self.parameters
        return (
            Forward(),
            Backward(),
            ChoppedUpdate(target=FAST, rate=own.fast_rate, auto_scale=own.auto_scale),
            ReferencedTransfer(
                source=FAST,
                target=SLOW,
                rate=own.buffer_rate(shape, learning_rate),
                columns=min(own.transfer_columns, shape.inputs),
                every=own.transfer_every,
                momentum=own.momentum,
                forget=own.forget_buffer,
                probability=own.chop_probability,
                random=own.chop_random,
                tail_weight=own.tail_weight,
            ),
        )

    def storage(self, batch_size: int) -> StorageNeeds:
        """Keep the buffer, the running mean and the reference, each of the size of the weight."""
        return StorageNeeds(matrices=3)
