"""The activity of a training: what happened in every operation, added up; independent of arrays and converters.

Counts follow from it and a floorplan, so the activity of one training prices any design that would train the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from cost_model.operations import PulseActivity, ReadActivity

Activity = ReadActivity | PulseActivity
Address = tuple[str, str, str]  # layer, tile, operation
FIELDS = tuple(dict.fromkeys(field.name for kind in (ReadActivity, PulseActivity) for field in fields(kind)))
ACTIVITY_COLUMNS = ("layer", "tile", "operation", "times", "layer_vectors", *FIELDS)
PULSES_ONLY = "slots"


@dataclass(slots=True)
class Done:
    """What one operation did to a layer so far.

    Parameters
    ----------
    activity
        Sum over the times.
    times
        How often it was performed; for a transfer, columns.
    vectors
        Vectors that entered the layer, those of a read once even where bound management read them again.
    """

    activity: Activity
    times: float
    vectors: float


class ActivityLog:
    """The operations of a training by address, in order of first appearance; nothing is ever taken away."""

    def __init__(self) -> None:
        self._done: dict[Address, Done] = {}

    def add(self, address: Address, activity: Activity, *, times: float, vectors: float) -> None:
        """Add what an operation did."""
        done = self._done.get(address)
        if done is None:
            self._done[address] = Done(activity, times, vectors)
        else:
            done.activity += activity  # type: ignore[operator]  # operations at one address give one type
            done.times += times
            done.vectors += vectors

    def __iter__(self) -> Iterator[tuple[Address, Done]]:
        return iter(self._done.items())

    def __getitem__(self, address: Address) -> Done:
        return self._done[address]

    def __contains__(self, address: Address) -> bool:
        return address in self._done

    def to_frame(self) -> pd.DataFrame:
        """Return a table with the columns `ACTIVITY_COLUMNS`; what an operation does not have is empty."""
        rows = [
            [*address, done.times, done.vectors, *(getattr(done.activity, name, None) for name in FIELDS)]
            for address, done in self
        ]
        frame = pd.DataFrame(rows, columns=list(ACTIVITY_COLUMNS))
        numbers = list(ACTIVITY_COLUMNS[3:])
        frame[numbers] = frame[numbers].astype(float)
        return frame

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> ActivityLog:
        """Return the log that `to_frame` wrote.

        Raises
        ------
        ValueError
            If a column is missing, or a number is missing, negative or not finite.
        """
        missing = [name for name in ACTIVITY_COLUMNS if name not in frame.columns]
        if missing:
            raise ValueError(f"activity: columns are missing: {', '.join(missing)}")
        log = cls()
        for row in frame.to_dict("records"):
            kind = ReadActivity if pd.isna(row[PULSES_ONLY]) else PulseActivity
            names = ("times", "layer_vectors", *(field.name for field in fields(kind)))
            numbers = [float(row[name]) for name in names]
            if not all(np.isfinite(number) and number >= 0 for number in numbers):
                raise ValueError(f"activity: {row['layer']} {row['operation']}: a number is missing or negative")
            times, vectors, *values = numbers
            address = (str(row["layer"]), str(row["tile"]), str(row["operation"]))
            log.add(address, kind(*values), times=times, vectors=vectors)
        return log

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the log as named arrays."""
        frame = self.to_frame()
        return {
            "addresses": frame[list(ACTIVITY_COLUMNS[:3])].to_numpy(dtype=str).reshape(-1, 3),
            "numbers": frame[list(ACTIVITY_COLUMNS[3:])].to_numpy(dtype=np.float64),
        }

    def restore(self, state: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take over a state that `state` returned."""
        frame = pd.DataFrame(state["addresses"], columns=list(ACTIVITY_COLUMNS[:3]))
        frame[list(ACTIVITY_COLUMNS[3:])] = state["numbers"]
        self._done = ActivityLog.from_frame(frame)._done
