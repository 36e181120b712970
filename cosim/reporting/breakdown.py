"""Where the cost goes: the bill summed by operation and by component."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

OPERATIONS = ("forward", "backward", "update", "transfer", "program", "digital", "refresh", "calibrate")
COMPONENTS = (
    "adc",
    "dac",
    "tia",
    "array",
    "drivers",
    "summing_stage",
    "sample_hold",
    "pulse_generators",
    "accumulator",
    "registers",
    "sram",
    "digital",
    "wires",
    "off_chip",
    "edram",
    "router",
)
QUANTITIES = ("energy_j", "latency_s", "area_m2")
Heading = Literal["operation", "component"]
HEADINGS: tuple[Heading, ...] = ("operation", "component")
ORDER: Mapping[Heading, tuple[str, ...]] = {"operation": OPERATIONS, "component": COMPONENTS}


@dataclass(frozen=True, kw_only=True)
class BillLine:
    """One line of a summed bill, per training sample; shares are fractions of the total."""

    heading: str
    name: str
    energy_j: float
    energy_share: float
    latency_s: float
    latency_share: float
    area_m2: float


def cost_by(bill: pd.DataFrame, heading: Heading, quantity: str) -> pd.DataFrame:
    """Sum the bill of each configuration.

    Parameters
    ----------
    bill : pandas.DataFrame
        Rows of ``bill.csv`` with a column ``configuration``.
    heading : {'operation', 'component'}
        What to sum by.
    quantity : {'energy_j', 'latency_s', 'area_m2'}
        What to sum, per training sample.

    Returns
    -------
    pandas.DataFrame
        One row per configuration, one column per operation or component that costs anything: the mean over
        the runs of the configuration.
    """
    sums = bill.groupby(["configuration", heading])[quantity].sum().unstack(fill_value=0)
    runs = bill.groupby("configuration")["run_id"].nunique()
    means = sums.div(runs, axis=0)
    return means[ordered((name for name in means.columns if (means[name] != 0).any()), heading)]


def bill_lines(bill: pd.DataFrame) -> list[BillLine]:
    """Sum one bill by operation, by component and in total.

    Parameters
    ----------
    bill : pandas.DataFrame
        Rows of ``bill.csv``; those of several runs are averaged over the runs.

    Returns
    -------
    list of BillLine
        Operations, components, then one line named ``total``; the lines of each heading sum to the total.
    """
    per_run = bill[["operation", "component"]].join(bill[list(QUANTITIES)] / max(bill["run_id"].nunique(), 1))
    total = per_run[list(QUANTITIES)].sum()
    lines = [line for heading in HEADINGS for line in _lines(per_run, heading, total)]
    return [*lines, _line("total", "total", total, total)]


def _lines(bill: pd.DataFrame, heading: Heading, total: pd.Series[float]) -> list[BillLine]:
    sums = bill.groupby(heading)[list(QUANTITIES)].sum()
    costly = sums[(sums != 0).any(axis=1)]
    return [_line(heading, name, costly.loc[[name]].sum(), total) for name in ordered(costly.index, heading)]


def _line(heading: str, name: str, sums: pd.Series[float], total: pd.Series[float]) -> BillLine:
    return BillLine(
        heading=heading,
        name=name.replace("_", " "),
        energy_j=float(sums["energy_j"]),
        energy_share=_share(float(sums["energy_j"]), float(total["energy_j"])),
        latency_s=float(sums["latency_s"]),
        latency_share=_share(float(sums["latency_s"]), float(total["latency_s"])),
        area_m2=float(sums["area_m2"]),
    )


def _share(part: float, total: float) -> float:
    return part / total if total else math.nan


def ordered(names: Iterable[object], heading: Heading) -> list[str]:
    """Known names in the order of the signal chain, then the others by alphabet."""
    present = {str(name) for name in names}
    known = [name for name in ORDER[heading] if name in present]
    return [*known, *sorted(present - set(known))]
