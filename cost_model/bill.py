"""The bill: layer x operation x component, per training sample; its parts sum to its totals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cost_model.latency import critical_path

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


@dataclass(frozen=True)
class Bill:
    """What one training sample costs on a design; sums are exact, so that lines of zero change no total.

    Parameters
    ----------
    lines
        Table with the columns `COLUMNS`; `latency_s` is the part on the critical path, `share` the part of the
        energy, `per` the name of the count.
    digital_storage_byte
        Digital memory of the whole network.
    """

    lines: pd.DataFrame
    digital_storage_byte: float

    @property
    def energy_per_sample_j(self) -> float:
        """Energy of one training sample."""
        return math.fsum(self.lines["energy_j"])

    @property
    def latency_per_sample_s(self) -> float:
        """Latency of one training sample along the critical path."""
        return math.fsum(self.lines["latency_s"])

    @property
    def area_m2(self) -> float:
        """Area of the design."""
        return math.fsum(self.lines["area_m2"])

    def energy_of(self, *operations: str) -> float:
        """Return the energy of the named operations."""
        return math.fsum(self.lines.loc[self.lines["operation"].isin(operations), "energy_j"])

    def latency_of(self, *operations: str) -> float:
        """Return the latency of the named operations along the critical path."""
        return math.fsum(self.lines.loc[self.lines["operation"].isin(operations), "latency_s"])


def make_bill(rows: Sequence[dict[str, object]], digital_storage_byte: float) -> Bill:
    """Return the bill of the given lines, whose latencies are still in series.

    Raises
    ------
    ArithmeticError
        If a number is NaN, infinite or negative.
    """
    lines = pd.DataFrame(list(rows), columns=[name for name in COLUMNS if name != "share"])
    lines.loc[~critical_path(lines), "latency_s"] = 0.0
    total = lines["energy_j"].sum()
    lines.insert(COLUMNS.index("share"), "share", lines["energy_j"] / total if total > 0 else 0.0)
    numbers = lines[["count", "energy_j", "latency_s", "area_m2", "share"]].to_numpy(dtype=float)
    if not np.isfinite(numbers).all() or (numbers < 0).any():
        bad = lines[~(np.isfinite(numbers) & (numbers >= 0)).all(axis=1)].iloc[0].to_dict()
        raise ArithmeticError(f"bill line {bad} holds a NaN, infinite or negative number")
    return Bill(lines, digital_storage_byte)
