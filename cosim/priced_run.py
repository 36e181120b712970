"""A finished run as the source of a bill: what happened in it, and how accurate it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cosim.activity import ActivityLog
from cosim.config import ConfigError, Point, load_study, lookup
from cosim.record import Record

# Keys of the hardware that the error of a read depends on, so that accuracy holds for equal ones alone.
READ_KEYS = (
    *("array_rows", "array_cols", "adc.model", "adc.bits", "adc.full_scale", "adc.columns_per_adc"),
    *("adc.shared_by_tiles", "dac.model", "dac.bits", "noise_management", "bound_management"),
)
ALWAYS_KEYS = ("pulses", "wires")


@dataclass(frozen=True)
class Trained:
    """A point of a run with what it left.

    Parameters
    ----------
    point
        What was trained.
    accuracy
        Its test accuracy.
    activity
        What happened in it.
    """

    point: Point
    accuracy: float
    activity: ActivityLog


@dataclass(frozen=True)
class Match:
    """The points of a run that train what a priced point would train; they differ in hardware and seed.

    Parameters
    ----------
    trained
        At least one.
    """

    trained: tuple[Trained, ...]

    def choose(self, point: Point, columns: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
        """Return, per design, the place of the point whose activity is priced.

        One with the same hardware as far as reads depend on it, and of these the one with the same seed; the first one
        with this seed, or the first, where none has.

        Parameters
        ----------
        point
            A priced point.
        columns
            Its keys that differ between designs, dotted, with an array each.
        """
        order = sorted(range(len(self.trained)), key=lambda place: self.trained[place].point.seed != point.seed)
        chosen = np.full(_count(columns), order[0])
        for place in reversed(order):
            chosen = np.where(self._same_reads(self.trained[place].point, point, columns, READ_KEYS), place, chosen)
        return chosen

    def accuracy(self, point: Point, columns: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
        """Return, per design, the mean accuracy of the points whose reads err like its own; NaN where there is none.

        Reads of ideal converters do not depend on the hardware.
        """
        total, found = np.zeros(_count(columns)), np.zeros(_count(columns))
        for one in self.trained:
            ideal = one.point.ideal_io and not one.point.resolved["hardware"].get("wires")
            same = self._same_reads(one.point, point, columns, () if ideal else READ_KEYS)
            total += np.where(same, one.accuracy, 0.0)
            found += same
        mean: npt.NDArray[np.float64] = np.divide(total, found, out=np.full(total.shape, np.nan), where=found > 0)
        return mean

    @staticmethod
    def _same_reads(
        trained: Point, point: Point, columns: Mapping[str, npt.NDArray[Any]], keys: Sequence[str]
    ) -> npt.NDArray[np.bool_]:
        own, wanted = trained.resolved["hardware"], point.resolved["hardware"]
        same = np.full(_count(columns), all(own.get(key) == wanted.get(key) for key in ALWAYS_KEYS))
        for key in keys:
            same &= np.asarray(columns.get(f"hardware.{key}", lookup(wanted, key)) == lookup(own, key))
        return same


def _count(columns: Mapping[str, npt.NDArray[Any]]) -> int:
    return len(next(iter(columns.values()))) if columns else 1


class PricedRun:
    """A run folder whose activity and accuracy a bill takes over.

    Parameters
    ----------
    folder
        What `cosim run` left.

    Raises
    ------
    ConfigError
        If the folder holds no finished run with its activity.
    """

    def __init__(self, folder: Path) -> None:
        needed = ("study.toml", "results.csv", "activity.csv", "trace.csv")
        missing = [name for name in needed if not (folder / name).is_file()]
        if missing:
            raise ConfigError(
                f"{folder}: this is not the folder of a run that can be priced again: {', '.join(missing)} "
                "missing; give one that `cosim run` of this version left"
            )
        record = Record(folder)
        try:
            activity = dict(list(record.activity.groupby("run_id", sort=False)))
            trace, results = record.trace, record.results
            traced = trace[trace["tile"] != "neurons"].groupby("run_id").size()
            accuracy = dict(zip(results["run_id"], results["test_accuracy"].astype(float), strict=True))
        except (ValueError, KeyError, pd.errors.ParserError) as error:
            raise ConfigError(f"{folder}: the tables of the run cannot be read: {error}") from None
        self._trained = []
        for point in load_study(folder / "study.toml").points:
            rows = activity.get(point.run_id)
            if point.run_id not in accuracy or rows is None:
                continue
            if len(rows) != traced.get(point.run_id, 0):
                raise ConfigError(
                    f"{folder / 'activity.csv'}: {len(rows)} rows of run {point.run_id}, where its trace has "
                    f"{traced.get(point.run_id, 0)}; a table is not whole: run the study again, which writes both anew"
                )
            try:
                log = ActivityLog.from_frame(rows)
            except ValueError as error:
                raise ConfigError(f"{folder / 'activity.csv'}: {error}") from None
            self._trained.append(Trained(point, accuracy[point.run_id], log))

    def match(self, point: Point) -> Match | None:
        """Return what the run knows about a point, whatever its hardware; None where it trained nothing like it."""
        wanted = _training(point)
        found = [one for one in self._trained if _training(one.point) == wanted]
        return Match(tuple(found)) if found else None


def _training(point: Point) -> dict[str, Any]:
    """Return what a point trains: everything but its hardware, its seed, its title and where its data lie."""
    content = {key: value for key, value in point.resolved.items() if key not in ("hardware", "seed", "title")}
    content["data"] = {key: value for key, value in content["data"].items() if key != "path"}
    content["device"] = {**content["device"], "preset": point.device_name}
    return content
