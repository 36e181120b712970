"""A finished run as the source of a bill: what happened in it, and how accurate it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cosim.activity import ActivityLog
from cosim.config import ConfigError, Point, load_study, lookup
from cosim.record import Record
from cost_model.numbers import Number

# Keys of the hardware that the error of a read depends on, so that accuracy holds for equal ones alone.
READ_KEYS = (
    *("array_rows", "array_cols", "adc.model", "adc.bits", "adc.full_scale", "adc.columns_per_adc"),
    *("adc.shared_by_tiles", "dac.model", "dac.bits", "noise_management", "bound_management"),
)
ALWAYS_KEYS = ("pulses", "wires")


@dataclass(frozen=True)
class Match:
    """The points of a run that train what a priced point would train.

    Parameters
    ----------
    activity
        Of the first of them.
    points
        All of them, with their test accuracies; they differ in hardware and seed.
    """

    activity: ActivityLog
    points: tuple[tuple[Point, float], ...]

    def accuracy(self, point: Point, columns: Mapping[str, npt.NDArray[Any]]) -> Number:
        """Return the mean accuracy over the points whose reads err like those of designs; NaN where there is none.

        Parameters
        ----------
        point
            A priced point.
        columns
            Its keys that differ between designs, dotted, with an array each.
        """
        wanted = point.resolved["hardware"]
        count = len(next(iter(columns.values()))) if columns else 1
        total, found = np.zeros(count), np.zeros(count)
        for trained, accuracy in self.points:
            own = trained.resolved["hardware"]
            same = np.full(count, all(own.get(key) == wanted.get(key) for key in ALWAYS_KEYS))
            if not (trained.ideal_io and not own.get("wires")):
                for key in READ_KEYS:
                    asked = columns.get(f"hardware.{key}", lookup(wanted, key))
                    same &= np.asarray(asked == lookup(own, key))
            total += np.where(same, accuracy, 0.0)
            found += same
        mean = np.divide(total, found, out=np.full(count, np.nan), where=found > 0)
        return mean if columns else float(mean[0])


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
        missing = [name for name in ("study.toml", "results.csv", "activity.csv") if not (folder / name).is_file()]
        if missing:
            raise ConfigError(
                f"{folder}: this is not the folder of a run that can be priced again: {', '.join(missing)} "
                "missing; give one that `cosim run` of this version left"
            )
        record = Record(folder)
        try:
            self._activity = dict(list(record.activity.groupby("run_id", sort=False)))
            results = record.results
            accuracy = dict(zip(results["run_id"], results["test_accuracy"].astype(float), strict=True))
        except (ValueError, KeyError, pd.errors.ParserError) as error:
            raise ConfigError(f"{folder}: the tables of the run cannot be read: {error}") from None
        self.folder = folder
        self._trained = [
            (point, accuracy[point.run_id])
            for point in load_study(folder / "study.toml").points
            if point.run_id in accuracy and point.run_id in self._activity
        ]

    def match(self, point: Point) -> Match | None:
        """Return what the run knows about a point, whatever its hardware; None where it trained nothing like it.

        The activity is that of the point with the same seed, or of the first one.
        """
        wanted = _training(point)
        found = [(trained, accuracy) for trained, accuracy in self._trained if _training(trained) == wanted]
        if not found:
            return None
        chosen = next((trained for trained, _ in found if trained.run_id == point.run_id), None)
        chosen = chosen or next((trained for trained, _ in found if trained.seed == point.seed), found[0][0])
        try:
            log = ActivityLog.from_frame(self._activity[chosen.run_id])
        except ValueError as error:
            raise ConfigError(f"{self.folder / 'activity.csv'}: {error}") from None
        return Match(log, tuple(found))


def _training(point: Point) -> dict[str, Any]:
    """Return what a point trains: everything but its hardware, its seed, its title and where its data lie."""
    content = {key: value for key, value in point.resolved.items() if key not in ("hardware", "seed", "title")}
    content["data"] = {key: value for key, value in content["data"].items() if key != "path"}
    content["device"] = {**content["device"], "preset": point.device_name}
    return content
