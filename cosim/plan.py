"""The steps that an algorithm can ask for; the scheduler performs them and writes them to the trace.

A step says what it does to a layer, what that activates, and what pricing assumes where nothing is trained. An
algorithm may bring a step of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cost_model import operations
from cost_model.floorplan import LayerFloorplan
from cost_model.operations import NO_WORK, Counts, PulseActivity, ReadActivity, TransferWork

if TYPE_CHECKING:  # the pricing path stays free of compiled kernels
    from cosim.layers import Layer
    from cosim.tile_group import TileGroup

Activity = ReadActivity | PulseActivity
ValueOf = Callable[[str], Any]
Columns = npt.NDArray[np.int64]
Values = npt.NDArray[np.float32]


class Step(ABC):
    """One operation of a training step.

    `every` is a period in mini-batches: it happens after mini-batch every, 2 every, 3 every and so on. What steps of
    one kind do to one tile of a layer is added up, so two of them may differ in rates and sizes alone.
    """

    every: int = 1
    kind: ClassVar[str]

    @property
    def size(self) -> int:
        """Columns that it moves each time; 1 for what has no such size."""
        return 1

    @property
    @abstractmethod
    def tile(self) -> str:
        """Where it acts, as the trace names it: ``all``, a tile, ``source>target``, ``buffer`` or ``digital``."""

    @abstractmethod
    def counts(self, floor: LayerFloorplan, activity: Activity, times: float) -> Counts:
        """Return what it activates in a floorplan; see `cost_model.operations`.

        Linear: the counts of a sum of activities and times are the sum of their counts.

        Parameters
        ----------
        floor
            The layer on its arrays.
        activity
            What happened, added up over mini-batches.
        times
            How many mini-batches it was done in, times its size.
        """

    @abstractmethod
    def assumed(self, floor: LayerFloorplan, number: ValueOf, vectors: float, times: float) -> Activity:
        """Return the activity that pricing without training assumes; it does not depend on the arrays.

        Parameters
        ----------
        floor
            The layer on its arrays.
        number
            Returns an ``activity_…`` value of the price list.
        vectors
            Vectors of all mini-batches together.
        times
            How often the step happens, times its size.
        """

    @abstractmethod
    def describe(self) -> str:
        """Return the step as a few words."""

    def perform(self, layer: Layer) -> Activity:
        """Do it to a layer after a forward and a backward pass, and return what happened."""
        raise NotImplementedError(f"{type(self).__name__} is performed by the network")


def assumed_read(floor: LayerFloorplan, number: ValueOf, vectors: float, *, forward: bool) -> ReadActivity:
    """Return the lines that pricing assumes to be driven."""
    driven, _ = floor.sides(forward)
    lines = vectors * driven.lines * number("activity_input_density")
    return ReadActivity(vectors, lines, lines * number("activity_drive"))


@dataclass(frozen=True)
class Forward(Step):
    """Read the composite weight with the inputs of the layer; `tiles` are read together, 0 for a digital weight."""

    tiles: int = 0
    kind: ClassVar[str] = "forward"
    forward: ClassVar[bool] = True

    @property
    def tile(self) -> str:
        """All tiles, or the digital weight."""
        return "all" if self.tiles else "digital"

    def counts(self, floor: LayerFloorplan, activity: Activity, times: float) -> Counts:
        """Return the counts of a read."""
        if not self.tiles:
            product = operations.digital_matrix_counts(floor, activity.vectors, mini_batches=times, update=False)
            return product + operations.moved_counts(floor, activity.vectors, forward=self.forward)
        assert isinstance(activity, ReadActivity)
        return operations.read_counts(floor, activity, tiles=self.tiles, forward=self.forward)

    def assumed(self, floor: LayerFloorplan, number: ValueOf, vectors: float, times: float) -> Activity:
        """Return the lines that are assumed to be driven."""
        return assumed_read(floor, number, vectors, forward=self.forward)

    def describe(self) -> str:
        """Return ``forward``."""
        return self.kind


@dataclass(frozen=True)
class Backward(Forward):
    """Read the composite weight the other way with the errors of the layer."""

    kind: ClassVar[str] = "backward"
    forward: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class Update(Step):
    """Rank-1 updates of one tile by pulse coincidence, one per vector, in order.

    A `counted` one tells the algorithm how many device pulses it gave: per slot, the number of pulsed input lines times
    the number of pulsed output lines, added up.
    """

    target: int
    rate: float
    counted: bool = False
    kind: ClassVar[str] = "update"

    @property
    def tile(self) -> str:
        """The tile."""
        return str(self.target)

    def perform(self, layer: Layer) -> Activity:
        """Pulse the tile."""
        activity: PulseActivity = layer.matrix.update(self.target, layer.inputs, layer.errors, self.rate)
        return activity

    def counts(self, floor: LayerFloorplan, activity: Activity, times: float) -> Counts:
        """Return the counts of pulsed rank-1 updates."""
        assert isinstance(activity, PulseActivity)
        return operations.update_counts(floor, activity, counted=self.counted)

    def assumed(self, floor: LayerFloorplan, number: ValueOf, vectors: float, times: float) -> Activity:
        """Return the assumed slots and hits."""
        inputs, outputs = floor.shape.inputs, floor.shape.outputs
        fires, slots = number("activity_pulse_probability"), vectors * number("activity_update_slots")
        hits = slots * inputs * outputs * fires * fires
        return PulseActivity(vectors, slots, slots * inputs * fires, slots * outputs * fires, hits, hits)

    def describe(self) -> str:
        """Return tile and rate."""
        return f"update of tile {self.target} (rate {self.rate:g})"


@dataclass(frozen=True, kw_only=True)
class ColumnTransfer(Step):
    """Read the next columns of one tile, make of them what a rule says, and pulse another tile.

    A subclass is the rule: `write` gets the columns as the converter gave them.
    """

    source: int
    target: int
    columns: int
    every: int = 1
    kind: ClassVar[str] = "transfer"
    # Digital work per element of a column, and the price-list name of the assumed train length.
    work: ClassVar[TransferWork] = NO_WORK
    slots: ClassVar[str] = "activity_buffer_slots"

    @property
    def tile(self) -> str:
        """``source>target``."""
        return f"{self.source}>{self.target}"

    @property
    def size(self) -> int:
        """Columns."""
        return self.columns

    @abstractmethod
    def write(self, group: TileGroup, columns: Columns, values: Values) -> PulseActivity:
        """Pulse the target with what was read, float32 (columns, outputs)."""

    def perform(self, layer: Layer) -> Activity:
        """Read, then write."""
        group = layer.matrix
        columns = group.next_columns(self.source, self.columns)
        return self.write(group, columns, group.read_columns(self.source, columns))

    def counts(self, floor: LayerFloorplan, activity: Activity, times: float) -> Counts:
        """Return the counts of column reads, digital work and pulses."""
        assert isinstance(activity, PulseActivity)
        return operations.transfer_counts(floor, activity, reads=times, work=self.work)

    def assumed(self, floor: LayerFloorplan, number: ValueOf, vectors: float, times: float) -> Activity:
        """Return the assumed slots and hits."""
        slots = times * number(self.slots)
        hits = slots * floor.shape.outputs * number("activity_pulse_probability")
        return PulseActivity(times, slots, slots, hits, hits, hits)

    def describe(self) -> str:
        """Return tiles, columns and period."""
        return f"transfer {self.tile} ({self.columns} columns, every {self.every})"


@dataclass(frozen=True, kw_only=True)
class Transfer(ColumnTransfer):
    """Add rate times the column to the target by trains of pulses; the source keeps its content.

    References
    ----------
    Li et al., arXiv:2510.02516, Eq. 7 and Appendix I.1.
    """

    rate: float
    slots: ClassVar[str] = "activity_transfer_slots"

    def write(self, group: TileGroup, columns: Columns, values: Values) -> PulseActivity:
        """Pulse the target with rate times the column."""
        return group.add_to_columns(self.target, columns, values, self.rate)

    def describe(self) -> str:
        """Return tiles, columns, rate and period."""
        return f"transfer {self.tile} ({self.columns} columns, rate {self.rate:g}, every {self.every})"


@dataclass(frozen=True, kw_only=True)
class Accumulate(Step):
    """Add the outer products, times the rate, to a digital matrix."""

    rate: float
    kind: ClassVar[str] = "update"

    @property
    def tile(self) -> str:
        """The digital matrix."""
        return "buffer"

    def perform(self, layer: Layer) -> Activity:
        """Add them up."""
        layer.matrix.accumulate(layer.inputs, layer.errors, self.rate)
        return ReadActivity(len(layer.inputs), 0, 0)

    def counts(self, floor: LayerFloorplan, activity: Activity, times: float) -> Counts:
        """Return the digital work."""
        return operations.outer_product_counts(floor, activity.vectors, mini_batches=times)

    def assumed(self, floor: LayerFloorplan, number: ValueOf, vectors: float, times: float) -> Activity:
        """Return the vectors."""
        return ReadActivity(vectors, 0, 0)

    def describe(self) -> str:
        """Return the rate."""
        return f"outer products to the digital matrix (rate {self.rate:g})"


@dataclass(frozen=True, kw_only=True)
class WriteBuffer(Step):
    """Pulse the whole multiples of the granularity out of the digital matrix onto a tile."""

    target: int
    every: int = 1
    kind: ClassVar[str] = "transfer"

    @property
    def tile(self) -> str:
        """``buffer>target``."""
        return f"buffer>{self.target}"

    def perform(self, layer: Layer) -> Activity:
        """Scan, and pulse the rows that are due."""
        activity: PulseActivity = layer.matrix.write_buffer(self.target)
        return activity

    def counts(self, floor: LayerFloorplan, activity: Activity, times: float) -> Counts:
        """Return the counts of the scan and the pulses."""
        assert isinstance(activity, PulseActivity)
        return operations.buffer_write_counts(floor, activity, writes=times)

    def assumed(self, floor: LayerFloorplan, number: ValueOf, vectors: float, times: float) -> Activity:
        """Return the assumed slots and hits."""
        slots = times * floor.shape.outputs * number("activity_buffer_slots")
        hits = slots * floor.shape.inputs * number("activity_pulse_probability")
        return PulseActivity(times * floor.shape.outputs, slots, hits, slots, hits, hits)

    def describe(self) -> str:
        """Return tile and period."""
        return f"write of the digital matrix to tile {self.target} (every {self.every})"


@dataclass(frozen=True, kw_only=True)
class DigitalUpdate(Step):
    """Subtract the outer products, times the rate, from a digital weight."""

    rate: float
    kind: ClassVar[str] = "update"

    @property
    def tile(self) -> str:
        """The digital weight."""
        return "digital"

    def perform(self, layer: Layer) -> Activity:
        """Subtract them."""
        layer.matrix.add_outer_products(layer.inputs, layer.errors, self.rate)
        return ReadActivity(len(layer.inputs), 0, 0)

    def counts(self, floor: LayerFloorplan, activity: Activity, times: float) -> Counts:
        """Return the digital work."""
        return operations.digital_matrix_counts(floor, activity.vectors, mini_batches=times, update=True)

    def assumed(self, floor: LayerFloorplan, number: ValueOf, vectors: float, times: float) -> Activity:
        """Return the vectors."""
        return ReadActivity(vectors, 0, 0)

    def describe(self) -> str:
        """Return the rate."""
        return f"digital update (rate {self.rate:g})"


@dataclass(frozen=True, kw_only=True)
class Refresh(Step):
    """Write worn one-sided pairs again; the scheduler adds it to the plan where the devices need it."""

    every: int = 1
    kind: ClassVar[str] = "refresh"

    @property
    def tile(self) -> str:
        """All tiles."""
        return "all"

    def perform(self, layer: Layer) -> Activity:
        """Read all pairs, reset the worn ones and write their difference."""
        activity: PulseActivity = layer.matrix.refresh()
        return activity

    def counts(self, floor: LayerFloorplan, activity: Activity, times: float) -> Counts:
        """Return the counts of reading both devices of every pair, column by column, and of the pulses."""
        assert isinstance(activity, PulseActivity)
        return operations.transfer_counts(floor, activity, reads=2 * times * floor.shape.inputs * floor.tiles)

    def assumed(self, floor: LayerFloorplan, number: ValueOf, vectors: float, times: float) -> Activity:
        """Return no pulses: how many pairs wear out follows from the training alone."""
        return PulseActivity(0, 0, 0, 0, 0, 0)

    def describe(self) -> str:
        """Return the period."""
        return f"refresh of worn pairs (every {self.every})"


@dataclass(frozen=True, kw_only=True)
class Program(Step):
    """Bring initial weights into one tile before training, by closed-loop pulses, row by row."""

    target: int
    kind: ClassVar[str] = "program"

    @property
    def tile(self) -> str:
        """The tile."""
        return str(self.target)

    def counts(self, floor: LayerFloorplan, activity: Activity, times: float) -> Counts:
        """Return the counts of programming."""
        assert isinstance(activity, PulseActivity)
        pulses, cells = activity.coincidences, activity.cells_touched
        return operations.program_counts(floor, pulses=pulses, cells=cells, rows=activity.vectors)

    def assumed(self, floor: LayerFloorplan, number: ValueOf, vectors: float, times: float) -> Activity:
        """Return nothing: how many pulses initial weights need follows from the devices."""
        return programming(0, 0, 0)

    def describe(self) -> str:
        """Return the tile."""
        return f"programming of tile {self.target}"


@dataclass(frozen=True, kw_only=True)
class Calibrate(Program):
    """Zero-shift one tile before training, and program its reference array to the state found.

    The activity is that of the programming.
    """

    pulses: int
    kind: ClassVar[str] = "calibrate"

    def counts(self, floor: LayerFloorplan, activity: Activity, times: float) -> Counts:
        """Return the counts of alternating pulses on all devices at once, and of the programming."""
        assert isinstance(activity, PulseActivity)
        pulses = times * self.pulses
        return operations.calibration_counts(floor, pulses=pulses, programmed=activity.coincidences, times=times)

    def describe(self) -> str:
        """Return tile and pulses."""
        return f"zero-shifting of tile {self.target} ({self.pulses} pulses)"


def programming(pulses: float, cells: float, rows: float) -> PulseActivity:
    """Return the activity of programming `cells` weights in `rows` rows with `pulses` device pulses."""
    return PulseActivity(rows, 0, pulses, pulses, pulses, cells)


Plan = Sequence[Step]
