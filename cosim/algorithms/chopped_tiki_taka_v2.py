"""Chopped Tiki-Taka version 2: signs of input lines flip now and then, so that offsets of the fast tile cancel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from cosim.algorithms.algorithm import Algorithm, Parameters
from cosim.algorithms.tiki_taka_v2 import FAST, SLOW, due_pulses
from cosim.plan import Activity, Backward, Columns, ColumnTransfer, Forward, Plan, Update, Values
from cost_model.floorplan import MatrixShape, StorageNeeds
from cost_model.operations import PulseActivity, TransferWork

if TYPE_CHECKING:  # the pricing path stays free of compiled kernels
    from cosim.layers import Layer
    from cosim.tile_group import TileGroup

AVERAGE_RATE = 0.01  # of the running maxima, per mini-batch
VISITS_MIN = 2


def input_signs(group: TileGroup) -> Values:
    """Return the chopper of every input line, ±1, float32 (inputs,)."""
    return group.digital_array("input_chopper", (group.shape[1],), 1.0)


def output_signs(group: TileGroup) -> Values:
    """Return the chopper of every output line, ±1, float32 (outputs,)."""
    return group.digital_array("output_chopper", (group.shape[0],), 1.0)


def visits_per_period(probability: float) -> int:
    """Return after how many visits of a column a regular chopper flips."""
    return max(math.ceil(1 / probability), VISITS_MIN)


def next_visit(group: TileGroup, columns: Columns) -> Values:
    """Count a visit of columns, and return how often each had been visited before."""
    visits = group.digital_array("visits", (group.shape[1],))
    before: Values = visits[columns].copy()
    visits[columns] += 1
    return before


@dataclass(frozen=True, kw_only=True)
class ChoppedUpdate(Update):
    """The pulsed update with the choppers on both sides.

    With `auto_scale` the rate follows the running maxima of inputs and errors, so that the largest update takes
    rate x the longest train.
    """

    auto_scale: bool

    def perform(self, layer: Layer) -> Activity:
        """Pulse the tile with chopped vectors."""
        group = layer.matrix
        rate = self.rate * self._scale(layer) if self.auto_scale else self.rate
        inputs, errors = layer.inputs * input_signs(group), layer.errors * output_signs(group)
        activity: PulseActivity = group.update(self.target, inputs, errors, rate)
        return activity

    def _scale(self, layer: Layer) -> float:
        group = layer.matrix
        maxima = group.digital_array("running_maxima", (2,))
        seen = [float(np.abs(values).max(axis=1).mean()) for values in (layer.inputs, layer.errors)]
        for place, value in enumerate(seen):
            if value > 0:
                weight = AVERAGE_RATE if maxima[place] > 0 else 1.0
                maxima[place] += weight * (value - maxima[place])
        product = float(maxima.prod())
        tile = group.tiles[self.target]
        longest: float = tile.update_settings.max_train_length * tile.device.granularity
        return longest / product if product > 0 else longest


@dataclass(frozen=True, kw_only=True)
class ChoppedTransfer(ColumnTransfer):
    """H <- H + rate / granularity x (chopper x column), one pulse where |H| reaches 1; then the chopper may flip."""

    rate: float
    momentum: float
    forget: bool
    probability: float
    random: bool
    output_probability: float
    # As without choppers; their signs are a quarter of a byte per value more (Rasch et al. 2024, Table 1).
    work: ClassVar[TransferWork] = TransferWork(operations=2, accesses=2.25, comparisons=1)

    def write(self, group: TileGroup, columns: Columns, values: Values) -> PulseActivity:
        """Filter the columns through the buffer, which counts in pulses."""
        buffer, signs = group.digital_matrix("buffer"), input_signs(group)
        rate = np.float32(self.rate / group.tiles[self.source].device.granularity)
        level = buffer[:, columns].T + rate * signs[columns, None] * output_signs(group) * values
        due, kept = due_pulses(level, 1.0, self.momentum, self.forget)
        buffer[:, columns] = kept.T
        activity = group.pulse_columns(self.target, columns, due)
        before = next_visit(group, columns)
        if self.probability > 0:
            period = visits_per_period(self.probability)
            flips = group.uniform(len(columns)) < self.probability if self.random else before % period == period - 1
            signs[columns] = np.where(flips, -signs[columns], signs[columns])
        if self.output_probability > 0 and group.shape[1] - 1 in columns:
            outputs = output_signs(group)
            outputs[group.uniform(len(outputs)) < self.output_probability] *= -1
        return activity


class ChopperParameters(Parameters):
    """What all algorithms with choppers have; the defaults are those of the reference simulator."""

    weight_scale: float = Field(1.0, gt=0, le=10, description="kappa: logical weight of a device weight of 1")
    fast_rate: float = Field(0.1, ge=0, description="rate of the fast tile; with auto_scale, of the longest train")
    auto_scale: bool = Field(False, description="let the rate of the fast tile follow the running maxima")
    transfer_rate: float = Field(1.0, ge=0, description="rate of the buffer, times the learning rate")
    transfer_every: int = Field(1, ge=1, description="period in mini-batches")
    transfer_columns: int = Field(1, ge=1, description="columns per transfer")
    accumulation: float = Field(
        0.0, ge=0, description="mini-batches that a buffer averages over (gamma_0); 0: one granularity per pulse"
    )
    momentum: float = Field(0.0, ge=0, le=1, description="what the buffer keeps after a pulse")
    forget_buffer: bool = Field(True, description="keep momentum x buffer after a pulse, or take the pulse out of it")

    def buffer_rate(self, shape: MatrixShape, learning_rate: float) -> float:
        """Return the rate of the buffer: learning rate x transfer rate x mini-batches between visits / accumulation.

        The buffer counts in pulses, so what is read is divided by the fast tile's granularity too.
        """
        visits = shape.inputs * self.transfer_every / self.transfer_columns
        stretch = self.accumulation / visits if self.accumulation > 0 else 1.0
        return self.transfer_rate * learning_rate / stretch


class ChoppedTikiTakaV2Parameters(ChopperParameters):
    """Parameters of chopped Tiki-Taka v2."""

    name: Literal["chopped_tiki_taka_v2"] = "chopped_tiki_taka_v2"
    chop_probability: float = Field(0.1, ge=0, le=1, description="of an input line, each time its column is read")
    chop_random: bool = Field(True, description="flip at random, or regularly with that frequency")
    output_chop_probability: float = Field(0.0, ge=0, le=1, description="of an output line, after each full pass")


class ChoppedTikiTakaV2(Algorithm):
    """Tiki-Taka v2 whose gradients change sign with the choppers and whose offsets do not.

    References
    ----------
    M. Rasch et al., Nat. Commun. 15:7133 (2024), Eqs. 10, 11, 14 and 15.
    """

    name: ClassVar[str] = "chopped_tiki_taka_v2"
    parameters_type: ClassVar[type[Parameters]] = ChoppedTikiTakaV2Parameters
    summary: ClassVar[str] = "Tiki-Taka v2 with sign choppers against offsets of the fast tile"

    @property
    def significances(self) -> tuple[float, ...]:
        """The slow tile carries the weight, the fast one is not read with it."""
        return self.parameters.weight_scale, 0.0

    def plan(self, shape: MatrixShape, learning_rate: float) -> Plan:
        """Forward, backward, chopped update of the fast tile, chopped transfer of its next columns."""
        own = self.parameters
        return (
            Forward(),
            Backward(),
            ChoppedUpdate(target=FAST, rate=own.fast_rate, auto_scale=own.auto_scale),
            ChoppedTransfer(
                source=FAST,
                target=SLOW,
                rate=own.buffer_rate(shape, learning_rate),
                columns=min(own.transfer_columns, shape.inputs),
                every=own.transfer_every,
                momentum=own.momentum,
                forget=own.forget_buffer,
                probability=own.chop_probability,
                random=own.chop_random,
                output_probability=own.output_chop_probability,
            ),
        )

    def storage(self, batch_size: int) -> StorageNeeds:
        """Keep one digital buffer of the size of the weight."""
        return StorageNeeds(matrices=1)
