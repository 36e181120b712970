"""A measured pulse response, checked: trains of pulses with the conductance after each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from device_models.names import unknown_name

FloatArray = npt.NDArray[np.float64]

COLUMNS = ("pulse", "direction", "conductance_s", "device")
DIRECTIONS = {"up": 1, "down": -1, "+1": 1, "1": 1, "-1": -1, "1.0": 1, "+1.0": 1, "-1.0": -1, "−1": -1}
EMPTY = {"", "nan", "none", "<na>", "0", "0.0"}


class FitError(ValueError):
    """A measurement that no device can be fitted to: what is wrong with it and what would help."""


@dataclass(frozen=True)
class PulseTrain:
    """The measurement of one device.

    Parameters
    ----------
    name
        As in the column `device`.
    before, after
        float64 (pulses,): conductance before and after each pulse, as measured, >= 0.
    up
        bool (pulses,): direction of each pulse.
    follows
        bool (pulses,): whether `before` is the `after` of the entry in front, the same reading.
    """

    name: str
    before: FloatArray
    after: FloatArray
    up: npt.NDArray[np.bool_]
    follows: npt.NDArray[np.bool_]


def read_measurement(measurement: pd.DataFrame | Mapping[str, Any]) -> tuple[list[PulseTrain], str]:
    """Return the pulse trains of every device, and the unit of the conductance: ``"S"``, or ``"1"`` where it has none.

    Parameters
    ----------
    measurement
        Columns `pulse`, `direction` (up, down, +1, -1), `conductance_s` in siemens or `conductance` without a unit,
        and `device` where there are several; rows in the order of application, each with the conductance after the
        pulse. A first row of a device, and any row of pulse 0, is a start: no step leads to it.

    Raises
    ------
    FitError
        If a column is missing, a cell is not what it should be, or pulses are left out.
    """
    frame = pd.DataFrame(measurement).reset_index(drop=True)
    frame.columns = [str(name).strip() for name in frame.columns]
    conductance = "conductance" if "conductance" in frame and "conductance_s" not in frame else "conductance_s"
    for name in ("pulse", "direction", conductance):
        if name not in frame:
            problem = unknown_name(name, frame.columns, "its columns").removeprefix("is unknown; ")
            raise FitError(f"the measurement has no column {name!r}; {problem}")
    if frame.empty:
        raise FitError("the measurement has no rows")
    devices = frame["device"].astype(str) if "device" in frame else pd.Series("1", index=frame.index)
    pulses, values = _numbers(frame, "pulse"), _numbers(frame, conductance)
    if (values < 0).any():
        row = int(np.argmax(values < 0))
        raise FitError(f"row {row + 1}: {conductance} = {values[row]:g} is negative; a conductance is at least 0")
    starts = ~devices.duplicated().to_numpy() | (pulses == 0)
    directions = _directions(frame["direction"], starts)
    trains = []
    for name in devices.unique():
        rows = np.flatnonzero((devices == name).to_numpy())
        _check_order(pulses, rows, starts)
        steps = np.flatnonzero(~starts[rows])  # step n of the device leads from rows[n - 1] to rows[n]
        follows = np.diff(steps, prepend=-1) == 1
        follows[:1] = False
        trains.append(
            PulseTrain(str(name), values[rows[steps - 1]], values[rows[steps]], directions[rows[steps]] > 0, follows)
        )
    return trains, "S" if conductance == "conductance_s" else "1"


def _numbers(frame: pd.DataFrame, name: str) -> FloatArray:
    numbers = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers)))
        raise FitError(f"row {row + 1}: {name} = {str(frame[name].iloc[row])!r} is not a finite number")
    return numbers


def _directions(column: pd.Series[Any], starts: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return +1 and -1, and 0 at a start."""
    signs = np.zeros(len(column), dtype=np.int64)
    for row, cell in enumerate(column.astype(str).str.strip().str.lower()):
        if cell in DIRECTIONS:
            signs[row] = DIRECTIONS[cell]
        elif not (starts[row] and cell in EMPTY):
            raise FitError(f"row {row + 1}: direction = {str(column.iloc[row])!r} is not allowed; up, down, +1 or -1")
    return signs


def _check_order(pulses: FloatArray, rows: npt.NDArray[np.int64], starts: npt.NDArray[np.bool_]) -> None:
    """Refuse a train in which pulses were not measured; the count may begin anew with 1."""
    for last, row in pairwise(rows):
        if not (starts[row] or pulses[row] == pulses[last] + 1 or pulses[row] == 1):
            raise FitError(
                f"row {row + 1}: pulse {pulses[row]:g} comes after pulse {pulses[last]:g}; the conductance is needed"
                " after every pulse, in the order of application"
            )
