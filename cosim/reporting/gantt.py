"""One training sample in time: what each layer does when, and what the sample waits for."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from cosim.reporting.breakdown import OPERATIONS
from cosim.reporting.engineering import Scale, axis_scale, engineering
from cosim.reporting.shown_runs import ShownRun
from cosim.reporting.style import (
    FAINT_COLOUR,
    TEXT_COLOUR,
    Style,
    add_legend,
    fill,
    fill_styles,
    legend_rows,
    new_figure,
)

UNBROKEN_SPACE = "\N{NO-BREAK SPACE}"
SHORTEST_SHARE = 0.004  # of the axis: a bar thinner than its outline would vanish
SHORT_LAYER = 0.03  # of the sample: a layer that works for less gets a close-up
CLOSE_UP = 0.3  # of the sample: a longer window would not be one
COMPARABLE_RATIO = 6.0
LINE_CHARACTERS = 122
LINE_INCH = 0.17


def plot_schedule(
    axes: Axes, schedule: pd.DataFrame, *, scale: Scale, span: float, styles: Mapping[str, Style]
) -> None:
    """Draw the operations of one training sample: one row per layer, the first on top.

    Work that the sample waits for is outlined and joined by a line; work that other work hides is a thin faint
    bar below its layer.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    schedule : pandas.DataFrame
        Rows of ``schedule.csv`` of one run.
    scale : Scale
        Unit of time on paper.
    span : float
        Length of the time axis in seconds; a bar is never shorter than 0.4 % of it.
    styles : mapping of str to Style
        Fill and hatch of each operation.
    """
    places = {layer: place for place, layer in enumerate(layers(schedule))}
    ordered = schedule.sort_values(["hidden", "critical", "duration_s"], ascending=[False, True, False], kind="stable")
    for _, row in ordered.iterrows():
        place, left = places[str(row["layer"])], float(row["start_s"]) * scale.factor
        width = max(float(row["duration_s"]), SHORTEST_SHARE * span) * scale.factor
        look = {"left": left, **fill(styles[str(row["operation"])])}
        if row["hidden"]:
            axes.barh(place + 0.4, width, height=0.13, linewidth=0.3, alpha=0.55, **look)
            continue
        axes.barh(place, width, height=0.62, linewidth=0.3, zorder=3 if row["critical"] else 2, **look)
        if row["critical"]:
            thickness = 1.3 if row["duration_s"] > SHORTEST_SHARE * span else 0.6
            outline: dict[str, Any] = {"facecolor": "none", "edgecolor": TEXT_COLOUR, "linewidth": thickness}
            axes.barh(place, width, left=left, height=0.62, zorder=4, **outline)
    _join_critical(axes, schedule, places, scale)
    axes.set_yticks(list(places.values()), [name.replace("_", " ") for name in places])
    axes.set_ylim(len(places) - 0.45, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(8))


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One chart: a schedule between two times in seconds, with what stands above and below it."""

    schedule: pd.DataFrame
    begin_s: float
    span_s: float
    title: str
    notes: Sequence[str] = ()


def draw_schedules(runs: Sequence[ShownRun]) -> Figure:
    """Draw one panel per run, with a common legend above.

    Runs whose times differ by less than a factor of six share their axis, so that they can be compared by eye. A
    run that is alone gets a second panel around the layers that are too short to be seen in the first.
    """
    panels = _panels(runs)
    rows = pd.concat([run.rows for run in runs])
    styles = fill_styles(pd.unique(rows["operation"]), OPERATIONS)
    handles = _handles(rows, styles)
    heights = [0.42 * len(layers(panel.schedule)) + 0.75 + LINE_INCH * len(panel.notes) for panel in panels]
    figure = new_figure(sum(heights) + 0.25 + 0.2 * legend_rows(handles))
    grid = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axes, panel in zip(grid, panels, strict=True):
        scale = axis_scale([panel.begin_s + panel.span_s], "s")
        plot_schedule(axes, panel.schedule, scale=scale, span=panel.span_s, styles=styles)
        axes.set_xlim(panel.begin_s * scale.factor, (panel.begin_s + 1.02 * panel.span_s) * scale.factor)
        axes.set_title(panel.title)
        axes.set_xlabel("\n".join([f"time since the sample began ({scale.unit})", *panel.notes]))
    add_legend(figure, handles)
    return figure


