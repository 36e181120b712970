"""The designs of a search: what they cost, and which of them no other beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from cosim.reporting.engineering import axis_scale
from cosim.reporting.frames import DESIGN_NEEDED
from cosim.reporting.style import FAINT_COLOUR, TEXT_COLOUR, add_legend, new_figure

ENERGY = ("energy_per_sample_j", "energy per training sample", "J")
AREA = ("area_m2", "area", "m²")
LATENCY = ("latency_per_sample_s", "latency per training sample", "s")
ACROSS = (AREA, LATENCY)
MOST_POINTS = 2000  # more than this are counted in hexagons: every design counts, and the file stays small
MOST_NAMED = 6
MOST_LISTED = 20
LETTER_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
HEXAGONS = 36
KEY_INCH = 0.17
ACCURACY_MAP = "cividis"  # even steps of lightness: it survives greyscale and colour blindness


@dataclass(frozen=True, kw_only=True)
class Point:
    """A design on the front: a letter on the figure, empty where it has none, and its swept values."""

    letter: str
    design: str
    swept: dict[str, Any]
    costs: pd.Series[float]


def swept_names(designs: pd.DataFrame) -> list[str]:
    """Return the swept keys that differ between designs."""
    names = [name for name in designs.columns if name not in (*DESIGN_NEEDED, "kept")]
    return [name for name in names if designs[name].nunique(dropna=False) > 1]


def short_name(key: str) -> str:
    """Return a swept key in the words of a reader; which converter has so many bits stays in it."""
    last = key.rsplit(".", 1)[-1]
    words = key.split(".")[-2:] if last in ("bits", "model", "name") else [last]
    return " ".join(words).replace("_", " ")


def drawable(designs: pd.DataFrame) -> pd.DataFrame:
    """Return the designs with a positive energy, area and latency, as logarithmic axes need."""
    costs = designs[[ENERGY[0], AREA[0], LATENCY[0]]].to_numpy(dtype=float)
    priced = np.flatnonzero((np.isfinite(costs) & (costs > 0)).all(axis=1))
    return designs.iloc[priced]


def front_points(designs: pd.DataFrame, count: int = MOST_LISTED) -> list[Point]:
    """Choose points of the front: the best in each cost and in accuracy, then others spread over the energy.

    Parameters
    ----------
    designs : pandas.DataFrame
        Rows of ``designs.csv``.
    count : int
        How many at most.

    Returns
    -------
    list of Point
        The cheapest in energy first; the six that are chosen first have a letter, from A.
    """
    front = drawable(designs)
    front = front[front["on_front"]].sort_values([ENERGY[0], AREA[0], LATENCY[0]], kind="stable")
    named = sorted(_spread(front, min(count, MOST_NAMED)))
    listed = sorted({*named, *_spread(front, count)})
    while len(listed) > count:  # a lettered point must stay in the list
        listed.remove(next(place for place in reversed(listed) if place not in named))
    letters = dict(zip(named, ascii_uppercase, strict=False))
    names = swept_names(designs)
    return [
        Point(
            letter=letters.get(place, ""),
            design=_text(front.iloc[place]["design"]),
            swept={name: front.iloc[place][name] for name in names},
            costs=front.iloc[place],
        )
        for place in listed
    ]


def plot_designs(axes: Axes, designs: pd.DataFrame, *, across: tuple[str, str, str], points: Sequence[Point]) -> Any:
    """Draw energy against another cost, both logarithmic: every design, and those of the front on top.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    designs : pandas.DataFrame
        What `drawable` returns.
    across : tuple of str
        Column, name and unit of what stands on the horizontal axis.
    points : sequence of Point
        Points of the front; those with a letter get it written beside them.

    Returns
    -------
    matplotlib.cm.ScalarMappable or None
        What a colour bar of the accuracy needs; None where no accuracy is known.
    """
    column, name, unit = across
    x_scale, y_scale = axis_scale(designs[column], unit), axis_scale(designs[ENERGY[0]], ENERGY[2])
    cloud, front = designs[~designs["on_front"]], designs[designs["on_front"]]
    coloured = 100 * (front if len(cloud) > MOST_POINTS else designs)["test_accuracy"]  # hexagons have no accuracy
    known = bool(coloured.notna().any())
    colours: dict[str, Any] = {"cmap": ACCURACY_MAP}
    if known:
        colours |= {"vmin": coloured.min(), "vmax": coloured.max()}
    for log in (axes.set_xscale, axes.set_yscale):
        log("log")
    if len(cloud) > MOST_POINTS:
        axes.hexbin(
            cloud[column] * x_scale.factor,
            cloud[ENERGY[0]] * y_scale.factor,
            xscale="log",
            yscale="log",
            gridsize=HEXAGONS,
            bins="log",
            cmap="Greys",
            mincnt=1,
            linewidths=0.1,
        )
    else:
        _scatter(axes, cloud, column, x_scale.factor, y_scale.factor, marker=".", size=16, edge="none", **colours)
    mapped = _scatter(
        axes, front, column, x_scale.factor, y_scale.factor, marker="o", size=34, edge=TEXT_COLOUR, **colours
    )
    for point in points:
        if point.letter:
            place = (point.costs[column] * x_scale.factor, point.costs[ENERGY[0]] * y_scale.factor)
            letter: dict[str, Any] = {"xytext": (5, 4), "textcoords": "offset points", "fontsize": 9, "weight": "bold"}
            axes.annotate(point.letter, place, bbox=LETTER_BOX, zorder=5, **letter)
    for axis, label, unit_text in ((axes.xaxis, name, x_scale.unit), (axes.yaxis, ENERGY[1], y_scale.unit)):
        axis.set_label_text(f"{label} ({unit_text}, log scale)")
    _set_ticks(axes, designs[column] * x_scale.factor, designs[ENERGY[0]] * y_scale.factor)
    return mapped if known else None


def draw_designs(designs: pd.DataFrame) -> Figure:
    """Draw energy against area and against latency, with the swept values of at most six points of the front."""
    shown = drawable(designs)
    points = [point for point in front_points(designs) if point.letter]
    figure = new_figure(4.4 + KEY_INCH * (len(points) + 1))
    grid = figure.subplots(1, 2, sharey=True)
    mapped = None
    for axes, across in zip(grid, ACROSS, strict=True):
        mapped = plot_designs(axes, shown, across=across, points=points)
    grid[1].set_ylabel("")
    if mapped is not None:
        counted = int((~shown["on_front"]).sum()) > MOST_POINTS
        label = "test accuracy of the front (%)" if counted else "test accuracy (%)"
        figure.colorbar(mapped, ax=list(grid), label=label, aspect=30, pad=0.01)
    _write_key(figure, points)
    add_legend(figure, _handles(shown))
    return figure


def swept_text(point: Point) -> str:
    """Write the swept values of a point: the short name of each key and its value."""
    return ", ".join(f"{short_name(name)} {_text(value)}" for name, value in point.swept.items())


def _spread(front: pd.DataFrame, count: int) -> list[int]:
    """Choose places in the front, the best in each respect first."""
    if front.empty:
        return []
    best = [int(front[name].argmin()) for name in (ENERGY[0], AREA[0], LATENCY[0])]
    if front["test_accuracy"].notna().any():
        best.insert(0, int(front["test_accuracy"].argmax()))
    chosen = list(dict.fromkeys(best))[:count]
    while len(chosen) < min(count, len(front)):  # the place farthest from all chosen ones
        gaps = [min(abs(place - other) for other in chosen) for place in range(len(front))]
        chosen.append(int(np.argmax(gaps)))
    return chosen


def _scatter(
    axes: Axes,
    rows: pd.DataFrame,
    column: str,
    x_factor: float,
    y_factor: float,
    *,
    marker: str,
    size: int,
    edge: str,
    **colours: Any,
) -> Any:
    accuracy = 100 * rows["test_accuracy"]
    coloured = accuracy.notna().any()
    paint: dict[str, Any] = (
        {"c": accuracy, **colours} if coloured else {"color": "#b0b0b0" if edge == "none" else "#d55e00"}
    )
    return axes.scatter(
        rows[column] * x_factor,
        rows[ENERGY[0]] * y_factor,
        s=size,
        marker=marker,
        edgecolors=edge,
        linewidths=0.8,
        plotnonfinite=True,
        zorder=2 if edge == "none" else 3,
        **paint,
    )


def _set_ticks(axes: Axes, x: pd.Series[float], y: pd.Series[float]) -> None:
    for axis, values in ((axes.xaxis, x), (axes.yaxis, y)):
        ratio = float(values.max() / values.min())
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if ratio < 100 else (1.0,)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for limits, values in ((axes.set_xlim, x), (axes.set_ylim, y)):
        margin = max((values.max() / values.min()) ** 0.06, 1.15)
        limits(values.min() / margin, values.max() * margin)


def _write_key(figure: Figure, points: Sequence[Point]) -> None:
    lines = [f"{point.letter}  {swept_text(point)}" for point in points]
    figure.supxlabel("\n".join(lines), x=0.02, ha="left", fontsize=8)


def _handles(designs: pd.DataFrame) -> list[Line2D]:
    cloud, front = int((~designs["on_front"]).sum()), int(designs["on_front"].sum())
    words = "design, darker: more of them" if cloud > MOST_POINTS else "design"
    return [
        Line2D(
            [],
            [],
            linestyle="",
            marker="h" if cloud > MOST_POINTS else ".",
            color="#8c8c8c",
            label=f"{words} ({cloud:,})",
        ),
        Line2D(
            [],
            [],
            linestyle="",
            marker="o",
            markerfacecolor=FAINT_COLOUR,
            color=TEXT_COLOUR,
            label=f"Pareto front ({front:,})",
        ),
    ]


def _text(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    return str(value)
