"""The bill: layer x operation x component, per training sample; its parts sum to its totals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from cost_model.latency import Bar
from cost_model.numbers import Number

COLUMNS = (
    "layer",
    "tile",
    "operation",
    "component",
    "count",
    "energy_j",
    "latency_s",
    "area_m2",
    "share",
    "source",
    "per",
)
FIGURES = ("energy_per_sample_j", "latency_per_sample_s", "area_m2")


NOTHING = 0.0


class Origin(Protocol):
    """What a line was charged by."""

    @property
    def source(self) -> str:
        """Where its prices come from, as one line of text."""


@dataclass(slots=True)
class Line:
    """One line of a bill, per training sample; its numbers are arrays where it stands for many designs.

    The count is that of `samples` samples.
    """

    layer: str
    tile: str
    operation: str
    component: str
    count: Number
    energy_j: Number = NOTHING
    latency_s: Number = NOTHING
    area_m2: Number = NOTHING
    per: str = ""
    origin: Origin | None = None
    samples: float = 1

    def record(self) -> dict[str, object]:
        """Return the line of one design by the names of `COLUMNS`, without its share."""
        numbers = {"count": float(self.count) / self.samples}
        numbers |= {name: float(getattr(self, name)) for name in ("energy_j", "latency_s", "area_m2")}
        names = {name: getattr(self, name) for name in ("layer", "tile", "operation", "component", "per")}
        return {**names, **numbers, "source": self.origin.source if self.origin else ""}


class Sum:
    """Adds numbers up in the order given, so that one design and many have the same bits and zeros change nothing."""

    def __init__(self) -> None:
        self.value: Number = NOTHING
        self._own = False  # whether `value` is an array that may be added to in place

    def add(self, number: Number) -> None:
        """Add a number, or one per design."""
        if number is NOTHING:
            return
        if self._own:
            self.value += number
        elif self.value is NOTHING:
            self.value = number
        else:
            self.value = self.value + number
            self._own = np.ndim(self.value) > 0


def total(numbers: Iterable[Number]) -> Number:
    """Return the sum of numbers as `Sum` makes it."""
    result = Sum()
    for number in numbers:
        result.add(number)
    return result.value


@dataclass(frozen=True)
class Bill:
    """What one training sample costs on a design.

    Parameters
    ----------
    lines
        Table with the columns `COLUMNS`; `latency_s` is the part that counts in the latency of a sample, `share` the
        part of the energy, `per` the name of the count.
    digital_storage_byte
        Digital memory of the whole network.
    bars
        Where operations stand in time as a sample passes.
    """

    lines: pd.DataFrame
    digital_storage_byte: float
    bars: Sequence[Bar] = ()

    @property
    def energy_per_sample_j(self) -> float:
        """Energy of one training sample."""
        return float(total(self.lines["energy_j"]))

    @property
    def latency_per_sample_s(self) -> float:
        """Latency of one training sample along the critical path."""
        return float(total(self.lines["latency_s"]))

    @property
    def area_m2(self) -> float:
        """Area of the design."""
        return float(total(self.lines["area_m2"]))

    def energy_of(self, *operations: str) -> float:
        """Return the energy of the named operations."""
        return float(total(self.lines.loc[self.lines["operation"].isin(operations), "energy_j"]))

    def latency_of(self, *operations: str) -> float:
        """Return the latency of the named operations along the critical path."""
        return float(total(self.lines.loc[self.lines["operation"].isin(operations), "latency_s"]))


def make_bill(rows: Sequence[Line], digital_storage_byte: float, bars: Sequence[Bar] = ()) -> Bill:
    """Return the bill of the given lines, of one design.

    Raises
    ------
    ArithmeticError
        If a number is NaN, infinite or negative.
    """
    lines = pd.DataFrame([row.record() for row in rows], columns=[name for name in COLUMNS if name != "share"])
    numbers = ["count", "energy_j", "latency_s", "area_m2"]
    energy = total(lines["energy_j"])
    lines.insert(COLUMNS.index("share"), "share", lines["energy_j"] / energy if energy > 0 else 0.0)
    values = lines[[*numbers, "share"]].to_numpy(dtype=float)
    if not np.isfinite(values).all() or (values < 0).any():
        bad = lines[~(np.isfinite(values) & (values >= 0)).all(axis=1)].iloc[0].to_dict()
        raise ArithmeticError(f"bill line {bad} holds a NaN, infinite or negative number")
    return Bill(lines, float(digital_storage_byte), tuple(bars))
