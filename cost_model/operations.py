"""The vocabulary of priceable operations, and what each of them activates in a floorplan.

Every count is linear in the number of operations, so counts can be added up and priced once. The scheduler
calls these functions for every operation that it performs, in training and in pricing alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cost_model.floorplan import LayerFloorplan
from cost_model.numbers import Number

COUNTING_OPERATIONS = 2  # per slot: pulsed input lines times pulsed output lines, added up

KINDS = ("program", "calibrate", "forward", "backward", "update", "transfer", "refresh", "digital")

COUNTS: dict[str, str] = {
    "performed": "times the operation was performed: vectors read or written, columns or rows transferred",
    "reads": "array reads that follow one another",
    "lines_driven": "lines driven by a non-zero read pulse, on every array that shares the input",
    "cell_reads": "cross-points in the arrays that are read",
    "cell_drive": "cross-points times the duration of their read pulse as a fraction of the longest pulse",
    "dac_conversions": "digital values turned into a read pulse",
    "column_reads": "tile columns (backward: rows) sensed by a TIA",
    "summations": "column outputs that a summing stage integrates over the read pulses, all its tiles at once",
    "summation_rounds": "reads, each of which waits for the summing stages once",
    "sample_holds": "voltages sampled and held for a converter",
    "adc_conversions": "voltages turned into a digital value",
    "adc_rounds": "conversions that follow one another on one converter",
    "pulse_slots": "update pulse slots that follow one another",
    "line_slots": "lines times pulse slots for which their drivers hold a level",
    "pulses": "update pulses driven on input and output lines, on every array that shares the line",
    "half_selects": "cross-points that saw a pulse on one of their two lines only, per pulse",
    "coincidences": "device pulses: both lines of a cross-point pulsed in one slot",
    "cells_touched": "cross-points that received at least one device pulse, per vector",
    "shift_adds": "converted values shifted and added to those of the input's lower bits",
    "accumulations": "digital additions of partial sums from several arrays or converters",
    "digital_operations": "floating-point operations on vectors",
    "buffer_operations": "floating-point operations on digital matrices",
    "comparisons": "threshold comparisons on digital matrices",
    "register_bytes": "bytes of vectors moved to or from registers",
    "bus_bytes": "bytes of vectors moved from one layer to the next, or from one side of a layer to the other",
    "off_chip_bytes": "bytes of samples fetched from memory outside the chip",
    "sram_bytes": "bytes of digital matrices moved to or from SRAM",
}


class Counts(dict[str, Number]):
    """What operations activate, by the names of `COUNTS`; what is not there is zero.

    Numbers, or arrays with one number per design.
    """

    def __add__(self, other: Mapping[str, Number]) -> Counts:
        """Return the counts of both."""
        both = Counts(self)
        for name, value in other.items():
            both[name] = both[name] + value if name in both else value
        return both


def counts(**named: Number) -> Counts:
    """Return the named counts.

    Raises
    ------
    ValueError
        If a name is not one of `COUNTS`.
    """
    unknown = [name for name in named if name not in COUNTS]
    if unknown:
        raise ValueError(f"count {unknown[0]!r} is unknown; known: {', '.join(COUNTS)}")
    return Counts(named)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation (or several alike) with its activity.

    Parameters
    ----------
    kind
        One of `KINDS`.
    layer
        Name of the layer.
    tile
        Tile it acts on: ``all``, the index of a tile (0 is the coarsest), or ``source>target``.
    counts
        What it activates.
    dac_bits, adc_bits
        Resolution of the conversions; 0 where there are none.
    """

    kind: str
    layer: str
    tile: str
    counts: Counts
    dac_bits: int = 0
    adc_bits: int = 0


@dataclass(slots=True)
class ReadActivity:
    """What the input lines did in a number of reads.

    Parameters
    ----------
    vectors
        Vectors read.
    lines
        Sum over vectors of the lines with a non-zero input.
    drive
        Sum over vectors and lines of |input| as a fraction of the full scale of the DAC.
    """

    vectors: Number
    lines: Number
    drive: Number

    def __add__(self, other: ReadActivity) -> ReadActivity:
        """Return the activity of both."""
        return ReadActivity(self.vectors + other.vectors, self.lines + other.lines, self.drive + other.drive)


@dataclass(slots=True)
class PulseActivity:
    """What the pulse trains did in a number of rank-1 updates.

    Parameters
    ----------
    vectors
        Rank-1 updates.
    slots
        Sum of the train lengths.
    input_pulses, output_pulses
        Pulses sent on input and output lines.
    coincidences
        Device pulses.
    cells_touched
        Sum over vectors of the cross-points with at least one device pulse.
    """

    vectors: Number
    slots: Number
    input_pulses: Number
    output_pulses: Number
    coincidences: Number
    cells_touched: Number

    def __add__(self, other: PulseActivity) -> PulseActivity:
        """Return the activity of both."""
        return PulseActivity(
            self.vectors + other.vectors,
            self.slots + other.slots,
            self.input_pulses + other.input_pulses,
            self.output_pulses + other.output_pulses,
            self.coincidences + other.coincidences,
            self.cells_touched + other.cells_touched,
        )


