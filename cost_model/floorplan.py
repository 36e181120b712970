"""Logical matrices on physical arrays: how many arrays, lines and converters a layer needs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal


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
    """

    vector_length: Literal["both_sides", "fan_in"] = "both_sides"
    vector_bytes: int = 1
    buffer_bytes: int = 4
    bias_bytes: int = 4
    outer_product_vectors: int = 1


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

    lines: int
    limit: int

    @property
    def blocks(self) -> int:
        """Arrays that the lines spread over."""
        return math.ceil(self.lines / self.limit)

    @property
    def block_lines(self) -> int:
        """Lines on each array; the last one may have fewer."""
        return math.ceil(self.lines / max(self.blocks, 1))


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
    """

    shape: MatrixShape
    tiles: int
    array_rows: int
    array_cols: int
    columns_per_adc: int
    shared_by_tiles: bool
    conventions: Conventions

    def sides(self, forward: bool) -> tuple[Side, Side]:
        """Return the driven side and the sensed side of a read."""
        inputs = Side(self.shape.inputs, self.array_rows)
        outputs = Side(self.shape.outputs, self.array_cols)
        return (inputs, outputs) if forward else (outputs, inputs)

    def reached_by_one_line(self, *, forward: bool) -> LayerFloorplan:
        """Return the part of the layer on the arrays that one input line (forward) or one output line reaches."""
        driven, _ = self.sides(forward)
        lines = driven.block_lines
        shape = replace(self.shape, inputs=lines) if forward else replace(self.shape, outputs=lines)
        return replace(self, shape=shape)

    def adc_rounds(self, forward: bool) -> int:
        """Return how many lines take turns on the busiest converter of one read."""
        _, sensed = self.sides(forward)
        return min(self.columns_per_adc, sensed.block_lines)

    @property
    def vector_lengths(self) -> tuple[int, int]:
        """Lengths counted for the input vector and the error vector."""
        if self.conventions.vector_length == "fan_in":
            return self.shape.inputs, self.shape.inputs
        return self.shape.inputs, self.shape.outputs

    @property
    def converter_sets(self) -> int:
        """Sets of converters, S&H and summing outputs beside the tiles."""
        return min(self.tiles, 1) if self.shared_by_tiles else self.tiles

    def instances(self) -> dict[str, float]:
        """Return how many of each thing the layer occupies; converters serve both directions of a read.

        Forward outputs and backward outputs are sensed on different sides of the array, so TIAs, S&H and
        converters stand on both sides, as do DACs and drivers.
        """
        inputs, outputs = self.sides(forward=True)
        lines = inputs.lines * outputs.blocks + outputs.lines * inputs.blocks
        backward = self.shape.backward
        sensed = outputs.lines * inputs.blocks + (inputs.lines * outputs.blocks if backward else 0)
        adcs = self._adcs(outputs, inputs) + (self._adcs(inputs, outputs) if backward else 0)
        arrays = self.tiles * inputs.blocks * outputs.blocks
        return {
            "cross_points": float(self.tiles * self.shape.cells),
            "array_weights": float(arrays * self.array_rows * self.array_cols),
            "lines": float(lines * self.tiles),
            "dacs": float((inputs.lines + (outputs.lines if backward else 0)) * min(self.tiles, 1)),
            "tias": float(sensed * self.tiles),
            "summing_stages": float(sensed * self.converter_sets),
            "sample_holds": float(sensed * self.converter_sets),
            "adcs": float(adcs * self.converter_sets),
            "digital_units": 1.0,
        }

    def _adcs(self, sensed: Side, driven: Side) -> int:
        per_array = math.ceil(sensed.block_lines / self.columns_per_adc)
        return per_array * sensed.blocks * driven.blocks

    def storage_byte(self, needs: StorageNeeds) -> int:
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
