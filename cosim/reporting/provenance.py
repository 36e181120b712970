"""Where the prices of a bill come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cost_model.price import RESTS_ON_ASSUMED

KINDS = ("measured", "fitted", "derived", RESTS_ON_ASSUMED, "assumed")
UNSTATED = "not stated"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One origin of prices, and what it priced.

    Attributes
    ----------
    kind : str
        ``measured``, ``fitted``, ``derived``, ``derived from assumed numbers``, ``assumed``, or ``not stated``.
    text : str
        The origin as the bill names it.
    components, operations : tuple of str
        What it priced.
    energy_share : float
        Fraction of the energy that it priced, averaged over the runs; nan where the bill has no energy.
    """

    kind: str
    text: str
    components: tuple[str, ...]
    operations: tuple[str, ...]
    energy_share: float


def sources(bill: pd.DataFrame) -> list[Source]:
    """List each origin once, the one that prices the most energy first.

    Parameters
    ----------
    bill : pandas.DataFrame
        Rows of ``bill.csv``.

    Returns
    -------
    list of Source
        Every distinct text of the column ``source``.
    """
    total = bill.groupby("run_id")["energy_j"].transform("sum")
    share = (bill["energy_j"] / total.where(total > 0)) / max(bill["run_id"].nunique(), 1)
    rows = bill.assign(share=share, source=bill["source"].astype("object").where(bill["source"].notna(), ""))
    found = [_source(str(text), group) for text, group in rows.groupby("source", sort=True)]
    return sorted(found, key=lambda source: (-_number(source.energy_share), source.text))


def kind_counts(found: Sequence[Source]) -> list[tuple[str, int, float]]:
    """Count the sources of each kind, with the share of the energy that they price."""
    counts = Counter(source.kind for source in found)
    return [
        (kind, counts[kind], sum(_number(source.energy_share) for source in found if source.kind == kind))
        for kind in (*KINDS, UNSTATED)
        if counts[kind]
    ]


def _source(text: str, rows: pd.DataFrame) -> Source:
    return Source(
        kind=_kind(text),
        text=text or UNSTATED,
        components=_names(rows["component"]),
        operations=_names(rows["operation"]),
        energy_share=float(rows["share"].sum(min_count=1)),
    )


def _kind(text: str) -> str:
    first = text.strip().lower()
    return next((kind for kind in sorted(KINDS, key=len, reverse=True) if first.startswith(kind)), UNSTATED)


def _names(values: pd.Series[str]) -> tuple[str, ...]:
    return tuple(str(value).replace("_", " ") for value in sorted(values.dropna().unique()))


def _number(share: float) -> float:
    return 0.0 if pd.isna(share) else share
