"""Reads through wires with resistance: what a tile's weights are worth at the ends of their lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from circuits.frame import MAX_CONDUCTANCE_S, MIN_CONDUCTANCE_S
from circuits.wires import effective_conductance
from cosim.kernels.effective import cells_of, effective_weights
from cosim.tile import Tile

FloatArray = npt.NDArray[np.float32]

# The error that a read may have against the exact solution, in LSB of the converter, over all tiles of a group.
ERROR_MAX_LSB = 0.1
# What the correction of a tile aims at, as a share of what the other tiles leave of it; six equal tiles end at 0.8.
AIM = 0.4
LONGER, SHORTER = 2.0, 1 / 16
INTERVAL_MAX = 1000
VECTORS_MAX = 64


@dataclass(frozen=True, kw_only=True)
class Wires:
    """The lines of the arrays, and the cells between them.

    Parameters
    ----------
    segment_resistance_ohm
        Resistance of a line from one cell to the next, > 0.
    min_conductance_s, max_conductance_s
        A cell conducts from `min_conductance_s`, for a weight of 0, to `max_conductance_s`, for the nominal bound of
        the device; 0 < min < max.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    segment_resistance_ohm: float
    min_conductance_s: float = MIN_CONDUCTANCE_S
    max_conductance_s: float = MAX_CONDUCTANCE_S

    def __post_init__(self) -> None:
        if not 0 < self.segment_resistance_ohm < float("inf"):
            raise ValueError(
                f"wires: segment_resistance_ohm = {self.segment_resistance_ohm} is not allowed; finite and above 0; "
                "leave the section out for ideal wires"
            )
        if not 0 < self.min_conductance_s < self.max_conductance_s < float("inf"):
            raise ValueError(
                f"wires: min_conductance_s = {self.min_conductance_s:g} and max_conductance_s = "
                f"{self.max_conductance_s:g} are not allowed; 0 < min < max"
            )


class WiredTile:
    """The arrays of one tile, with the attenuation of every cell by the wires.

    A weight is a differential pair of cells in two arrays. An array drives inputs at its left ends and senses outputs
    at its bottom ends; the backward read is the transpose (see `circuits.wires`). Attenuations are computed from the
    exact solution now and then; in between they follow the load of the lines to first order.

    Parameters
    ----------
    tile
        The tile.
    wires
        Its lines and cells.
    inputs_per_array, outputs_per_array
        Lines of a physical array; larger tiles are split.
    """

    def __init__(self, tile: Tile, wires: Wires, inputs_per_array: int, outputs_per_array: int) -> None:
        self.tile, self.wires = tile, wires
        self.inputs_per_array, self.outputs_per_array = inputs_per_array, outputs_per_array
        self.attenuations = np.ones((2, *tile.shape), dtype=np.float32)
        self.solved = np.zeros((2, *tile.shape), dtype=np.float32)
        self._effective = np.zeros(tile.shape, dtype=np.float32)
        self._changes = -1  # of the tile when they were computed
        device = tile.device
        reach = max(abs(device.w_max), abs(device.w_min))
        self._slope_s = (wires.max_conductance_s - wires.min_conductance_s) / reach
        self._floor = wires.min_conductance_s / self._slope_s

    def effective(self) -> FloatArray:
        """Return the effective weights, float32 (outputs, inputs); the array is written again after the next change."""
        if self._changes != self.tile.changes:
            effective_weights(
                self.tile.weights,
                self.tile.second_devices,
                self.attenuations,
                self.solved,
                self._floor,
                self.wires.segment_resistance_ohm * self._slope_s,
                self.outputs_per_array,
                self.inputs_per_array,
                self._effective,
            )
            self._changes = self.tile.changes
        return self._effective

    def forget(self) -> None:
        """Compute the effective weights anew when they are asked for next."""
        self._changes = -1

    def measure(self) -> None:
        """Compute the attenuation of every cell from the exact solution of its array."""
        self.forget()
        cells_of(self.tile.weights, self.tile.second_devices, self.solved)
        outputs, inputs = self.tile.shape
        for cells, attenuations in zip(self.solved, self.attenuations, strict=True):
            conductance_s = self.wires.min_conductance_s + self._slope_s * np.maximum(cells, 0).astype(np.float64)
            for first in range(0, outputs, self.outputs_per_array):
                for line in range(0, inputs, self.inputs_per_array):
                    part = np.s_[first : first + self.outputs_per_array, line : line + self.inputs_per_array]
                    block = conductance_s[part].T
                    exact = effective_conductance(block, self.wires.segment_resistance_ohm)
                    attenuations[part] = (exact / block).T


