"""Test accuracy as training goes on, in small panels."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cosim.reporting.accuracy_axis import set_accuracy_axis
from cosim.reporting.engineering import axis_scale
from cosim.reporting.style import FAINT_COLOUR, Style, add_legend, new_figure, remove_empty, series_styles

COLUMNS = 4
CHARACTERS_PER_TITLE = 24
MULTIPLES = {"k": " (thousands)", "M": " (millions)", "G": " (billions)"}


def mean_curves(history: pd.DataFrame) -> pd.DataFrame:
    """Average the learning curves of each configuration over its seeds.

    Parameters
    ----------
    history : pandas.DataFrame
        Rows of ``history.csv`` with a column ``configuration``.

    Returns
    -------
    pandas.DataFrame
        Columns configuration, epoch, samples, accuracy and spread (sample standard deviation, nan for one
        seed).
    """
    groups = history.groupby(["configuration", "epoch"])
    columns = {
        "samples": groups["samples"].mean(),
        "accuracy": groups["test_accuracy"].mean(),
        "spread": groups["test_accuracy"].std(ddof=1),
    }
    return pd.DataFrame(columns).reset_index()


def plot_learning_curve(axes: Axes, curve: pd.DataFrame, *, style: Style, sample_factor: float = 1.0) -> None:
    """Draw the mean of one configuration over its seeds, with a band of one standard deviation.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    curve : pandas.DataFrame
        Rows of `mean_curves` of one configuration.
    style : Style
        How to draw it.
    sample_factor : float
        Training samples are multiplied by it.
    """
    samples = curve["samples"].to_numpy(dtype=float) * sample_factor
    accuracy = 100 * curve["accuracy"].to_numpy(dtype=float)
    spread = 100 * curve["spread"].to_numpy(dtype=float)
    marker = style.marker if len(curve) < 4 else ""
    axes.plot(samples, accuracy, color=style.colour, linestyle=style.line, marker=marker, linewidth=1.6)
    if np.isfinite(spread).any():
        low, high = accuracy - spread, accuracy + spread
        axes.fill_between(samples, low, high, color=style.colour, alpha=0.22, linewidth=0)


def draw_learning_curves(configurations: pd.DataFrame, history: pd.DataFrame) -> Figure:
    """Draw one small panel for each algorithm, a line for each number of states, the others in grey."""
    curves = mean_curves(history)
    scale = axis_scale(curves["samples"], "")
    curves = curves.assign(samples=curves["samples"] * scale.factor)
    named = configurations.assign(states_label=_state_labels(configurations))
    series = list(dict.fromkeys(named["series"]))
    styles = series_styles(named.sort_values("states", na_position="first")["states_label"])
    columns = min(len(series), COLUMNS)
    rows = -(-len(series) // columns)
    figure = new_figure(max(1.85 * rows, 2.6) + 0.8)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    label = _set_axes(grid[0, 0], curves)
    for axes, name in zip(grid.flat, series, strict=False):
        _plot_panel(axes, named[named["series"] == name], curves, styles, name if len(series) > 1 else "")
    remove_empty(grid, len(series))
    figure.supxlabel(f"training samples seen{MULTIPLES.get(scale.unit, '')}", fontsize=9)
    figure.supylabel(label, fontsize=9)
    if len(configurations) > 1:
        add_legend(figure, _handles(styles))
    return figure


def _state_labels(configurations: pd.DataFrame) -> list[str]:
    states = configurations["states"]
    return ["no device states" if pd.isna(count) else f"{count:g} states" for count in states]


def _set_axes(axes: Axes, curves: pd.DataFrame) -> str:
    axes.set_xlim(0, float(curves["samples"].max()) * 1.03 or 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    low, high = 100 * float(curves["accuracy"].min()), 100 * float(curves["accuracy"].max())
    return set_accuracy_axis(axes, low, high, spacing=0.1)


def _plot_panel(axes: Axes, shown: pd.DataFrame, curves: pd.DataFrame, styles: Mapping[str, Style], title: str) -> None:
    for number, curve in curves.groupby("configuration"):
        if number not in shown.index:
            axes.plot(curve["samples"], 100 * curve["accuracy"], color=FAINT_COLOUR, linewidth=0.8, zorder=1)
    for row, configuration in shown.iterrows():
        curve = curves[curves["configuration"] == row]
        plot_learning_curve(axes, curve, style=styles[str(configuration["states_label"])])
    axes.set_title(textwrap.fill(title, CHARACTERS_PER_TITLE), fontsize=8.5)


def _handles(styles: Mapping[str, Style]) -> Sequence[Line2D]:
    lines = [
        Line2D([], [], color=style.colour, linestyle=style.line, linewidth=1.6, label=name)
        for name, style in styles.items()
    ]
    return [*lines, Line2D([], [], color=FAINT_COLOUR, linewidth=0.8, label="all others")]
