"""The append-only trace of operations, added up by kind, layer and tile."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from cost_model.operations import COUNTS, KINDS, FloatArray, Operation

Address = tuple[str, str, str]


class Trace:
    """Operations added up: (layer, tile, kind) to counts.

    Counts are linear, so the sum prices like the list. Nothing is ever taken away.
    """

    def __init__(self) -> None:
        self._counts: dict[Address, FloatArray] = {}
        self._bits: dict[Address, tuple[int, int]] = {}

    def append(self, operation: Operation) -> None:
        """Add one operation."""
        if operation.kind not in KINDS:
            raise ValueError(f"operation {operation.kind!r} is unknown; known: {', '.join(KINDS)}")
        address = (operation.layer, operation.tile, operation.kind)
        total = self._counts.get(address)
        if total is None:
            self._counts[address] = operation.counts.copy()
            self._bits[address] = (operation.dac_bits, operation.adc_bits)
        else:
            total += operation.counts

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the trace as named arrays."""
        return {
            "addresses": np.array(list(self._counts), dtype=str).reshape(-1, 3),
            "counts": np.array(list(self._counts.values())).reshape(-1, len(COUNTS)),
            "bits": np.array(list(self._bits.values()), dtype=np.int64).reshape(-1, 2),
        }

    def restore(self, state: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take over a state that `state` returned."""
        addresses = [(str(layer), str(tile), str(kind)) for layer, tile, kind in state["addresses"]]
        self._counts = dict(zip(addresses, np.array(state["counts"], dtype=np.float64), strict=True))
        self._bits = {
            address: (int(dac), int(adc)) for address, (dac, adc) in zip(addresses, state["bits"], strict=True)
        }

    def rows(self) -> list[tuple[Address, FloatArray]]:
        """Return addresses with their counts, in order of first appearance."""
        return list(self._counts.items())

    def to_frame(self) -> pd.DataFrame:
        """Return the trace as a table: layer, tile, operation, the counts, dac_bits, adc_bits."""
        addresses = pd.DataFrame(list(self._counts), columns=["layer", "tile", "operation"], dtype=str)
        values = np.array(list(self._counts.values())).reshape(len(self._counts), len(COUNTS))
        bits = pd.DataFrame(list(self._bits.values()), columns=["dac_bits", "adc_bits"], dtype="int64")
        return pd.concat([addresses, pd.DataFrame(values, columns=list(COUNTS)), bits], axis=1)

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
            vector = np.array([float(row[name]) for name in COUNTS])
            names = (str(row["operation"]), str(row["layer"]), str(row["tile"]))
            trace.append(Operation(*names, vector, int(row["dac_bits"]), int(row["adc_bits"])))
        return trace
