"""Where the energy and the time go: stacked bars, one for each configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cosim.reporting.breakdown import ORDER, Heading, cost_by
from cosim.reporting.configurations import panels
from cosim.reporting.engineering import axis_scale, engineering
from cosim.reporting.style import Style, add_legend, fill, fill_styles, legend_rows, new_figure

UNITS = {"energy_j": ("energy", "J"), "latency_s": ("latency", "s")}
COMPARABLE_RATIO = 6.0
SMALL_SHARE = 0.01
OTHERS = "others, each below 1 %"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Bars ready to draw.

    Attributes
    ----------
    parts : pandas.DataFrame
        Length of each part on paper: one row per configuration, one column per part.
    totals : pandas.Series
        What to write at the end of each bar, indexed like `parts`.
    label : str
        Label of the axis.
    largest_tick : float
        Last number to write on the axis.
    """

    parts: pd.DataFrame
    totals: pd.Series[str]
    label: str
    largest_tick: float


def stack(bill: pd.DataFrame, heading: Heading, quantity: str) -> Stack:
    """Lay out the mean cost of each configuration.

    Costs that differ by more than a factor of six become shares, so that the parts of the cheap ones stay
    visible; the totals are written beside the bars in both cases.

    Parameters
    ----------
    bill : pandas.DataFrame
        Rows of ``bill.csv`` with a column ``configuration``.
    heading : {'operation', 'component'}
        What the parts are.
    quantity : {'energy_j', 'latency_s'}
        What the length is.

    Returns
    -------
    Stack
        Parts, totals and label.
    """
    costs = cost_by(bill, heading, quantity)
    totals = costs.sum(axis=1)
    shares = costs.div(totals.where(totals > 0), axis=0).fillna(0.0)
    name, unit = UNITS[quantity]
    written = totals.map(lambda total: engineering(float(total), unit))
    if totals.max() > COMPARABLE_RATIO * totals[totals > 0].min():
        parts, label = _merge_small(100 * shares, shares), f"share of the {name} (%), total beside each bar"
        return Stack(parts=parts, totals=written, label=label, largest_tick=100.0)
    scale = axis_scale(totals, unit)
    return Stack(
        parts=_merge_small(costs * scale.factor, shares),
        totals=written,
        label=f"{name} per training sample ({scale.unit})",
        largest_tick=float("inf"),
    )


def plot_breakdown(
    axes: Axes,
    parts: pd.DataFrame,
    *,
    labels: Sequence[str],
    totals: Sequence[str],
    styles: Mapping[str, Style],
) -> None:
    """Draw stacked horizontal bars, the first row on top.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    parts : pandas.DataFrame
        Length on paper: one row per bar, one column per part.
    labels, totals : sequence of str
        What to write before and after each bar.
    styles : mapping of str to Style
        Fill and hatch of each part.
    """
    places = list(range(len(parts)))
    left = parts.sum(axis=1) * 0.0
    for name in parts.columns:
        widths = parts[name].where(parts[name] > 0)  # a part of zero width would still show its outline
        axes.barh(places, widths, left=left, height=0.7, linewidth=0.5, **fill(styles[name]))
        left = left + parts[name]
    offset: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
    for place, end, total in zip(places, left, totals, strict=True):
        axes.annotate(total, (float(end), place), **offset)
    axes.set_yticks(places, labels)
    axes.set_ylim(len(parts) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def draw_breakdown(configurations: pd.DataFrame, bill: pd.DataFrame, heading: Heading, quantity: str) -> Figure:
    """Draw one panel of bars for each number of conductance states, with a common legend above."""
    bars = stack(bill, heading, quantity)
    parts = panels(configurations.loc[configurations.index.intersection(bars.parts.index)])
    styles = fill_styles(bars.parts.columns, ORDER[heading]) | {OTHERS: Style(colour="#ffffff")}
    handles = _handles(bars.parts.columns, styles)
    rows = [len(part.configurations) + 0.5 for part in parts]
    figure = new_figure(0.27 * sum(rows) + 0.3 * len(parts) + 0.6 + 0.2 * legend_rows(handles))
    heights = {"height_ratios": rows}
    grid = figure.subplots(len(parts), 1, sharex=True, squeeze=False, gridspec_kw=heights)[:, 0]
    for axes, part in zip(grid, parts, strict=True):
        shown, labels = part.configurations.index, list(part.configurations["series"])
        totals = list(bars.totals.loc[shown])
        plot_breakdown(axes, bars.parts.loc[shown], labels=labels, totals=totals, styles=styles)
        axes.set_title(part.title)
    _set_axis(grid[0], bars)
    figure.supxlabel(bars.label, fontsize=9)
    add_legend(figure, handles)
    return figure


def _merge_small(lengths: pd.DataFrame, shares: pd.DataFrame) -> pd.DataFrame:
    """Join the parts that stay below one percent everywhere, if there are several."""
    small = [name for name in lengths.columns if (shares[name] < SMALL_SHARE).all()]
    if len(small) < 2:
        return lengths
    return lengths.drop(columns=small).assign(**{OTHERS: lengths[small].sum(axis=1)})


def _set_axis(axes: Axes, bars: Stack) -> None:
    axes.set_xlim(0, 1.12 * float(bars.parts.sum(axis=1).max()))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value <= bars.largest_tick else ""))


def _handles(names: Sequence[str] | pd.Index[str], styles: Mapping[str, Style]) -> Sequence[Patch]:
    return [Patch(label=name.replace("_", " "), linewidth=0.5, **fill(styles[name])) for name in names]