@dataclass(frozen=True)
class TransferWork:
    """Digital work on each value of a column that is transferred.

    Parameters
    ----------
    operations
        Floating-point operations on digital matrices.
    accesses
        Elements of digital matrices moved to or from SRAM.
    comparisons
        Threshold comparisons.
    """

    operations: float = 0.0
    accesses: float = 0.0
    comparisons: float = 0.0


NO_WORK = TransferWork()


def read_counts(plan: LayerFloorplan, activity: ReadActivity, *, tiles: int, forward: bool) -> Counts:
    """Return what reading `tiles` tiles together activates; backward, the lines change roles.

    One DAC feeds the same line of all tiles and arrays; the columns of the tiles are summed before one
    converter where converters are shared by tiles (Li et al., arXiv:2510.02516, section 3.3). The stage that sums them
    integrates pulses of different length too, so a single tile needs it as well.
    """
    driven, sensed = plan.sides(forward)
    sets = np.where(plan.shared_by_tiles, 1, tiles)
    vectors, cycles, rules = activity.vectors, plan.input_cycles, plan.conventions
    reads = vectors * cycles
    outputs = reads * sensed.lines * driven.blocks
    driven_lines, drive = activity.lines, activity.drive
    if plan.bit_serial:  # a line is driven in full, for the bits that are one
        driven_lines = drive = activity.lines * cycles * plan.bit_density
    return counts(
        performed=vectors,
        reads=reads,
        lines_driven=driven_lines * sensed.blocks * tiles,
        cell_reads=reads * driven.lines * sensed.lines * tiles,
        cell_drive=drive * sensed.lines * tiles,
        dac_conversions=reads * driven.lines,
        column_reads=outputs * tiles,
        summations=outputs * sets,
        summation_rounds=reads,
        sample_holds=outputs * sets,
        adc_conversions=outputs * sets,
        adc_rounds=reads * plan.adc_rounds(forward),
        shift_adds=outputs * sets if plan.bit_serial else 0.0,
        accumulations=vectors * sensed.lines * (driven.blocks * sets - 1),
        digital_operations=vectors * (driven.lines + sensed.lines),
        register_bytes=vectors * (driven.lines + sensed.lines) * rules.vector_bytes,
    ) + moved_counts(plan, vectors, forward=forward)


def moved_counts(plan: LayerFloorplan, vectors: Number, *, forward: bool) -> Counts:
    """Return the bytes that reads of `vectors` vectors send on to another layer, and fetch from outside the chip.

    The first layer, which passes no error on, fetches the samples.
    """
    shape, vector_bytes = plan.shape, plan.conventions.vector_bytes
    sent = shape.outputs if forward else shape.inputs
    moved = counts(bus_bytes=vectors * sent * vector_bytes)
    if not forward or shape.backward:
        return moved
    enters = shape.input_elements or shape.inputs * shape.positions
    return moved + counts(off_chip_bytes=vectors / shape.positions * enters * vector_bytes)


def pulse_counts(plan: LayerFloorplan, activity: PulseActivity) -> Counts:
    """Return what pulse trains on a tile activate; all lines hold a level in every slot (half-select).

    One generator serves the same line of all arrays, and every array drives it by itself.
    """
    inputs, outputs = plan.sides(forward=True)
    return counts(
        performed=activity.vectors,
        pulse_slots=activity.slots,
        line_slots=activity.slots * (inputs.lines + outputs.lines),
        pulses=activity.input_pulses * outputs.blocks + activity.output_pulses * inputs.blocks,
        half_selects=activity.input_pulses * outputs.lines
        + activity.output_pulses * inputs.lines
        - 2 * activity.coincidences,
        coincidences=activity.coincidences,
        cells_touched=activity.cells_touched,
    )


def update_counts(plan: LayerFloorplan, activity: PulseActivity, *, counted: bool = False) -> Counts:
    """Return what rank-1 updates by pulse coincidence activate, with the digital set-up of their trains.

    Where device pulses are `counted`, each slot takes a multiplication and an addition; how many lines are pulsed in it
    is taken to come with the trains.
    """
    vector_lines = sum(plan.vector_lengths)
    counting = COUNTING_OPERATIONS * activity.slots if counted else 0.0
    return pulse_counts(plan, activity) + counts(
        digital_operations=activity.vectors * vector_lines + counting,
        register_bytes=activity.vectors * vector_lines * plan.conventions.vector_bytes,
    )


