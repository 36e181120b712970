"""Logical matrices on physical arrays: how many arrays, lines and converters a layer needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from cost_model.numbers import Number


@dataclass(frozen=True)
class MatrixShape:
    """The weight matrix of one layer, seen from the outside.

    Parameters
    ----------
    name
        Name of the layer.
    outputs, inputs
        Rows and columns of the logical matrix, without the digital bias, each >= 1.
    positions
        Vectors per sample: 1 for a dense layer, the output positions of a convolution.
    input_elements, output_elements
        Values per sample that enter and leave the layer; 0 stands for inputs and outputs times positions.
    backward
        Whether an error must be passed on to an earlier layer.
    """

    name: str
    outputs: int
    inputs: int
    positions: int = 1
    input_elements: int = 0
    output_elements: int = 0
    backward: bool = True

    @property
    def cells(self) -> int:
        """Number of weights."""
        return self.outputs * self.inputs

    @property
    def elements(self) -> int:
        """Values of one sample that enter and leave the layer."""
        entering = self.input_elements or self.inputs * self.positions
        return entering + (self.output_elements or self.outputs * self.positions)


@dataclass(frozen=True)
class Conventions:
    """How digital work and storage are counted; the papers' tables use their own.

    Parameters
    ----------
    vector_length
        ``both_sides``: input and error vectors have the lengths of the matrix; ``fan_in``: both count the fan-in,
        as the papers' D does.
    vector_bytes, buffer_bytes, bias_bytes
        Bytes per element of vectors, of digital matrices and of biases.
    outer_product_vectors
        Operations per error element before an outer product is added to a digital matrix.
    transfer_vectors
        Operations per element of both vectors for the trains of a transferred column: 0 where the value read sets them
        directly (Li et al., arXiv:2510.02516), 1 as for an update (Wu et al., arXiv:2502.06309, Table 3).
    """

    vector_length: Literal["both_sides", "fan_in"] = "both_sides"
    vector_bytes: int = 1
    buffer_bytes: int = 4
    bias_bytes: int = 4
    outer_product_vectors: int = 1
    transfer_vectors: int = 0


@dataclass(frozen=True)
class StorageNeeds:
    """What an algorithm keeps in digital memory, per layer.

    Parameters
    ----------
    matrices
        Digital matrices of the size of the weight.
    stored_samples
        Samples whose vectors are kept at once.
    """

    matrices: int = 0
    stored_samples: int = 1

    def keeping(self, samples: int) -> StorageNeeds:
        """Return the needs where vectors of at least `samples` samples are kept at once."""
        return replace(self, stored_samples=max(self.stored_samples, samples))


@dataclass(frozen=True)
class Side:
    """One side of a layer: its lines, spread evenly over as few arrays as hold them.

    Parameters
    ----------
    lines
        Lines of the logical matrix on this side, >= 0.
    limit
        Lines of a physical array, >= 1.
    """

    lines: Number
    limit: Number

    @cached_property
    def blocks(self) -> Number:
        """Arrays that the lines spread over."""
        return -(-self.lines // self.limit)

    @cached_property
    def block_lines(self) -> Number:
        """Lines on each array; the last one may have fewer."""
        return -(-self.lines // np.maximum(self.blocks, 1))


@dataclass(frozen=True)
class LayerFloorplan:
    """One layer on physical arrays.

    Parameters
    ----------
    shape
        The logical matrix.
    tiles
        Tiles that hold the weight; 0 for a digital matrix.
    array_rows, array_cols
        Input lines and output lines of a physical array.
    columns_per_adc
        Output lines that take turns on one converter.
    shared_by_tiles
        True: the tiles' columns are summed and converted once; False: each tile has its converters.
    conventions
        How digital work is counted.
    input_cycles
        Reads per input vector: 1, or as many as an input has bits.
    bit_density
        Part of the bits of a non-zero input that are one.
    bit_serial
        Whether the bits of an input are applied one after the other.
    """

    shape: MatrixShape
    tiles: int
    array_rows: Number
    array_cols: Number
    columns_per_adc: Number
    shared_by_tiles: Number
    conventions: Conventions
    input_cycles: Number = 1
    bit_density: Number = 1.0
    bit_serial: bool = False

    def sides(self, forward: bool) -> tuple[Side, Side]:
        """Return the driven side and the sensed side of a read."""
        inputs, outputs = self._sides
        return (inputs, outputs) if forward else (outputs, inputs)

    @cached_property
    def _sides(self) -> tuple[Side, Side]:
        return Side(self.shape.inputs, self.array_rows), Side(self.shape.outputs, self.array_cols)

    def reached_by_one_line(self, *, forward: bool) -> LayerFloorplan:
        """Return the part of the layer on the arrays that one input line (forward) or one output line reaches."""
        return self._reached_by_an_input if forward else self._reached_by_an_output

    @cached_property
    def _reached_by_an_input(self) -> LayerFloorplan:
        return self._reached(replace(self.shape, inputs=self._sides[0].block_lines))

    @cached_property
    def _reached_by_an_output(self) -> LayerFloorplan:
        return self._reached(replace(self.shape, outputs=self._sides[1].block_lines))

    def _reached(self, shape: MatrixShape) -> LayerFloorplan:
        return replace(self, shape=shape, input_cycles=1, bit_density=1.0, bit_serial=False)

    def adc_rounds(self, forward: bool) -> Number:
        """Return how many lines take turns on the busiest converter of one read."""
        _, sensed = self.sides(forward)
        return np.minimum(self.columns_per_adc, sensed.block_lines)

    @property
    def vector_lengths(self) -> tuple[int, int]:
        """Lengths counted for the input vector and the error vector."""
        if self.conventions.vector_length == "fan_in":
            return self.shape.inputs, self.shape.inputs
        return self.shape.inputs, self.shape.outputs

    @property
    def converter_sets(self) -> Number:
        """Sets of converters, S&H and summing outputs beside the tiles."""
        return np.where(self.shared_by_tiles, min(self.tiles, 1), self.tiles)

    def instances(self) -> dict[str, Number]:
        """Return how many of each thing the layer occupies; converters serve both directions of a read.

        Forward outputs and backward outputs are sensed on different sides of the array, so TIAs, S&H and
        converters stand on both sides, as do DACs and drivers.
        """
        inputs, outputs = self.sides(forward=True)
        lines = inputs.lines * outputs.blocks + outputs.lines * inputs.blocks
        backward = self.shape.backward
        sensed = outputs.lines * inputs.blocks + (inputs.lines * outputs.blocks if backward else 0)
        adcs = self._adcs(outputs, inputs) + (self._adcs(inputs, outputs) if backward else 0)
        sets = self.converter_sets
        return {
            "cross_points": 1.0 * self.tiles * self.shape.cells,
            "array_weights": 1.0 * self.arrays * self.array_rows * self.array_cols,
            "lines": 1.0 * lines * self.tiles,
            "dacs": 1.0 * (inputs.lines + (outputs.lines if backward else 0)) * min(self.tiles, 1),
            "tias": 1.0 * sensed * self.tiles,
            "summing_stages": 1.0 * sensed * sets,
            "sample_holds": 1.0 * sensed * sets,
            "adcs": 1.0 * adcs * sets,
            "digital_units": 1.0,
        }

    @property
    def arrays(self) -> Number:
        """Physical arrays of all tiles."""
        inputs, outputs = self.sides(forward=True)
        return self.tiles * inputs.blocks * outputs.blocks

    @property
    def utilisation(self) -> Number:
        """Part of the cross-points of the arrays that hold a weight; 1 for a digital matrix."""
        held = self.arrays * self.array_rows * self.array_cols
        return self.tiles * self.shape.cells / held if self.tiles else 1.0

    def _adcs(self, sensed: Side, driven: Side) -> Number:
        per_array = -(-sensed.block_lines // self.columns_per_adc)
        return per_array * sensed.blocks * driven.blocks

    def storage_byte(self, needs: StorageNeeds) -> Number:
        """Return the digital storage of the layer: vectors, digital matrices, biases.

        References
        ----------
        Li et al., arXiv:2510.02516, Tables 5 and 6: 2D; D² + 2D; D² + 2DB byte.
        """
        shape, rules = self.shape, self.conventions
        elements = 2 * shape.inputs if rules.vector_length == "fan_in" else shape.elements
        return (
            needs.stored_samples * elements * rules.vector_bytes
            + needs.matrices * shape.cells * rules.buffer_bytes
            + shape.outputs * rules.bias_bytes
        )


FLOORPLAN_COLUMNS = (
    *("layer", "tiles", "outputs", "inputs", "arrays", "rows_used", "cols_used", "utilisation", "converter_sets"),
    *("adcs", "dacs", "tias", "array_area_m2", "periphery_area_m2", "one_copy_area_m2"),
)


def floorplan_rows(
    plans: Sequence[LayerFloorplan], bill: pd.DataFrame, cell_area_m2: float
) -> list[dict[str, float | str]]:
    """Return a row per layer, and one for what the layers share, with the columns `FLOORPLAN_COLUMNS`.

    Parameters
    ----------
    plans
        Floorplans of one design.
    bill
        Lines of its bill.
    cell_area_m2
        Area of one device. One copy of the weights, one device each and without periphery, is what the multi-tile
        paper counts (Li et al., arXiv:2510.02516, appendix I.2).
    """
    areas = bill.groupby("layer")["area_m2"].sum()
    arrays = bill[bill["component"] == "array"].groupby("layer")["area_m2"].sum()
    rows: list[dict[str, float | str]] = []
    for plan in plans:
        shape, instances = plan.shape, plan.instances()
        inputs, outputs = plan.sides(forward=True)
        array_area = float(arrays.get(shape.name, 0.0))
        rows.append(
            {
                "layer": shape.name,
                "tiles": plan.tiles,
                "outputs": shape.outputs,
                "inputs": shape.inputs,
                "arrays": int(plan.arrays),
                "rows_used": int(inputs.block_lines) if plan.tiles else 0,
                "cols_used": int(outputs.block_lines) if plan.tiles else 0,
                "utilisation": float(plan.utilisation),
                "converter_sets": int(plan.converter_sets),
                "adcs": float(instances["adcs"]),
                "dacs": float(instances["dacs"]),
                "tias": float(instances["tias"]),
                "array_area_m2": array_area,
                "periphery_area_m2": max(float(areas.get(shape.name, 0.0)) - array_area, 0.0),
                "one_copy_area_m2": shape.cells * cell_area_m2 if plan.tiles else 0.0,
            }
        )
    nothing = dict.fromkeys(FLOORPLAN_COLUMNS, 0.0)
    shared = float(areas.get("network", 0.0))
    return [*rows, {**nothing, "layer": "network", "periphery_area_m2": shared}]
