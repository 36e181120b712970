"""What a number of the bill is made of: counts times prices, and where the prices come from."""

from __future__ import annotations

import pandas as pd

from cosim.reporting.breakdown import HEADINGS, QUANTITIES
from cosim.reporting.engineering import area, engineering, percent
from cosim.reporting.provenance import UNSTATED

MOST_PARTS = 4
Notes = dict[tuple[str, str], tuple[str, ...]]


def price_notes(bill: pd.DataFrame) -> Notes:
    """Explain each number of a summed bill.

    Parameters
    ----------
    bill : pandas.DataFrame
        Rows of ``bill.csv``; those of several runs are averaged over the runs. Without the columns ``count`` and
        ``per`` the counts are left out.

    Returns
    -------
    dict of (str, str) to tuple of str
        By heading and name as `cosim.reporting.breakdown.bill_lines` gives them: a text for energy, latency and
        area, one line per part, the largest first; empty where the cost is zero.
    """
    runs = max(bill["run_id"].nunique(), 1)
    rows = bill.assign(source=bill["source"].astype("object").where(bill["source"].notna(), UNSTATED))
    if not {"count", "per"} <= set(rows.columns):
        rows = rows.assign(count=0.0, per="")
    rows = rows.assign(per=rows["per"].fillna(""))
    notes: Notes = {("total", "total"): _texts(rows, "component", runs)}
    for heading in HEADINGS:
        other = "component" if heading == "operation" else "operation"
        for name, group in rows.groupby(heading):
            notes[(heading, str(name).replace("_", " "))] = _texts(group, other, runs)
    return notes


def _texts(rows: pd.DataFrame, part: str, runs: int) -> tuple[str, ...]:
    return tuple(_text(rows, part, quantity, runs) for quantity in QUANTITIES)


def _text(rows: pd.DataFrame, part: str, quantity: str, runs: int) -> str:
    sums = rows[rows[quantity] > 0].groupby([part, "per", "source"], sort=False)[["count", quantity]].sum() / runs
    ordered = sums.sort_values(quantity, ascending=False, kind="stable").reset_index()
    lines = [_line(row, part, quantity) for _, row in ordered[:MOST_PARTS].iterrows()]
    rest = ordered[MOST_PARTS:]
    if len(rest):
        share = float(rest[quantity].sum()) / float(ordered[quantity].sum())
        lines.append(f"and {len(rest)} more, {percent(share)} together")
    return "\n".join(lines)


def _line(row: pd.Series[float], part: str, quantity: str) -> str:
    value, count = float(row[quantity]), float(row["count"])
    name, per = (str(row[column]).replace("_", " ") for column in (part, "per"))
    product = _written(value, quantity)
    if count > 0 and per and quantity != "latency_s":  # what runs in parallel takes less than count times price
        product = f"{_counted(count)} {per} × {_written(value / count, quantity)} = {product}"
    return f"{name}: {product} ({row['source']})"


def _written(value: float, quantity: str) -> str:
    if quantity == "area_m2":
        if value < 1e-15:
            return f"{value * 1e12:.2g} µm²"
        return f"{value * 1e12:.0f} µm²" if 1e-10 <= value < 1e-8 else area(value)
    return engineering(value, "J" if quantity == "energy_j" else "s")


def _counted(count: float) -> str:
    return f"{count:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}") if count >= 1000 else f"{count:.3g}"
