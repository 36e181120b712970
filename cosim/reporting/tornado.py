"""Which assumptions a result depends on most."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from cosim.reporting.engineering import Scale, axis_scale, quantity, quantity_range
from cosim.reporting.frames import RunFrames
from cosim.reporting.style import TEXT_COLOUR, Style, add_legend, fill, new_figure
from cosim.tables import TOTALS

# Results that have a band, with their name and unit, in the order of the panels.
RESULTS = {
    "energy_per_sample_j": ("energy per training sample", "J"),
    "latency_per_sample_s": ("latency per training sample", "s"),
    "area_m2": ("area", "m²"),
}
LARGEST = 5
ENDS = {
    "low": Style(colour="#0072b2", hatch=""),
    "high": Style(colour="#e69f00", hatch="////"),
}
NAMES = {"low": "assumption at its low end", "high": "assumption at its high end"}


def largest(tornado: pd.DataFrame, figure: str, count: int = LARGEST) -> pd.DataFrame:
    """Return the assumptions that swing a result most, the largest first.

    Parameters
    ----------
    tornado : pandas.DataFrame
        Rows of ``tornado.csv`` of one run.
    figure : str
        A key of `RESULTS`.
    count : int
        How many at most.

    Returns
    -------
    pandas.DataFrame
        Their rows; an assumption that moves nothing is left out.
    """
    rows = tornado[tornado["figure"] == figure]
    swing = (rows["high"] - rows["low"]).abs()
    order = swing[swing > 0].sort_values(ascending=False, kind="stable").index[:count]
    return rows.loc[order]


def nominal_costs(frames: RunFrames, run_id: str) -> dict[str, float]:
    """Return each result of a run with every assumption at its value: from the bands, or else from the bill."""
    bands = frames.bands[frames.bands["run_id"] == run_id]
    nominal = {str(name): float(value) for name, value in zip(bands["figure"], bands["nominal"], strict=True)}
    bill = frames.bill[frames.bill["run_id"] == run_id]
    if not bill.empty:
        totals = {name: float(bill[column].sum()) for column, name in TOTALS.items()}
        nominal = totals | nominal
    return {name: value for name, value in nominal.items() if math.isfinite(value)}


def plot_tornado(axes: Axes, rows: pd.DataFrame, *, nominal: float, scale: Scale) -> None:
    """Draw what a result becomes when one assumption at a time goes to either end of its range.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    rows : pandas.DataFrame
        What `largest` returns: the first row stands on top.
    nominal : float
        The result with every assumption at its value, in SI units.
    scale : Scale
        Its unit on paper.
    """
    middle = nominal * scale.factor
    for place, (_, row) in enumerate(rows.iterrows()):
        reaches = {end: float(row[end]) * scale.factor - middle for end in ENDS}
        # The longer bar first: where both ends lie on one side, the shorter one stays visible, without a number.
        longer, shorter = sorted(ENDS, key=lambda end: -abs(reaches[end]))
        for end in (longer, shorter):
            axes.barh(place, reaches[end], left=middle, height=0.62, linewidth=0.5, zorder=2, **fill(ENDS[end]))
        _write_change(axes, place, middle, reaches[longer])
        if reaches[longer] * reaches[shorter] < 0:
            _write_change(axes, place, middle, reaches[shorter])
    axes.axvline(middle, color=TEXT_COLOUR, linewidth=1.0, zorder=3)
    axes.set_yticks(range(len(rows)), [_label(row) for _, row in rows.iterrows()])
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.16)
    axes.xaxis.set_major_locator(MaxNLocator(6))


def draw_tornado(tornado: pd.DataFrame, nominal: Mapping[str, float]) -> Figure:
    """Draw one panel per result that any assumption moves.

    Parameters
    ----------
    tornado : pandas.DataFrame
        Rows of ``tornado.csv`` of one run.
    nominal : mapping of str to float
        Each result with every assumption at its value.
    """
    panels = [(name, largest(tornado, name)) for name in drawn(tornado, nominal)]
    heights = [0.42 * len(rows) + 0.7 for _, rows in panels]
    figure = new_figure(sum(heights) + 0.35)
    grid = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axes, (name, rows) in zip(grid, panels, strict=True):
        words, unit = RESULTS[name]
        scale = axis_scale([nominal[name], *rows["low"], *rows["high"]], unit)
        plot_tornado(axes, rows, nominal=nominal[name], scale=scale)
        axes.set_title(f"{words}: {quantity(nominal[name], unit)}")
        axes.set_xlabel(f"{words} ({scale.unit})")
    add_legend(figure, [Patch(label=NAMES[end], linewidth=0.5, **fill(style)) for end, style in ENDS.items()])
    return figure


def drawn(tornado: pd.DataFrame, nominal: Mapping[str, float]) -> Sequence[str]:
    """Return the results that have a panel."""
    return [name for name in RESULTS if name in nominal and not largest(tornado, name).empty]


def _label(row: pd.Series[float]) -> str:
    bounds = quantity_range(float(row["assumption_low"]), float(row["assumption_high"]), _unit(row))
    kind = "" if pd.isna(row["kind"]) else f", {row['kind']}"
    return f"{str(row['assumption']).replace('_', ' ')}\n{bounds}{kind}"


def _unit(row: pd.Series[float]) -> str:
    return "1" if pd.isna(row["unit"]) else str(row["unit"])


def _write_change(axes: Axes, place: int, middle: float, reach: float) -> None:
    if not reach or not middle:
        return
    side = 1 if reach > 0 else -1
    change = 100 * reach / middle
    axes.annotate(
        f"{change:+.{0 if abs(change) >= 1 else 1}f} %".replace("-", "\N{MINUS SIGN}"),
        (middle + reach, place),
        xytext=(4 * side, 0),
        textcoords="offset points",
        ha="left" if side > 0 else "right",
        va="center",
        fontsize=8,
    )
