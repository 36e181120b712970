"""Tables of results and bills for the terminal, and the rows that the page shows too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from rich.table import Table
from rich.text import Text

from cosim.reporting.breakdown import BillLine, bill_lines
from cosim.reporting.configurations import summarise
from cosim.reporting.engineering import area, engineering, percent, percent_spread, storage

__all__ = [
    "BILL_HEADERS",
    "RESULT_HEADERS",
    "ResultRow",
    "bill_cells",
    "bill_table",
    "engineering",
    "result_rows",
    "results_table",
]

RESULT_HEADERS = (
    "configuration",
    "test accuracy",
    "seeds",
    "energy",
    "latency",
    "area",
    "digital storage",
)
BILL_HEADERS = ("part", "energy", "share", "latency", "share", "area")


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """One configuration, written for people; ``best`` marks the highest accuracy among equal states."""

    label: str
    cells: tuple[str, ...]
    best: bool


def result_rows(configurations: pd.DataFrame) -> list[ResultRow]:
    """Write one row per configuration.

    Parameters
    ----------
    configurations : pandas.DataFrame
        What `cosim.reporting.configurations.summarise` returns.

    Returns
    -------
    list of ResultRow
        In the order given; the cells follow `RESULT_HEADERS` after the first.
    """
    best = _best(configurations)
    return [
        ResultRow(label=str(row["label"]), cells=_result_cells(row), best=number in best)
        for number, row in configurations.iterrows()
    ]


def results_table(results: pd.DataFrame) -> Table:
    """Lay out the results for a terminal.

    Parameters
    ----------
    results : pandas.DataFrame
        Rows of ``results.csv``.

    Returns
    -------
    rich.table.Table
        One row per configuration: accuracy ± sample standard deviation over the seeds, and the cost per
        training sample. The best accuracy among configurations of equal states is bold.
    """
    table = _table("Results, costs per training sample", RESULT_HEADERS)
    for row in result_rows(summarise(results)):
        cells = [Text(cell) for cell in (row.label, *row.cells)]
        table.add_row(*cells, style="bold" if row.best else None)
    return table


def bill_table(bill: pd.DataFrame) -> Table:
    """Lay out a bill for a terminal.

    Parameters
    ----------
    bill : pandas.DataFrame
        Rows of ``bill.csv``; those of several runs are averaged over the runs.

    Returns
    -------
    rich.table.Table
        Energy, latency and area per operation, per component and in total.
    """
    table = _table("Bill per training sample", BILL_HEADERS)
    heading = ""
    for line in bill_lines(bill):
        if line.heading != heading and heading:
            table.add_section()
        heading = line.heading
        cells = [Text(cell) for cell in bill_cells(line)]
        table.add_row(*cells, style="bold" if heading == "total" else None)
    return table


def bill_cells(line: BillLine) -> tuple[str, ...]:
    """Write one line of a bill; the cells follow `BILL_HEADERS`, and what costs nothing stays blank."""
    return (
        line.name,
        engineering(line.energy_j, "J") if line.energy_j else "",
        percent(line.energy_share) if line.energy_j else "",
        engineering(line.latency_s, "s") if line.latency_s else "",
        percent(line.latency_share) if line.latency_s else "",
        area(line.area_m2) if line.area_m2 else "",
    )


def _table(title: str, headers: Sequence[str]) -> Table:
    table = Table(title=title)
    for place, header in enumerate(headers):
        table.add_column(header, justify="right" if place else "left", no_wrap=bool(place))
    return table


def _result_cells(row: pd.Series[float]) -> tuple[str, ...]:
    return (
        percent_spread(float(row["test_accuracy"]), float(row["test_accuracy_spread"])),
        str(row["seeds"]),
        engineering(float(row["energy_per_sample_j"]), "J"),
        engineering(float(row["latency_per_sample_s"]), "s"),
        area(float(row["area_m2"])),
        storage(float(row["digital_storage_byte"])),
    )


def _best(configurations: pd.DataFrame) -> set[object]:
    """Numbers of the most accurate configurations, one for each count of states that has a rival."""
    best: set[object] = set()
    for _, group in configurations.groupby("states", dropna=False):
        accuracies = group["test_accuracy"].dropna()
        if len(accuracies) > 1:
            best.add(accuracies.idxmax())
    return best
