"""Every figure of a study, drawn from the frames of its folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from cosim.reporting.breakdown import Heading, cost_by
from cosim.reporting.configurations import priced_designs, summarise
from cosim.reporting.cost_breakdown import UNITS, draw_breakdown, plot_breakdown
from cosim.reporting.design_space import draw_designs
from cosim.reporting.design_space import drawable as drawable_designs
from cosim.reporting.engineering import area, engineering
from cosim.reporting.floorplan_figure import areas_by_component, draw_floorplan, totals
from cosim.reporting.frames import RunFrames, load_run
from cosim.reporting.gantt import draw_schedules, end_s, waits
from cosim.reporting.labels import design_names
from cosim.reporting.learning_curves import draw_learning_curves, plot_learning_curve
from cosim.reporting.pareto import pareto_front
from cosim.reporting.shown_runs import ShownRun, shown_runs
from cosim.reporting.style import house_style, save_figure
from cosim.reporting.tornado import RESULTS, draw_tornado, nominal_costs
from cosim.reporting.tornado import drawn as panels_of
from cosim.reporting.tornado import largest as largest_assumptions
from cosim.reporting.trade_off import AREA, ENERGY, CostAxis, draw_trade_off, drawable, plot_trade_off

__all__ = [
    "Drawing",
    "configurations_of",
    "drawings",
    "pareto_front",
    "plot_breakdown",
    "plot_learning_curve",
    "plot_trade_off",
    "save_drawings",
    "write_figures",
]

SECTIONS = ("trade_off", "learning", "floorplan", "schedule", "breakdown", "tornado", "designs")
PANELS_OF_TIME = 3
BREAKDOWNS: tuple[tuple[Heading, str], ...] = (
    ("operation", "energy_j"),
    ("component", "energy_j"),
    ("operation", "latency_s"),
)


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure before it is drawn.

    Attributes
    ----------
    name : str
        Name of its file, without the ending.
    section : str
        Part of the page where it stands: one of `SECTIONS`.
    caption, alternative : str
        What it shows, for readers who see it and for readers who do not.
    source : str
        File that its numbers come from.
    draw : callable
        Draws it.
    """

    name: str
    section: str
    caption: str
    alternative: str
    source: str
    draw: Callable[[], Figure]


def configurations_of(frames: RunFrames) -> pd.DataFrame:
    """Summarise the results, or name the designs where nothing was trained."""
    if not frames.results.empty:
        return summarise(frames.results)
    run_ids = list(pd.unique(pd.concat([frames.bill["run_id"], frames.history["run_id"]])))
    return priced_designs(list(dict.fromkeys(design_names(run_ids, frames.summary))))


def drawings(frames: RunFrames, configurations: pd.DataFrame) -> Iterator[Drawing]:
    """List the figures that the frames have numbers for."""
    if not frames.results.empty:
        for cost in (ENERGY, AREA):
            if not drawable(configurations, cost).empty:
                yield _trade_off(configurations, cost)
    if frames.history["test_accuracy"].notna().any():
        yield _learning(configurations, frames.history)
    for heading, quantity in BREAKDOWNS:
        if not frames.bill.empty and not cost_by(frames.bill, heading, quantity).empty:
            yield _breakdown(configurations, frames.bill, heading, quantity)
    if frames.floorplan["array_area_m2"].gt(0).any():
        yield _floorplan(frames, configurations)
    if frames.schedule["duration_s"].gt(0).any():
        yield _schedule(frames, configurations)
    if not frames.tornado.empty:
        yield from _tornado(frames, configurations)
    if len(drawable_designs(frames.designs)) > 1:
        yield _designs(frames.designs)


def save_drawings(frames: RunFrames, configurations: pd.DataFrame) -> list[tuple[Drawing, Path]]:
    """Write every figure into ``figures/`` of the run folder."""
    commit = frames.summary.get("commit")
    folder = frames.folder / "figures"
    saved = []
    for drawing in drawings(frames, configurations):
        with house_style():
            figure = drawing.draw()
        source = f"{drawing.source}, commit {commit}" if commit else drawing.source
        saved.append((drawing, save_figure(figure, folder / f"{drawing.name}.svg", source=source)))
    return saved


