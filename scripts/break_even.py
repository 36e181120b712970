"""From how many tiles on multi-tile training takes more than mixed precision: `python -m scripts.break_even FOLDER`.

Every study file of the folder is one set of assumptions: a sweep over mixed precision and residual learning with a
growing number of tiles, which is priced here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from cosim.config import load_sweep
from cosim.reporting.style import COLOURS, LINES, MARKERS, add_legend, house_style, new_figure, save_figure
from cosim.study import price_study

FIGURES = {"energy_per_sample_j": "energy", "area_m2": "area", "latency_per_sample_s": "latency"}


def price_studies(folder: Path) -> pd.DataFrame:
    """Return nominal, low and high of each figure per assumption and number of tiles; 0 tiles: mixed precision."""
    frames = []
    for path in sorted(folder.glob("*.toml")):
        for one in price_study(load_sweep(path)).detailed:
            algorithm = one.point.algorithm()
            tiles = 0 if algorithm.name == "mixed_precision" else len(algorithm.significances)
            bands = one.tables["bands.csv"].drop(columns="run_id")
            frames.append(bands.assign(assumption=path.stem.replace("_", " "), tiles=tiles))
    return pd.concat(frames, ignore_index=True)


def break_even(prices: pd.DataFrame) -> pd.DataFrame:
    """Return, per assumption and figure, the fewest tiles that take more than mixed precision."""
    rows = []
    for (assumption, figure), part in prices.groupby(["assumption", "figure"], sort=False):
        mixed = part.loc[part["tiles"] == 0, "nominal"].iloc[0]
        more = part[(part["tiles"] > 0) & (part["nominal"] > mixed)]["tiles"]
        cascade = part[part["tiles"] > 0]
        rows.append(
            {
                "assumption": assumption,
                "figure": figure,
                "mixed_precision": mixed,
                "break_even_tiles": more.min() if len(more) else np.nan,
                "most_tiles": cascade["tiles"].max(),
                "at_most_tiles": cascade.sort_values("tiles")["nominal"].iloc[-1],
            }
        )
    return pd.DataFrame(rows)


def main(folder: Path) -> None:
    """Write ``break_even.csv``, ``prices.csv`` and ``figures/break_even.svg``, and print the table."""
    prices = price_studies(folder)
    prices.to_csv(folder / "prices.csv", index=False, float_format="%.6g")
    table = break_even(prices)
    table.to_csv(folder / "break_even.csv", index=False, float_format="%.6g")
    with house_style():
        figure = new_figure(3.6)
        grid = figure.subplots(1, 3)
        for axes, (column, name) in zip(grid, FIGURES.items(), strict=True):
            for place, (assumption, part) in enumerate(prices[prices["figure"] == column].groupby("assumption")):
                mixed = part.loc[part["tiles"] == 0, "nominal"].iloc[0]
                rows = part[part["tiles"] > 0].sort_values("tiles")
                if not mixed:
                    continue
                colour = COLOURS[place % len(COLOURS)]
                axes.plot(
                    rows["tiles"],
                    rows["nominal"] / mixed,
                    color=colour,
                    marker=MARKERS[place],
                    linestyle=LINES[place % len(LINES)],
                    markersize=4,
                    linewidth=1.2,
                    label=assumption,
                )
                axes.fill_between(rows["tiles"], rows["low"] / mixed, rows["high"] / mixed, color=colour, alpha=0.12)
            axes.axhline(1, color="#444444", linewidth=0.9)
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.set_xlabel("tiles")
            axes.set_xticks(range(2, 13, 2))
            axes.set_title(name)
        grid[0].set_ylabel("over that of mixed precision (log scale)")
        add_legend(figure, grid[0].get_legend_handles_labels()[0])
        save_figure(figure, folder / "figures" / "break_even.svg", source="prices.csv")
    print(table.to_string())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m scripts.break_even FOLDER")
    main(Path(sys.argv[1]))
