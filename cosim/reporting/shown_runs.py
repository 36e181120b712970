"""Which runs a figure of a single run shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cosim.reporting.frames import RunFrames


@dataclass(frozen=True, kw_only=True)
class ShownRun:
    """One run of a configuration.

    Attributes
    ----------
    run_id : str
        Which run.
    label : str
        Name of its configuration; empty where the study has only one.
    rows : pandas.DataFrame
        Its rows of the table that was asked for.
    """

    run_id: str
    label: str
    rows: pd.DataFrame


def shown_runs(frames: RunFrames, configurations: pd.DataFrame, rows: pd.DataFrame, limit: int) -> list[ShownRun]:
    """Choose runs to draw: the first of each configuration, spread over the numbers of tiles.

    Parameters
    ----------
    frames : RunFrames
        Where the numbers of tiles are found.
    configurations : pandas.DataFrame
        Names of the configurations, indexed by number.
    rows : pandas.DataFrame
        A table of the frames: only runs with rows in it are chosen.
    limit : int
        At most so many, from 1.

    Returns
    -------
    list of ShownRun
        Fewest tiles first; the run with the most tiles is always among them, and for a limit of one is alone.
    """
    first = rows.drop_duplicates("configuration")
    tiles = _tiles(frames)
    ordered = sorted(
        zip(first["configuration"], first["run_id"], strict=True), key=lambda one: tiles.get(str(one[1]), 0.0)
    )
    places = np.unique(np.linspace(len(ordered) - 1, 0, min(limit, len(ordered))).round().astype(int))
    several = len(configurations) > 1
    return [
        ShownRun(
            run_id=str(run_id),
            label=str(configurations.loc[number, "label"]) if several else "",
            rows=rows[rows["run_id"] == run_id],
        )
        for number, run_id in (ordered[place] for place in places)
    ]


def _tiles(frames: RunFrames) -> Mapping[str, float]:
    """Return tiles by run: of the widest layer, or as the bill numbers them."""
    if not frames.floorplan.empty:
        counted = frames.floorplan.groupby("run_id")["tiles"].max()
    elif "tile" in frames.bill:
        numbers = pd.to_numeric(frames.bill["tile"], errors="coerce")
        counted = numbers.groupby(frames.bill["run_id"]).max()
    else:
        return {}
    return {str(run_id): float(count) for run_id, count in counted.dropna().items()}
