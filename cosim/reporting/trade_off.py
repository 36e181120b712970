"""Accuracy against what it costs, with the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from cosim.reporting.accuracy_axis import set_accuracy_axis
from cosim.reporting.configurations import panels
from cosim.reporting.engineering import Scale, axis_scale
from cosim.reporting.pareto import pareto_front
from cosim.reporting.style import Style, add_legend, legend_rows, new_figure, remove_empty, series_styles

FRONT_COLOUR = "#8c8c8c"
FRONT_LABEL = "Pareto front (filled)"


@dataclass(frozen=True, kw_only=True)
class CostAxis:
    """A cost to put on the horizontal axis."""

    column: str
    name: str
    unit: str
    log: bool


ENERGY = CostAxis(column="energy_per_sample_j", name="energy per training sample", unit="J", log=True)
AREA = CostAxis(column="area_m2", name="area", unit="m²", log=False)


def plot_trade_off(
    axes: Axes, configurations: pd.DataFrame, *, cost: CostAxis, scale: Scale, styles: Mapping[str, Style]
) -> None:
    """Draw accuracy against cost: filled markers on the Pareto front, hollow ones off it.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    configurations : pandas.DataFrame
        What `cosim.reporting.configurations.summarise` returns. Bars show the sample standard deviation.
    cost : CostAxis
        What stands on the horizontal axis.
    scale : Scale
        Its unit on paper.
    styles : mapping of str to Style
        Style of each ``series``.
    """
    points = drawable(configurations, cost)
    on_front = pareto_front(points[cost.column], points["test_accuracy"])
    front = points[on_front].sort_values([cost.column, "test_accuracy"])
    x, y = front[cost.column] * scale.factor, 100 * front["test_accuracy"]
    axes.step(x, y, where="post", color=FRONT_COLOUR, linewidth=1.4, zorder=2)
    for (_, point), emphasised in zip(points.iterrows(), on_front, strict=True):
        _plot_point(axes, point, cost, scale, styles[str(point["series"])], emphasised=bool(emphasised))


def draw_trade_off(configurations: pd.DataFrame, cost: CostAxis) -> Figure:
    """Draw one panel for each number of conductance states, with a common legend above."""
    drawn = drawable(configurations, cost)
    parts = panels(drawn)
    columns = min(len(parts), 3)
    rows = -(-len(parts) // columns)
    styles = series_styles(configurations["series"])
    handles = _handles({name: styles[name] for name in dict.fromkeys(drawn["series"])})
    figure = new_figure(3.1 * rows + 0.45 + 0.2 * legend_rows(handles))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    scale = axis_scale(drawn[cost.column], cost.unit)
    accuracy_label = _set_axes(grid[0, 0], drawn, cost, scale)
    for axes, part in zip(grid.flat, parts, strict=False):
        plot_trade_off(axes, part.configurations, cost=cost, scale=scale, styles=styles)
        axes.set_title(part.title)
    remove_empty(grid, len(parts))
    figure.supxlabel(f"{cost.name} ({scale.unit}{', log scale' if cost.log else ''})", fontsize=9)
    for axes in grid[:, 0]:
        axes.set_ylabel(accuracy_label)
    add_legend(figure, handles)
    return figure


def drawable(configurations: pd.DataFrame, cost: CostAxis) -> pd.DataFrame:
    """Select the configurations with an accuracy and a cost; a cost of zero was not priced."""
    values = configurations[cost.column]
    accuracy = configurations["test_accuracy"]
    drawn: pd.DataFrame = configurations[np.isfinite(values) & (values > 0) & np.isfinite(accuracy)]
    return drawn


def _plot_point(
    axes: Axes, point: pd.Series[float], cost: CostAxis, scale: Scale, style: Style, *, emphasised: bool
) -> None:
    spread = point["test_accuracy_spread"]
    axes.errorbar(
        [point[cost.column] * scale.factor],
        [100 * point["test_accuracy"]],
        yerr=None if pd.isna(spread) else [100 * spread],
        marker=style.marker,
        markersize=7.5 if emphasised else 6,
        markerfacecolor=style.colour if emphasised else "white",
        color=style.colour,
        markeredgewidth=1.3,
        elinewidth=1.0,
        capsize=2.5,
        linestyle="none",
        zorder=4 if emphasised else 3,
    )


def _set_axes(axes: Axes, drawn: pd.DataFrame, cost: CostAxis, scale: Scale) -> str:
    values = drawn[cost.column] * scale.factor
    if cost.log:
        _set_log_axis(axes, float(values.min()), float(values.max()))
    else:
        axes.set_xlim(0, 1.08 * float(values.max()))
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    spread = drawn["test_accuracy_spread"].fillna(0)
    low, high = drawn["test_accuracy"] - spread, drawn["test_accuracy"] + spread
    return set_accuracy_axis(axes, 100 * float(low.min()), 100 * float(high.max()))


def _set_log_axis(axes: Axes, low: float, high: float) -> None:
    margin = max((high / low) ** 0.08, 1.25 if high > 1.5 * low else 2.0)
    axes.set_xscale("log")
    axes.set_xlim(low / margin, high * margin)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 300 * low else (1.0,)))
    axes.xaxis.set_minor_locator(NullLocator())


def _handles(styles: Mapping[str, Style]) -> Sequence[Line2D]:
    points = [
        Line2D([], [], color=style.colour, marker=style.marker, markersize=7, linestyle="none", label=name)
        for name, style in styles.items()
    ]
    return [*points, Line2D([], [], color=FRONT_COLOUR, linewidth=1.4, label=FRONT_LABEL)]
