"""Studies behind reports/theory: each writes a CSV and a figure.

`python -m tests.validation.theory_figures` runs all of them, or those that are named; with `--redraw` the figures are
drawn from the CSV that are there. The tests beside this file check shorter versions of the same runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from threadpoolctl import threadpool_limits

from cosim.reporting.style import (
    FAINT_COLOUR,
    TEXT_COLOUR,
    Style,
    add_legend,
    house_style,
    new_figure,
    save_figure,
    series_styles,
)
from tests.validation import regression, residual_runs, response_runs, response_theory
from tests.validation.response_theory import ROWS, Quadratic

FOLDER = Path(__file__).resolve().parents[2] / "reports" / "theory"
COPIES = 64


def line(axes: Axes, horizontal: Iterable[float], vertical: Iterable[float], style: Style, **further: Any) -> None:
    """Draw one series in its colour, line and marker."""
    look: dict[str, Any] = {"color": style.colour, "marker": style.marker, "linestyle": style.line, "markersize": 5}
    axes.plot(list(horizontal), list(vertical), **(look | further))


def plain_ticks(axis: Axis, ticks: Iterable[float] | None = None) -> None:
    """Label the powers of ten of a logarithmic axis, or some ticks, as plain numbers."""
    if ticks is not None:
        axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
    axis.set_minor_locator(NullLocator())


def handle(style: Style, label: str, **further: Any) -> Artist:
    """Return a legend entry that looks like the series."""
    look: dict[str, Any] = {"color": style.colour, "marker": style.marker, "linestyle": style.line, "markersize": 5}
    return Line2D([], [], label=label, **(look | further))


# The reference simulator.


def regression_study() -> pd.DataFrame:
    """Train all cases with as many seeds as the reference, and compare the last epoch."""
    rows = []
    for case, (loss, loss_spread, error, error_spread) in regression.FINAL.items():
        runs = regression.curves(case, regression.THEIR_SEEDS)
        loss_score, error_score = regression.final_scores(case, runs)
        algorithm, variation, periphery = case.split("|")
        losses, errors = runs.loss[:, -1], runs.weight_error[:, -1]
        rows.append(
            {
                "algorithm": algorithm, "variation": variation, "periphery": periphery, "seeds": len(losses),
                "loss": losses.mean(), "loss_std": losses.std(),
                "loss_reference": loss, "loss_reference_std": loss_spread, "loss_score": loss_score,
                "weight_error": errors.mean(), "weight_error_std": errors.std(),
                "weight_error_reference": error, "weight_error_reference_std": error_spread,
                "weight_error_score": error_score,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def draw_regression(frame: pd.DataFrame) -> Figure:
    """Draw final values against those of the reference, and the scores of all differences."""
    figure = new_figure(4.6)
    values, scores = figure.subplots(1, 2, width_ratios=(1, 1.1))
    styles = series_styles(["loss", "weight_error"])
    labels = {"loss": "training loss", "weight_error": "rms weight error"}
    for name, style in styles.items():
        values.errorbar(
            frame[f"{name}_reference"], frame[name], xerr=frame[f"{name}_reference_std"], yerr=frame[f"{name}_std"],
            color=style.colour, marker=style.marker, linestyle="none", markersize=4, elinewidth=0.8, mfc="white",
        )  # fmt: skip
    ends = [3e-4, 0.15]
    values.plot(ends, ends, color=TEXT_COLOUR, linewidth=0.8, zorder=0)
    values.set(xscale="log", yscale="log", xlabel="reference simulator", ylabel="cosim", title="After 30 epochs")
    values.set_aspect("equal")
    for axis in (values.xaxis, values.yaxis):
        plain_ticks(axis, (0.001, 0.01, 0.1))
    cases = frame.groupby(["algorithm"], sort=False).ngroup()
    order = [*dict.fromkeys(frame["algorithm"])]
    scores.axvspan(-3, 3, color=FAINT_COLOUR, alpha=0.5, linewidth=0)
    for name, shift in (("loss", -0.15), ("weight_error", 0.15)):
        style = styles[name]
        scores.plot(
            frame[f"{name}_score"], cases + shift, color=style.colour, marker=style.marker, linestyle="none",
            markersize=4.5, mfc="white",
        )  # fmt: skip
    scores.set_yticks(range(len(order)), [name.replace("_", ",\n") for name in order])
    scores.invert_yaxis()
    scores.set(xlim=(-4, 4), xlabel="difference / standard error", title="Difference, four conditions each")
    add_legend(figure, [handle(style, labels[name], linestyle="none", mfc="white") for name, style in styles.items()])
    return figure


# The implicit penalty.


def penalty_study() -> pd.DataFrame:
    """Return where Analog SGD settles, where theory says it does, and the linearised prediction."""
    return pd.DataFrame(
        {
            "device": row.name, "optimum": row.optimum, "root": row.root(), "linearised": row.linearised(),
            "settled": response_runs.settle(row, copies=800, rate=2e-3, burn_in=3000, keep=4000),
            "settled_elsewhere": row.elsewhere,
        }
        for row in ROWS
    ).assign(deviation=lambda frame: frame["settled"] / frame["root"] - 1)  # fmt: skip


def draw_penalty(frame: pd.DataFrame) -> Figure:
    """Draw all of them as shares of the optimum, and the deviation from theory."""
    figure = new_figure(3.6)
    shares, deviations = figure.subplots(1, 2, sharey=True, width_ratios=(1.8, 1))
    styles = series_styles(["root of T", "linearised (Eq. 43)", "Analog SGD, pulses", "optimum"])
    columns = dict(zip(styles, ("root", "linearised", "settled", "optimum"), strict=True))
    looks: dict[str, dict[str, Any]] = {
        "root of T": {"marker": "|", "markersize": 14, "markeredgewidth": 2},
        "linearised (Eq. 43)": {"mfc": "white"},
        "Analog SGD, pulses": {"marker": "o", "markersize": 4},
        "optimum": {},
    }
    places = np.arange(len(frame))
    for label, style in styles.items():
        share = frame[columns[label]] / frame["optimum"]
        line(shares, share, places, style, linestyle="none", **looks[label])
    shares.set_yticks(places, frame["device"])
    shares.invert_yaxis()
    shares.set(xlabel="w / w*", title="Where Analog SGD settles")
    deviations.axvspan(-0.5, 0.5, color=FAINT_COLOUR, alpha=0.5, linewidth=0)
    pulses = styles["Analog SGD, pulses"]
    line(deviations, 100 * frame["deviation"], places, pulses, linestyle="none", **looks["Analog SGD, pulses"])
    deviations.set(xlim=(-1, 1), xlabel="deviation from the root (%)", title="Deviation")
    add_legend(figure, [handle(style, label, linestyle="none", **looks[label]) for label, style in styles.items()])
    return figure


# Descent without noise.

NOISE_FREE: dict[str, Quadratic] = {"linear": ROWS[0], "power, γ 2": ROWS[5], "exponential, γ 1": ROWS[6]}
RATE = 0.05


def noise_free_study() -> pd.DataFrame:
    """Return the distance to the optimum over the steps: the update of the theory, and pulses of two sizes."""
    marks = np.unique(np.rint(np.geomspace(10, 2560, 33)).astype(int))
    tables = []
    for label, row in NOISE_FREE.items():
        for dw_min in (0.0, 1e-3, 1e-2):
            if dw_min:
                found = response_runs.descend_without_noise(row, marks, copies=COPIES, dw_min=dw_min, rate=RATE)
            else:
                found = row.descend_without_noise(marks, rate=RATE)
            distances = np.abs(found - row.optimum).mean(axis=1)
            tables.append(pd.DataFrame({"device": label, "dw_min": dw_min, "step": marks, "distance": distances}))
    return pd.concat(tables)


def draw_noise_free(frame: pd.DataFrame) -> Figure:
    """Draw one panel per device."""
    figure = new_figure(3.0)
    grid = figure.subplots(1, len(NOISE_FREE), sharey=True, sharex=True)
    labels = {0.0: "update of the theory", 1e-3: "pulses of 0.001", 1e-2: "pulses of 0.01"}
    styles = series_styles(labels.values())
    for axes, device in zip(grid, NOISE_FREE, strict=True):
        for dw_min, label in labels.items():
            part = frame[(frame["device"] == device) & (frame["dw_min"] == dw_min)]
            line(axes, part["step"], part["distance"].clip(lower=1e-17), styles[label], markersize=3)
        axes.set(xscale="log", yscale="log", xlabel="step", title=device, ylim=(1e-15, 1))
        plain_ticks(axes.xaxis, (10, 100, 1000))
        plain_ticks(axes.yaxis, 10.0 ** np.arange(-15, 1, 3))
    grid[0].set_ylabel("mean |w - w*|")
    add_legend(figure, [handle(style, label) for label, style in styles.items()])
    return figure


# The lower bound.


def lower_bound_study() -> pd.DataFrame:
    """Return the squared gradient that is left, over the rate and the noise."""
    rows = []
    for noise in (0.05, 0.1, 0.2):
        for rate in (0.08, 0.04, 0.02, 0.01, 0.005):
            gradient, floor = response_runs.LowerBound(noise=noise).floor(rate=rate, copies=1000, times=16)
            rows.append({"noise": noise, "rate": rate, "squared_gradient": gradient, "sigma2_s": floor})
    return pd.DataFrame(rows)


def draw_lower_bound(frame: pd.DataFrame) -> Figure:
    """Draw what is left in units of sigma² S, with the two constants."""
    figure = new_figure(3.2)
    axes = figure.subplots()
    styles = series_styles([f"σ = {noise:g}" for noise in frame["noise"].unique()])
    for noise, part in frame.groupby("noise"):
        line(axes, part["rate"], part["squared_gradient"] / part["sigma2_s"], styles[f"σ = {noise:g}"])
    axes.axhline(1, color=TEXT_COLOUR, linewidth=1)
    axes.axhline(4, color=TEXT_COLOUR, linewidth=1, linestyle="--")
    axes.text(0.081, 1.04, "bound of the proof, σ²S", va="bottom", ha="right")
    axes.text(0.081, 3.95, "printed constant, 4σ²S", va="top", ha="right")
    axes.set(xlim=(0, 0.083), ylim=(0, 4.3), xlabel="learning rate α", ylabel="E|∇f|² / σ²S")
    add_legend(figure, [handle(style, label) for label, style in styles.items()])
    return figure


# Two tiles with an offset of the symmetric point.


def offset_study() -> pd.DataFrame:
    """Return the bias of three algorithms over the asymmetry c_lin, for several draws of the problem."""
    return pd.DataFrame(
        {
            "algorithm": label, "c_lin": c_lin, "problem": seed,
            "bias": response_runs.least_squares_bias(label, c_lin, steps=10_000, seed=seed),
            "bias_theory": response_theory.least_squares_bias(label, c_lin, steps=10_000, seed=seed),
        }
        for label in response_runs.SWEEP
        for c_lin in (0.0, 0.1, 0.2, 0.3)
        for seed in (5, 6, 7, 8)
    )  # fmt: skip


def draw_offset(frame: pd.DataFrame) -> Figure:
    """Draw the bias over c_lin, with its range over the draws; hollow marks are the update of the theory."""
    figure = new_figure(3.4)
    axes = figure.subplots()
    styles = series_styles(response_runs.SWEEP)
    for place, (label, style) in enumerate(styles.items()):
        draws = frame[frame["algorithm"] == label].groupby("c_lin")
        bias = draws["bias"].mean()
        whiskers = [bias - draws["bias"].min(), draws["bias"].max() - bias]
        shifted = bias.index + 0.006 * (place - 1)
        axes.errorbar(
            shifted, bias, yerr=whiskers, color=style.colour, marker=style.marker, linestyle=style.line, markersize=4,
            elinewidth=0.9, capsize=2.5,
        )  # fmt: skip
        line(axes, shifted, draws["bias_theory"].mean(), style, linestyle="none", mfc="none", markersize=9)
    axes.set(yscale="log", xlabel="asymmetry c (symmetric point at 3.5 c)", ylabel="bias |E w - w*|² / D")
    plain_ticks(axes.yaxis)
    handles = [handle(style, label) for label, style in styles.items()]
    hollow = Style(colour=TEXT_COLOUR)
    add_legend(figure, [*handles, handle(hollow, "update of the theory", linestyle="none", mfc="none", markersize=9)])
    return figure


# Buffers on coarse devices.


def coarse_study() -> pd.DataFrame:
    """Return error and transfer pulses over the granularity."""
    rows = []
    for dw_min in (0.01, 0.02, 0.05, 0.1, 0.2):
        for name in response_runs.COARSE:
            runs = response_runs.coarse(name, dw_min, copies=500, steps=6000)
            errors = runs.error(response_runs.COARSE_OPTIMUM)
            rows.append(
                {
                    "algorithm": name, "dw_min": dw_min, "squared_error": errors.mean(),
                    "squared_error_std": errors.std(), "bias": runs.mean.mean() - response_runs.COARSE_OPTIMUM,
                    "transfer_pulses_per_step": runs.transfer_pulses,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def draw_coarse(frame: pd.DataFrame) -> Figure:
    """Draw both over the granularity."""
    figure = new_figure(3.2)
    left, right = figure.subplots(1, 2)
    styles = series_styles(response_runs.COARSE)
    for name, style in styles.items():
        part = frame[frame["algorithm"] == name]
        line(left, part["dw_min"], part["squared_error"], style)
        if part["transfer_pulses_per_step"].any():
            line(right, part["dw_min"], part["transfer_pulses_per_step"], style)
    left.set(xscale="log", yscale="log", xlabel="granularity", ylabel="E (w - w*)²", title="Error")
    right.set(xscale="log", yscale="log", xlabel="granularity", ylabel="pulses per step", title="Pulses to the weight")
    for axes, ticks in ((left, (0.005, 0.01, 0.02, 0.05)), (right, (0.02, 0.05, 0.1, 0.2, 0.3))):
        plain_ticks(axes.xaxis, (0.01, 0.02, 0.05, 0.1, 0.2))
        plain_ticks(axes.yaxis, ticks)
    add_legend(figure, [handle(style, name) for name, style in styles.items()])
    return figure


# Several tiles.


def tiles_study() -> pd.DataFrame:
    """Return the error floor of the scalar toy over tiles, period ratio and setting."""
    cases = [
        *(
            ("long loops", residual_runs.long_loops(0.5), tiles, 1000 * steps)
            for tiles, steps in ((1, 100), (2, 300), (3, 600), (4, 1500))
        ),
        *(
            ("long loops", residual_runs.long_loops(0.2), tiles, 1000 * steps)
            for tiles, steps in ((1, 100), (2, 300), (3, 600))
        ),
        *(
            ("period ratio", residual_runs.long_loops(0.2, ratio=ratio), 3, 1000 * steps)
            for ratio, steps in ((3, 200), (10, 300), (100, 1000))
        ),
        *(("literal", residual_runs.LITERAL, tiles, 300_000) for tiles in (1, 2, 3, 4, 6)),
    ]
    rows = []
    for study, cascade, tiles, steps in cases:
        errors = residual_runs.floor(cascade, tiles, steps=steps, copies=COPIES, part=0.2)
        quarter, median, three_quarters = np.quantile(errors, [0.25, 0.5, 0.75])
        rows.append(
            {
                "study": study, "dw_min": cascade.dw_min, "gamma": cascade.gamma, "tiles": tiles,
                "period": cascade.period, "period_ratio": cascade.ratio, "steps": steps, "copies": COPIES,
                "error_median": median, "error_quartile_1": quarter, "error_quartile_3": three_quarters,
                "error_mean": errors.mean(),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def draw_tiles(frame: pd.DataFrame) -> Figure:
    """Draw the floor over the number of tiles, and over the period ratio."""
    figure = new_figure(3.4)
    left, right = figure.subplots(1, 2, width_ratios=(1.4, 1), sharey=True)
    groups = {
        "long loops, 4 states": frame[(frame["study"] == "long loops") & (frame["dw_min"] == 0.5)],
        "long loops, 10 states": frame[(frame["study"] == "long loops") & (frame["dw_min"] == 0.2)],
        "printed toy settings, 4 states": frame[frame["study"] == "literal"],
    }
    styles = series_styles(groups)
    for label, part in groups.items():
        floor_line(left, part, "tiles", styles[label])
    three = frame[(frame["tiles"] == 3) & (frame["dw_min"] == 0.2)].sort_values("period_ratio")
    floor_line(right, three, "period_ratio", styles["long loops, 10 states"])
    left.set(yscale="log", xlabel="tiles", ylabel="squared error (w - b)²", title="More tiles")
    right.set(xscale="log", xlabel="period ratio of neighbouring tiles", title="Longer inner loops, 3 tiles")
    plain_ticks(right.xaxis, (3, 10, 30, 100))
    plain_ticks(left.yaxis)
    add_legend(figure, [handle(style, label) for label, style in styles.items()])
    return figure


def floor_line(axes: Axes, part: pd.DataFrame, column: str, style: Style) -> None:
    """Draw medians with quartiles."""
    median = part["error_median"]
    whiskers = [median - part["error_quartile_1"], part["error_quartile_3"] - median]
    axes.errorbar(
        part[column], median, yerr=whiskers, color=style.colour, marker=style.marker, linestyle=style.line,
        markersize=5, elinewidth=0.9, capsize=2.5,
    )  # fmt: skip


STUDIES: dict[str, tuple[Callable[[], pd.DataFrame], Callable[[pd.DataFrame], Figure]]] = {
    "regression": (regression_study, draw_regression),
    "penalty": (penalty_study, draw_penalty),
    "noise_free": (noise_free_study, draw_noise_free),
    "lower_bound": (lower_bound_study, draw_lower_bound),
    "offset": (offset_study, draw_offset),
    "coarse": (coarse_study, draw_coarse),
    "tiles": (tiles_study, draw_tiles),
}


def main() -> None:
    """Run the studies that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"{', '.join(STUDIES)}; all if none is named")
    parser.add_argument("--redraw", action="store_true", help="draw from the CSV that are there")
    given = parser.parse_args()
    for name in given.names or STUDIES:
        if name not in STUDIES:
            parser.error(f"{name!r} is unknown; known: {', '.join(STUDIES)}")
        study, draw = STUDIES[name]
        table = FOLDER / f"{name}.csv"
        if not given.redraw:
            FOLDER.mkdir(parents=True, exist_ok=True)
            with threadpool_limits(limits=1):
                study().to_csv(table, index=False, float_format="%.5g", lineterminator="\n")
        with house_style():
            figure = draw(pd.read_csv(table))
        save_figure(figure, FOLDER / f"{name}.svg", source=f"python -m tests.validation.theory_figures {name}")


if __name__ == "__main__":
    main()