def _panels(runs: Sequence[ShownRun]) -> list[Panel]:
    ends = [float((run.rows["start_s"] + run.rows["duration_s"]).max()) for run in runs]
    common = max(ends) <= COMPARABLE_RATIO * min(ends)
    panels = [
        Panel(
            schedule=run.rows,
            begin_s=0.0,
            span_s=max(ends) if common else end,
            title=", ".join(part for part in (run.label, engineering(end_s(run.rows), "s")) if part),
            notes=textwrap.wrap(waits(run.rows), LINE_CHARACTERS),
        )
        for run, end in zip(runs, ends, strict=True)
    ]
    return [*panels, *_close_up(runs[0].rows)] if len(runs) == 1 else panels


def _close_up(schedule: pd.DataFrame) -> list[Panel]:
    """Return a panel around the layers whose whole work is too short to be seen, if they stand together."""
    span = end_s(schedule)
    waited = schedule[~schedule["hidden"]]
    busy = waited.groupby("layer")["duration_s"].sum()
    short = waited[waited["layer"].isin(busy[busy < SHORT_LAYER * span].index)]
    if short.empty:
        return []
    begin, end = float(short["start_s"].min()), float((short["start_s"] + short["duration_s"]).max())
    if not 0 < end - begin < CLOSE_UP * span:
        return []
    shown = schedule[(schedule["start_s"] <= end) & (schedule["start_s"] + schedule["duration_s"] >= begin)]
    margin = 0.05 * (end - begin)
    names = ", ".join(str(name).replace("_", " ") for name in layers(short))
    return [
        Panel(
            schedule=shown,
            begin_s=max(begin - margin, 0.0),
            span_s=end - begin + 2 * margin,
            title=f"the same, close up: {names} ({engineering(end - begin, 's')})",
        )
    ]


def layers(schedule: pd.DataFrame) -> list[str]:
    """Return the layers in the order in which they begin."""
    begins = schedule.groupby("layer", sort=False)["start_s"].min().sort_values(kind="stable")
    return [str(layer) for layer in begins.index]


def end_s(schedule: pd.DataFrame) -> float:
    """Return when the last work of the sample ends; hidden work may end later and does not count."""
    waited = schedule if schedule["hidden"].all() else schedule[~schedule["hidden"]]
    return float((waited["start_s"] + waited["duration_s"]).max())


def waits(schedule: pd.DataFrame) -> str:
    """Tell how long the sample waits for each operation, however short, and what is hidden."""
    critical = schedule[schedule["critical"]].groupby("operation")["duration_s"].sum()
    hidden = schedule[schedule["hidden"]].groupby("operation")["duration_s"].sum()
    total = float(critical.sum())
    longest_first = critical.sort_values(ascending=False, kind="stable").items()
    waited = ", ".join(
        f"{_name(name)} {engineering(time, 's')} ({_share(time / total)})" for name, time in longest_first
    )
    covered = ", ".join(f"{_name(name)} {engineering(time, 's')}" for name, time in hidden.items())
    parts = (f"The sample waits for: {waited}." if waited else "", f"Hidden: {covered}." if covered else "")
    return " ".join(part for part in parts if part)


def _share(fraction: float) -> str:
    return f"{100 * fraction:.0f} %" if fraction >= 0.1 else f"{100 * fraction:.2g} %"


def _join_critical(axes: Axes, schedule: pd.DataFrame, places: Mapping[str, int], scale: Scale) -> None:
    """Draw the step from each critical operation to the next one in another layer."""
    path = schedule[schedule["critical"]].sort_values("start_s", kind="stable")
    steps = list(zip(path["layer"], path["start_s"], strict=True))
    for (layer, _), (following, start_s) in itertools.pairwise(steps):
        if layer != following:
            at = start_s * scale.factor
            axes.plot([at, at], [places[layer], places[following]], color=TEXT_COLOUR, linewidth=0.9, zorder=1)


def _handles(rows: pd.DataFrame, styles: Mapping[str, Style]) -> Sequence[Patch]:
    present = set(rows["operation"])
    handles = [
        Patch(label=_name(name), linewidth=0.5, **fill(style)) for name, style in styles.items() if name in present
    ]
    if rows["critical"].any():
        handles.append(Patch(label="critical path (outlined)", facecolor="none", edgecolor=TEXT_COLOUR, linewidth=1.3))
    if rows["hidden"].any():
        handles.append(Patch(label="hidden (thin)", facecolor=FAINT_COLOUR, edgecolor="none"))
    return handles


def _name(operation: object) -> str:
    return str(operation).replace("_", " ")