def transfer_counts(
    plan: LayerFloorplan, write: PulseActivity, *, reads: Number, work: TransferWork = NO_WORK
) -> Counts:
    """Return what a transfer activates: `reads` one-hot column reads of one tile, then pulses on another.

    Only the arrays that hold the column are read and pulsed, so there are no partial sums. The trains take the
    floating-point operations of `Conventions.transfer_vectors`.
    """
    outputs = plan.shape.outputs
    reached = plan.reached_by_one_line(forward=True)
    read = read_counts(reached, ReadActivity(reads, reads, reads), tiles=1, forward=True)
    read["dac_conversions"] = reads
    read["register_bytes"] = reads * outputs * plan.conventions.vector_bytes
    read["digital_operations"] = reads * plan.conventions.transfer_vectors * sum(plan.vector_lengths)
    for name in ("off_chip_bytes", "bus_bytes"):
        read.pop(name, None)
    written = pulse_counts(reached, write)
    written.pop("performed")
    return (
        read
        + written
        + counts(
            buffer_operations=work.operations * reads * plan.vector_lengths[1],
            comparisons=work.comparisons * reads * outputs,
            sram_bytes=work.accesses * reads * outputs * plan.conventions.buffer_bytes,
        )
    )


def outer_product_counts(plan: LayerFloorplan, vectors: Number, *, mini_batches: Number) -> Counts:
    """Return the digital work of adding `vectors` scaled outer products to a digital matrix.

    Per vector 2 operations per element and one (the rate) per error (Rasch et al. 2024, Table 1: 2D² + D). The
    vectors of a mini-batch are stored, so the matrix is read and written once per mini-batch.
    """
    cells = plan.shape.cells
    lengths = plan.vector_lengths
    return counts(
        performed=vectors,
        digital_operations=vectors * plan.conventions.outer_product_vectors * lengths[1],
        buffer_operations=2 * vectors * cells,
        register_bytes=vectors * sum(lengths) * plan.conventions.vector_bytes,
        sram_bytes=2 * mini_batches * cells * plan.conventions.buffer_bytes,
    )


def buffer_write_counts(plan: LayerFloorplan, write: PulseActivity, *, writes: Number) -> Counts:
    """Return what scanning a digital matrix `writes` times, and pulsing its due rows onto a tile, activates.

    Only the arrays that hold a row are pulsed.
    """
    cells = writes * plan.shape.cells
    return pulse_counts(plan.reached_by_one_line(forward=False), write) + counts(
        comparisons=cells,
        sram_bytes=cells * plan.conventions.buffer_bytes,
    )


def digital_matrix_counts(plan: LayerFloorplan, vectors: Number, *, mini_batches: Number, update: bool) -> Counts:
    """Return the work of digital matrix-vector products, or of digital rank-1 updates, of `vectors` vectors.

    The matrix passes from memory (and back, in an update) once per mini-batch.
    """
    cells = plan.shape.cells
    return counts(
        performed=vectors,
        buffer_operations=2 * vectors * cells,
        register_bytes=vectors * (plan.shape.inputs + plan.shape.outputs) * plan.conventions.vector_bytes,
        sram_bytes=(2 if update else 1) * mini_batches * cells * plan.conventions.buffer_bytes,
    )


def neuron_counts(plan: LayerFloorplan, vectors: Number) -> Counts:
    """Return the digital work around a layer: per output a bias, an activation, its derivative (2), a bias gradient."""
    outputs = vectors * plan.shape.outputs
    return counts(
        performed=vectors,
        digital_operations=5 * outputs,
        register_bytes=2 * outputs * plan.conventions.vector_bytes,
    )


def program_counts(plan: LayerFloorplan, *, pulses: Number, cells: Number, rows: Number | None = None) -> Counts:
    """Return what programming `cells` weights with `pulses` device pulses activates, one row at a time.

    `rows` are written; every row once where not given.
    """
    shape = plan.shape
    if rows is None:
        rows = np.where(cells, shape.outputs, 0)
    return counts(
        performed=rows,
        pulse_slots=pulses / shape.inputs,
        line_slots=pulses / shape.inputs * (shape.inputs + shape.outputs),
        pulses=2 * pulses,
        coincidences=pulses,
        cells_touched=cells,
    )


def calibration_counts(plan: LayerFloorplan, *, pulses: Number, programmed: Number, times: float = 1.0) -> Counts:
    """Return what zero-shifting one tile activates: `pulses` alternating pulses on all devices at once, then a program.

    `programmed` device pulses bring the reference array to the state found, one row at a time; all of this is that of
    `times` calibrations.
    """
    shape = plan.shape
    whole = PulseActivity(
        pulses, pulses, pulses * shape.inputs, pulses * shape.outputs, pulses * shape.cells, pulses * shape.cells
    )
    program = program_counts(plan, pulses=programmed, cells=times * shape.cells, rows=times * shape.outputs)
    return pulse_counts(plan, whole) + program
