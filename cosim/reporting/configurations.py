"""Rows that differ only in their seed are one configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cosim.reporting.labels import add_labels
from cosim.tables import IDENTITY, OUTCOMES, RESULT_COLUMNS

NOT_SWEPT = frozenset((*RESULT_COLUMNS, "version", "commit", "configuration"))
# Swept keys that a fixed column already tells, resolved: a sweep over states says nothing of a digital row.
TOLD_BY_COLUMN = frozenset(
    (
        "seed.1",
        "algorithm.name",
        "algorithm.tiles",
        "device.preset",
        "device.states",
        "network.name",
        "data.name",
        "training.epochs",
    )
)


@dataclass(frozen=True)
class Panel:
    """The configurations that one panel of a figure shows, under a title."""

    title: str
    configurations: pd.DataFrame


def swept_keys(results: pd.DataFrame) -> list[str]:
    """Columns of swept study keys that no fixed column tells already."""
    return [name for name in results.columns if name not in NOT_SWEPT and name not in TOLD_BY_COLUMN]


def assign_configurations(results: pd.DataFrame) -> pd.DataFrame:
    """Give each row the number of its configuration.

    Parameters
    ----------
    results : pandas.DataFrame
        Rows of ``results.csv``.

    Returns
    -------
    pandas.DataFrame
        The same rows with a column ``configuration``, counted from 0 in order of first appearance.
    """
    identity = [*IDENTITY, *swept_keys(results)]
    number = results.groupby(identity, sort=False, dropna=False).ngroup()
    order = {old: new for new, old in enumerate(pd.unique(number))}
    return results.assign(configuration=number.map(order).astype("int64"))


def summarise(results: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds.

    Parameters
    ----------
    results : pandas.DataFrame
        Rows of ``results.csv``, with or without a column ``configuration``.

    Returns
    -------
    pandas.DataFrame
        One row per configuration, indexed by its number: its identity, ``series`` and ``label`` (the short
        names, without and with the states), ``seeds``, the mean of each outcome under its own name and
        the sample standard deviation as ``<outcome>_spread``, nan for a single seed.
    """
    rows = results if "configuration" in results.columns else assign_configurations(results)
    groups = rows.drop_duplicates(["configuration", "seed"], keep="last").groupby("configuration")
    identity = [*IDENTITY, *swept_keys(rows)]
    columns = [
        groups[identity].first(),
        groups.size().rename("seeds"),
        groups[list(OUTCOMES)].mean(),
        groups[list(OUTCOMES)].std(ddof=1).add_suffix("_spread"),
    ]
    return add_labels(pd.concat(columns, axis=1).rename_axis("configuration"), swept_keys(rows))


def priced_designs(names: Sequence[str]) -> pd.DataFrame:
    """Stand in for a summary where nothing was trained: designs of which only the names are known."""
    frame = pd.DataFrame({"label": names, "series": names, "seeds": 1, "states": float("nan")})
    return frame.rename_axis("configuration")


def panels(configurations: pd.DataFrame) -> list[Panel]:
    """Split by the number of conductance states; configurations without states stand in every panel."""
    states = sorted(configurations["states"].dropna().unique())
    if len(states) < 2:
        return [Panel("", configurations)]
    values = configurations["states"]
    return [
        Panel(f"{count:g} conductance states", configurations[(values == count) | values.isna()]) for count in states
    ]
