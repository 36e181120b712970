"""Short human names of configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

PROPER_NAMES = {
    "digital_sgd": "digital SGD",
    "analog_sgd": "Analog SGD",
    "tiki_taka_v1": "Tiki-Taka v1",
    "tiki_taka_v2": "Tiki-Taka v2",
    "chopped_tiki_taka_v2": "chopped Tiki-Taka v2",
    "agad": "AGAD",
    "e_rider": "E-RIDER",
}
COLUMNS_IN_LABEL = ("device", "network", "data", "epochs")


def algorithm_name(algorithm: str) -> str:
    """Name an algorithm the way its authors write it.

    Parameters
    ----------
    algorithm : str
        Name in the study file, such as ``tiki_taka_v2``.

    Returns
    -------
    str
        Name for people, such as ``Tiki-Taka v2``.
    """
    return PROPER_NAMES.get(algorithm, algorithm.replace("_", " "))


def design_names(run_ids: Sequence[str], summary: Mapping[str, Any]) -> list[str]:
    """Name designs that were priced and not trained.

    Parameters
    ----------
    run_ids : sequence of str
        One for each design.
    summary : Mapping
        Content of ``summary.json``; its ``labels``, a table from run_id to name, are used where present. A single
        design without one bears the ``title`` of the study.

    Returns
    -------
    list of str
        A name for each run; runs of equal name are seeds of one design.
    """
    given = summary.get("labels")
    labels = given if isinstance(given, Mapping) else {}
    title = str(summary.get("title") or "") if len(run_ids) == 1 else ""
    return [str(labels.get(run_id) or title or f"run {run_id[:12]}") for run_id in run_ids]


def add_labels(configurations: pd.DataFrame, swept: Sequence[str]) -> pd.DataFrame:
    """Add the columns ``series`` (name without states) and ``label`` (name with states).

    Parameters
    ----------
    configurations : pandas.DataFrame
        One row per configuration.
    swept : sequence of str
        Columns of swept keys; those that vary between configurations of the same algorithm and tiles enter the name.

    Returns
    -------
    pandas.DataFrame
        The same rows; no two labels are equal.
    """
    heads = [_head(row, configurations) for _, row in configurations.iterrows()]
    varying = {
        head: [name for name in (*COLUMNS_IN_LABEL, *swept) if _varies(alike[name])]
        for head, alike in configurations.groupby(pd.Series(heads, index=configurations.index), sort=False)
    }
    extras = [_extras(row, varying[head]) for head, (_, row) in zip(heads, configurations.iterrows(), strict=True)]
    states = _states(configurations["states"])
    series = [" · ".join((head, *extra)) for head, extra in zip(heads, extras, strict=True)]
    labels = [" · ".join((head, *state, *extra)) for head, state, extra in zip(heads, states, extras, strict=True)]
    suffixes = _suffixes(labels)
    return configurations.assign(
        series=[name + suffix for name, suffix in zip(series, suffixes, strict=True)],
        label=[name + suffix for name, suffix in zip(labels, suffixes, strict=True)],
    )


def _varies(values: pd.Series[float]) -> bool:
    return values.nunique(dropna=True) > 1


def _head(row: pd.Series[float], configurations: pd.DataFrame) -> str:
    algorithm, tiles = str(row["algorithm"]), row["tiles"]
    name = algorithm_name(algorithm)
    same = configurations.loc[configurations["algorithm"] == row["algorithm"], "tiles"]
    if pd.isna(tiles) or not (algorithm.startswith("residual_learning") or _varies(same)):
        return name
    return f"{name}, {_value(tiles)} {'tile' if tiles == 1 else 'tiles'}"


def _states(states: pd.Series[float]) -> list[tuple[str, ...]]:
    if not _varies(states):
        return [()] * len(states)
    return [() if pd.isna(count) else (f"{_value(count)} states",) for count in states]


def _extras(row: pd.Series[float], varying: Sequence[str]) -> tuple[str, ...]:
    return tuple(_extra(name, row[name]) for name in varying if pd.notna(row[name]))


def _extra(name: str, value: object) -> str:
    if name == "epochs":
        return f"{_value(value)} epochs"
    if name in COLUMNS_IN_LABEL:
        return _value(value)
    key = name.split(".", 1)[-1].replace("_", " ")
    return f"{key} {_value(value)}"


def _value(value: object) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:g}"
    return str(value)


def _suffixes(labels: Sequence[str]) -> list[str]:
    counts = [labels[:place].count(label) for place, label in enumerate(labels)]
    return [f" ({count + 1})" if count else "" for count in counts]