def write_figures(folder: Path) -> list[Path]:
    """Draw every figure of a run folder.

    Parameters
    ----------
    folder : Path
        What `cosim run` or `cosim price` left.

    Returns
    -------
    list of Path
        The SVG files, in ``folder/figures/``; the same CSV files give the same bytes.
    """
    frames = load_run(folder)
    return [path for _, path in save_drawings(frames, configurations_of(frames))]


def _trade_off(configurations: pd.DataFrame, cost: CostAxis) -> Drawing:
    shown = drawable(configurations, cost)
    notes = _spread_note(shown) + _missing_note(configurations, shown, cost)
    best = shown.iloc[int(shown["test_accuracy"].argmax())]
    return Drawing(
        name=f"accuracy_against_{cost.name.split()[0]}",
        section="trade_off",
        caption=(
            f"Test accuracy against {cost.name}. Filled markers are on the Pareto front: nothing here is "
            f"both cheaper and more accurate. {notes}"
        ),
        alternative=(
            f"Scatter plot of test accuracy against {cost.name} for {len(shown)} configurations; the most "
            f"accurate is {best['label']} with {100 * best['test_accuracy']:.1f} %."
        ),
        source="results.csv",
        draw=lambda: draw_trade_off(configurations, cost),
    )


def _learning(configurations: pd.DataFrame, history: pd.DataFrame) -> Drawing:
    shown = configurations.loc[configurations.index.isin(history["configuration"])]
    return Drawing(
        name="learning_curves",
        section="learning",
        caption=f"Test accuracy while training. {_spread_note(shown, 'Mean with a band of')}",
        alternative=f"Learning curves of {len(shown)} configurations in small panels, one per algorithm.",
        source="history.csv",
        draw=lambda: draw_learning_curves(shown, history),
    )


def _breakdown(configurations: pd.DataFrame, bill: pd.DataFrame, heading: Heading, quantity: str) -> Drawing:
    name = UNITS[quantity][0]
    sums = cost_by(bill, heading, quantity).sum().sort_values(ascending=False, kind="stable")
    return Drawing(
        name=f"{name}_by_{heading}",
        section="breakdown",
        caption=f"{name.capitalize()} per training sample by {heading}{_mean_note(configurations)}.",
        alternative=(
            f"Stacked bars of the {name} per training sample by {heading}; the largest part over all "
            f"configurations is {str(sums.index[0]).replace('_', ' ')}."
        ),
        source="bill.csv",
        draw=lambda: draw_breakdown(configurations, bill, heading, quantity),
    )


def _floorplan(frames: RunFrames, configurations: pd.DataFrame) -> Drawing:
    (run,) = shown_runs(frames, configurations, frames.floorplan, 1)
    bill = frames.bill[frames.bill["run_id"] == run.run_id]
    areas = areas_by_component(run.rows, bill)
    shown = totals(run.rows, areas)
    largest = areas.sum().idxmax()
    planned = float(run.rows[["array_area_m2", "periphery_area_m2"]].sum().sum())
    billed = float(areas.to_numpy().sum())
    note = "" if abs(billed - planned) <= 0.01 * billed else f" The floorplan adds up to {area(planned)}."
    return Drawing(
        name="floorplan",
        section="floorplan",
        caption=(
            f"{run.label + '. ' if run.label else ''}Left: the whole design, {area(billed)}, as one square, divided by "
            "layer (heavy lines) and by component; sizes are to scale, positions are not a placement."
            f"{note} Right: one copy of the weights, which is what published area comparisons of multi-tile training "
            "count, and what stands around it."
        ),
        alternative=(
            f"Map of the area by layer and component; the largest part is {str(largest).replace('_', ' ')}. "
            + "; ".join(f"{name}: {area(value)}" for name, value in shown.items())
            + "."
        ),
        source="floorplan.csv, bill.csv",
        draw=lambda: draw_floorplan(run.rows, bill),
    )


