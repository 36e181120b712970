"""The append-only trace of operations, added up by kind, layer and tile."""

from __future__ import annotations

import pandas as pd

from cost_model.numbers import Number
from cost_model.operations import COUNTS, KINDS, Counts, Operation

Address = tuple[str, str, str]


class Trace:
    """Operations added up: (layer, tile, kind) to counts.

    Counts are linear, so the sum prices like the list. Nothing is ever taken away.
    """

    def __init__(self) -> None:
        self._counts: dict[Address, Counts] = {}
        self._bits: dict[Address, tuple[Number, Number]] = {}

    def append(self, operation: Operation) -> None:
        """Add one operation."""
        if operation.kind not in KINDS:
            raise ValueError(f"operation {operation.kind!r} is unknown; known: {', '.join(KINDS)}")
        address = (operation.layer, operation.tile, operation.kind)
        total = self._counts.get(address)
        if total is None:
            self._counts[address] = operation.counts
            self._bits[address] = (operation.dac_bits, operation.adc_bits)
        else:
            self._counts[address] = total + operation.counts

    def rows(self) -> list[tuple[Address, Counts]]:
        """Return addresses with their counts, in order of first appearance."""
        return list(self._counts.items())

    def to_frame(self) -> pd.DataFrame:
        """Return the trace as a table: layer, tile, operation, the counts, dac_bits, adc_bits."""
        addresses = pd.DataFrame(list(self._counts), columns=["layer", "tile", "operation"], dtype=str)
        values = pd.DataFrame(
            [[float(counts.get(name, 0.0)) for name in COUNTS] for counts in self._counts.values()],
            columns=list(COUNTS),
            dtype=float,
        )
        bits = pd.DataFrame(list(self._bits.values()), columns=["dac_bits", "adc_bits"], dtype="int64")
        return pd.concat([addresses, values, bits], axis=1)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Trace:
        """Return the trace that `to_frame` wrote.

        Raises
        ------
        ValueError
            If a column is missing.
        """
        missing = {"layer", "tile", "operation", "dac_bits", "adc_bits", *COUNTS} - set(frame.columns)
        if missing:
            raise ValueError(f"trace: columns are missing: {', '.join(sorted(missing))}")
        trace = cls()
        for row in frame.to_dict("records"):
            found = Counts({name: float(row[name]) for name in COUNTS if row[name]})
            names = (str(row["operation"]), str(row["layer"]), str(row["tile"]))
            trace.append(Operation(*names, found, int(row["dac_bits"]), int(row["adc_bits"])))
        return trace
