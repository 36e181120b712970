"""The operations that an algorithm can ask for; the scheduler performs them and writes them to the trace.

`every` is a period in mini-batches: the operation happens after mini-batch every, 2 every, 3 every and so on.
Reads, updates and outer products happen in every mini-batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Forward:
    """Read the composite weight with the inputs of the layer."""

    every: ClassVar[int] = 1


@dataclass(frozen=True, kw_only=True)
class Backward:
    """Read the composite weight the other way with the errors of the layer."""

    every: ClassVar[int] = 1


@dataclass(frozen=True, kw_only=True)
class Update:
    """Rank-1 updates of one tile by pulse coincidence, one per vector, in order."""

    tile: int
    rate: float
    every: ClassVar[int] = 1


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Read the next columns of one tile, and add rate x column to another tile by pulses."""

    source: int
    target: int
    rate: float
    columns: int
    every: int


@dataclass(frozen=True, kw_only=True)
class BufferedTransfer:
    """Read the next columns of one tile into a digital buffer; pulse another tile where it passes the threshold."""

    source: int
    target: int
    rate: float
    columns: int
    threshold: float
    momentum: float
    every: int


@dataclass(frozen=True, kw_only=True)
class Accumulate:
    """Add the outer products, times the rate, to a digital matrix."""

    rate: float
    every: ClassVar[int] = 1


@dataclass(frozen=True, kw_only=True)
class WriteBuffer:
    """Pulse the whole multiples of the granularity out of the digital matrix onto a tile."""

    target: int
    every: int


@dataclass(frozen=True, kw_only=True)
class DigitalUpdate:
    """Subtract the outer products, times the rate, from a digital weight."""

    rate: float
    every: ClassVar[int] = 1


Step = Forward | Backward | Update | Transfer | BufferedTransfer | Accumulate | WriteBuffer | DigitalUpdate
Plan = Sequence[Step]