def _schedule(frames: RunFrames, configurations: pd.DataFrame) -> Drawing:
    schedule = frames.schedule[frames.schedule["duration_s"] > 0]
    runs = shown_runs(frames, configurations, schedule, PANELS_OF_TIME)
    left_out = schedule["configuration"].nunique() - len(runs)
    note = f" {left_out} more configurations are not drawn." if left_out else ""
    last = runs[-1]
    billed = nominal_costs(frames, last.run_id).get("latency_per_sample_s", math.nan)
    if abs(billed - end_s(last.rows)) > 0.01 * billed:
        note += f" The latency in the bill{_of_run(last)} is {engineering(billed, 's')}."
    return Drawing(
        name="schedule",
        section="schedule",
        caption=(
            "What each layer does during one training sample. Outlined work is on the critical path: shorten it and "
            "the sample is done earlier. Thin bars are hidden behind other work. A bar is never drawn shorter than "
            f"0.4 % of the axis.{note}"
        ),
        alternative=f"Gantt chart of one training sample by layer and operation{_of_run(last)}. {waits(last.rows)}",
        source="schedule.csv",
        draw=lambda: draw_schedules(runs),
    )


def _tornado(frames: RunFrames, configurations: pd.DataFrame) -> Iterator[Drawing]:
    (run,) = shown_runs(frames, configurations, frames.tornado, 1)
    nominal = nominal_costs(frames, run.run_id)
    names = panels_of(run.rows, nominal)
    if names:
        what = f"{run.label}: what" if run.label else "What"
        first = largest_assumptions(run.rows, names[0]).iloc[0]
        yield Drawing(
            name="tornado",
            section="tornado",
            caption=(
                f"{what} the result becomes when one assumption at a time goes to either end of its range, "
                "the others staying at their values: the five that matter most for each result."
            ),
            alternative=(
                f"Tornado charts of {', '.join(RESULTS[name][0] for name in names)}; the {RESULTS[names[0]][0]} "
                f"depends most on {str(first['assumption']).replace('_', ' ')}."
            ),
            source="tornado.csv",
            draw=lambda: draw_tornado(run.rows, nominal),
        )


def _designs(designs: pd.DataFrame) -> Drawing:
    shown = drawable_designs(designs)
    front = int(shown["on_front"].sum())
    missing = len(designs) - len(shown)
    note = f" {missing} without a price in every respect are not drawn." if missing else ""
    return Drawing(
        name="designs",
        section="designs",
        caption=(
            f"{len(shown):,} designs, of which {front:,} are on the Pareto front (outlined): no other is at least as "
            f"good in every respect and better in one. Letters name some of them.{note}"
        ),
        alternative=(
            f"Energy per training sample of {len(shown)} designs against their area and against their latency; "
            f"energies from {engineering(float(shown['energy_per_sample_j'].min()), 'J')} to "
            f"{engineering(float(shown['energy_per_sample_j'].max()), 'J')}."
        ),
        source="designs.csv",
        draw=lambda: draw_designs(designs),
    )


def _of_run(run: ShownRun) -> str:
    return f" of {run.label}" if run.label else ""


def _mean_note(configurations: pd.DataFrame) -> str:
    return ", mean over the seeds" if int(configurations["seeds"].max()) > 1 else ""


def _spread_note(configurations: pd.DataFrame, mark: str = "Bars:") -> str:
    most = int(configurations["seeds"].max())
    if most < 2:
        return "One seed each, so no spread is known."
    return f"{mark} one sample standard deviation over {most} seeds."


def _missing_note(configurations: pd.DataFrame, shown: pd.DataFrame, cost: CostAxis) -> str:
    missing = configurations.loc[configurations.index.difference(shown.index), "label"]
    if missing.empty:
        return ""
    return f" Not drawn, for want of an accuracy or a priced {cost.name.split()[0]}: {'; '.join(missing)}."
