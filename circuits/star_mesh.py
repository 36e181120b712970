"""Effective conductances of a crossbar with resistive wires: the order in which its nodes are eliminated.

The array is cut into halves again and again (nested dissection; George, SIAM J. Numer. Anal. 10, 1973).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from circuits.kernels.star_mesh import (
    NEAR_COLUMNS,
    NEAR_ROWS,
    PORTS,
    SIDE,
    combine,
    smallest_blocks,
)

DoubleArray = npt.NDArray[np.float64]

NO_BLOCK = (0,) * 11


def couple_terminals(conductance: DoubleArray) -> DoubleArray:
    """Return the conductances between drivers and sense nodes when all other nodes are eliminated.

    Parameters
    ----------
    conductance
        float64 (rows, columns), each at least 1, in units of the conductance of a wire segment; >= 0. Drivers and
        sense nodes are beyond the last index.

    Returns
    -------
    float64 (rows, columns), same unit.
    """
    rows, columns = conductance.shape
    height, width = -(-rows // SIDE), -(-columns // SIDE)
    # Lines without cells beyond the open ends of the others change nothing.
    padded = np.zeros((height * SIDE, width * SIDE))
    padded[-rows:, -columns:] = conductance
    plan = plan_of(height, width)
    memory = np.empty(plan.size)
    smallest_blocks(padded, memory[: height * width * PORTS**2].reshape(-1, PORTS, PORTS))
    combine(memory, plan.places, plan.nodes, plan.inner, plan.parts)
    nodes = plan.nodes[-1]
    couplings = memory[plan.places[-1] :][: nodes**2].reshape(nodes, nodes)
    return couplings[-width * SIDE - rows : -width * SIDE, -columns:]


class Block(NamedTuple):
    """Couplings of a block of cells: their piece of memory, nodes, first port, and ports of each group."""

    piece: int
    nodes: int
    first: int
    counts: list[int]


class Plan:
    """The steps that make one block of all smallest blocks.

    Parameters
    ----------
    height, width
        Smallest blocks along a column and along a row, >= 1.

    Attributes
    ----------
    size
        Numbers in the memory; it starts with the smallest blocks, row by row.
    places, nodes, inner, parts
        As `combine` takes them; the last step makes the whole array.
    """

    def __init__(self, height: int, width: int) -> None:
        self._width = width
        self._smallest = height * width
        self._steps: list[tuple[int, int, int]] = []
        self._parts: list[list[int]] = []
        self._add(0, 0, height, width, depth=0, near=False)
        pieces, self.nodes, self.inner = np.array(self._steps).T.copy()
        room = np.zeros(pieces.max() + 1, dtype=np.int64)
        room[: self._smallest] = PORTS**2
        np.maximum.at(room, pieces, self.nodes**2)
        ends = room.cumsum()
        self.size = int(ends[-1])
        self.places = (ends - room)[pieces]
        self.parts = np.array(self._parts).reshape(pieces.size, 2, -1)
        self.parts[..., 0] = (ends - room)[self.parts[..., 0]]

    def _add(self, top: int, left: int, height: int, width: int, depth: int, near: bool) -> Block:
        """Add the steps that make a block; a wire that ends at its far side has no port there."""
        counts = [height * SIDE, height * SIDE if left else 0, width * SIDE, width * SIDE if top else 0]
        if height == width == 1:
            whole = Block(top * self._width + left, PORTS, 0, [SIDE] * 4)
            if top and left:
                return whole
            ends = [group for group in range(4) if not counts[group]]
            inner = SIDE * len(ends)
            ports = first_ports(inner, counts)
            for number, group in enumerate(ends):
                ports[group] = number * SIDE
            parts = [*whole[:3], *whole.counts, *ports, *NO_BLOCK]
        else:
            if width >= height:
                cut, beside = NEAR_ROWS, NEAR_COLUMNS
                far_height, far_width, down, right = height, width // 2, 0, width // 2
            else:
                cut, beside = NEAR_COLUMNS, NEAR_ROWS
                far_height, far_width, down, right = height // 2, width, height // 2, 0
            far = self._add(top, left, far_height, far_width, depth + 1, near=False)
            rest = self._add(top + down, left + right, height - down, width - right, depth + 1, near=True)
            inner = far.counts[cut]
            far_ports, near_ports = first_ports(inner, counts), first_ports(inner, counts)
            far_ports[cut] = near_ports[cut + 1] = 0
            for group in (beside, beside + 1):
                near_ports[group] += far.counts[group]
            parts = [*far[:3], *far.counts, *far_ports, *rest[:3], *rest.counts, *near_ports]
        # A block is used up before the next one of its depth and side is made, so these share a piece of memory.
        block = Block(self._smallest + 2 * depth + near, inner + sum(counts), inner, counts)
        self._steps.append(block[:3])
        self._parts.append(parts)
        return block


def first_ports(inner: int, counts: Sequence[int]) -> list[int]:
    """Return the first port of each group of a block, after its inner nodes."""
    return [inner + sum(counts[:group]) for group in range(4)]


plan_of = lru_cache(maxsize=32)(Plan)
