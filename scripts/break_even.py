"""From how many tiles on multi-tile training takes more than mixed precision: `python -m scripts.break_even FOLDER`.

The folder holds one priced study per assumption: sub-folders that ``cosim price`` left for a sweep over mixed precision
and residual learning with a growing number of tiles.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from cosim.reporting.style import COLOURS, LINES, MARKERS, add_legend, house_style, new_figure, save_figure

FIGURES = {"energy_per_sample_j": "energy", "area_m2": "area", "latency_per_sample_s": "latency"}


def read_prices(folder: Path) -> pd.DataFrame:
    """Return nominal, low and high of each figure per assumption and number of tiles; 0 tiles: mixed precision."""
    frames = []
    for place in sorted(path.parent for path in folder.glob("*/bands.csv")):
        bands = pd.read_csv(place / "bands.csv")
        floorplan = pd.read_csv(place / "floorplan.csv").groupby("run_id")["tiles"].max()
        bill = pd.read_csv(place / "bill.csv")
        mixed = set(bill.loc[bill["tile"].astype(str).str.startswith("buffer>"), "run_id"])
        tiles = [0 if run_id in mixed else int(floorplan[run_id]) for run_id in bands["run_id"]]
        frames.append(bands.assign(assumption=place.name.replace("_", " "), tiles=tiles))
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
    prices = read_prices(folder)
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
            axes.set_title(f"{name} over that of mixed precision")
        add_legend(figure, grid[0].get_legend_handles_labels()[0])
        save_figure(figure, folder / "figures" / "break_even.svg", source="prices.csv")
    print(table.to_string())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m scripts.break_even FOLDER")
    main(Path(sys.argv[1]))
