"""Which sub-arrays of a network are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.layers import Layer

LAYERS = 2  # whose corners and middle are looked at


@dataclass(frozen=True)
class Place:
    """A sub-array: a layer by its number, and ranges of outputs and inputs."""

    layer: int
    layer_name: str
    outputs: slice
    inputs: slice

    @property
    def name(self) -> str:
        """Layer, first and last output, first and last input."""
        rows, columns = self.outputs, self.inputs
        return f"{self.layer_name} {rows.start}-{rows.stop - 1} x {columns.start}-{columns.stop - 1}"

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        return self.outputs.stop - self.outputs.start, self.inputs.stop - self.inputs.start


def places_of(layers: list[Layer], size: int) -> list[Place]:
    """Return corners and middle of the largest layers, each place once; whole layers where they are that small."""
    largest = sorted(range(len(layers)), key=lambda number: -layers[number].spec.shape.cells)[:LAYERS]
    found: dict[str, Place] = {}
    for number in largest:
        outputs, inputs = layers[number].matrix.shape
        last = (max(outputs - size, 0), max(inputs - size, 0))
        for first in ((0, 0), last, (last[0] // 2, last[1] // 2)):
            ranges = (
                slice(start, min(start + size, lines)) for start, lines in zip(first, (outputs, inputs), strict=True)
            )
            place = Place(number, layers[number].name, *ranges)
            found.setdefault(place.name, place)
    return list(found.values())


def busiest(activity: npt.NDArray[Any], size: int) -> tuple[slice, slice]:
    """Return the window of at most size x size with the largest sum of (outputs, inputs)."""
    rows, columns = (min(size, lines) for lines in activity.shape)
    sums = np.zeros((activity.shape[0] + 1, activity.shape[1] + 1))
    sums[1:, 1:] = activity.cumsum(axis=0).cumsum(axis=1)
    windows = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    first = np.unravel_index(int(windows.argmax()), windows.shape)
    return slice(int(first[0]), int(first[0]) + rows), slice(int(first[1]), int(first[1]) + columns)