class WiredGroup:
    """The wires of a tile group: its effective composite weight, and when to solve the network again.

    After each exact solution the error of the old attenuations is known, on the vectors that were being read; from it
    follows how many changes of the weights the new ones may last. A tile of small significance may wait longer.

    Parameters
    ----------
    tiles, significances
        The tiles with their significance; tiles that are not read with the others have 0.
    wires
        Their lines and cells.
    inputs_per_array, outputs_per_array
        Lines of a physical array.
    lsb
        Step of the converter, in units of weight times full-scale input.
    """

    def __init__(
        self,
        tiles: list[Tile],
        wires: Wires,
        inputs_per_array: int,
        outputs_per_array: int,
        lsb: float,
    ) -> None:
        self.tiles = [WiredTile(tile, wires, inputs_per_array, outputs_per_array) for tile in tiles]
        self.lsb = lsb
        self.composite = np.zeros(tiles[0].shape, dtype=np.float32)
        self.intervals = np.ones(len(tiles))
        self.due = np.zeros(len(tiles), dtype=np.int64)
        self.errors_lsb = np.zeros(len(tiles))
        self.changes = 0
        self.solutions = 0

    @property
    def error_lsb(self) -> float:
        """Largest error of a read seen so far, in LSB: the sum over the tiles, each at its worst."""
        return float(self.errors_lsb.sum())

    def follow(self, significances: tuple[float, ...], values: FloatArray, *, forward: bool) -> None:
        """Bring the effective composite weight up to date after a change of the weights.

        Parameters
        ----------
        significances
            Of the tiles.
        values
            float32 (vectors, lines) that are about to be read: the error counts on them.
        forward
            Whether they are inputs, or errors.
        """
        self.changes += 1
        for place, (tile, significance) in enumerate(zip(self.tiles, significances, strict=True)):
            if self.changes > self.due[place]:
                before = tile.effective().copy()
                tile.measure()
                self.solutions += 1
                if self.changes > 1:
                    # Columns of a tile that is not read with the others are read on their own.
                    change = (significance or 1.0) * (tile.effective() - before)
                    self._plan(place, change, values, forward)
                self.due[place] = self.changes + int(self.intervals[place])
        self.composite[:] = 0
        for tile, significance in zip(self.tiles, significances, strict=True):
            if significance:
                self.composite += np.float32(significance) * tile.effective()

    def _plan(self, place: int, change: FloatArray, values: FloatArray, forward: bool) -> None:
        largest = np.abs(values[:VECTORS_MAX]).max(axis=1, keepdims=True, initial=0.0)
        inputs = values[:VECTORS_MAX] / np.where(largest > 0, largest, 1)
        error = float(np.abs(inputs @ (change.T if forward else change)).max(initial=0.0)) / self.lsb
        self.errors_lsb[place] = max(self.errors_lsb[place], error)
        others = self.error_lsb - self.errors_lsb[place]
        aim = AIM * max(ERROR_MAX_LSB - others, 0)
        factor = LONGER if error == 0 else min(max(aim / error, SHORTER), LONGER)
        self.intervals[place] = min(max(self.intervals[place] * factor, 1), INTERVAL_MAX)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return everything that changes, as named arrays."""
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "intervals": self.intervals.copy(),
            "due": self.due.copy(),
            "errors_lsb": self.errors_lsb.copy(),
            "counts": np.array([self.changes, self.solutions]),
            "composite": self.composite.copy(),
        }
        for place, tile in enumerate(self.tiles):
            arrays |= {f"attenuations{place}": tile.attenuations.copy(), f"solved{place}": tile.solved.copy()}
        return arrays

    def restore(self, state: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take over a state that `state` returned."""
        self.intervals[:], self.due[:] = state["intervals"], state["due"]
        self.errors_lsb[:], self.composite[:] = state["errors_lsb"], state["composite"]
        self.changes, self.solutions = (int(count) for count in state["counts"])
        for place, tile in enumerate(self.tiles):
            tile.attenuations[:], tile.solved[:] = state[f"attenuations{place}"], state[f"solved{place}"]
            tile.forget()
