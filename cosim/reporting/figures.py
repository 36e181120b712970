"""Every figure of a study, drawn from the frames of its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from cosim.reporting.breakdown import Heading, cost_by
from cosim.reporting.configurations import priced_designs, summarise
from cosim.reporting.cost_breakdown import UNITS, draw_breakdown, plot_breakdown
from cosim.reporting.frames import RunFrames, load_run
from cosim.reporting.labels import design_names
from cosim.reporting.learning_curves import draw_learning_curves, plot_learning_curve
from cosim.reporting.pareto import pareto_front
from cosim.reporting.style import house_style, save_figure
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
        Part of the page where it stands: ``trade_off``, ``learning`` or ``breakdown``.
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
